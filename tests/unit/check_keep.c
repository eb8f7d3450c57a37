/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check_keep.c - what a standby keeps of the log before a mark, claim by claim. */
#include "sockmig/core/flowmap.h"
#include "sockmig/core/keep.h"
#include "tests/suite.h"
#include "tests/unit/sample_packet.h"

#include <stdlib.h>
#include <string.h>

static uint8_t scratch[KEEP_SCRATCH];

/* Datagram @id in three pieces of 24 bytes: the @nth, from 0. */
static size_t
fragment(uint8_t *p, uint8_t id, unsigned nth)
{
    memset(p, 0, 44);
    p[0] = 0x45;
    p[3] = 44;
    p[5] = id;
    p[6] = nth < 2 ? 0x20 : 0;
    p[7] = (uint8_t)(3 * nth);
    p[9] = PACKET_UDP;
    p[15] = 1;
    p[19] = 2;
    p[25] = nth == 0 ? 72 : 0; /* the UDP length */
    return 44;
}

/* Input by letter; 0: it is none. */
static size_t
input(uint8_t *p, char what)
{
    const struct flow_key *flow = &sample_flow;

    switch (what) {
    case 'S':
        return sample_segment(p, flow, PACKET_IN, 99, 0, TCP_SYN, 0);
    case 'A':
        return sample_segment(p, flow, PACKET_IN, 100, 501, TCP_ACK, 0);
    case 'd':
        return sample_segment(p, flow, PACKET_IN, 100, 501, TCP_ACK, 10);
    case 'D':
        return sample_segment(p, flow, PACKET_IN, 110, 501, TCP_ACK, 10);
    case 'R':
        return sample_segment(p, flow, PACKET_IN, 110, 501, TCP_RST, 0);
    case 'Z':
        return sample_segment(p, flow, PACKET_IN, 120, 501, TCP_RST, 0);
    case 'Y':
        return sample_segment(p, flow, PACKET_IN, 130, 501, TCP_RST, 0);
    case 'f':
    case 'g':
    case 'h':
        return fragment(p, 1, (unsigned)(what - 'f'));
    case 'j':
        return fragment(p, 2, 2);
    default:
        return 0;
    }
}

/* A log for keep: steps as letters. */
static void
log_step(struct plog_ring *ring, char what, uint64_t *in, uint64_t *out)
{
    struct plog_output o = { .flow = sample_flow,
        .seq = what == 's'   ? 500
               : what == 't' ? 700
                             : 501,
        .ack = what == 's' ? 100 : 0,
        .tcp_flags = what == 's' || what == 't' ? TCP_SYN
                     : what == 'r'              ? TCP_RST
                                                : TCP_FIN };
    struct plog_record rec = { .kind = PLOG_IN, .arg = *in + 1 };
    uint8_t p[200], b[PLOG_SMALL];

    rec.payload = p;
    rec.size = (uint32_t)input(p, what);
    if (rec.size > 0) {
        ++*in;
        ck_assert(plog_ring_append_record(ring, &rec));
    } else if (strchr("stFr", what)) {
        plog_ring_append(ring, b, plog_encode_output(b, 1, ++*out, &o));
    } else if (what == 'C') {
        plog_ring_append(ring, b, plog_encode_cancel(b, 1, *in, *in, 0));
    } else { /* U: as many datagrams as there is room for, and more */
        ck_assert_int_eq(what, 'U');
        for (int i = 0; i < 300; i++)
            plog_ring_append(ring, b, plog_encode_cancel(b, 1, 0, 0, PLOG_OVERRUN));
    }
}

/* A standby's log, and what it keeps. */
struct standby {
    struct keep *k; /* owned, as .bytes */
    struct plog_ring ring;
    struct plog_mark mark;
    uint8_t *bytes;
};

static struct standby
standby(struct keep_conf conf, uint64_t room)
{
    struct standby s = { .k = keep_init(malloc(keep_size(&conf)), &conf),
        .mark = { .number = 1 },
        .bytes = malloc(room) };

    plog_ring_init(&s.ring, s.bytes, room, 0);
    return s;
}

