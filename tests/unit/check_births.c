/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check_births.c - what the active node has for a standby that joins, claim by claim.
 */
#include "sockmig/core/births.h"
#include "sockmig/core/flows.h"
#include "sockmig/core/keep.h"
#include "tests/suite.h"
#include "tests/unit/sample_packet.h"

#include <stdlib.h>
#include <string.h>

static uint8_t scratch[KEEP_SCRATCH];

/* An active node, and a log with the same records. */
struct node {
    void *memory, *flows_memory; /* owned, as .bytes */
    struct births *births;
    struct flows *flows;
    uint64_t in, out; /* ordinals */
    uint8_t *bytes;   /* of: */
    struct plog_ring log;
};

static struct node
node(struct births_conf conf)
{
    struct node n = { .memory = malloc(births_size(&conf)),
        .flows_memory = malloc(flows_size(8)),
        .bytes = malloc(1 << 20) };

    n.births = births_init(n.memory, &conf);
    n.flows = flows_init(n.flows_memory, 8, 7);
    plog_ring_init(&n.log, n.bytes, 1 << 20, 0);
    return n;
}

static void
end(struct node *n)
{
    free(n->memory);
    free(n->flows_memory);
    free(n->bytes);
}

static void
capture_in(struct node *n, const uint8_t *p, size_t size)
{
    struct plog_record rec = {
        .kind = PLOG_IN, .arg = ++n->in, .size = (uint32_t)size, .payload = p
    };
    struct mono now = { 1 };
    struct packet pkt;

    ck_assert(packet_parse(&pkt, PACKET_IN, p, size));
    plog_ring_append_record(&n->log, &rec);
    births_input(n->births, &pkt, &rec, flows_input(n->flows, &pkt, now));
}

static void
capture_out(struct node *n, const uint8_t *p, size_t size)
{
    uint8_t record[PLOG_SMALL];
    struct mono now = { 1 };
    struct plog_output o;
    struct packet pkt;

    ck_assert(packet_parse(&pkt, PACKET_OUT, p, size));
    n->out++;
    if (flows_output(n->flows, &pkt, now, &o))
        plog_ring_append(&n->log, record, plog_encode_output(record, 1, n->out, &o));
    births_output(n->births, &pkt, 1, n->out);
}

/* A step by its letter: small ones of the client, large ones of the service. */
static void
step(struct node *n, char what)
{
    static const struct {
        char what;
        uint32_t seq, ack;
        uint8_t flags;
        uint32_t size;
    } steps[] = {
        { 's', 99, 0, TCP_SYN, 0 },
        { 't', 799, 0, TCP_SYN, 0 },
        { 'a', 100, 501, TCP_ACK, 0 },
        { 'd', 100, 501, TCP_ACK, 10 },
        { 'e', 110, 501, TCP_ACK, 10 }, /* after d */
        { 'f', 120, 501, TCP_ACK, 10 }, /* after e */
        { 'r', 110, 0, TCP_RST, 0 },
        { 'S', 500, 100, TCP_SYN | TCP_ACK, 0 },
        { 'T', 900, 800, TCP_SYN | TCP_ACK, 0 },
        { 'A', 501, 100, TCP_ACK, 0 },
        { 'D', 501, 110, TCP_ACK, 5 },
        { 'B', 501, 110, TCP_ACK, 0 },
        { 'E', 501, 120, TCP_ACK, 0 },
        { 'G', 501, 130, TCP_ACK, 0 },
        { 'F', 501, 110, TCP_ACK | TCP_FIN, 0 },
        { 'R', 501, 0, TCP_RST, 0 },
    };
    uint8_t p[200];

    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        enum packet_way way = what >= 'a' ? PACKET_IN : PACKET_OUT;
        size_t size;

        if (steps[i].what != what)
            continue;
        size = sample_segment(p, &sample_flow, way, steps[i].seq, steps[i].ack,
            steps[i].flags, steps[i].size);
        (way == PACKET_IN ? capture_in : capture_out)(n, p, size);
        return;
    }
    ck_assert_int_eq(what, 'X'); /* the newest input was dropped */
    plog_ring_append(&n->log, p, plog_encode_cancel(p, 1, n->in, n->in, 0));
    flows_cancelled(n->flows);
    births_cancel(n->births, n->in);
}

