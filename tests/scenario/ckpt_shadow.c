/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/scenario/ckpt_shadow.h"

#include "sockmig/ckpt/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SLOTS (1u << 21)
#define MAX_REGIONS 65536

struct slot {
    uint64_t address; /* 0: never used */
    uint8_t *page;    /* owned; NULL: dropped */
};

struct shadow {
    struct slot *slots;
    struct image_vma *vmas; /* of the last image */
    uint32_t nvmas;
};

struct shadow *
shadow_new(void)
{
    struct shadow *s = calloc(1, sizeof *s);

    if (s) {
        s->slots = calloc(SLOTS, sizeof *s->slots);
        s->vmas = calloc(IMAGE_MAX_VMAS, sizeof *s->vmas);
    }
    if (!s || !s->slots || !s->vmas)
        abort();
    return s;
}

void
shadow_free(struct shadow *s)
{
    for (size_t i = 0; s && i < SLOTS; i++)
        free(s->slots[i].page);
    if (s) {
        free(s->slots);
        free(s->vmas);
    }
    free(s);
}

static struct slot *
slot_of(struct shadow *s, uint64_t address)
{
    size_t i = (size_t)(address / IMAGE_PAGE * 0x9e3779b97f4a7c15ull >> 43) % SLOTS;

    while (s->slots[i].address != 0 && s->slots[i].address != address)
        i = (i + 1) % SLOTS;
    return &s->slots[i];
}

static void
put_page(struct shadow *s, uint64_t address, const uint8_t *data)
{
    struct slot *slot = slot_of(s, address);

    if (!data) {
        free(slot->page);
        slot->page = NULL;
        return;
    }
    slot->address = address;
    if (!slot->page)
        slot->page = malloc(IMAGE_PAGE);
    if (!slot->page)
        abort();
    memcpy(slot->page, data, IMAGE_PAGE);
}

static const struct image_vma *
vma_at(const struct image_vma *v, uint32_t n, uint64_t address)
{
    uint32_t low = 0, high = n;

    while (low < high) {
        uint32_t mid = low + (high - low) / 2;

        if (v[mid].end <= address)
            low = mid + 1;
        else
            high = mid;
    }
    return low < n && v[low].start <= address ? &v[low] : NULL;
}

static bool
same_backing(const struct image_vma *a, const struct image_vma *b)
{
    return a && b && a->kind == b->kind && a->inode == b->inode &&
           (a->kind == IMAGE_VMA_ANON || a->offset - a->start == b->offset - b->start);
}

/* Mappings that went or became others take their pages with them. */
static void
follow_mappings(struct shadow *s, const struct image *im)
{
    for (size_t i = 0; s->nvmas > 0 && i < SLOTS; i++) {
        struct slot *slot = &s->slots[i];

        if (slot->page && !same_backing(vma_at(s->vmas, s->nvmas, slot->address),
                              vma_at(im->vmas, im->nvmas, slot->address))) {
            free(slot->page);
            slot->page = NULL;
        }
    }
    memcpy(s->vmas, im->vmas, im->nvmas * sizeof *im->vmas);
    s->nvmas = im->nvmas;
}

static void
drop_run(struct shadow *s, const struct page_run *r)
{
    uint64_t end = r->address + (uint64_t)r->count * IMAGE_PAGE;

    if (r->count < 100000) {
        for (uint64_t a = r->address; a < end; a += IMAGE_PAGE)
            put_page(s, a, NULL);
        return;
    }
    for (size_t i = 0; i < SLOTS; i++)
        if (s->slots[i].address >= r->address && s->slots[i].address < end)
            put_page(s, s->slots[i].address, NULL);
}

void
shadow_apply(struct shadow *s, const struct image *im, const struct pages *pages)
{
    if (im)
        follow_mappings(s, im);
    for (size_t i = 0; i < pages->nruns; i++) {
        const struct page_run *r = &pages->runs[i];

        if (r->dropped)
            drop_run(s, r);
        for (uint32_t k = 0; !r->dropped && k < r->count; k++)
            put_page(s, r->address + (uint64_t)k * IMAGE_PAGE,
                pages->data + r->offset + (size_t)k * IMAGE_PAGE);
    }
}

