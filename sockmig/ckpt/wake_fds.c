/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * wake_fds.c - the descriptors of a clone.
 *
 * The engine opens what they refer to and the stub fetches it with pidfd_getfd(), which
 * gives the lowest free number.  The image's numbers are sorted: small gaps are filled
 * meanwhile, so that each gets its number at once; what lies behind a large one is
 * moved there. */
#include "sockmig/ckpt/clone_parts.h"

#include "lib/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#ifndef TFD_IOC_SET_TICKS
#define TFD_IOC_SET_TICKS _IOW('T', 0, uint64_t)
#endif

#define WATCH_FLAGS (IN_ONLYDIR | IN_DONT_FOLLOW | IN_EXCL_UNLINK | IN_ONESHOT)
#define WAITING                                                                        \
    2048 /* calls of earlier steps, at most: there may be many descriptors */
#define GAP_FILLED 64 /* numbers: a call for each, two for one that is moved */
#define SETTABLE (O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME)

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

/* One that was opened before is the same file. */
static int
open_again(const struct wake *w, uint32_t i)
{
    const struct image_fd *fds = w->im->fds;
    char path[32];

    for (uint32_t k = 0; k < i; k++)
        if (w->c->opened[k] >= 0 && fds[k].inode == fds[i].inode &&
            fds[k].kind == fds[i].kind && fds[k].u.file.deleted) {
            snprintf(path, sizeof path, "/proc/self/fd/%d", w->c->opened[k]);
            return open(
                path, ((int)fds[i].flags & ~(O_CREAT | O_EXCL | O_TRUNC)) | O_CLOEXEC);
        }
    errno = ENOENT;
    return -1;
}

