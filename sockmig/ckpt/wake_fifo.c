/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * wake_fifo.c - the named pipes of a clone, or of a tree of them.
 *
 * All that have a pipe open are opened together: what was unread is kept by the kernel
 * only while somebody has it, and an end that never saw a writer must not be told that
 * the writer has gone. */
#include "sockmig/ckpt/clone_parts.h"

#include "lib/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define SETTABLE (O_APPEND | O_NONBLOCK | O_NOATIME)

struct group { /* the ends of one pipe, among others */
    const struct fifo_end *v;
    uint32_t n;
    const struct image_fd *like; /* one of them */
    char path[IMAGE_PATH + 40];
};

static int *
opened(const struct fifo_end *e)
{
    return &e->c->opened[e->f - e->im->fds];
}

/* One that is still to be opened. */
static bool
is_left(const struct group *g, uint32_t i)
{
    const struct image_fd *f = g->v[i].f;

    return *opened(&g->v[i]) < 0 && f->inode == g->like->inode &&
           f->u.fifo.dev == g->like->u.fifo.dev;
}

/* Whoever has it open here, or left bytes in it, has another one from now on. */
static bool
is_in_use(const char *path)
{
    int writer = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC), reader, unread = 0;
    bool used = writer >= 0;
    char c;

    fd_close(writer);
    reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    used = used || (ioctl(reader, FIONREAD, &unread) == 0 && unread > 0) ||
           (reader >= 0 && read(reader, &c, 1) != 0);
    fd_close(reader);
    return used;
}

static int
make_new(struct group *g)
{
    const struct image_fd *f = g->like;
    char folder[IMAGE_PATH], path[sizeof g->path];

    memcpy(folder, f->u.fifo.path, sizeof folder);
    snprintf(path, sizeof path, "%s/.bascule-pipe-%d", dirname(folder), (int)getpid());
    unlink(path);
    if (mkfifo(path, 0600) < 0)
        return -errno;
    if (chown(path, f->u.fifo.uid, f->u.fifo.gid) < 0 ||
        chmod(path, f->u.fifo.mode) < 0 ||
        (!f->u.fifo.deleted && rename(path, f->u.fifo.path) < 0)) {
        int ret = -errno;

        unlink(path);
        return ret;
    }
    snprintf(g->path, sizeof g->path, "%s", f->u.fifo.deleted ? path : f->u.fifo.path);
    return 0;
}

static int
find_or_make(struct group *g)
{
    const struct image_fd *f = g->like;
    struct stat st;

    snprintf(g->path, sizeof g->path, "%s", f->u.fifo.path);
    if (f->u.fifo.deleted || lstat(g->path, &st) < 0)
        return make_new(g);
    if (!S_ISFIFO(st.st_mode))
        return -EEXIST;
    return is_in_use(g->path) ? make_new(g) : 0;
}

static int
open_end(const struct fifo_end *e, const char *path)
{
    int fd = open(path, ((int)e->f->flags & O_ACCMODE) | O_NONBLOCK | O_CLOEXEC);
    int size = (int)e->f->u.fifo.capacity, ret = 0;

    if (fd < 0)
        return -errno;
    if ((fcntl(fd, F_GETPIPE_SZ) != size && fcntl(fd, F_SETPIPE_SZ, size) < 0) ||
        fcntl(fd, F_SETFL, (int)e->f->flags & SETTABLE) < 0) {
        ret = -errno;
        fd_close(fd);
        return ret;
    }
    *opened(e) = fd;
    return 0;
}

/* Readers that never saw a writer are opened while there is none. */
static int
open_fresh(const struct group *g)
{
    bool written = false;
    int ret = 0;

    for (uint32_t i = 0; i < g->n; i++)
        written = written ||
                  (is_left(g, i) && (g->v[i].f->flags & O_ACCMODE) != O_RDONLY);
    for (uint32_t i = 0; i < g->n && !written && ret == 0; i++)
        if (is_left(g, i) && !g->v[i].f->u.fifo.hung && g->v[i].f->u.fifo.queued == 0)
            ret = open_end(&g->v[i], g->path);
    return ret;
}

static int
fill(const struct group *g, int anchor)
{
    if (fcntl(anchor, F_SETPIPE_SZ, (int)g->like->u.fifo.capacity) < 0)
        return -errno;
    for (uint32_t i = 0; i < g->n; i++) {
        const struct image_fd *f = g->v[i].f;
        const struct clone_queue *q = &g->v[i].c->queues[f->fd];

        if (!is_left(g, i) || f->u.fifo.queued == 0)
            continue;
        if (q->size != f->u.fifo.queued)
            return -EBADMSG;
        return write(anchor, q->bytes, q->size) == (ssize_t)q->size ? 0 : -ENOSPC;
    }
    return 0;
}

static int
open_rest(const struct group *g)
{
    int anchor = open(g->path, O_RDWR | O_NONBLOCK | O_CLOEXEC), ret;
    char path[40];

    if (anchor < 0)
        return -errno;
    ret = fill(g, anchor);
    snprintf(path, sizeof path, "/proc/self/fd/%d", anchor);
    for (uint32_t i = 0; i < g->n && ret == 0; i++)
        if (is_left(g, i))
            ret = open_end(&g->v[i], path);
    fd_close(anchor);
    return ret;
}

static int
open_group(const struct fifo_end *ends, uint32_t n, uint32_t first)
{
    struct group g = { .v = ends, .n = n, .like = ends[first].f };
    bool left = false;
    int ret = find_or_make(&g);

    if (ret == 0)
        ret = open_fresh(&g);
    for (uint32_t i = 0; i < n; i++)
        left = left || is_left(&g, i);
    if (ret == 0 && left)
        ret = open_rest(&g);
    if (g.like->u.fifo.deleted)
        unlink(g.path);
    return ret;
}

int
wake_fifo_ends(
    const struct fifo_end *ends, uint32_t n, struct refusals *why, const char **what)
{
    int ret = 0;

    *what = "named pipe";
    for (uint32_t i = 0; i < n && ret == 0; i++) {
        if (*opened(&ends[i]) >= 0)
            continue;
        ret = open_group(ends, n, i);
        if (ret < 0)
            refuse(why, ends[i].im->process.pid, ends[i].f->fd,
                "make sure that this host has its folder, and nothing else by its name",
                "named pipe cannot be made again: %.100s: %s", ends[i].f->u.fifo.path,
                strerror(-ret));
    }
    return ret;
}

int
wake_fifos(struct wake *w, const char **what)
{
    static _Thread_local struct fifo_end ends[IMAGE_MAX_FDS];
    uint32_t n = 0;

    for (uint32_t i = 0; i < w->im->nfds; i++)
        if (w->im->fds[i].kind == IMAGE_FD_FIFO && w->im->fds[i].dup_of < 0)
            ends[n++] = (struct fifo_end){ &w->im->fds[i], w->im, w->c };
    return wake_fifo_ends(ends, n, w->why, what);
}
