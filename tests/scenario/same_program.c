/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/scenario/same_program.h"

#include "tests/dice.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    PAIRS = 150,
    WATCHED = 100,
    LOW = 20,
    LOWS = 10,
    HIGH = 900,
    HIGHS = 10,
    FILES = 2
};

struct program {
    uint64_t seed;
    int listener, sets[2], file, pipe[2];
    int ends[PAIRS][2]; /* connections; only the first WATCHED are in epoll sets */
};

static unsigned
any(struct program *p, unsigned n)
{
    return dice(&p->seed, n);
}

/* IPv6 at both ends, or IPv4 and what IPv6 has of it. */
static int
connect_to(int listener, bool v6)
{
    struct sockaddr_in6 six = { 0 };
    socklen_t n = sizeof six;
    struct sockaddr_in four = { .sin_family = AF_INET,
        .sin_addr = { htonl(INADDR_LOOPBACK) } };
    int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM, 0);

    getsockname(listener, (struct sockaddr *)&six, &n);
    six.sin6_addr = in6addr_loopback;
    four.sin_port = six.sin6_port;
    if (v6 && connect(fd, (struct sockaddr *)&six, sizeof six) < 0)
        _exit(3);
    if (!v6 && connect(fd, (struct sockaddr *)&four, sizeof four) < 0)
        _exit(3);
    return fd;
}

