/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * tcp_dump.c - one TCP connection to an image.
 *
 * The network goes on while the process is stopped: segments arrive between any two
 * system calls here.  So everything that belongs together is read, then read again,
 * and thrown away if it moved.
 *
 * While the send queue is selected, an ACK that comes in makes the kernel mark unsent
 * data as sent without sending them (net/ipv4/tcp_output.c, tcp_write_xmit).  So the
 * receive queue stays selected but for the two calls that need the other one. */
#include "sockmig/ckpt/tcp.h"

#include "lib/fd.h"
#include "sockmig/ckpt/repair.h"

#include <linux/sock_diag.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define TRIES 20
#define OPTION_USEC_TS 64 /* TCPI_OPT_USEC_TS, Linux 6.7 */
#define REREAD_OPTIONS 16 /* after TCP_YOUNG looks, every so many dumps */

static uint32_t
queue_size(int sock, unsigned long request)
{
    int value = 0;

    return ioctl(sock, request, &value) < 0 ? 0 : (uint32_t)value;
}

/* Linux 6.2 added tcpi_rcv_wnd, which the headers here may not have yet. */
#define RCV_WND_AT (offsetof(struct tcp_info, tcpi_snd_wnd) + sizeof(uint32_t))

struct info {
    union {
        struct tcp_info old;
        uint8_t raw[512];
    };
    uint32_t rcv_wnd;
    bool has_rcv_wnd;
};

static bool
info_get(int sock, struct info *info)
{
    socklen_t n = sizeof info->raw;

    memset(info, 0, sizeof *info);
    if (getsockopt(sock, SOL_TCP, TCP_INFO, info->raw, &n) < 0)
        return false;
    info->has_rcv_wnd = n >= RCV_WND_AT + sizeof info->rcv_wnd;
    if (info->has_rcv_wnd)
        memcpy(&info->rcv_wnd, info->raw + RCV_WND_AT, sizeof info->rcv_wnd);
    return true;
}

static bool
is_alive(const struct info *info)
{
    uint32_t state = info->old.tcpi_state;

    return state == STATE_ESTABLISHED || repair_fin_sent(state) ||
           repair_fin_received(state);
}

/* @last: what it has besides what moves is kept. */
static struct tcp_watch
watch_of(
    const struct info *info, int sock, uint64_t inode, const struct tcp_watch *last)
{
    struct tcp_watch w = *last;

    w.inode = inode;
    w.bytes_acked = info->old.tcpi_bytes_acked;
    w.bytes_received = info->old.tcpi_bytes_received;
    w.segs_in = info->old.tcpi_segs_in;
    w.segs_out = info->old.tcpi_segs_out;
    w.notsent = info->old.tcpi_notsent_bytes;
    w.inq = queue_size(sock, SIOCINQ);
    w.state = info->old.tcpi_state;
    w.looks++;
    return w;
}

static bool
is_same(const struct tcp_watch *a, const struct tcp_watch *b)
{
    return a->inode == b->inode && a->bytes_acked == b->bytes_acked &&
           a->bytes_received == b->bytes_received && a->segs_in == b->segs_in &&
           a->segs_out == b->segs_out && a->notsent == b->notsent && a->inq == b->inq &&
           a->state == b->state;
}

/* What never changes in the life of a connection. */
static bool
read_identity(int sock, int fd, const struct info *info, struct image_tcp *e)
{
    socklen_t local = sizeof e->local, remote = sizeof e->remote;

    memset(e, 0, sizeof *e);
    if (getsockname(sock, (struct sockaddr *)e->local, &local) < 0 ||
        getpeername(sock, (struct sockaddr *)e->remote, &remote) < 0)
        return false;
    e->fd = fd;
    e->address_len = local;
    e->family = repair_get(sock, SOL_SOCKET, SO_DOMAIN);
    e->options = info->old.tcpi_options;
    e->snd_wscale = info->old.tcpi_snd_wscale;
    e->rcv_wscale = info->old.tcpi_rcv_wscale;
    return true;
}

