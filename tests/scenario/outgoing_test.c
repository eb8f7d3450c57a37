/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * outgoing_test.c - what is sent past the sockets at an opening: whole and in order,
 * but never so much in one go that the main thread would miss its beats. */
#include "sockmig/outgoing.h"
#include "tests/scenario/claims.h"
#include "tests/scenario/netlab.h"

#include <arpa/inet.h>
#include <netinet/ip.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PORT 7007
#define PACKETS 250
#define AT_ONCE 100

struct headers {
    struct iphdr ip;
    uint8_t transport[20]; /* of TCP; UDP has 8 of them */
};

static struct headers
headers(uint8_t protocol, size_t size)
{
    struct headers h = { .ip = { .version = 4, .ihl = 5, .ttl = 64 } };
    uint16_t ports[] = { htons(9009), htons(PORT) };

    h.ip.protocol = protocol;
    h.ip.tot_len = htons((uint16_t)size);
    h.ip.saddr = h.ip.daddr = htonl(INADDR_LOOPBACK);
    memcpy(h.transport, ports, sizeof ports);
    return h;
}

static void
add_datagram(struct outgoing *o, uint32_t number)
{
    uint8_t packet[20 + 8 + sizeof number];
    struct headers h = headers(IPPROTO_UDP, sizeof packet);
    uint16_t length = htons(8 + sizeof number);

    memcpy(h.transport + 4, &length, sizeof length);
    memcpy(packet, &h, 28);
    memcpy(packet + 28, &number, sizeof number);
    outgoing_add(o, packet, sizeof packet);
}

/* A segment as large as the kernel hands them to a queue; nobody listens for it. */
static void
add_segment(struct outgoing *o)
{
    static uint8_t packet[60000];
    struct headers h = headers(IPPROTO_TCP, sizeof packet);

    h.transport[12] = 5 << 4;
    memcpy(packet, &h, sizeof h);
    outgoing_add(o, packet, sizeof packet);
}

/* How many came that follow number @next; 0 as well if one is not the next. */
static uint32_t
received(int sock, uint32_t next)
{
    uint32_t number, n = 0;

    while (recv(sock, &number, sizeof number, MSG_DONTWAIT) == sizeof number)
        if (number != next + n++)
            return 0;
    return n;
}

static void
in_parts(struct outgoing *o, int sock)
{
    for (uint32_t i = 0; i < PACKETS; i++)
        add_datagram(o, i);
    check(outgoing_send(o) && received(sock, 0) == AT_ONCE, "the first hundred");
    add_datagram(o, PACKETS);
    check(outgoing_send(o) && received(sock, AT_ONCE) == AT_ONCE, "the second");
    check(!outgoing_send(o) && received(sock, 2 * AT_ONCE) == PACKETS + 1 - 2 * AT_ONCE,
        "the rest, with what was added meanwhile");
    check(!outgoing_send(o) && received(sock, 0) == 0, "nothing twice");
}

static void
long_ones(struct outgoing *o, int sock)
{
    uint32_t first;

    add_segment(o);
    for (uint32_t i = 0; i < AT_ONCE; i++)
        add_datagram(o, i);
    check(outgoing_send(o), "a long one counts for the segments it is cut to");
    first = received(sock, 0);
    check(first > 0 && first < AT_ONCE, "and others follow it in the same go");
    check(
        !outgoing_send(o) && received(sock, first) == AT_ONCE - first, "then the rest");
}

static void
cleared(struct outgoing *o, int sock)
{
    for (uint32_t i = 0; i < PACKETS; i++)
        add_datagram(o, i);
    outgoing_send(o);
    outgoing_clear(o);
    received(sock, 0);
    add_datagram(o, 1);
    check(!outgoing_send(o) && received(sock, 1) == 1, "what is cleared is not sent");
}

int
main(void)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(PORT) };
    struct outgoing *o = NULL;
    int ns = netlab_ns(), raw, sock;

    if (!netlab_run(ns, "ip link set lo up"))
        return 1;
    netlab_enter(ns);
    raw = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
    sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (raw < 0 || bind(sock, (struct sockaddr *)&to, sizeof to) < 0 ||
        outgoing_new(ns, raw, &o) < 0) {
        perror("set-up");
        return 1;
    }
    in_parts(o, sock);
    long_ones(o, sock);
    cleared(o, sock);
    outgoing_free(o);
    close(raw);
    close(sock);
    return claims_end();
}
