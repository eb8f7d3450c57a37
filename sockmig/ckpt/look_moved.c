/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * look_moved.c - a connection that moved since the last checkpoint, and of which
 * nothing else can have changed: taken where the kernel has it, without a duplicate of
 * its descriptor.  A look at that is twenty system calls; this is one. */
#include "sockmig/ckpt/descriptors.h"

#include "lib/loop.h"

static bool
is_same_socket(const struct survey_row *a, const struct survey_row *b)
{
    return a->file == b->file && a->sock == b->sock && a->dev == b->dev &&
           a->ino == b->ino && a->mode == b->mode && a->nlink == b->nlink &&
           a->flags == b->flags && a->cloexec == b->cloexec;
}

static bool
may_have_moved(const struct descriptors *d, int fd, const struct survey_row *row)
{
    const struct descriptor_brief *b = &d->briefs[fd];

    return b->told && b->kind == IMAGE_FD_TCP && row->tcp.state &&
           row != &d->before[fd] && is_same_socket(&d->before[fd], row) &&
           !look_is_due(d, fd, true) &&
           !(d->strangers && places_find(d, row->ino, -1) >= 0);
}

bool
look_moved(struct descriptors *d, struct image *im, int fd,
    const struct survey_row *row, struct parcels *parcels)
{
    struct descriptor *m = &d->known[fd];
    struct mono start = mono_clock();

    if (!may_have_moved(d, fd, row) ||
        !tcp_dump_moved(row->sock, fd, &m->watch, &m->tcp, parcels))
        return false;
    im->tcps[im->ntcps++] = m->tcp;
    if (d->shifted)
        im->fds[im->nfds] = m->image;
    places_remember(d, fd, row);
    places_set(d, im->nfds, fd, row->ino, IMAGE_FD_TCP);
    places_chain(d, im->nfds++);
    d->sockets_us += (unsigned)mono_us_between(start, mono_clock());
    return true;
}
