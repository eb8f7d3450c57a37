/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/core/frames.h"

#include "lib/core/fnv.h"

#include <string.h>

enum { ETHERTYPE_ARP4 = 0x0806, ETHERTYPE_IP6 = 0x86dd };
enum { NEXT_HOP_BY_HOP = 0, NEXT_ICMP6 = 58 };
enum { ICMP6_SOLICIT = 135, ICMP6_ADVERT = 136, ICMP6_MLD2_REPORT = 143 };

static void
put(struct frame *f, const void *data, size_t n)
{
    memcpy(f->bytes + f->size, data, n);
    f->size += n;
}

static void
put8(struct frame *f, uint8_t v)
{
    f->bytes[f->size++] = v;
}

static void
put16(struct frame *f, uint16_t v)
{
    put8(f, (uint8_t)(v >> 8));
    put8(f, (uint8_t)v);
}

static void
ethernet(struct frame *f, const uint8_t to[6], const uint8_t from[6], uint16_t type)
{
    memset(f, 0, sizeof *f);
    put(f, to, 6);
    put(f, from, 6);
    put16(f, type);
}

static uint64_t
fnv1a(uint64_t hash, const char *name) /* the NUL is hashed too: it separates names */
{
    return fnv_bytes(hash, name, strlen(name) + 1);
}

void
frames_mac(const char *cluster, const char *service, uint8_t mac[6])
{
    uint64_t hash = fnv1a(fnv1a(FNV_BASIS, cluster), service);

    hash ^= hash >> 32; /* the low bits of the product mix worst */
    mac[0] = 0x02;
    for (int i = 1; i < 6; i++)
        mac[i] = (uint8_t)(hash >> (8 * (5 - i)));
}

uint32_t
frames_hash(const char *name)
{
    uint64_t hash = fnv1a(FNV_BASIS, name);

    return (uint32_t)(hash ^ (hash >> 32));
}

uint16_t
frames_sum16(uint32_t sum, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i + 1 < size; i += 2)
        sum += (uint32_t)(data[i] << 8 | data[i + 1]);
    if (size % 2)
        sum += (uint32_t)data[size - 1] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

static const uint8_t nobody[16];

