/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check_replay_cores.c - packet, digest, plog, held, flows and keep, claim by claim.
 * What replay does is in tests/sim/check_sim_replay.c. */
#include "sockmig/core/digest.h"
#include "sockmig/core/flows.h"
#include "sockmig/core/held.h"
#include "sockmig/core/keep.h"
#include "sockmig/core/replay.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const struct flow_key v4 = { .version = 4,
    .protocol = PACKET_TCP,
    .local_port = 80,
    .remote_port = 4000,
    .local = { 10, 0, 0, 1 },
    .remote = { 10, 0, 0, 2 } };

static uint8_t scratch[KEEP_SCRATCH];

/* A segment of @flow with @size bytes 'x'. */
static size_t
segment(uint8_t *out, const struct flow_key *flow, enum packet_way way, uint32_t seq,
    uint32_t ack, uint8_t flags, uint32_t size)
{
    size_t n = packet_ack(out, flow, way, seq, ack, 1000), ip = n - 20;

    memset(out + n, 'x', size);
    out[ip + 13] = flags;
    n += size;
    if (flow->version == 4) {
        out[2] = (uint8_t)(n >> 8);
        out[3] = (uint8_t)n;
    } else {
        out[4] = (uint8_t)((n - 40) >> 8);
        out[5] = (uint8_t)(n - 40);
    }
    packet_complete(out, n);
    return n;
}

struct parse_row {
    const char *claim;
    uint8_t bytes[80];
    size_t size;
    bool ok, tcp, fragment, later;
    uint8_t protocol;
    uint32_t payload;
};

static const struct parse_row parse_rows[] = {
    { "nothing", { 0 }, 0, false, false, false, false, 0, 0 },
    { "neither 4 nor 6", { 0x55 }, 20, false, false, false, false, 0, 0 },
    { "IPv4 cut in its header", { 0x45 }, 19, false, false, false, false, 0, 0 },
    { "total length beyond the end", { 0x45, 0, 0, 41, [9] = 6, [32] = 0x50 }, 40,
        false, false, false, false, 0, 0 },
    { "header length of 16", { 0x44, 0, 0, 40, [9] = 6, [32] = 0x50 }, 40, false, false,
        false, false, 0, 0 },
    { "bare TCP", { 0x45, 0, 0, 40, [9] = 6, [32] = 0x50 }, 40, true, true, false,
        false, 6, 0 },
    { "what follows the packet is not part of it",
        { 0x45, 0, 0, 42, [9] = 6, [32] = 0x50 }, 60, true, true, false, false, 6, 2 },
    { "TCP header longer than the packet", { 0x45, 0, 0, 40, [9] = 6, [32] = 0x60 }, 40,
        false, false, false, false, 0, 0 },
    { "TCP header of 16", { 0x45, 0, 0, 40, [9] = 6, [32] = 0x40 }, 40, false, false,
        false, false, 0, 0 },
    { "an option of size 0 ends them",
        { 0x45, 0, 0, 44, [9] = 6, [32] = 0x60, [40] = 8 }, 44, true, true, false,
        false, 6, 0 },
    { "a later fragment has no ports",
        { 0x45, 0, 0, 24, 0, 0, 0, 5, [9] = 17, [20] = 1 }, 24, true, false, true, true,
        17, 4 },
    { "a first fragment of UDP", { 0x45, 0, 0, 32, 0, 0, 0x20, [9] = 17, [24] = 1, 0 },
        32, true, false, true, false, 17, 4 },
    { "UDP longer than the packet", { 0x45, 0, 0, 28, [9] = 17, [24] = 0, 9 }, 28,
        false, false, false, false, 0, 0 },
    { "ICMP", { 0x45, 0, 0, 28, [9] = 1 }, 28, true, false, false, false, 1, 8 },
    { "IPv6 and TCP", { 0x60, [5] = 20, [6] = 6, [52] = 0x50 }, 60, true, true, false,
        false, 6, 0 },
    { "IPv6 with a hop-by-hop header",
        { 0x60, [5] = 28, [6] = 0, [40] = 6, [60] = 0x50 }, 68, true, true, false,
        false, 6, 0 },
    { "IPv6 with a header that leads beyond the end",
        { 0x60, [5] = 28, [6] = 0, [40] = 6, 9, [60] = 0x50 }, 68, false, false, false,
        false, 0, 0 },
    { "an atomic fragment is none", { 0x60, [5] = 28, [6] = 44, [40] = 6, [60] = 0x50 },
        68, true, true, false, false, 6, 0 },
    { "a later IPv6 fragment", { 0x60, [5] = 28, [6] = 44, [40] = 6, [43] = 8 }, 68,
        true, false, true, true, 6, 20 },
};

