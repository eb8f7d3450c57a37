/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * wake_unix.c - the unix sockets of a clone.
 *
 * The stub makes them itself, as the service's user: the other end of a connection may
 * ask the kernel who made this one (SO_PEERCRED).  It has no other descriptors then, so
 * the kernel gives the lowest free numbers, which are counted along here.  The engine
 * takes duplicates, sends what was unread, and hands them over with all the rest. */
#include "sockmig/ckpt/clone_parts.h"

#include "lib/fd.h"
#include "sockmig/ckpt/options.h"
#include "sockmig/ckpt/repair.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define MAX_NUMBERS (2 * IMAGE_MAX_UNIX + 8)
#define ROOM (8 << 20) /* of a sender while messages are given back */
#define NO_CHANGE ((uint64_t)-1)

struct making {
    struct wake *w;           /* whose stub makes them */
    const struct unix_end *v; /* borrowed: all of them */
    uint32_t n;
    struct batch *b;
    uint64_t pair; /* in the mapping: where socketpair() writes */
    int made[IMAGE_MAX_UNIX], other[IMAGE_MAX_UNIX]; /* numbers in the stub; other: the
                                                        end that nobody has; -1 */
    int ends[IMAGE_MAX_UNIX];                        /* ours of .other; -1 */
    bool used[MAX_NUMBERS];
};

static int
take_number(struct making *m)
{
    int n = 0;

    while (n < MAX_NUMBERS - 1 && m->used[n])
        n++;
    m->used[n] = true;
    return n;
}

static bool
has_path(const uint8_t *name, uint32_t len)
{
    return len > sizeof(sa_family_t) && name[sizeof(sa_family_t)] != '\0';
}

static int
add_socket(struct making *m, uint32_t type)
{
    batch_add(
        m->b, "unix socket", SYS_socket, AF_UNIX, type | SOCK_CLOEXEC, 0, 0, 0, 0);
    return take_number(m);
}

static void
add_close(struct making *m, int number)
{
    batch_add(m->b, "close", SYS_close, (uint64_t)number, 0, 0, 0, 0, 0);
    m->used[number] = false;
}

static void
add_folder(struct making *m, const char *path)
{
    batch_add(m->b, "folder of a unix socket", SYS_chdir,
        batch_put(m->b, path, strlen(path) + 1), 0, 0, 0, 0, 0);
}

/* A relative name means a file in the folder of that time. */
static void
add_bind(struct making *m, int number, const struct image_unix *u)
{
    const char *name = (const char *)u->local + sizeof(sa_family_t);
    bool relative = has_path(u->local, u->local_len) && name[0] != '/' && u->path[0];
    char folder[IMAGE_PATH];

    if (u->path[0])
        batch_add(m->b, NULL, SYS_unlink, batch_put(m->b, u->path, strlen(u->path) + 1),
            0, 0, 0, 0, 0);
    memcpy(folder, u->path, sizeof folder);
    if (relative)
        add_folder(m, dirname(folder));
    batch_add(m->b, "name of a unix socket", SYS_bind, (uint64_t)number,
        batch_put(m->b, u->local, u->local_len), u->local_len, 0, 0, 0);
    if (relative)
        add_folder(m, m->w->im->process.cwd);
    if (u->path[0]) { /* at once: others connect to it as the service's user */
        uint64_t path = batch_put(m->b, u->path, strlen(u->path) + 1);

        batch_add(m->b, NULL, SYS_chown, path, u->uid, u->gid, 0, 0, 0);
        batch_add(m->b, NULL, SYS_chmod, path, u->mode, 0, 0, 0, 0);
    }
    if (!u->path[0] && name[0] == '/') /* its file had been removed */
        batch_add(m->b, NULL, SYS_unlink, batch_put(m->b, name, strlen(name) + 1), 0, 0,
            0, 0, 0);
}

static void
add_user(struct making *m, uint64_t uid, uint64_t gid, bool back)
{
    if (back)
        batch_add(m->b, "setresuid", SYS_setresuid, NO_CHANGE, uid, NO_CHANGE, 0, 0, 0);
    batch_add(m->b, "setresgid", SYS_setresgid, NO_CHANGE, gid, NO_CHANGE, 0, 0, 0);
    if (!back)
        batch_add(m->b, "setresuid", SYS_setresuid, NO_CHANGE, uid, NO_CHANGE, 0, 0, 0);
}

static int32_t
by_inode(const struct making *m, uint64_t inode)
{
    for (uint32_t i = 0; i < m->n && inode; i++)
        if (m->v[i].f->inode == inode)
            return (int32_t)i;
    return -1;
}

static int32_t
listener_named(const struct making *m, const struct image_unix *u)
{
    for (uint32_t i = 0; i < m->n; i++) {
        const struct image_unix *l = m->v[i].u;

        if (l->state == IMAGE_UNIX_LISTENS && l->type == u->type &&
            l->local_len == u->local_len &&
            memcmp(l->local, u->local, u->local_len) == 0)
            return (int32_t)i;
    }
    return -1;
}

