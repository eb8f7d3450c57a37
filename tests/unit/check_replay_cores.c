/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check_replay_cores.c - plog, held and flows, claim by claim.  Packets are in
 * check_packet.c; what replay does is in tests/sim/check_sim_replay.c. */
#include "sockmig/core/digest.h"
#include "sockmig/core/flows.h"
#include "sockmig/core/held.h"
#include "tests/suite.h"
#include "tests/unit/sample_packet.h"

#include <stdlib.h>
#include <string.h>

static uint8_t scratch[PLOG_PAYLOAD];

START_TEST(records_wrap_and_come_whole)
{
    uint8_t bytes[256], payload[100], buf[PLOG_PAYLOAD];
    struct plog_record rec = { .kind = PLOG_IN, .payload = payload }, got;
    struct plog_ring ring;
    uint64_t at;

    memset(payload, 'p', sizeof payload);
    plog_ring_init(&ring, bytes, sizeof bytes, 1000);
    for (uint64_t i = 1; i < 200; i++) {
        at = ring.begin;
        rec.arg = i;
        rec.size = (uint32_t)(i % 101);
        ck_assert(plog_ring_append_record(&ring, &rec));
        ck_assert(plog_read(&ring, &at, &got, buf) == PLOG_READ);
        ck_assert(got.arg == i && got.size == rec.size && at == ring.end);
        ck_assert(memcmp(got.payload, payload, got.size) == 0);
        ck_assert(plog_read(&ring, &at, &got, buf) == PLOG_END);
        ring.begin = ring.end;
    }
    rec.size = 100;
    ck_assert(plog_ring_append_record(&ring, &rec));
    ck_assert(plog_ring_append_record(&ring, &rec));
    ck_assert(!plog_ring_append_record(&ring, &rec)); /* no room */
    ck_assert(!plog_ring_append(&ring, bytes, 200));
}
END_TEST

START_TEST(what_is_no_record_is_told)
{
    uint8_t bytes[256] = { 0xff, 0xff, 0xff, 0xff, 1 }, buf[PLOG_PAYLOAD];
    struct plog_ring ring = { bytes, sizeof bytes, 0, 100 };
    struct plog_record rec;
    uint64_t at = 0;

    ck_assert(plog_read(&ring, &at, &rec, buf) == PLOG_BAD);
    memset(bytes, 0, sizeof bytes); /* kind 0 */
    ck_assert(plog_read(&ring, &at, &rec, buf) == PLOG_BAD && at == 0);
}
END_TEST

START_TEST(small_records_come_back)
{
    struct plog_output o = { .flow = sample_flow,
        .seq = 1,
        .ack = 2,
        .tsval = 3,
        .tsecr = 4,
        .mss = 5,
        .wscale = 6,
        .window = 7,
        .options = PLOG_SACK,
        .tcp_flags = TCP_SYN,
        .hash = 8 },
                       back;
    struct plog_mark mark = { 3, 4, 5 }, mark_back;
    uint8_t b[PLOG_SMALL];
    struct plog_record rec;
    uint64_t at = 0, last;
    struct plog_ring ring = { b, 1 << 16, 0, 0 };

    for (int version = 4; version <= 6; version += 2) {
        o.flow.version = (uint8_t)version;
        ring.end = plog_encode_output(b, 9, 10, &o);
        at = 0;
        ck_assert(plog_read(&ring, &at, &rec, scratch) == PLOG_READ && rec.arg == 10);
        ck_assert(plog_decode_output(&rec, &back));
        ck_assert(memcmp(&back.flow, &o.flow, sizeof o.flow) == 0 && back.ack == 2 &&
                  back.tsval == 3 && back.mss == 5 && back.wscale == 6 &&
                  back.window == 7 && back.hash == 8);
        rec.size -= 2;
        ck_assert(!plog_decode_output(&rec, &back));
    }
    at = 0;
    ring.end = plog_encode_mark(b, 9, &mark);
    ck_assert(plog_read(&ring, &at, &rec, scratch) == PLOG_READ);
    ck_assert(plog_decode_mark(&rec, &mark_back) && mark_back.out == 5);
    at = 0;
    ring.end = plog_encode_cancel(b, 9, 7, 6, 0);
    ck_assert(plog_read(&ring, &at, &rec, scratch) == PLOG_READ);
    ck_assert(!plog_decode_cancel(&rec, &last)); /* last before first */
}
END_TEST

struct held_row {
    const char *claim;
    enum held_policy policy;
    enum packet_way way;
    uint64_t lsn;
    bool has_mark;
    uint32_t mark, goes;
};

