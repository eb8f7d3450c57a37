/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * sockets_closed.c - connections that were over before the process had read all that
 * came.  What each then says of itself is compared with what one says that ended in
 * the same way just now.  And some that have not begun. */
#include "tests/features/feature_host.h"
#include "tests/features/features.h"
#include "tests/features/wait.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct how {
    int family;
    size_t size; /* bytes that nobody reads */
    bool ours;   /* we end it, then */
    bool fin;    /* the other side does so, then */
    bool reset;  /* it has no more to do with it */
    bool told;   /* we ask for the error, but not for the bytes */
} ends[] = {
    { AF_INET, 20, false, false, true, false },
    { AF_INET6, 20, false, false, true, false },
    { AF_INET, 700000, false, false, true, false },
    { AF_INET, 0, false, false, true, false },
    { AF_INET, 20, false, true, true, false },
    { AF_INET, 0, false, true, true, false },
    { AF_INET, 20, true, true, false, false },
    { AF_INET6, 20, true, true, false, false },
    { AF_INET, 20, false, false, true, true },
};
#define NENDS (sizeof ends / sizeof ends[0])
static int closed[NENDS];

static uint8_t
byte_at(size_t i)
{
    return (uint8_t)(i * 7 + i / 251);
}

static bool
write_all(int sock, size_t size)
{
    static uint8_t bytes[1 << 20];

    for (size_t i = 0; i < size; i++)
        bytes[i] = byte_at(i);
    return size == 0 || send(sock, bytes, size, 0) == (ssize_t)size;
}

