/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * udp.c - options are one table, read and written in its order; IPV6_V6ONLY and those
 * about the address must be set before bind(). */
#include "sockmig/ckpt/udp.h"

#include "lib/fd.h"
#include "sockmig/ckpt/repair.h"
#include "sockmig/core/segment.h"

#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/udp.h>
#include <poll.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef IPV6_FREEBIND
#define IPV6_FREEBIND 78
#endif
#ifndef ICMP_FILTER
#define ICMP_FILTER 1
#endif
#ifndef IPV6_HDRINCL
#define IPV6_HDRINCL 36
#endif
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif
#ifndef UDP_NO_CHECK6_RX
#define UDP_NO_CHECK6_TX 101
#define UDP_NO_CHECK6_RX 102
#endif
#define ROOM_MIN (1 << 20) /* of the receive buffer while datagrams are given back */

enum when { BEFORE_BIND, AFTER_INJECTION };

struct option {
    int family; /* 0: both */
    int level, name;
    enum when when;
};

/* clang-format off */
/* The place of a row is its index in image_udp.options.  What asks for the packet's
 * interface comes after the injection: datagrams would otherwise say rp0. */
static const struct option options[] = {
    { 0,        SOL_SOCKET,   SO_REUSEADDR,        BEFORE_BIND },
    { 0,        SOL_SOCKET,   SO_REUSEPORT,        BEFORE_BIND },
    { 0,        SOL_SOCKET,   SO_BROADCAST,        BEFORE_BIND },
    { AF_INET6, IPPROTO_IPV6, IPV6_V6ONLY,         BEFORE_BIND },
    { 0,        SOL_SOCKET,   SO_DONTROUTE,        AFTER_INJECTION },
    { 0,        SOL_SOCKET,   SO_NO_CHECK,         AFTER_INJECTION },
    { 0,        SOL_SOCKET,   SO_TIMESTAMP,        AFTER_INJECTION },
    { 0,        SOL_SOCKET,   SO_TIMESTAMPNS,      AFTER_INJECTION },
    { 0,        SOL_SOCKET,   SO_RXQ_OVFL,         AFTER_INJECTION },
    { 0,        IPPROTO_IP,   IP_TOS,              AFTER_INJECTION },
    { 0,        SOL_SOCKET,   SO_PRIORITY,         AFTER_INJECTION }, /* TOS sets it */
    { 0,        IPPROTO_IP,   IP_TTL,              AFTER_INJECTION },
    { 0,        IPPROTO_IP,   IP_PKTINFO,          AFTER_INJECTION },
    { 0,        IPPROTO_IP,   IP_RECVTOS,          AFTER_INJECTION },
    { 0,        IPPROTO_IP,   IP_RECVTTL,          AFTER_INJECTION },
    { 0,        IPPROTO_IP,   IP_RECVORIGDSTADDR,  AFTER_INJECTION },
    { 0,        IPPROTO_IP,   IP_RECVERR,          AFTER_INJECTION },
    { 0,        IPPROTO_IP,   IP_MTU_DISCOVER,     AFTER_INJECTION },
    { AF_INET6, IPPROTO_IPV6, IPV6_TCLASS,         AFTER_INJECTION },
    { AF_INET6, IPPROTO_IPV6, IPV6_UNICAST_HOPS,   AFTER_INJECTION },
    { AF_INET6, IPPROTO_IPV6, IPV6_RECVPKTINFO,    AFTER_INJECTION },
    { AF_INET6, IPPROTO_IPV6, IPV6_RECVTCLASS,     AFTER_INJECTION },
    { AF_INET6, IPPROTO_IPV6, IPV6_RECVHOPLIMIT,   AFTER_INJECTION },
    { AF_INET6, IPPROTO_IPV6, IPV6_RECVERR,        AFTER_INJECTION },
    { AF_INET6, IPPROTO_IPV6, IPV6_MTU_DISCOVER,   AFTER_INJECTION },
    { 0,        IPPROTO_UDP,  UDP_SEGMENT,         AFTER_INJECTION },
    { 0,        IPPROTO_UDP,  UDP_GRO,             AFTER_INJECTION },
    { AF_INET6, IPPROTO_UDP,  UDP_NO_CHECK6_TX,    AFTER_INJECTION },
    { AF_INET6, IPPROTO_UDP,  UDP_NO_CHECK6_RX,    AFTER_INJECTION },
    { 0,        SOL_SOCKET,   SO_RCVLOWAT,         AFTER_INJECTION },
    { 0,        IPPROTO_IP,   IP_MULTICAST_TTL,    AFTER_INJECTION },
    { 0,        IPPROTO_IP,   IP_MULTICAST_LOOP,   AFTER_INJECTION },
    { 0,        IPPROTO_IP,   IP_MULTICAST_ALL,    AFTER_INJECTION },
    { 0,        IPPROTO_IP,   IP_MULTICAST_IF,     AFTER_INJECTION }, /* an address */
    { AF_INET6, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, AFTER_INJECTION },
    { AF_INET6, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, AFTER_INJECTION },
    { AF_INET6, IPPROTO_IPV6, IPV6_MULTICAST_ALL,  AFTER_INJECTION },
    { AF_INET,  IPPROTO_IP,   IP_HDRINCL,          AFTER_INJECTION }, /* raw ones */
    { AF_INET,  SOL_RAW,      ICMP_FILTER,         AFTER_INJECTION },
    { AF_INET6, SOL_RAW,      IPV6_CHECKSUM,       AFTER_INJECTION },
};

