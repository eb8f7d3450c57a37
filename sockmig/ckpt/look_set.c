/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * look_set.c - what an epoll set watches: by the survey, or by its text in /proc, which
 * takes a microsecond an item.  Either way in the order of the descriptors: the
 * kernel's is that of addresses.
 *
 * Source: kernel fs/eventpoll.c. */
#include "sockmig/ckpt/descriptors.h"

#include "sockmig/ckpt/proctext.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* False: more than an image has room for. */
static bool
add(struct look *l, const struct descriptor_watched *w)
{
    struct image *im = l->im;

    if (im->nitems == IMAGE_MAX_ITEMS)
        return false;
    l->d->item_inodes[im->nitems] = w->inode;
    im->items[im->nitems++] = (struct image_epoll_item){
        .epfd = l->fd, .fd = w->fd, .events = w->events, .data = w->data
    };
    return true;
}

/* ---- by the survey */

/* Puts the number of each item where its descriptor finds it.  What is left there of
 * earlier times names another item, or none. */
static void
find_places(const struct descriptors *d, const struct survey_item *items, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (items[i].fd < DESCRIPTORS_MAX_NUMBER)
            d->item_of[items[i].fd] = i;
}

static const struct survey_item *
item_of(
    const struct descriptors *d, const struct survey_item *items, uint32_t n, int fd)
{
    uint32_t i = fd < DESCRIPTORS_MAX_NUMBER ? d->item_of[fd] : n;

    return i < n && items[i].fd == (uint32_t)fd ? &items[i] : NULL;
}

/* An item names its file, not the inode: that is known of those that are open under the
 * number that it was added by.  All others are left to the text. */
bool
look_surveyed_set(struct look *l)
{
    struct descriptors *d = l->d;
    const struct survey_row *row = l->row;
    const struct survey_item *items;
    uint32_t before = l->im->nitems, n;

    if (!row || !row->watched || row->nitems == SURVEY_NO_ITEMS)
        return false;
    n = row->nitems;
    items = d->survey.items + row->first_item;
    find_places(d, items, n);
    for (int i = 0; i < d->nnumbers && l->im->nitems < before + n; i++) {
        const struct survey_item *item = item_of(d, items, n, d->numbers[i]);
        const struct survey_row *of = item ? look_row(d, i) : NULL;

        if (!of)
            continue;
        if (of->file != item->file ||
            !add(l, &(struct descriptor_watched){ .inode = of->ino,
                        .data = item->data,
                        .events = item->events,
                        .fd = (int32_t)item->fd }))
            break;
    }
    if (l->im->nitems == before + n)
        return true;
    l->im->nitems = before;
    return false;
}

/* ---- by its text */

static bool
labelled(const char **at, const char *label, int base, uint64_t *out)
{
    const char *p = strstr(*at, label);

    if (!p)
        return false;
    p += strlen(label);
    p += strspn(p, " ");
    if (!number_at(&p, base, out))
        return false;
    *at = p;
    return true;
}

static int
by_number(const void *a, const void *b)
{
    const struct descriptor_watched *x = a, *y = b;

    return x->fd != y->fd ? (x->fd < y->fd ? -1 : 1)
                          : (x->inode > y->inode) - (x->inode < y->inode);
}

/* "tfd:  5 events: 19 data: 5  pos:0 ino:1e5 sdev:8" */
static int
read_text(struct look *l, uint32_t *n)
{
    const char *at = proctext_field(l->d->text.data, "tfd:");
    uint64_t fd, events, data, ino;

    for (*n = 0; at; at = proctext_field(at, "tfd:")) {
        if (!number_at(&at, 10, &fd) || !labelled(&at, "events:", 16, &events) ||
            !labelled(&at, "data:", 16, &data) || !labelled(&at, "ino:", 16, &ino))
            return -EPROTO;
        if (*n == IMAGE_MAX_ITEMS)
            return -E2BIG;
        l->d->watched[(*n)++] = (struct descriptor_watched){
            .inode = ino, .data = data, .events = (uint32_t)events, .fd = (int32_t)fd
        };
    }
    return 0;
}

int
look_at_set(struct look *l)
{
    uint32_t before = l->im->nitems, n;
    int ret = read_text(l, &n);

    if (ret == 0)
        qsort(l->d->watched, n, sizeof *l->d->watched, by_number);
    for (uint32_t i = 0; i < n && ret == 0; i++)
        ret = add(l, &l->d->watched[i]) ? 0 : -E2BIG;
    if (ret < 0)
        l->im->nitems = before;
    return ret != -E2BIG ? ret
                         : look_refuse(l, "lower its number of connections",
                               "epoll sets watch more than 16384 descriptors");
}
