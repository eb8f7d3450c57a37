/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check_acks.c - acknowledgements have no records of their own: what those of output
 * say of them, and what a replay makes of it. */
#include "sockmig/core/flows.h"
#include "tests/unit/replay_story.h"

START_TEST(a_record_says_what_the_client_has)
{
    struct plog_output o = { .flow = tcp,
        .seq = 5,
        .size = 6,
        .options = PLOG_ACKED,
        .acked = 0xfffffff0,
        .window = 0xabcd },
                       back;
    uint8_t b[PLOG_SMALL], scratch[PLOG_SMALL];
    struct plog_ring ring = { b, 1 << 16, 0, 0 };
    struct plog_record rec;
    uint64_t at;

    for (int version = 4; version <= 6; version += 2) {
        o.flow.version = (uint8_t)version;
        ring.end = plog_encode_output(b, 9, 10, &o);
        at = 0;
        ck_assert(plog_read(&ring, &at, &rec, scratch) == PLOG_READ);
        ck_assert(plog_decode_output(&rec, &back));
        ck_assert(back.options == PLOG_ACKED && back.acked == o.acked &&
                  back.window == o.window && back.seq == 5 && back.size == 6);
        rec.size -= 3;
        ck_assert(!plog_decode_output(&rec, &back));
    }
}
END_TEST

static void
comes_in(struct flows *f, uint32_t ack, uint16_t window)
{
    uint8_t p[200];
    struct packet pkt;

    ck_assert(packet_parse(
        &pkt, PACKET_IN, p, packet_ack(p, &tcp, PACKET_IN, 7, ack, window)));
    flows_input(f, &pkt, (struct mono){ 1 });
}

static struct plog_output
goes_out(struct flows *f, uint32_t seq, size_t size)
{
    struct plog_output o = { .options = 0xff };
    struct packet pkt;
    uint8_t p[200];

    ck_assert(packet_parse(
        &pkt, PACKET_OUT, p, tcp_packet(p, &tcp, PACKET_OUT, seq, 7, size, 'o')));
    ck_assert(flows_output(f, &pkt, (struct mono){ 1 }, &o, 1));
    return o;
}

START_TEST(the_active_node_remembers_it)
{
    void *memory = malloc(flows_size(4));
    struct flows *f = flows_init(memory, 4, SEED, FLOWS_PART);
    struct plog_output o = goes_out(f, 100, 10);

    ck_assert_msg(o.options == 0, "nothing was heard yet");
    comes_in(f, 105, 50);
    o = goes_out(f, 110, 10);
    ck_assert(o.options == PLOG_ACKED && o.acked == 105 && o.window == 50);
    comes_in(f, 121, 60);
    o = goes_out(f, 120, 10);
    ck_assert_msg(o.acked == 105 && o.window == 50, "121 was never put out");
    comes_in(f, 130, 70);
    comes_in(f, 120, 80);
    o = goes_out(f, 130, 10);
    ck_assert_msg(o.acked == 130 && o.window == 80, "the furthest, and the newest");
    free(memory);
}
END_TEST

static void
log_output(struct story *s, const struct flow_key *key, uint32_t seq, uint32_t acked,
    uint16_t window)
{
    uint8_t small[PLOG_SMALL], bytes[PIECE];
    struct plog_output o = { .flow = *key,
        .seq = seq,
        .size = PIECE,
        .options = acked ? PLOG_ACKED : 0,
        .acked = acked,
        .window = window };

    memset(bytes, 'o', sizeof bytes);
    o.hash = digest_of(SEED, bytes, sizeof bytes);
    plog_ring_append(&s->log, small, plog_encode_output(small, 1, ++s->out, &o));
}

static void
puts_out(struct story *s, const struct flow_key *key, uint32_t seq)
{
    uint8_t p[200];

    replay_output(
        s->replay, s->now, p, tcp_packet(p, key, PACKET_OUT, seq, RCV, PIECE, 'o'));
}

static struct packet
told(struct story *s)
{
    struct replay_effect e = { .what = REPLAY_DONE };
    struct packet pkt;

    for (int i = 0; i < 3 && !replay_next(s->replay, s->now, &e); i++)
        s->now.us += 500;
    ck_assert_int_eq(e.what, REPLAY_INJECT);
    ck_assert(packet_parse(&pkt, PACKET_IN, e.packet, e.size));
    ck_assert_uint_eq(pkt.payload_size, 0);
    return pkt;
}

static const struct replay_sizes sizes = { 16, 64, 4096 };

static void
begins(struct story *s, uint16_t window)
{
    const struct replay_connection c = {
        .key = tcp, .snd_una = SND, .snd_nxt = SND, .rcv_nxt = RCV, .window = window
    };

    begin_with(s, &sizes, &c, 0);
}

static struct story
new_story(void)
{
    return (struct story){ .in_seq = RCV, .out_seq = SND, .now = { 1000000 } };
}

START_TEST(output_is_acknowledged_as_far_as_a_later_record_says)
{
    struct story s = new_story();
    struct packet pkt;

    plog_ring_init(&s.kept, s.none, sizeof s.none, 0);
    plog_ring_init(&s.log, s.bytes, sizeof s.bytes, 0);
    log_output(&s, &tcp, SND, 0, 0);
    log_output(&s, &tcp, SND + PIECE, SND + PIECE, 900);
    begins(&s, 1000);
    puts_out(&s, &tcp, SND);
    pkt = told(&s);
    ck_assert(pkt.tcp.ack == SND + PIECE && pkt.tcp.window == 900);
    free(s.replay);
}
END_TEST

