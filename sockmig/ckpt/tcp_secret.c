/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * tcp_secret.c - keys of a connection, which the kernel does not give back.
 *
 * Source: net/ipv4/tcp_ao.c, net/ipv4/tcp_diag.c (INET_DIAG_MD5SIG, for who has
 * CAP_NET_ADMIN), net/tls. */
#include "sockmig/ckpt/tcp.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#ifndef TCP_AO_INFO
#define TCP_AO_INFO 40
#endif
#define AO_ROOM 256 /* struct tcp_ao_info_opt has 48 bytes */

static bool
has_ao(int sock)
{
    uint8_t info[AO_ROOM] = { 0 };
    socklen_t n = 48;

    return getsockopt(sock, IPPROTO_TCP, TCP_AO_INFO, info, &n) == 0;
}

static bool
has_tls(int sock)
{
    char name[16] = "";
    socklen_t n = sizeof name;

    return getsockopt(sock, IPPROTO_TCP, TCP_ULP, name, &n) == 0 &&
           strncmp(name, "tls", 3) == 0;
}

static uint16_t
take_end(const struct sockaddr_in6 *sa, __be32 to[4])
{
    struct sockaddr_in four;

    if (sa->sin6_family == AF_INET6) {
        memcpy(to, &sa->sin6_addr, 16);
        return sa->sin6_port;
    }
    memcpy(&four, sa, sizeof four);
    to[0] = four.sin_addr.s_addr;
    return four.sin_port;
}

static bool
ask(int sock, int diag)
{
    struct {
        struct nlmsghdr head;
        struct inet_diag_req_v2 body;
    } r = { .head = { .nlmsg_len = sizeof r,
                .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                .nlmsg_flags = NLM_F_REQUEST },
        .body = { .sdiag_protocol = IPPROTO_TCP,
            .idiag_ext = 1u << (INET_DIAG_INFO - 1), /* or the keys are left out */
            .idiag_states = ~0u } };
    struct sockaddr_in6 local = { 0 }, remote = { 0 };
    socklen_t n = sizeof local, m = sizeof remote;

    if (getsockname(sock, (struct sockaddr *)&local, &n) < 0)
        return false;
    getpeername(sock, (struct sockaddr *)&remote, &m); /* a listener has none */
    r.body.sdiag_family = (uint8_t)local.sin6_family;
    r.body.id.idiag_sport = take_end(&local, r.body.id.idiag_src);
    r.body.id.idiag_dport = take_end(&remote, r.body.id.idiag_dst);
    memset(r.body.id.idiag_cookie, 0xff, sizeof r.body.id.idiag_cookie); /* any */
    return send(diag, &r, sizeof r, 0) == (ssize_t)sizeof r;
}

/* The kernel adds the keys, if there are any, to each answer. */
static bool
has_md5(int sock, int diag)
{
    _Alignas(struct nlmsghdr) uint8_t text[8192];
    struct nlmsghdr *m = (struct nlmsghdr *)text;
    struct rtattr *a;
    ssize_t n;
    int left;

    if (diag < 0 || !ask(sock, diag))
        return false;
    n = recv(diag, text, sizeof text, 0);
    if (n < 0 || !NLMSG_OK(m, (unsigned)n) || m->nlmsg_type != SOCK_DIAG_BY_FAMILY)
        return false;
    a = (struct rtattr *)((uint8_t *)NLMSG_DATA(m) +
                          NLMSG_ALIGN(sizeof(struct inet_diag_msg)));
    left = (int)(m->nlmsg_len - NLMSG_LENGTH(sizeof(struct inet_diag_msg)));
    for (; RTA_OK(a, left); a = RTA_NEXT(a, left))
        if (a->rta_type == INET_DIAG_MD5SIG && RTA_PAYLOAD(a) > 0)
            return true;
    return false;
}

const char *
tcp_secret(int sock, int diag)
{
    if (has_tls(sock))
        return "connection with TLS in the kernel";
    if (has_ao(sock))
        return "TCP socket with keys of TCP-AO";
    if (has_md5(sock, diag))
        return "TCP socket with MD5 signatures";
    return NULL;
}