static bool
listen_at_loopback(int sock, int family, struct sockaddr_in6 *to, socklen_t *n)
{
    struct sockaddr_in four = { .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

    *to = (struct sockaddr_in6){ .sin6_family = AF_INET6,
        .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    if (family == AF_INET)
        memcpy(to, &four, sizeof four);
    *n = family == AF_INET ? sizeof four : sizeof *to;
    return bind(sock, (struct sockaddr *)to, *n) == 0 && listen(sock, 1) == 0 &&
           getsockname(sock, (struct sockaddr *)to, n) == 0;
}

/* It is over when POLLHUP says so. */
static const char *
end_one(const struct how *how, int *out)
{
    int l = socket(how->family, SOCK_STREAM | SOCK_CLOEXEC, 0), room = 4 << 20;
    int other = socket(how->family, SOCK_STREAM | SOCK_CLOEXEC, 0), error;
    struct linger at_once = { .l_onoff = how->reset };
    struct pollfd over;
    struct sockaddr_in6 at;
    socklen_t n, four = sizeof error;

    WANT(setsockopt(l, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) == 0);
    WANT(listen_at_loopback(l, how->family, &at, &n));
    WANT(connect(other, (struct sockaddr *)&at, n) == 0);
    *out = accept4(l, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    WANT(*out >= 0 && close(l) == 0 && write_all(other, how->size));
    WANT(!how->ours || shutdown(*out, SHUT_WR) == 0);
    WANT(!how->fin || shutdown(other, SHUT_WR) == 0);
    WANT(setsockopt(other, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
    WANT(close(other) == 0);
    over = (struct pollfd){ .fd = *out };
    WANT(poll(&over, 1, 3000) == 1 && over.revents & POLLHUP);
    WANT(!how->told || getsockopt(*out, SOL_SOCKET, SO_ERROR, &error, &four) == 0);
    return NULL;
}

/* Reads and writes as far as it goes; closes it. */
static void
tell(int sock, char *text, size_t size)
{
    static uint8_t bytes[1 << 20];
    struct pollfd p = { .fd = sock, .events = POLLIN | POLLOUT | POLLRDHUP };
    int error = -1, seen = poll(&p, 1, 0);
    ssize_t n, got = 0, wrong = 0;
    socklen_t len = sizeof error;
    struct sockaddr_storage peer;
    socklen_t peer_len = sizeof peer;

    while ((n = recv(sock, bytes, sizeof bytes, 0)) > 0)
        for (ssize_t i = 0; i < n; i++)
            wrong += bytes[i] != byte_at((size_t)got++);
    seen = snprintf(text, size, "poll %d %x, %zd bytes, %zd wrong, then %zd %s", seen,
        (unsigned)p.revents, got, wrong, n, n < 0 ? strerror(errno) : "");
    n = recv(sock, bytes, sizeof bytes, 0);
    seen += snprintf(text + seen, size - (size_t)seen, ", then %zd %s", n,
        n < 0 ? strerror(errno) : "");
    n = send(sock, "x", 1, MSG_NOSIGNAL);
    seen += snprintf(text + seen, size - (size_t)seen, ", send %zd %s", n,
        n < 0 ? strerror(errno) : "");
    getsockopt(sock, SOL_SOCKET, SO_ERROR, &error, &len);
    n = getpeername(sock, (struct sockaddr *)&peer, &peer_len);
    snprintf(text + seen, size - (size_t)seen, ", error %d, peer %zd %s", error, n,
        n < 0 ? strerror(errno) : "");
    close(sock);
}

static const char *
set_up_closed(void)
{
    const char *wrong = NULL;

    for (size_t i = 0; i < NENDS && !wrong; i++)
        wrong = end_one(&ends[i], &closed[i]);
    return wrong;
}

static const char *
check_closed(void)
{
    static char was[300], now[300], both[700];
    const char *wrong = NULL;
    int twin;

    for (size_t i = 0; i < NENDS && !wrong; i++) {
        tell(closed[i], now, sizeof now);
        wrong = end_one(&ends[i], &twin);
        tell(twin, was, sizeof was);
        snprintf(both, sizeof both, "%zu: %s; should be: %s", i, now, was);
        if (!wrong && strcmp(now, was) != 0)
            wrong = feature_wrong(__FILE__, __LINE__, both);
    }
    return wrong ? wrong : set_up_closed();
}

/* One that is read a byte at a time, then tells its error, then that it is at its end
 * for a while; then the next one. */
#define BYTES 30
#define WHILE 20
static const struct how slow_end = { AF_INET, BYTES, false, false, true, false };
static int slow;
static unsigned slow_at; /* steps */
static const char *slow_wrong;

static const char *
read_on(void)
{
    uint8_t byte[1];
    ssize_t n = recv(slow, byte, sizeof byte, 0);
    int error = errno;

    if (slow_at < BYTES)
        WANT(n == 1 && byte[0] == byte_at(slow_at));
    else if (slow_at == BYTES)
        WANT(n == -1 && error == ECONNRESET);
    else
        WANT(n == 0);
    if (++slow_at < BYTES + WHILE)
        return NULL;
    slow_at = 0;
    WANT(close(slow) == 0);
    return end_one(&slow_end, &slow);
}

static void
step_slow(void)
{
    if (!slow_wrong)
        slow_wrong = read_on();
}

static const char *
set_up_slow(void)
{
    return end_one(&slow_end, &slow);
}

static const char *
check_slow(void)
{
    return slow_wrong;
}

/* A listener whose queue is full lets everybody wait. */
static int
full_listener(struct sockaddr_in6 *at, socklen_t *n)
{
    int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (!listen_at_loopback(l, AF_INET, at, n) || listen(l, 0) < 0)
        return -1;
    for (int i = 0; i < 3; i++) {
        int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        connect(s, (struct sockaddr *)at, *n);
    }
    return l;
}

static int connecting;
static struct sockaddr_in6 connecting_to;
static socklen_t connecting_len;
static atomic_int connected; /* 1, or errno; 0: not yet */

static const char *
set_up_connecting(void)
{
    WANT(full_listener(&connecting_to, &connecting_len) >= 0);
    connecting = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    WANT(connect(connecting, (struct sockaddr *)&connecting_to, connecting_len) == -1 &&
         errno == EINPROGRESS);
    return NULL;
}

static const char *
check_connecting(void)
{
    struct pollfd p = { .fd = connecting, .events = POLLOUT };
    int error = -1;
    socklen_t n = sizeof error;

    WANT(poll(&p, 1, 0) == 1 && p.revents & POLLERR);
    WANT(getsockopt(connecting, SOL_SOCKET, SO_ERROR, &error, &n) == 0 &&
         error == ECONNRESET);
    WANT(send(connecting, "x", 1, MSG_NOSIGNAL) == -1);
    WANT(close(connecting) == 0);
    return set_up_connecting();
}

static void *
connect_slowly(void *unused)
{
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)unused;
    connected = connect(s, (struct sockaddr *)&connecting_to, connecting_len) == 0 &&
                        send(s, "x", 1, MSG_NOSIGNAL) == 1
                    ? 1
                    : errno;
    return NULL;
}

static const char *
set_up_waiting(void)
{
    pthread_t thread;

    WANT(full_listener(&connecting_to, &connecting_len) >= 0);
    WANT(pthread_create(&thread, NULL, connect_slowly, NULL) == 0);
    return NULL;
}

/* The clone's listener has nobody in its queue. */
static const char *
check_waiting(void)
{
    for (int i = 0; i < 5000 && !connected; i++)
        usleep(1000);
    WANT(connected == 1);
    connected = 0;
    return set_up_waiting();
}

/* Threads of which each waits in connect() until the checkpoint begins: then the peer
 * answers, and it is in the image that they are connected. */
static atomic_int answered[2]; /* as connected: of the one that is taken, and refused */

static void *
connect_to_peer(void *refused)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
        .sin_port = htons(refused ? FEATURE_HOST_REFUSES : FEATURE_HOST_TAKES) };
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    inet_pton(AF_INET, FEATURE_HOST_PEER, &at.sin_addr);
    answered[refused != NULL] = connect(s, (struct sockaddr *)&at, sizeof at) == 0
                                    ? 1
                                    : errno;
    close(s);
    return NULL;
}

static const char *
set_up_answered(void)
{
    answered[0] = answered[1] = 0;
    WANT(start_thread(connect_to_peer, NULL));
    WANT(start_thread(connect_to_peer, answered));
    nap(20);
    WANT(answered[0] == 0 && answered[1] == 0);
    return NULL;
}

static const char *
check_answered(void)
{
    static char text[80];

    for (int i = 0; i < 5000 && !(answered[0] && answered[1]); i++)
        nap(1);
    snprintf(
        text, sizeof text, "the one has %d, the other %d", answered[0], answered[1]);
    if (answered[0] != 1 || answered[1] != ECONNREFUSED)
        return feature_wrong(__FILE__, __LINE__, text);
    return set_up_answered();
}

static const struct feature rows[] = {
    { "bytes unread and errors untold of TCP connections that are over", NULL, 0,
        set_up_closed, check_closed, NULL },
    { "TCP connection that is being made", NULL, FEATURE_ALONE, set_up_connecting,
        check_connecting, NULL },
    { "thread that waits in connect()", NULL, FEATURE_ALONE, set_up_waiting,
        check_waiting, NULL },
    { "thread that waits in connect(), answered while it stands still", NULL,
        FEATURE_ALONE, set_up_answered, check_answered, NULL },
    { "closed TCP connection that is read bit by bit", NULL, 0, set_up_slow, check_slow,
        step_slow },
};

AREA(area_sockets_closed, "Closed connections", rows);
