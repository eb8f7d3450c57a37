/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * wake_fds.c - the descriptors of a clone.
 *
 * The engine opens what they refer to and the stub fetches it with pidfd_getfd(), which
 * gives the lowest free numbers: 0, 1, 2 ...  The image's numbers are sorted, so the
 * k-th of them is k or more, and moving them up from the last to the first never
 * overwrites one that is still to be moved. */
#include "sockmig/ckpt/clone_parts.h"

#include "lib/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#ifndef TFD_IOC_SET_TICKS
#define TFD_IOC_SET_TICKS _IOW('T', 0, uint64_t)
#endif

#define SETTABLE (O_APPEND | O_NONBLOCK | O_ASYNC | O_DIRECT)

/* A log that the service writes need not exist here yet, the folder must. */
static int
open_file(const struct image_fd *f)
{
    int flags = (int)f->flags & ~(O_CREAT | O_TRUNC | O_EXCL);
    int fd;

    fd = open(f->u.file.path, flags | O_CLOEXEC | O_NOCTTY);
    if (fd < 0 && errno == ENOENT && (flags & O_ACCMODE) != O_RDONLY)
        fd = open(f->u.file.path, flags | O_CREAT | O_CLOEXEC, 0640);
    if (fd >= 0 && f->u.file.position > 0)
        lseek(fd, (off_t)f->u.file.position, SEEK_SET); /* devices may not seek */
    return fd;
}

static int
open_eventfd(const struct image_fd *f)
{
    int fd = eventfd(
        0, EFD_CLOEXEC | EFD_NONBLOCK | (f->u.eventfd.semaphore ? EFD_SEMAPHORE : 0));

    if (fd >= 0 && f->u.eventfd.count > 0 &&
        write(fd, &f->u.eventfd.count, sizeof f->u.eventfd.count) < 0) {
        fd_close(fd);
        return -1;
    }
    return fd;
}

/* A periodic timer whose expiry waits to be read shows no time left: set literally
 * that would disarm it. */
static int
open_timerfd(const struct image_fd *f)
{
    int fd = timerfd_create(f->u.timerfd.clock, TFD_CLOEXEC);
    struct itimerspec t = {
        .it_value = { f->u.timerfd.left.sec, f->u.timerfd.left.nsec },
        .it_interval = { f->u.timerfd.interval.sec, f->u.timerfd.interval.nsec },
    };
    bool over = t.it_value.tv_sec == 0 && t.it_value.tv_nsec == 0;

    if (fd < 0)
        return -1;
    if (over)
        t.it_value = t.it_interval;
    if (over && f->u.timerfd.ticks > 0 && t.it_value.tv_sec == 0 &&
        t.it_value.tv_nsec == 0)
        t.it_value.tv_nsec = 1;
    if (timerfd_settime(fd, 0, &t, NULL) < 0 ||
        (f->u.timerfd.ticks > 0 &&
            ioctl(fd, TFD_IOC_SET_TICKS, &f->u.timerfd.ticks) < 0)) {
        fd_close(fd);
        return -1;
    }
    return fd;
}

static int
open_unix_dead(const struct image_fd *f)
{
    int pair[2];

    if (socketpair(AF_UNIX,
            (int)(f->socktype ? f->socktype : SOCK_STREAM) | SOCK_CLOEXEC, 0, pair) < 0)
        return -1;
    close(pair[1]);
    return pair[0];
}

static int
open_simple(const struct image_fd *f)
{
    switch (f->kind) {
    case IMAGE_FD_FILE:
        return open_file(f);
    case IMAGE_FD_UNIX_DEAD:
        return open_unix_dead(f);
    case IMAGE_FD_EVENTFD:
        return open_eventfd(f);
    case IMAGE_FD_TIMERFD:
        return open_timerfd(f);
    case IMAGE_FD_SIGNALFD:
        return (int)syscall(SYS_signalfd4, -1, &f->u.signalfd.mask, 8, SFD_CLOEXEC);
    default:
        errno = EOPNOTSUPP;
        return -1;
    }
}

