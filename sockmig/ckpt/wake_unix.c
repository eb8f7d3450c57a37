/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * wake_unix.c - the unix sockets of a clone.
 *
 * The stub makes them itself, as the service's user: the other end of a connection may
 * ask the kernel who made this one (SO_PEERCRED).  It has no other descriptors then, so
 * the kernel gives the lowest free numbers, which are counted along here.  The engine
 * takes duplicates, sends what was unread, and hands them over with all the rest. */
#include "sockmig/ckpt/making.h"

#include "lib/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define NO_CHANGE ((uint64_t)-1)

static _Thread_local struct making makings;

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
    const int32_t peer = making_by_inode(m, u->peer);
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
            *making_opened(&m->v[i]) = fd;
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

static uint32_t
close_ends(struct making *m)
{
    uint32_t n = m->n;

    for (uint32_t i = 0; i < n; i++) {
        fd_close(m->ends[i]);
        m->ends[i] = -1;
    }
    m->n = 0;
    return n;
}

static int
finish_all(struct making *m)
{
    uint32_t n = close_ends(m);
    int ret = 0;

    for (uint32_t i = 0; i < n && ret == 0; i++) {
        ret = making_finish(m, i);
        if (ret < 0)
            refuse(m->w->why, m->v[i].im->process.pid, m->v[i].u->fd,
                "see the system's log", "unix socket cannot be made: %s",
                strerror(-ret));
    }
    return ret;
}

/* What carries descriptors waits for them, and the rest for it: an end that is shut
 * down could not send. */
static int
give_back(struct making *m)
{
    bool later = false;
    int ret = 0;

    for (uint32_t i = 0; i < m->n && ret == 0; i++)
        if (making_carries(&m->v[i]))
            later = true;
        else
            ret = making_send_unread(m, i);
    return ret == 0 && later ? 0 : finish_all(m);
}

int
wake_unix_ends(
    struct wake *w, const struct unix_end *ends, uint32_t n, const char **what)
{
    struct making *m = &makings;
    int before = -1, ret, back;

    close_ends(m); /* of one that failed */
    if (n == 0)
        return 0;
    if (n > IMAGE_MAX_UNIX)
        return -E2BIG;
    memset(m, 0, sizeof *m);
    memset(m->made, 0xff, sizeof m->made);
    memset(m->other, 0xff, sizeof m->other);
    memset(m->ends, 0xff, sizeof m->ends);
    m->w = w;
    m->v = ends;
    m->n = n;
    m->b = &w->c->batch;
    m->pair = batch_put(m->b, &(int64_t){ 0 }, sizeof(int64_t));
    add_all(m);
    ret = batch_run(m->b, w->c->pid);
    *what = m->b->failed;
    if (ret == 0) {
        *what = "unix sockets";
        ret = fetch(m);
    }
    if (ret == 0)
        ret = net_enter(w->c, &before);
    if (ret == 0) {
        *what = "unread messages of unix sockets";
        ret = give_back(m);
    }
    back = net_leave(before);
    return ret < 0 ? ret : back;
}

int
wake_flights(struct wake *w, const char **what)
{
    struct making *m = &makings;
    int before = -1, ret, back, done;

    *what = "descriptors in flight";
    if (m->n == 0)
        return 0;
    ret = batch_run(&w->c->batch, w->c->pid); /* the descriptors */
    if (ret == 0)
        ret = net_enter(w->c, &before);
    for (uint32_t i = 0; i < m->n && ret == 0; i++)
        if (making_carries(&m->v[i]))
            ret = making_send_quietly(m, i);
    done = finish_all(m);
    back = net_leave(before);
    return ret < 0 ? ret : done < 0 ? done : back;
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
