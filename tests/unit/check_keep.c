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

/* A log for keep: steps as letters. */
static void
log_step(struct plog_ring *ring, char what, uint64_t *in, uint64_t *out)
{
    struct plog_output o = { .flow = sample_flow, .seq = 500 };
    struct plog_record rec = { .kind = PLOG_IN };
    uint8_t p[200], b[PLOG_SMALL];

    rec.payload = p;
    rec.arg = *in + 1;
    switch (what) {
    case 'S':
        rec.size = (uint32_t)sample_segment(
            p, &sample_flow, PACKET_IN, 99, 0, TCP_SYN, 0);
        break;
    case 'A':
        rec.size = (uint32_t)sample_segment(
            p, &sample_flow, PACKET_IN, 100, 501, TCP_ACK, 0);
        break;
    case 'd':
        rec.size = (uint32_t)sample_segment(
            p, &sample_flow, PACKET_IN, 100, 501, TCP_ACK, 10);
        break;
    case 'D':
        rec.size = (uint32_t)sample_segment(
            p, &sample_flow, PACKET_IN, 110, 501, TCP_ACK, 10);
        break;
    case 'R':
    case 'Z':
        rec.size = (uint32_t)sample_segment(
            p, &sample_flow, PACKET_IN, what == 'R' ? 110 : 120, 501, TCP_RST, 0);
        break;
    case 's':
        o.tcp_flags = TCP_SYN;
        o.ack = 100;
        plog_ring_append(ring, b, plog_encode_output(b, 1, ++*out, &o));
        return;
    case 'F':
        o.seq = 501;
        o.tcp_flags = TCP_FIN;
        plog_ring_append(ring, b, plog_encode_output(b, 1, ++*out, &o));
        return;
    case 'C':
        plog_ring_append(ring, b, plog_encode_cancel(b, 1, *in, *in, 0));
        return;
    case 'f':
    case 'g':
    case 'h':
        rec.size = (uint32_t)fragment(p, 1, (unsigned)(what - 'f'));
        break;
    case 'j':
        rec.size = (uint32_t)fragment(p, 2, 2);
        break;
    case 'U': /* as many datagrams as there is room for, and more */
        for (int i = 0; i < 300; i++)
            plog_ring_append(ring, b, plog_encode_cancel(b, 1, 0, 0, PLOG_OVERRUN));
        return;
    default:
        abort();
    }
    ++*in;
    plog_ring_append_record(ring, &rec);
}

struct keep_row {
    const char *claim, *log; /* |: trimmed there, too */
    int64_t image_rcv_nxt;   /* -1: it is not in the image */
    unsigned records, waiting, half_open;
};