START_TEST(a_window_that_opened_is_told)
{
    struct story s = new_story();
    struct packet pkt;

    plog_ring_init(&s.kept, s.none, sizeof s.none, 0);
    plog_ring_init(&s.log, s.bytes, sizeof s.bytes, 0);
    log_output(&s, &tcp, SND, SND, 1000);
    begins(&s, 0);
    pkt = told(&s);
    ck_assert(pkt.tcp.ack == SND && pkt.tcp.window == 1000);
    free(s.replay);
}
END_TEST

/* A service that writes to one may wait for its acknowledgement, and so may the rest.
 */
START_TEST(others_are_helped)
{
    struct story s = new_story();
    struct replay_connection c = {
        .snd_una = SND, .snd_nxt = SND, .rcv_nxt = RCV, .window = 1000
    };
    struct packet pkt;

    plog_ring_init(&s.kept, s.none, sizeof s.none, 0);
    plog_ring_init(&s.log, s.bytes, sizeof s.bytes, 0);
    c.key = tcp;
    c.key.remote_port++;
    log_output(&s, &c.key, SND, 0, 0);
    log_output(&s, &tcp, SND, 0, 0);
    logged(&s, 'd');
    logged(&s, 'r');
    log_output(&s, &c.key, SND + PIECE, SND + PIECE, 1000);
    s.other = &c;
    begins(&s, 1000);
    puts_out(&s, &c.key, SND);
    pkt = told(&s);
    ck_assert_uint_eq(pkt.key.remote_port, c.key.remote_port);
    ck_assert_uint_eq(pkt.tcp.ack, SND + PIECE);
    free(s.replay);
}
END_TEST

static bool
hears(struct story *s, uint32_t ack)
{
    struct packet pkt;
    uint8_t p[200];

    ck_assert(
        packet_parse(&pkt, PACKET_IN, p, packet_ack(p, &tcp, PACKET_IN, RCV, ack, 9)));
    return replay_input(s->replay, &pkt);
}

/* Of two pieces the second one is held back; until @other has made its own the replay
 * goes on without it. */
static void
second_piece_is_excused(struct story *s, const struct replay_connection *other)
{
    const struct plog_output reset = {
        .flow = tcp, .seq = SND + 2 * PIECE, .tcp_flags = TCP_RST
    };
    uint8_t small[PLOG_SMALL];
    struct replay_effect e;

    plog_ring_init(&s->kept, s->none, sizeof s->none, 0);
    plog_ring_init(&s->log, s->bytes, sizeof s->bytes, 0);
    log_output(s, &tcp, SND, SND, 1000);
    log_output(s, &tcp, SND + PIECE, SND, 1000);
    plog_ring_append(&s->log, small, plog_encode_output(small, 1, ++s->out, &reset));
    log_output(s, &other->key, SND, SND, 1000);
    s->other = other;
    begins(s, 1000);
    puts_out(s, &tcp, SND);
    for (int i = 0; i < 1000 && replay_stat(s->replay).excused == 0; i++) {
        s->now.us += 1000;
        while (replay_next(s->replay, s->now, &e))
            ck_assert_int_eq(e.what, REPLAY_INJECT);
    }
    ck_assert_uint_eq(replay_stat(s->replay).excused, 1);
}

static void
ends(struct story *s)
{
    struct replay_effect e = { .what = REPLAY_SEND };

    puts_out(s, &s->other->key, SND);
    while (replay_next(s->replay, s->now, &e) && e.what != REPLAY_DONE)
        continue;
    ck_assert_int_eq(e.what, REPLAY_DONE);
}

/* An acknowledgement of what was not sent again yet would be one of nothing. */
START_TEST(what_is_held_back_is_not_acknowledged)
{
    struct replay_connection other = {
        .key = tcp, .snd_una = SND, .snd_nxt = SND, .rcv_nxt = RCV, .window = 1000
    };
    struct story s = new_story();
    uint8_t p[200];

    other.key.remote_port++;
    second_piece_is_excused(&s, &other);
    ends(&s);
    ck_assert(hears(&s, SND + PIECE));
    ck_assert(!hears(&s, SND + 2 * PIECE));
    free(s.replay);

    s = new_story();
    second_piece_is_excused(&s, &other);
    replay_output(
        s.replay, s.now, p, packet_rst(p, &tcp, PACKET_OUT, SND + PIECE, RCV));
    ends(&s);
    ck_assert_msg(hears(&s, SND + 2 * PIECE), "the service's kernel knows it no more");
    free(s.replay);
}
END_TEST

int
main(void)
{
    TCase *tc = tcase_create("acks");

    tcase_add_test(tc, a_record_says_what_the_client_has);
    tcase_add_test(tc, the_active_node_remembers_it);
    tcase_add_test(tc, output_is_acknowledged_as_far_as_a_later_record_says);
    tcase_add_test(tc, a_window_that_opened_is_told);
    tcase_add_test(tc, others_are_helped);
    tcase_add_test(tc, what_is_held_back_is_not_acknowledged);
    return suite_run("acknowledgements", tc, NULL);
}