static int
make_unnamed(const struct image_fd *f)
{
    char folder[IMAGE_PATH];

    if (f->kind == IMAGE_FD_MEMFD)
        return memfd_create(f->u.file.path, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    memcpy(folder, f->u.file.path, sizeof folder);
    return open(dirname(folder), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
}

/* Made for writing, then opened as it was. */
static int
open_unnamed(const struct wake *w, uint32_t i)
{
    const struct image_fd *f = &w->im->fds[i];
    const struct clone_queue *q = &w->c->queues[f->fd];
    int fd = open_again(w, i), made = -1;
    char path[32];

    if (fd < 0) {
        made = make_unnamed(f);
        if (made < 0 || q->size != f->u.file.size ||
            ftruncate(made, (off_t)f->u.file.size) < 0 ||
            fchmod(made, f->u.file.mode) < 0 ||
            (q->size > 0 && write(made, q->bytes, q->size) != (ssize_t)q->size)) {
            errno = errno ? errno : EBADMSG;
            fd_close(made);
            return -1;
        }
        fd = made;
        if ((f->flags & O_ACCMODE) != O_RDWR) {
            snprintf(path, sizeof path, "/proc/self/fd/%d", made);
            fd = open(
                path, ((int)f->flags & ~(O_CREAT | O_EXCL | O_TRUNC | O_TMPFILE)) |
                          O_CLOEXEC);
            fd_close(made);
        }
    }
    if (fd >= 0)
        lseek(fd, (off_t)f->u.file.position, SEEK_SET);
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

/* The kernel counts up: numbers in between are used up by a watch that is not kept. */
static int
open_inotify(const struct wake *w, const struct image_fd *f)
{
    int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK), last = 0;
    char notices[4096];

    for (uint32_t i = 0; fd >= 0 && i < w->im->nwatches; i++) {
        const struct image_watch *v = &w->im->watches[i];
        uint32_t mask = v->mask & (IN_ALL_EVENTS | WATCH_FLAGS);

        if (v->fd != f->fd)
            continue;
        while (last >= 0 && last < v->wd) {
            if (last > 0 && last != v->wd)
                inotify_rm_watch(fd, last);
            last = inotify_add_watch(fd, v->path, mask);
        }
        if (last != v->wd) {
            fd_close(fd);
            return -1;
        }
        last = 0;
    }
    while (fd >= 0 && read(fd, notices, sizeof notices) > 0)
        ; /* of the watches that are not kept */
    return fd;
}

static int
open_simple(const struct wake *w, uint32_t i)
{
    const struct image_fd *f = &w->im->fds[i];

    if (f->kind == IMAGE_FD_MEMFD || (f->kind == IMAGE_FD_FILE && f->u.file.deleted))
        return open_unnamed(w, i);
    switch (f->kind) {
    case IMAGE_FD_FILE:
        return open_file(f);
    case IMAGE_FD_EVENTFD:
        return open_eventfd(f);
    case IMAGE_FD_TIMERFD:
        return open_timerfd(f);
    case IMAGE_FD_INOTIFY:
        return open_inotify(w, f);
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
    int ends[2], ret = 0, in;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    in = ends[1]; /* open to the end, whoever owns it then */
    for (uint32_t i = first; i < w->im->nfds && ret == 0; i++) {
        int side = fds[i].kind == IMAGE_FD_PIPE_WRITE;

        if (!is_pipe(&fds[i]) || fds[i].inode != fds[first].inode || fds[i].dup_of >= 0)
            continue;
        if (!side)
            ret = fill_pipe(w, &fds[i], in);
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
            w->c->opened[i] = open_simple(w, i);
            ret = w->c->opened[i] < 0 ? -errno : 0;
        }
        if (ret < 0)
            refuse(w->why, w->im->process.pid, f->fd,
                "make sure that this node has what the service has open",
                "descriptor cannot be made again: %s %s", strerror(-ret),
                f->kind == IMAGE_FD_FILE ? f->u.file.path : "");
        else if (f->kind == IMAGE_FD_FILE || f->kind == IMAGE_FD_MEMFD ||
                 f->kind == IMAGE_FD_EVENTFD || f->kind == IMAGE_FD_INOTIFY ||
                 f->kind == IMAGE_FD_TIMERFD || f->kind == IMAGE_FD_SIGNALFD)
            fcntl(w->c->opened[i], F_SETFL, (int)f->flags & SETTABLE);
    }
    for (uint32_t i = 0; i < w->im->nfds && ret == 0; i++)
        if (is_pipe(&w->im->fds[i]) && w->c->opened[i] >= 0)
            fcntl(w->c->opened[i], F_SETFL, (int)w->im->fds[i].flags & SETTABLE);
    return ret;
}

/* Into the lowest free number. */
static void
fetch(struct wake *w, uint32_t i)
{
    struct batch *b = &w->c->batch;

    if (w->im->fds[i].kind == IMAGE_FD_EPOLL && w->c->opened[i] < 0)
        batch_add(b, "epoll_create1", SYS_epoll_create1, EPOLL_CLOEXEC, 0, 0, 0, 0, 0);
    else
        batch_add(b, "pidfd_getfd", SYS_pidfd_getfd, (uint64_t)w->c->parent_fd,
            (uint64_t)w->c->opened[i], 0, 0, 0, 0);
}

/* It is at @free, the lowest number that was free; returns the one that is now. */
static int
settle(struct batch *b, int free, const struct image_fd *f)
{
    uint64_t from = (uint64_t)free, to = (uint64_t)f->fd;

    if (f->fd != free) {
        batch_add(b, "dup3", SYS_dup3, from, to, f->cloexec ? O_CLOEXEC : 0, 0, 0, 0);
        batch_add(b, "close", SYS_close, from, 0, 0, 0, 0, 0);
        return free;
    }
    if (!f->cloexec)
        batch_add(b, "F_SETFD", SYS_fcntl, to, F_SETFD, 0, 0, 0, 0);
    return free + 1;
}

static void
fetch_all(struct wake *w)
{
    struct batch *b = &w->c->batch;
    uint32_t n = image_fds_open(w->im);
    int free = 0, engine = w->c->parent_fd;

    for (uint32_t i = 0; i < n; i++) {
        const struct image_fd *f = &w->im->fds[i];

        if (f->dup_of >= 0)
            continue;
        for (bool fill = f->fd - free <= GAP_FILLED; fill && free < f->fd; free++)
            batch_add(b, "fill a gap", SYS_dup, (uint64_t)engine, 0, 0, 0, 0, 0);
        fetch(w, i);
        free = settle(b, free, f);
    }
    for (int k = 0; k < free; k++)
        if (!image_fd_find(w->im, k))
            batch_add(b, "close", SYS_close, (uint64_t)k, 0, 0, 0, 0, 0);
}

/* Over what filled their places, where something did. */
static void
duplicate_all(struct wake *w)
{
    for (uint32_t i = 0; i < image_fds_open(w->im); i++) {
        const struct image_fd *f = &w->im->fds[i];

        if (f->dup_of >= 0)
            batch_add(&w->c->batch, "dup3", SYS_dup3, (uint64_t)f->dup_of,
                (uint64_t)f->fd, f->cloexec ? O_CLOEXEC : 0, 0, 0, 0);
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

/* The descriptor to map from: one that may write, if there is one. */
static const struct image_fd *
holder(const struct image *im, const struct image_vma *v)
{
    const struct image_fd *found = NULL;

    for (uint32_t i = 0; i < image_fds_open(im); i++) {
        const struct image_fd *f = &im->fds[i];

        if (f->dup_of < 0 && f->inode == v->inode &&
            (f->kind == IMAGE_FD_MEMFD ||
                (f->kind == IMAGE_FD_FILE && f->u.file.deleted)) &&
            (!found || (f->flags & O_ACCMODE) == O_RDWR))
            found = f;
    }
    return found;
}

/* Seals come last: they may forbid what was done before. */
static void
map_held(struct wake *w)
{
    struct batch *b = &w->c->batch;

    for (uint32_t i = 0; i < w->im->nvmas; i++) {
        const struct image_vma *v = &w->im->vmas[i];
        const struct image_fd *f = v->kind == IMAGE_VMA_HELD ? holder(w->im, v) : NULL;

        if (f)
            batch_add(b, "map a file without a name", SYS_mmap, v->start,
                v->end - v->start, v->prot, MAP_SHARED | MAP_FIXED, (uint64_t)f->fd,
                v->offset);
    }
    for (uint32_t i = 0; i < image_fds_open(w->im); i++) {
        const struct image_fd *f = &w->im->fds[i];

        if (f->kind == IMAGE_FD_MEMFD && f->dup_of < 0 && f->u.file.seals)
            batch_add(b, NULL, SYS_fcntl, (uint64_t)f->fd, F_ADD_SEALS, f->u.file.seals,
                0, 0, 0);
    }
}

static void
lock_all(struct wake *w)
{
    struct batch *b = &w->c->batch;

    for (uint32_t i = 0; i < w->im->nlocks; i++) {
        const struct image_lock *l = &w->im->locks[i];
        struct flock lock = { .l_type = l->exclusive ? F_WRLCK : F_RDLCK,
            .l_whence = SEEK_SET,
            .l_start = l->start,
            .l_len = l->end < 0 ? 0 : l->end - l->start + 1 };

        if (l->kind == IMAGE_LOCK_FLOCK)
            batch_add(b, "lock by flock()", SYS_flock, (uint64_t)l->fd,
                (uint64_t)(LOCK_NB | (l->exclusive ? LOCK_EX : LOCK_SH)), 0, 0, 0, 0);
        else
            batch_add(b, "lock by fcntl()", SYS_fcntl, (uint64_t)l->fd,
                l->kind == IMAGE_LOCK_OFD ? F_OFD_SETLK : F_SETLK,
                batch_put(b, &lock, sizeof lock), 0, 0, 0);
    }
}

/* The pidfd lies above all others; should the service have got as far, it moves. */
static void
keep_above(struct wake *w)
{
    int highest = skeleton_highest(w->im);

    if (highest < w->c->parent_fd)
        return;
    batch_add(&w->c->batch, "dup3", SYS_dup3, (uint64_t)w->c->parent_fd,
        (uint64_t)skeleton_number(highest), O_CLOEXEC, 0, 0, 0);
    batch_add(
        &w->c->batch, "close", SYS_close, (uint64_t)w->c->parent_fd, 0, 0, 0, 0, 0);
    w->c->parent_fd = skeleton_number(highest);
}

int
wake_descriptors(struct wake *w, const char **what)
{
    int ret = batch_room(&w->c->batch, w->c->pid, BATCH_CALLS - WAITING);

    *what = w->c->batch.failed;
    if (ret == 0)
        ret = wake_terminals(w, what);
    if (ret == 0)
        ret = wake_fifos(w, what);
    if (ret == 0)
        ret = wake_open_all(w, what);
    if (ret < 0)
        return ret;
    keep_above(w);
    fetch_all(w);
    duplicate_all(w);
    ret = wake_owners(w);
    *what = "owner of a descriptor's signals";
    if (ret < 0)
        return ret;
    watch_all(w);
    map_held(w);
    lock_all(w);
    batch_add(&w->c->batch, "close the engine", SYS_close, (uint64_t)w->c->parent_fd, 0,
        0, 0, 0, 0);
    return 0;
}
