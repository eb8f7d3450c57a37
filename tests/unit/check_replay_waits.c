/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check_replay_waits.c - what a replay waits for, and how long. */
#include "tests/unit/replay_story.h"
#include "tests/unit/sample_packet.h"

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

START_TEST(an_end_waits_for_room)
{
    struct story s = { .in_seq = RCV, .out_seq = SND, .now = { 1000000 } };
    struct replay_effect e;

    begins(&s, "dnr", RCV + PIECE);
    goes_in(&s, RCV, PIECE);
    ck_assert(!replay_next(s.replay, s.now, &e));
    told(&s, RCV + PIECE, 1);
    goes_in(&s, RCV + PIECE, 0);
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

/* ---- output waits for room at the client ---- */

struct room {
    uint32_t flight;
    uint16_t window, segment, most;
    uint8_t wscale;
};

static void
has_room(struct story *s, const char *log, const struct room *room)
{
    static const struct replay_sizes sizes = { 16, 64, 4096 };
    const struct replay_connection c = { .key = tcp,
        .snd_una = SND - room->flight,
        .snd_nxt = SND,
        .rcv_nxt = RCV,
        .window = room->window,
        .segment = room->segment,
        .window_most = room->most,
        .snd_wscale = room->wscale };

    plog_ring_init(&s->kept, s->none, sizeof s->none, 0);
    plog_ring_init(&s->log, s->bytes, sizeof s->bytes, 0);
    for (; *log; log++)
        logged(s, *log);
    begin_with(s, &sizes, &c, 0);
}

/* The window, and *ack, that the service is told within @us, made up; -1: nothing. */
static int
told_of(struct story *s, int64_t us, uint32_t *ack)
{
    struct replay_effect e;
    struct packet pkt;

    for (int64_t end = s->now.us + us; s->now.us <= end; s->now.us += 100)
        while (replay_next(s->replay, s->now, &e)) {
            ck_assert_int_eq(e.what, REPLAY_INJECT);
            if (e.ordinal != 0)
                continue;
            ck_assert(packet_parse(&pkt, PACKET_IN, e.packet, e.size));
            *ack = pkt.tcp.ack;
            return pkt.tcp.window;
        }
    return -1;
}

static void
puts_out(struct story *s, uint32_t at)
{
    uint8_t p[200];

    replay_output(s->replay, s->now, p,
        tcp_packet(p, &tcp, PACKET_OUT, SND + at, RCV, PIECE, 'o'));
}

static const struct {
    const char *claim;
    struct room room;
    int told;
} squeezed[] = {
    { "less than a segment, and a timer has put out that", { 0, 4, 12, 99, 0 }, 12 },
    { "no room, a timer has asked for it with some", { 0, 0, 12, 99, 0 }, 12 },
    { "room for one: its TCP needs no word", { 0, 12, 12, 99, 0 }, -1 },
    { "what is in flight takes its part", { 6, 12, 12, 99, 0 }, 18 },
    { "and leaves enough", { 6, 18, 12, 99, 0 }, -1 },
    { "as packets have it", { 3, 1, 2, 99, 3 }, 3 },
    { "no more than the client ever had", { 6, 12, 12, 15, 0 }, 15 },
    { "which is all there is", { 6, 12, 12, 12, 0 }, -1 },
};

START_TEST(a_clone_is_told_of_room_for_a_segment)
{
    struct story s = { .in_seq = RCV, .out_seq = SND, .now = { 1000000 } };
    uint32_t ack = 0;

    has_room(&s, "Odr", &squeezed[_i].room);
    ck_assert_msg(told_of(&s, 300, &ack) == -1, "its TCP had no time");
    ck_assert_int_eq(told_of(&s, 10000, &ack), squeezed[_i].told);
    if (squeezed[_i].told >= 0) {
        ck_assert_msg(ack == SND - squeezed[_i].room.flight, "nothing is acknowledged");
        ck_assert_msg(told_of(&s, 10000, &ack) == -1, "once");
    }
    free(s.replay);
}
END_TEST

/* To a TCP that was told of more already an older acknowledgement says nothing: neither
 * does its window. */
START_TEST(an_old_acknowledgement_opens_no_window)
{
    struct story s = {
        .in_seq = RCV, .out_seq = SND, .acked = SND - 2 * PIECE, .now = { 1000000 }
    };
    const struct room none = { 2 * PIECE, 0, 1, 1000, 0 };
    uint32_t ack = 0;

    has_room(&s, "OkrOkr", &none);
    ck_assert_int_eq(told_of(&s, 600, &ack), 0);
    ck_assert_uint_eq(ack, SND);
    puts_out(&s, 0);
    ck_assert_int_eq(told_of(&s, 2000, &ack), 1000);
    ck_assert_uint_eq(ack, SND);
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
    tcase_add_test(tc, an_end_waits_for_room);
    tcase_add_test(tc, what_never_finds_room_is_left_out);
    ADD_ROWS(tc, waiting_is_bounded, waits);
    ADD_ROWS(tc, a_clone_is_told_of_room_for_a_segment, squeezed);
    tcase_add_test(tc, an_old_acknowledgement_opens_no_window);
    return suite_run("replay waits", tc, NULL);
}
