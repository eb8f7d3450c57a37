/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * look_flight.c - what waits in unix sockets, and descriptors in flight (SCM_RIGHTS).
 *
 * Those are descriptors of the image with numbers that no process can have.  They are
 * looked at last, through the duplicates that the peeks made, which are closed before
 * the process runs on: nothing that the service closes is kept open. */
#include "sockmig/ckpt/descriptors.h"

#include "lib/fd.h"
#include "sockmig/ckpt/orphans.h"
#include "sockmig/ckpt/peek.h"
#include "sockmig/filehash.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_MESSAGES 4096

/* Its descriptors get numbers; those that no more fit are closed. */
static int
take_descriptors(struct descriptors *d, struct peeked *m, struct image_message *head)
{
    if (m->nfds > IMAGE_MAX_IN_FLIGHT - d->nflights) {
        peek_close(m);
        return -E2BIG;
    }
    head->first = IMAGE_IN_FLIGHT + d->nflights;
    head->nfds = m->nfds;
    for (unsigned i = 0; i < m->nfds; i++)
        d->flights[d->nflights++] = m->fds[i];
    return 0;
}

/* All messages into the scratch text, as they are in a parcel; bytes, or -errno. */
static long
peek_all(struct look *l, const struct image_unix *u)
{
    uint8_t *text = (uint8_t *)l->d->text.data;
    size_t room = l->d->text.capacity - 1, done = 0;
    struct peeked m;
    struct peek p;
    int ret = peek_begin(&p, l->dup, (int)u->type, u->shutdown & 1) == 0;

    for (int i = 0; i < MAX_MESSAGES && ret > 0; i++) {
        struct image_message *head = (struct image_message *)(text + done);
        uint8_t *bytes = (uint8_t *)(head + 1);

        if (room - done < sizeof *head + PEEK_ROOM + 8) {
            ret = -ENOSPC;
            break;
        }
        ret = peek_next(&p, bytes, room - done - sizeof *head - 8, &m);
        if (ret <= 0)
            break;
        *head = (struct image_message){ .size = m.size, .name_len = m.name_len };
        memcpy(head->name, m.name, sizeof head->name);
        memset(bytes + m.size, 0, (8 - m.size % 8) % 8);
        done += sizeof *head + ((m.size + 7u) & ~7u);
        if (m.nfds > 0 && take_descriptors(l->d, &m, head) < 0)
            ret = -E2BIG;
    }
    peek_end(&p);
    return ret < 0 ? ret : (long)done;
}

int
unix_content(struct look *l, struct image_unix *u)
{
    long size = peek_all(l, u);
    uint64_t hash;
    uint8_t *to;

    if (size < 0)
        return look_refuse(l, "wait until the service has received them",
            size == -E2BIG    ? "unix sockets with more than 1024 descriptors in flight"
            : size == -ENOSPC ? "unix socket with more than 8 MB of unread messages"
                              : "unix socket with unusual control data in flight");
    hash = size > 0 ? filehash_bytes(l->d->text.data, (size_t)size) | 1 : 0;
    u->queued = (uint32_t)size;
    if (hash != l->memo->parcel_hash && size > 0) {
        to = parcels_add(l->parcels, l->fd, (uint32_t)size);
        if (!to)
            return -ENOSPC;
        memcpy(to, l->d->text.data, (size_t)size);
    }
    l->memo->parcel_hash = hash;
    return 0;
}

/* ---- the descriptors */

static bool
is_socket(int kind)
{
    return kind == IMAGE_FD_UNIX || kind == IMAGE_FD_UDP || kind == IMAGE_FD_RAW ||
           (kind >= IMAGE_FD_TCP_LISTEN && kind <= IMAGE_FD_TCP_FRESH) ||
           kind == IMAGE_FD_TCP_BOUND;
}

static bool
may_fly(int kind)
{
    return is_socket(kind) || kind == IMAGE_FD_FILE || kind == IMAGE_FD_MEMFD ||
           kind == IMAGE_FD_EVENTFD || kind == IMAGE_FD_TIMERFD ||
           kind == IMAGE_FD_SIGNALFD || kind == IMAGE_FD_PIPE_READ ||
           kind == IMAGE_FD_PIPE_WRITE || kind == IMAGE_FD_FIFO;
}

