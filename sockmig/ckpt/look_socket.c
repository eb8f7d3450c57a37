/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * look_socket.c - internet sockets: TCP in all its forms; UDP. */
#include "sockmig/ckpt/descriptors.h"

#include "sockmig/ckpt/groups.h"
#include "sockmig/ckpt/netlink_sock.h"
#include "sockmig/ckpt/options.h"
#include "sockmig/ckpt/tcp_dead.h"
#include "sockmig/ckpt/udp.h"
#include "sockmig/ckpt/unaccepted.h"
#include "sockmig/filehash.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum { /* tcp_states.h */
    STATE_ESTABLISHED = 1,
    STATE_SYN_SENT = 2,
    STATE_CLOSE = 7,
    STATE_LISTEN = 10
};

#ifndef SO_BUF_LOCK
#define SO_BUF_LOCK 72
#endif

int
look_option(int sock, int level, int name)
{
    int value = 0;
    socklen_t n = sizeof value;

    return getsockopt(sock, level, name, &value, &n) < 0 ? 0 : value;
}

static int
look_at_unconnected(struct look *l, int kind, int backlog)
{
    struct image_fd *out = l->out;
    socklen_t len = sizeof out->u.listen.address;
    int s = l->dup;

    if (!l->full && out->kind == kind && out->u.listen.address_len > 0)
        return 0;
    out->kind = kind;
    memset(&out->u, 0, sizeof out->u);
    if (getsockname(s, (struct sockaddr *)out->u.listen.address, &len) < 0)
        return -errno;
    out->u.listen.address_len = len;
    out->u.listen.family = l->memo->family;
    out->u.listen.backlog = backlog;
    out->u.listen.reuse_addr = look_option(s, SOL_SOCKET, SO_REUSEADDR);
    out->u.listen.reuse_port = look_option(s, SOL_SOCKET, SO_REUSEPORT);
    out->u.listen.v6only = l->memo->family == AF_INET6
                               ? look_option(s, IPPROTO_IPV6, IPV6_V6ONLY)
                               : 0;
    out->u.listen.nodelay = look_option(s, IPPROTO_TCP, TCP_NODELAY);
    out->u.listen.keepalive = look_option(s, SOL_SOCKET, SO_KEEPALIVE);
    out->u.listen.keep_idle = look_option(s, IPPROTO_TCP, TCP_KEEPIDLE);
    out->u.listen.keep_interval = look_option(s, IPPROTO_TCP, TCP_KEEPINTVL);
    out->u.listen.keep_count = look_option(s, IPPROTO_TCP, TCP_KEEPCNT);
    out->u.listen.defer_accept = look_option(s, IPPROTO_TCP, TCP_DEFER_ACCEPT);
    out->u.listen.user_timeout = look_option(s, IPPROTO_TCP, TCP_USER_TIMEOUT);
    out->u.listen.sndbuf = look_option(s, SOL_SOCKET, SO_SNDBUF);
    out->u.listen.rcvbuf = look_option(s, SOL_SOCKET, SO_RCVBUF);
    out->u.listen.buf_lock = look_option(s, SOL_SOCKET, SO_BUF_LOCK);
    out->u.listen.fastopen = look_option(s, IPPROTO_TCP, TCP_FASTOPEN);
    options_read(s, l->memo->family, &out->u.listen.options);
    return 0;
}

static int
become(struct look *l, int kind)
{
    if (l->out->kind != kind) {
        memset(&l->out->u, 0, sizeof l->out->u);
        l->out->kind = kind;
    }
    return 0;
}

/* A parcel of what is unread, as far as urgent data, which is where the kernel stops.
 * Its size, or -errno. */
static int
dead_content(struct look *l, const uint8_t **bytes)
{
    int size = 0;

    if (ioctl(l->dup, SIOCINQ, &size) < 0)
        return -errno;
    while (size > 0) {
        uint8_t *to = parcels_add(l->parcels, l->fd, (uint32_t)size);
        ssize_t n = to ? recv(l->dup, to, (size_t)size, MSG_PEEK | MSG_DONTWAIT) : 0;

        if (!to)
            return -ENOSPC;
        *bytes = to;
        if (n == size)
            break;
        parcels_undo(l->parcels);
        size = n < 0 ? 0 : (int)n;
    }
    return size;
}

