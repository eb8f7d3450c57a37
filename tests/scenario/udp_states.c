/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * udp_states.c - UDP sockets move from one host to another with what is unread in them,
 * and go on, both families. */
#include "sockmig/ckpt/repair.h"
#include "sockmig/ckpt/udp.h"
#include "tests/scenario/netlab.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PORT 7500
#define ROOM (4u << 20)
#define MESSAGES 5

struct row {
    const char *claim;
    int family; /* of the server's socket */
    const char *local, *to, *from;
    enum { FREE, CONNECTED, OWN } how; /* own: the sender is on the server's host */
};

static const struct row rows[] = {
    { "bound to its address", AF_INET, "10.93.0.100", "10.93.0.100", "10.93.0.10",
        FREE },
    { "bound to any address", AF_INET, "0.0.0.0", "10.93.0.100", "10.93.0.10", FREE },
    { "IPv6, bound to its address", AF_INET6, "fd93::100", "fd93::100", "fd93::10",
        FREE },
    { "IPv6, bound to any address", AF_INET6, "::", "fd93::100", "fd93::10", FREE },
    { "a mapped client", AF_INET6, "::", "10.93.0.100", "10.93.0.10", FREE },
    { "connected", AF_INET, "10.93.0.100", "10.93.0.100", "10.93.0.10", CONNECTED },
    { "IPv6, connected", AF_INET6, "fd93::100", "fd93::100", "fd93::10", CONNECTED },
    { "from the host itself", AF_INET, "0.0.0.0", "127.0.0.1", "127.0.0.1", OWN },
    { "IPv6, from the host itself", AF_INET6, "::", "::1", "::1", OWN },
};
static const size_t sizes[MESSAGES] = { 5, 1, 4000, 60000, 1400 };

static struct netlab lab;
static int tun, failures;
static uint8_t parcel[ROOM], again[ROOM], text[65536], got[65536];

static bool
expect(bool ok, const char *claim, const char *what)
{
    if (ok)
        return true;
    failures++;
    printf("FAIL: %s: %s (%s)\n", claim, what, strerror(errno));
    return false;
}

static socklen_t
address(const char *host, uint16_t port, struct sockaddr_storage *out)
{
    struct sockaddr_in *a = (struct sockaddr_in *)out;
    struct sockaddr_in6 *a6 = (struct sockaddr_in6 *)out;

    memset(out, 0, sizeof *out);
    a->sin_port = htons(port); /* at the same place in both */
    out->ss_family = strchr(host, ':') ? AF_INET6 : AF_INET;
    if (out->ss_family == AF_INET)
        inet_pton(AF_INET, host, &a->sin_addr);
    else
        inet_pton(AF_INET6, host, &a6->sin6_addr);
    return out->ss_family == AF_INET ? sizeof *a : sizeof *a6;
}

