/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * flight.c - descriptors that wait in the queue of a unix socket (SCM_RIGHTS). */
#include "tests/features/features.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define MOST 8

static bool
give(int sock, const char *text, const int *fds, unsigned n)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(MOST * sizeof(int))];
    } control = { .head = { CMSG_LEN(n * sizeof *fds), SOL_SOCKET, SCM_RIGHTS } };
    struct iovec io = { (char *)(uintptr_t)text, strlen(text) };
    struct msghdr m = { .msg_iov = &io,
        .msg_iovlen = 1,
        .msg_control = n > 0 ? control.bytes : NULL,
        .msg_controllen = n > 0 ? CMSG_SPACE(n * sizeof *fds) : 0 };

    if (n > 0)
        memcpy(CMSG_DATA(&control.head), fds, n * sizeof *fds);
    return sendmsg(sock, &m, 0) == (ssize_t)strlen(text);
}

/* The next message is @text, at most @room bytes of it are read; its descriptors are
 * kept.  How many; -1: it is another. */
static int
take(int sock, const char *text, size_t room, int *fds)
{
    char control[CMSG_SPACE(MOST * sizeof(int))], got[64] = "";
    struct iovec io = { got, room };
    struct msghdr m = { .msg_iov = &io,
        .msg_iovlen = 1,
        .msg_control = control,
        .msg_controllen = sizeof control };
    struct cmsghdr *head;
    ssize_t n = recvmsg(sock, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    size_t size;

    if (n < 0 || strncmp(got, text, (size_t)n) != 0 || (size_t)n != strlen(text) ||
        (m.msg_flags & MSG_CTRUNC))
        return -1;
    head = CMSG_FIRSTHDR(&m);
    size = head ? head->cmsg_len - CMSG_LEN(0) : 0;
    if (size > 0)
        memcpy(fds, CMSG_DATA(head), size);
    return (int)(size / sizeof(int));
}

#define DO(what)                                                                       \
    do {                                                                               \
        const char *wrong_ = (what);                                                   \
        if (wrong_)                                                                    \
            return wrong_;                                                             \
    } while (0)

/* Sent, and nobody has it any more but the queue. */
static bool
throw_one(int sock, int fd)
{
    return fd >= 0 && give(sock, "x", &fd, 1) && close(fd) == 0;
}

static int
catch_one(int sock)
{
    int fds[MOST];

    return take(sock, "x", 1, fds) == 1 ? fds[0] : -1;
}

/* ---- files */

static int files[2];

static const char *
throw_files(int position)
{
    int fd = open("flying", O_RDWR | O_CREAT, 0600);

    WANT(fd >= 0 && pwrite(fd, "0123456789", 10, 0) == 10);
    WANT(lseek(fd, position, SEEK_SET) == position && throw_one(files[1], fd));
    return NULL;
}

static const char *
set_up_files(void)
{
    WANT(socketpair(AF_UNIX, SOCK_STREAM, 0, files) == 0);
    return throw_files(4);
}

static const char *
check_files(void)
{
    int fd = catch_one(files[0]);
    char c;

    WANT(fd >= 0 && (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR);
    WANT(read(fd, &c, 1) == 1 && c == '4' && close(fd) == 0);
    return throw_files(4);
}

/* The process has it, too. */
static int both[2], mine;

static const char *
set_up_both(void)
{
    WANT(socketpair(AF_UNIX, SOCK_DGRAM, 0, both) == 0);
    mine = open("flying-too", O_RDWR | O_CREAT, 0600);
    WANT(mine >= 0 && pwrite(mine, "0123456789", 10, 0) == 10);
    WANT(give(both[1], "x", &mine, 1) && give(both[1], "y", &mine, 1));
    return NULL;
}

static const char *
check_both(void)
{
    int fd = catch_one(both[0]), other = -1;
    char c;

    WANT(fd >= 0 && take(both[0], "y", 1, &other) == 1);
    WANT(lseek(mine, 7, SEEK_SET) == 7 && read(fd, &c, 1) == 1 && c == '7');
    WANT(read(other, &c, 1) == 1 && c == '8' && lseek(mine, 0, SEEK_CUR) == 9);
    WANT(close(fd) == 0 && close(other) == 0);
    WANT(give(both[1], "x", &mine, 1) && give(both[1], "y", &mine, 1));
    return NULL;
}

/* ---- pipes */

static int carrier[2], keep[2];

static const char *
throw_pipes(void)
{
    int p[2], q[2];

    WANT(pipe(p) == 0 && pipe(q) == 0);
    WANT(write(p[1], "unread", 6) == 6);
    keep[0] = p[1];
    keep[1] = q[0];
    WANT(throw_one(carrier[1], p[0]) && throw_one(carrier[1], q[1]));
    WANT(pipe(p) == 0 && write(p[1], "both fly", 8) == 8);
    WANT(throw_one(carrier[1], p[0]) && throw_one(carrier[1], p[1]));
    return NULL;
}

static const char *
set_up_pipes(void)
{
    WANT(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, carrier) == 0);
    return throw_pipes();
}

static const char *
check_pipes(void)
{
    int fd[4];
    char text[16] = "";

    for (int i = 0; i < 4; i++)
        WANT((fd[i] = catch_one(carrier[0])) >= 0);
    WANT(write(keep[0], "!", 1) == 1 && read(fd[0], text, 16) == 7);
    WANT(strcmp(text, "unread!") == 0 && write(fd[1], "q", 1) == 1);
    WANT(read(keep[1], text, 16) == 1 && text[0] == 'q');
    WANT(close(fd[1]) == 0 && read(keep[1], text, 16) == 0); /* nobody keeps it */
    WANT(close(fd[3]) == 0 && read(fd[2], text, 16) == 8);
    WANT(memcmp(text, "both fly", 8) == 0 && read(fd[2], text, 16) == 0);
    close(fd[0]);
    close(fd[2]);
    close(keep[0]);
    close(keep[1]);
    return throw_pipes();
}

static int named[2], named_writer;

static const char *
throw_named(void)
{
    int fd;

    unlink("flying-fifo");
    WANT(mkfifo("flying-fifo", 0600) == 0);
    fd = open("flying-fifo", O_RDONLY | O_NONBLOCK);
    named_writer = open("flying-fifo", O_WRONLY | O_NONBLOCK);
    WANT(write(named_writer, "named", 5) == 5 && throw_one(named[1], fd));
    return NULL;
}

static const char *
set_up_named(void)
{
    WANT(socketpair(AF_UNIX, SOCK_STREAM, 0, named) == 0);
    return throw_named();
}

static const char *
check_named(void)
{
    int fd = catch_one(named[0]);
    char text[8] = "";

    WANT(fd >= 0 && read(fd, text, 8) == 5 && strcmp(text, "named") == 0);
    WANT(close(fd) == 0 && close(named_writer) == 0);
    return throw_named();
}

/* ---- counters, memory */

static int counters[2];

static const char *
throw_counters(void)
{
    const struct itimerspec t = { { 0, 0 }, { 1000, 0 } };
    int fds[3] = { eventfd(7, EFD_SEMAPHORE), timerfd_create(CLOCK_MONOTONIC, 0),
        memfd_create("flying", MFD_ALLOW_SEALING) };

    WANT(timerfd_settime(fds[1], 0, &t, NULL) == 0);
    WANT(write(fds[2], "memory", 6) == 6 &&
         fcntl(fds[2], F_ADD_SEALS, F_SEAL_GROW) == 0);
    WANT(give(counters[1], "three", fds, 3));
    for (int i = 0; i < 3; i++)
        WANT(close(fds[i]) == 0);
    return NULL;
}

static const char *
set_up_counters(void)
{
    WANT(socketpair(AF_UNIX, SOCK_DGRAM, 0, counters) == 0);
    return throw_counters();
}

static const char *
check_counters(void)
{
    struct itimerspec t;
    int fds[MOST];
    char text[8] = "";
    uint64_t v;

    WANT(take(counters[0], "three", 16, fds) == 3);
    WANT(read(fds[0], &v, 8) == 8 && v == 1 && read(fds[0], &v, 8) == 8);
    WANT(timerfd_gettime(fds[1], &t) == 0 && t.it_value.tv_sec > 800);
    WANT(pread(fds[2], text, 8, 0) == 6 && strcmp(text, "memory") == 0);
    WANT(fcntl(fds[2], F_GET_SEALS) == F_SEAL_GROW);
    for (int i = 0; i < 3; i++)
        WANT(close(fds[i]) == 0);
    return throw_counters();
}

/* ---- TCP */

static int tcp[2], client, server;

static const char *
throw_tcp(void)
{
    struct sockaddr_in sa = { .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof sa;
    int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;

    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    WANT(bind(listener, (struct sockaddr *)&sa, sizeof sa) == 0);
    WANT(listen(listener, 5) == 0);
    WANT(getsockname(listener, (struct sockaddr *)&sa, &len) == 0);
    client = socket(AF_INET, SOCK_STREAM, 0);
    WANT(connect(client, (struct sockaddr *)&sa, sizeof sa) == 0);
    server = accept(listener, NULL, NULL);
    WANT(server >= 0 && write(client, "for you", 7) == 7);
    WANT(throw_one(tcp[1], listener) && throw_one(tcp[1], server));
    return NULL;
}

static const char *
set_up_tcp(void)
{
    WANT(socketpair(AF_UNIX, SOCK_STREAM, 0, tcp) == 0);
    return throw_tcp();
}

static const char *
check_tcp(void)
{
    int listener = catch_one(tcp[0]), one = catch_one(tcp[0]), other;
    struct pollfd hung = { client, POLLIN, 0 };
    struct sockaddr_in sa;
    socklen_t len = sizeof sa;
    char text[16] = "";

    WANT(listener >= 0 && one >= 0);
    WANT(read(one, text, 16) == 7 && strcmp(text, "for you") == 0);
    WANT(write(one, "back", 4) == 4 && read(client, text, 16) == 4);
    WANT(close(one) == 0); /* the engine has none of it, or it would not end */
    WANT(poll(&hung, 1, 5000) == 1 && read(client, text, 16) == 0);
    WANT(getsockname(listener, (struct sockaddr *)&sa, &len) == 0);
    other = socket(AF_INET, SOCK_STREAM, 0);
    WANT(connect(other, (struct sockaddr *)&sa, sizeof sa) == 0);
    WANT((one = accept(listener, NULL, NULL)) >= 0);
    close(other);
    close(one);
    close(client);
    close(listener);
    return throw_tcp();
}

/* ---- unix sockets, also in each other */

static int nest[2], nest_end;

static const char *
throw_nest(void)
{
    int inner[2], p[2];

    WANT(socketpair(AF_UNIX, SOCK_STREAM, 0, inner) == 0 && pipe(p) == 0);
    WANT(write(p[1], "deep", 4) == 4 && close(p[1]) == 0);
    WANT(write(inner[1], "first", 5) == 5 && throw_one(inner[1], p[0]));
    nest_end = inner[1];
    WANT(throw_one(nest[1], inner[0]));
    return NULL;
}

static const char *
set_up_nest(void)
{
    WANT(socketpair(AF_UNIX, SOCK_STREAM, 0, nest) == 0);
    return throw_nest();
}

static const char *
check_nest(void)
{
    int inner = catch_one(nest[0]), fd;
    char text[8] = "";

    WANT(inner >= 0 && read(inner, text, 5) == 5 && strcmp(text, "first") == 0);
    WANT((fd = catch_one(inner)) >= 0);
    WANT(read(fd, text, 8) == 4 && memcmp(text, "deep", 4) == 0);
    WANT(write(nest_end, "y", 1) == 1 && read(inner, text, 8) == 1 && text[0] == 'y');
    WANT(close(inner) == 0 && close(fd) == 0 && read(nest_end, text, 1) == 0);
    close(nest_end);
    return throw_nest();
}

/* They come with the first byte of what they were sent with. */
static int cuts[2];

static const char *
throw_cuts(void)
{
    int fd = eventfd(3, 0), other = eventfd(4, 0);

    WANT(give(cuts[1], "abc", NULL, 0) && give(cuts[1], "defg", &fd, 1));
    WANT(give(cuts[1], "h", &other, 1) && give(cuts[1], "ij", NULL, 0));
    WANT(close(fd) == 0 && close(other) == 0);
    WANT(shutdown(cuts[1], SHUT_WR) == 0);
    return NULL;
}

static const char *
set_up_cuts(void)
{
    WANT(socketpair(AF_UNIX, SOCK_STREAM, 0, cuts) == 0);
    return throw_cuts();
}

static const char *
check_cuts(void)
{
    int fds[MOST];
    uint64_t v;

    WANT(take(cuts[0], "abc", 3, fds) == 0); /* none of them yet */
    WANT(take(cuts[0], "d", 1, fds) == 1);
    WANT(read(fds[0], &v, 8) == 8 && v == 3 && close(fds[0]) == 0);
    WANT(take(cuts[0], "efgh", 16, fds) == 1);
    WANT(read(fds[0], &v, 8) == 8 && v == 4 && close(fds[0]) == 0);
    WANT(take(cuts[0], "ij", 16, fds) == 0 && take(cuts[0], "", 16, fds) == 0);
    close(cuts[0]);
    close(cuts[1]);
    return set_up_cuts();
}

/* ---- sent and received all the time */

static int busy[2];
static unsigned kept_open;

static void
step_busy(void)
{
    int p[2], fd;
    char c;

    if (pipe2(p, O_NONBLOCK | O_CLOEXEC) < 0 || !throw_one(busy[1], p[1]))
        return;
    fd = catch_one(busy[0]);
    close(fd);
    kept_open += fd < 0 || read(p[0], &c, 1) != 0; /* all writers have gone */
    close(p[0]);
}

static const char *
set_up_busy(void)
{
    WANT(socketpair(AF_UNIX, SOCK_STREAM, 0, busy) == 0);
    return NULL;
}

static const char *
check_busy(void)
{
    WANT(kept_open == 0);
    return NULL;
}

/* ---- refused */

static const char *
set_up_set(void)
{
    int pair[2];

    WANT(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    WANT(throw_one(pair[1], epoll_create1(0)));
    return NULL;
}

static const char *
set_up_locked(void)
{
    struct flock lock = { .l_type = F_WRLCK, .l_len = 1 };
    int pair[2], fd = open("flying-locked", O_RDWR | O_CREAT, 0600);

    WANT(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    WANT(fcntl(fd, F_OFD_SETLK, &lock) == 0 && throw_one(pair[1], fd));
    return NULL;
}

static const struct feature rows[] = {
    { "file, its position", NULL, 0, set_up_files, check_files, NULL },
    { "file that the process has open, too", NULL, 0, set_up_both, check_both, NULL },
    { "ends of pipes, unread bytes", NULL, 0, set_up_pipes, check_pipes, NULL },
    { "named pipe", NULL, 0, set_up_named, check_named, NULL },
    { "eventfd, timerfd and memory file in one message", NULL, 0, set_up_counters,
        check_counters, NULL },
    { "TCP listener, TCP connection with unread bytes", NULL, 0, set_up_tcp, check_tcp,
        NULL },
    { "unix socket with a descriptor in flight in it", NULL, 0, set_up_nest, check_nest,
        NULL },
    { "between the bytes of a stream, the sender shut down", NULL, 0, set_up_cuts,
        check_cuts, NULL },
    { "sent, received and closed all the time", NULL, 0, set_up_busy, check_busy,
        step_busy },
    { "epoll set", "not kept there", FEATURE_ALONE, set_up_set, NULL, NULL },
    { "file with a lock", "that it has locked", FEATURE_ALONE, set_up_locked, NULL,
        NULL },
};

AREA(area_flight, "Descriptors in flight (SCM_RIGHTS)", rows);