static void
end(struct standby *s)
{
    free(s->k);
    free(s->bytes);
}

static void
trim(struct standby *s)
{
    keep_begin(s->k);
    ck_assert(keep_trim(s->k, &s->ring, &s->mark, scratch));
}

struct keep_row {
    const char *claim, *log; /* |: trimmed there, too; from here on + it is in images,
                              * they say that it is not accepted, - neither is so */
    int64_t image_rcv_nxt;   /* -1: it is not in the image */
    unsigned records, waiting, half_open;
};

static const struct keep_row keep_rows[] = {
    { "half open", "Ss", -1, 2, 1, 1 },
    { "its SYN again: the first may turn out to be cancelled", "SsSS", -1, 4, 1, 1 },
    { "as here", "S|CSs", -1, 2, 1, 1 },
    { "but that was answered", "SsASS", -1, 3, 1, 0 },
    { "not accepted, with data", "SsAd", -1, 4, 1, 0 },
    { "accepted: in the image", "SsAd", 110, 0, 0, 0 },
    { "in the image, but data after a hole", "SsAd", 100, 1, 0, 0 },
    { "accepted and closed before the mark", "SsAdF", -1, 0, 0, 0 },
    { "and its SYN comes once more", "SsAdFS", -1, 0, 0, 0 },
    { "and the log is behind", "SsAdF|S", -1, 0, 0, 0 },
    { "was in an image, and its SYN comes once more", "SsAd+|-FS", 110, 0, 0, 0 },
    { "reset by the client", "SsAdR", -1, 0, 0, 0 },
    { "but not accepted yet", "*SsAdR", -1, 5, 1, 0 },
    { "whatever comes then", "*SsAdRDr", -1, 5, 1, 0 },
    { "also the answer to an old SYN", "*SsAdRt", -1, 5, 1, 0 },
    { "until it is accepted", "*SsAdR|-", -1, 0, 0, 0 },
    { "in any image", "*SsAdR", 110, 0, 0, 0 },
    { "or somebody wrote to it before", "*SsAdFR", -1, 0, 0, 0 },
    { "it was half open", "*SsR", -1, 0, 0, 0 },
    { "and before anything else", "SsZ", -1, 0, 0, 0 },
    { "a reset before its time is kept with the rest", "SsARd", -1, 5, 1, 0 },
    { "twice, too", "SsAZZd", -1, 6, 1, 0 },
    { "after a hole, too", "SsADY", -1, 5, 1, 0 },
    { "but not at the end of what came behind the hole", "SsADZ", -1, 0, 0, 0 },
    { "but not when that is filled", "SsADdZ", -1, 0, 0, 0 },
    { "in an earlier trim, too", "SsAD|d|Z", -1, 0, 0, 0 },
    { "data that was dropped is not kept", "SsAdC", -1, 3, 1, 0 },
    { "nor where that comes after it was kept", "SsAd|C", -1, 3, 1, 0 },
    { "nor of one in the image, after a hole", "SsAd|C", 100, 0, 0, 0 },
    { "a datagram in pieces is not kept", "fgh", -1, 0, 0, 0 },
    { "but where some have not come", "fg", -1, 2, 0, 0 },
    { "whichever", "hf", -1, 2, 0, 0 },
    { "until they come", "fg|h", -1, 0, 0, 0 },
    { "in any order", "hf|g", -1, 0, 0, 0 },
    { "not those of another datagram", "fgj", -1, 3, 0, 0 },
    { "what was dropped has not come", "fghC", -1, 2, 0, 0 },
    { "whatever datagrams found no room", "SsAdUC", -1, 3, 1, 0 },
    { "of a connection nobody knows", "Ad", -1, 0, 0, 0 },
};

static unsigned
count(const struct plog_ring *ring)
{
    uint64_t at = ring->begin;
    struct plog_record rec;
    unsigned n = 0;

    while (plog_read(ring, &at, &rec, scratch) == PLOG_READ)
        n++;
    return n;
}

