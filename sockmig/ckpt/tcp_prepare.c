/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * tcp_prepare.c - what a connection's socket has whatever was sent: half of the calls
 * of a restore, which can be made long before it (ahead.c). */
#include "sockmig/ckpt/tcp.h"

#include "lib/fd.h"
#include "sockmig/ckpt/repair.h"
#include "sockmig/core/segment.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#ifndef IPV6_FREEBIND
#define IPV6_FREEBIND 78
#endif

static int
enter(const struct repair *r)
{
    return repair_set(r->sock, SOL_TCP, TCP_REPAIR, TCP_REPAIR_ON);
}

/* An algorithm that this host has not got is replaced by the default one. */
static int
congestion(const struct repair *r)
{
    size_t n = strnlen(r->im->congestion, sizeof r->im->congestion);
    bool known = r->fresh && !memcmp(r->im->congestion, r->fresh->congestion,
                                 sizeof r->im->congestion);

    if (n > 0 && !known)
        setsockopt(r->sock, SOL_TCP, TCP_CONGESTION, r->im->congestion, (socklen_t)n);
    return 0;
}

/* Before connect(): the window clamp follows. */
static int
buffers(const struct repair *r)
{
    return repair_send_buffer(r) < 0 ? -1 : repair_receive_buffer(r);
}

/* To an address that the host may not have yet. */
static int
bind_local(const struct repair *r)
{
    const struct sockaddr *at = (const struct sockaddr *)r->im->local;

    if (bind(r->sock, at, r->im->address_len) == 0)
        return 0;
    if (errno != EADDRNOTAVAIL)
        return -1;
    if (r->im->family == AF_INET6)
        repair_set(r->sock, IPPROTO_IPV6, IPV6_FREEBIND, 1);
    else
        repair_set(r->sock, IPPROTO_IP, IP_FREEBIND, 1);
    return bind(r->sock, at, r->im->address_len);
}

#define SEGMENT_MOST 32767u /* MAX_TCP_WINDOW; the loopback has more, by its MTU */
#define SEGMENT_LEAST 88u   /* TCP_MIN_MSS */
#define TIMESTAMPS 12u      /* bytes of them are not counted in what it sends */

static uint32_t
within(uint32_t n, uint32_t least, uint32_t most)
{
    return n < least ? least : n < most ? n : most;
}

/* With larger ones than at first the socket would wait for a timer whenever there is no
 * room for a whole one. */
static uint32_t
segment_of(const struct image_tcp *im)
{
    uint32_t size = segment_limit(im->mss, im->has_window ? im->max_window : 0);
    uint32_t most = within(im->mss, 0, SEGMENT_MOST);

    return size < im->mss ? within(size + TIMESTAMPS, SEGMENT_LEAST, most) : most;
}

/* connect() in repair mode computes the segment size once, long before the peer's and
 * its window are known: it would be 536 bytes (IPv6: 1220) for ever. */
static int
segment_size(const struct repair *r)
{
    return repair_set(r->sock, SOL_TCP, TCP_MAXSEG, (int)segment_of(r->im));
}

/* Options of a new socket that most have: each that is set costs a system call of a
 * takeover. */
static const struct known {
    int level, name;
    size_t at; /* of its value in struct image_tcp, int32_t; below 0: not known */
} known[] = {
    { SOL_TCP, TCP_NODELAY, offsetof(struct image_tcp, nodelay) },
    { SOL_TCP, TCP_CORK, offsetof(struct image_tcp, cork) },
    { SOL_TCP, TCP_KEEPIDLE, offsetof(struct image_tcp, keep_idle) },
    { SOL_TCP, TCP_KEEPINTVL, offsetof(struct image_tcp, keep_interval) },
    { SOL_TCP, TCP_KEEPCNT, offsetof(struct image_tcp, keep_count) },
    { SOL_TCP, TCP_USER_TIMEOUT, offsetof(struct image_tcp, user_timeout) },
    { SOL_TCP, TCP_NOTSENT_LOWAT, offsetof(struct image_tcp, notsent_lowat) },
};