static int
bound(int ns, const char *host, uint16_t port)
{
    struct sockaddr_storage a;
    socklen_t n = address(host, port, &a);
    int s;

    netlab_enter(ns);
    s = socket(a.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (bind(s, (struct sockaddr *)&a, n) < 0) {
        perror(host);
        exit(1);
    }
    return s;
}

static int
server_of(const struct row *r, uint16_t port)
{
    int s = bound(lab.primary, r->local, port);
    struct sockaddr_storage a;

    repair_set(s, IPPROTO_IP, r->family == AF_INET ? IP_PKTINFO : IP_RECVTTL, 1);
    if (r->family == AF_INET6)
        repair_set(s, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
    repair_set(s, IPPROTO_IP, IP_TOS, 0x68);
    repair_set(s, SOL_SOCKET, SO_RCVBUFFORCE, 500000);
    if (r->how == CONNECTED)
        connect(s, (struct sockaddr *)&a, address(r->from, 9000, &a));
    return s;
}

static void
send_all(const struct row *r, int client, uint16_t port)
{
    struct sockaddr_storage a;
    socklen_t n = address(r->to, port, &a);

    for (unsigned i = 0; i < MESSAGES; i++) {
        memset(text, 'a' + (int)i, sizes[i]);
        expect(sendto(client, text, sizes[i], 0, (struct sockaddr *)&a, n) ==
                   (ssize_t)sizes[i],
            r->claim, "client cannot send");
    }
}

/* What the reader is told: the sender, and the address that was sent to. */
static bool
receive(const struct row *r, int s, unsigned i)
{
    uint8_t control[256];
    struct sockaddr_storage from, wanted;
    struct iovec io = { got, sizeof got };
    struct msghdr m = { .msg_name = &from,
        .msg_namelen = sizeof from,
        .msg_iov = &io,
        .msg_iovlen = 1,
        .msg_control = control,
        .msg_controllen = sizeof control };
    const struct sockaddr_in6 *a6 = (const struct sockaddr_in6 *)&from;
    struct pollfd p = { .fd = s, .events = POLLIN };
    char name[64];

    if (poll(&p, 1, 2000) != 1 || recvmsg(s, &m, 0) != (ssize_t)sizes[i] ||
        got[0] != 'a' + (int)i || got[sizes[i] - 1] != 'a' + (int)i)
        return false;
    if (r->family == AF_INET) {
        address(r->from, 9000, &wanted);
        return memcmp(&from, &wanted, 8) == 0;
    }
    snprintf(name, sizeof name, "%s%s", strchr(r->from, ':') ? "" : "::ffff:", r->from);
    address(name, 9000, &wanted);
    return a6->sin6_port == htons(9000) &&
           memcmp(&a6->sin6_addr, &((struct sockaddr_in6 *)&wanted)->sin6_addr, 16) ==
               0;
}

static void
goes_on(const struct row *r, int s, int client, uint16_t port)
{
    struct sockaddr_storage a, from;
    socklen_t n = address(r->to, port, &a), m = sizeof from;
    struct pollfd p = { .fd = client, .events = POLLIN };

    netlab_plug(&lab, "standby");
    sendto(client, "more", 4, 0, (struct sockaddr *)&a, n);
    p.fd = s;
    if (!expect(poll(&p, 1, 2000) == 1 &&
                    recvfrom(s, got, sizeof got, 0, (struct sockaddr *)&from, &m) == 4,
            r->claim, "nothing new comes"))
        return;
    if (r->how == CONNECTED)
        send(s, "reply", 5, 0);
    else
        sendto(s, "reply", 5, 0, (struct sockaddr *)&from, m);
    p.fd = client;
    expect(poll(&p, 1, 2000) == 1 &&
               recvfrom(client, got, sizeof got, 0, (struct sockaddr *)&from, &m) == 5,
        r->claim, "no reply comes");
    expect(((struct sockaddr_in *)&from)->sin_port == htons(port), r->claim,
        "reply from another port");
}

/* Until all have come: they are looked at, and none is taken. */
static uint32_t
peek_all(const struct row *r, int server)
{
    uint32_t want = 0, size = 0;

    for (unsigned i = 0; i < MESSAGES; i++)
        want += (uint32_t)sizeof(struct image_datagram) + ((sizes[i] + 7) & ~7u);
    for (unsigned i = 0; i < 200 && size < want; i++) {
        size = udp_peek(server, r->family, parcel, ROOM);
        if (size < want)
            poll(NULL, 0, 10);
    }
    expect(size == want, r->claim, "not all are seen");
    expect(udp_peek(server, r->family, again, ROOM) == size &&
               memcmp(parcel, again, size) == 0,
        r->claim, "the second look differs");
    return size;
}

static void
run_row(const struct row *r, uint16_t port)
{
    struct image_udp im, second;
    const char *step = "none", *what;
    int server, client, s;

    errno = 0;
    netlab_plug(&lab, "primary");
    server = server_of(r, port);
    client = bound(r->how == OWN ? lab.primary : lab.client, r->from, 9000);
    send_all(r, client, port);
    what = udp_look(server, r->family, &im);
    expect(!what, r->claim, what ? what : "");
    im.queued = peek_all(r, server);
    expect(receive(r, server, 0), r->claim, "peeking took one away");
    im.queued = udp_peek(server, r->family, parcel, ROOM);
    netlab_plug(&lab, "nobody");
    close(server);
    netlab_enter(lab.standby);
    if (r->how == OWN) {
        close(client);
        client = bound(lab.standby, r->from, 9000);
    }
    s = udp_restore(&im, parcel, tun, &step);
    errno = s < 0 ? -s : 0;
    if (expect(s >= 0, r->claim, step)) {
        what = udp_look(s, r->family, &second);
        second.queued = im.queued;
        expect(!what && memcmp(&im, &second, sizeof im) == 0, r->claim,
            "the second image differs");
        for (unsigned i = 1; i < MESSAGES; i++)
            expect(receive(r, s, i), r->claim, "an unread datagram is not as it was");
        goes_on(r, s, client, port);
    }
    close(s);
    close(client);
}

int
main(void)
{
    struct image_udp im;
    const char *step;
    int s;

    netlab_new(&lab);
    tun = netlab_tun(lab.standby);
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
        run_row(&rows[i], (uint16_t)(PORT + i));
    s = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    udp_look(s, AF_INET6, &im);
    expect(udp_restore(&im, NULL, -1, &step) >= 0, "not bound", step);
    repair_set(s, IPPROTO_UDP, UDP_CORK, 1);
    expect(udp_look(s, AF_INET6, &im) != NULL, "UDP_CORK", "is not refused");
    printf(
        "%s: %zu sockets\n", failures ? "FAIL" : "PASS", sizeof rows / sizeof rows[0]);
    return failures ? 1 : 0;
}
