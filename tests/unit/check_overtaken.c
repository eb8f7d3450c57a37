/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check_overtaken.c - output that is captured in another order than it was sent: every
 * byte is in the log, and compared at a replay. */
#include "sockmig/core/flows.h"
#include "tests/unit/replay_story.h"

#include <stdio.h>

#define PACKETS 8u
#define BYTES (PACKETS * PIECE)

/* [@seq, @seq + @size) of the stream that begins at SND, all 'o'. */
static bool
goes_out(struct flows *f, uint32_t seq, uint32_t size, struct plog_output *o)
{
    struct packet pkt;
    uint8_t p[200];

    ck_assert(packet_parse(
        &pkt, PACKET_OUT, p, tcp_packet(p, &tcp, PACKET_OUT, SND + seq, 7, size, 'o')));
    return flows_output(f, &pkt, (struct mono){ 1 }, o, 1) == 1;
}

static void
acknowledged(struct flows *f, uint32_t ack)
{
    struct packet pkt;
    uint8_t p[200];

    ck_assert(
        packet_parse(&pkt, PACKET_IN, p, packet_ack(p, &tcp, PACKET_IN, 7, ack, 1000)));
    flows_input(f, &pkt, (struct mono){ 1 });
}

static struct flows *
at_the_beginning(void *memory)
{
    struct flows *f = flows_init(memory, 4, SEED, FLOWS_PART);
    struct packet pkt;
    uint8_t p[200];

    packet_parse(&pkt, PACKET_OUT, p,
        packet_synack(p, &tcp, &(struct packet_tcp){ .seq = SND - 1, .ack = 7 }));
    ck_assert(flows_output(f, &pkt, (struct mono){ 1 }, &(struct plog_output){ 0 }, 1));
    acknowledged(f, SND);
    return f;
}

/* Two digits a packet: its first byte and its size; what is logged likewise, - for
 * nothing.  aa: the client acknowledges the first 6. */
static const struct {
    const char *claim, *packets, *logged;
} rows[] = {
    { "in order", "03 33 62", "03 33 62" },
    { "again", "03 33 03 06", "03 33 -- --" },
    { "one overtakes another", "33 03", "33 03" },
    { "and that comes again", "33 03 03", "33 03 --" },
    { "two do", "63 33 03", "63 33 03" },
    { "in other pieces", "63 02 15 06", "63 02 24 --" },
    { "with what is new", "33 09", "33 09" },
    { "two holes: once more what is between", "33 93 03 33 63", "33 93 03 33 63" },
    { "not once the client has it", "33 93 63 03 aa 33", "33 93 63 03 --" },
    { "an acknowledgement is no output", "60 03 33", "-- 03 33" },
};

START_TEST(what_is_logged)
{
    void *memory = malloc(flows_size(4));
    struct flows *f = at_the_beginning(memory);
    char logged[64] = "", *at = logged;
    struct plog_output o;

    for (const char *c = rows[_i].packets; *c; c += c[2] ? 3 : 2) {
        if (*c == 'a') {
            acknowledged(f, SND + 6);
            continue;
        }
        if (goes_out(f, (uint32_t)(c[0] - '0'), (uint32_t)(c[1] - '0'), &o))
            at += sprintf(at, " %u%u", o.seq - SND, o.size);
        else
            at += sprintf(at, " --");
    }
    ck_assert_msg(!strcmp(logged + 1, rows[_i].logged), "%s: %s instead of %s",
        rows[_i].claim, logged + 1, rows[_i].logged);
    free(memory);
}
END_TEST

static uint32_t
below(uint32_t *state, uint32_t n)
{
    *state = *state * 1664525 + 1013904223;
    return (uint32_t)((uint64_t)*state * n >> 32);
}

/* PACKETS packets, some a bit too late, some of them twice; as the log has them. */
static void
capture(struct story *s, struct flows *f, uint32_t *random)
{
    uint32_t order[PACKETS + 4], n = 0;
    bool logged[BYTES] = { false };
    struct plog_output o;
    uint8_t small[PLOG_SMALL];

    for (uint32_t i = 0; i < PACKETS; i++)
        order[n++] = i;
    for (uint32_t i = 0; i < 6; i++) {
        uint32_t a = below(random, PACKETS - 2), b = a + 1 + below(random, 2);
        uint32_t was = order[a];

        order[a] = order[b];
        order[b] = was;
    }
    for (; n < PACKETS + 4; n++)
        order[n] = below(random, PACKETS);
    for (uint32_t i = 0; i < n; i++) {
        if (goes_out(f, order[i] * PIECE, PIECE, &o)) {
            plog_ring_append(
                &s->log, small, plog_encode_output(small, 1, ++s->out, &o));
            memset(logged + o.seq - SND, true, o.size);
        }
        for (uint32_t b = order[i] * PIECE; b < (order[i] + 1) * PIECE; b++)
            ck_assert_msg(logged[b], "byte %u left and is not in the log", b);
    }
}