/* Has @pid the open file, too?  Sockets are known by their inodes. */
static bool
has_it(const struct look *l, pid_t pid)
{
    char path[64];
    struct dirent *e;
    struct stat st;
    bool found = false;
    DIR *dir;

    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    dir = opendir(path);
    while (dir && !found && (e = readdir(dir)) != NULL)
        found = e->d_name[0] != '.' && fstatat(dirfd(dir), e->d_name, &st, 0) == 0 &&
                st.st_ino == l->st.st_ino && st.st_dev == l->st.st_dev &&
                syscall(SYS_kcmp, l->pid, pid, KCMP_FILE, (unsigned long)l->number,
                    strtoul(e->d_name, NULL, 10)) == 0;
    if (dir)
        closedir(dir);
    return found;
}

int
flight_check(struct look *l)
{
    const struct trace_kin *kin = l->d->trace->kin;

    if (!may_fly(l->out->kind))
        return look_refuse(l, "wait until the service has received it",
            "descriptor in flight (SCM_RIGHTS) of a kind that is not kept there");
    if (l->out->flags & O_ASYNC)
        return look_refuse(l, "wait until the service has received it",
            "descriptor in flight that sends signals (O_ASYNC)");
    for (unsigned i = 0; kin && i < kin->n && !is_socket(l->out->kind); i++)
        if (kin->pids[i] != l->d->pid && l->out->dup_of < 0 && has_it(l, kin->pids[i]))
            return look_refuse(l, "wait until the service has received it",
                "descriptor in flight that another process has open, too");
    return 0;
}

/* The first process of a service stands for all; without kin it is the only one. */
static bool
owns_orphans(struct descriptors *d)
{
    const struct trace_kin *kin = d->trace->kin;
    char path[64];
    struct stat st;

    if (kin && (!kin->in_cell || kin->n == 0 || kin->pids[0] != d->pid))
        return false;
    snprintf(path, sizeof path, "/proc/%d/ns/net", (int)d->pid);
    if (d->netns == 0 && stat(path, &st) == 0)
        d->netns = (uint32_t)st.st_ino;
    return d->netns != 0;
}

int
flights_read(struct descriptors *d, struct image *im, struct parcels *parcels,
    struct refusals *why)
{
    int ret = 0, one;

    for (unsigned i = 0; i < d->nflights; i++) { /* there may come more */
        one = look_at_flight(d, (int)i, im, parcels, why);
        if (one == -EOPNOTSUPP)
            ret = one;
        else if (one < 0)
            return one;
    }
    if (ret == 0 && owns_orphans(d))
        orphans_read(d->netns, IMAGE_IN_FLIGHT + (int)d->nflights, im, parcels);
    return ret;
}

void
flights_end(struct descriptors *d)
{
    for (unsigned i = 0; i < d->nflights; i++)
        fd_close(d->flights[i]);
    d->nflights = 0;
}

/* ---- pipes whose other end was not found: it may be in flight */

int
ends_note(struct look *l, const char *cure, const char *what)
{
    if (l->d->nends == DESCRIPTORS_ENDS)
        return look_refuse(l, cure, what);
    l->d->ends[l->d->nends++] = (struct descriptors_end){ l->fd, cure, what };
    return 0;
}

static bool
is_other_end(const struct image_fd *f, const struct image_fd *g)
{
    unsigned way = f->flags & O_ACCMODE, other = g->flags & O_ACCMODE;

    return f->kind == IMAGE_FD_FIFO
               ? g->kind == f->kind && g->u.fifo.dev == f->u.fifo.dev && way != other
               : (g->kind == IMAGE_FD_PIPE_READ || g->kind == IMAGE_FD_PIPE_WRITE) &&
                     way != other;
}

int
ends_check(struct descriptors *d, const struct image *im, struct refusals *why)
{
    int ret = 0;

    for (unsigned i = 0; i < d->nends; i++) {
        const struct image_fd *f = image_fd_find(im, d->ends[i].fd);
        bool found = false;

        for (uint32_t k = 0; f && k < im->nfds && !found; k++)
            found = im->fds[k].inode == f->inode && is_other_end(f, &im->fds[k]);
        if (!f || found)
            continue;
        refuse(why, d->cell_pid, f->fd, d->ends[i].cure, "%s", d->ends[i].what);
        ret = -EOPNOTSUPP;
    }
    d->nends = 0;
    return ret;
}
