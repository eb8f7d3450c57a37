/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * sockets.c - TCP and UDP sockets.  Connections to the outside
 * have tests of their own: tcp_states, udp_states. */
#include "tests/features/features.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static bool
set(int sock, int level, int name, int value)
{
    return setsockopt(sock, level, name, &value, sizeof value) == 0;
}

static int
get(int sock, int level, int name)
{
    int value = -1;
    socklen_t n = sizeof value;

    return getsockopt(sock, level, name, &value, &n) < 0 ? -1 : value;
}

/* A socket at the loopback; its port in @to. */
static int
at_loopback(int type, struct sockaddr_in *to)
{
    int s = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    socklen_t n = sizeof *to;

    *to = (struct sockaddr_in){ .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    if (s < 0 || bind(s, (struct sockaddr *)to, n) < 0 ||
        getsockname(s, (struct sockaddr *)to, &n) < 0)
        return -1;
    return s;
}

static int listener, listener6;
static struct sockaddr_in listener_at;

static const char *
set_up_listener(void)
{
    struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(7777) };

    listener = at_loopback(SOCK_STREAM, &listener_at);
    WANT(listener >= 0 && set(listener, SOL_SOCKET, SO_KEEPALIVE, 1));
    WANT(set(listener, IPPROTO_TCP, TCP_NODELAY, 1));
    WANT(set(listener, IPPROTO_TCP, TCP_KEEPIDLE, 33));
    WANT(listen(listener, 17) == 0);
    listener6 = socket(AF_INET6, SOCK_STREAM, 0);
    WANT(set(listener6, IPPROTO_IPV6, IPV6_V6ONLY, 1));
    WANT(bind(listener6, (struct sockaddr *)&six, sizeof six) == 0);
    WANT(listen(listener6, 1) == 0);
    return NULL;
}

static const char *
check_listener(void)
{
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), accepted;
    struct tcp_info info;
    socklen_t n = sizeof info;

    WANT(connect(client, (struct sockaddr *)&listener_at, sizeof listener_at) == 0);
    accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    WANT(accepted >= 0 && get(accepted, SOL_SOCKET, SO_KEEPALIVE) == 1);
    WANT(get(accepted, IPPROTO_TCP, TCP_KEEPIDLE) == 33);
    WANT(close(client) == 0 && close(accepted) == 0);
    WANT(getsockopt(listener, IPPROTO_TCP, TCP_INFO, &info, &n) == 0);
    WANT(info.tcpi_sacked == 17);
    WANT(get(listener6, IPPROTO_IPV6, IPV6_V6ONLY) == 1);
    return NULL;
}

/* What a listener hands on to the connections it accepts. */
static const struct {
    int level, name, value;
} handed_on[] = {
    { SOL_SOCKET, SO_LINGER, 0 },
    { SOL_SOCKET, SO_PRIORITY, 3 },
    { SOL_SOCKET, SO_MARK, 0x77 },
    { SOL_SOCKET, SO_RCVLOWAT, 5 },
    { SOL_SOCKET, SO_OOBINLINE, 1 },
    { SOL_SOCKET, SO_BUSY_POLL, 11 },
    { IPPROTO_IP, IP_TOS, 0x48 },
    { IPPROTO_IP, IP_TTL, 44 },
    { IPPROTO_TCP, TCP_MAXSEG, 900 },
    { IPPROTO_TCP, TCP_NOTSENT_LOWAT, 20000 },
    { IPPROTO_TCP, TCP_SYNCNT, 3 },
    { IPPROTO_TCP, TCP_LINGER2, 5 },
    { IPPROTO_TCP, TCP_WINDOW_CLAMP, 30000 },
    { IPPROTO_TCP, TCP_SAVE_SYN, 1 },
};
#define NHANDED (sizeof handed_on / sizeof handed_on[0])
static int options_listener, handed_values[NHANDED];

static const char *
set_up_listener_options(void)
{
    struct sockaddr_in at;
    struct linger l = { 1, 9 };
    struct timeval t = { 3, 0 };

    options_listener = at_loopback(SOCK_STREAM, &at);
    for (size_t i = 0; i < NHANDED; i++)
        if (handed_on[i].name != SO_LINGER)
            set(options_listener, handed_on[i].level, handed_on[i].name,
                handed_on[i].value);
    WANT(setsockopt(options_listener, SOL_SOCKET, SO_LINGER, &l, sizeof l) == 0);
    WANT(setsockopt(options_listener, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t) == 0);
    WANT(setsockopt(options_listener, IPPROTO_TCP, TCP_CONGESTION, "reno", 4) == 0);
    WANT(listen(options_listener, 5) == 0);
    for (size_t i = 0; i < NHANDED; i++)
        handed_values[i] = get(options_listener, handed_on[i].level, handed_on[i].name);
    return NULL;
}

