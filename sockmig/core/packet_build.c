/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * packet_build.c - keys from socket addresses, and segments made up from keys. */
#include "sockmig/core/bigendian.h"
#include "sockmig/core/packet.h"
#include "sockmig/core/segment.h"

#include <string.h>

/* Where things lie in struct sockaddr_in and _in6 on Linux; the core includes no
 * system header. */
enum { ICMP_V4 = 1, ICMP_V6 = 58 };
enum { FAMILY_V4 = 2, FAMILY_V6 = 10, PORT = 2, V4_ADDRESS = 4, V6_ADDRESS = 8 };

static uint16_t
family_of(const uint8_t *address)
{
    uint16_t family;

    memcpy(&family, address, sizeof family);
    return family;
}

/* The IP version of the packets between such addresses; 0: not IP. */
static uint8_t
put_address(const uint8_t *address, uint8_t out[16])
{
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
    uint16_t family = family_of(address);

    if (family == FAMILY_V4) {
        memcpy(out, address + V4_ADDRESS, 4);
        return 4;
    }
    if (family != FAMILY_V6)
        return 0;
    if (memcmp(address + V6_ADDRESS, mapped, sizeof mapped) == 0) {
        memcpy(out, address + V6_ADDRESS + sizeof mapped, 4);
        return 4;
    }
    memcpy(out, address + V6_ADDRESS, 16);
    return 6;
}

bool
flow_key_tcp(struct flow_key *key, const uint8_t local[28], const uint8_t remote[28])
{
    memset(key, 0, sizeof *key);
    key->protocol = PACKET_TCP;
    key->local_port = be16(local + PORT);
    key->remote_port = be16(remote + PORT);
    key->version = put_address(local, key->local);
    return key->version != 0 && put_address(remote, key->remote) == key->version;
}

static void
socket_address(uint8_t out[28], uint8_t version, const uint8_t *address, uint16_t port)
{
    uint16_t family = version == 4 ? FAMILY_V4 : FAMILY_V6;

    memset(out, 0, 28);
    memcpy(out, &family, sizeof family);
    put_be16(out + PORT, port);
    if (version == 4)
        memcpy(out + V4_ADDRESS, address, 4);
    else
        memcpy(out + V6_ADDRESS, address, 16);
}

static size_t
build(uint8_t *out, const struct flow_key *flow, enum packet_way way, struct segment s)
{
    uint8_t local[28], remote[28];

    socket_address(local, flow->version, flow->local, flow->local_port);
    socket_address(remote, flow->version, flow->remote, flow->remote_port);
    s.from = way == PACKET_IN ? remote : local;
    s.to = way == PACKET_IN ? local : remote;
    return segment_build(&s, out);
}

size_t
packet_ack(uint8_t *out, const struct flow_key *flow, enum packet_way way, uint32_t seq,
    uint32_t ack, uint16_t window)
{
    struct segment s = {
        .seq = seq, .ack = ack, .flags = SEGMENT_ACK, .window = window
    };

    return build(out, flow, way, s);
}

size_t
packet_probe(uint8_t *out, const struct flow_key *flow, enum packet_way way,
    uint32_t seq, uint32_t ack, uint16_t window)
{
    static const uint8_t byte;
    struct segment s = { .seq = seq,
        .ack = ack,
        .flags = SEGMENT_ACK,
        .window = window,
        .data = &byte,
        .size = 1 };

    return build(out, flow, way, s);
}

size_t
packet_rst(uint8_t *out, const struct flow_key *flow, enum packet_way way, uint32_t seq,
    uint32_t ack)
{
    struct segment s = { .seq = seq, .ack = ack, .flags = TCP_RST | TCP_ACK };

    return build(out, flow, way, s);
}

/* The IPv4 header's own checksum, once its length was changed. */
static void
packet_complete_ip(uint8_t *p)
{
    uint32_t sum = 0;

    if (p[0] >> 4 != 4)
        return;
    put_be16(p + 10, 0);
    for (int i = 0; i < (p[0] & 15) * 4; i += 2)
        sum += be16(p + i);
    sum = (sum & 0xffff) + (sum >> 16);
    sum += sum >> 16;
    put_be16(p + 10, ~sum & 0xffff);
}

