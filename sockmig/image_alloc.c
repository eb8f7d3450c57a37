/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/image_alloc.h"

#include "sockmig/reserve.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int
image_alloc(struct image *im)
{
    memset(im, 0, sizeof *im);
    im->threads = reserve(IMAGE_MAX_THREADS * sizeof *im->threads);
    im->vmas = reserve(IMAGE_MAX_VMAS * sizeof *im->vmas);
    im->fds = reserve(IMAGE_MAX_FDS * sizeof *im->fds);
    im->items = reserve(IMAGE_MAX_ITEMS * sizeof *im->items);
    im->tcps = reserve(IMAGE_MAX_FDS * sizeof *im->tcps);
    im->unixes = reserve(IMAGE_MAX_UNIX * sizeof *im->unixes);
    im->watches = reserve(IMAGE_MAX_WATCHES * sizeof *im->watches);
    im->semaphores = reserve(IMAGE_MAX_SEMAPHORES * sizeof *im->semaphores);
    im->unaccepted = reserve(IMAGE_MAX_UNACCEPTED * sizeof *im->unaccepted);
    im->code = reserve(IMAGE_MAX_CODE * sizeof *im->code);
    if (im->threads && im->vmas && im->fds && im->items && im->tcps && im->unixes &&
        im->watches && im->code && im->semaphores && im->unaccepted)
        return 0;
    image_release(im);
    return -ENOMEM;
}

void
image_release(struct image *im)
{
    reserve_end(im->threads, IMAGE_MAX_THREADS * sizeof *im->threads);
    reserve_end(im->vmas, IMAGE_MAX_VMAS * sizeof *im->vmas);
    reserve_end(im->fds, IMAGE_MAX_FDS * sizeof *im->fds);
    reserve_end(im->items, IMAGE_MAX_ITEMS * sizeof *im->items);
    reserve_end(im->tcps, IMAGE_MAX_FDS * sizeof *im->tcps);
    reserve_end(im->watches, IMAGE_MAX_WATCHES * sizeof *im->watches);
    reserve_end(im->unixes, IMAGE_MAX_UNIX * sizeof *im->unixes);
    reserve_end(im->semaphores, IMAGE_MAX_SEMAPHORES * sizeof *im->semaphores);
    reserve_end(im->unaccepted, IMAGE_MAX_UNACCEPTED * sizeof *im->unaccepted);
    reserve_end(im->code, IMAGE_MAX_CODE * sizeof *im->code);
    memset(im, 0, sizeof *im);
}

struct image *
image_new(void)
{
    struct image *im = calloc(1, sizeof *im);

    if (im && image_alloc(im) == 0)
        return im;
    free(im);
    return NULL;
}

void
image_free(struct image *im)
{
    if (im)
        image_release(im);
    free(im);
}

int
family_alloc(struct family *f, uint32_t n)
{
    if (!f->members)
        f->members = reserve(FAMILY_MAX * sizeof *f->members);
    if (!f->images)
        f->images = calloc(FAMILY_MAX, sizeof(struct image *));
    if (!f->links)
        f->links = reserve(FAMILY_MAX_LINKS * sizeof *f->links);
    if (!f->members || !f->images || !f->links || n > FAMILY_MAX)
        return -ENOMEM;
    for (uint32_t i = 0; i < n; i++)
        if (!f->images[i] && !(f->images[i] = image_new()))
            return -ENOMEM;
    return 0;
}

void
family_release(struct family *f)
{
    for (uint32_t i = 0; f->images && i < FAMILY_MAX && f->images[i]; i++)
        image_free(f->images[i]);
    reserve_end(f->members, FAMILY_MAX * sizeof *f->members);
    free(f->images);
    reserve_end(f->links, FAMILY_MAX_LINKS * sizeof *f->links);
    memset(f, 0, sizeof *f);
}