static void
add_connect(struct making *m, int number, const uint8_t *name, uint32_t len)
{
    batch_add(m->b, "connect of a unix socket", SYS_connect, (uint64_t)number,
        batch_put(m->b, name, len), len, 0, 0, 0);
}

/* As it once came about: connected to a listener, and accepted.  The listener may be
 * gone since; then one is made for the purpose.  @client -1: it is gone. */
static void
add_accepted(struct making *m, int32_t client, uint32_t accepted)
{
    const struct image_unix *a = m->v[accepted].u;
    int32_t l = listener_named(m, a);
    int number = l >= 0 ? m->made[l] : add_socket(m, a->type), from;

    if (l < 0) {
        add_bind(m, number, a);
        batch_add(m->b, "listen", SYS_listen, (uint64_t)number, 1, 0, 0, 0, 0);
    }
    from = add_socket(m, a->type);
    if (client < 0) {
        m->other[accepted] = from;
    } else {
        m->made[client] = from;
        if (m->v[client].u->local_len > 0)
            add_bind(m, from, m->v[client].u);
    }
    add_connect(m, from, a->local, a->local_len);
    batch_add(m->b, "accept", SYS_accept4, (uint64_t)number, 0, 0, SOCK_CLOEXEC, 0, 0);
    m->made[accepted] = take_number(m);
    if (l < 0)
        add_close(m, number);
}

static void
add_pair(struct making *m, uint32_t i, int32_t peer)
{
    int other;

    batch_add(m->b, "pair of unix sockets", SYS_socketpair, AF_UNIX,
        m->v[i].u->type | SOCK_CLOEXEC, 0, m->pair, 0, 0);
    m->made[i] = take_number(m);
    other = take_number(m);
    if (peer >= 0)
        m->made[peer] = other;
    else
        m->other[i] = other;
}

static void
add_connected(struct making *m, uint32_t i)
{
    const struct image_unix *u = m->v[i].u;
    const int32_t peer = by_inode(m, u->peer);
    bool stream = u->type != SOCK_DGRAM, named = u->local_len > 0;
    bool peer_named = peer >= 0 && m->v[peer].u->local_len > 0;

    /* of two that have names the one with the listener's was accepted */
    if (stream && peer_named && (!named || listener_named(m, m->v[peer].u) >= 0))
        add_accepted(m, (int32_t)i, (uint32_t)peer);
    else if (stream && named)
        add_accepted(m, peer, i);
    else
        add_pair(m, i, peer);
}

/* First what others connect to. */
static void
add_all(struct making *m)
{
    const struct image_process *p = &m->w->im->process;

    for (uint32_t i = 0; i < m->n; i++) {
        const struct image_unix *u = m->v[i].u;
        bool lone = u->state != IMAGE_UNIX_CONNECTED ||
                    (u->type == SOCK_DGRAM && (u->local_len > 0 || u->remote_len > 0));

        if (!lone)
            continue;
        m->made[i] = add_socket(m, u->type);
        if (u->local_len > 0)
            add_bind(m, m->made[i], u);
    }
    add_user(m, p->euid, p->egid, false);
    for (uint32_t i = 0; i < m->n; i++)
        if (m->v[i].u->state == IMAGE_UNIX_LISTENS)
            batch_add(m->b, "listen", SYS_listen, (uint64_t)m->made[i],
                (uint64_t)m->v[i].u->backlog, 0, 0, 0, 0);
    for (uint32_t i = 0; i < m->n; i++)
        if (m->made[i] < 0)
            add_connected(m, i);
    for (uint32_t i = 0; i < m->n; i++) {
        const struct image_unix *u = m->v[i].u;

        if (u->remote_len > 0 &&
            (u->state == IMAGE_UNIX_WAITS || u->state == IMAGE_UNIX_OUTSIDE ||
                (u->state == IMAGE_UNIX_CONNECTED && u->type == SOCK_DGRAM)))
            add_connect(m, m->made[i], u->remote, u->remote_len);
    }
    add_user(m, 0, 0, true);
}

static int *
opened(const struct unix_end *e)
{
    return &e->c->opened[e->f - e->im->fds];
}

/* Duplicates for us; the stub's own go, so that it has no descriptors again. */
static int
fetch(struct making *m)
{
    int stub = (int)syscall(SYS_pidfd_open, m->w->c->pid, 0);
    int ret = stub < 0 ? -errno : 0;

    for (uint32_t i = 0; i < m->n && ret == 0; i++) {
        int fd = (int)syscall(SYS_pidfd_getfd, stub, m->made[i], 0);

        if (fd < 0)
            ret = -errno;
        else
            *opened(&m->v[i]) = fd;
        if (ret == 0 && m->other[i] >= 0) {
            m->ends[i] = (int)syscall(SYS_pidfd_getfd, stub, m->other[i], 0);
            ret = m->ends[i] < 0 ? -errno : 0;
        }
    }
    fd_close(stub);
    for (int n = 0; n < MAX_NUMBERS; n++)
        if (m->used[n])
            add_close(m, n);
    return ret < 0 ? ret : batch_run(m->b, m->w->c->pid);
}