/* Which value means: not used. */
static const struct {
    int level, name;
    const char *what;
} refused[] = {
    { IPPROTO_UDP, UDP_CORK, "UDP socket that collects a datagram (UDP_CORK)" },
    { IPPROTO_UDP, UDP_ENCAP, "UDP socket of a tunnel (UDP_ENCAP)" },
    { SOL_SOCKET, SO_TIMESTAMPING, "UDP socket with packet timestamps (SO_TIMESTAMPING)" },
    { IPPROTO_IPV6, IPV6_HDRINCL, "raw socket that makes headers of IPv6 (IPV6_HDRINCL)" },
    { IPPROTO_IPV6, IPV6_MULTICAST_IF, "UDP socket that sends multicast by a device (IPV6_MULTICAST_IF)" },
    { IPPROTO_IP, IP_TRANSPARENT, "UDP socket for foreign addresses (IP_TRANSPARENT)" },
};
/* clang-format on */

#define NOPTIONS (sizeof options / sizeof options[0])
_Static_assert(NOPTIONS <= IMAGE_UDP_OPTIONS, "a place for each");

static const char *
look_refused(int sock)
{
    char device[16] = "";
    socklen_t n = sizeof device;

    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        if (repair_get(sock, refused[i].level, refused[i].name) > 0)
            return refused[i].what;
    if (getsockopt(sock, SOL_SOCKET, SO_BINDTODEVICE, device, &n) == 0 && n > 0)
        return "UDP socket bound to a device";
    n = 0;
    if (getsockopt(sock, SOL_SOCKET, SO_GET_FILTER, NULL, &n) == 0 && n > 0)
        return "UDP socket with a filter";
    return repair_get(sock, SOL_SOCKET, SO_PEEK_OFF) >= 0 ? "UDP socket that peeks"
                                                          : NULL;
}

const char *
udp_look(int sock, int family, struct image_udp *out)
{
    socklen_t local = sizeof out->local, remote = sizeof out->remote;

    memset(out, 0, sizeof *out);
    out->family = family;
    if (getsockname(sock, (struct sockaddr *)out->local, &local) < 0)
        return "UDP socket without a name";
    out->local_len = local;
    if (getpeername(sock, (struct sockaddr *)out->remote, &remote) == 0)
        out->remote_len = remote;
    else
        memset(out->remote, 0, sizeof out->remote);
    out->sndbuf = repair_get(sock, SOL_SOCKET, SO_SNDBUF);
    out->rcvbuf = repair_get(sock, SOL_SOCKET, SO_RCVBUF);
    out->buf_lock = repair_get(sock, SOL_SOCKET, SO_BUF_LOCK);
    for (size_t i = 0; i < IMAGE_UDP_OPTIONS; i++)
        out->options[i] = i < NOPTIONS && (options[i].family == 0 ||
                                              options[i].family == family)
                              ? repair_get(sock, options[i].level, options[i].name)
                              : -1;
    if (repair_get(sock, SOL_SOCKET, SO_TYPE) == SOCK_RAW)
        out->protocol = repair_get(sock, SOL_SOCKET, SO_PROTOCOL);
    if (out->protocol == IPPROTO_ICMPV6) {
        socklen_t size = sizeof out->icmp6;

        getsockopt(sock, IPPROTO_ICMPV6, ICMP6_FILTER, out->icmp6, &size);
    }
    return look_refused(sock);
}

