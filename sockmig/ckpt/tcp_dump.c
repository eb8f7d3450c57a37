/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * tcp_dump.c - one TCP connection to an image.
 *
 * Read in one run of a BPF program (tcp_read.h), or, where the kernel has that not, in
 * repair mode.  There the network goes on while the process is stopped: segments arrive
 * between any two system calls.  So everything that belongs together is read, then read
 * again, and thrown away if it moved.
 *
 * While the send queue is selected, an ACK that comes in, or the timer of a paced
 * socket, makes the kernel mark unsent data as sent without sending them
 * (net/ipv4/tcp_output.c, tcp_write_xmit).  So the receive queue stays selected but for
 * the two calls that need the other one. */
#include "sockmig/ckpt/tcp.h"

#include "lib/fd.h"
#include "sockmig/ckpt/repair.h"
#include "sockmig/ckpt/tcp_read.h"

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

static bool
info_get(int sock, struct tcp_info *info)
{
    socklen_t n = sizeof *info;

    memset(info, 0, sizeof *info);
    return getsockopt(sock, SOL_TCP, TCP_INFO, info, &n) == 0;
}

static bool
is_alive(uint32_t state)
{
    return state == STATE_ESTABLISHED || repair_fin_sent(state) ||
           repair_fin_received(state);
}

static struct tcp_watch
watch_of_info(int sock, const struct tcp_info *info)
{
    return (struct tcp_watch){ .bytes_acked = info->tcpi_bytes_acked,
        .bytes_received = info->tcpi_bytes_received,
        .segs_in = info->tcpi_segs_in,
        .segs_out = info->tcpi_segs_out,
        .notsent = info->tcpi_notsent_bytes,
        .inq = queue_size(sock, SIOCINQ),
        .state = info->tcpi_state };
}

static struct tcp_watch
watch_of_reading(const struct tcp_reading *r)
{
    return (struct tcp_watch){ .bytes_acked = r->bytes_acked,
        .bytes_received = r->bytes_received,
        .segs_in = r->tcp.segs_in,
        .segs_out = r->tcp.segs_out,
        .notsent = r->tcp.write_seq - r->tcp.snd_nxt,
        .inq = r->inq,
        .state = r->tcp.state,
        .options = r->options };
}

static bool
is_same(const struct tcp_watch *a, const struct tcp_watch *b)
{
    return a->inode == b->inode && a->bytes_acked == b->bytes_acked &&
           a->bytes_received == b->bytes_received && a->segs_in == b->segs_in &&
           a->segs_out == b->segs_out && a->notsent == b->notsent && a->inq == b->inq &&
           a->state == b->state && a->options == b->options;
}

/* Not known: it was read from a distance, or by a kernel that does not tell. */
static bool
has_new_options(const struct tcp_watch *last, const struct tcp_watch *now)
{
    return last->options != 0 && now->options != last->options;
}

