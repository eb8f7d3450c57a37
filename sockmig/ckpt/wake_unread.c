/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * wake_unread.c - unread messages of unix sockets, with the descriptors they carry. */
#include "sockmig/ckpt/making.h"

#include "lib/fd.h"
#include "sockmig/ckpt/options.h"
#include "sockmig/ckpt/peek.h"
#include "sockmig/ckpt/repair.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ROOM (8 << 20) /* of a sender while messages are given back */

int32_t
making_by_inode(const struct making *m, uint64_t inode)
{
    for (uint32_t i = 0; i < m->n && inode; i++)
        if (m->v[i].f->inode == inode)
            return (int32_t)i;
    return -1;
}

int *
making_opened(const struct unix_end *e)
{
    return &e->c->opened[e->f - e->im->fds];
}

int
making_ours(const struct making *m, int32_t i)
{
    return i < 0 ? -1 : *making_opened(&m->v[i]);
}

/* Whoever has the name that the message came from; else the other end. */
static int
sender_of(const struct making *m, uint32_t i, const struct image_message *message)
{
    bool by_name = m->v[i].u->type == SOCK_DGRAM && message->name_len > 0;

    for (uint32_t k = 0; k < m->n && by_name; k++)
        if (m->v[k].u->local_len == message->name_len && k != i &&
            memcmp(m->v[k].u->local, message->name, message->name_len) == 0)
            return making_ours(m, (int32_t)k);
    if (m->ends[i] >= 0)
        return m->ends[i];
    return making_ours(m, making_by_inode(m, m->v[i].u->peer));
}

static int
entry_of(const struct making *m, int fd)
{
    for (uint32_t k = 0; k < m->n; k++)
        if (making_ours(m, (int32_t)k) == fd)
            return (int)k;
    return -1;
}

/* Where to send it; a relative name is the service's, not ours.  Its length; 0: the
 * sender is connected. */
static socklen_t
destination(const struct making *m, const struct image_unix *u, int from,
    struct sockaddr_un *to)
{
    int sender = entry_of(m, from);

    memset(to, 0, sizeof *to);
    if (u->type != SOCK_DGRAM || u->local_len == 0 ||
        (sender >= 0 && m->v[sender].u->remote_len > 0))
        return 0;
    memcpy(to, u->local, u->local_len);
    if (!u->path[0] || strlen(u->path) >= sizeof to->sun_path)
        return u->local_len;
    strcpy(to->sun_path, u->path);
    return sizeof *to;
}

/* What message @message of @e carries, as control data in @to; its size. */
static int
put_descriptors(
    const struct unix_end *e, const struct image_message *message, struct cmsghdr *to)
{
    int *fds = (int *)CMSG_DATA(to);

    if (message->nfds > PEEK_FDS)
        return -EBADMSG;
    for (uint32_t k = 0; k < message->nfds; k++) {
        const struct image_fd *f = image_fd_find(e->im, message->first + (int)k);

        if (f && f->dup_of >= 0)
            f = image_fd_find(e->im, f->dup_of);
        if (f && f->kind == IMAGE_FD_MEMFD &&
            f->u.file.seals) /* nothing is mapped now */
            fcntl(e->c->opened[f - e->im->fds], F_ADD_SEALS, f->u.file.seals);
        if (!f || e->c->opened[f - e->im->fds] < 0)
            return -EBADMSG;
        fds[k] = e->c->opened[f - e->im->fds];
    }
    *to = (struct cmsghdr){ .cmsg_len = CMSG_LEN(message->nfds * sizeof *fds),
        .cmsg_level = SOL_SOCKET,
        .cmsg_type = SCM_RIGHTS };
    return (int)CMSG_SPACE(message->nfds * sizeof *fds);
}

static int
send_message(int from, const struct unix_end *e, const struct image_message *message,
    struct sockaddr_un *to, socklen_t len)
{
    union {
        struct cmsghdr head;
        uint8_t bytes[CMSG_SPACE(PEEK_FDS * sizeof(int))];
    } control;
    struct iovec io = { (void *)(uintptr_t)(message + 1), message->size };
    struct msghdr m = { .msg_name = len > 0 ? to : NULL,
        .msg_namelen = len,
        .msg_iov = &io,
        .msg_iovlen = 1 };
    int size = 0;
    ssize_t n;

