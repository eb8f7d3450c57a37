/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/scenario/handshake.h"

#include "lib/fd.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define MARGIN_MS 300 /* what a takeover adds to our clock */

static size_t
ip_size(const struct packet_seen *p)
{
    return p->bytes[0] >> 4 == 4 ? (p->bytes[0] & 15u) * 4 : sizeof(struct ip6_hdr);
}

static struct tcphdr *
tcp_of(const struct packet_seen *p)
{
    return (struct tcphdr *)(uintptr_t)(p->bytes + ip_size(p));
}

static uint32_t
sum(uint32_t s, const uint8_t *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        s += i & 1 ? b[i] : (uint32_t)b[i] << 8;
    return s;
}

/* The sender left it to its device. */
static void
complete(struct packet_seen *p)
{
    struct tcphdr *tcp = tcp_of(p);
    size_t size = p->size - ip_size(p);
    uint32_t s = p->bytes[0] >> 4 == 4 ? sum(0, p->bytes + 12, 8)
                                       : sum(0, p->bytes + 8, 32);

    tcp->check = 0;
    s = sum(s + IPPROTO_TCP + (uint32_t)size, (const uint8_t *)tcp, size);
    while (s >> 16)
        s = (s & 0xffff) + (s >> 16);
    tcp->check = htons((uint16_t)~s);
}

/* Of kind @kind, behind its length byte; NULL: there is none. */
static const uint8_t *
option(const struct packet_seen *p, uint8_t kind)
{
    const struct tcphdr *tcp = tcp_of(p);
    const uint8_t *at = (const uint8_t *)(tcp + 1), *end = at + tcp->doff * 4u - 20;

    while (at + 1 < end && *at != 0) {
        if (*at == kind)
            return at + 2;
        at += *at == 1 ? 1 : at[1];
    }
    return NULL;
}

static uint32_t
number(const uint8_t *at, unsigned size)
{
    uint32_t v = 0;

    while (size-- > 0)
        v = v << 8 | *at++;
    return v;
}

static void
agree(struct handshake *h)
{
    const struct packet_seen *s = &h->syn, *a = &h->syn_ack;
    struct reqsk_attributes *out = &h->attributes;

    out->remote_isn = ntohl(tcp_of(s)->seq);
    out->local_isn = ntohl(tcp_of(a)->seq);
    out->mss = (uint16_t)number(option(s, TCPOPT_MAXSEG), 2);
    out->wscale = option(s, TCPOPT_WINDOW) && option(a, TCPOPT_WINDOW);
    if (out->wscale) {
        out->snd_wscale = *option(s, TCPOPT_WINDOW);
        out->rcv_wscale = *option(a, TCPOPT_WINDOW);
    }
    out->sack = option(s, TCPOPT_SACK_PERMITTED) && option(a, TCPOPT_SACK_PERMITTED);
    out->timestamps = option(s, TCPOPT_TIMESTAMP) && option(a, TCPOPT_TIMESTAMP);
    if (out->timestamps) {
        out->remote_ts = number(option(s, TCPOPT_TIMESTAMP), 4);
        out->local_ts = number(option(a, TCPOPT_TIMESTAMP), 4) + MARGIN_MS;
    }
}

static void
name(struct handshake *h)
{
    const uint8_t *ip = h->syn.bytes;
    bool v4 = ip[0] >> 4 == 4;
    size_t n = v4 ? 4 : 16;

    h->key.family = v4 ? AF_INET : AF_INET6;
    memcpy(h->key.remote, ip + (v4 ? 12 : 8), n);
    memcpy(h->key.local, ip + (v4 ? 16 : 24), n);
    h->key.remote_port = ntohs(tcp_of(&h->syn)->source);
    h->key.local_port = ntohs(tcp_of(&h->syn)->dest);
}

static struct packet_seen *
place(struct handshake *h, const struct packet_seen *p)
{
    const struct tcphdr *tcp = tcp_of(p);
    bool data = p->size > ip_size(p) + tcp->doff * 4u;

    return tcp->syn ? tcp->ack ? &h->syn_ack : &h->syn : data ? &h->data : &h->ack;
}

/* Takes what is seen of TCP with @port until all four are there, for 3 s at most. */
static bool
watch(int sniffer, uint16_t port, struct handshake *h)
{
    struct pollfd p = { .fd = sniffer, .events = POLLIN };

    while (h->syn.size == 0 || h->syn_ack.size == 0 || h->ack.size == 0 ||
           h->data.size == 0) {
        struct packet_seen seen = { .size = 0 };
        struct tcphdr *tcp;
        ssize_t n;

        if (poll(&p, 1, 3000) != 1)
            return false;
        n = recv(sniffer, seen.bytes, sizeof seen.bytes, 0);
        if (n < 40 || seen.bytes[seen.bytes[0] >> 4 == 4 ? 9 : 6] != IPPROTO_TCP)
            continue;
        seen.size = (size_t)n;
        tcp = tcp_of(&seen);
        if (tcp->dest != htons(port) && tcp->source != htons(port))
            continue;
        complete(&seen);
        if (place(h, &seen)->size == 0)
            *place(h, &seen) = seen;
    }
    return true;
}

static int
sniff(const struct netlab *lab)
{
    struct sockaddr_ll at = { .sll_family = AF_PACKET,
        .sll_protocol = htons(ETH_P_ALL) };
    int s;

    netlab_enter(lab->client);
    at.sll_ifindex = (int)if_nametoindex("br0");
    s = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (s >= 0 && bind(s, (struct sockaddr *)&at, sizeof at) == 0)
        return s;
    fd_close(s);
    return -1;
}

int
handshake_make(const struct netlab *lab, int family, uint16_t port, struct handshake *h)
{
    struct sockaddr_storage a;
    socklen_t n = netlab_service(family, port, &a);
    int sniffer = sniff(lab), client = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = sniffer >= 0 && connect(client, (struct sockaddr *)&a, n) == 0;

    memset(h, 0, sizeof *h);
    netlab_plug(lab, "nobody");
    ok = ok && send(client, HANDSHAKE_DATA, 5, MSG_NOSIGNAL) == 5 &&
         watch(sniffer, port, h);
    if (ok) {
        agree(h);
        name(h);
    } else {
        fd_close(client);
        client = -1;
    }
    fd_close(sniffer);
    return client;
}

void
handshake_flags(
    const struct packet_seen *p, uint8_t flags, uint32_t by, struct packet_seen *out)
{
    struct tcphdr *tcp;

    *out = *p;
    tcp = tcp_of(out);
    tcp->seq = htonl(ntohl(tcp->seq) + by);
    ((uint8_t *)tcp)[13] = flags;
    complete(out);
}

void
handshake_shift(const struct packet_seen *p, uint32_t by, struct packet_seen *out)
{
    handshake_flags(p, ((const uint8_t *)tcp_of(p))[13], by, out);
}
