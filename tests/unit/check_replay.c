/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check_replay.c - what replay does with a short log, claim by claim: a connection of
 * the image, a datagram service, packets that no service sees.  Whole lives of a
 * service are in tests/sim/check_sim_replay.c. */
#include "sockmig/core/digest.h"
#include "sockmig/core/image.h"
#include "sockmig/core/replay.h"
#include "tests/suite.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define SEED 7u
#define PIECE 10u /* bytes in every packet */
#define SND 500u  /* the image's sequence numbers */
#define RCV 100u

static const struct flow_key tcp = { .version = 4,
    .protocol = PACKET_TCP,
    .local_port = 80,
    .remote_port = 4000,
    .local = { 10, 0, 0, 1 },
    .remote = { 10, 0, 0, 2 } };
static const struct flow_key udp = { .version = 4,
    .protocol = 17,
    .local_port = 53,
    .remote_port = 4000,
    .local = { 10, 0, 0, 1 },
    .remote = { 10, 0, 0, 2 } };

struct row {
    const char *claim;
    const char *log;     /* see logged() */
    const char *play;    /* see played() */
    const char *effects; /* see seen(); those after each letter of play behind a '|' */
    const char *flight;  /* see flown(); "": the image has nothing in flight */
};

static const struct row rows[] = {
    { "input goes in, in order", "drdr", "", "II.", "" },
    { "what was not released goes in at the end", "dd", "", "II.", "" },
    { "what was cancelled does not", "dcdr", "", "I.", "" },
    { "input waits for the output before it", "drOdr", "O", "I|IX.", "" },
    { "output that waits in no record: its acknowledgement waits too", "kr", "O", "|I.",
        "" },
    { "an acknowledgement of half of it waits", "kkr", "oO", "||II.", "" },
    { "other bytes: the connection is reset, the rest goes on", "drOdrur", "W",
        "I|DIIaX.", "" },
    { "what comes after the end is compared no more", "dr", "O", "I.|", "" },
    { "without the output the service stalls and is given up", "drOdr", "t", "I|DIaX.",
        "" },
    { "an unknown connection's packets are skipped", "xrdr", "", "I.", "" },
    { "datagrams are fed and their answers compared", "urVur", "V", "I|I.", "" },
    { "another answer to a datagram resets nothing", "urVur", "v", "I|I.", "" },
    { "a later fragment goes in as it is", "frdr", "", "II.", "" },
    { "an ICMP error goes in as it is", "irdr", "", "II.", "" },
    { "an answer that comes before the log was looked at is the log's", "Vdr", "", "I.",
        "V" },
    { "all that lack their output are given up together", "urdrOVdr", "t", "II|DIaX.",
        "" },
    { "what was in flight and is put out again is sent", "dr", "", "IXX.", "12" },
    { "of it, what the client acknowledges in the log is not", "kr", "", "IX.", "12" },
    { "nor anything a second time", "", "", "XX.", "1122" },
    { "its end before its beginning is neither", "", "", "XX.", "2122" },
    { "nor what was not put out", "", "", "X.", "1a" },
};

struct story {
    struct plog_ring kept, log;
    uint8_t bytes[1 << 14], none[64];
    uint64_t in, out;
    uint32_t in_seq, out_seq, acked, made;
    struct mono now;
    struct replay *replay;
};

static size_t
tcp_packet(uint8_t *p, const struct flow_key *key, enum packet_way way, uint32_t seq,
    uint32_t ack, size_t size, char fill)
{
    size_t n = packet_ack(p, key, way, seq, ack, 1000);

    memset(p + n, fill, size);
    n += size;
    p[3] = (uint8_t)n;
    packet_complete(p, n);
    return n;
}

