/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/image_alloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static void *
reserve(size_t count, size_t each)
{
    void *p = mmap(NULL, count * each, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

static void
give_back(void *p, size_t count, size_t each)
{
    if (p)
        munmap(p, count * each);
}

int
image_alloc(struct image *im)
{
    memset(im, 0, sizeof *im);
    im->threads = reserve(IMAGE_MAX_THREADS, sizeof *im->threads);
    im->vmas = reserve(IMAGE_MAX_VMAS, sizeof *im->vmas);
    im->fds = reserve(IMAGE_MAX_FDS, sizeof *im->fds);
    im->items = reserve(IMAGE_MAX_ITEMS, sizeof *im->items);
    im->tcps = reserve(IMAGE_MAX_FDS, sizeof *im->tcps);
    im->unixes = reserve(IMAGE_MAX_UNIX, sizeof *im->unixes);
    im->watches = reserve(IMAGE_MAX_WATCHES, sizeof *im->watches);
    im->semaphores = reserve(IMAGE_MAX_SEMAPHORES, sizeof *im->semaphores);
    im->code = reserve(IMAGE_MAX_CODE, sizeof *im->code);
    if (im->threads && im->vmas && im->fds && im->items && im->tcps && im->unixes &&
        im->watches && im->code && im->semaphores)
        return 0;
    image_release(im);
    return -ENOMEM;
}

void
image_release(struct image *im)
{
    give_back(im->threads, IMAGE_MAX_THREADS, sizeof *im->threads);
    give_back(im->vmas, IMAGE_MAX_VMAS, sizeof *im->vmas);
    give_back(im->fds, IMAGE_MAX_FDS, sizeof *im->fds);
    give_back(im->items, IMAGE_MAX_ITEMS, sizeof *im->items);
    give_back(im->tcps, IMAGE_MAX_FDS, sizeof *im->tcps);
    give_back(im->watches, IMAGE_MAX_WATCHES, sizeof *im->watches);
    give_back(im->unixes, IMAGE_MAX_UNIX, sizeof *im->unixes);
    give_back(im->semaphores, IMAGE_MAX_SEMAPHORES, sizeof *im->semaphores);
    give_back(im->code, IMAGE_MAX_CODE, sizeof *im->code);
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
        f->members = reserve(FAMILY_MAX, sizeof *f->members);
    if (!f->images)
        f->images = calloc(FAMILY_MAX, sizeof(struct image *));
    if (!f->links)
        f->links = reserve(FAMILY_MAX_LINKS, sizeof *f->links);
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
    give_back(f->members, FAMILY_MAX, sizeof *f->members);
    free(f->images);
    give_back(f->links, FAMILY_MAX_LINKS, sizeof *f->links);
    memset(f, 0, sizeof *f);
}