static void
open_pair(struct program *p, unsigned i)
{
    int one = 1, *e = p->ends[i];

    e[0] = connect_to(p->listener, i % 2);
    e[1] = accept(p->listener, NULL, NULL);
    for (int k = 0; k < 2; k++) {
        setsockopt(e[k], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        fcntl(e[k], F_SETFL, O_NONBLOCK);
    }
}

static void
watch(struct program *p, unsigned i, int op)
{
    int fd = p->ends[i][i % 3 == 0];
    struct epoll_event ev = { .events = any(p, 4) ? EPOLLIN : EPOLLIN | EPOLLOUT,
        .data = { .u64 = any(p, 4) ? (unsigned)fd : any(p, 1000) } }; /* as most do */

    if (i < WATCHED)
        epoll_ctl(p->sets[i % 2], op, fd, &ev);
}

static void
renew_pair(struct program *p, unsigned i)
{
    /* the kernel gives the last file's place to the next: each gets its own again */
    close(p->ends[i][1]);
    close(p->ends[i][0]);
    open_pair(p, i);
    watch(p, i, EPOLL_CTL_ADD);
}

static void
name_file(char path[64], pid_t pid, unsigned i)
{
    snprintf(path, 64, "/tmp/ckpt_same.%d.%u", (int)pid, i);
}

static void
open_file(struct program *p)
{
    char path[64];

    name_file(path, getpid(), any(p, FILES));
    p->file = open(path, O_RDWR | O_CREAT, 0600);
}

void
same_remove_files(pid_t pid)
{
    char path[64];

    for (unsigned i = 0; i < FILES; i++) {
        name_file(path, pid, i);
        unlink(path);
    }
}

/* For a while there is none; then perhaps the other, at its number. */
static void
change_file(struct program *p)
{
    bool had = p->file >= 0;

    if (had)
        close(p->file);
    p->file = -1;
    if (!had || any(p, 2))
        open_file(p);
}

/* A number at which there may be something, or nothing. */
static int
slot(struct program *p)
{
    return any(p, 2) ? LOW + (int)any(p, LOWS) : HIGH + (int)any(p, HIGHS);
}

static void
change_flags(struct program *p, const int ends[2])
{
    fcntl(ends[0], F_SETFL, any(p, 2) ? O_NONBLOCK : 0);
    fcntl(ends[1], F_SETFD, any(p, 2) ? FD_CLOEXEC : 0);
}

static void
change_lock(struct program *p)
{
    struct flock lock = { .l_type = any(p, 2) ? F_WRLCK : F_UNLCK,
        .l_whence = SEEK_SET,
        .l_start = any(p, 4),
        .l_len = 1 + any(p, 4) };

    if (any(p, 2))
        flock(p->file, (any(p, 2) ? LOCK_EX : LOCK_UN) | LOCK_NB);
    else
        fcntl(p->file, any(p, 2) ? F_SETLK : F_OFD_SETLK, &lock);
}

static void
talk(struct program *p, const int ends[2])
{
    char bytes[64] = "";

    switch (any(p, 4)) {
    case 0:
    case 1:
        send(ends[any(p, 2)], bytes, 1 + any(p, sizeof bytes), MSG_DONTWAIT);
        break;
    case 2:
        recv(ends[any(p, 2)], bytes, 1 + any(p, sizeof bytes), MSG_DONTWAIT);
        break;
    default: /* a while later it is at rest */
        for (int k = 0; k < 2; k++)
            while (recv(ends[k], bytes, sizeof bytes, MSG_DONTWAIT) > 0)
                ;
    }
}

/* Seen when the connection moves next, which it does at once. */
static void
change_option(struct program *p, int end)
{
    static const struct {
        int level, option, values[2];
    } options[] = {
        { IPPROTO_TCP, TCP_NODELAY, { 0, 1 } },
        { IPPROTO_TCP, TCP_CORK, { 0, 1 } },
        { IPPROTO_TCP, TCP_KEEPIDLE, { 100, 200 } },
        { IPPROTO_TCP, TCP_KEEPINTVL, { 10, 20 } },
        { IPPROTO_TCP, TCP_KEEPCNT, { 3, 4 } },
        { IPPROTO_TCP, TCP_USER_TIMEOUT, { 0, 5000 } },
        { IPPROTO_TCP, TCP_NOTSENT_LOWAT, { 1, 65536 } },
        { IPPROTO_IP, IP_TOS, { 0, 16 } },
        { IPPROTO_IPV6, IPV6_TCLASS, { 0, 16 } },
        { SOL_SOCKET, SO_KEEPALIVE, { 0, 1 } },
        { SOL_SOCKET, SO_RCVLOWAT, { 1, 7 } },
    };
    unsigned i = any(p, sizeof options / sizeof options[0] + 1), on = any(p, 2);
    struct linger linger = { (int)on, (int)any(p, 3) };

    if (send(end, "o", 1, MSG_DONTWAIT) < 0) /* it would not move */
        return;
    if (i == sizeof options / sizeof options[0])
        setsockopt(end, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    else
        setsockopt(end, options[i].level, options[i].option, &options[i].values[on],
            sizeof(int));
    send(end, "o", 1, MSG_DONTWAIT);
}

static void
change_numbers(struct program *p)
{
    unsigned spare = WATCHED + any(p, PAIRS - WATCHED);

    switch (any(p, 3)) {
    case 0: /* above it: a duplicate; below it: it is one from now on */
        dup2(p->ends[spare][any(p, 2)], slot(p));
        break;
    case 1: /* a low number that is free would be the next connection's */
        if (any(p, 2))
            close(HIGH + (int)any(p, HIGHS));
        else
            dup2(p->listener, LOW + (int)any(p, LOWS));
        break;
    default:
        dup2(p->file, slot(p));
    }
}

static void
do_something(struct program *p)
{
    unsigned i = any(p, PAIRS);
    int size = 4096 << any(p, 5), *e = p->ends[i];

    switch (any(p, 16)) {
    case 0:
    case 1:
    case 2:
        talk(p, e);
        break;
    case 3:
        renew_pair(p, i);
        break;
    case 4:
    case 5:
    case 12:
        change_numbers(p);
        break;
    case 6:
        watch(p, i, EPOLL_CTL_MOD);
        break;
    case 7:
        watch(p, i, any(p, 2) ? EPOLL_CTL_DEL : EPOLL_CTL_ADD);
        break;
    case 8:
        lseek(p->file, any(p, 100), SEEK_SET);
        break;
    case 9:
        change_file(p);
        break;
    case 10:
        setsockopt(
            e[0], SOL_SOCKET, any(p, 2) ? SO_RCVBUF : SO_SNDBUF, &size, sizeof size);
        break;
    case 11:
        shutdown(e[any(p, 2)], SHUT_WR);
        break;
    case 13:
        change_lock(p);
        break;
    case 14:
        change_option(p, e[any(p, 2)]);
        break;
    default:
        change_flags(p, e);
    }
}

void
same_program(uint64_t seed)
{
    struct program p = { .seed = seed };
    struct sockaddr_in6 sa = { .sin6_family = AF_INET6 };

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_IGN);
    syscall(SYS_close_range, 0, ~0u, 0);
    for (int i = 0; i < 3; i++)
        open("/dev/null", O_RDWR);
    p.listener = socket(AF_INET6, SOCK_STREAM, 0);
    if (bind(p.listener, (struct sockaddr *)&sa, sizeof sa) < 0 ||
        listen(p.listener, 10) < 0)
        _exit(2);
    for (int i = LOW; i < LOW + LOWS; i++)
        dup2(p.listener, i); /* the connections are above */
    p.sets[0] = epoll_create1(0);
    p.sets[1] = epoll_create1(0);
    open_file(&p);
    for (unsigned i = 0; i < PAIRS; i++) {
        open_pair(&p, i);
        watch(&p, i, EPOLL_CTL_ADD);
    }
    for (;;) {
        do_something(&p);
        usleep(300);
    }
}