static int32_t
value_of(const struct image_tcp *im, const struct known *k)
{
    int32_t value;

    memcpy(&value, (const char *)im + k->at, sizeof value);
    return value;
}

static int
options(const struct repair *r)
{
    int failed = 0;

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        int32_t value = value_of(r->im, &known[i]);

        if (value >= 0 && !(r->fresh && value == value_of(r->fresh, &known[i])))
            failed |= repair_set(r->sock, known[i].level, known[i].name, value);
    }
    return failed;
}

/* The mark finds a route with a large first window, if the cell has one. */
static int
mark(const struct repair *r)
{
    repair_set(r->sock, SOL_SOCKET, SO_MARK, TCP_RESTORED_MARK);
    return 0;
}

/* Its sequence number is the first thing to be set. */
static int
select_receive(const struct repair *r)
{
    return repair_set(r->sock, SOL_TCP, TCP_REPAIR_QUEUE, TCP_RECV_QUEUE);
}

const struct repair_step repair_prepare_steps[] = {
    { "enter repair mode", enter },
    { "congestion control", congestion },
    { "buffer sizes", buffers },
    { "bind", bind_local },
    { "segment size", segment_size },
    { "options", options },
    { "mark", mark },
    { "selected queue", select_receive },
    { NULL, NULL },
};

static int
disconnect(const struct repair *r)
{
    const struct sockaddr nobody = { .sa_family = AF_UNSPEC };

    return connect(r->sock, &nobody, sizeof nobody);
}

/* Of the disconnecting, which the service would be told. */
static int
forget_error(const struct repair *r)
{
    int error;
    socklen_t n = sizeof error;

    return getsockopt(r->sock, SOL_SOCKET, SO_ERROR, &error, &n);
}

/* What a disconnected socket has lost of its preparation; the rest it keeps. */
const struct repair_step repair_revert_steps[] = {
    { "disconnect", disconnect },
    { "error", forget_error },
    { "segment size", segment_size },
    { "mark", mark },
    { "selected queue", select_receive },
    { NULL, NULL },
};

int
tcp_prepare(const struct image_tcp *entry, const struct image_tcp *fresh, int nonblock,
    const char **step)
{
    struct repair r = { .im = entry, .fresh = fresh, .tun = -1 };
    int ret;

    *step = "socket";
    r.sock = socket(entry->family, SOCK_STREAM | SOCK_CLOEXEC | nonblock, IPPROTO_TCP);
    if (r.sock < 0)
        return -errno;
    ret = repair_run(repair_prepare_steps, &r, step);
    if (ret < 0) { /* in repair mode nothing of it gets out */
        fd_close(r.sock);
        return ret;
    }
    return r.sock;
}

bool
tcp_is_prepared(const struct image_tcp *for_this, const struct image_tcp *entry)
{
    const struct image_tcp *a = for_this, *b = entry;

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (value_of(a, &known[i]) != value_of(b, &known[i]))
            return false;
    return a->family == b->family && a->address_len == b->address_len &&
           memcmp(a->local, b->local, sizeof a->local) == 0 &&
           segment_of(a) == segment_of(b) &&
           memcmp(a->congestion, b->congestion, sizeof a->congestion) == 0;
}

/* Options that a connection gets when it is established, and that stay with the socket.
 */
static bool
stays_the_same(const struct image_tcp *a, const struct image_tcp *b)
{
    return a->rcv_lowat == b->rcv_lowat && a->reuse_port == b->reuse_port &&
           a->tos == b->tos && a->linger_on == b->linger_on &&
           a->linger_sec == b->linger_sec;
}

int
tcp_revert(int sock, const struct image_tcp *was, const struct image_tcp *entry)
{
    struct repair r = { .sock = sock, .im = entry, .tun = -1 };
    const char *step;

    if (!tcp_is_prepared(was, entry) || !stays_the_same(was, entry))
        return -EINVAL;
    return repair_run(repair_revert_steps, &r, &step);
}