static void
trim_to(struct standby *s, int64_t image_rcv_nxt, bool unaccepted)
{
    keep_begin(s->k);
    if (image_rcv_nxt >= 0)
        keep_connection(s->k, &sample_flow, (uint32_t)image_rcv_nxt, FLOWMAP_NONE);
    if (unaccepted)
        keep_unaccepted(s->k, &sample_flow);
    ck_assert(keep_trim(s->k, &s->ring, &s->mark, scratch));
}

START_TEST(kept_of_what_is_before_the_mark)
{
    const struct keep_row *r = &keep_rows[_i];
    struct standby s = standby((struct keep_conf){ 8, 4, 4096 }, 1 << 14);
    int64_t image = strchr(r->log, '+') ? -1 : r->image_rcv_nxt;
    bool unaccepted = false;

    for (const char *c = r->log; *c; c++) {
        if (*c == '|')
            trim_to(&s, image, unaccepted);
        else if (!strchr("+-*", *c))
            log_step(&s.ring, *c, &s.mark.in, &s.mark.out);
        if (strchr("+-", *c))
            image = *c == '+' ? r->image_rcv_nxt : -1;
        if (strchr("*-", *c))
            unaccepted = *c == '*';
    }
    for (int again = 0; again < 2; again++) {
        trim_to(&s, image, unaccepted);
        ck_assert_msg(count(keep_records(s.k)) == r->records, "%s: %u records",
            r->claim, count(keep_records(s.k)));
        ck_assert_msg(keep_stat(s.k).waiting == r->waiting &&
                          keep_stat(s.k).half_open == r->half_open,
            "%s", r->claim);
        ck_assert_msg(s.ring.begin == s.ring.end, "%s: trimmed", r->claim);
    }
    end(&s);
}
END_TEST

/* A place that was another's meanwhile is none. */
START_TEST(a_wrong_guess_finds_the_connection)
{
    struct standby s = standby((struct keep_conf){ 8, 4, 4096 }, 4096);
    struct flow_key other = sample_flow;
    uint32_t first, second;

    other.remote_port++;
    keep_begin(s.k);
    first = keep_connection(s.k, &sample_flow, 1, FLOWMAP_NONE);
    ck_assert(keep_trim(s.k, &s.ring, &s.mark, scratch));
    keep_begin(s.k);
    ck_assert_uint_eq(keep_connection(s.k, &sample_flow, 1, first), first);
    second = keep_connection(s.k, &other, 1, first);
    ck_assert_uint_ne(second, first);
    ck_assert_uint_eq(keep_connection(s.k, &sample_flow, 1, second), first);
    ck_assert(keep_trim(s.k, &s.ring, &s.mark, scratch));
    for (int i = 0; i < 3; i++) { /* only the other is left, then the first is back */
        keep_begin(s.k);
        ck_assert_uint_eq(keep_connection(s.k, &other, 1, second), second);
        ck_assert(keep_trim(s.k, &s.ring, &s.mark, scratch));
    }
    keep_begin(s.k);
    other.remote_port++;
    ck_assert_uint_eq(keep_connection(s.k, &other, 1, first), first);
    ck_assert_uint_ne(keep_connection(s.k, &sample_flow, 1, first), first);
    end(&s);
}
END_TEST

static void
append(struct standby *s, uint64_t at_us, const uint8_t *p, size_t size)
{
    struct plog_record rec = { .kind = PLOG_IN,
        .at_us = at_us,
        .arg = ++s->mark.in,
        .payload = p,
        .size = (uint32_t)size };

    ck_assert(plog_ring_append_record(&s->ring, &rec));
}

static void
append_mark(struct standby *s, uint64_t at_us)
{
    uint8_t small[PLOG_SMALL];

    plog_ring_append(&s->ring, small, plog_encode_mark(small, at_us, &s->mark));
}