static void
story(struct node *n, const char *steps)
{
    for (const char *s = steps; *s; s++)
        step(n, *s);
}

/* What is given to a standby, as a ring over @bytes of 64 KB. */
static struct plog_ring
given(const struct births *b, uint8_t *bytes)
{
    struct plog_ring ring;

    plog_ring_init(&ring, bytes, 1 << 16, 0);
    ring.end = births_bytes(b);
    ck_assert(ring.end <= ring.size);
    births_copy(b, bytes);
    return ring;
}

/* Its records as letters: those of the steps, O for output. */
static void
spell(const struct plog_ring *ring, char *out)
{
    uint64_t at = ring->begin;
    struct plog_record rec;
    struct packet pkt;

    while (plog_read(ring, &at, &rec, scratch) == PLOG_READ) {
        if (rec.kind != PLOG_IN) {
            *out++ = 'O';
            continue;
        }
        ck_assert(packet_parse(&pkt, PACKET_IN, rec.payload, rec.size));
        *out++ = pkt.tcp.flags & TCP_SYN   ? (pkt.tcp.seq == 99 ? 's' : 't')
                 : pkt.tcp.flags & TCP_RST ? 'r'
                 : pkt.payload_size == 0   ? 'a'
                                           : (char)('d' + (pkt.tcp.seq - 100) / 10);
    }
    *out = '\0';
    ck_assert_uint_eq(at, ring->end);
}

struct births_row {
    const char *claim, *steps, *has;
};

static const struct births_row births_rows[] = {
    { "a SYN", "s", "s" },
    { "once more: the first may not have come", "ss", "ss" },
    { "another number: another connection", "st", "t" },
    { "half open", "sS", "sO" },
    { "the SYN-ACK once more says nothing new", "sSS", "sO" },
    { "one that waits to be accepted, with a request", "sSade", "sOade" },
    { "acknowledgements say nothing new", "sSadABaa", "sOad" },
    { "its service has answered", "sSadD", "" },
    { "or ended it", "sSadF", "" },
    { "or reset it", "sSadR", "" },
    { "reset by the client, it is accepted all the same", "sSadr", "sOadr" },
    { "and what its kernel says to what comes then proves nothing", "sSadreR",
        "sOadreO" },
    { "of one that is known, nothing", "sSadDe", "" },
    { "but what comes after a hole", "sSadDff", "ff" },
    { "as long as its service says that there is one", "sSadDfBf", "ff" },
    { "it is filled", "sSadDfeG", "" },
    { "two holes, one is filled", "sSadDfE", "f" },
    { "accepted with a hole: only what is after it", "sSadfD", "f" },
    { "also if it has no more to say", "sSadDfF", "f" },
    { "and it is over", "sSadDfFR", "" },
    { "dropped: its client sends it again", "sSadX", "sOa" },
    { "the acknowledgement was, and comes once more", "sSaXa", "sOa" },
    { "what follows something dropped may follow a hole", "sSadDeXf", "f" },
    { "until the service says what it has", "sSadDeXBe", "" },
    { "a connection of the same ports", "sSadDtT", "tO" },
    { "one of an earlier reign, of which nothing is known yet", "e", "e" },
    { "its service says what it has", "eBfG", "" },
    { "or that there is no such connection", "eR", "" },
};

static void
has(const struct node *n, const char *claim, const char *steps, const char *expected)
{
    static uint8_t bytes[1 << 16];
    struct plog_ring ring = given(n->births, bytes);
    char found[32];

    spell(&ring, found);
    ck_assert_msg(strcmp(found, expected) == 0, "%s: %s has \"%s\", not \"%s\"", claim,
        steps, found, expected);
}

START_TEST(has_what_no_image_has)
{
    const struct births_row *r = &births_rows[_i];
    struct node n = node((struct births_conf){ 4, 2, 64, 4096 });

    story(&n, r->steps);
    has(&n, r->claim, r->steps, r->has);
    end(&n);
}
END_TEST

/* After a takeover, of @steps that are in the log; with an image that has of the
 * connection what is before @rcv_nxt, or none. */
