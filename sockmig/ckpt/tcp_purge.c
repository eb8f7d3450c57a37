/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * tcp_purge.c - connections that nobody has any more, out of the way.
 *
 * A service that was killed here leaves its connections to the kernel, which goes on
 * trying to close them for minutes.  Behind a shut fence they never end, and a clone
 * could not restore the same connections beside them (EADDRNOTAVAIL).
 *
 * Source: net/ipv4/inet_diag.c, SOCK_DESTROY. */
#include "sockmig/ckpt/tcp.h"

#include "lib/fd.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SOCK_DESTROY
#define SOCK_DESTROY 21
#endif
#define STATE_TIME_WAIT 6
#define STATE_LISTEN 10

#define STATE_ESTABLISHED 1

struct wanted {
    uint32_t states;
    uint16_t port;     /* local, network order; 0: any */
    bool orphans_only; /* no process has it any more */
};

struct request {
    struct nlmsghdr head;
    struct inet_diag_req_v2 body;
};

static int
ask(int sock, uint16_t type, uint16_t flags, int family, const struct wanted *wanted,
    const struct inet_diag_msg *of)
{
    struct request r = {
        .head = { .nlmsg_len = sizeof r,
            .nlmsg_type = type,
            .nlmsg_flags = NLM_F_REQUEST | flags },
        .body = { .sdiag_family = (uint8_t)family,
            .sdiag_protocol = IPPROTO_TCP,
            .idiag_states = wanted->states,
            .id.idiag_sport = wanted->port },
    };

    if (of)
        r.body.id = of->id;
    return send(sock, &r, sizeof r, 0) == (ssize_t)sizeof r ? 0 : -errno;
}

/* Every message of one datagram; *more is cleared by the last of the list. */
static int
destroy_each(
    int killer, const struct wanted *wanted, uint8_t *text, size_t size, bool *more)
{
    struct nlmsghdr *m = (struct nlmsghdr *)text;
    uint8_t answer[512];
    int ret = 0, left = (int)size;

    for (; NLMSG_OK(m, (unsigned)left) && ret == 0; m = NLMSG_NEXT(m, left)) {
        const struct inet_diag_msg *d = NLMSG_DATA(m);

        if (m->nlmsg_type == NLMSG_DONE || m->nlmsg_type == NLMSG_ERROR) {
            *more = false;
            return 0;
        }
        if ((wanted->port && d->id.idiag_sport != wanted->port) ||
            (wanted->orphans_only && d->idiag_inode != 0))
            continue;
        ret = ask(killer, SOCK_DESTROY, NLM_F_ACK, d->idiag_family, wanted, d);
        if (ret == 0) /* it may have ended by itself meanwhile */
            recv(killer, answer, sizeof answer, 0);
    }
    return ret;
}

static int
purge_family(int lister, int killer, int family, const struct wanted *wanted)
{
    _Alignas(struct nlmsghdr) uint8_t text[32768];
    bool more = true;
    int ret = ask(lister, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, family, wanted, NULL);

    while (ret == 0 && more) {
        ssize_t n = recv(lister, text, sizeof text, 0);

        ret = n < 0 ? -errno : destroy_each(killer, wanted, text, (size_t)n, &more);
    }
    return ret;
}

static int
purge(const struct wanted *wanted)
{
    int lister = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    int killer = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    int ret = lister < 0 || killer < 0 ? -errno : 0;

    if (ret == 0)
        ret = purge_family(lister, killer, AF_INET, wanted);
    if (ret == 0)
        ret = purge_family(lister, killer, AF_INET6, wanted);
    fd_close(lister);
    fd_close(killer);
    return ret;
}

int
tcp_purge(void)
{
    return purge(&(struct wanted){ .states = ~(1u << STATE_LISTEN) });
}

int
tcp_purge_waits(uint16_t port)
{
    return purge(&(struct wanted){ .states = 1u << STATE_TIME_WAIT, .port = port });
}

int
tcp_purge_orphans(uint16_t port)
{
    const uint32_t others = 1u << STATE_LISTEN | 1u << STATE_ESTABLISHED;

    return purge(
        &(struct wanted){ .states = ~others, .port = port, .orphans_only = true });
}