/* IPv4 and eight bytes of @protocol, then @size of payload. */
static size_t
other_packet(uint8_t *p, uint8_t protocol, bool to_service, uint16_t offset, char fill)
{
    size_t n = 28 + PIECE;

    memset(p, 0, n);
    p[0] = 0x45;
    p[3] = (uint8_t)n;
    p[6] = (uint8_t)(offset >> 8);
    p[7] = (uint8_t)offset;
    p[8] = 64;
    p[9] = protocol;
    memcpy(p + 12, to_service ? udp.remote : udp.local, 4);
    memcpy(p + 16, to_service ? udp.local : udp.remote, 4);
    p[20] = (uint8_t)((to_service ? udp.remote_port : udp.local_port) >> 8);
    p[21] = (uint8_t)(to_service ? udp.remote_port : udp.local_port);
    p[22] = (uint8_t)((to_service ? udp.local_port : udp.remote_port) >> 8);
    p[23] = (uint8_t)(to_service ? udp.local_port : udp.remote_port);
    p[25] = 8 + PIECE;
    memset(p + 28, fill, PIECE);
    packet_complete(p, n);
    return n;
}

static size_t
input(struct story *s, char what, uint8_t *p)
{
    struct flow_key unknown = tcp;
    size_t n;

    switch (what) {
    case 'd': /* data */
        n = tcp_packet(p, &tcp, PACKET_IN, s->in_seq, s->acked, PIECE, 'i');
        s->in_seq += PIECE;
        return n;
    case 'k': /* an acknowledgement of one more piece of output */
        s->acked += PIECE;
        return tcp_packet(p, &tcp, PACKET_IN, s->in_seq, s->acked, 0, 0);
    case 'x':
        unknown.remote_port++;
        return tcp_packet(p, &unknown, PACKET_IN, 1, 1, PIECE, 'i');
    case 'u':
        return other_packet(p, 17, true, 0, 'i');
    case 'f':
        return other_packet(p, 17, true, 100, 'i');
    case 'i':
        return other_packet(p, 1, true, 0, 0);
    default:
        abort();
    }
}

/* A letter of the log: input as above; r its release, c its cancelling; O or V: output
 * of the connection or of the datagrams. */
static void
logged(struct story *s, char what)
{
    struct plog_output o = { .flow = what == 'O' ? tcp : udp, .size = PIECE };
    struct plog_record rec = { .kind = PLOG_IN, .protocol = 0x0800 };
    uint8_t p[200], bytes[PIECE], small[PLOG_SMALL];

    if (what == 'r') {
        plog_ring_append(&s->log, small, plog_encode_release(small, 1, s->in));
    } else if (what == 'c') {
        plog_ring_append(&s->log, small, plog_encode_cancel(small, 1, s->in, s->in));
        s->in_seq -= PIECE;
    } else if (what == 'O' || what == 'V') {
        memset(bytes, 'o', sizeof bytes);
        o.hash = digest_of(SEED, bytes, sizeof bytes);
        o.seq = what == 'O' ? s->out_seq : 0;
        s->out_seq += what == 'O' ? PIECE : 0;
        plog_ring_append(&s->log, small, plog_encode_output(small, 1, ++s->out, &o));
    } else {
        rec.payload = p;
        rec.size = (uint32_t)input(s, what, p);
        rec.arg = ++s->in;
        ck_assert(plog_ring_append_record(&s->log, &rec));
    }
}

/* The two pieces that the image has in flight, as they are put out while the clone
 * wakes; a: an acknowledgement without data; V: a datagram. */
static void
flown(struct story *s, char what)
{
    uint32_t seq = SND - (what == '1' ? 2 * PIECE : what == '2' ? PIECE : 0);
    uint8_t p[200];
    size_t n = what == 'V' ? other_packet(p, 17, false, 0, 'o')
                           : tcp_packet(p, &tcp, PACKET_OUT, seq, RCV,
                                 what == 'a' ? 0 : PIECE, 'o');

    replay_output(s->replay, s->now, p, n);
}

/* A letter of play: O, W, o: the connection's next piece, the right one, a wrong one,
 * half of one; V, v: a datagram, a wrong one; t: so much time that it is given up. */
static void
played(struct story *s, char what)
{
    bool datagram = what == 'V' || what == 'v';
    char fill = what == 'W' || what == 'v' ? 'w' : 'o';
    size_t size = what == 'o' ? PIECE / 2 : PIECE, n;
    uint8_t p[200];

    s->now.us += what == 't' ? 100000000 : 1000;
    if (what == 't')
        return;
    if (what == 'O' && s->made % PIECE)
        size = 2 * PIECE - s->made % PIECE; /* the rest, and one more */
    n = datagram
            ? other_packet(p, 17, false, 0, fill)
            : tcp_packet(p, &tcp, PACKET_OUT, SND + s->made, s->in_seq, size, fill);
    s->made += datagram ? 0 : (uint32_t)size;
    replay_output(s->replay, s->now, p, n);
}

