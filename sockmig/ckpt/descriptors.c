/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/ckpt/descriptors.h"

#include "lib/fd.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "sockmig/reserve.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <linux/netlink.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TEXT_SIZE (8u << 20) /* an epoll set of 16,384 descriptors has 1.5 MB */

/* -1 where it cannot be had: then less is asked. */
static int
open_diag(pid_t pid)
{
    int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC), there, fd = -1;
    char path[64];

    snprintf(path, sizeof path, "/proc/%d/ns/net", (int)pid);
    there = open(path, O_RDONLY | O_CLOEXEC);
    if (home >= 0 && there >= 0 && setns(there, CLONE_NEWNET) == 0) {
        fd = socket(
            AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG);
        if (setns(home, CLONE_NEWNET) < 0)
            log_fatal("cannot go back to the own network namespace");
    }
    fd_close(there);
    fd_close(home);
    return fd;
}

int
descriptors_open(struct descriptors *d, struct trace *trace, int cell_pid)
{
    char path[64];
    struct stat st;
    int ret = -ENOMEM;

    *d = (struct descriptors){ .pid = trace->pid,
        .cell_pid = cell_pid,
        .pidfd = -1,
        .dir_fd = -1,
        .tee = { -1, -1 },
        .diag = -1,
        .ipc = { .list = { -1, -1 }, .undo = -1 },
        .own_fd = -1,
        .survey = { .files = -1, .mappings = -1 },
        .trace = trace };
    d->known = reserve(IMAGE_MAX_NUMBER * sizeof *d->known);
    d->before = reserve(DESCRIPTORS_MAX_NUMBER * sizeof *d->before);
    d->rests = reserve(DESCRIPTORS_MAX_NUMBER * sizeof *d->rests);
    d->briefs = reserve(DESCRIPTORS_MAX_NUMBER * sizeof *d->briefs);
    d->places = reserve(IMAGE_MAX_FDS * sizeof *d->places);
    d->index = reserve(IMAGE_MAX_NUMBER * sizeof *d->index);
    d->item_inodes = reserve(IMAGE_MAX_ITEMS * sizeof *d->item_inodes);
    d->item_of = reserve(DESCRIPTORS_MAX_NUMBER * sizeof *d->item_of);
    d->watched = reserve(IMAGE_MAX_ITEMS * sizeof *d->watched);
    d->numbers = reserve((IMAGE_MAX_FDS + 1) * sizeof *d->numbers);
    d->last_numbers = reserve((IMAGE_MAX_FDS + 1) * sizeof *d->last_numbers);
    if (!d->known || !d->before || !d->rests || !d->briefs || !d->places || !d->index ||
        !d->item_inodes || !d->item_of || !d->watched || !d->numbers ||
        !d->last_numbers || proctext_init(&d->text, TEXT_SIZE) < 0)
        goto fail;
    d->pidfd = (int)syscall(SYS_pidfd_open, d->pid, 0);
    snprintf(path, sizeof path, "/proc/%d/fd", (int)d->pid);
    d->dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    d->own_fd = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (d->pidfd < 0 || d->dir_fd < 0 || d->own_fd < 0 ||
        pipe2(d->tee, O_CLOEXEC | O_NONBLOCK) < 0) {
        ret = errno == ENOENT ? -ESRCH : -errno;
        goto fail;
    }
    if (fstat(d->tee[0], &st) == 0)
        d->pipes = st.st_dev;
    ret = ipc_open(&d->ipc, d->pid, cell_pid);
    if (ret < 0)
        goto fail;
    d->diag = open_diag(d->pid);
    survey_open(&d->survey, d->pid); /* without it, one by one */
    return 0;
fail:
    descriptors_close(d);
    return ret;
}

static void
forget_one(struct descriptor *m)
{
    if (m->fdinfo)
        fd_close(m->fdinfo - 1);
    free(m->un);
    look_drop_items(m);
    memset(m, 0, sizeof *m);
}

