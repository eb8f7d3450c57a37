/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * look_items.c - what epoll sets watch: kept from one checkpoint to the next, and
 * checked against the descriptors that are open. */
#include "sockmig/ckpt/descriptors.h"

#include <errno.h>
#include <sys/mman.h>

static size_t
items_size(uint32_t max)
{
    return sizeof(struct descriptor_items) +
           max * sizeof(((struct descriptor_items *)NULL)->v[0]);
}

void
look_drop_items(struct descriptor *m)
{
    if (m->items)
        munmap(m->items, items_size(m->items->max));
    m->items = NULL;
}

/* Room for @n items and some that may come. */
static bool
make_room(struct descriptor *m, uint32_t n)
{
    uint32_t max = n + n / 2 + 128;
    void *p;

    if (m->items && n <= m->items->max)
        return true;
    look_drop_items(m);
    p = mmap(NULL, items_size(max), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
        -1, 0);
    if (p == MAP_FAILED)
        return false;
    m->items = p;
    m->items->max = max;
    return true;
}

void
look_keep_items(const struct descriptors *d, struct descriptor *m,
    const struct image *im, uint32_t first)
{
    uint32_t n = im->nitems - first;

    if (!make_room(m, n))
        return;
    m->items->n = n;
    for (uint32_t i = 0; i < n; i++) {
        m->items->v[i].item = im->items[first + i];
        m->items->v[i].inode = d->item_inodes[first + i];
    }
}

bool
look_add_items(
    struct descriptors *d, const struct descriptor_items *items, struct image *im)
{
    if (items->n > IMAGE_MAX_ITEMS - im->nitems)
        return false;
    for (uint32_t i = 0; i < items->n; i++) {
        d->item_inodes[im->nitems] = items->v[i].inode;
        im->items[im->nitems++] = items->v[i].item;
    }
    return true;
}

/* Items whose descriptor is closed: only another process keeps the file open, and the
 * kernel takes the item away with its last close.  An item that another descriptor of
 * this process keeps alive cannot be made again. */
int
items_check(struct descriptors *d, struct image *im, struct refusals *why)
{
    uint32_t kept = 0;
    int ret = 0;

    for (uint32_t i = 0; i < im->nitems; i++) {
        const struct image_epoll_item *item = &im->items[i];
        uint64_t inode = d->item_inodes[i];

        if (places_has(d, im, item->fd, inode)) {
            d->item_inodes[kept] = inode;
            im->items[kept++] = *item;
            continue;
        }
        if (places_find(d, inode, -1) < 0)
            continue;
        refuse(why, d->cell_pid, item->epfd,
            "report this to the service's maker: it closed a descriptor that it still "
            "watches",
            "epoll set watches closed descriptor %d", item->fd);
        ret = -EOPNOTSUPP;
    }
    im->nitems = kept;
    return ret;
}