static const struct keep_row keep_rows[] = {
    { "half open", "Ss", -1, 2, 1, 1 },
    { "its SYN again is not kept again", "SsSS", -1, 2, 1, 1 },
    { "not accepted, with data", "SsAd", -1, 4, 1, 0 },
    { "accepted: in the image", "SsAd", 110, 0, 0, 0 },
    { "in the image, but data after a hole", "SsAd", 100, 1, 0, 0 },
    { "accepted and closed before the mark", "SsAdF", -1, 0, 0, 0 },
    { "reset by the client", "SsAdR", -1, 0, 0, 0 },
    { "and before anything else", "SsZ", -1, 0, 0, 0 },
    { "a reset before its time is kept with the rest", "SsARd", -1, 5, 1, 0 },
    { "after a hole, too", "SsADZ", -1, 5, 1, 0 },
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
trim_to(struct keep *k, struct plog_ring *ring, const struct plog_mark *mark,
    int64_t image_rcv_nxt)
{
    keep_begin(k);
    if (image_rcv_nxt >= 0)
        keep_connection(k, &sample_flow, (uint32_t)image_rcv_nxt, FLOWMAP_NONE);
    ck_assert(keep_trim(k, ring, mark, scratch));
}

START_TEST(kept_of_what_is_before_the_mark)
{
    const struct keep_row *r = &keep_rows[_i];
    struct keep_conf conf = { 8, 4, 4096 };
    void *memory = malloc(keep_size(&conf));
    struct keep *k = keep_init(memory, &conf);
    struct plog_mark mark = { .number = 1 };
    struct plog_ring ring;
    uint8_t bytes[1 << 14];

    plog_ring_init(&ring, bytes, sizeof bytes, 0);
    for (const char *c = r->log; *c; c++)
        if (*c == '|')
            trim_to(k, &ring, &mark, r->image_rcv_nxt);
        else
            log_step(&ring, *c, &mark.in, &mark.out);
    for (int again = 0; again < 2; again++) {
        trim_to(k, &ring, &mark, r->image_rcv_nxt);
        ck_assert_msg(count(keep_records(k)) == r->records, "%s: %u records", r->claim,
            count(keep_records(k)));
        ck_assert_msg(keep_stat(k).waiting == r->waiting &&
                          keep_stat(k).half_open == r->half_open,
            "%s", r->claim);
        ck_assert_msg(ring.begin == ring.end, "%s: trimmed", r->claim);
    }
    free(memory);
}
END_TEST

/* A place that was another's meanwhile is none. */
START_TEST(a_wrong_guess_finds_the_connection)
{
    struct keep_conf conf = { 8, 4, 4096 };
    void *memory = malloc(keep_size(&conf));
    struct keep *k = keep_init(memory, &conf);
    struct plog_mark mark = { .number = 1 };
    struct flow_key other = sample_flow;
    struct plog_ring ring;
    uint8_t bytes[4096];
    uint32_t first, second;

    other.remote_port++;
    plog_ring_init(&ring, bytes, sizeof bytes, 0);
    keep_begin(k);
    first = keep_connection(k, &sample_flow, 1, FLOWMAP_NONE);
    ck_assert(keep_trim(k, &ring, &mark, scratch));
    keep_begin(k);
    ck_assert_uint_eq(keep_connection(k, &sample_flow, 1, first), first);
    second = keep_connection(k, &other, 1, first);
    ck_assert_uint_ne(second, first);
    ck_assert_uint_eq(keep_connection(k, &sample_flow, 1, second), first);
    ck_assert(keep_trim(k, &ring, &mark, scratch));
    keep_begin(k); /* only the other is left, then the first is back */
    ck_assert_uint_eq(keep_connection(k, &other, 1, second), second);
    ck_assert(keep_trim(k, &ring, &mark, scratch));
    keep_begin(k);
    other.remote_port++;
    ck_assert_uint_eq(keep_connection(k, &other, 1, first), first);
    ck_assert_uint_ne(keep_connection(k, &sample_flow, 1, first), first);
    free(memory);
}
END_TEST

START_TEST(pieces_are_given_up_in_the_end)
{
    static const int64_t ages_s[] = { 0, 29, 31 };
    struct keep_conf conf = { 8, 4, 4096 };
    void *memory = malloc(keep_size(&conf));
    struct keep *k = keep_init(memory, &conf);
    struct plog_mark mark = { 1, 1, 0 };
    struct plog_record rec = { .kind = PLOG_IN, .at_us = 5000, .arg = 1 };
    struct plog_ring ring;
    uint8_t bytes[4096], p[200], small[PLOG_SMALL];

    plog_ring_init(&ring, bytes, sizeof bytes, 0);
    rec.payload = p;
    rec.size = (uint32_t)fragment(p, 1, 0);
    plog_ring_append_record(&ring, &rec);
    for (int i = 0; i < 3; i++) {
        uint64_t at_us = 5000 + (uint64_t)ages_s[i] * 1000000;

        plog_ring_append(&ring, small, plog_encode_mark(small, at_us, &mark));
        for (int again = 0; again < 2; again++) { /* it looks at the time before */
            keep_begin(k);
            ck_assert(keep_trim(k, &ring, &mark, scratch));
        }
        ck_assert_uint_eq(count(keep_records(k)), ages_s[i] < 30);
    }
    free(memory);
}
END_TEST

/* More datagrams than are remembered: the oldest are given up, and nothing else. */
START_TEST(pieces_make_room)
{
    struct keep_conf conf = { 8, 4, 1 << 18 };
    void *memory = malloc(keep_size(&conf));
    struct keep *k = keep_init(memory, &conf);
    struct plog_mark mark = { .number = 1 };
    struct plog_record rec = { .kind = PLOG_IN, .at_us = 5000 };
    struct plog_ring ring;
    uint8_t *bytes = malloc(1 << 18), p[200];

    plog_ring_init(&ring, bytes, 1 << 18, 0);
    rec.payload = p;
    for (unsigned i = 0; i < 2000; i++) {
        rec.size = (uint32_t)fragment(p, (uint8_t)i, 0);
        p[4] = (uint8_t)(i >> 8);
        rec.arg = ++mark.in;
        ck_assert(plog_ring_append_record(&ring, &rec));
    }
    keep_begin(k);
    ck_assert(keep_trim(k, &ring, &mark, scratch));
    ck_assert_uint_eq(count(keep_records(k)), 1024);
    ck_assert_uint_eq(keep_stat(k).lost, 0);
    free(bytes);
    free(memory);
}
END_TEST

START_TEST(deaf_since_the_last_input)
{
    struct keep_conf conf = { 8, 4, 4096 };
    void *memory = malloc(keep_size(&conf));
    struct keep *k = keep_init(memory, &conf);
    struct plog_mark mark = { 1, 1, 0 };
    struct plog_record rec = { .kind = PLOG_IN, .at_us = 5000, .arg = 1 };
    struct plog_ring ring;
    uint8_t bytes[4096], p[200], small[PLOG_SMALL];

    plog_ring_init(&ring, bytes, sizeof bytes, 0);
    rec.payload = p;
    rec.size = (uint32_t)sample_segment(
        p, &sample_flow, PACKET_IN, 100, 501, TCP_ACK, 10);
    plog_ring_append_record(&ring, &rec);
    keep_begin(k);
    ck_assert(keep_trim(k, &ring, &mark, scratch));
    ck_assert_uint_eq(keep_stat(k).deaf_us, 0);
    plog_ring_append(&ring, small, plog_encode_mark(small, 905000, &mark));
    keep_begin(k);
    ck_assert(keep_trim(k, &ring, &mark, scratch));
    ck_assert_uint_eq(keep_stat(k).deaf_us, 900000);
    free(memory);
}
END_TEST

START_TEST(after_the_mark_nothing_is_trimmed)
{
    struct keep_conf conf = { 8, 4, 4096 };
    void *memory = malloc(keep_size(&conf));
    struct keep *k = keep_init(memory, &conf);
    struct plog_mark mark = { 1, 2, 1 };
    uint64_t in = 0, out = 0;
    struct plog_ring ring;
    uint8_t bytes[4096];

    plog_ring_init(&ring, bytes, sizeof bytes, 0);
    for (const char *c = "SsAdF"; *c; c++)
        log_step(&ring, *c, &in, &out);
    keep_begin(k);
    ck_assert(keep_trim(k, &ring, &mark, scratch));
    ck_assert(count(keep_records(k)) == 3 && count(&ring) == 2);
    keep_begin(k); /* accepted and closed by the next one */
    mark = (struct plog_mark){ 2, 3, 2 };
    ck_assert(keep_trim(k, &ring, &mark, scratch));
    ck_assert(count(keep_records(k)) == 0 && count(&ring) == 0);
    free(memory);
}
END_TEST

START_TEST(a_flood_keeps_to_its_room)
{
    struct keep_conf conf = { 16, 4, 4096 };
    void *memory = malloc(keep_size(&conf));
    struct keep *k = keep_init(memory, &conf);
    struct plog_mark mark = { .number = 1 };
    struct flow_key key = sample_flow;
    uint8_t bytes[1 << 16], p[100];
    struct plog_ring ring;

    plog_ring_init(&ring, bytes, sizeof bytes, 0);
    for (const char *c = "SsAd"; *c; c++)
        log_step(&ring, *c, &mark.in, &mark.out);
    for (int i = 0; i < 500; i++) {
        struct plog_record rec = { .kind = PLOG_IN, .arg = ++mark.in, .payload = p };

        key.remote_port++;
        rec.size = (uint32_t)sample_segment(p, &key, PACKET_IN, 5, 0, TCP_SYN, 0);
        ck_assert(plog_ring_append_record(&ring, &rec));
    }
    keep_begin(k);
    ck_assert(keep_trim(k, &ring, &mark, scratch));
    ck_assert(keep_stat(k).half_open == 4 && keep_stat(k).evicted == 496 &&
              keep_stat(k).lost == 0);
    ck_assert(keep_stat(k).waiting == 5); /* the acknowledged one is among them */
    free(memory);
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