static int
look_at_dead(struct look *l)
{
    const uint8_t *bytes = NULL;
    uint64_t hash = 0;
    int size;

    become(l, IMAGE_FD_TCP_DEAD);
    l->out->u.dead.family = l->memo->family;
    l->out->u.dead.error = tcp_dead_error(l->dup);
    size = dead_content(l, &bytes);
    if (size < 0)
        return size;
    l->out->u.dead.queued = (uint32_t)size;
    if (size > 0)
        hash = filehash_bytes(bytes, (size_t)size) | 1;
    if (size > 0 && hash == l->memo->parcel_hash)
        parcels_undo(l->parcels); /* that of the last time */
    l->memo->parcel_hash = hash;
    return 0;
}

/* Closed state: never used, or used up. */
static int
look_at_closed(struct look *l, const struct tcp_info *info)
{
    struct sockaddr_in6 sa = { 0 };
    socklen_t len = sizeof sa;

    if (info->tcpi_segs_in + info->tcpi_segs_out > 0)
        return look_at_dead(l);
    if (getsockname(l->dup, (struct sockaddr *)&sa, &len) < 0)
        return -errno;
    /* the port is at the same place for both families */
    return look_at_unconnected(
        l, sa.sin6_port != 0 ? IMAGE_FD_TCP_BOUND : IMAGE_FD_TCP_FRESH, 0);
}

/* Signatures are agreed on before there is a connection: they are looked for in the
 * first looks only, since asking for them is dear. */
static const char *
secret_of(const struct look *l)
{
    return l->full ? tcp_secret(l->dup, l->memo->looks <= 3 ? l->d->diag : -1) : NULL;
}

/* Of a listener these are how many wait, and how many may. */
static int
look_at_listener(struct look *l, const struct tcp_info *info)
{
    int ret = look_at_unconnected(l, IMAGE_FD_TCP_LISTEN, (int)info->tcpi_sacked);

    if (ret == 0 && info->tcpi_unacked > 0 && l->row)
        unaccepted_read(l->row->sock, l->fd, l->im);
    return ret;
}

/* Nobody knows in a clone what it has asked for: who waits in connect() asks again,
 * with a new socket; to others it has failed. */
static int
look_at_connecting(struct look *l)
{
    if (!(l->out->flags & O_NONBLOCK))
        return look_at_unconnected(l, IMAGE_FD_TCP_FRESH, 0);
    become(l, IMAGE_FD_TCP_DEAD);
    l->out->u.dead.family = l->memo->family;
    l->out->u.dead.error = ECONNRESET;
    l->out->u.dead.queued = 0;
    return 0;
}

static int
refuse_option(struct look *l, const char *what)
{
    return look_refuse(l, "disable the feature that uses it in the service", what);
}

/* A connection that is known, and was told something else by setsockopt(): that it may
 * be refused for shows before its next full look. */
static int
dump(struct look *l)
{
    struct descriptor *m = l->memo;
    const uint32_t options = m->watch.options;
    const char *what = NULL;

    switch (tcp_dump(l->dup, l->fd, l->st.st_ino, &m->watch, &m->tcp, l->parcels)) {
    case TCP_LOOK_SAME:
        return 0;
    case TCP_LOOK_DUMPED:
        if (options != 0 && m->watch.options != options && !l->full)
            what = options_refused(l->dup, m->family);
        return what ? refuse_option(l, what) : 0;
    case TCP_LOOK_DEAD:
        return look_at_dead(l);
    default:
        return -EAGAIN;
    }
}

static int
look_at_tcp(struct look *l)
{
    struct tcp_info info = { 0 };
    socklen_t len = sizeof info;
    const char *what = l->full ? options_refused(l->dup, l->memo->family) : NULL;

    if (what)
        return refuse_option(l, what);
    if (l->memo->image.kind == IMAGE_FD_TCP && l->memo->looks > 1) {
        info.tcpi_state = STATE_ESTABLISHED; /* tcp_dump() finds out if not */
    } else if (getsockopt(l->dup, IPPROTO_TCP, TCP_INFO, &info, &len) < 0) {
        return -errno;
    }
    what = info.tcpi_state == STATE_CLOSE ? NULL : secret_of(l);
    if (what)
        return look_refuse(
            l, "disable it in the service: its keys cannot be read back", what);
    if (info.tcpi_state == STATE_LISTEN)
        return look_at_listener(l, &info);
    if (info.tcpi_state == STATE_CLOSE)
        return look_at_closed(l, &info);
    if (info.tcpi_state == STATE_SYN_SENT)
        return look_at_connecting(l);
    become(l, IMAGE_FD_TCP);
    return dump(l);
}