/* The address that a datagram was sent to, without the port. */
static void
read_destination(struct msghdr *m, uint8_t to[28])
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;
            struct sockaddr_in *a = (struct sockaddr_in *)to;

            memcpy(&info, CMSG_DATA(c), sizeof info);
            a->sin_addr = info.ipi_addr;
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;
            struct sockaddr_in6 *a = (struct sockaddr_in6 *)to;

            memcpy(&info, CMSG_DATA(c), sizeof info);
            a->sin6_addr = info.ipi6_addr;
        }
}

/* One datagram; its bytes in the parcel, 0: none left. */
static uint32_t
peek_one(int sock, const uint8_t local[28], uint8_t *to, uint32_t size)
{
    struct image_datagram *d = (struct image_datagram *)to;
    uint8_t control[512];
    struct iovec io = { to + sizeof *d, size - sizeof *d };
    struct msghdr m = { .msg_name = d->from,
        .msg_namelen = sizeof d->from,
        .msg_iov = &io,
        .msg_iovlen = 1,
        .msg_control = control,
        .msg_controllen = sizeof control };
    ssize_t n;

    if (size < sizeof *d + 65536)
        return 0;
    memset(d, 0, sizeof *d);
    n = recvmsg(sock, &m, MSG_PEEK | MSG_DONTWAIT);
    if (n < 0 || (m.msg_flags & MSG_TRUNC))
        return 0;
    d->size = (uint32_t)n;
    memcpy(d->to, local, sizeof d->to);
    read_destination(&m, d->to);
    memset(to + sizeof *d + n, 0, (8 - (size_t)n % 8) % 8);
    return (uint32_t)sizeof *d + (((uint32_t)n + 7u) & ~7u);
}

/* With an offset, each peek goes on where the last one ended. */
uint32_t
udp_peek(int sock, int family, uint8_t *to, uint32_t size)
{
    int level = family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP;
    int name = family == AF_INET6 ? IPV6_RECVPKTINFO : IP_PKTINFO;
    int info = repair_get(sock, level, name), offset, n;
    struct pollfd p = { .fd = sock, .events = POLLIN };
    uint8_t local[28] = { 0 };
    socklen_t len = sizeof local;
    uint32_t done = 0;

    if (poll(&p, 1, 0) <= 0 || !(p.revents & POLLIN) ||
        getsockname(sock, (struct sockaddr *)local, &len) < 0)
        return 0;
    offset = repair_get(sock, SOL_SOCKET, SO_PEEK_OFF);
    if (repair_set(sock, SOL_SOCKET, SO_PEEK_OFF, 0) < 0)
        return 0;
    repair_set(sock, level, name, 1);
    while ((n = (int)peek_one(sock, local, to + done, size - done)) > 0)
        done += (uint32_t)n;
    repair_set(sock, level, name, info > 0);
    repair_set(sock, SOL_SOCKET, SO_PEEK_OFF, offset);
    return done;
}

static int
set_options(int sock, const struct image_udp *im, enum when when)
{
    for (size_t i = 0; i < NOPTIONS; i++) {
        const struct option *o = &options[i];
        int is;

        if (o->when != when || im->options[i] == -1) /* an address may be negative */
            continue;
        is = repair_get(sock, o->level, o->name);
        if (is != im->options[i] &&
            repair_set(sock, o->level, o->name, im->options[i]) < 0)
            return -errno;
    }
    return 0;
}

static int
set_name(int sock, const struct image_udp *im)
{
    const struct sockaddr_in *a = (const struct sockaddr_in *)im->local;
    bool v6 = im->family == AF_INET6;

    if (a->sin_port == 0) /* at the same place in both families */
        return 0;
    if (repair_set(sock, v6 ? IPPROTO_IPV6 : IPPROTO_IP,
            v6 ? IPV6_FREEBIND : IP_FREEBIND, 1) < 0 ||
        bind(sock, (const struct sockaddr *)im->local, im->local_len) < 0)
        return -errno;
    if (im->remote_len > 0 &&
        connect(sock, (const struct sockaddr *)im->remote, im->remote_len) < 0)
        return -errno;
    return 0;
}

