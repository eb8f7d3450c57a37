/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/ckpt/held.h"

#include <errno.h>

static bool
has_descriptor(const struct image *im, const struct image_vma *v)
{
    for (uint32_t i = 0; i < im->nfds; i++) {
        const struct image_fd *f = &im->fds[i];

        if (f->fd < IMAGE_IN_FLIGHT && f->dup_of < 0 && f->inode == v->inode &&
            (f->kind == IMAGE_FD_MEMFD ||
                (f->kind == IMAGE_FD_FILE && f->u.file.deleted)))
            return true;
    }
    return false;
}

static bool
overlaps(const struct image_vma *a, const struct image_vma *b)
{
    return a->inode == b->inode && a->dev_major == b->dev_major &&
           a->dev_minor == b->dev_minor &&
           a->offset < b->offset + (b->end - b->start) &&
           b->offset < a->offset + (a->end - a->start);
}

int
held_resolve(struct image *im, int cell_pid, struct refusals *why)
{
    int ret = 0;

    for (uint32_t i = 0; i < im->nvmas; i++) {
        struct image_vma *v = &im->vmas[i];
        bool twice = false;

        if (v->kind != IMAGE_VMA_HELD || has_descriptor(im, v))
            continue;
        for (uint32_t k = 0; k < im->nvmas && !twice; k++)
            twice = k != i && im->vmas[k].inode == v->inode &&
                    (im->vmas[k].kind == IMAGE_VMA_HELD || k < i) &&
                    overlaps(v, &im->vmas[k]);
        v->kind = IMAGE_VMA_SHARED_ANON;
        if (!twice)
            continue;
        refuse(why, cell_pid, -1, "keep its descriptor open in the service",
            "memory is mapped twice and has no descriptor: %.100s", v->path);
        ret = -EOPNOTSUPP;
    }
    return ret;
}
