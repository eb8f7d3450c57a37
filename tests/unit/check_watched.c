/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check_watched.c - output that is made again in part when the outside opens: what can
 * be compared leaves, the rest does not; and of what is lost nothing does. */
#include "sockmig/core/flows.h"
#include "tests/unit/replay_story.h"

#include <stdio.h>

#define LARGE 10000u

static unsigned
goes_out(uint8_t flags, struct plog_output *out, unsigned max)
{
    void *memory = malloc(flows_size(4));
    struct flows *f = flows_init(memory, 4, SEED, FLOWS_PART);
    uint8_t *p = malloc(LARGE + PACKET_BUILT);
    size_t n = packet_ack(p, &tcp, PACKET_OUT, SND, RCV, 1000);
    struct packet pkt;
    unsigned count;

    memset(p + n, 'o', LARGE);
    p[2] = (uint8_t)((n + LARGE) >> 8);
    p[3] = (uint8_t)(n + LARGE);
    p[33] |= flags;
    ck_assert(packet_parse(&pkt, PACKET_OUT, p, n + LARGE));
    count = flows_output(f, &pkt, (struct mono){ 1 }, out, max);
    free(p);
    free(memory);
    return count;
}

START_TEST(a_large_packet_is_logged_in_parts)
{
    struct plog_output out[FLOWS_RECORDS];
    uint8_t *bytes = malloc(LARGE);
    uint32_t at = 0;

    memset(bytes, 'o', LARGE);
    ck_assert_uint_eq(goes_out(TCP_FIN, out, FLOWS_RECORDS), 3);
    for (int i = 0; i < 3; i++) {
        ck_assert_uint_eq(out[i].seq, SND + at);
        ck_assert_uint_eq(out[i].size, i < 2 ? FLOWS_PART : LARGE - at);
        ck_assert(out[i].hash == digest_of(SEED, bytes, out[i].size));
        ck_assert_msg(
            out[i].tcp_flags == (i < 2 ? 0 : TCP_FIN), "the end is the last's");
        at += out[i].size;
    }
    ck_assert_uint_eq(goes_out(0, out, 2), 2);
    ck_assert_uint_eq(out[1].size, LARGE - FLOWS_PART);
    ck_assert(out[1].hash == digest_of(SEED, bytes, LARGE - FLOWS_PART));
    free(bytes);
}
END_TEST

/* ---- held back by the window ---- */

static const struct replay_sizes sizes = { 16, 64, 4096 };

static bool
puts_out(struct story *s, uint32_t at, uint32_t size, char fill)
{
    uint8_t p[200];

    return replay_output(s->replay, s->now, p,
        tcp_packet(p, &tcp, PACKET_OUT, SND + at, RCV, size, fill));
}

static bool
is_sent(const struct replay_effect *e, char text[40])
{
    struct packet pkt;

    if (e->what != REPLAY_SEND || e->packet[9] != PACKET_TCP)
        return false;
    ck_assert(packet_sound(e->packet, e->size));
    ck_assert(packet_parse(&pkt, PACKET_OUT, e->packet, e->size));
    for (uint32_t i = 0; i < pkt.payload_size; i++)
        ck_assert_int_eq(pkt.payload[i], 'o');
    if (pkt.tcp.flags & TCP_RST)
        snprintf(text, 40, "!");
    else if (pkt.payload_size == 0 && pkt.tcp.seq == SND - 1)
        snprintf(text, 40, "?");
    else
        snprintf(text, 40, "%u+%u", pkt.tcp.seq - SND, (unsigned)pkt.payload_size);
    return true;
}

/* The bytes of the next packet to the client, told as "at+size"; "!": it is reset; "?":
 * its client is asked what it has; "-": none for 150 ms, in which what is held back is
 * excused. */
static const char *
sent(struct story *s)
{
    static char text[40];
    struct replay_effect e;

    for (int i = 0; i < 150; i++, s->now.us += 1000)
        while (replay_next(s->replay, s->now, &e))
            if (is_sent(&e, text))
                return text;
    return "-";
}

static struct story
told(const char *letters)
{
    static struct story s;
    const struct replay_connection c = {
        .key = tcp, .snd_una = SND, .snd_nxt = SND, .rcv_nxt = RCV, .window = 1000
    };

    s = (struct story){ .in_seq = RCV, .out_seq = SND, .now = { 1000000 } };
    plog_ring_init(&s.kept, s.none, sizeof s.none, 0);
    plog_ring_init(&s.log, s.bytes, sizeof s.bytes, 0);
    for (; *letters; letters++)
        logged(&s, *letters);
    begin_with(&s, &sizes, &c, 0);
    return s;
}

/* The outside is open for a clone that has made one and a half of three pieces: what
 * could be compared has left, or it is reset. */
static struct story
opened(char fill)
{
    struct story s = told("OOO");

    ck_assert(!puts_out(&s, 0, PIECE + PIECE / 2, fill));
    ck_assert_str_eq(sent(&s), fill == 'o' ? "0+10" : "!");
    if (fill == 'o')
        ck_assert_str_eq(sent(&s), "?");
    ck_assert_str_eq(sent(&s), "-");
    return s;
}

START_TEST(the_part_that_is_not_whole_waits)
{
    struct story s = opened('o');

    ck_assert_uint_eq(replay_watching(s.replay), 1);
    ck_assert_msg(!puts_out(&s, 15, 10, 'o'), "it leaves in its turn");
    ck_assert_str_eq(sent(&s), "10+5");
    ck_assert_str_eq(sent(&s), "15+5");
    ck_assert_str_eq(sent(&s), "-");
    ck_assert_msg(
        puts_out(&s, 25, 20, 'o'), "the log ends within it: it is like others");
    ck_assert_str_eq(sent(&s), "20+5");
    ck_assert_uint_eq(replay_watching(s.replay), 0);
    free(s.replay);
}
END_TEST

