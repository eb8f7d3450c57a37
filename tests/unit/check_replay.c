/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check_replay.c - what replay does with a short log, claim by claim: a connection of
 * the image, a datagram service, packets that no service sees.  Whole lives of a
 * service are in tests/sim/check_sim_replay.c. */
#include "sockmig/core/image.h"
#include "tests/unit/replay_story.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

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
    { "nor what the service had no room for", "urlurlur", "", "I.", "" },
    { "of that what was read was answered", "urVurlurV", "VV", "I|I|.", "" },
    { "input waits for the output before it", "drOdr", "O", "I|IX.", "" },
    { "packets of output that overtake each other are put in order", "drOOdr", "NO",
        "I||IXX.", "" },
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
    { "an answer in fragments is waited for to its end", "urVFur", "VF", "I||I.", "" },
    { "and sent to its end where the log has none of it", "urdrO", "VFO", "II|||XXX.",
        "" },
    { "a later fragment goes in as it is", "frdr", "", "II.", "" },
    { "an ICMP error goes in as it is", "irdr", "", "II.", "" },
    { "an answer that comes before the log was looked at is the log's", "Vdr", "", "I.",
        "V" },
    { "all that lack their output are given up together", "urdrOVdr", "t", "II|DIaX.",
        "" },
    { "a client's reset is waited behind by nothing", "dRkr", "", "III.", "" },
    { "but one before its time is no reset", "dEkr", "O", "II|I.", "" },
    { "a reset that overtook what it follows is behind that", "drTOr", "W", "I|DaX.",
        "" },
    { "what the service has closed its kernel resets when more comes", "drLdr", "oT",
        "I||IX.", "" },
    { "and nothing else", "drOdr", "oT", "I||DIaX.", "" },
    { "of what has ended nothing is left when its client begins anew", "drLnrssr", "L",
        "I|IaI.", "" },
    { "if it has", "drnrsr", "", "III.", "" },
    { "what was in flight and is put out again is sent", "dr", "", "IXX.", "12" },
    { "of it, what the client acknowledges in the log is not", "kr", "", "IX.", "12" },
    { "nor anything a second time", "", "", "XX.", "1122" },
    { "its end before its beginning is neither", "", "", "XX.", "2122" },
    { "nor what was not put out", "", "", "X.", "1a" },
};

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
 * half of one; L: with the end; N: the one after the next, before it; V, v: a datagram,
 * a wrong one; F, f: the rest of one; T: a reset; t: so much time that it is given up.
 */