static void
read_options(int sock, struct image_tcp *e)
{
    struct linger linger = { 0 };
    socklen_t n = sizeof linger;

    if (getsockopt(sock, SOL_SOCKET, SO_LINGER, &linger, &n) == 0) {
        e->linger_on = linger.l_onoff;
        e->linger_sec = linger.l_linger;
    }
    n = sizeof e->congestion;
    if (getsockopt(sock, SOL_TCP, TCP_CONGESTION, e->congestion, &n) < 0)
        e->congestion[0] = '\0';
    e->reuse_addr = repair_get(sock, SOL_SOCKET, SO_REUSEADDR);
    e->reuse_port = repair_get(sock, SOL_SOCKET, SO_REUSEPORT);
    e->keepalive = repair_get(sock, SOL_SOCKET, SO_KEEPALIVE);
    e->buf_lock = repair_get(sock, SOL_SOCKET, SO_BUF_LOCK);
    e->rcv_lowat = repair_get(sock, SOL_SOCKET, SO_RCVLOWAT);
    e->nodelay = repair_get(sock, SOL_TCP, TCP_NODELAY);
    e->cork = repair_get(sock, SOL_TCP, TCP_CORK);
    e->keep_idle = repair_get(sock, SOL_TCP, TCP_KEEPIDLE);
    e->keep_interval = repair_get(sock, SOL_TCP, TCP_KEEPINTVL);
    e->keep_count = repair_get(sock, SOL_TCP, TCP_KEEPCNT);
    e->user_timeout = repair_get(sock, SOL_TCP, TCP_USER_TIMEOUT);
    e->notsent_lowat = repair_get(sock, SOL_TCP, TCP_NOTSENT_LOWAT);
    e->quickack = repair_get(sock, SOL_TCP, TCP_QUICKACK);
    e->tos = e->family == AF_INET6 ? repair_get(sock, IPPROTO_IPV6, IPV6_TCLASS)
                                   : repair_get(sock, IPPROTO_IP, IP_TOS);
}

bool
tcp_fresh(int family, struct image_tcp *out)
{
    int sock = socket(family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);

    memset(out, 0, sizeof *out);
    out->family = family;
    if (sock >= 0)
        read_options(sock, out);
    fd_close(sock);
    return sock >= 0;
}

bool
tcp_look_ahead(int sock, int fd, struct image_tcp *entry)
{
    struct info info;

    if (!info_get(sock, &info) || info.old.tcpi_state != STATE_ESTABLISHED ||
        !read_identity(sock, fd, &info, entry))
        return false;
    read_options(sock, entry);
    return true;
}

/* Sizes as the image counts them: the kernel counts our FIN as one byte in both until
 * it is acknowledged (SIOCOUTQNSD: until it is sent). */
static void
read_sizes(int sock, struct image_tcp *e)
{
    e->inq = queue_size(sock, SIOCINQ);
    e->outq = queue_size(sock, SIOCOUTQ);
    e->unsent = queue_size(sock, SIOCOUTQNSD);
    if (repair_fin_sent(e->state) && e->state != STATE_FIN_WAIT2) {
        e->outq -= e->outq > 0;
        e->unsent -= e->unsent > 0;
    }
}

static void
read_window(int sock, struct image_tcp *e)
{
    struct tcp_repair_window w;
    socklen_t n = sizeof w;

    e->has_window = getsockopt(sock, SOL_TCP, TCP_REPAIR_WINDOW, &w, &n) == 0;
    if (!e->has_window)
        return;
    e->snd_wl1 = w.snd_wl1;
    e->snd_wnd = w.snd_wnd;
    e->max_window = w.max_window;
    e->rcv_wnd = w.rcv_wnd;
    e->rcv_wup = w.rcv_wup;
}

static uint64_t
now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static bool
peek(int sock, uint8_t *to, uint32_t size)
{
    return size == 0 || recv(sock, to, size, MSG_PEEK | MSG_DONTWAIT) == (ssize_t)size;
}

/* Did nothing move since @first was read? */
static bool
is_still(int sock, const struct info *first)
{
    struct info now;

    return info_get(sock, &now) && now.old.tcpi_state == first->old.tcpi_state &&
           now.old.tcpi_segs_in == first->old.tcpi_segs_in &&
           now.old.tcpi_bytes_acked == first->old.tcpi_bytes_acked &&
           now.old.tcpi_bytes_received == first->old.tcpi_bytes_received &&
           now.old.tcpi_notsent_bytes == first->old.tcpi_notsent_bytes;
}