/* Held: ids 0xffffffff (LSN 10), 0 (no record), 1 (LSN 20). */
static const struct held_row held_rows[] = {
    { "replay in: nothing is stable", HELD_REPLAY, PACKET_IN, 9, false, 0, 0 },
    { "replay in: stable goes", HELD_REPLAY, PACKET_IN, 10, false, 0, 2 },
    { "replay out: as in", HELD_REPLAY, PACKET_OUT, 19, false, 0, 2 },
    { "replay out: all", HELD_REPLAY, PACKET_OUT, 20, false, 0, 3 },
    { "commit in: at once", HELD_COMMIT, PACKET_IN, 0, false, 0, 3 },
    { "commit out: no checkpoint", HELD_COMMIT, PACKET_OUT, 99, false, 0, 0 },
    { "commit out: up to the mark, ids wrap", HELD_COMMIT, PACKET_OUT, 99, true, 0, 2 },
    { "commit out: the record counts too", HELD_COMMIT, PACKET_OUT, 9, true, 1, 0 },
    { "commit out: both", HELD_COMMIT, PACKET_OUT, 20, true, 1, 3 },
    { "warm: at once", HELD_WARM, PACKET_OUT, 0, false, 0, 3 },
    { "cold: at once", HELD_COLD, PACKET_IN, 0, false, 0, 3 },
};

START_TEST(held_by_the_policy)
{
    const struct held_row *r = &held_rows[_i];
    struct held_stable stable = { r->lsn, r->mark, r->has_mark };
    struct held_packet slots[3];
    struct held_batch b;
    struct held h;
    struct mono t = { 5 };

    held_init(&h, slots, 3);
    ck_assert(held_push(&h, 0xffffffff, 10, t) && held_push(&h, 0, 0, t) &&
              held_push(&h, 1, 20, t) && !held_push(&h, 2, 30, t));
    b = held_release(&h, held_rule(r->policy, r->way), &stable, 0);
    ck_assert_uint_eq(b.count, 0);
    b = held_release(&h, held_rule(r->policy, r->way), &stable, h.count);
    ck_assert_msg(b.count == r->goes, "%s: %u go", r->claim, b.count);
    if (b.count > 0)
        ck_assert(b.first == 1 && b.last == b.count && b.last_id == b.count - 2 &&
                  b.last_lsn == (b.count == 3 ? 20 : 10));
    b = held_drop(&h);
    ck_assert(b.count == 3 - r->goes && (b.count == 0 || b.last == 3));
    ck_assert(!held_since(&h, &t));
}
END_TEST

/* Nothing else waits: an acknowledgement does for the input alone. */
START_TEST(held_for_the_input_it_may_answer)
{
    struct held_stable stable = { 29, 9, true };
    struct held_packet slots[3];
    struct held h;
    struct mono t = { 5 };

    held_init(&h, slots, 3);
    held_answers(&h, 20);
    ck_assert(held_push(&h, 1, 0, t));
    held_answers(&h, 30);
    ck_assert(held_push(&h, 2, 0, t) && held_push(&h, 3, 40, t));
    ck_assert_uint_eq(held_release(&h, HELD_LSN_AND_MARK, &stable, 3).count, 1);
    stable.lsn = 30;
    ck_assert_uint_eq(held_release(&h, HELD_LSN_AND_MARK, &stable, 3).count, 1);
    stable.lsn = 40;
    ck_assert_uint_eq(held_release(&h, HELD_LSN_AND_MARK, &stable, 3).count, 1);
    held_answers(&h, 0); /* a new log counts from its beginning */
    ck_assert(held_push(&h, 4, 0, t));
    stable.lsn = 0;
    ck_assert_uint_eq(held_release(&h, HELD_LSN_AND_MARK, &stable, 3).count, 1);
}
END_TEST

/* One packet out: what of it is logged. */
static bool
put_out(
    struct flows *f, uint32_t seq, uint8_t flags, uint32_t size, struct plog_output *o)
{
    uint8_t p[3000];
    struct packet pkt;

    ck_assert(packet_parse(&pkt, PACKET_OUT, p,
        sample_segment(p, &sample_flow, PACKET_OUT, seq, 1, flags, size)));
    return flows_output(f, &pkt, (struct mono){ 1 }, o, 1) == 1;
}