static void
played(struct story *s, char what)
{
    bool datagram = strchr("VvFf", what);
    char fill = strchr("Wvf", what) ? 'w' : 'o';
    uint16_t offset = what == 'F' || what == 'f' ? 100 : 0;
    size_t size = what == 'o' ? PIECE / 2 : PIECE, n;
    uint8_t p[200];

    s->now.us += what == 't' ? 100000000 : 1000;
    if (what == 't')
        return;
    if (what == 'T') {
        n = packet_rst(p, &tcp, PACKET_OUT, SND + s->made, s->in_seq);
        replay_output(s->replay, s->now, p, n);
        return;
    }
    if (what == 'O' && s->made % PIECE)
        size = 2 * PIECE - s->made % PIECE; /* the rest, and one more */
    if (what == 'N') {
        n = tcp_packet(
            p, &tcp, PACKET_OUT, SND + s->made + PIECE, s->in_seq, PIECE, 'o');
        replay_output(s->replay, s->now, p, n);
        s->early += PIECE;
        return;
    }
    n = datagram
            ? other_packet(p, 17, false, offset, fill)
            : tcp_packet(p, &tcp, PACKET_OUT, SND + s->made, s->in_seq, size, fill);
    if (what == 'L') {
        p[33] |= TCP_FIN;
        packet_complete(p, n);
    }
    s->made += datagram ? 0 : (uint32_t)size + s->early;
    s->early = 0;
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

/* The reset that its client was sent may have been lost. */
START_TEST(of_a_lost_connection_resets_leave)
{
    static const struct replay_sizes sizes = { 16, 64, 4096 };
    struct story s = {
        .in_seq = RCV, .out_seq = SND, .acked = SND, .now = { 1000000 }
    };
    char effects[64] = "", *at = effects;
    uint8_t p[200];

    plog_ring_init(&s.kept, s.none, sizeof s.none, 0);
    plog_ring_init(&s.log, s.bytes, sizeof s.bytes, 0);
    for (const char *c = "drOdr"; *c; c++)
        logged(&s, *c);
    begin(&s, &sizes, SND);
    seen(&s, &at);
    played(&s, 'W');
    seen(&s, &at);
    ck_assert_str_eq(effects, "IDIaX.");
    ck_assert(!replay_output(s.replay, s.now, p,
        tcp_packet(p, &tcp, PACKET_OUT, SND + PIECE, s.in_seq, PIECE, 'o')));
    ck_assert(replay_output(
        s.replay, s.now, p, packet_rst(p, &tcp, PACKET_OUT, SND + PIECE, s.in_seq)));
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
    const char *log, *play;
    unsigned differ;
} datagrams[] = {
    { "urVurV", "VV", 0 },
    { "urVurV", "Vv", 1 },
    { "urVv", "vV", 0 }, /* overtaken */
    { "urVv", "vv", 1 },
    { "urVF", "VF", 0 },
    { "urVF", "Vf", 1 },
    { "urVF", "Vt", 1 },
};

START_TEST(what_differs_is_counted)
{
    static const struct replay_sizes sizes = { 16, 64, 4096 };
    struct story s = { .in_seq = RCV, .out_seq = SND, .now = { 1000000 } };
    char effects[64] = "", *at = effects;

    plog_ring_init(&s.kept, s.none, sizeof s.none, 0);
    plog_ring_init(&s.log, s.bytes, sizeof s.bytes, 0);
    for (const char *c = datagrams[_i].log; *c; c++)
        logged(&s, *c);
    begin(&s, &sizes, SND);
    seen(&s, &at);
    for (const char *c = datagrams[_i].play; *c; c++) {
        played(&s, *c);
        seen(&s, &at);
    }
    ck_assert_uint_eq(replay_stat(s.replay).datagrams, datagrams[_i].differ);
    free(s.replay);
}
END_TEST

static const struct {
    const char *claim;
    uint16_t window, segment; /* in the image */
    int32_t edge;             /* of the service, from what it has; < 0: not known */
    const char *log;
    bool asked;
    uint16_t told; /* as the service's window */
} shut[] = {
    { "a client without room is asked for it", 0, 12, 400, "", true, 100 },
    { "and one without room for a segment", 11, 12, 402, "", true, 100 },
    { "but not one with it", 12, 12, 400, "", false, 0 },
    { "nor if it said later that it has it", 0, 12, 400, "kr", false, 0 },
    { "its last word counts", 2000, 1500, 400, "dr", true, 97 },
    { "the service takes nothing", 0, 12, 0, "", true, 0 },
    { "nobody knows what it takes", 0, 12, -1, "", true, 1 },
    { "more than a packet can say", 0, 12, 1 << 20, "", true, 65535 },
};

START_TEST(a_shut_window_is_asked_for)
{
    static const struct replay_sizes sizes = { 16, 64, 4096 };
    const struct replay_connection c = { .key = tcp,
        .snd_una = SND,
        .snd_nxt = SND,
        .rcv_nxt = RCV,
        .window = shut[_i].window,
        .segment = shut[_i].segment,
        .has_edge = shut[_i].edge >= 0,
        .edge = RCV + (uint32_t)shut[_i].edge,
        .rcv_wscale = 2 };
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
        ck_assert_msg(pkt.tcp.window == shut[_i].told, "%s: told %u", shut[_i].claim,
            pkt.tcp.window);
    }
    ck_assert(e.what == REPLAY_DONE);
    ck_assert_msg(asked == shut[_i].asked, "%s", shut[_i].claim);
    free(s.replay);
}
END_TEST