static bool
is_pipe(const struct image_fd *f)
{
    return f->kind == IMAGE_FD_PIPE_READ || f->kind == IMAGE_FD_PIPE_WRITE;
}

static int
fill_pipe(const struct wake *w, const struct image_fd *f, int write_end)
{
    const struct clone_queue *q = &w->c->queues[f->fd];

    if (f->u.pipe.capacity > 0 &&
        fcntl(write_end, F_SETPIPE_SZ, (int)f->u.pipe.capacity) < 0)
        return -errno;
    if (f->u.pipe.queued == 0)
        return 0;
    if (q->size != f->u.pipe.queued)
        return -EBADMSG;
    return write(write_end, q->bytes, q->size) == (ssize_t)q->size ? 0 : -ENOSPC;
}

/* Both ends at once, from the first of them.  An end that the process has not got is
 * nobody's: it is closed. */
static int
open_pipe(struct wake *w, uint32_t first)
{
    const struct image_fd *fds = w->im->fds;
    int ends[2], ret = 0;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    for (uint32_t i = first; i < w->im->nfds && ret == 0; i++) {
        int side = fds[i].kind == IMAGE_FD_PIPE_WRITE;

        if (!is_pipe(&fds[i]) || fds[i].inode != fds[first].inode || fds[i].dup_of >= 0)
            continue;
        if (!side)
            ret = fill_pipe(w, &fds[i], ends[1]);
        if (ends[side] >= 0)
            w->c->opened[i] = ends[side];
        else
            ret = -EOPNOTSUPP; /* the same end opened twice, through /proc */
        ends[side] = -1;
    }
    for (unsigned side = 0; side < 2; side++)
        fd_close(ends[side]);
    return ret;
}

int
wake_open_all(struct wake *w, const char **what)
{
    int ret = 0;

    *what = "descriptor";
    for (uint32_t i = 0; i < w->im->nfds && ret == 0; i++) {
        const struct image_fd *f = &w->im->fds[i];

        if (w->c->opened[i] >= 0 || f->dup_of >= 0 || f->kind == IMAGE_FD_EPOLL)
            continue;
        if (is_pipe(f)) {
            ret = open_pipe(w, i);
        } else {
            w->c->opened[i] = open_simple(f);
            ret = w->c->opened[i] < 0 ? -errno : 0;
        }
        if (ret < 0)
            refuse(w->why, w->im->process.pid, f->fd,
                "make sure that this node has what the service has open",
                "descriptor cannot be made again: %s %s", strerror(-ret),
                f->kind == IMAGE_FD_FILE ? f->u.file.path : "");
        else if (f->kind == IMAGE_FD_FILE || f->kind == IMAGE_FD_EVENTFD ||
                 f->kind == IMAGE_FD_TIMERFD || f->kind == IMAGE_FD_UNIX_DEAD ||
                 f->kind == IMAGE_FD_SIGNALFD)
            fcntl(w->c->opened[i], F_SETFL, (int)f->flags & SETTABLE);
    }
    for (uint32_t i = 0; i < w->im->nfds && ret == 0; i++)
        if (is_pipe(&w->im->fds[i]) && w->c->opened[i] >= 0)
            fcntl(w->c->opened[i], F_SETFL, (int)w->im->fds[i].flags & SETTABLE);
    return ret;
}

static void
fetch_all(struct wake *w)
{
    struct batch *b = &w->c->batch;

    for (uint32_t i = 0; i < w->im->nfds; i++) {
        const struct image_fd *f = &w->im->fds[i];

        if (f->dup_of >= 0)
            continue;
        if (f->kind == IMAGE_FD_EPOLL && w->c->opened[i] < 0)
            batch_add(
                b, "epoll_create1", SYS_epoll_create1, EPOLL_CLOEXEC, 0, 0, 0, 0, 0);
        else
            batch_add(b, "pidfd_getfd", SYS_pidfd_getfd, (uint64_t)w->c->parent_fd,
                (uint64_t)w->c->opened[i], 0, 0, 0, 0);
    }
}