struct log_row {
    const char *claim, *steps;
    int64_t rcv_nxt;
    const char *has;
};

static const struct log_row log_rows[] = {
    { "nothing of it is in the image", "sSad", -1, "sOad" },
    { "it was accepted since", "sSadD", -1, "" },
    { "then, after a hole", "sSadDf", -1, "f" },
    { "after one before that", "sSadfD", -1, "f" },
    { "an end is such a sign", "sSadfF", -1, "f" },
    { "in the image, its SYN once more", "sdfD", 100, "f" },
    { "with another SYN it begins anew, and has a hole", "dtT", 100, "tO" },
    { "it is in the image", "d", 100, "" },
    { "in order", "de", 100, "" },
    { "after a hole", "df", 100, "f" },
    { "whatever its service answers", "dfD", 100, "f" },
    { "it is filled; what is then known is what came in order", "dfef", 100, "f" },
    { "what follows it in order", "fde", 100, "f" },
    { "the image has it already", "f", 130, "" },
    { "it was reset by its service", "dfR", 100, "" },
    { "what was dropped is a hole", "dXef", 100, "ef" },
    { "and is not given", "sSadXe", -1, "sOae" },
    { "a connection of the same ports", "dfRtT", 100, "tO" },
};

/* What it has put out is not made again before there is another image. */
static const struct log_row fed_rows[] = {
    { "the clone has not accepted it yet", "sSadD", -1, "sOad" },
    { "nor reset it", "sSadR", -1, "sOad" },
    { "what is after a hole is", "df", 100, "f" },
};

static void
log_has(const struct log_row *r, bool kept, bool fed)
{
    struct births_conf conf = { 4, 2, 64, 4096 };
    struct keep_conf keep_conf = { 8, 4, 1 << 12 };
    struct node n = node(conf);
    struct keep *k = keep_init(malloc(keep_size(&keep_conf)), &keep_conf);
    struct plog_mark mark = { 1, kept ? 100 : 0, kept ? 100 : 0 };
    struct births_succession s = { .as = 77, .keep = k, .made_again = !fed };

    story(&n, r->steps);
    keep_begin(k);
    if (r->rcv_nxt >= 0)
        keep_connection(k, &sample_flow, (uint32_t)r->rcv_nxt, 0);
    ck_assert(keep_trim(k, &n.log, &mark, scratch));
    n.births = births_init(n.memory, &conf);
    births_log(n.births, &s, keep_records(k), scratch);
    births_log(n.births, &s, &n.log, scratch);
    has(&n, r->claim, r->steps, r->has);
    free(k);
    end(&n);
}

START_TEST(has_what_the_log_has)
{
    log_has(&log_rows[_i], false, false);
}
END_TEST

START_TEST(has_what_is_fed)
{
    log_has(&fed_rows[_i], false, true);
}
END_TEST

/* A segment after a hole that the image's mark is after. */
START_TEST(has_what_the_standby_has_kept)
{
    static const struct log_row row = { "kept", "f", 100, "f" };

    log_has(&row, true, false);
}
END_TEST

/* When its clone acknowledges what was fed. */
START_TEST(what_the_log_had_is_let_go)
{
    struct births_conf conf = { 4, 2, 64, 4096 };
    struct keep_conf keep_conf = { 8, 4, 1 << 12 };
    struct node n = node(conf);
    struct keep *k = keep_init(malloc(keep_size(&keep_conf)), &keep_conf);
    struct plog_mark mark = { 1, 0, 0 };
    struct births_succession s = { .as = 77, .keep = k, .made_again = true };

    story(&n, "dfe");
    keep_begin(k);
    keep_connection(k, &sample_flow, 100, 0);
    ck_assert(keep_trim(k, &n.log, &mark, scratch));
    births_log(n.births, &s, &n.log, scratch);
    ck_assert_uint_gt(births_bytes(n.births), 0);
    step(&n, 'B');
    ck_assert_uint_gt(births_bytes(n.births), 0);
    step(&n, 'G');
    ck_assert_uint_eq(births_bytes(n.births), 0);
    free(k);
    end(&n);
}
END_TEST