static bool
diverges(struct story *s)
{
    struct replay_effect e;

    for (int i = 0; i < 100; i++) {
        if (!replay_next(s->replay, s->now, &e))
            s->now.us += 1000;
        else if (e.what == REPLAY_DIVERGED)
            return true;
        else if (e.what == REPLAY_DONE)
            return false;
    }
    return false;
}

/* The same bytes in other pieces; @wrong: this one is another, none if it is BYTES.
 * @outputs of the log are known ahead. */
static bool
replays(struct story *s, uint32_t outputs, uint32_t wrong, uint32_t *random)
{
    const struct replay_sizes sizes = { 16, outputs, 4096 };
    uint8_t p[200];
    bool differs;

    begin(s, &sizes, SND);
    for (uint32_t at = 0, size; at < BYTES; at += size) {
        size_t n;

        size = 1 + below(random, 2 * PIECE);
        size = at + size > BYTES ? BYTES - at : size;
        n = tcp_packet(p, &tcp, PACKET_OUT, SND + at, RCV, size, 'o');
        if (wrong - at < size) {
            p[n - size + wrong - at] = 'w';
            packet_complete(p, n);
        }
        replay_output(s->replay, s->now, p, n);
    }
    differs = diverges(s);
    free(s->replay);
    return differs;
}

START_TEST(every_byte_that_left_is_compared)
{
    void *memory = malloc(flows_size(4));

    for (uint32_t seed = 1; seed <= 300; seed++) {
        struct story s = { .in_seq = RCV, .out_seq = SND, .now = { 1000000 } };
        struct story again;
        uint32_t random = seed * 7919;

        plog_ring_init(&s.kept, s.none, sizeof s.none, 0);
        plog_ring_init(&s.log, s.bytes, sizeof s.bytes, 0);
        capture(&s, at_the_beginning(memory), &random);
        for (uint32_t wrong = 0; wrong <= BYTES; wrong++) {
            again = s;
            again.kept.data = again.none;
            again.log.data = again.bytes;
            ck_assert_msg(replays(&again, 64, wrong, &random) == (wrong < BYTES),
                "seed %u: byte %u of %u", seed, wrong, BYTES);
        }
        again = s;
        again.kept.data = again.none;
        again.log.data = again.bytes;
        ck_assert_msg(!replays(&again, 4, BYTES, &random), "seed %u: read late", seed);
    }
    free(memory);
}
END_TEST

/* Where the log is read late, who was overtaken cannot be compared; who overtook is. */
START_TEST(read_late_the_rest_is_compared)
{
    static const struct replay_sizes sizes = { 16, 3, 4096 };
    static const uint32_t order[] = { 0, 2, 1 };
    void *memory = malloc(flows_size(4));
    struct story s = { .in_seq = RCV, .out_seq = SND, .now = { 1000000 } };
    struct flows *f = at_the_beginning(memory);
    uint8_t small[PLOG_SMALL], p[200];
    struct replay_effect e;
    struct plog_output o;

    plog_ring_init(&s.kept, s.none, sizeof s.none, 0);
    plog_ring_init(&s.log, s.bytes, sizeof s.bytes, 0);
    for (int i = 0; i < 3; i++) {
        ck_assert(goes_out(f, order[i] * PIECE, PIECE, &o));
        plog_ring_append(&s.log, small, plog_encode_output(small, 1, ++s.out, &o));
    }
    begin(&s, &sizes, SND);
    replay_next(s.replay, s.now, &e);
    replay_output(s.replay, s.now, p,
        tcp_packet(p, &tcp, PACKET_OUT, SND, RCV, 2 * PIECE + 5, 'o'));
    replay_next(s.replay, s.now, &e);
    replay_output(s.replay, s.now, p,
        tcp_packet(p, &tcp, PACKET_OUT, SND + 2 * PIECE + 5, RCV, 5, 'w'));
    ck_assert(diverges(&s));
    free(s.replay);
    free(memory);
}
END_TEST

int
main(void)
{
    TCase *tc = tcase_create("all");

    ADD_ROWS(tc, what_is_logged, rows);
    tcase_add_test(tc, every_byte_that_left_is_compared);
    tcase_add_test(tc, read_late_the_rest_is_compared);
    return suite_run("overtaken", tc, NULL);
}
