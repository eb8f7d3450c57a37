/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * wake_owner.c - who gets the signals of descriptors (O_ASYNC).  Last: what was put
 * into queues before would send them, too. */
#include "sockmig/ckpt/clone_parts.h"

#include <fcntl.h>
#include <sys/syscall.h>

/* By the stub, which tells ids as the image does. */
int
wake_owners(struct wake *w)
{
    struct batch *b = &w->c->batch;

    for (uint32_t i = 0; i < w->im->nfds; i++) {
        const struct image_fd *f = &w->im->fds[i];
        struct f_owner_ex owner = { .type = (enum __pid_type)f->owner_type,
            .pid = f->owner };

        if (!(f->flags & O_ASYNC) || f->dup_of >= 0 || w->c->opened[i] < 0)
            continue;
        if (f->owner_signal)
            batch_add(b, "F_SETSIG", SYS_fcntl, (uint64_t)f->fd, F_SETSIG,
                (uint64_t)f->owner_signal, 0, 0, 0);
        if (f->owner)
            batch_add(b, "F_SETOWN_EX", SYS_fcntl, (uint64_t)f->fd, F_SETOWN_EX,
                batch_put(b, &owner, sizeof owner), 0, 0, 0);
        batch_add(b, "O_ASYNC", SYS_fcntl, (uint64_t)f->fd, F_SETFL,
            f->flags & (O_APPEND | O_NONBLOCK | O_ASYNC | O_DIRECT | O_NOATIME), 0, 0,
            0);
    }
    return 0;
}