START_TEST(pieces_are_given_up_in_the_end)
{
    static const uint64_t ages_s[] = { 0, 29, 31 };
    struct standby s = standby((struct keep_conf){ 8, 4, 4096 }, 4096);
    uint8_t p[200];

    append(&s, 5000, p, fragment(p, 1, 0));
    for (int i = 0; i < 3; i++) {
        append_mark(&s, 5000 + ages_s[i] * 1000000);
        trim(&s);
        trim(&s); /* it looks at the time before */
        ck_assert_uint_eq(count(keep_records(s.k)), ages_s[i] < 30);
    }
    end(&s);
}
END_TEST

/* More datagrams than are remembered: the oldest are given up, and nothing else. */
START_TEST(pieces_make_room)
{
    struct standby s = standby((struct keep_conf){ 8, 4, 1 << 18 }, 1 << 18);
    uint8_t p[200];

    for (unsigned i = 0; i < 2000; i++) {
        size_t size = fragment(p, (uint8_t)i, 0);

        p[4] = (uint8_t)(i >> 8);
        append(&s, 5000, p, size);
    }
    trim(&s);
    ck_assert_uint_eq(count(keep_records(s.k)), 1024);
    ck_assert_uint_eq(keep_stat(s.k).lost, 0);
    end(&s);
}
END_TEST

START_TEST(deaf_since_the_last_input)
{
    struct standby s = standby((struct keep_conf){ 8, 4, 4096 }, 4096);
    uint8_t p[200];

    append(&s, 5000, p, input(p, 'd'));
    trim(&s);
    ck_assert_uint_eq(keep_stat(s.k).deaf_us, 0);
    append_mark(&s, 905000);
    trim(&s);
    ck_assert_uint_eq(keep_stat(s.k).deaf_us, 900000);
    end(&s);
}
END_TEST

START_TEST(after_the_mark_nothing_is_trimmed)
{
    struct standby s = standby((struct keep_conf){ 8, 4, 4096 }, 4096);
    uint64_t in = 0, out = 0;

    s.mark = (struct plog_mark){ 1, 2, 1 };
    for (const char *c = "SsAdF"; *c; c++)
        log_step(&s.ring, *c, &in, &out);
    trim(&s);
    ck_assert(count(keep_records(s.k)) == 3 && count(&s.ring) == 2);
    s.mark = (struct plog_mark){ 2, 3, 2 }; /* accepted and closed by the next one */
    trim(&s);
    ck_assert(count(keep_records(s.k)) == 0 && count(&s.ring) == 0);
    end(&s);
}
END_TEST

START_TEST(a_flood_keeps_to_its_room)
{
    struct standby s = standby((struct keep_conf){ 16, 4, 4096 }, 1 << 16);
    struct flow_key key = sample_flow;
    uint8_t p[100];

    for (const char *c = "SsAd"; *c; c++)
        log_step(&s.ring, *c, &s.mark.in, &s.mark.out);
    for (int i = 0; i < 500; i++) {
        key.remote_port++;
        append(&s, 0, p, sample_segment(p, &key, PACKET_IN, 5, 0, TCP_SYN, 0));
    }
    trim(&s);
    ck_assert(keep_stat(s.k).half_open == 4 && keep_stat(s.k).evicted == 496 &&
              keep_stat(s.k).lost == 0);
    ck_assert(keep_stat(s.k).waiting == 5); /* the acknowledged one is among them */
    end(&s);
}
END_TEST

int
main(void)
{
    TCase *tc = tcase_create("all");

    ADD_ROWS(tc, kept_of_what_is_before_the_mark, keep_rows);
    tcase_add_test(tc, after_the_mark_nothing_is_trimmed);
    tcase_add_test(tc, a_wrong_guess_finds_the_connection);
    tcase_add_test(tc, pieces_are_given_up_in_the_end);
    tcase_add_test(tc, pieces_make_room);
    tcase_add_test(tc, deaf_since_the_last_input);
    tcase_add_test(tc, a_flood_keeps_to_its_room);
    return suite_run("keep", tc, NULL);
}