static int
set_buffers(int sock, const struct image_udp *im)
{
    if (repair_set(sock, SOL_SOCKET, SO_SNDBUFFORCE, im->sndbuf / 2) < 0 ||
        repair_set(sock, SOL_SOCKET, SO_RCVBUFFORCE, im->rcvbuf / 2) < 0)
        return -errno;
    if (im->buf_lock >= 0 &&
        repair_set(sock, SOL_SOCKET, SO_BUF_LOCK, im->buf_lock) < 0)
        return -errno;
    return 0;
}

/* From the host itself: in from a device the kernel would take it for a forgery. */
static bool
is_own(const uint8_t *packet)
{
    static const uint8_t loopback6[16] = { [15] = 1 };

    if (packet[0] >> 4 == 4)
        return packet[12] == 127 || memcmp(packet + 12, packet + 16, 4) == 0;
    return memcmp(packet + 8, loopback6, 16) == 0 ||
           memcmp(packet + 8, packet + 24, 16) == 0;
}

static int
send_own(const uint8_t *packet, size_t size)
{
    struct sockaddr_in to4 = { .sin_family = AF_INET };
    struct sockaddr_in6 to6 = { .sin6_family = AF_INET6 };
    bool v4 = packet[0] >> 4 == 4;
    int raw = socket(v4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
    ssize_t n;

    if (raw < 0)
        return -errno;
    memcpy(&to4.sin_addr, packet + 16, 4);
    memcpy(&to6.sin6_addr, packet + 24, 16);
    n = v4 ? sendto(raw, packet, size, 0, (struct sockaddr *)&to4, sizeof to4)
           : sendto(raw, packet, size, 0, (struct sockaddr *)&to6, sizeof to6);
    fd_close(raw);
    return n < 0 ? -errno : 0;
}

static int
inject(const struct image_udp *im, const uint8_t *parcel, int tun)
{
    static _Thread_local uint8_t packet[DATAGRAM_HEADERS + IMAGE_DATAGRAM_MAX];
    const struct image_datagram *d;
    uint32_t at = 0;
    int ret = 0;

    while (ret == 0 && (d = image_datagram_next(parcel, im->queued, &at))) {
        const struct datagram out = { .from = d->from,
            .to = d->to,
            .data = (const uint8_t *)(d + 1),
            .size = d->size };
        size_t n = datagram_build(&out, packet);

        if (n == 0)
            ret = -EBADMSG;
        else if (is_own(packet))
            ret = send_own(packet, n);
        else if (tun < 0)
            ret = -EOPNOTSUPP;
        else if (write(tun, packet, n) < 0)
            ret = -errno;
    }
    return ret == 0 && at != im->queued ? -EBADMSG : ret;
}

int
udp_restore(
    const struct image_udp *im, const uint8_t *parcel, int tun, const char **step)
{
    bool raw = im->protocol != 0;
    int sock = socket(im->family, (raw ? SOCK_RAW : SOCK_DGRAM) | SOCK_CLOEXEC,
        raw ? im->protocol : IPPROTO_UDP);
    int ret, room = im->rcvbuf > ROOM_MIN ? im->rcvbuf : ROOM_MIN;

    *step = "socket";
    if (sock < 0)
        return -errno;
    *step = "options about the address";
    ret = set_options(sock, im, BEFORE_BIND);
    if (ret == 0) {
        *step = "bind and connect";
        repair_set(sock, SOL_SOCKET, SO_RCVBUFFORCE, room);
        ret = set_name(sock, im);
    }
    if (ret == 0) {
        *step = "unread datagrams";
        ret = inject(im, parcel, tun);
    }
    if (ret == 0) {
        *step = "options";
        ret = set_options(sock, im, AFTER_INJECTION);
    }
    if (ret == 0 && im->protocol == IPPROTO_ICMPV6 &&
        setsockopt(sock, IPPROTO_ICMPV6, ICMP6_FILTER, im->icmp6, sizeof im->icmp6) < 0)
        ret = -errno;
    if (ret == 0)
        ret = set_buffers(sock, im);
    if (ret == 0)
        return sock;
    fd_close(sock);
    return ret;
}
