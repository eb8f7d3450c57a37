/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * stubs_fifo.c - named pipes of a tree: all their ends together, whoever has them. */
#include "sockmig/ckpt/stubs_parts.h"

#include <errno.h>
#include <stdlib.h>

/* It is the open file of a process before, from which it is borrowed. */
static bool
is_borrowed(const struct stubs *s, unsigned process, int fd)
{
    for (size_t i = 0; i < s->nlinks; i++)
        if (s->links[i].process == process && s->links[i].fd == fd)
            return true;
    return false;
}

static uint32_t
list(const struct stubs *s, struct fifo_end *out)
{
    uint32_t n = 0;

    for (unsigned k = 0; k < s->n; k++)
        for (uint32_t i = 0; s->clones[k] && i < s->plans[k].im->nfds; i++) {
            const struct image_fd *f = &s->plans[k].im->fds[i];

            if (f->kind != IMAGE_FD_FIFO || f->dup_of >= 0 || is_borrowed(s, k, f->fd))
                continue;
            if (out)
                out[n] = (struct fifo_end){ f, s->plans[k].im, s->clones[k] };
            n++;
        }
    return n;
}

int
stubs_fifos(struct stubs *s)
{
    uint32_t n = list(s, NULL);
    struct fifo_end *ends = calloc(n + 1u, sizeof *ends);
    const char *what;
    int ret;

    if (!ends)
        return -ENOMEM;
    list(s, ends);
    ret = wake_fifo_ends(ends, n, s->why, &what);
    free(ends);
    return ret;
}