/* As packets have it: 11 << 7 bytes are fewer than a segment of 1448. */
static const struct {
    uint8_t wscale;
    uint32_t wnd, max_wnd, window; /* max_wnd 0: not known */
    uint16_t mss, segment, most;
} scaled[] = {
    { 7, 11 << 7, 64000, 11, 1448, 12, 500 },
    { 0, 1447, 0, 1447, 1448, 1448, 1447 },
    { 0, 100000, 100000, 65535, 1448, 1448, 65535 },
    { 14, 0, 65535, 0, 1448, 1, 3 },
    { 0, 1000, 2895, 1000, 1448, 1447, 2895 },
    { 2, 1000, 1460, 250, 1448, 183, 365 },
    { 0, 537, 537, 537, 1448, 268, 537 },
    { 0, 536, 536, 536, 1448, 536, 536 },
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
        .has_window = scaled[_i].max_wnd > 0,
        .snd_wnd = scaled[_i].wnd,
        .max_window = scaled[_i].max_wnd,
        .mss = scaled[_i].mss };
    struct replay_connection c;

    memcpy(im.local, &at, sizeof at);
    memcpy(im.remote, &at, sizeof at);
    ck_assert(replay_connection_image(&im, &c));
    ck_assert(c.snd_una == 700 && c.snd_nxt == 900 && c.rcv_nxt == 7);
    ck_assert_uint_eq(c.window, scaled[_i].window);
    ck_assert_uint_eq(c.segment, scaled[_i].segment);
    ck_assert_uint_eq(c.window_most, scaled[_i].most);
    ck_assert_uint_eq(c.snd_wscale, scaled[_i].wscale);
}
END_TEST

/* Of TCP's states, as Linux numbers them. */
static const struct {
    uint8_t state;
    uint32_t unsent;
    bool in, out;
} ended[] = {
    { 1, 0, false, false },                         /* ESTABLISHED */
    { 4, 0, false, true },                          /* FIN_WAIT1 */
    { 4, 100, false, false },                       /* its end waits behind data */
    { 5, 0, false, true },                          /* FIN_WAIT2 */
    { 8, 0, true, false },                          /* CLOSE_WAIT */
    { 9, 0, true, true },                           /* LAST_ACK */
    { 9, 100, true, false }, { 11, 0, true, true }, /* CLOSING */
};

START_TEST(an_image_says_who_has_ended)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = 1 };
    struct image_tcp im = { .state = ended[_i].state,
        .write_seq = 1000,
        .outq = 300,
        .unsent = ended[_i].unsent,
        .mss = 1448 };
    struct replay_connection c;

    memcpy(im.local, &at, sizeof at);
    memcpy(im.remote, &at, sizeof at);
    ck_assert(replay_connection_image(&im, &c));
    ck_assert_msg(c.fin_in == ended[_i].in && c.fin_out == ended[_i].out,
        "state %d, %u unsent: %d %d", ended[_i].state, ended[_i].unsent, c.fin_in,
        c.fin_out);
}
END_TEST

/* What the image had put out as its end is never put out again. */
START_TEST(who_had_ended_before_the_image_begins_anew)
{
    static const struct replay_sizes sizes = { 16, 64, 4096 };
    const struct replay_connection c = { .key = tcp,
        .snd_una = SND,
        .snd_nxt = SND,
        .rcv_nxt = RCV,
        .fin_out = true,
        .window = 1000 };
    struct story s = {
        .in_seq = RCV, .out_seq = SND, .acked = SND, .now = { 1000000 }
    };
    char effects[64] = "", *at = effects;

    plog_ring_init(&s.kept, s.none, sizeof s.none, 0);
    plog_ring_init(&s.log, s.bytes, sizeof s.bytes, 0);
    for (const char *l = "nrsr"; *l; l++)
        logged(&s, *l);
    begin_with(&s, &sizes, &c, 0);
    seen(&s, &at);
    ck_assert_str_eq(effects, "IaI.");
    free(s.replay);
}
END_TEST

int
main(void)
{
    TCase *tc = tcase_create("replay");

    ADD_ROWS(tc, a_short_log, rows);
    ADD_ROWS(tc, what_differs_is_counted, datagrams);
    tcase_add_test(tc, of_a_lost_connection_resets_leave);
    ADD_ROWS(tc, a_nudge_for_each_doubling, nudged);
    ADD_ROWS(tc, a_shut_window_is_asked_for, shut);
    ADD_ROWS(tc, an_image_says_how_much_room_there_is, scaled);
    tcase_add_loop_test(
        tc, an_image_says_who_has_ended, 0, sizeof ended / sizeof ended[0]);
    tcase_add_test(tc, who_had_ended_before_the_image_begins_anew);
    return suite_run("replay", tc, NULL);
}