static size_t
syn_of(uint8_t *p, uint16_t port)
{
    struct flow_key flow = sample_flow;

    flow.remote_port = port;
    return sample_segment(p, &flow, PACKET_IN, 99, 0, TCP_SYN, 0);
}

static void
is_counted(const struct node *n, uint32_t connections, uint32_t half_open,
    uint64_t evicted, uint64_t lost)
{
    struct births_stat is = births_stat(n->births);

    ck_assert_uint_eq(is.connections, connections);
    ck_assert_uint_eq(is.half_open, half_open);
    ck_assert_uint_eq(is.evicted, evicted);
    ck_assert_uint_eq(is.lost, lost);
}

START_TEST(half_open_ones_give_way_first)
{
    struct node n = node((struct births_conf){ 4, 2, 64, 4096 });
    uint8_t p[200];
    size_t one;

    story(&n, "sSad");
    one = births_bytes(n.births);
    for (uint16_t port = 1; port < 20; port++)
        capture_in(&n, p, syn_of(p, port));
    ck_assert_uint_eq(
        births_bytes(n.births), one + 2 * plog_span((uint32_t)syn_of(p, 1)));
    is_counted(&n, 3, 2, 17, 0);

    n.births = births_init(n.memory, &(struct births_conf){ 4, 3, 6, 4096 });
    story(&n, "sSad"); /* four blocks */
    for (uint16_t port = 1; port < 20; port++)
        capture_in(&n, p, syn_of(p, port));
    ck_assert_uint_eq(
        births_bytes(n.births), one + 2 * plog_span((uint32_t)syn_of(p, 1)));
    is_counted(&n, 3, 2, 17, 0);
    end(&n);
}
END_TEST

START_TEST(what_does_not_fit_is_given_up)
{
    struct births_conf conf = { 4, 2, 16, 1000 };
    struct node n = node(conf);
    uint8_t p[2000];
    size_t one;

    story(&n, "sSa");
    one = births_bytes(n.births);
    for (uint32_t i = 0; i < 3; i++)
        capture_in(&n, p,
            sample_segment(
                p, &sample_flow, PACKET_IN, 100 + 200 * i, 501, TCP_ACK, 200));
    ck_assert_uint_gt(births_bytes(n.births), one);
    ck_assert_uint_le(births_bytes(n.births), conf.flow_bytes);
    capture_in(
        &n, p, sample_segment(p, &sample_flow, PACKET_IN, 700, 501, TCP_ACK, 200));
    ck_assert_uint_eq(births_bytes(n.births), 0);
    is_counted(&n, 0, 0, 0, 1);

    n.births = births_init(n.memory, &(struct births_conf){ 4, 2, 8, 1 << 20 });
    for (uint32_t i = 0; i < 2000; i++) { /* nor is any block lost */
        uint16_t port = (uint16_t)(i % 3);
        struct flow_key flow = sample_flow;

        flow.remote_port = port;
        capture_in(&n, p, syn_of(p, port));
        capture_in(
            &n, p, sample_segment(p, &flow, PACKET_IN, 100, 501, TCP_ACK, i % 1800));
    }
    story(&n, "sSad");
    ck_assert_uint_ge(births_bytes(n.births), one);
    end(&n);
}
END_TEST

/* There is always one, but not the same: what is acknowledged makes room, and nobody
 * else has to give way. */
START_TEST(holes_that_move_on)
{
    struct node n = node((struct births_conf){ 4, 2, 16, 4096 });
    struct flow_key other = sample_flow;
    uint8_t p[2000];
    size_t one;

    story(&n, "sSad");
    one = births_bytes(n.births);
    other.remote_port = 1;
    capture_out(&n, p, sample_segment(p, &other, PACKET_OUT, 1, 100, TCP_ACK, 1));
    for (uint32_t at = 100; at < 100000; at += 200) {
        capture_in(
            &n, p, sample_segment(p, &other, PACKET_IN, at + 500, 1, TCP_ACK, 200));
        capture_out(
            &n, p, sample_segment(p, &other, PACKET_OUT, 2, at + 100, TCP_ACK, 0));
        if (at < 1000)
            continue; /* not all of it is there yet */
        ck_assert_uint_ge(births_bytes(n.births), one + 3 * plog_span(240));
        ck_assert_uint_le(births_bytes(n.births), one + 4 * plog_span(240));
    }
    for (uint32_t at = 200000; at < 300000; at += 200) /* none is acknowledged */
        capture_in(&n, p, sample_segment(p, &other, PACKET_IN, at, 1, TCP_ACK, 200));
    ck_assert_uint_ge(births_bytes(n.births), one);
    ck_assert_uint_le(births_bytes(n.births), 16 * BIRTHS_BLOCK);
    step(&n, 'D');
    ck_assert_uint_lt(births_bytes(n.births), 16 * BIRTHS_BLOCK - one);
    end(&n);
}
END_TEST

