/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check_births.c - what the active node has for a standby that joins, claim by claim.
 */
#include "tests/unit/births_story.h"

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

START_TEST(has_what_no_image_has)
{
    const struct births_row *r = &births_rows[_i];
    struct node n = node((struct births_conf){ 4, 2, 64, 4096 });

    story(&n, r->steps);
    has(&n, r->claim, r->steps, r->has);
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
    tcase_add_test(tc, half_open_ones_give_way_first);
    tcase_add_test(tc, what_does_not_fit_is_given_up);
    tcase_add_test(tc, holes_that_move_on);
    tcase_add_test(tc, a_newcomer_keeps_what_its_image_lacks);
    tcase_add_test(tc, a_newcomer_refuses_what_is_malformed);
    return suite_run("births", tc, NULL);
}
