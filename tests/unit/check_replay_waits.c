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

static void
kept(struct plog_ring *ring, uint64_t ordinal, uint32_t seq, uint8_t flags,
    uint32_t size)
{
    uint8_t p[200];
    struct plog_record rec = { .kind = PLOG_IN, .arg = ordinal, .payload = p };

    rec.size = (uint32_t)sample_segment(
        p, &sample_flow, PACKET_IN, seq, flags & TCP_ACK ? SND : 0, flags, size);
    ck_assert(plog_ring_append_record(ring, &rec));
}

static void
kept_output(struct plog_ring *ring, uint64_t ordinal, uint32_t seq, uint8_t flags)
{
    uint8_t small[PLOG_SMALL], bytes[PIECE];
    struct plog_output o = { .flow = sample_flow,
        .seq = seq,
        .ack = RCV,
        .tcp_flags = flags,
        .size = flags & TCP_SYN ? 0 : PIECE };

    memset(bytes, 'o', sizeof bytes);
    o.hash = digest_of(SEED, bytes, o.size);
    plog_ring_append(ring, small, plog_encode_output(small, 1, ordinal, &o));
}

/* A connection that no image has: kept are its SYN and the answer to it, @isn. */
struct newborn {
    struct story s;
    struct replay_conf conf;
    uint8_t bytes[4096];
};

static void
newborn_init(struct newborn *n, uint64_t mark_in, uint32_t isn)
{
    memset(n, 0, sizeof *n);
    n->s.now.us = 1000000;
    n->conf = (struct replay_conf){ .kept = &n->s.kept,
        .log = &n->s.log,
        .mark = { 1, mark_in, 1 },
        .seed = SEED,
        .stall_us = 1000000 };
    plog_ring_init(&n->s.kept, n->bytes, sizeof n->bytes, 0);
    plog_ring_init(&n->s.log, n->s.bytes, sizeof n->s.bytes, 0);
    kept(&n->s.kept, 1, RCV - 1, TCP_SYN, 0);
    kept_output(&n->s.kept, 1, isn, TCP_SYN);
}

static void
newborn_start(struct newborn *n)
{
    static const struct replay_sizes sizes = { 16, 64, 4096 };
    const char *why;

    n->s.replay = replay_init(malloc(replay_size(&sizes)), &sizes);
    ck_assert(replay_start(n->s.replay, &n->conf, n->s.now, &why));
}

/* A connection that was not accepted at the mark; the first thing after it is what the
 * service answered then. */
START_TEST(what_comes_of_kept_input_is_waited_for)
{
    struct newborn n;
    struct story *s = &n.s;
    struct replay_effect e;
    uint8_t p[200];

    newborn_init(&n, 2, SND - 1);
    kept(&s->kept, 2, RCV, TCP_ACK, PIECE);
    kept_output(&s->log, 2, SND, 0);
    newborn_start(&n);
    ck_assert(replay_next(s->replay, s->now, &e) && e.what == REPLAY_REBUILD);
    ck_assert(replay_next(s->replay, s->now, &e) && e.what == REPLAY_INJECT);
    ck_assert(!replay_next(s->replay, s->now, &e));
    replay_output(s->replay, s->now, p,
        tcp_packet(p, &sample_flow, PACKET_OUT, SND, RCV + PIECE, PIECE, 'o'));
    while (replay_next(s->replay, s->now, &e) && e.what == REPLAY_SEND)
        continue;
    ck_assert_int_eq(e.what, REPLAY_DONE);
    ck_assert_uint_eq(replay_stat(s->replay).compared, PIECE);
    free(s->replay);
}
END_TEST

/* Of an old SYN the service knows nothing any more, and resets whoever acknowledges
 * its first answer to it: no connection comes of that. */
START_TEST(an_old_acknowledgement_makes_no_connection)
{
    struct newborn n;
    struct story *s = &n.s;
    uint8_t small[PLOG_SMALL];
    struct plog_output reset = {
        .flow = sample_flow, .seq = SND, .tcp_flags = TCP_RST
    };
    struct replay_effect e;

    newborn_init(&n, 1, SND - 701);
    kept(&s->log, 2, RCV, TCP_ACK, 0);
    plog_ring_append(&s->log, small, plog_encode_output(small, 1, 2, &reset));
    plog_ring_append(&s->log, small, plog_encode_release(small, 1, 2));
    newborn_start(&n);
    ck_assert(replay_next(s->replay, s->now, &e));
    ck_assert_int_eq(e.what, REPLAY_HALF_OPEN);
    free(s->replay);
}
END_TEST

