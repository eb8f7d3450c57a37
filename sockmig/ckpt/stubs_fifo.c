/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * stubs_fifo.c - named pipes of a tree: all their ends together, whoever has them. */
#include "sockmig/ckpt/stubs_parts.h"

#include <errno.h>
#include <stdlib.h>

static uint32_t
list(const struct stubs *s, struct fifo_end *out)
{
    uint32_t n = 0;

    for (unsigned k = 0; k < s->n; k++) {
        const struct image *im = stub_image(s, k);

        for (uint32_t i = 0; s->clones[k] && i < im->nfds; i++) {
            const struct image_fd *f = &im->fds[i];

            /* another's open file is borrowed from it */
            if (f->kind != IMAGE_FD_FIFO || f->dup_of >= 0 ||
                !family_owner(s->family, k, f->fd))
                continue;
            if (out)
                out[n] = (struct fifo_end){ f, im, s->clones[k] };
            n++;
        }
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