START_TEST(parses)
{
    const struct parse_row *r = &parse_rows[_i];
    struct packet pkt;
    bool ok = packet_parse(&pkt, PACKET_IN, r->bytes, r->size);

    ck_assert_msg(ok == r->ok, "%s", r->claim);
    if (!ok)
        return;
    ck_assert_msg(packet_is_tcp(&pkt) == r->tcp && pkt.fragment == r->fragment &&
                      pkt.later == r->later && pkt.key.protocol == r->protocol &&
                      pkt.payload_size == r->payload,
        "%s", r->claim);
}
END_TEST

START_TEST(both_ways_have_one_key)
{
    struct flow_key v6 = v4;
    struct packet in, out;
    uint8_t p[100];

    v6.version = 6;
    for (int i = 0; i < 2; i++) {
        const struct flow_key *key = i ? &v6 : &v4;

        ck_assert(packet_parse(
            &in, PACKET_IN, p, segment(p, key, PACKET_IN, 7, 9, TCP_ACK, 3)));
        ck_assert(memcmp(&in.key, key, sizeof *key) == 0);
        ck_assert(in.tcp.seq == 7 && in.tcp.ack == 9 && packet_seq_end(&in) == 10);
        ck_assert(packet_parse(
            &out, PACKET_OUT, p, segment(p, key, PACKET_OUT, 7, 9, TCP_FIN, 3)));
        ck_assert(memcmp(&out.key, key, sizeof *key) == 0);
        ck_assert(packet_seq_end(&out) == 11);
    }
}
END_TEST

START_TEST(checksums)
{
    struct flow_key key = v4;
    uint8_t p[200];

    key.version = _i % 2 ? 4 : 6;
    for (uint32_t size = 0; size < 40; size++) {
        size_t n = segment(p, &key, PACKET_IN, size, 1, TCP_ACK, size);

        ck_assert(packet_sound(p, n));
        p[n - 1] ^= 1;
        ck_assert(!packet_sound(p, n));
        ck_assert(packet_complete(p, n) && packet_sound(p, n));
    }
}
END_TEST

START_TEST(a_synack_says_what_it_was_told)
{
    struct packet_tcp tcp = { .seq = 5,
        .ack = 6,
        .mss = 1400,
        .wscale = 7,
        .sack = true,
        .timestamps = true,
        .tsval = 11,
        .tsecr = 12 };
    uint8_t p[PACKET_BUILT];
    struct packet pkt;
    size_t n = packet_synack(p, &v4, &tcp);

    ck_assert(packet_sound(p, n) && packet_parse(&pkt, PACKET_OUT, p, n));
    ck_assert(pkt.tcp.flags == (TCP_SYN | TCP_ACK) && pkt.tcp.mss == 1400 &&
              pkt.tcp.wscale == 7 && pkt.tcp.sack && pkt.tcp.tsval == 11 &&
              pkt.tcp.tsecr == 12 && pkt.tcp.seq == 5 && pkt.tcp.ack == 6);
    ck_assert(packet_set_tsecr(p, n, 99) && packet_sound(p, n));
    ck_assert(packet_parse(&pkt, PACKET_OUT, p, n) && pkt.tcp.tsecr == 99);
}
END_TEST

/* One's complement sum of big-endian words: 0xffff where a checksum is right. */
static uint32_t
words_of(const uint8_t *p, size_t n, uint32_t sum)
{
    for (size_t i = 0; i < n; i += 2)
        sum += (uint32_t)(p[i] << 8 | p[i + 1]);
    sum = (sum & 0xffff) + (sum >> 16);
    return (sum & 0xffff) + (sum >> 16);
}

