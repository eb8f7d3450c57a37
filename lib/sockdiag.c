/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/sockdiag.h"

#include "lib/fd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define NEW_SYN_RECV                                                                   \
    12 /* a handshake without a socket yet: a handshake all the same                   \
        */

struct pass {
    int fd;
    uint8_t protocol, extensions; /* bit n - 1: attribute n */
    uint32_t states;
    void (*each)(const struct sockdiag_socket *, void *);
    void *arg;
};

static int
ask(const struct pass *p, uint8_t family)
{
    struct {
        struct nlmsghdr head;
        struct inet_diag_req_v2 req;
    } msg = { .head = { .nlmsg_len = sizeof msg,
                  .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                  .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
        .req = { .sdiag_family = family,
            .sdiag_protocol = p->protocol,
            .idiag_ext = p->extensions,
            .idiag_states = p->states } };

    return send(p->fd, &msg, sizeof msg, 0) < 0 ? -errno : 0;
}

/* @out gets what there is of attribute @type, the rest is as it was. */
static void
attribute(const struct nlmsghdr *h, unsigned short type, void *out, size_t size)
{
    const struct inet_diag_msg *m = NLMSG_DATA(h);
    const struct rtattr *a = (const void *)(m + 1);
    size_t left = h->nlmsg_len - NLMSG_LENGTH(sizeof *m);

    for (; RTA_OK(a, left); a = RTA_NEXT(a, left))
        if (a->rta_type == type)
            memcpy(out, RTA_DATA(a), RTA_PAYLOAD(a) < size ? RTA_PAYLOAD(a) : size);
}

static void
take_details(const struct nlmsghdr *h, struct sockdiag_socket *s)
{
    uint32_t memory[SK_MEMINFO_VARS] = { 0 };
    struct tcp_info info = { 0 };

    attribute(h, INET_DIAG_INFO, &info, sizeof info);
    attribute(h, INET_DIAG_SKMEMINFO, memory, sizeof memory);
    if (memory[SK_MEMINFO_RCVBUF] > memory[SK_MEMINFO_RMEM_ALLOC])
        s->receive_left = memory[SK_MEMINFO_RCVBUF] - memory[SK_MEMINFO_RMEM_ALLOC];
    s->received = info.tcpi_bytes_received;
    s->acked = info.tcpi_bytes_acked;
    s->idle_ms = info.tcpi_last_data_recv < info.tcpi_last_data_sent
                     ? info.tcpi_last_data_recv
                     : info.tcpi_last_data_sent;
    s->rtt_us = info.tcpi_rtt;
    s->retransmits = info.tcpi_total_retrans;
}

static void
give(const struct pass *p, const struct nlmsghdr *h)
{
    const struct inet_diag_msg *m = NLMSG_DATA(h);
    struct sockdiag_socket s = { .family = m->idiag_family,
        .state = m->idiag_state == NEW_SYN_RECV ? SOCKDIAG_SYN_RECV : m->idiag_state,
        .local_port = ntohs(m->id.idiag_sport),
        .remote_port = ntohs(m->id.idiag_dport),
        .unread = m->idiag_rqueue,
        .unsent = m->idiag_wqueue };

    memcpy(s.local, m->id.idiag_src, sizeof s.local);
    memcpy(s.remote, m->id.idiag_dst, sizeof s.remote);
    if (p->extensions)
        take_details(h, &s);
    p->each(&s, p->arg);
}

/* take - the answers to one question. */
static int
take(const struct pass *p)
{
    char bytes[32768] __attribute__((aligned(8)));

    for (;;) {
        ssize_t n = recv(p->fd, bytes, sizeof bytes, 0);
        const struct nlmsghdr *h = (const void *)bytes;

        if (n <= 0)
            return n < 0 ? -errno : -EPIPE;
        for (; NLMSG_OK(h, (size_t)n); h = NLMSG_NEXT(h, n)) {
            if (h->nlmsg_type == NLMSG_DONE)
                return 0;
            if (h->nlmsg_type == NLMSG_ERROR)
                return ((const struct nlmsgerr *)NLMSG_DATA(h))->error;
            give(p, h);
        }
    }
}

static int
run(struct pass *p)
{
    int ret;

    p->fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (p->fd < 0)
        return -errno;
    ret = ask(p, AF_INET);
    if (ret == 0)
        ret = take(p);
    if (ret == 0)
        ret = ask(p, AF_INET6);
    if (ret == 0)
        ret = take(p);
    fd_close(p->fd);
    return ret;
}

int
sockdiag_tcp(uint32_t states, bool details,
    void (*each)(const struct sockdiag_socket *socket, void *arg), void *arg)
{
    struct pass p = { .protocol = IPPROTO_TCP,
        .extensions = details ? 1 << (INET_DIAG_INFO - 1) : 0,
        .states = states,
        .each = each,
        .arg = arg };

    return run(&p);
}

int
sockdiag_udp(void (*each)(const struct sockdiag_socket *socket, void *arg), void *arg)
{
    struct pass p = { .protocol = IPPROTO_UDP,
        .extensions = 1 << (INET_DIAG_SKMEMINFO - 1),
        .states = ~0u,
        .each = each,
        .arg = arg };

    return run(&p);
}
