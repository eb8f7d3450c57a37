/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/core/segment.h"

#include <string.h>

/* Where things lie in struct sockaddr_in and _in6 on Linux; the core includes no
 * system header. */
enum { FAMILY_V4 = 2, FAMILY_V6 = 10, PORT = 2, V4_ADDRESS = 4, V6_ADDRESS = 8 };
enum { TCP = 6, TCP_HEADER = 20, TIMESTAMP_OPTION = 12 };

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

static size_t
ip_header(uint8_t *p, bool v4, const uint8_t *from, const uint8_t *to, size_t payload)
{
    if (v4) {
        memset(p, 0, 20);
        p[0] = 0x45;
        put16(p + 2, (uint32_t)(20 + payload));
        p[6] = 0x40; /* don't fragment */
        p[8] = 64;
        p[9] = TCP;
        memcpy(p + 12, from, 4);
        memcpy(p + 16, to, 4);
        put16(p + 10, ~sum(0, p, 20) & 0xffff);
        return 20;
    }
    memset(p, 0, 40);
    p[0] = 0x60;
    put16(p + 4, (uint32_t)payload);
    p[6] = TCP;
    p[7] = 64;
    memcpy(p + 8, from, 16);
    memcpy(p + 24, to, 16);
    return 40;
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
    }
    return n;
}

size_t
segment_build(const struct segment *s, uint8_t *out)
{
    bool v4 = true;
    const uint8_t *from = address_bytes(s->from, &v4), *to;
    bool from_v4 = v4;
    size_t ip, tcp, addresses;
    uint32_t check;

    v4 = true;
    to = address_bytes(s->to, &v4);
    if (v4 != from_v4 || family(s->from) != family(s->to) ||
        (family(s->from) != FAMILY_V4 && family(s->from) != FAMILY_V6))
        return 0;
    tcp = TCP_HEADER + (s->timestamps ? TIMESTAMP_OPTION : 0);
    ip = ip_header(out, v4, from, to, tcp + s->size);
    tcp_header(out + ip, s);
    if (s->size > 0)
        memcpy(out + ip + tcp, s->data, s->size);
    addresses = v4 ? 4 : 16;
    check = sum(TCP + (uint32_t)(tcp + s->size), from, addresses);
    check = sum(check, to, addresses);
    put16(out + ip + 16, ~sum(check, out + ip, tcp + s->size) & 0xffff);
    return ip + tcp + s->size;
}
