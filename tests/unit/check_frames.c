/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check_frames.c - the frames that announce a virtual address, and its MAC. */
#include "sockmig/core/frames.h"
#include "tests/suite.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const uint8_t mac[6] = { 0x02, 0x11, 0x22, 0x33, 0x44, 0x55 };
static const uint8_t ip4[4] = { 10, 77, 0, 100 };
static const uint8_t ip6[16] = { 0xfd, 0x77, [13] = 0xab, 0xcd, 0xef };

enum kind { ARP_REQUEST, ARP_REPLY, ARP_PROBE, NA, NS_PROBE, MLD };

static void
build(struct frame *f, enum kind kind)
{
    if (kind == NA)
        frames_na(f, mac, ip6);
    else if (kind == MLD)
        frames_mld(f, mac, ip6);
    else if (kind == ARP_PROBE)
        frames_arp_probe(f, mac, ip4);
    else if (kind == NS_PROBE)
        frames_ns_probe(f, mac, ip6);
    else
        frames_arp(f, mac, ip4, kind == ARP_REPLY);
}

/* clang-format off */
/* One row per claim: @size bytes at @offset of the frame. */
static const struct {
    const char *claim;
    enum kind kind;
    size_t offset, size;
    uint8_t bytes[16];
} rows[] = {
    { "a request goes to everyone", ARP_REQUEST, 0, 6, { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } },
    { "a frame comes from the service", ARP_REQUEST, 6, 6, { 0x02, 0x11, 0x22, 0x33, 0x44, 0x55 } },
    { "a request is ARP for IPv4 on Ethernet", ARP_REQUEST, 12, 10, { 8, 6, 0, 1, 8, 0, 6, 4, 0, 1 } },
    { "a request has the address as sender", ARP_REQUEST, 28, 4, { 10, 77, 0, 100 } },
    { "a request knows no target MAC", ARP_REQUEST, 32, 6, { 0 } },
    { "a request asks for the same address", ARP_REQUEST, 38, 4, { 10, 77, 0, 100 } },
    { "a reply is a reply", ARP_REPLY, 20, 2, { 0, 2 } },
    { "a reply says the MAC twice", ARP_REPLY, 32, 6, { 0x02, 0x11, 0x22, 0x33, 0x44, 0x55 } },
    { "a probe is a request", ARP_PROBE, 20, 2, { 0, 1 } },
    { "a probe comes from nobody", ARP_PROBE, 28, 4, { 0 } },
    { "a probe asks for the address", ARP_PROBE, 38, 4, { 10, 77, 0, 100 } },
    { "a solicitation goes to the solicited-node group", NS_PROBE, 0, 6,
        { 0x33, 0x33, 0xff, 0xab, 0xcd, 0xef } },
    { "a solicitation comes from nobody", NS_PROBE, 22, 16, { 0 } },
    { "a solicitation is to the solicited-node group", NS_PROBE, 38, 16,
        { 0xff, 0x02, [11] = 1, 0xff, 0xab, 0xcd, 0xef } },
    { "a solicitation asks for the address", NS_PROBE, 62, 16, { 0xfd, 0x77, [13] = 0xab, 0xcd, 0xef } },
    { "an advertisement goes to all nodes", NA, 0, 6, { 0x33, 0x33, 0, 0, 0, 1 } },
    { "an advertisement is 32 bytes of ICMPv6", NA, 18, 3, { 0, 32, 58 } },
    { "an advertisement has hop limit 255", NA, 21, 1, { 255 } },
    { "an advertisement comes from the address", NA, 22, 16, { 0xfd, 0x77, [13] = 0xab, 0xcd, 0xef } },
    { "an advertisement is to ff02::1", NA, 38, 16, { 0xff, 0x02, [15] = 1 } },
    { "an advertisement is unsolicited and overrides", NA, 58, 4, { 0x20, 0, 0, 0 } },
    { "an advertisement is for the address", NA, 62, 16, { 0xfd, 0x77, [13] = 0xab, 0xcd, 0xef } },
    { "an advertisement carries the MAC", NA, 78, 8, { 2, 1, 0x02, 0x11, 0x22, 0x33, 0x44, 0x55 } },
    { "a report goes to all MLDv2 routers", MLD, 0, 6, { 0x33, 0x33, 0, 0, 0, 0x16 } },
    { "a report has hop limit 1", MLD, 21, 1, { 1 } },
    { "a report comes from the MAC's link-local address", MLD, 22, 16,
        { 0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0x00, 0x11, 0x22, 0xff, 0xfe, 0x33, 0x44, 0x55 } },
    { "a report has the router alert", MLD, 54, 8, { 58, 0, 5, 2, 0, 0, 1, 0 } },
    { "a report is MLDv2", MLD, 62, 1, { 143 } },
    { "a report has one record: exclude none", MLD, 68, 6, { 0, 1, 4, 0, 0, 0 } },
    { "a report is for the solicited-node group", MLD, 74, 16,
        { 0xff, 0x02, [11] = 1, 0xff, 0xab, 0xcd, 0xef } },
};

