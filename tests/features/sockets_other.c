/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * sockets_other.c - raw, netlink and packet sockets, other families. */
#include "tests/features/features.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/icmp6.h>
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

static int raw, raw6;

static const char *
set_up_raw(void)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    uint32_t filter[8] = { 0 };

    raw = socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK, IPPROTO_ICMP);
    WANT(raw >= 0 && bind(raw, (struct sockaddr *)&at, sizeof at) == 0);
    WANT(set(raw, IPPROTO_IP, IP_HDRINCL, 1) && set(raw, IPPROTO_IP, IP_TTL, 5));
    WANT(setsockopt(raw, SOL_RAW, 1 /* ICMP_FILTER */, &(uint32_t){ 0xfe }, 4) == 0);
    raw6 = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6);
    memset(filter, 0xff, sizeof filter);
    filter[4] = 0x7fffffff;
    WANT(setsockopt(raw6, IPPROTO_ICMPV6, ICMP6_FILTER, filter, sizeof filter) == 0);
    return NULL;
}

static const char *
check_raw(void)
{
    struct sockaddr_in at;
    uint32_t filter[8] = { 0 };
    socklen_t n = sizeof at, m = sizeof filter;

    WANT(getsockname(raw, (struct sockaddr *)&at, &n) == 0);
    WANT(at.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
    WANT(get(raw, SOL_SOCKET, SO_PROTOCOL) == IPPROTO_ICMP);
    WANT(get(raw, IPPROTO_IP, IP_HDRINCL) == 1 && get(raw, IPPROTO_IP, IP_TTL) == 5);
    WANT(get(raw, SOL_RAW, 1) == 0xfe && (fcntl(raw, F_GETFL) & O_NONBLOCK));
    WANT(getsockopt(raw6, IPPROTO_ICMPV6, ICMP6_FILTER, filter, &m) == 0);
    WANT(filter[4] == 0x7fffffff && filter[0] == 0xffffffff);
    return NULL;
}

static const char *
set_up_ping(void)
{
    if (socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP) < 0)
        return "skip: no ping sockets for this user";
    return NULL;
}

static int route, uevents;

static const char *
set_up_route(void)
{
    struct sockaddr_nl at = { .nl_family = AF_NETLINK,
        .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR };

    route = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    WANT(route >= 0 && bind(route, (struct sockaddr *)&at, sizeof at) == 0);
    uevents = socket(AF_NETLINK, SOCK_DGRAM, NETLINK_KOBJECT_UEVENT);
    WANT(uevents >= 0);
    return NULL;
}

static const char *
check_route(void)
{
    struct {
        struct nlmsghdr head;
        struct rtgenmsg body;
    } ask = { { 20, RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 1, 0 }, { AF_UNSPEC } };
    struct sockaddr_nl at;
    socklen_t n = sizeof at;
    char answer[16384];
    int error, links = 0;

    WANT(getsockname(route, (struct sockaddr *)&at, &n) == 0);
    WANT(at.nl_pid == (uint32_t)getpid());
    WANT(at.nl_groups == (RTMGRP_LINK | RTMGRP_IPV4_IFADDR));
    /* it may have missed what happened: the kernel's word for that */
    while (recv(route, answer, sizeof answer, 0) >= 0 || errno == ENOBUFS)
        ;
    WANT(send(route, &ask, sizeof ask, 0) == sizeof ask);
    while ((error = (int)recv(route, answer, sizeof answer, 0)) > 0)
        links++;
    WANT(links > 0);
    return NULL;
}

static const char *
set_up_netfilter(void)
{
    if (socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER) < 0)
        return "skip: no netfilter";
    return NULL;
}

static const char *
set_up_packet(void)
{
    if (socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL)) < 0)
        return "skip: no packet sockets";
    return NULL;
}

static const char *
set_up_mptcp(void)
{
    if (socket(AF_INET, SOCK_STREAM, 262) < 0)
        return "skip: no multipath TCP";
    return NULL;
}

static const char *
set_up_sctp(void)
{
    if (socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP) < 0)
        return "skip: no SCTP";
    return NULL;
}

static const char *
set_up_vsock(void)
{
    if (socket(40, SOCK_STREAM, 0) < 0)
        return "skip: no vsock";
    return NULL;
}

static const char *
set_up_alg(void)
{
    if (socket(38, SOCK_SEQPACKET, 0) < 0)
        return "skip: no AF_ALG";
    return NULL;
}

static const struct feature rows[] = {
    { "raw sockets", NULL, 0, set_up_raw, check_raw, NULL },
    { "ping socket", "internet socket", FEATURE_ALONE, set_up_ping, NULL, NULL },
    { "netlink route and uevent sockets", NULL, 0, set_up_route, check_route, NULL },
    { "netlink netfilter socket", "not about routes", FEATURE_ALONE, set_up_netfilter,
        NULL, NULL },
    { "packet socket", "packet socket", FEATURE_ALONE, set_up_packet, NULL, NULL },
    { "multipath TCP", "multipath", FEATURE_ALONE, set_up_mptcp, NULL, NULL },
    { "SCTP", "internet socket", FEATURE_ALONE, set_up_sctp, NULL, NULL },
    { "vsock", "socket to a virtual machine (vsock)", FEATURE_ALONE, set_up_vsock, NULL,
        NULL },
    { "kernel cryptography (AF_ALG)", "socket of the kernel's cryptography",
        FEATURE_ALONE, set_up_alg, NULL, NULL },
};

AREA(area_sockets_other, "Other sockets", rows);