/* Both have ended it, and the client lacks something yet. */
static const struct {
    const char *claim;
    uint32_t seq;
    bool answered, ends;
} syns[] = {
    { "its own, which the network has repeated", RCV - 2, false, false },
    { "a later one: it begins anew", RCV + 5000, false, true },
    { "one that was answered", RCV - 5000, true, true },
};

START_TEST(a_syn_may_be_an_old_one)
{
    static const struct replay_sizes sizes = { 16, 64, 4096 };
    const struct replay_connection c = { .key = sample_flow,
        .snd_una = SND - 5,
        .snd_nxt = SND,
        .rcv_nxt = RCV,
        .fin_in = true,
        .fin_out = true,
        .window = 1000 };
    struct story s = { .now = { 1000000 } };
    uint8_t small[PLOG_SMALL];
    struct replay_effect e = { 0 };
    bool ended = false;

    plog_ring_init(&s.kept, s.none, sizeof s.none, 0);
    plog_ring_init(&s.log, s.bytes, sizeof s.bytes, 0);
    kept(&s.log, 1, syns[_i].seq, TCP_SYN, 0);
    plog_ring_append(&s.log, small, plog_encode_release(small, 1, 1));
    if (syns[_i].answered)
        kept_output(&s.log, 1, 7000, TCP_SYN);
    begin_with(&s, &sizes, &c, 0);
    while (e.what != REPLAY_DONE && replay_next(s.replay, s.now, &e)) {
        struct packet pkt;

        ended |= e.what == REPLAY_INJECT &&
                 packet_parse(&pkt, PACKET_IN, e.packet, e.size) &&
                 pkt.tcp.flags & TCP_RST;
    }
    ck_assert_msg(ended == syns[_i].ends, "%s", syns[_i].claim);
    free(s.replay);
}
END_TEST

/* Of one that was made again its own is known, whatever was answered later. */
START_TEST(its_own_syn_ends_nothing)
{
    struct newborn n;
    struct story *s = &n.s;
    uint8_t small[PLOG_SMALL], p[200];
    struct replay_effect e = { 0 };
    size_t size = tcp_packet(p, &sample_flow, PACKET_OUT, SND, RCV + 1, PIECE, 'o');

    newborn_init(&n, 2, SND - 1);
    kept(&s->kept, 2, RCV, TCP_ACK, 0);
    kept(&s->log, 3, RCV, TCP_ACK | TCP_FIN, 0);
    plog_ring_append(&s->log, small, plog_encode_release(small, 1, 3));
    kept_output(&s->log, 2, SND, TCP_FIN);
    kept(&s->log, 4, RCV - 1, TCP_SYN, 0);
    plog_ring_append(&s->log, small, plog_encode_release(small, 1, 4));
    kept_output(&s->log, 3, 7000, TCP_SYN);
    newborn_start(&n);
    ck_assert(replay_next(s->replay, s->now, &e) && e.what == REPLAY_REBUILD);
    for (int i = 0; i < 2; i++)
        ck_assert(replay_next(s->replay, s->now, &e) && e.what == REPLAY_INJECT);
    ck_assert(!replay_next(s->replay, s->now, &e));
    p[33] |= TCP_FIN;
    replay_output(s->replay, s->now, p, size);
    while (e.what != REPLAY_DONE) {
        ck_assert(replay_next(s->replay, s->now, &e));
        ck_assert_msg(e.what != REPLAY_INJECT, "it is ended");
    }
    free(s->replay);
}
END_TEST

int
main(void)
{
    TCase *tc = tcase_create("waits");

    tcase_add_test(tc, input_waits_for_room);
    tcase_add_test(tc, an_end_waits_for_room);
    tcase_add_test(tc, what_never_finds_room_is_left_out);
    tcase_add_test(tc, what_comes_of_kept_input_is_waited_for);
    tcase_add_test(tc, an_old_acknowledgement_makes_no_connection);
    ADD_ROWS(tc, waiting_is_bounded, waits);
    ADD_ROWS(tc, a_syn_may_be_an_old_one, syns);
    tcase_add_test(tc, its_own_syn_ends_nothing);
    ADD_ROWS(tc, a_clone_is_told_of_room_for_a_segment, squeezed);
    tcase_add_test(tc, an_old_acknowledgement_opens_no_window);
    return suite_run("replay waits", tc, NULL);
}