static const char *
check_listener_options(void)
{
    char congestion[16] = "", text[64];
    struct linger l = { 0, 0 };
    struct timeval t = { 0, 0 };
    socklen_t n = sizeof congestion;

    for (size_t i = 0; i < NHANDED; i++)
        if (get(options_listener, handed_on[i].level, handed_on[i].name) !=
            handed_values[i]) {
            snprintf(text, sizeof text, "option %d/%d is %d, was %d",
                handed_on[i].level, handed_on[i].name,
                get(options_listener, handed_on[i].level, handed_on[i].name),
                handed_values[i]);
            return feature_wrong(__FILE__, __LINE__, text);
        }
    WANT(getsockopt(options_listener, IPPROTO_TCP, TCP_CONGESTION, congestion, &n) ==
             0 &&
         strcmp(congestion, "reno") == 0);
    n = sizeof l;
    WANT(getsockopt(options_listener, SOL_SOCKET, SO_LINGER, &l, &n) == 0);
    WANT(l.l_onoff == 1 && l.l_linger == 9);
    n = sizeof t;
    WANT(getsockopt(options_listener, SOL_SOCKET, SO_RCVTIMEO, &t, &n) == 0);
    WANT(t.tv_sec == 3);
    return NULL;
}

static int fresh;

static const char *
set_up_fresh(void)
{
    fresh = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    WANT(fresh >= 0 && set(fresh, SOL_SOCKET, SO_REUSEADDR, 1));
    WANT(set(fresh, IPPROTO_TCP, TCP_NODELAY, 1));
    WANT(set(fresh, SOL_SOCKET, SO_RCVBUF, 5000));
    return NULL;
}

static const char *
check_fresh(void)
{
    WANT(fcntl(fresh, F_GETFL) & O_NONBLOCK && fcntl(fresh, F_GETFD) == FD_CLOEXEC);
    WANT(get(fresh, SOL_SOCKET, SO_REUSEADDR) == 1);
    WANT(get(fresh, IPPROTO_TCP, TCP_NODELAY) == 1);
    WANT(get(fresh, SOL_SOCKET, SO_RCVBUF) == 10000);
    return NULL;
}

static int bound;
static struct sockaddr_in bound_at;

static const char *
set_up_bound(void)
{
    bound = at_loopback(SOCK_STREAM, &bound_at);
    WANT(bound >= 0);
    return NULL;
}

static const char *
check_bound(void)
{
    struct sockaddr_in now;
    socklen_t n = sizeof now;
    int other = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    WANT(getsockname(bound, (struct sockaddr *)&now, &n) == 0);
    WANT(now.sin_port == bound_at.sin_port &&
         now.sin_addr.s_addr == bound_at.sin_addr.s_addr);
    WANT(bind(other, (struct sockaddr *)&bound_at, sizeof bound_at) < 0 &&
         errno == EADDRINUSE);
    WANT(close(other) == 0);
    return NULL;
}

/* Both ends of a connection in one process. */
static int ends[2];
static uint32_t sent, received;

static void
step_both_ends(void)
{
    uint32_t v;

    while (recv(ends[1], &v, sizeof v, MSG_DONTWAIT) == sizeof v)
        received += v == received;
    if (send(ends[0], &sent, sizeof sent, MSG_DONTWAIT) == sizeof sent)
        sent++;
}

static const char *
set_up_both_ends(void)
{
    struct sockaddr_in at;
    int l = at_loopback(SOCK_STREAM, &at);

    WANT(l >= 0 && listen(l, 1) == 0);
    ends[0] = socket(AF_INET, SOCK_STREAM, 0);
    WANT(connect(ends[0], (struct sockaddr *)&at, sizeof at) == 0);
    ends[1] = accept(l, NULL, NULL);
    WANT(ends[1] >= 0 && close(l) == 0);
    return NULL;
}

static const char *
check_both_ends(void)
{
    struct pollfd p = { .fd = ends[1], .events = POLLIN };
    uint32_t v;

    step_both_ends();
    while (received < sent) {
        WANT(poll(&p, 1, 3000) == 1);
        WANT(recv(ends[1], &v, sizeof v, MSG_WAITALL) == sizeof v && v == received);
        received++;
    }
    return NULL;
}

static int udp[2];
static struct sockaddr_in udp_at;

static const char *
set_up_udp(void)
{
    struct sockaddr_in from;

    udp[0] = at_loopback(SOCK_DGRAM, &udp_at);
    udp[1] = at_loopback(SOCK_DGRAM, &from);
    WANT(connect(udp[1], (struct sockaddr *)&udp_at, sizeof udp_at) == 0);
    WANT(send(udp[1], "first", 5, 0) == 5 && send(udp[1], "second", 6, 0) == 6);
    return NULL;
}

