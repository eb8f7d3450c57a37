/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check_packet.c - packets taken apart and made, and digests, claim by claim. */
#include "sockmig/core/digest.h"
#include "tests/suite.h"
#include "tests/unit/sample_packet.h"

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
    ck_assert(!pkt.fragment || packet_may_be_fragment(r->bytes, r->size));
    ck_assert_msg(packet_is_tcp(&pkt) == r->tcp && pkt.fragment == r->fragment &&
                      pkt.later == r->later && pkt.key.protocol == r->protocol &&
                      pkt.payload_size == r->payload,
        "%s", r->claim);
}
END_TEST

static const struct {
    uint8_t bytes[80];
    size_t size;
    uint32_t id, at;
    bool more;
} pieces[] = {
    { { 0x45, 0, 0, 32, 1, 2, 0x20, [9] = 17, [24] = 1, 0 }, 32, 0x102, 0, true },
    { { 0x45, 0, 0, 24, 1, 2, 0x3f, 0xff, [9] = 17 }, 24, 0x102, 65528, true },
    { { 0x45, 0, 0, 24, 1, 2, 0x01, 0, [9] = 1 }, 24, 0x102, 2048, false },
    { { 0x60, [5] = 28, [6] = 44, [40] = 6, 0, 8, 1, 1, 2, 3, 4 }, 68, 0x1020304, 2048,
        true },
    { { 0x60, [5] = 36, [6] = 0, [40] = 44, [48] = 6, 0, 0, 8, 1, 2, 3, 4 }, 76,
        0x1020304, 8, false },
};

START_TEST(a_fragment_says_where_it_belongs)
{
    struct packet pkt;

    ck_assert(packet_may_be_fragment(pieces[_i].bytes, pieces[_i].size));
    ck_assert(packet_parse(&pkt, PACKET_IN, pieces[_i].bytes, pieces[_i].size));
    ck_assert(pkt.fragment && pkt.fragment_id == pieces[_i].id);
    ck_assert_uint_eq(pkt.fragment_at, pieces[_i].at);
    ck_assert_uint_eq(pkt.more, pieces[_i].more);
}
END_TEST

START_TEST(both_ways_have_one_key)
{
    struct flow_key v6 = sample_flow;
    struct packet in, out;
    uint8_t p[100];

    v6.version = 6;
    for (int i = 0; i < 2; i++) {
        const struct flow_key *key = i ? &v6 : &sample_flow;

        ck_assert(packet_parse(
            &in, PACKET_IN, p, sample_segment(p, key, PACKET_IN, 7, 9, TCP_ACK, 3)));
        ck_assert(memcmp(&in.key, key, sizeof *key) == 0);
        ck_assert(in.tcp.seq == 7 && in.tcp.ack == 9 && packet_seq_end(&in) == 10);
        ck_assert(packet_parse(
            &out, PACKET_OUT, p, sample_segment(p, key, PACKET_OUT, 7, 9, TCP_FIN, 3)));
        ck_assert(memcmp(&out.key, key, sizeof *key) == 0);
        ck_assert(packet_seq_end(&out) == 11);
    }
}
END_TEST

START_TEST(checksums)
{
    struct flow_key key = sample_flow;
    uint8_t p[200];

    key.version = _i % 2 ? 4 : 6;
    for (uint32_t size = 0; size < 40; size++) {
        size_t n = sample_segment(p, &key, PACKET_IN, size, 1, TCP_ACK, size);

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
    size_t n = packet_synack(p, &sample_flow, &tcp);

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
    struct flow_key v6 = sample_flow;
    uint8_t p[PACKET_BUILT], quoted[PACKET_BUILT];
    size_t ip, n;

    v6.version = 6;
    for (int family = 0; family < 2; family++) {
        const struct flow_key *key = family ? &v6 : &sample_flow;

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

static bool
is_header_sound(const uint8_t *p)
{
    uint32_t sum = 0;

    for (int i = 0; i < 20; i += 2)
        sum += (uint32_t)(p[i] << 8 | p[i + 1]);
    return (sum & 0xffff) + (sum >> 16) == 0xffff;
}

/* Parts of a segment are the segment. */
START_TEST(a_segment_comes_in_parts)
{
    uint8_t whole[200], part[200], bytes[50];
    struct packet pkt, piece;
    struct flow_key key = { .version = _i ? 6 : 4,
        .protocol = PACKET_TCP,
        .local_port = 80,
        .remote_port = 4000,
        .local = { 10, 0, 0, 1 },
        .remote = { 10, 0, 0, 2 } };
    size_t n = packet_ack(whole, &key, PACKET_IN, UINT32_MAX - 20, 7, 100);

    for (size_t i = 0; i < sizeof bytes; i++)
        whole[n + i] = (uint8_t)i;
    n += sizeof bytes;
    whole[_i ? 5 : 3] = (uint8_t)(_i ? n - 40 : n);
    whole[(_i ? 40 : 20) + 13] |= TCP_FIN | TCP_PSH;
    ck_assert(packet_parse(&pkt, PACKET_IN, whole, n));
    for (uint32_t skip = 0, size; skip < sizeof bytes; skip += size) {
        bool last = skip == 48;
        size_t all;

        size = last ? 2 : 16;
        all = packet_part(part, &pkt, skip, size);
        ck_assert(packet_sound(part, all) && (_i || is_header_sound(part)));
        ck_assert(packet_parse(&piece, PACKET_IN, part, all) && piece.size == all);
        ck_assert_uint_eq(piece.tcp.seq, UINT32_MAX - 20 + skip);
        ck_assert_uint_eq(piece.tcp.ack, 7);
        ck_assert_uint_eq(piece.payload_size, size);
        ck_assert(memcmp(piece.payload, pkt.payload + skip, size) == 0);
        ck_assert(
            (piece.tcp.flags & (TCP_FIN | TCP_PSH)) == (last ? TCP_FIN | TCP_PSH : 0));
        ck_assert(memcmp(&piece.key, &pkt.key, sizeof pkt.key) == 0);
    }
}
END_TEST

START_TEST(a_probe_has_one_byte)
{
    struct flow_key key = { .version = 4,
        .protocol = PACKET_TCP,
        .local = { 10, 0, 0, 1 },
        .remote = { 10, 0, 0, 2 } };
    uint8_t p[PACKET_BUILT];
    size_t n = packet_probe(p, &key, PACKET_IN, 41, 7, 100);
    struct packet pkt;

    ck_assert(packet_sound(p, n) && packet_parse(&pkt, PACKET_IN, p, n));
    ck_assert(pkt.tcp.seq == 41 && pkt.payload_size == 1 && pkt.tcp.flags == TCP_ACK);
}
END_TEST

int
main(void)
{
    TCase *tc = tcase_create("cores");

    ADD_ROWS(tc, parses, parse_rows);
    ADD_ROWS(tc, a_fragment_says_where_it_belongs, pieces);
    tcase_add_test(tc, both_ways_have_one_key);
    tcase_add_loop_test(tc, checksums, 0, 2);
    tcase_add_test(tc, a_synack_says_what_it_was_told);
    tcase_add_test(tc, an_unreachable_quotes_the_segment);
    tcase_add_test(tc, a_digest_minds_bytes_not_pieces);
    tcase_add_loop_test(tc, a_segment_comes_in_parts, 0, 2);
    tcase_add_test(tc, a_probe_has_one_byte);
    return suite_run("packets", tc, NULL);
}