size_t
packet_part(uint8_t *out, const struct packet *pkt, uint32_t skip, uint32_t size)
{
    uint32_t head = (uint32_t)(pkt->payload - pkt->data), all = head + size;
    bool v4 = pkt->key.version == 4;

    memcpy(out, pkt->data, head);
    memcpy(out + head, pkt->payload + skip, size);
    put_be16(out + (v4 ? 2 : 4), v4 ? all : all - 40);
    put_be32(out + pkt->transport + 4, pkt->tcp.seq + skip);
    if (skip + size < pkt->payload_size)
        out[pkt->transport + 13] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
    packet_complete_ip(out);
    packet_complete(out, all);
    return all;
}

/* ICMP has its checksum at bytes 2 and 3; that of IPv6 sums a pseudo header as well. */
static void
complete_icmp(const struct flow_key *flow, uint8_t *icmp, uint32_t size)
{
    uint32_t sum = 0;

    put_be16(icmp + 2, 0);
    for (uint32_t i = 0; i < size; i += 2)
        sum += be16(icmp + i);
    if (flow->version == 6) {
        sum += size + ICMP_V6;
        for (int i = 0; i < 16; i += 2)
            sum += be16(flow->local + i) + be16(flow->remote + i);
    }
    sum = (sum & 0xffff) + (sum >> 16);
    sum += sum >> 16;
    put_be16(icmp + 2, ~sum & 0xffff);
}

size_t
packet_unreachable(uint8_t *out, const struct flow_key *flow, uint32_t seq)
{
    uint8_t about[PACKET_BUILT], *icmp;
    size_t ip = packet_ack(about, flow, PACKET_IN, seq, 0, 0) - 20, size = 8 + ip + 8;

    packet_ack(out, flow, PACKET_OUT, 0, 0, 0);
    icmp = out + ip;
    memset(icmp, 0, 8);
    memcpy(icmp + 8, about, ip + 8); /* its IP header, ports and sequence number */
    if (flow->version == 4) {
        icmp[0] = 3;
        icmp[1] = 1;
        out[9] = ICMP_V4;
        put_be16(out + 2, (uint32_t)(ip + size));
    } else {
        icmp[0] = 1;
        out[6] = ICMP_V6;
        put_be16(out + 4, (uint32_t)size);
    }
    complete_icmp(flow, icmp, (uint32_t)size);
    packet_complete_ip(out);
    return ip + size;
}

static uint8_t *
put_option(uint8_t *p, uint8_t kind, uint8_t size)
{
    p[0] = kind;
    p[1] = size;
    return p + 2;
}

static size_t
synack_options(uint8_t *at, const struct packet_tcp *tcp)
{
    uint8_t *p = at;

    if (tcp->mss > 0) {
        put_be16(put_option(p, 2, 4), tcp->mss);
        p += 4;
    }
    if (tcp->sack)
        p = put_option(p, 4, 2);
    if (tcp->timestamps) {
        put_be32(put_option(p, 8, 10), tcp->tsval);
        put_be32(p + 6, tcp->tsecr);
        p += 10;
    }
    if (tcp->wscale != PACKET_NO_WSCALE) {
        *put_option(p, 3, 3) = tcp->wscale;
        p += 3;
    }
    while ((p - at) % 4 != 0)
        *p++ = 1; /* NOP */
    return (size_t)(p - at);
}

size_t
packet_synack(uint8_t *out, const struct flow_key *flow, const struct packet_tcp *tcp)
{
    size_t n = packet_ack(out, flow, PACKET_OUT, tcp->seq, tcp->ack, tcp->window);
    size_t ip = n - 20, more = synack_options(out + n, tcp);

    n += more;
    out[ip + 12] = (uint8_t)((20 + more) / 4 << 4);
    out[ip + 13] = TCP_SYN | TCP_ACK;
    put_be16(out + (flow->version == 4 ? 2 : 4),
        (uint32_t)(flow->version == 4 ? n : n - 40));
    packet_complete_ip(out);
    packet_complete(out, n);
    return n;
}
