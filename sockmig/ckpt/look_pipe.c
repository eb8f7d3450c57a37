/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * look_pipe.c - pipes, with what is in them.
 *
 * The other end may be in the process itself, in a child that it forked (which is given
 * up at a takeover: the pipe then has no other end) or nowhere. */
#include "sockmig/ckpt/descriptors.h"

#include "sockmig/filehash.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static bool
holds(pid_t pid, uint64_t inode)
{
    char path[64], want[48], link[48];
    struct dirent *e;
    bool found = false;
    DIR *dir;

    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    snprintf(want, sizeof want, "pipe:[%llu]", (unsigned long long)inode);
    dir = opendir(path);
    while (dir && !found && (e = readdir(dir)) != NULL) {
        ssize_t n = readlinkat(dirfd(dir), e->d_name, link, sizeof link - 1);

        if (n < 0)
            continue;
        link[n] = '\0';
        found = !strcmp(link, want);
    }
    if (dir)
        closedir(dir);
    return found;
}

/* The other end: hung up, among the descriptors listed so far or later, or in a
 * child. */
static bool
other_end_is_known(struct look *l)
{
    struct pollfd pfd = { .fd = l->dup };
    char link[48], want[48], name[24];
    bool write_end = l->out->kind == IMAGE_FD_PIPE_WRITE;

    if (poll(&pfd, 1, 0) > 0 && (pfd.revents & (POLLHUP | POLLERR)))
        return true;
    snprintf(want, sizeof want, "pipe:[%llu]", (unsigned long long)l->out->inode);
    for (int fd = 0; fd < DESCRIPTORS_MAX_NUMBER && fd < l->d->highest + 1; fd++) {
        struct stat st;
        ssize_t n;

        snprintf(name, sizeof name, "%d", fd);
        n = fd == l->fd ? -1 : readlinkat(l->d->dir_fd, name, link, sizeof link - 1);
        if (n < 0)
            continue;
        link[n] = '\0';
        if (strcmp(link, want) != 0 ||
            fstatat(l->d->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        /* the link's permissions are the descriptor's access mode */
        if (write_end ? (st.st_mode & S_IRUSR) : (st.st_mode & S_IWUSR))
            return true;
    }
    for (unsigned i = 0; i < l->d->trace->nchildren; i++)
        if (holds(l->d->trace->children[i].pid, l->out->inode))
            return true;
    for (unsigned i = 0; l->d->trace->kin && i < l->d->trace->kin->n; i++)
        if (holds(l->d->trace->kin->pids[i], l->out->inode))
            return true;
    return false;
}

int
look_at_pipe(struct look *l)
{
    unsigned mode = l->out->flags & O_ACCMODE;
    int queued = 0, capacity;

    l->out->kind = mode == O_RDONLY ? IMAGE_FD_PIPE_READ : IMAGE_FD_PIPE_WRITE;
    if (mode == O_RDWR)
        return look_refuse(
            l, "configure the service not to use it", "pipe opened for both ways");
    if (l->out->flags & O_DIRECT)
        return look_refuse(
            l, "configure the service not to use it", "pipe in packet mode");
    capacity = fcntl(l->dup, F_GETPIPE_SZ);
    if (capacity < 0 || ioctl(l->dup, FIONREAD, &queued) < 0)
        return -errno;
    l->out->u.pipe.capacity = (uint32_t)capacity;
    /* a reader elsewhere is a child: what is unread is lost with it */
    l->out->u.pipe.queued = mode == O_RDONLY ? (uint32_t)queued : 0;
    if (l->full && !other_end_is_known(l))
        return ends_note(l, "start the service without pipes to other programs",
            "pipe whose other end is in another process");
    return 0;
}

static int
drain(int fd, uint8_t *to, size_t size)
{
    while (size > 0) {
        ssize_t n = read(fd, to, size);

        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        to += n;
        size -= (size_t)n;
    }
    return 0;
}

int
pipe_content(struct look *l)
{
    return pipe_bytes(l, l->out->u.pipe.queued, l->out->u.pipe.capacity);
}

int
pipe_bytes(struct look *l, uint32_t size, uint32_t capacity)
{
    uint64_t hash;
    uint8_t *to;
    int ret;

    if (size == 0) {
        l->memo->parcel_hash = 0;
        return 0;
    }
    if (fcntl(l->d->tee[0], F_GETPIPE_SZ) < (int)capacity &&
        fcntl(l->d->tee[0], F_SETPIPE_SZ, (int)capacity) < 0)
        return -errno;
    if (tee(l->dup, l->d->tee[1], size, SPLICE_F_NONBLOCK) != (ssize_t)size)
        return -EAGAIN;
    to = parcels_add(l->parcels, l->fd, size);
    ret = to ? drain(l->d->tee[0], to, size) : -ENOSPC;
    if (ret < 0) {
        uint8_t rest[4096];

        while (read(l->d->tee[0], rest, sizeof rest) > 0)
            ;
        return ret;
    }
    hash = filehash_bytes(to, size) | 1;
    if (hash == l->memo->parcel_hash)
        parcels_undo(l->parcels);
    l->memo->parcel_hash = hash;
    return 0;
}
