/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/core/segment.h"

#include <string.h>

/* Where things lie in struct sockaddr_in and _in6 on Linux; the core includes no
 * system header. */
enum { FAMILY_V4 = 2, FAMILY_V6 = 10, PORT = 2, V4_ADDRESS = 4, V6_ADDRESS = 8 };
enum { TCP = 6, UDP = 17, TCP_HEADER = 20, UDP_HEADER = 8, TIMESTAMP_OPTION = 12 };

#define SMALL_WINDOW 536u /* TCP_MSS_DEFAULT */

struct ends {
    const uint8_t *from, *to; /* bytes of the addresses */
    bool v4;
};

static void
put16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static void
put32(uint8_t *p, uint32_t v)
{
    put16(p, v >> 16);
    put16(p + 2, v & 0xffff);
}

static uint32_t
sum(uint32_t s, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i + 1 < n; i += 2) {
        s += (uint32_t)p[i] << 8 | p[i + 1];
        s = (s & 0xffff) + (s >> 16);
    }
    if (n & 1)
        s += (uint32_t)p[n - 1] << 8;
    while (s >> 16)
        s = (s & 0xffff) + (s >> 16);
    return s;
}

static uint16_t
family(const uint8_t *address)
{
    uint16_t f;

    memcpy(&f, address, sizeof f);
    return f;
}

/* The address's bytes; *v4 is cleared if it is a real IPv6 one. */
static const uint8_t *
address_bytes(const uint8_t *address, bool *v4)
{
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

    if (family(address) == FAMILY_V4)
        return address + V4_ADDRESS;
    if (memcmp(address + V6_ADDRESS, mapped, sizeof mapped) == 0)
        return address + V6_ADDRESS + sizeof mapped;
    *v4 = false;
    return address + V6_ADDRESS;
}

/* False if the two are of different families, or not of IP. */
static bool
find_ends(const uint8_t *from, const uint8_t *to, struct ends *e)
{
    bool from_v4 = true, to_v4 = true;

    if (family(from) != family(to) ||
        (family(from) != FAMILY_V4 && family(from) != FAMILY_V6))
        return false;
    e->from = address_bytes(from, &from_v4);
    e->to = address_bytes(to, &to_v4);
    e->v4 = from_v4;
    return from_v4 == to_v4;
}

static size_t
ip_header(uint8_t *p, const struct ends *e, uint8_t protocol, size_t payload)
{
    if (e->v4) {
        memset(p, 0, 20);
        p[0] = 0x45;
        put16(p + 2, (uint32_t)(20 + payload));
        p[6] = 0x40; /* don't fragment */
        p[8] = 64;
        p[9] = protocol;
        memcpy(p + 12, e->from, 4);
        memcpy(p + 16, e->to, 4);
        put16(p + 10, ~sum(0, p, 20) & 0xffff);
        return 20;
    }
    memset(p, 0, 40);
    p[0] = 0x60;
    put16(p + 4, (uint32_t)payload);
    p[6] = protocol;
    p[7] = 64;
    memcpy(p + 8, e->from, 16);
    memcpy(p + 24, e->to, 16);
    return 40;
}

/* With the pseudo header, of @n bytes at @p. */
static uint16_t
checksum(const struct ends *e, uint8_t protocol, const uint8_t *p, size_t n)
{
    size_t addresses = e->v4 ? 4 : 16;
    uint32_t s = sum(protocol + (uint32_t)n, e->from, addresses);

    s = sum(s, e->to, addresses);
    return (uint16_t)~sum(s, p, n);
}

static size_t
tcp_header(uint8_t *p, const struct segment *s)
{
    size_t n = TCP_HEADER + (s->timestamps ? TIMESTAMP_OPTION : 0);

    memset(p, 0, n);
    memcpy(p, s->from + PORT, 2);
    memcpy(p + 2, s->to + PORT, 2);
    put32(p + 4, s->seq);
    put32(p + 8, s->ack);
    p[12] = (uint8_t)(n / 4 << 4);
    p[13] = s->flags;
    put16(p + 14, s->window);
    if (s->timestamps) {
        memcpy(p + TCP_HEADER, "\1\1\10\12", 4); /* NOP NOP, kind 8, length 10 */
        put32(p + TCP_HEADER + 4, s->timestamp);
        put32(p + TCP_HEADER + 8, s->echo);
    }
    return n;
}

uint32_t
segment_limit(uint32_t mss, uint32_t window)
{
    uint32_t most = window > SMALL_WINDOW ? window / 2 : window;

    return most > 0 && most < mss ? most : mss;
}

size_t
segment_build(const struct segment *s, uint8_t *out)
{
    struct ends e;
    size_t ip, tcp;

    if (!find_ends(s->from, s->to, &e))
        return 0;
    tcp = TCP_HEADER + (s->timestamps ? TIMESTAMP_OPTION : 0);
    ip = ip_header(out, &e, TCP, tcp + s->size);
    tcp_header(out + ip, s);
    if (s->size > 0)
        memcpy(out + ip + tcp, s->data, s->size);
    put16(out + ip + 16, checksum(&e, TCP, out + ip, tcp + s->size));
    return ip + tcp + s->size;
}

size_t
datagram_build(const struct datagram *d, uint8_t *out)
{
    struct ends e;
    uint32_t udp = UDP_HEADER + d->size;
    uint16_t check;
    size_t ip;

    if (!find_ends(d->from, d->to, &e) || udp > (e.v4 ? 65535u - 20 : 65535u))
        return 0;
    ip = ip_header(out, &e, UDP, udp);
    memcpy(out + ip, d->from + PORT, 2);
    memcpy(out + ip + 2, d->to + PORT, 2);
    put16(out + ip + 4, udp);
    put16(out + ip + 6, 0);
    if (d->size > 0)
        memcpy(out + ip + UDP_HEADER, d->data, d->size);
    check = checksum(&e, UDP, out + ip, udp);
    put16(out + ip + 6, check ? check : 0xffff); /* 0 would say: none */
    return ip + udp;
}