    if (message->nfds > 0)
        size = put_descriptors(e, message, &control.head);
    if (size < 0)
        return size;
    m.msg_control = size > 0 ? control.bytes : NULL;
    m.msg_controllen = (size_t)size;
    n = sendmsg(from, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0)
        return -errno;
    return (uint32_t)n == message->size ? 0 : -ENOBUFS;
}

/* A datagram may come from anybody. */
static int
send_one(const struct making *m, uint32_t i, const struct image_message *message)
{
    const struct image_unix *u = m->v[i].u;
    int from = sender_of(m, i, message), own = -1, before, ret;
    struct sockaddr_un to;
    socklen_t len;

    if (from < 0)
        from = own = socket(AF_UNIX, (int)u->type | SOCK_CLOEXEC, 0);
    len = destination(m, u, from, &to);
    before = repair_get(from, SOL_SOCKET, SO_SNDBUF);
    repair_set(from, SOL_SOCKET, SO_SNDBUFFORCE, ROOM);
    ret = send_message(from, &m->v[i], message, &to, len);
    repair_set(from, SOL_SOCKET, SO_SNDBUFFORCE, before / 2);
    fd_close(own);
    return ret;
}

bool
making_carries(const struct unix_end *e)
{
    const struct clone_queue *q = &e->c->queues[e->u->fd];
    const struct image_message *message;
    uint32_t at = 0;

    while (e->u->queued > 0 && q->size == e->u->queued &&
           (message = image_message_next(q->bytes, e->u->queued, &at)))
        if (message->nfds > 0)
            return true;
    return false;
}

int
making_send_unread(const struct making *m, uint32_t i)
{
    const struct image_unix *u = m->v[i].u;
    const struct clone_queue *q = &m->v[i].c->queues[u->fd];
    const struct image_message *message;
    uint32_t at = 0;
    int ret = 0;

    if (u->queued > 0 && q->size != u->queued)
        return -EBADMSG;
    while (u->queued > 0 && ret == 0 &&
           (message = image_message_next(q->bytes, u->queued, &at)))
        ret = send_one(m, i, message);
    return ret == 0 && at != u->queued ? -EBADMSG : ret;
}

/* Nobody is told: who had been told before it was taken knows. */
int
making_send_quietly(const struct making *m, uint32_t i)
{
    int sock = making_ours(m, (int32_t)i), flags = fcntl(sock, F_GETFL), ret;

    if (flags & O_ASYNC)
        fcntl(sock, F_SETFL, flags & ~O_ASYNC);
    ret = making_send_unread(m, i);
    if (flags & O_ASYNC)
        fcntl(sock, F_SETFL, flags);
    return ret;
}

int
making_finish(const struct making *m, uint32_t i)
{
    const struct image_unix *u = m->v[i].u;
    const struct image_fd *f = m->v[i].f;
    int sock = making_ours(m, (int32_t)i),
        ret = options_write(sock, AF_UNIX, &u->options);

    if (ret == 0 &&
        (repair_set(sock, SOL_SOCKET, SO_SNDBUFFORCE, u->sndbuf / 2) < 0 ||
            repair_set(sock, SOL_SOCKET, SO_RCVBUFFORCE, u->rcvbuf / 2) < 0))
        ret = -errno;
    if (ret == 0 && u->buf_lock >= 0)
        repair_set(sock, SOL_SOCKET, SO_BUF_LOCK, u->buf_lock);
    if (ret == 0 && u->peer && u->state == IMAGE_UNIX_CONNECTED && u->shutdown)
        shutdown(sock, u->shutdown == 3   ? SHUT_RDWR
                       : u->shutdown == 2 ? SHUT_WR
                                          : SHUT_RD);
    if (ret == 0 &&
        fcntl(sock, F_SETFL,
            ((int)f->flags & O_NONBLOCK) | (fcntl(sock, F_GETFL) & O_ASYNC)) < 0)
        ret = -errno;
    return ret;
}