void
descriptors_close(struct descriptors *d)
{
    for (int i = 0; d->known && i < d->top; i++)
        if (d->known[i].seen > 0)
            forget_one(&d->known[i]);
    reserve_end(d->known, IMAGE_MAX_NUMBER * sizeof *d->known);
    reserve_end(d->before, DESCRIPTORS_MAX_NUMBER * sizeof *d->before);
    reserve_end(d->rests, DESCRIPTORS_MAX_NUMBER * sizeof *d->rests);
    reserve_end(d->briefs, DESCRIPTORS_MAX_NUMBER * sizeof *d->briefs);
    reserve_end(d->places, IMAGE_MAX_FDS * sizeof *d->places);
    reserve_end(d->index, IMAGE_MAX_NUMBER * sizeof *d->index);
    reserve_end(d->item_inodes, IMAGE_MAX_ITEMS * sizeof *d->item_inodes);
    reserve_end(d->item_of, DESCRIPTORS_MAX_NUMBER * sizeof *d->item_of);
    reserve_end(d->watched, IMAGE_MAX_ITEMS * sizeof *d->watched);
    reserve_end(d->numbers, (IMAGE_MAX_FDS + 1) * sizeof *d->numbers);
    reserve_end(d->last_numbers, (IMAGE_MAX_FDS + 1) * sizeof *d->last_numbers);
    proctext_fini(&d->text);
    survey_close(&d->survey);
    fd_close(d->pidfd);
    fd_close(d->dir_fd);
    fd_close(d->own_fd);
    ipc_close(&d->ipc);
    fd_close(d->tee[0]);
    fd_close(d->tee[1]);
    fd_close(d->diag);
    d->known = NULL;
    d->before = NULL;
    d->rests = NULL;
    d->briefs = NULL;
    d->places = NULL;
    d->index = NULL;
    d->item_inodes = NULL;
    d->item_of = NULL;
    d->watched = NULL;
    d->numbers = d->last_numbers = NULL;
    d->pidfd = d->dir_fd = d->tee[0] = d->tee[1] = d->diag = d->own_fd = -1;
}

void
descriptors_forget(struct descriptors *d)
{
    ipc_forget(&d->ipc);
    places_forget(d);
    for (int i = 0; i < d->top; i++)
        if (d->known[i].seen > 0) {
            d->known[i].parcel_hash = 0;
            d->known[i].watch = (struct tcp_watch){ 0 };
        }
}

int
look_refuse(struct look *l, const char *cure, const char *what)
{
    char path[24], target[80];
    ssize_t n;

    snprintf(path, sizeof path, "%d", l->number);
    n = readlinkat(l->dir_fd, path, target, sizeof target);
    refuse(l->why, l->d->cell_pid, l->fd, cure, "%s: %.*s", what, n > 0 ? (int)n : 0,
        target);
    l->memo->looks = 0; /* until it is gone it is said each time */
    return -EOPNOTSUPP;
}

/* The close-on-exec flag, and that there is no lock or lease. */
static bool
is_told_by_row(const struct survey_row *row)
{
    return row->tcp.state || (row->watched && row->nitems != SURVEY_NO_ITEMS);
}

/* What only fdinfo tells, or the row: the close-on-exec flag, and locks. */
static int
look_fully(struct look *l)
{
    int ret;

    l->d->full_looks++;
    l->memo->looks++;
    if (l->row && is_told_by_row(l->row)) {
        l->out->cloexec = l->row->cloexec;
        return 0;
    }
    ret = proctext_read(&l->d->text, "/proc/%d/fdinfo/%d", (int)l->pid, l->number);
    if (ret < 0)
        return ret;
    l->out->cloexec = (proctext_number(l->d->text.data, "flags:", 8, 0) & O_CLOEXEC) !=
                      0;
    if (strstr(l->d->text.data, ": LEASE "))
        return look_refuse(l, "disable leases in the service", "file has a lease");
    if (l->fd >= IMAGE_IN_FLIGHT && strstr(l->d->text.data, "lock:"))
        return look_refuse(l, "wait until the service has received it",
            "descriptor in flight of a file that it has locked");
    return 0;
}

static bool
is_same_open_file(const struct look *l, const struct image_fd *other)
{
    const struct image_fd *out = l->out;

    if (other->inode != out->inode || other->kind != out->kind ||
        other->flags != out->flags || other->dup_of >= 0)
        return false;
    if (S_ISSOCK(l->st.st_mode))
        return true; /* a socket's inode belongs to one open file */
    if ((out->kind == IMAGE_FD_FILE || out->kind == IMAGE_FD_MEMFD) &&
        other->u.file.position != out->u.file.position)
        return false;
    if (other->fd >= IMAGE_IN_FLIGHT)
        return syscall(SYS_kcmp, getpid(), l->pid, KCMP_FILE,
                   (unsigned long)l->d->flights[other->fd - IMAGE_IN_FLIGHT],
                   (unsigned long)l->number) == 0;
    return syscall(SYS_kcmp, l->d->pid, l->pid, KCMP_FILE, (unsigned long)other->fd,
               (unsigned long)l->number) == 0;
}

/* The lower descriptor that shares the open file, or NULL; enters @l otherwise. */
static const struct image_fd *
find_leader(struct look *l)
{
    const struct descriptors *d = l->d;
    int32_t i = d->heads[l->out->inode % DESCRIPTORS_HASH];

    for (; i >= 0; i = d->places[i].next)
        if (d->places[i].inode == l->out->inode && is_same_open_file(l, &l->im->fds[i]))
            return &l->im->fds[i];
    places_chain(l->d, (uint32_t)(l->out - l->im->fds));
    return NULL;
}

