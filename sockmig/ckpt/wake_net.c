/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * wake_net.c - the sockets of a clone, made by the engine inside the cell's network
 * namespace.
 *
 * All connections are there before the first leaves repair mode, and the listeners
 * before all: a segment for a socket that is not there yet would be answered with a
 * reset.  Thousands of them are made by two threads: none has to do with another. */
#include "sockmig/ckpt/clone_parts.h"

#include "lib/fd.h"
#include "sockmig/ckpt/crew.h"
#include "sockmig/ckpt/groups.h"
#include "sockmig/ckpt/netlink_sock.h"
#include "sockmig/ckpt/options.h"
#include "sockmig/ckpt/repair.h"
#include "sockmig/ckpt/tcp.h"
#include "sockmig/ckpt/udp.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PORT_WAIT_MS 200

int
net_enter(const struct clone *c, int *before)
{
    *before = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    if (*before < 0)
        return -errno;
    return setns(c->netns, CLONE_NEWNET) < 0 ? -errno : 0;
}

int
net_leave(int before)
{
    int ret = before >= 0 && setns(before, CLONE_NEWNET) < 0 ? -errno : 0;

    fd_close(before);
    return ret;
}

const struct image_tcp *
net_fresh(struct clone *c, int family)
{
    struct image_tcp *fresh = &c->fresh[family == AF_INET6];

    return fresh->family || tcp_fresh(family, fresh) ? fresh : NULL;
}

int
net_nonblock(const struct image_fd *f)
{
    return f->flags & O_NONBLOCK ? SOCK_NONBLOCK : 0;
}

int
net_purge(const struct clone *c)
{
    int before = -1, ret = net_enter(c, &before), back;

    if (ret == 0)
        ret = tcp_purge();
    back = net_leave(before);
    return ret < 0 ? ret : back;
}

static int
set_flags(int sock, uint32_t flags)
{
    return fcntl(sock, F_SETFL, (int)flags & O_NONBLOCK) < 0 ? -errno : 0;
}

static int
set_if(int sock, int level, int name, int value, bool wanted)
{
    return wanted ? repair_set(sock, level, name, value) : 0;
}

static int
listener_options(int sock, const struct image_fd *f)
{
    int failed = 0;

    failed |= repair_set(sock, SOL_SOCKET, SO_REUSEADDR, 1);
    failed |= set_if(sock, SOL_SOCKET, SO_REUSEPORT, 1, f->u.listen.reuse_port > 0);
    failed |= set_if(sock, IPPROTO_IPV6, IPV6_V6ONLY, f->u.listen.v6only,
        f->u.listen.family == AF_INET6 && f->u.listen.v6only >= 0);
    failed |= set_if(sock, SOL_TCP, TCP_NODELAY, 1, f->u.listen.nodelay > 0);
    failed |= set_if(sock, SOL_SOCKET, SO_KEEPALIVE, 1, f->u.listen.keepalive > 0);
    failed |= set_if(
        sock, SOL_TCP, TCP_KEEPIDLE, f->u.listen.keep_idle, f->u.listen.keep_idle > 0);
    failed |= set_if(sock, SOL_TCP, TCP_KEEPINTVL, f->u.listen.keep_interval,
        f->u.listen.keep_interval > 0);
    failed |= set_if(
        sock, SOL_TCP, TCP_KEEPCNT, f->u.listen.keep_count, f->u.listen.keep_count > 0);
    failed |= set_if(sock, SOL_TCP, TCP_DEFER_ACCEPT, f->u.listen.defer_accept,
        f->u.listen.defer_accept > 0);
    failed |= set_if(sock, SOL_TCP, TCP_USER_TIMEOUT, f->u.listen.user_timeout,
        f->u.listen.user_timeout > 0);
    failed |= set_if(
        sock, SOL_TCP, TCP_FASTOPEN, f->u.listen.fastopen, f->u.listen.fastopen > 0);
    failed |= set_if(sock, SOL_SOCKET, SO_SNDBUFFORCE, f->u.listen.sndbuf / 2,
        f->u.listen.buf_lock & 1);
    failed |= set_if(sock, SOL_SOCKET, SO_RCVBUFFORCE, f->u.listen.rcvbuf / 2,
        f->u.listen.buf_lock & 2);
    failed |= set_if(sock, f->u.listen.family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP,
        f->u.listen.family == AF_INET6 ? 78 /* IPV6_FREEBIND */ : IP_FREEBIND, 1,
        f->kind != IMAGE_FD_TCP_FRESH);
    if (failed)
        return -errno;
    return options_write(sock, f->u.listen.family, &f->u.listen.options);
}

