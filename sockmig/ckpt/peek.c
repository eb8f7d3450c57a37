/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/ckpt/peek.h"

#include "lib/fd.h"
#include "sockmig/ckpt/repair.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define STREAM_CUT 65536
#define MAX_MESSAGES 4096
#define NOWHERE 8ul /* no memory is there */
#define MAX_DEPTH 4 /* the kernel's: sockets in sockets */
#ifndef SCM_PIDFD
#define SCM_PIDFD 4
#endif

int
peek_begin(struct peek *p, int sock, int type, bool closed)
{
    *p = (struct peek){ .sock = sock, .stream = type == SOCK_STREAM, .closed = closed };
    return repair_set(sock, SOL_SOCKET, SO_PEEK_OFF, 0) < 0 ? -errno : 0;
}

void
peek_end(struct peek *p)
{
    repair_set(p->sock, SOL_SOCKET, SO_PEEK_OFF, -1);
}

void
peek_close(struct peeked *m)
{
    for (unsigned i = 0; i < m->nfds; i++)
        fd_close(m->fds[i]);
    m->nfds = 0;
}

static void
take_descriptors(struct msghdr *h, struct peeked *out)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
        size_t size = c->cmsg_len - CMSG_LEN(0);
        int fd;

        if (c->cmsg_level != SOL_SOCKET)
            continue;
        if (c->cmsg_type == SCM_RIGHTS && size <= sizeof out->fds) {
            memcpy(out->fds, CMSG_DATA(c), size);
            out->nfds = (unsigned)(size / sizeof(int));
        } else if (c->cmsg_type == SCM_PIDFD && size == sizeof fd) {
            memcpy(&fd, CMSG_DATA(c), sizeof fd); /* of the sender: made by the peek */
            fd_close(fd);
        }
    }
}

/* Room for all that the kernel may add: credentials, a label, a pidfd. */
static int
peek_once(struct peek *p, void *to, size_t room, struct peeked *out)
{
    union {
        struct cmsghdr align;
        uint8_t bytes[CMSG_SPACE(PEEK_FDS * sizeof(int)) +
                      CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int)) +
                      CMSG_SPACE(256)];
    } control;
    struct iovec io = { to, room };
    struct msghdr m = { .msg_name = out->name,
        .msg_namelen = sizeof out->name,
        .msg_iov = &io,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof control.bytes };
    ssize_t n;

    memset(out, 0, offsetof(struct peeked, fds));
    if (p->stream)
        repair_set(p->sock, SOL_SOCKET, SO_PEEK_OFF, p->at);
    n = recvmsg(p->sock, &m, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0)
        return 0;
    take_descriptors(&m, out);
    if (m.msg_flags & (MSG_CTRUNC | MSG_TRUNC)) {
        peek_close(out);
        return -EPROTO;
    }
    if (n == 0 && out->nfds == 0 && (p->stream || p->closed))
        return 0;
    out->size = (uint32_t)n;
    out->name_len = m.msg_namelen > sizeof(sa_family_t) ? m.msg_namelen : 0;
    return 1;
}

/* A peek at a stream joins all up to the end of what carries descriptors, and has them
 * whatever its size: it does not say where that begins.  But one whose last byte has no
 * place fails in just that, after it has counted what is before.  How many bytes. */
static int
count_before(const struct peek *p, void *to, uint32_t size)
{
    struct iovec io[] = { { to, size - 1 }, { (void *)NOWHERE, 1 } };
    struct msghdr m = { .msg_iov = io, .msg_iovlen = 2 };
    ssize_t n;

    repair_set(p->sock, SOL_SOCKET, SO_PEEK_OFF, p->at);
    n = recvmsg(p->sock, &m, MSG_PEEK | MSG_DONTWAIT);
    if (n < 0)
        return errno == EFAULT ? 0 : -EPROTO;
    return (m.msg_flags & MSG_CTRUNC) || n >= size ? -EPROTO : (int)n;
}

/* No buffer of a stream has as many bytes as are peeked at: what begins here ends here,
 * or something ends before. */
int
peek_next(struct peek *p, void *to, size_t room, struct peeked *out)
{
    int ret = peek_once(p, to, p->stream && room > STREAM_CUT ? STREAM_CUT : room, out),
        before = 0;

    if (ret <= 0 || !p->stream)
        return ret;
    if (out->nfds > 0)
        before = room < STREAM_CUT ? -EPROTO : count_before(p, to, out->size);
    if (before != 0)
        peek_close(out);
    if (before < 0)
        return before;
    if (before > 0)
        out->size = (uint32_t)before;
    p->at += (int)out->size;
    return 1;
}

static void each_inside(
    int sock, void (*on)(void *arg, int sock), void *arg, int depth);

static void
each_carried(struct peeked *m, void (*on)(void *arg, int sock), void *arg, int depth)
{
    struct stat st;

    for (unsigned i = 0; i < m->nfds; i++)
        if (fstat(m->fds[i], &st) == 0 && S_ISSOCK(st.st_mode)) {
            on(arg, m->fds[i]);
            each_inside(m->fds[i], on, arg, depth + 1);
        }
    peek_close(m);
}

static void
each_inside(int sock, void (*on)(void *arg, int sock), void *arg, int depth)
{
    static _Thread_local uint8_t bytes[STREAM_CUT];
    struct peeked m;
    struct peek p;

    if (depth > MAX_DEPTH || repair_get(sock, SOL_SOCKET, SO_DOMAIN) != AF_UNIX)
        return;
    if (peek_begin(&p, sock, repair_get(sock, SOL_SOCKET, SO_TYPE), true) == 0)
        for (int i = 0; i < MAX_MESSAGES && peek_next(&p, bytes, sizeof bytes, &m) > 0;
             i++)
            each_carried(&m, on, arg, depth);
    peek_end(&p);
}

void
peek_sockets(int sock, void (*on)(void *arg, int sock), void *arg)
{
    each_inside(sock, on, arg, 0);
}