/* One letter an effect; a: input that is not in the log, an acknowledgement. */
static void
seen(struct story *s, char **at)
{
    static const char letters[] = { [REPLAY_INJECT] = 'I',
        [REPLAY_REBUILD] = 'B',
        [REPLAY_HALF_OPEN] = 'H',
        [REPLAY_SEND] = 'X',
        [REPLAY_DIVERGED] = 'D',
        [REPLAY_STALLED] = '!',
        [REPLAY_DONE] = '.' };
    struct replay_effect e;

    while (replay_next(s->replay, s->now, &e)) {
        if (e.what == REPLAY_SEND && e.packet[9] == 1)
            continue; /* a nudge: each client gets some */
        ck_assert_uint_lt((unsigned)e.what, sizeof letters);
        *(*at)++ = e.what == REPLAY_INJECT && !e.ordinal ? 'a' : letters[e.what];
    }
}

static void
begin_after(
    struct story *s, const struct replay_sizes *sizes, uint32_t una, int64_t outage_us)
{
    const struct replay_connection c = {
        .key = tcp, .snd_una = una, .snd_nxt = SND, .rcv_nxt = RCV, .window = 1000
    };
    const struct replay_conf conf = { .mode = REPLAY_COMPARE,
        .kept = &s->kept,
        .log = &s->log,
        .seed = SEED,
        .outage_us = outage_us,
        .stall_us = 1000000,
        .lost_max = 4 };
    const char *why = "";

    s->replay = replay_init(malloc(replay_size(sizes)), sizes);
    ck_assert(replay_connection(s->replay, &c));
    ck_assert_msg(replay_start(s->replay, &conf, s->now, &why), "%s", why);
}

static void
begin(struct story *s, const struct replay_sizes *sizes, uint32_t una)
{
    begin_after(s, sizes, una, 1000000);
}