START_TEST(an_unreachable_quotes_the_segment)
{
    struct flow_key v6 = v4;
    uint8_t p[PACKET_BUILT], quoted[PACKET_BUILT];
    size_t ip, n;

    v6.version = 6;
    for (int family = 0; family < 2; family++) {
        const struct flow_key *key = family ? &v6 : &v4;

        ip = family ? 40 : 20;
        n = packet_unreachable(p, key, 0x01020304);
        ck_assert_uint_eq(n, ip + 8 + ip + 8);
        ck_assert_uint_eq(p[family ? 6 : 9], family ? 58 : 1);
        ck_assert_uint_eq(p[ip], family ? 1 : 3);
        ck_assert_uint_eq(p[ip + 1], family ? 0 : 1);
        packet_ack(quoted, key, PACKET_IN, 0x01020304, 0, 0);
        ck_assert_mem_eq(p + ip + 8, quoted, ip + 8);
        ck_assert_mem_eq(p + (family ? 8 : 12), quoted + (family ? 24 : 16), 4);
        if (family) /* source, destination, length and protocol as pseudo header */
            ck_assert_uint_eq(words_of(p + 8, n - 8, (uint32_t)(n - 40) + 58), 0xffff);
        else
            ck_assert(
                words_of(p, 20, 0) == 0xffff && words_of(p + 20, n - 20, 0) == 0xffff);
    }
}
END_TEST

START_TEST(a_digest_minds_bytes_not_pieces)
{
    uint8_t data[100];
    uint64_t whole;

    for (unsigned i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 7);
    whole = digest_of(1, data, sizeof data);
    for (unsigned first = 0; first <= sizeof data; first++) {
        struct digest d;

        digest_init(&d, 1);
        digest_add(&d, data, first);
        digest_add(&d, data + first, sizeof data - first);
        ck_assert(digest_value(&d) == whole);
        ck_assert(first == sizeof data || digest_of(1, data, first) != whole);
    }
    ck_assert(digest_of(2, data, sizeof data) != whole);
    data[50] ^= 1;
    ck_assert(digest_of(1, data, sizeof data) != whole);
}
END_TEST

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
    struct plog_output o = { .flow = v4,
        .seq = 1,
        .ack = 2,
        .tsval = 3,
        .tsecr = 4,
        .mss = 5,
        .wscale = 6,
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
                  back.tsval == 3 && back.mss == 5 && back.hash == 8);
        rec.size -= 2;
        ck_assert(!plog_decode_output(&rec, &back));
    }
    at = 0;
    ring.end = plog_encode_mark(b, 9, &mark);
    ck_assert(plog_read(&ring, &at, &rec, scratch) == PLOG_READ);
    ck_assert(plog_decode_mark(&rec, &mark_back) && mark_back.out == 5);
    at = 0;
    ring.end = plog_encode_cancel(b, 9, 7, 6);
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
    b = held_release(&h, held_rule(r->policy, r->way), &stable);
    ck_assert_msg(b.count == r->goes, "%s: %u go", r->claim, b.count);
    if (b.count > 0)
        ck_assert(b.first == 1 && b.last == b.count && b.last_id == b.count - 2);
    b = held_drop(&h);
    ck_assert(b.count == 3 - r->goes && (b.count == 0 || b.last == 3));
    ck_assert(!held_since(&h, &t));
}
END_TEST

/* One packet out: what of it is logged. */
static bool
put_out(
    struct flows *f, uint32_t seq, uint8_t flags, uint32_t size, struct plog_output *o)
{
    uint8_t p[3000];
    struct packet pkt;

    ck_assert(packet_parse(
        &pkt, PACKET_OUT, p, segment(p, &v4, PACKET_OUT, seq, 1, flags, size)));
    return flows_output(f, &pkt, (struct mono){ 1 }, o);
}