/* Sequence numbers against the bytes counted: the difference never changes. */
static void
find_base(struct tcp_watch *w, const struct info *info, const struct image_tcp *e)
{
    uint32_t una = repair_snd_una(e) - (uint32_t)info->old.tcpi_bytes_acked;
    uint32_t nxt = e->rcv_nxt - (uint32_t)info->old.tcpi_bytes_received;

    w->based = e->state == STATE_ESTABLISHED && info->has_rcv_wnd && e->has_window &&
               !(e->options & OPTION_USEC_TS);
    w->una_base = una;
    w->nxt_base = nxt;
    w->timestamp = e->timestamp;
    w->timestamp_ns = e->dumped_ns;
}

/* One try, the socket in repair mode with the receive queue selected. */
static bool
take(int sock, int fd, struct tcp_watch *w, struct image_tcp *e,
    struct parcels *parcels, bool *full)
{
    struct info info;
    uint8_t *bytes;
    bool ok;

    if (!info_get(sock, &info) || !is_alive(&info))
        return false;
    e->state = info.old.tcpi_state;
    e->rcv_nxt = (uint32_t)repair_get(sock, SOL_TCP, TCP_QUEUE_SEQ);
    read_sizes(sock, e);
    read_window(sock, e);
    e->mss = (uint32_t)repair_get(sock, SOL_TCP, TCP_MAXSEG);
    e->timestamp = (uint32_t)repair_get(sock, SOL_TCP, TCP_TIMESTAMP);
    e->dumped_ns = now_ns();
    bytes = parcels_add(parcels, fd, e->inq + e->outq);
    if (!bytes) {
        *full = true;
        return false;
    }
    ok = peek(sock, bytes, e->inq);
    repair_set(sock, SOL_TCP, TCP_REPAIR_QUEUE, TCP_SEND_QUEUE);
    e->write_seq = (uint32_t)repair_get(sock, SOL_TCP, TCP_QUEUE_SEQ);
    ok = ok && peek(sock, bytes + e->inq, e->outq);
    repair_set(sock, SOL_TCP, TCP_REPAIR_QUEUE, TCP_RECV_QUEUE);
    ok = ok && is_still(sock, &info);
    if (ok)
        find_base(w, &info, e);
    else
        parcels_undo(parcels);
    return ok;
}

volatile struct repair_note *repair_note;

static void
note(int fd, int reuse_addr)
{
    if (!repair_note)
        return;
    repair_note->reuse_addr = reuse_addr;
    repair_note->fd = fd;
}

static void
leave(int sock, int reuse_addr)
{
    repair_set(sock, SOL_TCP, TCP_REPAIR_QUEUE, TCP_NO_QUEUE);
    repair_set(sock, SOL_TCP, TCP_REPAIR, TCP_REPAIR_OFF_NO_WP);
    if (reuse_addr > 0) /* entering repair mode cleared it */
        repair_set(sock, SOL_SOCKET, SO_REUSEADDR, 1);
}

void
repair_leave(pid_t pid, const volatile struct repair_note *noted)
{
    int pidfd = noted->fd < 0 ? -1 : (int)syscall(SYS_pidfd_open, pid, 0), sock = -1;

    if (pidfd >= 0)
        sock = (int)syscall(SYS_pidfd_getfd, pidfd, noted->fd, 0);
    if (sock >= 0)
        leave(sock, noted->reuse_addr);
    fd_close(sock);
    fd_close(pidfd);
}

static enum tcp_look
dump(
    int sock, int fd, struct tcp_watch *w, struct image_tcp *e, struct parcels *parcels)
{
    bool done = false, full = false;

    e->sndbuf = repair_get(sock, SOL_SOCKET, SO_SNDBUF);
    e->rcvbuf = repair_get(sock, SOL_SOCKET, SO_RCVBUF);
    note(fd, e->reuse_addr);
    if (repair_set(sock, SOL_TCP, TCP_REPAIR, TCP_REPAIR_ON) < 0) {
        note(-1, 0);
        return TCP_LOOK_ERROR;
    }
    repair_set(sock, SOL_TCP, TCP_REPAIR_QUEUE, TCP_RECV_QUEUE);
    for (unsigned i = 0; i < TRIES && !done && !full; i++)
        done = take(sock, fd, w, e, parcels, &full);
    leave(sock, e->reuse_addr);
    note(-1, 0);
    return done ? TCP_LOOK_DUMPED : TCP_LOOK_ERROR;
}

