/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * look_survey.c - descriptors that a survey tells to be what they were. */
#include "sockmig/ckpt/descriptors.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define SOCKET_ROUND                                                                   \
    (16 * DESCRIPTORS_ROUND) /* a row has what is read in full looks                   \
                              */

static bool
is_same(const struct survey_row *a, const struct survey_row *b)
{
    struct survey_row like = *a;

    like.map_seq = b->map_seq;
    return memcmp(&like, b, sizeof like) == 0;
}

/* The row has all of it that can change. */
static bool
is_told(const struct descriptors *d, const struct descriptor *m,
    const struct survey_row *row)
{
    if (m->image.flags & O_ASYNC) /* but not to whom it sends signals */
        return false;
    switch (m->image.kind) {
    case IMAGE_FD_TCP:
        return row->tcp != 0 && tcp_is_known(&m->watch, row->ino);
    case IMAGE_FD_TCP_LISTEN:
    case IMAGE_FD_TCP_BOUND:
    case IMAGE_FD_TCP_FRESH:
    case IMAGE_FD_TCP_DEAD:
        return row->tcp != 0;
    case IMAGE_FD_FILE:
        return row->nlink > 0 && !m->image.u.file.deleted && !d->renamed;
    default:
        return false;
    }
}

static bool
is_due(const struct descriptors *d, const struct survey_row *row, unsigned looks)
{
    unsigned round = row->tcp ? SOCKET_ROUND : DESCRIPTORS_ROUND;

    return looks < DESCRIPTORS_YOUNG || (row->fd + d->round) % round == 0;
}

/* No lower descriptor may be of the same file: it would be the first of them now. */
static bool
is_first(struct descriptors *d, const struct image *im, uint64_t inode)
{
    for (int32_t i = d->heads[inode % DESCRIPTORS_HASH]; i >= 0; i = d->next[i])
        if (im->fds[i].inode == inode)
            return false;
    return true;
}

bool
look_by_survey(struct descriptors *d, struct image *im, const struct survey_row *row)
{
    struct descriptor *m = &d->known[row->fd];
    int32_t *head = &d->heads[row->ino % DESCRIPTORS_HASH];

    if (m->seen == 0 || m->seen != d->round - 1 || m->image.dup_of >= 0 ||
        !is_same(&m->row, row) || is_due(d, row, m->looks) || !is_told(d, m, row) ||
        !is_first(d, im, row->ino))
        return false;
    m->seen = d->round;
    im->fds[im->nfds] = m->image;
    d->next[im->nfds] = *head;
    *head = (int32_t)im->nfds++;
    if (m->image.kind == IMAGE_FD_TCP)
        im->tcps[im->ntcps++] = m->tcp;
    return true;
}
