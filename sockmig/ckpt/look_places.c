/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * look_places.c - where each descriptor is in the image, by number and by inode; and
 * which of them are there already: a read that finds nothing changed writes nothing. */
#include "sockmig/ckpt/descriptors.h"

#include <fcntl.h>
#include <string.h>

/* ---- what may stay where the last read wrote it */

void
places_drop(struct descriptors *d, int fd)
{
    d->before[fd].file = 0;
    d->rests[fd].file = 0;
    d->briefs[fd] = (struct descriptor_brief){ 0 };
}

/* What was closed since the last read: another file may get its number. */
static void
forget_closed(struct descriptors *d)
{
    int k = 0;

    for (int i = 0; i < d->nlast; i++) {
        int fd = d->last_numbers[i];

        while (k < d->nnumbers && d->numbers[k] < fd)
            k++;
        if ((k < d->nnumbers && d->numbers[k] == fd) || fd >= DESCRIPTORS_MAX_NUMBER)
            continue;
        places_drop(d, fd);
    }
}

void
places_begin(struct descriptors *d, const struct image *im, int n, bool surveyed)
{
    d->nnumbers = n;
    forget_closed(d);
    d->shifted = !surveyed || im != d->into || im->nfds != d->nfds ||
                 im->ntcps != d->ntcps || im->nitems != d->nitems;
    d->strangers = !d->into; /* which is the first of its file is not known */
    d->into = NULL;
    memset(d->heads, 0xff, sizeof d->heads);
}

void
places_end(struct descriptors *d, const struct image *im, bool good)
{
    int *last = d->last_numbers;

    d->last_numbers = d->numbers;
    d->nlast = d->nnumbers;
    d->numbers = last;
    d->into = good ? im : NULL;
    d->nfds = im->nfds;
    d->ntcps = im->ntcps;
    d->nitems = im->nitems;
}

void
places_forget(struct descriptors *d)
{
    memset(d->briefs, 0, (size_t)d->top * sizeof *d->briefs);
    memset(d->rests, 0, (size_t)d->top * sizeof *d->rests);
    d->locks_hash = DESCRIPTORS_LOCKS_UNREAD;
    d->into = NULL;
}

void
places_next(struct descriptors *d, const struct image *im, int i)
{
    if (i >= d->nlast || d->last_numbers[i] != d->numbers[i] || im->nfds != (uint32_t)i)
        d->shifted = true;
}

/* The row has all of it that can change. */
static bool
is_told(const struct descriptor *m, const struct survey_row *row)
{
    bool young = m->looks < DESCRIPTORS_YOUNG;

    if (m->image.dup_of >= 0 ||
        (m->image.flags & O_ASYNC)) /* but not to whom it sends signals */
        return false;
    switch (m->image.kind) {
    case IMAGE_FD_TCP:
        return row->tcp.state != 0 && tcp_is_known(&m->watch, row->ino);
    case IMAGE_FD_EPOLL:
        return row->watched != 0 && m->items;
    case IMAGE_FD_TCP_LISTEN: /* others may wait, and not be more */
        return !young && row->tcp.state != 0 && row->waiting == 0;
    case IMAGE_FD_TCP_BOUND:
    case IMAGE_FD_TCP_FRESH:
        return !young && row->tcp.state != 0;
    case IMAGE_FD_TCP_DEAD: /* being told of an error moves no counter */
        return !young && row->tcp.state != 0 && m->image.u.dead.error == 0;
    case IMAGE_FD_FILE:
        return !young && row->nlink > 0 && !m->image.u.file.deleted;
    default:
        return false;
    }
}

/* A young connection is remembered as if it had moved since: it may be between accept()
 * and setsockopt(), so it is asked for its options a few times more. */
void
places_remember(struct descriptors *d, int fd, const struct survey_row *row)
{
    const struct descriptor *m = &d->known[fd];
    bool young = m->image.kind == IMAGE_FD_TCP && m->watch.looks <= TCP_YOUNG;
    bool rests = d->briefs[fd].told && !young;

    d->before[fd] = *row;
    d->rests[fd] = rests ? survey_rest(row) : (struct survey_rest){ 0 };
    if (young)
        d->before[fd].tcp.state = 0;
}

void
places_looked(
    struct look *l, const struct survey_row *row, int ret, struct places_before before)
{
    struct descriptors *d = l->d;
    struct descriptor_brief *b = &d->briefs[l->fd];
    uint32_t tcps = l->im->ntcps - before.tcps, items = l->im->nitems - before.items;
    bool good = row && ret == 0;

    if (good && row->watched && l->out->dup_of < 0)
        look_keep_items(d, l->memo, l->im, before.items);
    d->strangers |= !good || d->before[l->fd].file != row->file;
    d->shifted |= tcps != b->tcps || items != b->items;
    *b = (struct descriptor_brief){ .told = good && is_told(l->memo, row),
        .kind = (uint8_t)l->out->kind,
        .tcps = (uint8_t)tcps,
        .items = items };
    places_remember(d, l->fd, good ? row : &(struct survey_row){ 0 });
}

/* ---- finding */

void
places_set(struct descriptors *d, uint32_t index, int fd, uint64_t inode, int kind)
{
    struct descriptor_place *p = &d->places[index];

    p->inode = inode;
    p->fd = fd;
    p->kind = kind;
    d->index[fd] = (int32_t)index;
}

void
places_chain(struct descriptors *d, uint32_t index)
{
    int32_t *head = &d->heads[d->places[index].inode % DESCRIPTORS_HASH];

    d->places[index].next = *head;
    *head = (int32_t)index;
}

bool
places_has(const struct descriptors *d, const struct image *im, int fd, uint64_t inode)
{
    uint32_t i;

    if (fd < 0 || fd >= DESCRIPTORS_MAX_NUMBER)
        return false;
    i = (uint32_t)d->index[fd]; /* of this read, or left by one before */
    return i < im->nfds && d->places[i].fd == fd && d->places[i].inode == inode;
}

int32_t
places_find(const struct descriptors *d, uint64_t inode, int kind)
{
    for (int32_t i = d->heads[inode % DESCRIPTORS_HASH]; i >= 0; i = d->places[i].next)
        if (d->places[i].inode == inode && (kind < 0 || d->places[i].kind == kind))
            return i;
    return -1;
}
