/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Source: sock_diag(7); net/ipv4/inet_diag.c. */
#include "sockmig/alone/bound.h"

#include "lib/fd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct request {
    struct nlmsghdr head;
    struct inet_diag_req_v2 body;
};

/* An IPv6 socket that speaks IPv4 has the address inside an IPv6 one. */
static bool
is_at(const struct inet_diag_msg *d, const struct vip *v)
{
    const uint8_t *b = (const uint8_t *)d->id.idiag_src;
    static const uint8_t mapped[12] = { [10] = 0xff, 0xff };

    if (d->idiag_family == v->family)
        return !memcmp(b, v->bytes, v->family == AF_INET ? 4 : 16);
    return d->idiag_family == AF_INET6 && !memcmp(b, mapped, 12) &&
           !memcmp(b + 12, v->bytes, 4);
}

/* 1: found, 0: go on, -1: that was the last, -2: the kernel does not list them */
static int
look(const uint8_t *text, size_t size, const struct vip *v, unsigned but,
    struct bound *out)
{
    const struct nlmsghdr *m = (const struct nlmsghdr *)text;

    for (; NLMSG_OK(m, size); m = NLMSG_NEXT(m, size)) {
        const struct inet_diag_msg *d = NLMSG_DATA(m);

        if (m->nlmsg_type == NLMSG_DONE || m->nlmsg_type == NLMSG_ERROR)
            return m->nlmsg_type == NLMSG_DONE ? -1 : -2;
        if (d->id.idiag_if == 0 || d->id.idiag_if == but || !is_at(d, v))
            continue;
        out->port = ntohs(d->id.idiag_sport);
        out->device = d->id.idiag_if;
        return 1;
    }
    return 0;
}

static int
find(int family, uint8_t protocol, const struct vip *v, unsigned but, struct bound *out)
{
    struct request r = {
        .head = { .nlmsg_len = sizeof r,
            .nlmsg_type = SOCK_DIAG_BY_FAMILY,
            .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
        .body = { .sdiag_family = (uint8_t)family,
            .sdiag_protocol = protocol,
            .idiag_states = ~0u },
    };
    _Alignas(struct nlmsghdr) uint8_t text[32768];
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG), ret = 0;

    if (fd < 0 || send(fd, &r, sizeof r, 0) != (ssize_t)sizeof r)
        ret = -errno;
    out->protocol = protocol;
    while (ret == 0) {
        ssize_t n = recv(fd, text, sizeof text, 0);
        int is = n < 0 ? 0 : look(text, (size_t)n, v, but, out);

        if (n < 0 && errno != EINTR)
            ret = -errno;
        else if (is == -2 && protocol == IPPROTO_TCP)
            ret = -EOPNOTSUPP;
        else if (is != 0)
            ret = is > 0 ? 1 : 2;
    }
    fd_close(fd);
    return ret == 2 ? 0 : ret;
}

int
bound_find(const struct vip *v, unsigned but, struct bound *out)
{
    static const uint8_t protocols[] = { IPPROTO_TCP, IPPROTO_UDP };
    static const int families[] = { AF_INET, AF_INET6 };
    int ret = 0;

    for (unsigned i = 0; i < 4 && ret == 0; i++)
        ret = find(families[i / 2], protocols[i % 2], v, but, out);
    return ret;
}