START_TEST(only_new_output_is_logged)
{
    void *memory = malloc(flows_size(4));
    struct flows *f = flows_init(memory, 4, 7);
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

START_TEST(a_flood_pushes_out_the_half_open)
{
    void *memory = malloc(flows_size(4));
    struct flows *f = flows_init(memory, 4, 7);
    struct flow_key key = v4;
    struct plog_output o;
    struct packet pkt;
    uint8_t p[100];

    ck_assert(put_out(f, 1, TCP_ACK, 10, &o)); /* an open one */
    for (int i = 0; i < 100; i++) {
        key.remote_port++;
        packet_parse(&pkt, PACKET_OUT, p,
            segment(p, &key, PACKET_OUT, 1, 1, TCP_SYN | TCP_ACK, 0));
        ck_assert(flows_output(f, &pkt, (struct mono){ i }, &o));
    }
    ck_assert(flows_stat(f).open == 1 && flows_stat(f).half_open == 3 &&
              flows_stat(f).forgotten == 97);
    ck_assert(!put_out(f, 1, TCP_ACK, 10, &o)); /* it is still known */
    flows_tick(f, (struct mono){ 1000ll * FLOWS_CLOSED_MS + 1000 });
    ck_assert(flows_stat(f).half_open == 0 && flows_stat(f).open == 1);
    free(memory);
}
END_TEST

/* A log for keep: steps as letters. */
static void
log_step(struct plog_ring *ring, char what, uint64_t *in, uint64_t *out)
{
    struct plog_output o = { .flow = v4, .seq = 500 };
    struct plog_record rec = { .kind = PLOG_IN };
    uint8_t p[200], b[PLOG_SMALL];

    rec.payload = p;
    rec.arg = *in + 1;
    switch (what) {
    case 'S':
        rec.size = (uint32_t)segment(p, &v4, PACKET_IN, 99, 0, TCP_SYN, 0);
        break;
    case 'A':
        rec.size = (uint32_t)segment(p, &v4, PACKET_IN, 100, 501, TCP_ACK, 0);
        break;
    case 'd':
        rec.size = (uint32_t)segment(p, &v4, PACKET_IN, 100, 501, TCP_ACK, 10);
        break;
    case 'R':
        rec.size = (uint32_t)segment(p, &v4, PACKET_IN, 100, 501, TCP_RST, 0);
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
        plog_ring_append(ring, b, plog_encode_cancel(b, 1, *in, *in));
        return;
    default:
        abort();
    }
    ++*in;
    plog_ring_append_record(ring, &rec);
}

struct keep_row {
    const char *claim, *log;
    int64_t image_rcv_nxt; /* -1: it is not in the image */
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
    { "data that was dropped is not kept", "SsAdC", -1, 3, 1, 0 },
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

START_TEST(kept_of_what_is_before_the_mark)
{
    const struct keep_row *r = &keep_rows[_i];
    struct keep_conf conf = { 8, 4, 4096 };
    void *memory = malloc(keep_size(&conf));
    struct keep *k = keep_init(memory, &conf);
    struct plog_mark mark = { .number = 1 };
    struct plog_ring ring;
    uint8_t bytes[4096];

    plog_ring_init(&ring, bytes, sizeof bytes, 0);
    for (const char *c = r->log; *c; c++)
        log_step(&ring, *c, &mark.in, &mark.out);
    for (int again = 0; again < 2; again++) {
        keep_begin(k);
        if (r->image_rcv_nxt >= 0)
            keep_connection(k, &v4, (uint32_t)r->image_rcv_nxt);
        ck_assert(keep_trim(k, &ring, &mark, scratch));
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
    struct flow_key key = v4;
    uint8_t bytes[1 << 16], p[100];
    struct plog_ring ring;

    plog_ring_init(&ring, bytes, sizeof bytes, 0);
    for (const char *c = "SsAd"; *c; c++)
        log_step(&ring, *c, &mark.in, &mark.out);
    for (int i = 0; i < 500; i++) {
        struct plog_record rec = { .kind = PLOG_IN, .arg = ++mark.in, .payload = p };

        key.remote_port++;
        rec.size = (uint32_t)segment(p, &key, PACKET_IN, 5, 0, TCP_SYN, 0);
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

#define LOOP(t, rows) tcase_add_loop_test(tc, t, 0, sizeof rows / sizeof rows[0])

int
main(void)
{
    Suite *suite = suite_create("packet log");
    TCase *tc = tcase_create("cores");
    SRunner *sr;
    int failed;

    LOOP(parses, parse_rows);
    tcase_add_test(tc, both_ways_have_one_key);
    tcase_add_loop_test(tc, checksums, 0, 2);
    tcase_add_test(tc, a_synack_says_what_it_was_told);
    tcase_add_test(tc, an_unreachable_quotes_the_segment);
    tcase_add_test(tc, a_digest_minds_bytes_not_pieces);
    tcase_add_test(tc, records_wrap_and_come_whole);
    tcase_add_test(tc, what_is_no_record_is_told);
    tcase_add_test(tc, small_records_come_back);
    LOOP(held_by_the_policy, held_rows);
    tcase_add_test(tc, only_new_output_is_logged);
    tcase_add_test(tc, a_flood_pushes_out_the_half_open);
    LOOP(kept_of_what_is_before_the_mark, keep_rows);
    tcase_add_test(tc, after_the_mark_nothing_is_trimmed);
    tcase_add_test(tc, a_flood_keeps_to_its_room);
    suite_add_tcase(suite, tc);
    sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? 1 : 0;
}
