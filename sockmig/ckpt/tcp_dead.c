/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/ckpt/tcp_dead.h"

#include "lib/fd.h"
#include "sockmig/ckpt/repair.h"
#include "sockmig/ckpt/tcp_read.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 500 /* of a segment by the loopback, which takes microseconds */
#define OVERHEAD 131072 /* of the pieces that the bytes come in */

uint32_t
tcp_dead_error(int sock)
{
    struct pollfd p = { .fd = sock };
    struct tcp_reading r;
    const uint8_t *bytes;

    if (poll(&p, 1, 0) != 1 || !(p.revents & POLLERR))
        return 0;
    return tcp_read(sock, &r, &bytes) && r.error > 0 ? r.error : ECONNRESET;
}

/* A connection to ourselves in the making. */
struct both {
    int listener, ours, theirs; /* -1: none */
    struct sockaddr_storage at; /* of the listener */
    socklen_t len;
};

static int
wait_for(int sock, short events)
{
    struct pollfd p = { .fd = sock, .events = events };
    int n = poll(&p, 1, PATIENCE_MS);

    if (n == 0)
        errno = ETIMEDOUT;
    return n == 1 ? 0 : -1;
}

/* A host without IPv6 on its loopback has its sockets nevertheless. */
static int
bind_to_loopback(struct both *b, int family)
{
    struct sockaddr_in four = { .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct sockaddr_in6 six = { .sin6_family = AF_INET6,
        .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    struct sockaddr_in6 mapped = { .sin6_family = AF_INET6,
        .sin6_addr.s6_addr = { [10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1 } };

    if (family == AF_INET)
        return bind(b->listener, (struct sockaddr *)&four, sizeof four);
    if (bind(b->listener, (struct sockaddr *)&six, sizeof six) == 0)
        return 0;
    return bind(b->listener, (struct sockaddr *)&mapped, sizeof mapped);
}

static int
listen_here(struct both *b, int family, uint32_t size)
{
    b->len = sizeof b->at;
    b->listener = socket(
        family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
    if (b->listener < 0 || repair_set(b->listener, SOL_SOCKET, SO_RCVBUFFORCE,
                               (int)(2 * size + OVERHEAD)) < 0)
        return -1;
    if (family == AF_INET6)
        repair_set(b->listener, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    if (bind_to_loopback(b, family) < 0 || listen(b->listener, 1) < 0)
        return -1;
    return getsockname(b->listener, (struct sockaddr *)&b->at, &b->len);
}

static int
connect_to_it(struct both *b, int family, uint32_t size)
{
    b->theirs = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
    if (b->theirs < 0 ||
        repair_set(b->theirs, SOL_SOCKET, SO_SNDBUFFORCE, (int)(size + OVERHEAD)) < 0)
        return -1;
    if (connect(b->theirs, (struct sockaddr *)&b->at, b->len) < 0 &&
        errno != EINPROGRESS)
        return -1;
    return wait_for(b->theirs, POLLOUT);
}

/* Somebody else of this namespace may have been faster. */
static int
accept_it(struct both *b, int nonblock)
{
    struct sockaddr_storage from, theirs;
    socklen_t n = sizeof from, m = sizeof theirs;

    memset(&from, 0, sizeof from);
    memset(&theirs, 0, sizeof theirs);
    if (getsockname(b->theirs, (struct sockaddr *)&theirs, &m) < 0)
        return -1;
    while (wait_for(b->listener, POLLIN) == 0) {
        b->ours = accept4(
            b->listener, (struct sockaddr *)&from, &n, SOCK_CLOEXEC | nonblock);
        if (b->ours >= 0 && n == m && memcmp(&from, &theirs, n) == 0)
            return 0;
        fd_close(b->ours);
        b->ours = -1;
    }
    return -1;
}

static bool
has_all(int sock, uint32_t size)
{
    int value = 0;

    return ioctl(sock, SIOCINQ, &value) == 0 && (uint32_t)value == size;
}

static int
send_all(const struct both *b, const uint8_t *bytes, uint32_t size)
{
    struct timespec tick = { .tv_nsec = 100000 };
    uint32_t done = 0;

    while (done < size) {
        ssize_t n = send(b->theirs, bytes + done, size - done, MSG_NOSIGNAL);

        if (n > 0)
            done += (uint32_t)n;
        else if (errno != EAGAIN || wait_for(b->theirs, POLLOUT) < 0)
            return -1;
    }
    for (unsigned i = 0; i < 10 * PATIENCE_MS; i++) {
        if (has_all(b->ours, size))
            return 0;
        nanosleep(&tick, NULL);
    }
    errno = ETIMEDOUT;
    return -1;
}

/* After a FIN a reset is EPIPE. */
static int
end(struct both *b, uint32_t size, uint32_t error)
{
    struct linger at_once = { .l_onoff = 1 };

    if (error == EPIPE && shutdown(b->theirs, SHUT_WR) < 0)
        return -1;
    if (setsockopt(b->theirs, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) < 0)
        return -1;
    fd_close(b->theirs);
    b->theirs = -1;
    if (wait_for(b->ours, 0) < 0) /* until it is closed */
        return -1;
    if (error == 0)
        repair_get(b->ours, SOL_SOCKET, SO_ERROR); /* which takes it */
    errno = EPROTO;
    return has_all(b->ours, size) ? 0 : -1;
}

static const char *
make(struct both *b, int family, int nonblock, const uint8_t *bytes, uint32_t size,
    uint32_t error)
{
    if (listen_here(b, family, size) < 0)
        return "listener at the loopback";
    if (connect_to_it(b, family, size) < 0 || accept_it(b, nonblock) < 0)
        return "connection by the loopback";
    if (send_all(b, bytes, size) < 0)
        return "unread bytes";
    return end(b, size, error) < 0 ? "end" : NULL;
}

int
tcp_dead_restore(int family, int nonblock, const uint8_t *bytes, uint32_t size,
    uint32_t error, const char **step)
{
    struct both b = { .listener = -1, .ours = -1, .theirs = -1 };
    int ret;

    *step = make(&b, family, nonblock, bytes, size, error);
    ret = *step ? -errno : b.ours;
    if (*step)
        fd_close(b.ours);
    fd_close(b.theirs);
    fd_close(b.listener);
    return ret;
}
