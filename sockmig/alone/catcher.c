/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/alone/catcher.h"

#include "lib/fd.h"
#include "sockmig/core/packet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/ethernet.h>
#include <netpacket/packet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif
#define BUFFER (32 << 20)

int
catcher_open(struct catcher *c)
{
    int on = 1, size = BUFFER, ret = 0;

    c->packet = malloc(PACKET_MAX);
    c->fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (c->fd < 0)
        ret = -errno;
    if (!c->packet)
        ret = -ENOMEM;
    if (ret == 0) {
        struct sockaddr_ll all = { .sll_family = AF_PACKET,
            .sll_protocol = htons(ETH_P_ALL) };

        setsockopt(c->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
        if (setsockopt(c->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on) < 0 ||
            bind(c->fd, (struct sockaddr *)&all, sizeof all) < 0)
            ret = -errno;
    }
    if (ret < 0)
        catcher_close(c);
    return ret;
}

void
catcher_close(struct catcher *c)
{
    fd_close(c->fd);
    free(c->packet);
    *c = (struct catcher){ .fd = -1 };
}

static bool
is_wanted(const struct catcher *c, size_t size, const struct silence *s)
{
    struct silence_end e = { .family = AF_INET };
    struct packet p;

    if (!packet_parse(&p, PACKET_IN, c->packet, size) || !packet_is_tcp(&p))
        return false;
    e.port = htons(p.key.local_port);
    if (p.key.version == 6)
        e.family = AF_INET6;
    memcpy(e.address, p.key.local, sizeof e.address);
    return silence_keeps(s, &e);
}

size_t
catcher_next(struct catcher *c, const struct silence *s)
{
    for (;;) {
        struct sockaddr_ll from;
        socklen_t len = sizeof from;
        ssize_t n;

        n = recvfrom(
            c->fd, c->packet, PACKET_MAX, MSG_TRUNC, (struct sockaddr *)&from, &len);
        if (n < 0 && errno != EINTR)
            return 0;
        if (n <= 0 || n > (ssize_t)PACKET_MAX || from.sll_pkttype != PACKET_HOST)
            continue;
        /* an offloading device leaves the checksum to who sends it */
        if (is_wanted(c, (size_t)n, s) && packet_complete(c->packet, (size_t)n))
            return (size_t)n;
    }
}