START_TEST(what_overtakes_waits_too)
{
    struct story s = opened('o');

    ck_assert(!puts_out(&s, 20, 5, 'o'));
    ck_assert_str_eq(sent(&s), "-");
    ck_assert(!puts_out(&s, 15, 5, 'o'));
    ck_assert_str_eq(sent(&s), "10+5");
    ck_assert_str_eq(sent(&s), "15+5");
    ck_assert_str_eq(sent(&s), "-");
    free(s.replay);
}
END_TEST

START_TEST(of_another_answer_nothing_leaves)
{
    struct story s = opened('o');

    ck_assert(!puts_out(&s, 15, 5, 'x'));
    ck_assert_str_eq(sent(&s), "!");
    ck_assert_str_eq(sent(&s), "-");
    ck_assert(!puts_out(&s, 15, 5, 'x'));
    free(s.replay);
}
END_TEST

/* A window that never has room for the rest: its client would wait for ever. */
START_TEST(what_its_tcp_insists_on_leaves)
{
    struct story s = opened('o');

    ck_assert(puts_out(&s, 0, 10, 'o'));
    for (int i = 0; i < 2; i++)
        ck_assert(!puts_out(&s, 10, 5, 'o'));
    ck_assert(puts_out(&s, 10, 5, 'o'));
    ck_assert_uint_eq(replay_stat(s.replay).insisted, 1);
    free(s.replay);
}
END_TEST

/* Its client may lack the begin, as what is sent may be lost. */
START_TEST(of_what_comes_again_the_begin_leaves)
{
    struct story s = opened('o');

    for (int i = 0; i < 5; i++) {
        ck_assert(!puts_out(&s, 0, 15, 'o'));
        ck_assert_str_eq(sent(&s), "0+10");
        ck_assert_str_eq(sent(&s), "-");
    }
    ck_assert(!puts_out(&s, 15, 5, 'o'));
    ck_assert_str_eq(sent(&s), "10+5");
    ck_assert_str_eq(sent(&s), "15+5");
    ck_assert_str_eq(sent(&s), "-");
    ck_assert_uint_eq(replay_stat(s.replay).insisted, 0);
    free(s.replay);
}
END_TEST

/* The rest of it never comes. */
START_TEST(a_part_of_what_is_reset_stays)
{
    struct story s = told("OT");
    uint8_t p[200];

    ck_assert(!puts_out(&s, 0, PIECE / 2, 'o'));
    replay_output(
        s.replay, s.now, p, packet_rst(p, &tcp, PACKET_OUT, SND + PIECE / 2, RCV));
    ck_assert_str_eq(sent(&s), "!");
    ck_assert_str_eq(sent(&s), "-");
    free(s.replay);
}
END_TEST

/* ---- lost ---- */

static bool
is_reset_by(struct story *s, uint32_t seq)
{
    struct replay_effect e;
    struct packet pkt;

    return replay_next(s->replay, s->now, &e) && e.what == REPLAY_INJECT &&
           packet_parse(&pkt, PACKET_IN, e.packet, e.size) && pkt.tcp.flags & TCP_RST &&
           pkt.tcp.seq == seq;
}

static bool
says(struct story *s, uint8_t flags, uint32_t ack)
{
    uint8_t p[200];
    size_t n = packet_ack(p, &tcp, PACKET_OUT, SND + 20, ack, 1000);

    p[33] |= flags;
    return replay_output(s->replay, s->now, p, n);
}

/* What it had put out before it was reset may come late, or its reset have had a wrong
 * number. */
START_TEST(what_is_lost_is_silent)
{
    struct story s = opened('x');

    ck_assert(replay_watching(s.replay) > 0);
    ck_assert(!puts_out(&s, 15, 5, 'x'));
    ck_assert(!says(&s, 0, RCV + 7));
    ck_assert(is_reset_by(&s, RCV + 7));
    ck_assert(says(&s, TCP_RST, RCV));
    s.now.us += 2500000;
    ck_assert_str_eq(sent(&s), "-");
    ck_assert(replay_watching(s.replay) > 0);
    s.now.us += 500000;
    ck_assert_str_eq(sent(&s), "-");
    ck_assert_uint_eq(replay_watching(s.replay), 0);
    free(s.replay);
}
END_TEST

START_TEST(its_client_may_begin_anew)
{
    struct story s = opened('x');
    struct packet pkt;
    uint8_t p[200];
    size_t n = packet_ack(p, &tcp, PACKET_IN, 9, 0, 1000);

    ck_assert(!says(&s, 0, RCV));
    p[33] = TCP_SYN;
    ck_assert(packet_parse(&pkt, PACKET_IN, p, n) && replay_input(s.replay, &pkt));
    ck_assert(says(&s, TCP_SYN, 10));
    ck_assert(puts_out(&s, 15, 5, 'x'));
    free(s.replay);
}
END_TEST

int
main(void)
{
    TCase *tc = tcase_create("watched");

    tcase_add_test(tc, a_large_packet_is_logged_in_parts);
    tcase_add_test(tc, the_part_that_is_not_whole_waits);
    tcase_add_test(tc, what_overtakes_waits_too);
    tcase_add_test(tc, of_another_answer_nothing_leaves);
    tcase_add_test(tc, what_its_tcp_insists_on_leaves);
    tcase_add_test(tc, of_what_comes_again_the_begin_leaves);
    tcase_add_test(tc, a_part_of_what_is_reset_stays);
    tcase_add_test(tc, what_is_lost_is_silent);
    tcase_add_test(tc, its_client_may_begin_anew);
    return suite_run("watched", tc, NULL);
}