/* On one host a predecessor's port can stay busy for some milliseconds after it was
 * killed. */
static int
bind_patiently(int sock, const struct image_fd *f)
{
    struct timespec tick = { .tv_nsec = 100000 };

    for (unsigned tries = 0;; tries++) {
        if (bind(sock, (const struct sockaddr *)f->u.listen.address,
                f->u.listen.address_len) == 0)
            return 0;
        if (errno != EADDRINUSE || tries == PORT_WAIT_MS * 10)
            return -errno;
        if (tries == 0) { /* the port is at the same place for both families */
            struct sockaddr_in at;

            memcpy(&at, f->u.listen.address, sizeof at);
            tcp_purge_waits(at.sin_port);
        }
        nanosleep(&tick, NULL);
    }
}

static int
make_listener(const struct image_fd *f, int *sock)
{
    int s = socket(f->u.listen.family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
    int ret;

    if (s < 0)
        return -errno;
    ret = listener_options(s, f);
    if (ret == 0 && f->kind != IMAGE_FD_TCP_FRESH)
        ret = bind_patiently(s, f);
    if (ret == 0 && f->kind == IMAGE_FD_TCP_LISTEN &&
        listen(s, f->u.listen.backlog) < 0)
        ret = -errno;
    if (ret == 0 && f->u.listen.reuse_addr == 0)
        repair_set(s, SOL_SOCKET, SO_REUSEADDR, 0);
    if (ret == 0)
        ret = set_flags(s, f->flags);
    if (ret == 0) {
        *sock = s;
        s = -1;
    }
    fd_close(s);
    return ret;
}

int
wake_listeners(struct wake *w, const char **what)
{
    int before = -1, ret = net_enter(w->c, &before), back;

    *what = "listener";
    for (uint32_t i = 0; i < w->im->nfds && ret == 0; i++) {
        const struct image_fd *f = &w->im->fds[i];

        if ((f->kind != IMAGE_FD_TCP_LISTEN && f->kind != IMAGE_FD_TCP_BOUND &&
                f->kind != IMAGE_FD_TCP_FRESH) ||
            f->dup_of >= 0 || w->c->opened[i] >= 0)
            continue;
        ret = make_listener(f, &w->c->opened[i]);
        if (ret < 0)
            refuse(w->why, w->im->process.pid, f->fd,
                "free the address in the cell of this node",
                "listening socket cannot be made: %s", strerror(-ret));
    }
    back = net_leave(before);
    return ret < 0 ? ret : back;
}

/* A connection that cannot go on.  The process may have its socket already. */
static void
bury(int sock)
{
    const struct sockaddr nobody = { .sa_family = AF_UNSPEC };

    connect(sock, &nobody, sizeof nobody);
    repair_set(sock, SOL_TCP, TCP_REPAIR, TCP_REPAIR_OFF_NO_WP);
    repair_get(sock, SOL_SOCKET, SO_ERROR); /* which clears it */
    shutdown(sock, SHUT_RDWR);
}

static void
lose(struct wake *w, const struct image_fd *f, const char *step, int err)
{
    w->lost++;
    refuse(w->why, w->im->process.pid, f->fd,
        "the client's next segment is answered with a reset: it reconnects",
        "connection lost: %s: %s", step, strerror(-err));
}

/* What has been since this connection was dumped: the age of the checkpoint, and how
 * long before it the connection moved last. */
static uint32_t
connection_age(const struct wake *w, const struct image_tcp *t)
{
    uint64_t taken = w->im->process.clock_ns;

    if (taken <= t->dumped_ns)
        return w->age_ms;
    return w->age_ms + (uint32_t)((taken - t->dumped_ns) / 1000000);
}

/* Its descriptor, or -errno.  One that was made ahead and cannot be used is no reason
 * to lose the connection. */
static int
connection(struct wake *w, const struct image_fd *f, const struct image_tcp *t,
    const char **step)
{
    const struct clone_queue *q = &w->c->queues[f->fd];
    const struct tcp_parts parts = { .fresh = net_fresh(w->c, t->family),
        .inq = q->bytes,
        .outq = q->bytes + t->inq,
        .age_ms = connection_age(w, t),
        .tun = w->tun };
    struct image_tcp prepared;
    bool whole = false;
    int sock = ahead_take(w->c, f, t, &prepared, &whole), ret;

    if (sock >= 0) {
        ret = whole ? tcp_set_age(sock, t, parts.age_ms)
                    : tcp_establish(sock, &prepared, t, &parts, step);
        if (ret == 0)
            return sock;
        fd_close(sock);
    }
    return tcp_restore(t, &parts, net_nonblock(f), step);
}

static int
restore_one(struct wake *w, uint32_t i)
{
    const struct image_fd *f = &w->im->fds[i];
    const struct image_tcp *t = image_tcp_find(w->im, f->fd);
    const struct clone_queue *q = &w->c->queues[f->fd];
    const char *step = "image";
    int sock = -EBADMSG;

    if (w->c->opened[i] >= 0) /* another process of the family had it first */
        return 0;
    if (w->alone) {
        w->lost++;
        w->c->opened[i] = wake_dead_socket(f, t ? t->family : AF_INET);
        return w->c->opened[i] < 0 ? -errno : 0;
    }
    if (t && q->size == t->inq + t->outq)
        sock = connection(w, f, t, &step);
    if (sock >= 0) {
        w->c->opened[i] = sock;
        return 0;
    }
    lose(w, f, step, sock);
    w->c->opened[i] = wake_dead_socket(f, t ? t->family : AF_INET);
    return w->c->opened[i] < 0 ? -errno : 0;
}

/* Not so the dead one of a connection that was lost; and one that several processes
 * have is released with the first of them: its unsent data would be sent twice.  One
 * process that has lost none need not ask. */
static bool
waits_in_repair(const struct wake *w, int sock)
{
    return (!w->shared && w->lost == 0) || repair_get(sock, SOL_TCP, TCP_REPAIR) > 0;
}

static int
release_one(struct wake *w, uint32_t i)
{
    const struct image_fd *f = &w->im->fds[i];
    const struct image_tcp *t = image_tcp_find(w->im, f->fd);
    const struct clone_queue *q = &w->c->queues[f->fd];
    const char *step = "image";
    int ret = 0;

    if (t && waits_in_repair(w, w->c->opened[i])) {
        ret = tcp_release(w->c->opened[i], t, q->bytes + t->inq, w->tun, &step);
        if (ret < 0) {
            lose(w, f, step, ret);
            bury(w->c->opened[i]);
        }
    }
    return 0;
}

static int
udp_one(struct wake *w, uint32_t i)
{
    const struct image_fd *f = &w->im->fds[i];
    const struct clone_queue *q = &w->c->queues[f->fd];
    const char *step = "image";
    int sock = -EBADMSG, ret;

    if (f->u.udp.queued == 0 || q->size == f->u.udp.queued)
        sock = udp_restore(&f->u.udp, q->bytes, w->tun, &step);
    if (sock >= 0 && (ret = groups_join(w->im, f->fd, sock)) < 0) {
        step = "multicast group";
        fd_close(sock);
        sock = ret;
    }
    if (sock < 0) {
        refuse(w->why, w->im->process.pid, f->fd,
            "free the address in the cell of this node",
            "UDP socket cannot be made: %s: %s", step, strerror(-sock));
        return sock;
    }
    w->c->opened[i] = sock;
    return set_flags(sock, f->flags);
}

static int
netlink_one(struct wake *w, uint32_t i)
{
    const struct image_fd *f = &w->im->fds[i];
    int sock = netlink_restore(&f->u.netlink, f->socktype);

    if (sock < 0) {
        refuse(w->why, w->im->process.pid, f->fd, "see the system's log",
            "netlink socket cannot be made: %s", strerror(-sock));
        return sock;
    }
    w->c->opened[i] = sock;
    return set_flags(sock, f->flags);
}

/* ---- all of them ---- */

struct part { /* of the work: a thread's */
    struct wake w;
    struct refusals why;
    int (*connected)(struct wake *w, uint32_t i);
};

static int
each(void *arg, uint32_t i)
{
    struct part *p = arg;
    const struct image_fd *f = &p->w.im->fds[i];

    return f->kind == IMAGE_FD_TCP && f->dup_of < 0 ? p->connected(&p->w, i) : 0;
}

static void
part_init(
    struct part *p, const struct wake *w, int (*connected)(struct wake *w, uint32_t i))
{
    p->w = *w;
    p->w.why = &p->why;
    p->why.n = 0;
    p->why.each = NULL;
    p->connected = connected;
}

static int
each_connection(struct wake *w, int (*connected)(struct wake *w, uint32_t i))
{
    struct part mine, other;
    unsigned lost = w->lost;
    int ret;

    for (uint32_t i = 0; i < w->im->ntcps; i++)
        net_fresh(w->c, w->im->tcps[i].family); /* which both then only read */
    part_init(&mine, w, connected);
    part_init(&other, w, connected);
    ret = crew_run(each, &mine, &other, w->im->nfds, 10);
    w->lost = mine.w.lost + other.w.lost - lost;
    refusals_join(w->why, &mine.why);
    refusals_join(w->why, &other.why);
    return ret;
}

/* One after the other: unread datagrams find the socket by what is there so far. */
static int
each_other(struct wake *w)
{
    int ret = 0;

    for (uint32_t i = 0; i < w->im->nfds && ret == 0; i++) {
        const struct image_fd *f = &w->im->fds[i];

        if (f->dup_of >= 0 || w->c->opened[i] >= 0)
            continue;
        if (f->kind == IMAGE_FD_UDP || f->kind == IMAGE_FD_RAW)
            ret = udp_one(w, i);
        else if (f->kind == IMAGE_FD_NETLINK)
            ret = netlink_one(w, i);
        else if (f->kind == IMAGE_FD_TCP_DEAD)
            ret = wake_dead(w, i);
    }
    return ret;
}

int
wake_sockets(struct wake *w, const char **what)
{
    int before = -1, ret = net_enter(w->c, &before), back;

    *what = "sockets";
    if (w->alone)
        ahead_drop(w->c);
    else
        ahead_sweep(w->c, w->im);
    if (!w->c->ahead)
        fd_expect(w->im->nfds);
    if (ret == 0)
        ret = each_connection(w, restore_one);
    if (ret == 0)
        ret = each_other(w);
    back = net_leave(before);
    return ret < 0 ? ret : back;
}

int
wake_release(struct wake *w, const char **what)
{
    int before = -1, ret = net_enter(w->c, &before), back;

    *what = "sockets";
    if (ret == 0)
        ret = each_connection(w, release_one);
    back = net_leave(before);
    return ret < 0 ? ret : back;
}

/* A replay keeps it until the opening, and has room for twice as much. */
#define RESEND_BYTES (8u << 20)
#define RESEND_LEAST 65536u

/* What each connection may put out again: what one leaves is its socket's, after a
 * timer. */
static uint32_t
resend_share(const struct image *im)
{
    uint32_t flights = 0, share;

    for (uint32_t i = 0; i < im->ntcps; i++)
        flights += im->tcps[i].outq > im->tcps[i].unsent;
    share = RESEND_BYTES / (flights > 0 ? flights : 1);
    return share > RESEND_LEAST ? share : RESEND_LEAST;
}

void
wake_resend(struct wake *w)
{
    uint32_t share = resend_share(w->im);
    int before = -1;

    if (w->raw < 0 || w->alone || net_enter(w->c, &before) < 0)
        return;
    for (uint32_t i = 0; i < w->im->nfds; i++) {
        const struct image_fd *f = &w->im->fds[i];
        const struct image_tcp *t = image_tcp_find(w->im, f->fd);

        if (f->kind == IMAGE_FD_TCP && t && w->c->opened[i] >= 0 && t->outq > 0)
            tcp_resend(
                w->c->opened[i], t, w->c->queues[f->fd].bytes + t->inq, share, w->raw);
    }
    net_leave(before);
}
