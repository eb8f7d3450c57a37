/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check_replay_waits.c - what a replay waits for, and how long. */
#include "tests/unit/replay_story.h"

static void
told(struct story *s, uint32_t ack, uint16_t window)
{
    uint8_t p[200];
    size_t n = packet_ack(p, &tcp, PACKET_OUT, SND, ack, window);

    replay_output(s->replay, s->now, p, n);
}

/* The next effect: input of @size bytes at @seq. */
static void
goes_in(struct story *s, uint32_t seq, uint32_t size)
{
    struct replay_effect e;
    struct packet pkt;

    ck_assert(replay_next(s->replay, s->now, &e));
    ck_assert_int_eq(e.what, REPLAY_INJECT);
    ck_assert(packet_sound(e.packet, e.size));
    ck_assert(packet_parse(&pkt, PACKET_IN, e.packet, e.size));
    ck_assert_uint_eq(pkt.size, e.size);
    ck_assert_uint_eq(pkt.tcp.seq, seq);
    ck_assert_uint_eq(pkt.payload_size, size);
}

/* The service takes input up to @edge, and counts room by four. */
static void
begins(struct story *s, const char *log, uint32_t edge)
{
    static const struct replay_sizes sizes = { 16, 64, 4096 };
    const struct replay_connection c = { .key = tcp,
        .snd_una = SND,
        .snd_nxt = SND,
        .rcv_nxt = RCV,
        .window = 1000,
        .has_edge = true,
        .edge = edge,
        .rcv_wscale = 2 };

    plog_ring_init(&s->kept, s->none, sizeof s->none, 0);
    plog_ring_init(&s->log, s->bytes, sizeof s->bytes, 0);
    for (; *log; log++)
        logged(s, *log);
    begin_with(s, &sizes, &c, 1000000);
}

START_TEST(input_waits_for_room)
{
    struct story s = { .in_seq = RCV, .out_seq = SND, .now = { 1000000 } };
    struct replay_effect e;

    begins(&s, "dddr", RCV + 3 * PIECE / 2);
    goes_in(&s, RCV, PIECE);
    ck_assert_msg(!replay_next(s.replay, s.now, &e), "there is room for half of it");
    s.now.us += 500;
    goes_in(&s, RCV + PIECE - 1, 1); /* asks how much room there is */
    ck_assert(!replay_next(s.replay, s.now, &e));
    s.now.us += 500;
    goes_in(&s, RCV + PIECE, PIECE / 2);
    ck_assert(!replay_next(s.replay, s.now, &e));
    told(&s, RCV + PIECE, 1); /* old news */
    ck_assert(!replay_next(s.replay, s.now, &e));
    told(&s, RCV + PIECE, 2 * PIECE / 4);
    goes_in(&s, RCV + 3 * PIECE / 2, PIECE / 2);
    goes_in(&s, RCV + 2 * PIECE, PIECE);
    while (replay_next(s.replay, s.now, &e) && e.what == REPLAY_SEND)
        continue; /* nudges */
    ck_assert_int_eq(e.what, REPLAY_DONE);
    free(s.replay);
}
END_TEST

/* Under commit the client has no acknowledgement of it and sends it again. */
START_TEST(what_never_finds_room_is_left_out)
{
    struct story s = { .in_seq = RCV, .out_seq = SND, .now = { 1000000 } };
    struct replay_effect e = { .what = REPLAY_INJECT };
    unsigned lost = 0;

    s.mode = REPLAY_FEED;
    begins(&s, "ddr", RCV);
    while (e.what != REPLAY_DONE) {
        if (!replay_next(s.replay, s.now, &e)) {
            s.now.us += 1000;
            ck_assert_int_lt(s.now.us, 4000000);
        }
        lost += e.what == REPLAY_DIVERGED || e.what == REPLAY_STALLED;
    }
    ck_assert_uint_eq(lost, 0);
    ck_assert_uint_eq(replay_stat(s.replay).injected, 0);
    free(s.replay);
}
END_TEST

/* Of a service that answers no datagram any more. */
static const struct {
    unsigned lacking;
    enum replay_what end;
    int64_t least_us, most_us; /* until then */
} waits[] = {
    { 1, REPLAY_DONE, 1000000, 1020000 },
    { 2, REPLAY_DONE, 1500000, 1540000 },
    { 20, REPLAY_DONE, 2000000, 4000000 },
    { 75, REPLAY_STALLED, 6000000, 6200000 },
};

START_TEST(waiting_is_bounded)
{
    static const struct replay_sizes sizes = { 16, 256, 4096 };
    struct story s = { .in_seq = RCV, .out_seq = SND, .now = { 1000000 } };
    struct replay_effect e = { .what = REPLAY_INJECT };
    int64_t waited_us;

    plog_ring_init(&s.kept, s.none, sizeof s.none, 0);
    plog_ring_init(&s.log, s.bytes, sizeof s.bytes, 0);
    for (unsigned i = 0; i < waits[_i].lacking; i++)
        for (const char *c = "urV"; *c; c++)
            logged(&s, *c);
    begin(&s, &sizes, SND);
    while (e.what != REPLAY_DONE && e.what != REPLAY_STALLED)
        if (!replay_next(s.replay, s.now, &e))
            s.now.us += 1000;
    waited_us = s.now.us - 1000000;
    ck_assert_int_eq(e.what, waits[_i].end);
    ck_assert_int_ge(waited_us, waits[_i].least_us);
    ck_assert_int_le(waited_us, waits[_i].most_us);
    free(s.replay);
}
END_TEST

int
main(void)
{
    TCase *tc = tcase_create("waits");

    tcase_add_test(tc, input_waits_for_room);
    tcase_add_test(tc, what_never_finds_room_is_left_out);
    ADD_ROWS(tc, waiting_is_bounded, waits);
    return suite_run("replay waits", tc, NULL);
}
