/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/alone/load.h"

#include "sockmig/image_alloc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int
bad(char error[IMGFILE_ERROR], const char *what)
{
    snprintf(error, IMGFILE_ERROR, "image is not consistent: %s", what);
    return -EBADMSG;
}

static int
take_tree(struct loaded *l, const struct imgfile_item *r, char *error)
{
    size_t rest = r->size - sizeof l->tree;
    const char *why;

    if (r->size < sizeof l->tree || l->all.n > 0)
        return bad(error, "list of processes");
    memcpy(&l->tree, r->data, sizeof l->tree);
    if (l->tree.count == 0 || l->tree.count > FAMILY_MAX ||
        rest != l->tree.count * sizeof *l->all.members)
        return bad(error, "list of processes");
    if (family_alloc(&l->all, (uint32_t)l->tree.count) < 0)
        return -ENOMEM;
    memcpy(l->all.members, r->data + sizeof l->tree, rest);
    why = family_check_members(l->all.members, l->tree.count);
    if (why)
        return bad(error, why);
    l->all.n = (uint32_t)l->tree.count;
    return 0;
}

static int
take_process(struct loaded *l, const struct imgfile_item *r, char *error)
{
    int place = family_place(&l->all, r->process);
    struct image *im = place >= 0 ? l->all.images[place] : NULL;
    const char *why = "";

    if (!im || im->nthreads > 0 || family_is_zombie(&l->all.members[place]))
        return bad(error, "process that is not listed");
    if (!image_decode(im, r->data, r->size, &why))
        return bad(error, why);
    return 0;
}

static int
take_links(struct loaded *l, const struct imgfile_item *r, char *error)
{
    size_t n = r->size / sizeof *l->all.links;

    if (l->all.nlinks > 0 || l->all.n == 0 || r->size % sizeof *l->all.links != 0 ||
        n > FAMILY_MAX_LINKS)
        return bad(error, "list of shared files");
    memcpy(l->all.links, r->data, r->size);
    l->all.nlinks = (uint32_t)n;
    return 0;
}

int
load_add(struct loaded *l, const struct imgfile_item *r, char error[IMGFILE_ERROR])
{
    switch (r->type) {
    case IMGFILE_HEAD:
        if (r->size != sizeof l->head)
            return bad(error, "head");
        memcpy(&l->head, r->data, sizeof l->head);
        l->head.silence[sizeof l->head.silence - 1] = '\0';
        l->head.boot[sizeof l->head.boot - 1] = '\0';
        l->head.host[sizeof l->head.host - 1] = '\0';
        l->head.kernel[sizeof l->head.kernel - 1] = '\0';
        l->head.program[sizeof l->head.program - 1] = '\0';
        return 0;
    case IMGFILE_TREE:
        return take_tree(l, r, error);
    case IMGFILE_PROCESS:
        return take_process(l, r, error);
    case IMGFILE_LINKS:
        return take_links(l, r, error);
    default:
        return 0;
    }
}

int
load_whole(const struct loaded *l, char error[IMGFILE_ERROR])
{
    const char *why = family_check(&l->all);

    return why ? bad(error, why) : 0;
}

int
load(struct loaded *l, const char *path, char error[IMGFILE_ERROR])
{
    struct imgfile_item r;
    size_t at = 0;
    int ret;

    memset(l, 0, sizeof *l);
    error[0] = '\0';
    ret = imgfile_open(&l->file, path, error);
    while (ret == 0 && imgfile_next(&l->file, &at, &r))
        ret = load_add(l, &r, error);
    if (ret == 0)
        ret = load_whole(l, error);
    if (ret < 0 && !error[0])
        snprintf(error, IMGFILE_ERROR, "%s", strerror(-ret));
    return ret;
}

void
load_free(struct loaded *l)
{
    family_release(&l->all);
    imgfile_close(&l->file);
    memset(l, 0, sizeof *l);
}

/* ---- pages */

static bool
add_run(struct page_run **runs, size_t *max, size_t *n, struct page_run run)
{
    if (*n == *max) {
        size_t more = *max ? 2 * *max : 4096;
        struct page_run *grown = realloc(*runs, more * sizeof *grown);

        if (!grown)
            return false;
        *runs = grown;
        *max = more;
    }
    (*runs)[(*n)++] = run;
    return true;
}

/* The first mapping that ends behind @address. */
static uint32_t
first_vma(const struct image *im, uint64_t address)
{
    uint32_t low = 0, high = im->nvmas;

    while (low < high) {
        uint32_t middle = (low + high) / 2;

        if (im->vmas[middle].end <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* What was copied ahead may have been unmapped since. */
static bool
cut(const struct page_run *run, const struct image *im, struct page_run **runs,
    size_t *max, size_t *n)
{
    uint64_t end = run->address + (uint64_t)run->count * IMAGE_PAGE;
    bool ok = true;

    for (uint32_t i = first_vma(im, run->address);
         ok && i < im->nvmas && im->vmas[i].start < end; i++) {
        const struct image_vma *v = &im->vmas[i];
        uint64_t from = v->start > run->address ? v->start : run->address;
        uint64_t to = v->end < end ? v->end : end;
        struct page_run part = { .address = from,
            .offset = run->dropped ? 0 : run->offset + (from - run->address),
            .count = (uint32_t)((to - from) / IMAGE_PAGE),
            .dropped = run->dropped };

        if (v->kind < IMAGE_VMA_VDSO && v->kind != IMAGE_VMA_SHARED_FILE &&
            v->kind != IMAGE_VMA_STATE_FILE)
            ok = add_run(runs, max, n, part);
    }
    return ok;
}

static bool
is_good(const struct page_run *run, size_t content)
{
    uint64_t bytes = (uint64_t)run->count * IMAGE_PAGE;

    return run->count > 0 && run->address % IMAGE_PAGE == 0 &&
           run->address < (1ull << 47) && bytes <= (1ull << 47) - run->address &&
           run->dropped <= 1 &&
           (run->dropped || (run->offset <= content && bytes <= content - run->offset));
}

bool
load_pages(const struct imgfile_item *item, const struct image *im,
    struct page_run **runs, size_t *max, struct pages *out)
{
    const struct page_run *in = (const struct page_run *)(item->data +
                                                          sizeof(uint64_t));
    size_t n = 0, content;
    uint64_t count;

    if (item->size < sizeof count)
        return false;
    memcpy(&count, item->data, sizeof count);
    if (count > (item->size - sizeof count) / sizeof *in)
        return false;
    content = item->size - sizeof count - count * sizeof *in;
    for (uint64_t i = 0; i < count; i++)
        if (!is_good(&in[i], content) || !cut(&in[i], im, runs, max, &n))
            return false;
    *out = (struct pages){ .runs = *runs,
        .nruns = n,
        .data = (uint8_t *)(uintptr_t)(in + count),
        .size = content };
    return true;
}