/* What a standby keeps that joins after @steps, of records. */
static uint64_t
kept_by_a_newcomer(const char *steps, int64_t image_rcv_nxt)
{
    struct keep_conf conf = { 8, 4, 1 << 12 };
    struct node n = node((struct births_conf){ 4, 2, 64, 4096 });
    struct keep *k = keep_init(malloc(keep_size(&conf)), &conf);
    struct plog_mark mark = { 1, 100, 100 };
    static uint8_t bytes[1 << 16];
    struct plog_ring ring, log;
    uint64_t kept;

    story(&n, steps);
    ring = given(n.births, bytes);
    plog_ring_init(&log, n.bytes, 1 << 20, 0);
    keep_begin(k);
    if (image_rcv_nxt >= 0)
        keep_connection(k, &sample_flow, (uint32_t)image_rcv_nxt, 0);
    ck_assert(keep_births(k, &ring, scratch));
    ck_assert(keep_trim(k, &log, &mark, scratch));
    kept = keep_stat(k).bytes;
    free(k);
    end(&n);
    return kept;
}

START_TEST(a_newcomer_keeps_what_its_image_lacks)
{
    ck_assert_uint_eq(kept_by_a_newcomer("sSad", 110), 0);
    ck_assert_uint_gt(kept_by_a_newcomer("sSad", -1), 3 * PLOG_HEADER);
    ck_assert_uint_gt(kept_by_a_newcomer("sSadDf", 110), PLOG_HEADER);
    ck_assert_uint_eq(kept_by_a_newcomer("sSadDf", 130), 0);
    ck_assert_uint_eq(kept_by_a_newcomer("sSadr", -1), 0); /* accepted, and read */
}
END_TEST

START_TEST(a_newcomer_refuses_what_is_malformed)
{
    struct keep_conf conf = { 8, 4, 1 << 12 };
    struct keep *k = keep_init(malloc(keep_size(&conf)), &conf);
    struct node n = node((struct births_conf){ 4, 2, 64, 4096 });
    static uint8_t bytes[1 << 16];
    struct plog_ring ring;

    story(&n, "sSad");
    ring = given(n.births, bytes);
    ring.end--;
    keep_begin(k);
    ck_assert_msg(!keep_births(k, &ring, scratch), "cut");
    ring.end++;
    memset(bytes + 16, 0, 8);
    ck_assert_msg(!keep_births(k, &ring, scratch), "input without an ordinal");
    ring = given(n.births, bytes);
    bytes[4] = PLOG_MARK;
    ck_assert_msg(!keep_births(k, &ring, scratch), "a record that is no packet's");
    free(k);
    end(&n);
}
END_TEST

int
main(void)
{
    TCase *tc = tcase_create("births");

    ADD_ROWS(tc, has_what_no_image_has, births_rows);
    ADD_ROWS(tc, has_what_the_log_has, log_rows);
    ADD_ROWS(tc, has_what_is_fed, fed_rows);
    tcase_add_test(tc, has_what_the_standby_has_kept);
    tcase_add_test(tc, what_the_log_had_is_let_go);
    tcase_add_test(tc, half_open_ones_give_way_first);
    tcase_add_test(tc, what_does_not_fit_is_given_up);
    tcase_add_test(tc, holes_that_move_on);
    tcase_add_test(tc, a_newcomer_keeps_what_its_image_lacks);
    tcase_add_test(tc, a_newcomer_refuses_what_is_malformed);
    return suite_run("births", tc, NULL);
}