static int
look_at_kind(struct look *l)
{
    if (l->out->flags & O_PATH) /* but a place */
        return look_at_file(l);
    switch (l->st.st_mode & S_IFMT) {
    case S_IFSOCK:
        return look_at_socket(l);
    case S_IFIFO:
        return l->st.st_dev == l->d->pipes ? look_at_pipe(l) : look_at_fifo(l);
    case 0:
        return look_at_special(l);
    default:
        return look_at_file(l);
    }
}

/* Sockets are found to be duplicates before they are dumped: a dump moves what tells
 * whether a connection changed. */
static int
look_at_open(struct look *l)
{
    const struct image_fd *leader = NULL;
    uint32_t cloexec = l->out->cloexec, nitems = l->im->nitems;
    uint32_t nwatches = l->im->nwatches;
    int32_t of;
    int ret;

    l->out->dup_of = -1;
    of = S_ISSOCK(l->st.st_mode) ? places_find(l->d, l->out->inode, -1) : -1;
    if (of >= 0)
        leader = &l->im->fds[of];
    ret = leader ? 0 : look_at_kind(l);
    if (ret < 0)
        return ret;
    if (!leader)
        leader = find_leader(l);
    if (leader) {
        *l->out = *leader;
        l->out->fd = l->fd;
        l->out->dup_of = leader->fd;
        l->out->cloexec = cloexec;
        l->im->nitems = nitems; /* an epoll set's items are its leader's */
        l->im->nwatches = nwatches;
    }
    if (leader)
        return 0;
    if (l->out->kind == IMAGE_FD_PIPE_READ)
        return pipe_content(l);
    if (l->out->kind == IMAGE_FD_FIFO)
        return fifo_content(l);
    if (l->out->kind == IMAGE_FD_PTY_MASTER)
        return terminal_content(l);
    if (l->out->kind == IMAGE_FD_MEMFD ||
        (l->out->kind == IMAGE_FD_FILE && l->out->u.file.deleted))
        return unnamed_content(l);
    return 0;
}

void
look_begin(struct look *l)
{
    struct descriptor *m = l->memo;

    forget_one(m);
    m->dev = l->st.st_dev;
    m->ino = l->st.st_ino;
    m->type = l->st.st_mode & S_IFMT;
}

static int
look_at(struct look *l)
{
    struct descriptor *m = l->memo;
    int flags = fcntl(l->dup, F_GETFL), ret = 0;

    if (fstat(l->dup, &l->st) < 0 || flags < 0)
        return -errno;
    if (m->seen != l->d->round - 1 || m->seen == 0 || m->ino != l->st.st_ino ||
        m->dev != l->st.st_dev || m->type != (l->st.st_mode & S_IFMT))
        look_begin(l);
    m->seen = l->d->round;
    *l->out = m->image;
    l->out->fd = l->fd;
    l->out->inode = l->st.st_ino;
    l->out->flags = (uint32_t)flags & ~(uint32_t)O_CLOEXEC;
    l->full = l->full || m->looks < DESCRIPTORS_YOUNG ||
              (l->d->renamed && !S_ISSOCK(m->type) && m->type != 0) ||
              ((uint64_t)l->fd + l->d->round) % DESCRIPTORS_ROUND == 0;
    places_set(l->d, l->im->nfds, l->fd, l->out->inode, -1);
    ret = look_at_owner(l);
    if (ret == 0 && l->full)
        ret = look_fully(l);
    if (ret == 0)
        ret = look_at_open(l);
    l->d->places[l->im->nfds].kind = l->out->kind;
    m->image = *l->out;
    if (ret == 0 && l->out->kind == IMAGE_FD_TCP && l->out->dup_of < 0)
        l->im->tcps[l->im->ntcps++] = m->tcp;
    if (ret == 0 && l->out->kind == IMAGE_FD_UNIX && l->out->dup_of < 0)
        l->im->unixes[l->im->nunixes++] = *m->un;
    return ret;
}

static int
look_at_number(struct descriptors *d, int fd, const struct survey_row *row,
    struct image *im, struct parcels *parcels, struct refusals *why)
{
    struct look l = { .d = d,
        .im = im,
        .parcels = parcels,
        .why = why,
        .fd = fd,
        .dir_fd = d->dir_fd,
        .number = fd,
        .pid = d->pid };
    struct places_before before = { im->ntcps, im->nitems };
    struct mono start;
    int ret;