/* What never changes in the life of a connection. */
static bool
read_identity(int sock, int fd, const struct tcp_info *info, struct image_tcp *e)
{
    socklen_t local = sizeof e->local, remote = sizeof e->remote;

    memset(e, 0, sizeof *e);
    if (getsockname(sock, (struct sockaddr *)e->local, &local) < 0 ||
        getpeername(sock, (struct sockaddr *)e->remote, &remote) < 0)
        return false;
    e->fd = fd;
    e->address_len = local;
    e->family = repair_get(sock, SOL_SOCKET, SO_DOMAIN);
    e->options = info->tcpi_options;
    e->snd_wscale = info->tcpi_snd_wscale;
    e->rcv_wscale = info->tcpi_rcv_wscale;
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
    e->tos = repair_speaks_v6(e) ? repair_get(sock, IPPROTO_IPV6, IPV6_TCLASS)
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
tcp_look_ahead(int sock, int fd, struct image_tcp *entry, uint32_t *options)
{
    const uint8_t *bytes;
    struct tcp_reading r;
    struct tcp_info info;

    *options = tcp_read(sock, &r, &bytes) ? r.options : 0;
    if (!info_get(sock, &info) || info.tcpi_state != STATE_ESTABLISHED ||
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
is_still(int sock, const struct tcp_info *first)
{
    struct tcp_info now;

    return info_get(sock, &now) && now.tcpi_state == first->tcpi_state &&
           now.tcpi_segs_in == first->tcpi_segs_in &&
           now.tcpi_bytes_acked == first->tcpi_bytes_acked &&
           now.tcpi_bytes_received == first->tcpi_bytes_received &&
           now.tcpi_notsent_bytes == first->tcpi_notsent_bytes;
}

/* What is not known now may have been: of a socket that has just been restored. */
static void
keep_round_trip(struct image_tcp *e, uint32_t us)
{
    if (us > 0)
        e->rtt_ms = us < 1000 ? 1 : us / 1000;
}

/* One try, the socket in repair mode with the receive queue selected. */
static bool
take(int sock, int fd, struct image_tcp *e, struct parcels *parcels, bool *full)
{
    struct tcp_info info;
    uint8_t *bytes;
    bool ok;

    if (!info_get(sock, &info) || !is_alive(info.tcpi_state))
        return false;
    e->state = info.tcpi_state;
    e->rcv_nxt = (uint32_t)repair_get(sock, SOL_TCP, TCP_QUEUE_SEQ);
    read_sizes(sock, e);
    read_window(sock, e);
    e->mss = (uint32_t)repair_get(sock, SOL_TCP, TCP_MAXSEG);
    e->timestamp = (uint32_t)repair_get(sock, SOL_TCP, TCP_TIMESTAMP);
    e->dumped_ns = now_ns();
    keep_round_trip(e, info.tcpi_rtt);
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
    if (!ok)
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
dump(int sock, int fd, struct image_tcp *e, struct parcels *parcels)
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
        done = take(sock, fd, e, parcels, &full);
    leave(sock, e->reuse_addr);
    note(-1, 0);
    return done ? TCP_LOOK_DUMPED : TCP_LOOK_ERROR;
}

/* ---- both ways */

struct now {
    struct tcp_watch watch;
    struct tcp_reading reading;
    const uint8_t *bytes; /* of the reading; NULL: there is none */
};

/* False: it is closed, or was reset. */
static bool
look_at(int sock, uint64_t inode, const struct tcp_watch *last, struct now *now)
{
    struct tcp_info info;

    now->bytes = NULL;
    if (tcp_read(sock, &now->reading, &now->bytes))
        now->watch = watch_of_reading(&now->reading);
    else if (info_get(sock, &info))
        now->watch = watch_of_info(sock, &info);
    else
        return false;
    now->watch.inode = inode;
    now->watch.looks = last->inode == inode ? last->looks + 1 : 1;
    return is_alive(now->watch.state);
}

/* The kernel counts our FIN as a byte until it is acknowledged. */
static uint32_t
unsent_of(const struct tcp_reading *r)
{
    uint32_t unsent = r->tcp.write_seq - r->tcp.snd_nxt;
    bool fin_waits = repair_fin_sent(r->tcp.state) && r->tcp.state != STATE_FIN_WAIT2;

    return unsent - (fin_waits && unsent > 0);
}

static enum tcp_look
keep(const struct now *now, int fd, struct image_tcp *e, struct parcels *parcels)
{
    const struct tcp_reading *r = &now->reading;
    uint8_t *to = parcels_add(parcels, fd, r->inq + r->outq);

    if (!to)
        return TCP_LOOK_ERROR;
    memcpy(to, now->bytes, r->inq + r->outq);
    e->state = r->tcp.state;
    e->rcv_nxt = r->tcp.rcv_nxt;
    e->write_seq = r->tcp.write_seq;
    e->inq = r->inq;
    e->outq = r->outq;
    e->unsent = unsent_of(r);
    e->has_window = true;
    e->snd_wl1 = r->snd_wl1;
    e->snd_wnd = r->tcp.snd_wnd;
    e->max_window = r->max_window;
    e->rcv_wnd = r->tcp.rcv_wnd;
    e->rcv_wup = r->tcp.rcv_wup;
    e->mss = r->mss;
    e->sndbuf = (int32_t)r->sndbuf;
    e->rcvbuf = (int32_t)r->rcvbuf;
    e->timestamp = r->timestamp & ~1u; /* bit 0 tells the unit: milliseconds */
    e->dumped_ns = r->read_ns;
    keep_round_trip(e, r->rtt_us);
    return TCP_LOOK_DUMPED;
}

enum tcp_look
tcp_dump(int sock, int fd, uint64_t inode, struct tcp_watch *watch,
    struct image_tcp *entry, struct parcels *parcels)
{
    uint64_t generation = entry->generation;
    enum tcp_look look;
    struct tcp_info info;
    struct now now;

    /* Before a dump in repair mode: what moves during it is seen the next time. */
    if (!look_at(sock, inode, watch, &now))
        return TCP_LOOK_DEAD;
    if (tcp_is_known(watch, inode) && is_same(watch, &now.watch))
        return TCP_LOOK_SAME;
    if (watch->inode != inode || entry->fd != fd || entry->address_len == 0) {
        if (!info_get(sock, &info) || !read_identity(sock, fd, &info, entry))
            return TCP_LOOK_DEAD;
        now.watch.looks = 1;
    }
    if (now.watch.looks <= TCP_YOUNG || now.watch.looks % REREAD_OPTIONS == 0 ||
        has_new_options(watch, &now.watch))
        read_options(sock, entry);
    if (now.bytes && !(entry->options & OPTION_USEC_TS))
        look = keep(&now, fd, entry, parcels);
    else
        look = dump(sock, fd, entry, parcels);
    if (look == TCP_LOOK_ERROR && info_get(sock, &info) && !is_alive(info.tcpi_state))
        look = TCP_LOOK_DEAD; /* a reset came in meanwhile */
    entry->generation = generation + 1;
    *watch = now.watch;
    if (look != TCP_LOOK_DUMPED)
        watch->inode = 0; /* never SAME as something that was not taken */
    return look;
}

bool
tcp_dump_moved(uint64_t sock, int fd, struct tcp_watch *watch, struct image_tcp *entry,
    struct parcels *parcels)
{
    uint32_t looks = watch->looks + 1;
    struct now now;

    if (looks % REREAD_OPTIONS == 0 || entry->options & OPTION_USEC_TS ||
        !tcp_read_at(sock, &now.reading, &now.bytes) ||
        !is_alive(now.reading.tcp.state))
        return false;
    now.watch = watch_of_reading(&now.reading);
    if (has_new_options(watch, &now.watch) ||
        keep(&now, fd, entry, parcels) != TCP_LOOK_DUMPED)
        return false;
    now.watch.inode = watch->inode;
    now.watch.looks = looks;
    entry->generation++;
    *watch = now.watch;
    return true;
}

enum tcp_look
tcp_dump_orphan(uint64_t sock, int fd, uint32_t most, struct image_tcp *entry,
    struct parcels *parcels)
{
    struct now now;
    uint32_t state;

    if (!tcp_read_at(sock, &now.reading, &now.bytes))
        return TCP_LOOK_ERROR;
    state = now.reading.tcp.state;
    if (!repair_fin_sent(state) || state == STATE_FIN_WAIT2)
        return TCP_LOOK_DEAD;
    if (now.reading.inq > 0 || now.reading.outq > most)
        return TCP_LOOK_ERROR;
    return keep(&now, fd, entry, parcels);
}
