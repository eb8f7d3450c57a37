/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * look_locks.c - locks on files: flock(), POSIX record locks, open file description
 * locks.
 *
 * Which descriptor has one is in /proc/PID/fdinfo, too dear for each checkpoint.  A
 * survey tells when locks on what is open have changed.  Without one, the list of all
 * locks of the host is read, and while neither it nor the open files change, nor do
 * ours; that waits for all processors, several milliseconds unless it was read shortly
 * before.  Source: fs/locks.c (locks_start()), fs/proc/fd.c. */
#include "sockmig/ckpt/descriptors.h"

#include "sockmig/filehash.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static bool
is_file(const struct image_fd *f)
{
    return f->kind == IMAGE_FD_FILE && f->dup_of < 0 && !(f->flags & O_PATH) &&
           f->fd < IMAGE_IN_FLIGHT;
}

static uint64_t
files_hash(const struct descriptors *d, const struct image *im)
{
    uint64_t hash = 0;

    for (uint32_t i = 0; i < im->nfds; i++)
        if (d->places[i].kind == IMAGE_FD_FILE && is_file(&im->fds[i])) {
            const uint64_t one[3] = { hash, im->fds[i].inode, (uint64_t)im->fds[i].fd };

            hash = filehash_bytes(one, sizeof one);
        }
    return hash;
}

/* A POSIX lock is shown for every descriptor of its file, also for those that could not
 * have taken it. */
static bool
could_take(const struct image_fd *f, const struct image_lock *lock)
{
    unsigned mode = f->flags & O_ACCMODE;

    return lock->kind == IMAGE_LOCK_FLOCK || mode == O_RDWR ||
           mode == (lock->exclusive ? O_WRONLY : O_RDONLY);
}

/* "1: POSIX  ADVISORY  WRITE 595 08:02:1234 0 EOF" */
static bool
parse(const char *text, struct image_lock *to)
{
    char kind[16], type[16], end[24];
    long long start;

    *to = (struct image_lock){ 0 };
    if (sscanf(text, "%*d: %15s %*s %15s %*s %*s %lld %23s", kind, type, &start, end) !=
        4)
        return false;
    if (strcmp(kind, "FLOCK") == 0)
        to->kind = IMAGE_LOCK_FLOCK;
    else if (strcmp(kind, "POSIX") == 0)
        to->kind = IMAGE_LOCK_POSIX;
    else if (strcmp(kind, "OFDLCK") == 0)
        to->kind = IMAGE_LOCK_OFD;
    else
        return false;
    to->exclusive = strcmp(type, "WRITE") == 0;
    to->start = start;
    to->end = -1;
    return strcmp(end, "EOF") == 0 || sscanf(end, "%lld", (long long *)&to->end) == 1;
}

static int
gather_one(struct descriptors *d, const struct image_fd *f, struct refusals *why)
{
    int ret = proctext_read(&d->text, "/proc/%d/fdinfo/%d", (int)d->pid, f->fd);
    const char *at = d->text.data;

    if (ret < 0)
        return ret == -ENOENT ? -ESRCH : ret;
    for (at = proctext_field(at, "lock:"); at; at = proctext_field(at, "lock:")) {
        struct image_lock lock;

        if (!parse(at, &lock) || d->nlocks == IMAGE_MAX_LOCKS) {
            refuse(why, d->cell_pid, f->fd, "disable this kind of lock in the service",
                "file has a lease or more than %d locks: %.80s", IMAGE_MAX_LOCKS,
                f->u.file.path);
            return -EOPNOTSUPP;
        }
        lock.fd = f->fd;
        if (could_take(f, &lock))
            d->locks[d->nlocks++] = lock;
    }
    return 0;
}

/* 0: there are none; else the same while none changes. */
static int
locks_hash(struct descriptors *d, uint64_t *hash)
{
    int ret;

    *hash = d->row_locks;
    if (d->locks_told)
        return 0;
    ret = proctext_read(&d->text, "/proc/locks");
    if (ret < 0)
        return ret;
    *hash = d->text.size > 0 ? filehash_bytes(d->text.data, d->text.size) | 1 : 0;
    return 0;
}

int
locks_read(struct descriptors *d, struct image *im, struct refusals *why)
{
    uint64_t hash, files = files_hash(d, im);
    int ret = locks_hash(d, &hash);

    if (ret < 0)
        return ret;
    if (hash != d->locks_hash || files != d->files_hash) {
        d->nlocks = 0;
        for (uint32_t i = 0; hash != 0 && i < im->nfds && ret == 0; i++)
            if (is_file(&im->fds[i]))
                ret = gather_one(d, &im->fds[i], why);
        d->locks_hash = ret == 0 ? hash : DESCRIPTORS_LOCKS_UNREAD;
        d->files_hash = files;
    }
    memcpy(im->locks, d->locks, d->nlocks * sizeof *im->locks);
    im->nlocks = d->nlocks;
    return ret;
}
