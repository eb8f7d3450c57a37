/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * wake_owner.c - who gets the signals of descriptors (O_ASYNC).  Last: what was put
 * into queues before would send them, too. */
#include "sockmig/ckpt/clone_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>

/* Of the cell: as the engine sees it. */
static pid_t
seen(const struct clone *c, int32_t in_cell)
{
    for (unsigned i = 0; i < c->nthreads; i++)
        if (c->threads[i].in_cell == in_cell)
            return c->threads[i].tid;
    return in_cell; /* not in a cell of its own: the engine's ids are the same */
}

int
wake_owners(struct wake *w)
{
    for (uint32_t i = 0; i < w->im->nfds; i++) {
        const struct image_fd *f = &w->im->fds[i];
        struct f_owner_ex owner = { .type = (enum __pid_type)f->owner_type,
            .pid = seen(w->c, f->owner) };
        int fd = w->c->opened[i];

        if (!(f->flags & O_ASYNC) || f->dup_of >= 0 || fd < 0)
            continue;
        if ((f->owner_signal && fcntl(fd, F_SETSIG, f->owner_signal) < 0) ||
            (f->owner && fcntl(fd, F_SETOWN_EX, &owner) < 0))
            return -errno;
        batch_add(&w->c->batch, "O_ASYNC", SYS_fcntl, (uint64_t)f->fd, F_SETFL,
            f->flags & (O_APPEND | O_NONBLOCK | O_ASYNC | O_DIRECT | O_NOATIME), 0, 0,
            0);
    }
    return 0;
}