static int
ours(const struct making *m, int32_t i)
{
    return i < 0 ? -1 : *opened(&m->v[i]);
}

/* Whoever has the name that the message came from; else the other end. */
static int
sender_of(const struct making *m, uint32_t i, const struct image_message *message)
{
    bool by_name = m->v[i].u->type == SOCK_DGRAM && message->name_len > 0;

    for (uint32_t k = 0; k < m->n && by_name; k++)
        if (m->v[k].u->local_len == message->name_len && k != i &&
            memcmp(m->v[k].u->local, message->name, message->name_len) == 0)
            return ours(m, (int32_t)k);
    if (m->ends[i] >= 0)
        return m->ends[i];
    return ours(m, by_inode(m, m->v[i].u->peer));
}

static int
entry_of(const struct making *m, int fd)
{
    for (uint32_t k = 0; k < m->n; k++)
        if (ours(m, (int32_t)k) == fd)
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

/* A datagram may come from anybody. */
static int
send_one(const struct making *m, uint32_t i, const struct image_message *message)
{
    const struct image_unix *u = m->v[i].u;
    int from = sender_of(m, i, message), own = -1, before, ret = 0;
    struct sockaddr_un to;
    socklen_t len;
    ssize_t n;

    if (from < 0)
        from = own = socket(AF_UNIX, (int)u->type | SOCK_CLOEXEC, 0);
    len = destination(m, u, from, &to);
    before = repair_get(from, SOL_SOCKET, SO_SNDBUF);
    repair_set(from, SOL_SOCKET, SO_SNDBUFFORCE, ROOM);
    n = sendto(from, message + 1, message->size, MSG_DONTWAIT | MSG_NOSIGNAL,
        len > 0 ? (const struct sockaddr *)&to : NULL, len);
    if (n < 0)
        ret = -errno;
    else if ((uint32_t)n != message->size)
        ret = -ENOBUFS;
    repair_set(from, SOL_SOCKET, SO_SNDBUFFORCE, before / 2);
    fd_close(own);
    return ret;
}

static int
send_unread(const struct making *m, uint32_t i)
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

static int
finish(const struct making *m, uint32_t i)
{
    const struct image_unix *u = m->v[i].u;
    const struct image_fd *f = m->v[i].f;
    int sock = ours(m, (int32_t)i), ret = options_write(sock, AF_UNIX, &u->options);

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
    if (ret == 0 && fcntl(sock, F_SETFL, (int)f->flags & O_NONBLOCK) < 0)
        ret = -errno;
    return ret;
}

static int
give_back(struct making *m)
{
    int ret = 0;

    for (uint32_t i = 0; i < m->n && ret == 0; i++)
        ret = send_unread(m, i);
    for (uint32_t i = 0; i < m->n; i++) {
        fd_close(m->ends[i]);
        m->ends[i] = -1;
    }
    for (uint32_t i = 0; i < m->n && ret == 0; i++) {
        ret = finish(m, i);
        if (ret < 0)
            refuse(m->w->why, m->v[i].im->process.pid, m->v[i].u->fd,
                "see the system's log", "unix socket cannot be made: %s",
                strerror(-ret));
    }
    return ret;
}

int
wake_unix_ends(
    struct wake *w, const struct unix_end *ends, uint32_t n, const char **what)
{
    static _Thread_local struct making m;
    int before = -1, ret, back;

    if (n == 0)
        return 0;
    if (n > IMAGE_MAX_UNIX)
        return -E2BIG;
    memset(&m, 0, sizeof m);
    memset(m.made, 0xff, sizeof m.made);
    memset(m.other, 0xff, sizeof m.other);
    memset(m.ends, 0xff, sizeof m.ends);
    m.w = w;
    m.v = ends;
    m.n = n;
    m.b = &w->c->batch;
    m.pair = batch_put(m.b, &(int64_t){ 0 }, sizeof(int64_t));
    add_all(&m);
    ret = batch_run(m.b, w->c->pid);
    *what = m.b->failed;
    if (ret == 0) {
        *what = "unix sockets";
        ret = fetch(&m);
    }
    if (ret == 0)
        ret = net_enter(w->c, &before);
    if (ret == 0) {
        *what = "unread messages of unix sockets";
        ret = give_back(&m);
    }
    back = net_leave(before);
    return ret < 0 ? ret : back;
}

int
wake_unix(struct wake *w, const char **what)
{
    static _Thread_local struct unix_end ends[IMAGE_MAX_UNIX];

    for (uint32_t i = 0; i < w->im->nunixes; i++)
        ends[i] = (struct unix_end){ &w->im->unixes[i],
            image_fd_find(w->im, w->im->unixes[i].fd), w->im, w->c };
    return wake_unix_ends(w, ends, w->im->nunixes, what);
}