/* The send queue, which only repair mode shows. */
static bool
peek_sent(int sock, int fd, const struct image_tcp *e, uint8_t *to)
{
    bool ok;

    if (e->outq == 0)
        return true;
    note(fd, e->reuse_addr);
    ok = repair_set(sock, SOL_TCP, TCP_REPAIR, TCP_REPAIR_ON) == 0 &&
         repair_set(sock, SOL_TCP, TCP_REPAIR_QUEUE, TCP_SEND_QUEUE) == 0 &&
         peek(sock, to, e->outq);
    leave(sock, e->reuse_addr);
    note(-1, 0);
    return ok;
}

/* What moves in an established connection, out of what TCP_INFO counts.  It does not
 * tell which segments the windows came with and went out in: .rcv_nxt stands for both.
 * A window update is then taken from any segment that is not older, and the right edge
 * of ours is at most further than the peer knows. */
static void
derive(struct image_tcp *e, const struct info *info, const struct tcp_watch *w,
    uint32_t outq)
{
    e->dumped_ns = now_ns();
    e->rcv_nxt = w->nxt_base + (uint32_t)w->bytes_received;
    e->write_seq = w->una_base + (uint32_t)w->bytes_acked + outq;
    e->inq = w->inq;
    e->outq = outq;
    e->unsent = w->notsent;
    e->snd_wl1 = e->rcv_wup = e->rcv_nxt;
    e->snd_wnd = info->old.tcpi_snd_wnd;
    e->rcv_wnd = info->rcv_wnd;
    if (e->max_window < e->snd_wnd)
        e->max_window = e->snd_wnd;
    /* in milliseconds, and even: bit 0 tells the unit */
    e->timestamp = (w->timestamp +
                       (uint32_t)((e->dumped_ns - w->timestamp_ns) / 1000000)) &
                   ~1u;
}

/* A dump of half the system calls; false: something moved, a whole one is due. */
static bool
dump_quickly(int sock, int fd, const struct info *info, const struct tcp_watch *w,
    struct image_tcp *e, struct parcels *parcels)
{
    uint32_t memory[SK_MEMINFO_VARS];
    socklen_t n = sizeof memory;
    uint8_t *bytes;

    if (!w->based || w->state != STATE_ESTABLISHED || !info->has_rcv_wnd ||
        getsockopt(sock, SOL_SOCKET, SO_MEMINFO, memory, &n) < 0)
        return false;
    e->sndbuf = (int32_t)memory[SK_MEMINFO_SNDBUF];
    e->rcvbuf = (int32_t)memory[SK_MEMINFO_RCVBUF];
    derive(e, info, w, queue_size(sock, SIOCOUTQ));
    bytes = parcels_add(parcels, fd, e->inq + e->outq);
    if (!bytes)
        return false;
    if (peek(sock, bytes, e->inq) && peek_sent(sock, fd, e, bytes + e->inq) &&
        is_still(sock, info))
        return true;
    parcels_undo(parcels);
    return false;
}

enum tcp_look
tcp_dump(int sock, int fd, uint64_t inode, struct tcp_watch *watch,
    struct image_tcp *entry, struct parcels *parcels)
{
    static const struct tcp_watch fresh;
    uint64_t generation = entry->generation;
    enum tcp_look look = TCP_LOOK_DUMPED;
    struct tcp_watch now;
    struct info info;
    bool whole;

    if (!info_get(sock, &info) || !is_alive(&info))
        return TCP_LOOK_DEAD;
    /* Before the dump: what moves during it is seen the next time. */
    now = watch_of(&info, sock, inode, watch);
    if (tcp_is_known(watch, inode) && is_same(watch, &now))
        return TCP_LOOK_SAME;
    if (watch->inode != inode || entry->fd != fd || entry->address_len == 0) {
        if (!read_identity(sock, fd, &info, entry))
            return TCP_LOOK_DEAD;
        now = watch_of(&info, sock, inode, &fresh);
    }
    whole = now.looks <= TCP_YOUNG || now.looks % REREAD_OPTIONS == 0;
    if (whole)
        read_options(sock, entry);
    if (whole || !dump_quickly(sock, fd, &info, &now, entry, parcels))
        look = dump(sock, fd, &now, entry, parcels);
    if (look == TCP_LOOK_ERROR && info_get(sock, &info) && !is_alive(&info))
        look = TCP_LOOK_DEAD; /* a reset came in meanwhile */
    entry->generation = generation + 1;
    *watch = now;
    if (look != TCP_LOOK_DUMPED)
        watch->inode = 0; /* never SAME as something that was not taken */
    return look;
}