START_TEST(only_new_output_is_logged)
{
    void *memory = malloc(flows_size(4));
    struct flows *f = flows_init(memory, 4, 7, FLOWS_PART);
    struct plog_output o;
    uint8_t x[200];

    memset(x, 'x', sizeof x);
    ck_assert(put_out(f, 99, TCP_SYN | TCP_ACK, 0, &o) && o.seq == 99);
    ck_assert(put_out(f, 99, TCP_SYN | TCP_ACK, 0, &o) && o.seq == 99); /* again */
    ck_assert(!put_out(f, 100, TCP_ACK, 0, &o));
    ck_assert(put_out(f, 100, TCP_ACK, 100, &o) && o.seq == 100 && o.size == 100);
    ck_assert(o.hash == digest_of(7, x, 100));
    ck_assert(!put_out(f, 100, TCP_ACK, 100, &o));
    ck_assert(put_out(f, 150, TCP_ACK, 100, &o) && o.seq == 200 && o.size == 50);
    ck_assert(put_out(f, 240, TCP_ACK | TCP_FIN, 10, &o) && o.size == 0);
    ck_assert(o.seq == 250 && o.tcp_flags == TCP_FIN);
    ck_assert(!put_out(f, 240, TCP_ACK | TCP_FIN, 10, &o));
    ck_assert(put_out(f, 5000, TCP_SYN | TCP_ACK, 0, &o)); /* another connection */
    ck_assert(put_out(f, 5001, TCP_ACK, 10, &o) && o.seq == 5001);
    free(memory);
}
END_TEST

static void
put_in(struct flows *f, uint8_t flags, uint32_t size)
{
    uint8_t p[3000];
    struct packet pkt;

    ck_assert(packet_parse(&pkt, PACKET_IN, p,
        sample_segment(p, &sample_flow, PACKET_IN, 1, 100, flags, size)));
    flows_input(f, &pkt, (struct mono){ 1 });
}

START_TEST(who_asks_is_counted_until_it_is_answered)
{
    void *memory = malloc(flows_size(4));
    struct flows *f = flows_init(memory, 4, 7, FLOWS_PART);
    struct plog_output o;

    put_in(f, TCP_ACK, 10);
    ck_assert_msg(flows_asking(f) == 0, "a connection that is not known");
    ck_assert(put_out(f, 99, TCP_SYN | TCP_ACK, 0, &o));
    put_in(f, TCP_ACK, 0);
    ck_assert_uint_eq(flows_asking(f), 0);
    put_in(f, TCP_ACK, 10);
    put_in(f, TCP_ACK, 10);
    ck_assert_msg(flows_asking(f) == 1, "one connection asks once");
    put_out(f, 100, TCP_ACK, 0, &o);
    ck_assert_msg(flows_asking(f) == 1, "an acknowledgement is no answer");
    put_out(f, 100, TCP_ACK, 50, &o);
    ck_assert_uint_eq(flows_asking(f), 0);
    put_in(f, TCP_ACK, 10);
    put_in(f, TCP_RST, 0);
    ck_assert_msg(flows_asking(f) == 0, "nobody is there any more");
    free(memory);
}
END_TEST

START_TEST(a_flood_pushes_out_the_half_open)
{
    void *memory = malloc(flows_size(4));
    struct flows *f = flows_init(memory, 4, 7, FLOWS_PART);
    struct flow_key key = sample_flow;
    struct plog_output o;
    struct packet pkt;
    uint8_t p[100];

    ck_assert(put_out(f, 1, TCP_ACK, 10, &o)); /* an open one */
    for (int i = 0; i < 100; i++) {
        key.remote_port++;
        packet_parse(&pkt, PACKET_OUT, p,
            sample_segment(p, &key, PACKET_OUT, 1, 1, TCP_SYN | TCP_ACK, 0));
        ck_assert(flows_output(f, &pkt, (struct mono){ i }, &o, 1));
    }
    ck_assert(flows_stat(f).open == 1 && flows_stat(f).half_open == 3 &&
              flows_stat(f).forgotten == 97);
    ck_assert(!put_out(f, 1, TCP_ACK, 10, &o)); /* it is still known */
    flows_tick(f, (struct mono){ 1000ll * FLOWS_CLOSED_MS + 1000 });
    ck_assert(flows_stat(f).half_open == 0 && flows_stat(f).open == 1);
    free(memory);
}
END_TEST

int
main(void)
{
    TCase *tc = tcase_create("cores");

    tcase_add_test(tc, records_wrap_and_come_whole);
    tcase_add_test(tc, what_is_no_record_is_told);
    tcase_add_test(tc, small_records_come_back);
    ADD_ROWS(tc, held_by_the_policy, held_rows);
    tcase_add_test(tc, held_for_the_input_it_may_answer);
    tcase_add_test(tc, only_new_output_is_logged);
    tcase_add_test(tc, who_asks_is_counted_until_it_is_answered);
    tcase_add_test(tc, a_flood_pushes_out_the_half_open);
    return suite_run("packet log", tc, NULL);
}