static void
arp(struct frame *f, uint16_t operation, const uint8_t mac[6], const uint8_t from[4],
    const uint8_t target_mac[6], const uint8_t target[4])
{
    static const uint8_t everyone[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

    ethernet(f, everyone, mac, ETHERTYPE_ARP4);
    put16(f, 1);      /* Ethernet */
    put16(f, 0x0800); /* IPv4 */
    put8(f, 6);
    put8(f, 4);
    put16(f, operation);
    put(f, mac, 6);
    put(f, from, 4);
    put(f, target_mac, 6);
    put(f, target, 4);
}

void
frames_arp(struct frame *f, const uint8_t mac[6], const uint8_t address[4], bool reply)
{
    arp(f, reply ? 2 : 1, mac, address, reply ? mac : nobody, address);
}

void
frames_arp_probe(struct frame *f, const uint8_t mac[6], const uint8_t address[4])
{
    arp(f, 1, mac, nobody, nobody, address);
}

static void
ip6(struct frame *f, uint16_t payload, uint8_t next, uint8_t hop_limit,
    const uint8_t from[16], const uint8_t to[16])
{
    put16(f, 0x6000);
    put16(f, 0);
    put16(f, payload);
    put8(f, next);
    put8(f, hop_limit);
    put(f, from, 16);
    put(f, to, 16);
}

/* The checksum of the ICMPv6 message that begins at @at and ends the frame, over the
 * pseudo-header of RFC 8200 section 8.1. */
static void
icmp6_checksum(struct frame *f, size_t at)
{
    size_t length = f->size - at;
    uint32_t sum = NEXT_ICMP6 + (uint32_t)length;
    uint16_t check;

    sum = frames_sum16(sum, f->bytes + 22, 32); /* both addresses */
    check = (uint16_t)~frames_sum16(sum, f->bytes + at, length);
    f->bytes[at + 2] = (uint8_t)(check >> 8);
    f->bytes[at + 3] = (uint8_t)check;
}

void
frames_na(struct frame *f, const uint8_t mac[6], const uint8_t address[16])
{
    static const uint8_t all_nodes_mac[6] = { 0x33, 0x33, 0, 0, 0, 1 };
    static const uint8_t all_nodes[16] = { 0xff, 0x02, [15] = 1 };
    size_t icmp;

    ethernet(f, all_nodes_mac, mac, ETHERTYPE_IP6);
    ip6(f, 32, NEXT_ICMP6, 255, address, all_nodes);
    icmp = f->size;
    put8(f, ICMP6_ADVERT);
    put8(f, 0);
    put16(f, 0);      /* checksum */
    put16(f, 0x2000); /* override */
    put16(f, 0);
    put(f, address, 16);
    put8(f, 2); /* option: target link-layer address */
    put8(f, 1);
    put(f, mac, 6);
    icmp6_checksum(f, icmp);
}

void
frames_ns_probe(struct frame *f, const uint8_t mac[6], const uint8_t address[16])
{
    const uint8_t group_mac[6] = { 0x33, 0x33, 0xff, address[13], address[14],
        address[15] };
    const uint8_t group[16] = { 0xff, 0x02, [11] = 1, 0xff, address[13], address[14],
        address[15] };
    size_t icmp;

    ethernet(f, group_mac, mac, ETHERTYPE_IP6);
    ip6(f, 24, NEXT_ICMP6, 255, nobody, group);
    icmp = f->size;
    put8(f, ICMP6_SOLICIT);
    put8(f, 0);
    put16(f, 0); /* checksum */
    put16(f, 0);
    put16(f, 0);
    put(f, address, 16);
    icmp6_checksum(f, icmp);
}

enum { ARP_AT = 14, ICMP6_AT = 54, TARGET_AT = 62 };

static bool
arp_claims(const uint8_t *frame, size_t size, const uint8_t *address)
{
    const uint8_t *from = frame + ARP_AT + 14, *target = frame + ARP_AT + 24;

    if (size < ARP_AT + 28)
        return false;
    return !memcmp(from, address, 4) ||
           (!memcmp(from, nobody, 4) && !memcmp(target, address, 4));
}

static bool
nd_claims(const uint8_t *frame, size_t size, const uint8_t *address)
{
    if (size < TARGET_AT + 16 || frame[20] != NEXT_ICMP6 ||
        memcmp(frame + TARGET_AT, address, 16) != 0)
        return false;
    return frame[ICMP6_AT] == ICMP6_ADVERT ||
           (frame[ICMP6_AT] == ICMP6_SOLICIT && !memcmp(frame + 22, nobody, 16));
}

bool
frames_claims(
    const uint8_t *frame, size_t size, bool six, const uint8_t *address, uint8_t mac[6])
{
    uint16_t type = size < ARP_AT ? 0 : (uint16_t)(frame[12] << 8 | frame[13]);

    if (six ? type != ETHERTYPE_IP6 || !nd_claims(frame, size, address)
            : type != ETHERTYPE_ARP4 || !arp_claims(frame, size, address))
        return false;
    memcpy(mac, frame + 6, 6);
    return true;
}

void
frames_mld(struct frame *f, const uint8_t mac[6], const uint8_t address[16])
{
    static const uint8_t reports_mac[6] = { 0x33, 0x33, 0, 0, 0, 0x16 };
    static const uint8_t reports[16] = { 0xff, 0x02, [15] = 0x16 };
    static const uint8_t alert[8] = { NEXT_ICMP6, 0, 5, 2, 0, 0, 1, 0 };
    uint8_t from[16] = { 0xfe, 0x80, 0, 0, 0, 0, 0, 0, mac[0] ^ 2, mac[1], mac[2], 0xff,
        0xfe, mac[3], mac[4], mac[5] };
    uint8_t group[16] = { 0xff, 0x02, [11] = 1, 0xff, address[13], address[14],
        address[15] };
    size_t icmp;

    ethernet(f, reports_mac, mac, ETHERTYPE_IP6);
    ip6(f, 36, NEXT_HOP_BY_HOP, 1, from, reports);
    put(f, alert, sizeof alert);
    icmp = f->size;
    put8(f, ICMP6_MLD2_REPORT);
    put8(f, 0);
    put16(f, 0); /* checksum */
    put16(f, 0);
    put16(f, 1); /* records */
    put8(f, 4);  /* change to: exclude none */
    put8(f, 0);
    put16(f, 0);
    put(f, group, 16);
    icmp6_checksum(f, icmp);
}
