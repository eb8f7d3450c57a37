/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * rsim_packets.c - chance, what answers are filled with, and packets. */
#include "sockmig/core/bigendian.h"
#include "sockmig/core/digest.h"
#include "tests/sim/rsim.h"

#include <string.h>

static uint64_t seed_state;

void
rsim_seed(uint64_t seed)
{
    seed_state = mix(seed + 1, 0x9e3779b97f4a7c15) | 1;
}

uint32_t
rsim_random(void)
{
    seed_state ^= seed_state << 13; /* xorshift64 */
    seed_state ^= seed_state >> 7;
    seed_state ^= seed_state << 17;
    return (uint32_t)(seed_state >> 24);
}

uint32_t
rsim_below(uint32_t n)
{
    return rsim_random() % n;
}

uint8_t
rsim_filler(uint32_t counter, uint32_t i)
{
    return (uint8_t)(counter * 31 + i * 7 + (i >> 8));
}

uint32_t
rsim_filler_size(uint32_t counter)
{
    uint32_t h = (uint32_t)mix(counter + 77, 0xa0761d6478bd642f);

    return h % 16 == 0 ? 3000 + h / 16 % 3000 : h / 16 % 300;
}

static size_t
tcp_header(uint8_t *t, const struct rsim_segment *s, uint16_t from, uint16_t to)
{
    size_t n = 20;

    memset(t, 0, 20);
    put_be16(t, from);
    put_be16(t + 2, to);
    put_be32(t + 4, s->seq);
    put_be32(t + 8, s->ack);
    t[13] = s->flags;
    put_be16(t + 14, s->window);
    if (s->flags & TCP_SYN && s->mss) {
        memcpy(t + n, "\2\4\0\0\3\3\0\1", 8);
        put_be16(t + n + 2, s->mss);
        t[n + 6] = s->wscale;
        n += 8;
    }
    if (s->tsval) {
        memcpy(t + n, "\1\1\10\12", 4);
        put_be32(t + n + 4, s->tsval);
        put_be32(t + n + 8, 0);
        n += 12;
    }
    t[12] = (uint8_t)(n / 4 << 4);
    return n;
}

size_t
rsim_build(uint8_t *p, const struct flow_key *key, enum packet_way way,
    const struct rsim_segment *s, bool unsummed)
{
    const uint8_t *from = way == PACKET_IN ? key->remote : key->local;
    const uint8_t *to = way == PACKET_IN ? key->local : key->remote;
    size_t ip = key->version == 4 ? 20 : 40, n, a = key->version == 4 ? 4 : 16;
    uint16_t ports[2] = { key->local_port, key->remote_port };

    memset(p, 0, ip);
    n = tcp_header(p + ip, s, ports[way == PACKET_IN], ports[way == PACKET_OUT]);
    if (s->size > 0)
        memcpy(p + ip + n, s->data, s->size);
    n += s->size;
    p[0] = key->version == 4 ? 0x45 : 0x60;
    put_be16(
        p + (key->version == 4 ? 2 : 4), (uint32_t)(key->version == 4 ? ip + n : n));
    p[key->version == 4 ? 9 : 6] = PACKET_TCP;
    memcpy(p + (key->version == 4 ? 12 : 8), from, a);
    memcpy(p + (key->version == 4 ? 12 : 8) + a, to, a);
    if (!unsummed)
        packet_complete(p, ip + n);
    return ip + n;
}