static void
move_up(struct batch *b, uint32_t from, const struct image_fd *f, bool is_target)
{
    if ((uint32_t)f->fd != from) {
        batch_add(b, "dup3", SYS_dup3, from, (uint64_t)f->fd,
            f->cloexec ? O_CLOEXEC : 0, 0, 0, 0);
        if (!is_target)
            batch_add(b, "close", SYS_close, from, 0, 0, 0, 0, 0);
    } else if (!f->cloexec) {
        batch_add(b, "F_SETFD", SYS_fcntl, from, F_SETFD, 0, 0, 0, 0);
    }
}

/* Is @number what a descriptor that is no duplicate shall have? */
static bool
is_wanted(const struct image *im, uint32_t number)
{
    const struct image_fd *f = image_fd_find(im, (int)number);

    return f && f->dup_of < 0;
}

static void
move_all(struct wake *w)
{
    struct batch *b = &w->c->batch;
    uint32_t k = 0;

    for (uint32_t i = 0; i < w->im->nfds; i++)
        k += w->im->fds[i].dup_of < 0;
    for (uint32_t i = w->im->nfds; i-- > 0;)
        if (w->im->fds[i].dup_of < 0) {
            k--;
            move_up(b, k, &w->im->fds[i], is_wanted(w->im, k));
        }
    for (uint32_t i = 0; i < w->im->nfds; i++) {
        const struct image_fd *f = &w->im->fds[i];

        if (f->dup_of >= 0)
            batch_add(b, "dup3", SYS_dup3, (uint64_t)f->dup_of, (uint64_t)f->fd,
                f->cloexec ? O_CLOEXEC : 0, 0, 0, 0);
    }
}

static void
watch_all(struct wake *w)
{
    struct batch *b = &w->c->batch;

    for (uint32_t i = 0; i < w->im->nitems; i++) {
        const struct image_epoll_item *item = &w->im->items[i];
        const struct image_fd *set = image_fd_find(w->im, item->epfd);
        struct epoll_event event = { .events = item->events, .data.u64 = item->data };

        if (set && (set->dup_of >= 0 || w->c->opened[set - w->im->fds] >= 0))
            continue; /* the same set under another number, or another process's */
        batch_add(b, "epoll_ctl", SYS_epoll_ctl, (uint64_t)item->epfd, EPOLL_CTL_ADD,
            (uint64_t)item->fd, batch_put(b, &event, sizeof event), 0, 0);
    }
}

/* The pidfd lies above all others; should the service have got as far, it moves. */
static void
keep_above(struct wake *w)
{
    int highest = w->im->nfds > 0 ? w->im->fds[w->im->nfds - 1].fd : 0;

    if (highest < w->c->parent_fd)
        return;
    batch_add(&w->c->batch, "dup3", SYS_dup3, (uint64_t)w->c->parent_fd,
        (uint64_t)(2 * highest + 1), O_CLOEXEC, 0, 0, 0);
    batch_add(
        &w->c->batch, "close", SYS_close, (uint64_t)w->c->parent_fd, 0, 0, 0, 0, 0);
    w->c->parent_fd = 2 * highest + 1;
}

int
wake_descriptors(struct wake *w, const char **what)
{
    int ret = wake_open_all(w, what);

    if (ret < 0)
        return ret;
    keep_above(w);
    fetch_all(w);
    move_all(w);
    watch_all(w);
    batch_add(&w->c->batch, "close the engine", SYS_close, (uint64_t)w->c->parent_fd, 0,
        0, 0, 0, 0);
    ret = batch_run(&w->c->batch, w->c->pid);
    *what = w->c->batch.failed;
    return ret;
}
