/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/core/packet.h"

#include "sockmig/core/bigendian.h"
#include "sockmig/core/digest.h"

#include <string.h>

enum { HOP_BY_HOP = 0, ROUTING = 43, FRAGMENT = 44, AUTHENTICATION = 51, TO_END = 60 };
enum { MAX_EXTENSIONS = 8 };
enum {
    OPTION_END,
    OPTION_NOP,
    OPTION_MSS,
    OPTION_WSCALE,
    OPTION_SACK,
    OPTION_TIMESTAMPS = 8
};

static void
put_addresses(struct packet *pkt, enum packet_way way, const uint8_t *from,
    const uint8_t *to, size_t size)
{
    struct flow_key *key = &pkt->key;

    memset(key, 0, sizeof *key);
    key->version = pkt->data[0] >> 4;
    memcpy(key->local, way == PACKET_IN ? to : from, size);
    memcpy(key->remote, way == PACKET_IN ? from : to, size);
}

static bool
parse_v4(struct packet *pkt, enum packet_way way, const uint8_t *p, size_t size)
{
    uint32_t header, total, offset;

    if (size < 20)
        return false;
    header = (p[0] & 15u) * 4;
    total = be16(p + 2);
    if (header < 20 || total < header || total > size)
        return false;
    offset = be16(p + 6);
    pkt->size = total;
    pkt->transport = header;
    pkt->fragment = (offset & 0x3fff) != 0;
    pkt->later = (offset & 0x1fff) != 0;
    pkt->more = (offset & 0x2000) != 0;
    pkt->fragment_at = (uint16_t)(offset << 3);
    pkt->fragment_id = be16(p + 4);
    put_addresses(pkt, way, p + 12, p + 16, 4);
    pkt->key.protocol = p[9];
    return true;
}

/* Extension header @next at @at: its size, or 0 if it is none; *bad if it is cut. */
static uint32_t
extension(struct packet *pkt, const uint8_t *p, uint32_t at, uint8_t next, bool *bad)
{
    uint32_t size = 8;

    if (next != HOP_BY_HOP && next != ROUTING && next != FRAGMENT &&
        next != AUTHENTICATION && next != TO_END)
        return 0;
    *bad = at + size > pkt->size;
    if (*bad)
        return 0;
    if (next == FRAGMENT) {
        pkt->fragment = (be16(p + at + 2) & 0xfff9) != 0;
        pkt->later = (be16(p + at + 2) & 0xfff8) != 0;
        pkt->more = (p[at + 3] & 1) != 0;
        pkt->fragment_at = be16(p + at + 2) & 0xfff8;
        pkt->fragment_id = be32(p + at + 4);
    } else if (next == AUTHENTICATION) {
        size = (p[at + 1] + 2u) * 4;
    } else {
        size = (p[at + 1] + 1u) * 8;
    }
    *bad = at + size > pkt->size;
    return size;
}

static bool
parse_v6(struct packet *pkt, enum packet_way way, const uint8_t *p, size_t size)
{
    uint32_t at = 40, more, count = 0;
    uint8_t next;
    bool bad = false;

    if (size < at || be16(p + 4) + at > size)
        return false;
    pkt->size = be16(p + 4) + at;
    pkt->fragment = pkt->later = false;
    put_addresses(pkt, way, p + 8, p + 24, 16);
    next = p[6];
    while (!pkt->later && (more = extension(pkt, p, at, next, &bad)) > 0) {
        if (bad || ++count > MAX_EXTENSIONS)
            return false;
        next = p[at];
        at += more;
    }
    pkt->transport = at;
    pkt->key.protocol = next;
    return !bad;
}

static bool
tcp_options(struct packet_tcp *tcp, const uint8_t *p, const uint8_t *end)
{
    while (p < end && *p != OPTION_END) {
        size_t size;

        if (*p == OPTION_NOP) {
            p++;
            continue;
        }
        if (end - p < 2 || p[1] < 2 || p[1] > end - p)
            return false;
        size = p[1];
        if (*p == OPTION_TIMESTAMPS && size == 10) {
            tcp->timestamps = true;
            tcp->tsval = be32(p + 2);
            tcp->tsecr = be32(p + 6);
        } else if (*p == OPTION_MSS && size == 4) {
            tcp->mss = be16(p + 2);
        } else if (*p == OPTION_WSCALE && size == 3) {
            tcp->wscale = p[2] > 14 ? 14 : p[2]; /* RFC 7323, 2.3 */
        } else if (*p == OPTION_SACK && size == 2) {
            tcp->sack = true;
        }
        p += size;
    }
    return true;
}

static bool
parse_tcp(struct packet *pkt)
{
    const uint8_t *p = pkt->data + pkt->transport;
    uint32_t left = pkt->size - pkt->transport, header;

    if (left < 20)
        return false;
    header = (p[12] >> 4) * 4u;
    if (header < 20 || header > left)
        return false;
    pkt->tcp = (struct packet_tcp){ .seq = be32(p + 4),
        .ack = be32(p + 8),
        .window = be16(p + 14),
        .flags = p[13],
        .wscale = PACKET_NO_WSCALE };
    pkt->payload = p + header;
    pkt->payload_size = left - header;
    /* Options that cannot be read: the kernel uses those before, so do we. */
    tcp_options(&pkt->tcp, p + 20, p + header);
    return true;
}

