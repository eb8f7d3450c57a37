/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * stubs_unix.c - unix sockets of a tree: made together, by the root's stub, because
 * both ends of a connection must be there, whoever has them. */
#include "sockmig/ckpt/stubs_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool
is_listed(const struct unix_end *ends, uint32_t n, uint64_t inode)
{
    for (uint32_t i = 0; i < n; i++)
        if (ends[i].f->inode == inode)
            return true;
    return false;
}

/* Those of process @k that no process before has; how many there are then. */
static uint32_t
list(const struct stubs *s, unsigned k, struct unix_end *ends, uint32_t n)
{
    const struct image *im = stub_image(s, k);

    for (uint32_t i = 0; i < im->nunixes; i++) {
        const struct image_fd *f = image_fd_find(im, im->unixes[i].fd);

        if (!is_listed(ends, n, f->inode))
            ends[n++] = (struct unix_end){ &im->unixes[i], f, im, s->clones[k] };
    }
    return n;
}

static int
tell(struct stubs *s, int ret, const char *what)
{
    if (ret < 0)
        refuse(s->why, s->family->members[0].pid, -1, "see what this host lacks for it",
            "what processes share (%s): %s", what ? what : "", strerror(-ret));
    return ret;
}

int
stubs_unix(struct stubs *s)
{
    const char *what = "";
    uint32_t most = 0, n = 0;

    for (unsigned k = 0; k < s->n; k++)
        most += s->clones[k] ? stub_image(s, k)->nunixes : 0;
    free(s->unixes);
    s->unixes = calloc(most + 1u, sizeof *s->unixes);
    if (!s->unixes)
        return -ENOMEM;
    for (unsigned k = 0; k < s->n; k++)
        if (s->clones[k])
            n = list(s, k, s->unixes, n);
    return tell(s, wake_unix_ends(&s->wakes[0], s->unixes, n, &what), what);
}

int
stubs_flights(struct stubs *s)
{
    const char *what = "";
    int ret = tell(s, wake_flights(&s->wakes[0], &what), what);

    if (ret == 0)
        ret = tell(s, wake_ipc_settle(&s->wakes[0], &what), what);
    free(s->unixes);
    s->unixes = NULL;
    return ret;
}