static const char *
check_udp(void)
{
    char text[16] = "";

    WANT(recv(udp[0], text, 16, MSG_DONTWAIT) == 5 && !strcmp(text, "first"));
    WANT(recv(udp[0], text, 16, MSG_DONTWAIT) == 6 && !strncmp(text, "second", 6));
    WANT(send(udp[1], "first", 5, 0) == 5 && send(udp[1], "second", 6, 0) == 6);
    return NULL;
}

#define GROUP 0xef010203u
#define SOURCE_GROUP 0xe8010203u
static int member, member6;

static const char *
set_up_multicast(void)
{
    struct ip_mreqn g = { .imr_multiaddr.s_addr = htonl(GROUP), .imr_ifindex = 1 };
    struct ip_mreq_source source = { .imr_multiaddr.s_addr = htonl(SOURCE_GROUP),
        .imr_interface.s_addr = htonl(INADDR_LOOPBACK),
        .imr_sourceaddr.s_addr = htonl(0x7f000005) };
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(5353) };
    struct ipv6_mreq six = { .ipv6mr_interface = 1 };

    member = socket(AF_INET, SOCK_DGRAM, 0);
    WANT(bind(member, (struct sockaddr *)&at, sizeof at) == 0);
    WANT(setsockopt(member, IPPROTO_IP, IP_ADD_MEMBERSHIP, &g, sizeof g) == 0);
    WANT(setsockopt(member, IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, &source,
             sizeof source) == 0);
    g.imr_multiaddr.s_addr = 0;
    WANT(setsockopt(member, IPPROTO_IP, IP_MULTICAST_IF, &g, sizeof g) == 0);
    WANT(set(member, IPPROTO_IP, IP_MULTICAST_TTL, 9));
    WANT(set(member, IPPROTO_IP, IP_MULTICAST_LOOP, 1));
    member6 = socket(AF_INET6, SOCK_DGRAM, 0);
    inet_pton(AF_INET6, "ff01::4261", &six.ipv6mr_multiaddr);
    WANT(setsockopt(member6, IPPROTO_IPV6, IPV6_JOIN_GROUP, &six, sizeof six) == 0);
    return NULL;
}

static const char *
check_multicast(void)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(5353), .sin_addr.s_addr = htonl(GROUP)
    };
    char text[16] = "";

    WANT(get(member, IPPROTO_IP, IP_MULTICAST_TTL) == 9);
    WANT(sendto(member, "to all", 6, 0, (struct sockaddr *)&to, sizeof to) == 6);
    WANT(recv(member, text, 16, MSG_DONTWAIT) == 6 && strcmp(text, "to all") == 0);
    return NULL;
}

static const char *
set_up_corked(void)
{
    WANT(set(socket(AF_INET, SOCK_DGRAM, 0), IPPROTO_UDP, UDP_CORK, 1));
    return NULL;
}

static const char *
set_up_udp_lite(void)
{
    if (socket(AF_INET, SOCK_DGRAM, 136) < 0)
        return "skip: no UDP-Lite";
    return NULL;
}

static const char *
set_up_filter(void)
{
    static struct sock_filter all = { BPF_RET | BPF_K, 0, 0, 0xffff };
    struct sock_fprog prog = { 1, &all };
    struct sockaddr_in at;
    int s = at_loopback(SOCK_STREAM, &at);

    WANT(setsockopt(s, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof prog) == 0);
    WANT(listen(s, 1) == 0);
    return NULL;
}

static const struct feature rows[] = {
    { "TCP listeners, IPv4 and IPv6", NULL, 0, set_up_listener, check_listener, NULL },
    { "options of a listener", NULL, 0, set_up_listener_options, check_listener_options,
        NULL },
    { "TCP socket, new, with options", NULL, 0, set_up_fresh, check_fresh, NULL },
    { "TCP socket, bound, not listening", NULL, 0, set_up_bound, check_bound, NULL },
    { "TCP connection with both ends in the process", NULL, FEATURE_ALONE,
        set_up_both_ends, check_both_ends, step_both_ends },
    { "UDP sockets with unread datagrams", NULL, 0, set_up_udp, check_udp, NULL },
    { "UDP socket in multicast groups", "multicast", FEATURE_ALONE, set_up_multicast,
        check_multicast, NULL },
    { "UDP socket that collects a datagram", "UDP_CORK", FEATURE_ALONE, set_up_corked,
        NULL, NULL },
    { "UDP-Lite", "UDP-Lite", FEATURE_ALONE, set_up_udp_lite, NULL, NULL },
    { "listener with a socket filter", "filter", FEATURE_ALONE, set_up_filter, NULL,
        NULL },
};

AREA(area_sockets, "Sockets", rows);