START_TEST(a_short_log)
{
    static const struct replay_sizes sizes = { 16, 64, 4096 };
    const struct row *r = &rows[_i];
    uint32_t una = *r->flight ? SND - 2 * PIECE : SND;
    struct story s = {
        .in_seq = RCV, .out_seq = SND, .acked = una, .now = { 1000000 }
    };
    char effects[64] = "", *at = effects;

    plog_ring_init(&s.kept, s.none, sizeof s.none, 0);
    plog_ring_init(&s.log, s.bytes, sizeof s.bytes, 0);
    for (const char *c = r->log; *c; c++)
        logged(&s, *c);
    begin(&s, &sizes, una);
    for (const char *c = r->flight; *c; c++)
        flown(&s, *c);
    seen(&s, &at);
    for (const char *c = r->play; *c; c++) {
        *at++ = '|';
        played(&s, *c);
        seen(&s, &at);
    }
    ck_assert_msg(!strcmp(effects, r->effects), "%s: %s instead of %s", r->claim,
        effects, r->effects);
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

/* A client's timer takes 100 ms at first (Linux: 200), and doubles. */
static const struct {
    int64_t outage_us;
    unsigned nudges;
} nudged[] = {
    { 0, 0 },
    { 30000, 0 },
    { 99999, 0 },
    { 100000, 1 },
    { 299999, 1 },
    { 300000, 2 },
    { 700000, 3 },
    { 1500000, 4 },
    { 3100000, 5 },
    { 600000000, 5 },
};

START_TEST(a_nudge_for_each_doubling)
{
    static const struct replay_sizes sizes = { 16, 64, 4096 };
    struct story s = { .now = { 1000000 } };
    struct replay_effect e = { 0 };
    unsigned nudges = 0;

    plog_ring_init(&s.kept, s.none, sizeof s.none, 0);
    plog_ring_init(&s.log, s.bytes, sizeof s.bytes, 0);
    begin_after(&s, &sizes, SND, nudged[_i].outage_us);
    while (e.what != REPLAY_DONE && replay_next(s.replay, s.now, &e))
        nudges += e.what == REPLAY_SEND;
    ck_assert(e.what == REPLAY_DONE);
    ck_assert_uint_eq(nudges, nudged[_i].nudges);
    free(s.replay);
}
END_TEST

static const struct {
    const char *claim;
    uint16_t window, segment; /* in the image */
    const char *log;
    bool asked;
} shut[] = {
    { "a client without room is asked for it", 0, 12, "", true },
    { "and one without room for a segment", 11, 12, "", true },
    { "but not one with it", 12, 12, "", false },
    { "nor if it said later that it has it", 0, 12, "kr", false },
    { "its last word counts", 2000, 1500, "dr", true },
};

START_TEST(a_shut_window_is_asked_for)
{
    static const struct replay_sizes sizes = { 16, 64, 4096 };
    const struct replay_connection c = { .key = tcp,
        .snd_una = SND,
        .snd_nxt = SND,
        .rcv_nxt = RCV,
        .window = shut[_i].window,
        .segment = shut[_i].segment };
    struct story s = {
        .in_seq = RCV, .out_seq = SND, .acked = SND - PIECE, .now = { 1000000 }
    };
    struct replay_effect e = { 0 };
    bool asked = false;

    plog_ring_init(&s.kept, s.none, sizeof s.none, 0);
    plog_ring_init(&s.log, s.bytes, sizeof s.bytes, 0);
    for (const char *at = shut[_i].log; *at; at++)
        logged(&s, *at);
    begin_after(&s, &sizes, SND, 0);
    ck_assert(replay_connection(s.replay, &c));
    while (e.what != REPLAY_DONE && replay_next(s.replay, s.now, &e)) {
        struct packet pkt;

        if (e.what != REPLAY_SEND)
            continue;
        ck_assert_msg(!asked, "once");
        asked = true;
        ck_assert(packet_parse(&pkt, PACKET_OUT, e.packet, e.size));
        ck_assert(memcmp(&pkt.key, &tcp, sizeof tcp) == 0 && pkt.payload_size == 0);
        ck_assert_msg(pkt.tcp.seq == SND - 1, "a number that the client has already");
        ck_assert_uint_eq(pkt.tcp.flags, TCP_ACK);
    }
    ck_assert(e.what == REPLAY_DONE);
    ck_assert_msg(asked == shut[_i].asked, "%s", shut[_i].claim);
    free(s.replay);
}
END_TEST

/* As packets have it: 11 << 7 bytes are fewer than a segment of 1448. */
static const struct {
    uint8_t wscale;
    uint32_t wnd, window;
    uint16_t mss, segment;
} scaled[] = {
    { 7, 11 << 7, 11, 1448, 12 },
    { 0, 1447, 1447, 1448, 1448 },
    { 0, 100000, 65535, 1448, 1448 },
    { 14, 0, 0, 1448, 1 },
};

START_TEST(an_image_says_how_much_room_there_is)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = 1 };
    struct image_tcp im = { .state = 1,
        .write_seq = 1000,
        .outq = 300,
        .unsent = 100,
        .rcv_nxt = 7,
        .snd_wscale = scaled[_i].wscale,
        .snd_wnd = scaled[_i].wnd,
        .mss = scaled[_i].mss };
    struct replay_connection c;

    memcpy(im.local, &at, sizeof at);
    memcpy(im.remote, &at, sizeof at);
    ck_assert(replay_connection_image(&im, &c));
    ck_assert(c.snd_una == 700 && c.snd_nxt == 900 && c.rcv_nxt == 7);
    ck_assert_uint_eq(c.window, scaled[_i].window);
    ck_assert_uint_eq(c.segment, scaled[_i].segment);
}
END_TEST

int
main(void)
{
    TCase *tc = tcase_create("replay");

    ADD_ROWS(tc, a_short_log, rows);
    ADD_ROWS(tc, waiting_is_bounded, waits);
    ADD_ROWS(tc, a_nudge_for_each_doubling, nudged);
    ADD_ROWS(tc, a_shut_window_is_asked_for, shut);
    ADD_ROWS(tc, an_image_says_how_much_room_there_is, scaled);
    return suite_run("replay", tc, NULL);
}