static const struct {
    enum kind kind;
    size_t size;
    size_t icmp; /* where a checksum begins; 0: none */
} shapes[] = { { ARP_REQUEST, 42, 0 }, { ARP_REPLY, 42, 0 }, { ARP_PROBE, 42, 0 }, { NA, 86, 54 },
    { NS_PROBE, 78, 54 }, { MLD, 90, 62 } };

static const struct {
    const char *claim;
    enum kind kind; /* of the frame */
    bool six, mine; /* which address is looked for; is it that of the frame? */
    size_t cut;     /* bytes that are missing at its end */
    bool claims;
} claims[] = {
    { "a gratuitous request claims its address", ARP_REQUEST, false, true, 0, true },
    { "a gratuitous reply claims its address", ARP_REPLY, false, true, 0, true },
    { "another's probe claims its address", ARP_PROBE, false, true, 0, true },
    { "an advertisement claims its address", NA, true, true, 0, true },
    { "another's solicitation claims its address", NS_PROBE, true, true, 0, true },
    { "other addresses are not claimed by ARP", ARP_REPLY, false, false, 0, false },
    { "other addresses are not probed by ARP", ARP_PROBE, false, false, 0, false },
    { "other addresses are not claimed by ND", NA, true, false, 0, false },
    { "a multicast report claims nothing", MLD, true, true, 0, false },
    { "a short ARP packet claims nothing", ARP_REPLY, false, true, 1, false },
    { "a frame without its target claims nothing", NA, true, true, 10, false },
};
/* clang-format on */

START_TEST(bytes)
{
    struct frame f;

    build(&f, rows[_i].kind);
    ck_assert_msg(memcmp(f.bytes + rows[_i].offset, rows[_i].bytes, rows[_i].size) == 0,
        "%s", rows[_i].claim);
}
END_TEST

START_TEST(claim)
{
    uint8_t address[16], from[6] = { 0 };
    struct frame f;

    build(&f, claims[_i].kind);
    if (claims[_i].six)
        memcpy(address, ip6, 16);
    else
        memcpy(address, ip4, 4);
    address[1] ^= claims[_i].mine ? 0 : 1;
    ck_assert_msg(frames_claims(f.bytes, f.size - claims[_i].cut, claims[_i].six,
                      address, from) == claims[_i].claims,
        "%s", claims[_i].claim);
    if (claims[_i].claims)
        ck_assert_mem_eq(from, mac, 6);
}
END_TEST

START_TEST(shape)
{
    struct frame f;
    uint8_t pseudo[40] = { 0 };
    size_t icmp = shapes[_i].icmp;

    build(&f, shapes[_i].kind);
    ck_assert_uint_eq(f.size, shapes[_i].size);
    if (!icmp)
        return;
    ck_assert_uint_eq((size_t)(f.bytes[18] << 8 | f.bytes[19]), f.size - 54);
    memcpy(pseudo, f.bytes + 22, 32);
    pseudo[35] = (uint8_t)(f.size - icmp);
    pseudo[39] = 58;
    /* RFC 1071: a message with its right checksum sums up to all ones */
    ck_assert_uint_eq(
        frames_sum16(frames_sum16(0, pseudo, 40), f.bytes + icmp, f.size - icmp),
        0xffff);
}
END_TEST

START_TEST(checksum_of_a_known_message)
{
    /* A router solicitation from :: to ff02::2, checksum as tcpdump verifies it. */
    static const uint8_t message[40 + 8] = { [16] = 0xff,
        0x02,
        [31] = 2,
        [35] = 8,
        [39] = 58,
        [40] = 133,
        [42] = 0x7b,
        [43] = 0xb8 };

    ck_assert_uint_eq(frames_sum16(0, message, sizeof message), 0xffff);
    ck_assert_uint_eq(frames_sum16(0, (const uint8_t *)"\1\2\3", 3), 0x0402);
}
END_TEST

START_TEST(mac_address)
{
    uint8_t a[6], b[6], again[6];

    frames_mac("north", "web", a);
    frames_mac("north", "web", again);
    frames_mac("northw", "eb", b);
    ck_assert_msg(memcmp(a, again, 6) == 0, "the same names give the same MAC");
    ck_assert_msg(memcmp(a, b, 6) != 0, "where the names part makes a difference");
    ck_assert_msg((a[0] & 3) == 2, "a MAC is unicast and locally administered");
    for (int i = 0; i < 10000; i++) {
        char name[16];

        snprintf(name, sizeof name, "s%d", i);
        frames_mac("north", name, b);
        ck_assert_msg(memcmp(a, b, 6) != 0, "%s has the MAC of web", name);
    }
    /* Nodes of different releases must agree: it never changes. */
    ck_assert_msg(memcmp(a, (uint8_t[]){ 0x02, 0x78, 0xf2, 0xa5, 0xb3, 0x86 }, 6) == 0,
        "the hash is stable");
}
END_TEST

int
main(void)
{
    TCase *tc = tcase_create("frames");

    ADD_ROWS(tc, bytes, rows);
    ADD_ROWS(tc, shape, shapes);
    ADD_ROWS(tc, claim, claims);
    tcase_add_test(tc, checksum_of_a_known_message);
    tcase_add_test(tc, mac_address);
    return suite_run("frames", tc, NULL);
}