    if (fd >= DESCRIPTORS_MAX_NUMBER || im->nfds == IMAGE_MAX_FDS) {
        refuse(why, d->cell_pid, fd, "lower its limit of open files",
            "more than %d descriptors, or one above %d", IMAGE_MAX_FDS,
            DESCRIPTORS_MAX_NUMBER - 1);
        return -EOPNOTSUPP;
    }
    if (row && (look_by_survey(d, im, fd, row) || look_moved(d, im, fd, row, parcels)))
        return 0;
    l.row = row;
    l.full = row && d->before[fd].cloexec != row->cloexec;
    l.memo = &d->known[fd];
    if (d->before[fd].file != 0) /* it was there, but for a while not looked at */
        l.memo->seen = d->round - 1;
    d->top = fd < d->top ? d->top : fd + 1;
    l.out = &im->fds[im->nfds];
    start = mono_clock();
    l.dup = (int)syscall(SYS_pidfd_getfd, d->pidfd, fd, 0);
    if (l.dup < 0) { /* EBADF: closed by another that shares the table */
        places_drop(d, fd);
        return errno == EBADF ? 0 : -errno;
    }
    ret = look_at(&l);
    places_looked(&l, row, ret, before);
    fd_close(l.dup);
    if (S_ISSOCK(l.st.st_mode))
        d->sockets_us += (unsigned)mono_us_between(start, mono_clock());
    im->nfds++;
    return ret;
}

/* It is new each time: what is sent of it is sent each time. */
int
look_at_flight(struct descriptors *d, int i, struct image *im, struct parcels *parcels,
    struct refusals *why)
{
    struct look l = { .d = d,
        .im = im,
        .parcels = parcels,
        .why = why,
        .fd = IMAGE_IN_FLIGHT + i,
        .dup = d->flights[i],
        .dir_fd = d->own_fd,
        .number = d->flights[i],
        .pid = getpid() };
    int ret;

    if (im->nfds == IMAGE_MAX_FDS)
        return look_refuse(
            &l, "lower its limit of open files", "more descriptors than can be kept");
    l.memo = &d->known[l.fd];
    forget_one(l.memo);
    l.out = &im->fds[im->nfds];
    ret = look_at(&l);
    if (ret == 0)
        ret = flight_check(&l);
    im->nfds++;
    return ret;
}

static void
forget_flights(struct descriptors *d)
{
    for (unsigned i = 0; i < d->nflights; i++)
        forget_one(&d->known[IMAGE_IN_FLIGHT + i]);
    flights_end(d);
}

static int
read_numbers(struct descriptors *d, bool surveyed, struct image *im,
    struct parcels *parcels, struct refusals *why)
{
    int ret = 0;

    im->nfds = im->nitems = im->ntcps = im->nunixes = im->nwatches = im->ngroups = 0;
    im->nunaccepted = 0;
    for (int i = 0; i < d->nnumbers; i++) {
        const struct survey_row *row = surveyed ? look_row(d, i) : NULL;
        int one;

        places_next(d, im, i);
        one = look_at_number(d, d->numbers[i], row, im, parcels, why);
        if (one == -EOPNOTSUPP)
            ret = one; /* name them all */
        else if (one < 0)
            return one;
    }
    return ret;
}

static int
read_each(struct descriptors *d, int n, bool surveyed, struct image *im,
    struct parcels *parcels, struct refusals *why)
{
    uint32_t items;
    int ret;

    d->round++;
    d->sockets_us = d->full_looks = d->nwaiting = d->nends = 0;
    d->highest = n > 0 ? d->numbers[n - 1] : -1;
    if (d->highest >= d->top && d->highest < DESCRIPTORS_MAX_NUMBER)
        d->top = d->highest + 1;
    places_begin(d, im, n, surveyed);
    ret = read_numbers(d, surveyed, im, parcels, why);
    if (ret == 0)
        ret = flights_read(d, im, parcels, why);
    if (ret == 0)
        ret = ends_check(d, im, why);
    if (ret == 0)
        ret = unix_check(d, im, why);
    if (ret == 0)
        ret = locks_read(d, im, why);
    if (ret == 0)
        ret = ipc_read(&d->ipc, im, parcels, d->text.data, d->text.capacity, why);
    items = im->nitems;
    if (ret == 0)
        ret = items_check(d, im, why);
    places_end(d, im, ret == 0 && im->nitems == items);
    return ret;
}

/* The caller throws away what was read by then: it must not count as sent. */
int
descriptors_read(struct descriptors *d, struct image *im, struct parcels *parcels,
    struct refusals *why)
{
    bool surveyed;
    int n = descriptors_list(d, d->numbers, IMAGE_MAX_FDS + 1, &surveyed), ret;

    /* of too many the one too many is refused by its number */
    if (n < 0 && n != -E2BIG)
        ret = n;
    else
        ret = read_each(d, n < 0 ? IMAGE_MAX_FDS + 1 : n, surveyed, im, parcels, why);
    forget_flights(d);
    if (ret < 0)
        descriptors_forget(d);
    return ret;
}
