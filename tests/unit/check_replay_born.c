/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check_replay_born.c - connections that no image has are made again from the log. */
#include "sockmig/core/bigendian.h"
#include "tests/unit/replay_story.h"
#include "tests/unit/sample_packet.h"

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

/* A segment without data that has time stamps; it came @at_us. */
static void
stamped(struct plog_ring *ring, uint64_t ordinal, uint64_t at_us, uint32_t seq,
    uint8_t flags, uint32_t tsecr)
{
    static const uint8_t option[] = { 1, 1, 8, 10 };
    uint8_t p[200];
    struct plog_record rec = {
        .kind = PLOG_IN, .arg = ordinal, .at_us = at_us, .payload = p
    };

    rec.size = (uint32_t)sample_segment(
        p, &sample_flow, PACKET_IN, seq, flags & TCP_ACK ? SND : 0, flags, 12);
    p[32] = 8 << 4; /* what was data belongs to its header */
    memcpy(p + 40, option, sizeof option);
    put_be32(p + 44, 77);
    put_be32(p + 48, tsecr);
    ck_assert(packet_complete(p, rec.size) && plog_ring_append_record(ring, &rec));
}

static uint32_t
injected_echo(struct story *s)
{
    struct replay_effect e;
    struct packet pkt;

    ck_assert(replay_next(s->replay, s->now, &e) && e.what == REPLAY_INJECT);
    ck_assert(packet_parse(&pkt, PACKET_IN, e.packet, e.size));
    ck_assert(pkt.tcp.timestamps && packet_sound(e.packet, e.size));
    return pkt.tcp.tsecr;
}

/* The acknowledgement that makes a connection again tells how far away its client is,
 * and not how long ago that was. */
START_TEST(its_round_trip_is_what_it_was)
{
    struct newborn n;
    struct story *s = &n.s;
    struct plog_output o = { .flow = sample_flow,
        .seq = SND - 1,
        .ack = RCV,
        .tcp_flags = TCP_SYN,
        .options = PLOG_TIMESTAMPS,
        .tsval = 5000 };
    uint8_t small[PLOG_SMALL];
    struct replay_effect e;
    uint32_t clock;

    newborn_init(&n, 3, SND - 1);
    plog_ring_init(&s->kept, n.bytes, sizeof n.bytes, 0);
    stamped(&s->kept, 1, 1000, RCV - 1, TCP_SYN, 0);
    plog_ring_append(&s->kept, small, plog_encode_output(small, 2000, 1, &o));
    stamped(&s->kept, 2, 32000, RCV, TCP_ACK, 5000);
    stamped(&s->kept, 3, 900000, RCV, TCP_ACK, 5000);
    newborn_start(&n);
    ck_assert(replay_next(s->replay, s->now, &e) && e.what == REPLAY_REBUILD);
    ck_assert(e.request.timestamps);
    clock = e.request.rcv_tsecr;
    ck_assert_uint_ge(clock, 5000 + 898);
    ck_assert_uint_eq(injected_echo(s), clock - 30);
    ck_assert_msg(injected_echo(s) == 5000, "nothing else is touched");
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
    TCase *tc = tcase_create("born");

    tcase_add_test(tc, what_comes_of_kept_input_is_waited_for);
    tcase_add_test(tc, its_round_trip_is_what_it_was);
    tcase_add_test(tc, an_old_acknowledgement_makes_no_connection);
    ADD_ROWS(tc, a_syn_may_be_an_old_one, syns);
    tcase_add_test(tc, its_own_syn_ends_nothing);
    return suite_run("replay, born", tc, NULL);
}
