/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * look_fifo.c - named pipes.
 *
 * The other end must be in the process, in one that is taken with it, in a child, or
 * nowhere.  Whether it is nowhere the kernel tells: poll() shows that writers, or
 * readers, have gone; and tee() from an empty pipe says whether there is a writer. */
#include "sockmig/ckpt/descriptors.h"

#include "lib/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define DELETED " (deleted)"

static bool
is_open_for(unsigned flags, unsigned way) /* O_RDONLY or O_WRONLY */
{
    return (flags & O_ACCMODE) == O_RDWR || (flags & O_ACCMODE) == way;
}

static short
state_of(const struct look *l)
{
    struct pollfd p = { .fd = l->dup };

    return poll(&p, 1, 0) > 0 ? p.revents & (POLLHUP | POLLERR) : 0;
}

/* Has @pid this pipe open for @wanted (S_IRUSR, S_IWUSR)?  The permissions of the link
 * are the descriptor's access mode. */
static bool
holds(const struct look *l, pid_t pid, mode_t wanted)
{
    char path[64];
    struct stat st, link;
    struct dirent *e;
    bool found = false;
    DIR *dir;

    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    dir = opendir(path);
    while (dir && !found && (e = readdir(dir)) != NULL)
        found = e->d_name[0] != '.' && fstatat(dirfd(dir), e->d_name, &st, 0) == 0 &&
                st.st_dev == l->st.st_dev && st.st_ino == l->st.st_ino &&
                fstatat(dirfd(dir), e->d_name, &link, AT_SYMLINK_NOFOLLOW) == 0 &&
                (link.st_mode & wanted);
    if (dir)
        closedir(dir);
    return found;
}

static bool
other_end_is_ours(const struct look *l, mode_t wanted)
{
    const struct trace *t = l->d->trace;
    bool found = holds(l, l->d->pid, wanted);

    for (unsigned i = 0; i < t->nchildren && !found; i++)
        found = holds(l, t->children[i].pid, wanted);
    for (unsigned i = 0; t->kin && i < t->kin->n && !found; i++)
        found = holds(l, t->kin->pids[i], wanted);
    return found;
}

static int
check_other_end(struct look *l)
{
    bool reads = (l->out->flags & O_ACCMODE) == O_RDONLY;

    if ((l->out->flags & O_ACCMODE) == O_RDWR || state_of(l) != 0 ||
        other_end_is_ours(l, reads ? S_IWUSR : S_IRUSR))
        return 0;
    if (reads && l->out->u.fifo.queued == 0 &&
        tee(l->dup, l->d->tee[1], 1, SPLICE_F_NONBLOCK) == 0)
        return 0; /* nobody has written to it yet */
    return ends_note(l, "end the other program's use of it",
        "named pipe whose other end is in another process");
}

static int
take_name(struct look *l)
{
    char name[24], path[IMAGE_PATH + sizeof DELETED];
    ssize_t n;
    size_t size;

    snprintf(name, sizeof name, "%d", l->number);
    n = readlinkat(l->dir_fd, name, path, sizeof path - 1);
    if (n < 0)
        return -errno;
    path[n] = '\0';
    size = strlen(path);
    if (l->st.st_nlink == 0 && size > strlen(DELETED))
        path[size - strlen(DELETED)] = '\0';
    if (strlen(path) >= IMAGE_PATH)
        return look_refuse(l, "move the file", "path is longer than 255 bytes");
    memset(l->out->u.fifo.path, 0, IMAGE_PATH);
    memcpy(l->out->u.fifo.path, path, strlen(path));
    return 0;
}

int
look_at_fifo(struct look *l)
{
    int queued = 0, capacity = fcntl(l->dup, F_GETPIPE_SZ), ret = 0;

    if (capacity < 0 || ioctl(l->dup, FIONREAD, &queued) < 0)
        return -errno;
    if (l->out->kind != IMAGE_FD_FIFO)
        memset(&l->out->u, 0, sizeof l->out->u);
    l->out->kind = IMAGE_FD_FIFO;
    if (l->out->flags & O_DIRECT)
        return look_refuse(
            l, "configure the service not to use it", "pipe in packet mode");
    l->out->u.fifo.capacity = (uint32_t)capacity;
    l->out->u.fifo.dev = l->st.st_dev;
    l->out->u.fifo.mode = l->st.st_mode & 07777;
    l->out->u.fifo.uid = l->st.st_uid;
    l->out->u.fifo.gid = l->st.st_gid;
    l->out->u.fifo.deleted = l->st.st_nlink == 0;
    l->out->u.fifo.hung = state_of(l) != 0;
    /* without a reader the bytes wait for the next one */
    l->out->u.fifo.queued = is_open_for(l->out->flags, O_RDONLY) || l->out->u.fifo.hung
                                ? (uint32_t)queued
                                : 0;
    if (l->full)
        ret = take_name(l);
    return ret == 0 && l->full ? check_other_end(l) : ret;
}

/* A reader of our own, where there is none. */
int
fifo_content(struct look *l)
{
    char path[40];
    int dup = l->dup, ret;

    if (is_open_for(l->out->flags, O_RDONLY) || l->out->u.fifo.queued == 0)
        return pipe_bytes(l, l->out->u.fifo.queued, l->out->u.fifo.capacity);
    snprintf(path, sizeof path, "/proc/self/fd/%d", dup);
    l->dup = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    ret = l->dup < 0 ? -errno
                     : pipe_bytes(l, l->out->u.fifo.queued, l->out->u.fifo.capacity);
    fd_close(l->dup);
    l->dup = dup;
    return ret;
}