static bool
parse_udp(struct packet *pkt)
{
    const uint8_t *p = pkt->data + pkt->transport;
    uint32_t left = pkt->size - pkt->transport, size;

    if (left < 8)
        return false;
    size = be16(p + 4);
    if (size < 8 || (size > left && !pkt->fragment))
        return false;
    pkt->payload = p + 8;
    pkt->payload_size = (size > left ? left : size) - 8;
    return true;
}

static bool
parse_transport(struct packet *pkt, enum packet_way way)
{
    const uint8_t *p = pkt->data + pkt->transport;
    uint8_t protocol = pkt->key.protocol;

    pkt->payload = p;
    pkt->payload_size = pkt->size - pkt->transport;
    if (pkt->later || (protocol != PACKET_TCP && protocol != PACKET_UDP))
        return true;
    if (pkt->payload_size < 4)
        return pkt->fragment;
    pkt->key.local_port = be16(p + (way == PACKET_IN ? 2 : 0));
    pkt->key.remote_port = be16(p + (way == PACKET_IN ? 0 : 2));
    if (protocol == PACKET_UDP)
        return parse_udp(pkt);
    return pkt->fragment || parse_tcp(pkt); /* of a first fragment: the ports alone */
}

bool
packet_parse(struct packet *pkt, enum packet_way way, const uint8_t *data, size_t size)
{
    bool ok;

    if (size < 1 || size > PACKET_MAX)
        return false;
    pkt->data = data;
    if (data[0] >> 4 == 4)
        ok = parse_v4(pkt, way, data, size);
    else
        ok = data[0] >> 4 == 6 && parse_v6(pkt, way, data, size);
    return ok && parse_transport(pkt, way);
}

/* One's complement sum; its byte order is that of the words it is made of. */
static uint64_t
sum(uint64_t s, const uint8_t *p, size_t n)
{
    uint32_t v;

    for (; n >= 4; n -= 4, p += 4) {
        memcpy(&v, p, 4);
        s += v;
    }
    v = 0;
    memcpy(&v, p, n);
    return s + v;
}

static uint16_t
fold(uint64_t s)
{
    while (s >> 16)
        s = (s & 0xffff) + (s >> 16);
    return (uint16_t)s;
}

/* Of the pseudo header and the transport part with the checksum that is in it. */
static uint16_t
transport_sum(const struct packet *pkt)
{
    const struct flow_key *key = &pkt->key;
    uint32_t size = pkt->size - pkt->transport;
    uint8_t pseudo[8] = { [3] = key->protocol };
    uint64_t s;

    put_be32(pseudo + 4, size);
    s = sum(0, pseudo, sizeof pseudo);
    s = sum(s, key->local, 16);
    s = sum(s, key->remote, 16);
    return fold(sum(s, pkt->data + pkt->transport, size));
}

/* Where the checksum is; 0: there is none to compute. */
static uint32_t
checksum_place(const struct packet *pkt)
{
    if (pkt->fragment)
        return 0;
    if (pkt->key.protocol == PACKET_TCP)
        return pkt->transport + 16;
    return pkt->key.protocol == PACKET_UDP ? pkt->transport + 6 : 0;
}

bool
packet_complete(uint8_t *data, size_t size)
{
    struct packet pkt;
    uint32_t at;
    uint16_t value = 0;

    if (!packet_parse(&pkt, PACKET_IN, data, size))
        return false;
    at = checksum_place(&pkt);
    if (at == 0)
        return true;
    memcpy(data + at, &value, 2);
    value = (uint16_t)~transport_sum(&pkt);
    if (value == 0 && pkt.key.protocol == PACKET_UDP)
        value = 0xffff; /* RFC 768: 0 would say that there is none */
    memcpy(data + at, &value, 2);
    return true;
}

bool
packet_sound(const uint8_t *data, size_t size)
{
    struct packet pkt;
    uint32_t at;

    if (!packet_parse(&pkt, PACKET_IN, data, size))
        return false;
    at = checksum_place(&pkt);
    if (at == 0 || (pkt.key.protocol == PACKET_UDP && be16(data + at) == 0))
        return true;
    return transport_sum(&pkt) == 0xffff;
}

bool
packet_set_tsecr(uint8_t *data, size_t size, uint32_t tsecr)
{
    struct packet pkt;
    uint8_t *p, *end;

    if (!packet_parse(&pkt, PACKET_IN, data, size) || !packet_is_tcp(&pkt) ||
        !pkt.tcp.timestamps)
        return false;
    p = data + pkt.transport + 20;
    end = data + (pkt.payload - data);
    while (p < end && (*p != OPTION_TIMESTAMPS || p[1] != 10))
        p += *p == OPTION_NOP ? 1 : p[1];
    if (end - p < 10)
        return false;
    put_be32(p + 6, tsecr);
    return packet_complete(data, size);
}

uint32_t
flow_key_hash(const struct flow_key *key, uint64_t seed)
{
    uint64_t w[5];

    memcpy(w, key, sizeof w);
    seed = mix(w[0] ^ seed ^ 0xa0761d6478bd642f, w[1] ^ 0xe7037ed1a0b428db);
    seed = mix(w[2] ^ seed, w[3] ^ 0x8ebc6af09c88c6e3);
    seed = mix(w[4] ^ seed, 0x589965cc75374cc3);
    return (uint32_t)(seed ^ seed >> 32);
}
