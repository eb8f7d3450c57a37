/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/ckpt/links.h"

#include <errno.h>
#include <linux/kcmp.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

struct open_file {
    uint64_t inode;
    int32_t kind, fd;
    uint32_t flags, process;
    pid_t pid;
    long leader; /* index of the first with the same open file; -1: itself */
};

static int
by_identity(const void *a, const void *b)
{
    const struct open_file *p = a, *q = b;

    if (p->inode != q->inode)
        return p->inode < q->inode ? -1 : 1;
    if (p->kind != q->kind)
        return p->kind < q->kind ? -1 : 1;
    if (p->flags != q->flags)
        return p->flags < q->flags ? -1 : 1;
    return p->process < q->process ? -1 : p->process > q->process;
}

static size_t
list(const struct tree *t, struct open_file *out)
{
    size_t n = 0;

    for (uint32_t k = 0; k < t->n; k++)
        for (uint32_t i = 0; t->members[k].target && i < t->members[k].image->nfds;
             i++) {
            const struct image_fd *f = &t->members[k].image->fds[i];

            if (f->dup_of >= 0)
                continue;
            if (out)
                out[n] = (struct open_file){ f->inode, f->kind, f->fd, f->flags, k,
                    t->pids[k], -1 };
            n++;
        }
    return n;
}

/* Nobody has a number for what is in flight: of sockets the inode tells. */
static bool
is_socket(int kind)
{
    return kind == IMAGE_FD_UNIX || kind == IMAGE_FD_UDP || kind == IMAGE_FD_RAW ||
           kind == IMAGE_FD_TCP_BOUND ||
           (kind >= IMAGE_FD_TCP_LISTEN && kind <= IMAGE_FD_TCP_FRESH);
}

static bool
is_same(const struct open_file *a, const struct open_file *b)
{
    if (a->fd >= IMAGE_IN_FLIGHT || b->fd >= IMAGE_IN_FLIGHT)
        return a->process != b->process && is_socket(a->kind);
    return a->process != b->process &&
           syscall(SYS_kcmp, a->pid, b->pid, KCMP_FILE, (unsigned long)a->fd,
               (unsigned long)b->fd) == 0;
}

/* The first of all[from..i) that is the same open file as all[i]. */
static long
leader_of(const struct open_file *all, size_t from, size_t i)
{
    for (size_t k = from; k < i; k++)
        if (all[k].leader < 0 && is_same(&all[k], &all[i]))
            return (long)k;
    return -1;
}

long
links_find(const struct tree *t, struct family_link **out)
{
    size_t n = list(t, NULL), from = 0;
    struct open_file *all = calloc(n + 1, sizeof *all);
    long found = 0;

    *out = calloc(n + 1, sizeof **out);
    if (!all || !*out) {
        free(all);
        return -ENOMEM;
    }
    list(t, all);
    qsort(all, n, sizeof *all, by_identity);
    for (size_t i = 0; i < n; i++) {
        if (all[i].inode != all[from].inode || all[i].kind != all[from].kind ||
            all[i].flags != all[from].flags)
            from = i;
        all[i].leader = leader_of(all, from, i);
        if (all[i].leader >= 0)
            (*out)[found++] = (struct family_link){ all[i].process,
                all[all[i].leader].process, all[i].fd, all[all[i].leader].fd };
    }
    free(all);
    return found;
}