/* Its datagrams, if they are not those of the last time. */
static int
udp_content(struct look *l)
{
    uint8_t *scratch = (uint8_t *)l->d->text.data, *to;
    uint32_t size = udp_peek(
        l->dup, l->memo->family, scratch, (uint32_t)l->d->text.capacity);
    uint64_t hash = size > 0 ? filehash_bytes(scratch, size) | 1 : 0;

    l->out->u.udp.queued = size;
    if (hash != l->memo->parcel_hash && size > 0) {
        to = parcels_add(l->parcels, l->fd, size);
        if (!to)
            return -ENOSPC;
        memcpy(to, scratch, size);
    }
    l->memo->parcel_hash = hash;
    return 0;
}

static int
look_at_udp(struct look *l)
{
    const char *what;
    int ret = 0;

    l->out->kind = l->memo->socket_type == SOCK_RAW ? IMAGE_FD_RAW : IMAGE_FD_UDP;
    if (l->d->trace->kin && !l->d->trace->kin->in_cell)
        ret = groups_read(l);
    else if (l->full && groups_any(l)) /* a gate routes none */
        ret = look_refuse(l, "configure the service without multicast",
            "UDP socket, and the service is in a multicast group");
    if (ret < 0)
        return ret;
    what = udp_look(l->dup, l->memo->family, &l->out->u.udp);
    if (what)
        return look_refuse(l, "disable the feature that uses it in the service", what);
    return l->out->kind == IMAGE_FD_RAW ? 0 : udp_content(l);
}

static int
look_at_netlink(struct look *l)
{
    bool waits;
    const char *what = netlink_look(
        l->dup, l->memo->protocol, &l->out->u.netlink, &waits);

    l->out->kind = IMAGE_FD_NETLINK;
    if (what)
        return look_refuse(l, "disable the feature that uses it in the service", what);
    return waits ? -EAGAIN : 0;
}

static int
refuse_socket(struct look *l)
{
    static const struct {
        int family, protocol;
        const char *what;
    } rows[] = {
        { AF_INET, 262, "multipath TCP socket" },
        { AF_INET6, 262, "multipath TCP socket" },
        { AF_INET, 132, "SCTP socket" },
        { AF_INET6, 132, "SCTP socket" },
        { AF_INET, 33, "DCCP socket" },
        { AF_INET6, 33, "DCCP socket" },
        { AF_INET, 256, "SMC socket" },
        { AF_INET, 136, "UDP-Lite socket" },
        { AF_INET6, 136, "UDP-Lite socket" },
        { AF_INET, -1, "unusual internet socket" },
        { AF_INET6, -1, "unusual internet socket" },
        { AF_PACKET, -1, "packet socket" },
        { AF_ALG, -1, "socket of the kernel's cryptography" },
        { AF_VSOCK, -1, "socket to a virtual machine (vsock)" },
        { AF_XDP, -1, "XDP socket" },
        { AF_SMC, -1, "SMC socket" },
        { AF_TIPC, -1, "TIPC socket" },
        { AF_RDS, -1, "RDS socket" },
        { AF_CAN, -1, "CAN socket" },
        { AF_BLUETOOTH, -1, "Bluetooth socket" },
        { AF_KEY, -1, "key management socket" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].family == l->memo->family &&
            (rows[i].protocol < 0 || rows[i].protocol == l->memo->protocol))
            return look_refuse(
                l, "disable the feature that uses it in the service", rows[i].what);
    return look_refuse(l, "disable the feature that uses it in the service",
        "socket of an unknown family");
}

int
look_at_socket(struct look *l)
{
    struct descriptor *m = l->memo;

    if (m->family == 0) {
        m->family = look_option(l->dup, SOL_SOCKET, SO_DOMAIN);
        m->socket_type = look_option(l->dup, SOL_SOCKET, SO_TYPE);
        m->protocol = look_option(l->dup, SOL_SOCKET, SO_PROTOCOL);
    }
    l->out->socktype = (uint32_t)m->socket_type;
    if (m->family == AF_UNIX)
        return look_at_unix(l);
    if ((m->family == AF_INET || m->family == AF_INET6) &&
        m->socket_type == SOCK_STREAM && m->protocol == IPPROTO_TCP)
        return look_at_tcp(l);
    if ((m->family == AF_INET || m->family == AF_INET6) &&
        m->socket_type == SOCK_DGRAM && m->protocol == IPPROTO_UDP)
        return look_at_udp(l);
    if ((m->family == AF_INET || m->family == AF_INET6) && m->socket_type == SOCK_RAW)
        return look_at_udp(l);
    if (m->family == AF_NETLINK)
        return look_at_netlink(l);
    return refuse_socket(l);
}