struct comparison {
    struct shadow *s;
    const struct image_vma *v;
    int mem, file;
    long bad, compared;
};

static void
complain(struct comparison *c, uint64_t at, const char *what)
{
    if (c->bad++ < 10)
        fprintf(stderr, "page %llx of %s (kind %u, prot %u): %s\n",
            (unsigned long long)at, c->v->path, c->v->kind, c->v->prot, what);
}

/* What the standby's process would read at @at. */
static void
expected_page(struct comparison *c, uint64_t at, uint8_t *out)
{
    struct slot *slot = slot_of(c->s, at);

    memset(out, 0, IMAGE_PAGE);
    if (slot->page)
        memcpy(out, slot->page, IMAGE_PAGE);
    else if (c->file >= 0 && pread(c->file, out, IMAGE_PAGE,
                                 (off_t)(c->v->offset + at - c->v->start)) < 0)
        complain(c, at, "its file cannot be read");
}

static void
compare_page(struct comparison *c, uint64_t at)
{
    uint8_t want[IMAGE_PAGE], have[IMAGE_PAGE];

    c->compared++;
    if (pread(c->mem, have, sizeof have, (off_t)at) != sizeof have)
        return; /* beyond the end of its file */
    expected_page(c, at, want);
    if (memcmp(want, have, sizeof have) != 0)
        complain(c, at, slot_of(c->s, at)->page ? "differs" : "is missing");
}

static void
compare_present(struct comparison *c, int pagemap)
{
    static struct page_region regions[MAX_REGIONS];
    uint64_t at = c->v->start;

    while (at < c->v->end) {
        struct pm_scan_arg arg = { .size = sizeof arg,
            .start = at,
            .end = c->v->end,
            .vec = (uint64_t)(uintptr_t)regions,
            .vec_len = MAX_REGIONS,
            .category_anyof_mask = PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
            .return_mask = PAGE_IS_PRESENT };
        int n = ioctl(pagemap, PAGEMAP_SCAN, &arg);

        if (n < 0) {
            complain(c, at, strerror(errno));
            return;
        }
        for (int i = 0; i < n; i++)
            for (uint64_t a = regions[i].start;
                 (regions[i].categories & PAGE_IS_PRESENT) && a < regions[i].end;
                 a += IMAGE_PAGE)
                compare_page(c, a);
        if (arg.walk_end <= at)
            return;
        at = arg.walk_end;
    }
}

static int
open_proc(pid_t pid, const char *name)
{
    char path[IMAGE_PATH + 32];

    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    return open(path, O_RDONLY | O_CLOEXEC);
}

long
shadow_compare(struct shadow *s, pid_t pid, const struct image *im, long *compared)
{
    struct comparison c = { .s = s, .mem = open_proc(pid, "mem"), .file = -1 };
    int pagemap = open_proc(pid, "pagemap");

    for (uint32_t i = 0; i < im->nvmas; i++) {
        c.v = &im->vmas[i];
        if (c.v->kind != IMAGE_VMA_ANON && c.v->kind != IMAGE_VMA_FILE &&
            c.v->kind != IMAGE_VMA_SHARED_ANON)
            continue;
        if (c.v->kind == IMAGE_VMA_FILE) {
            char name[IMAGE_PATH + 8];

            snprintf(name, sizeof name, "root%s", c.v->path);
            c.file = open_proc(pid, name);
        }
        compare_present(&c, pagemap);
        if (c.file >= 0)
            close(c.file);
        c.file = -1;
    }
    /* what only the standby has must read the same in the process */
    for (size_t i = 0; i < SLOTS; i++)
        if (s->slots[i].page) {
            c.v = vma_at(im->vmas, im->nvmas, s->slots[i].address);
            if (c.v)
                compare_page(&c, s->slots[i].address);
        }
    close(pagemap);
    close(c.mem);
    *compared = c.compared;
    return c.bad;
}
