/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * memory_huge.c - huge pages of hugetlb.
 *
 * One that is given back and then only read is there again, full of zeroes, and does
 * not count as written: the kernel keeps our protection for it
 * (mm/hugetlb.c:__unmap_hugepage_range()).  So of each page one word that is not zero
 * is known, its witness; a page that is not written and whose witness is zero is new.
 */
#include "sockmig/ckpt/memory_private.h"

#include <sys/uio.h>

#define AT_ONCE 512u /* witnesses */

struct witnesses { /* of pages, sorted, on their way to be asked */
    uint64_t at[AT_ONCE], value[AT_ONCE];
    unsigned n;
};

static bool
read_words(pid_t pid, uint64_t at, uint64_t *to, size_t size)
{
    struct iovec local = { to, size }, remote = { (void *)(uintptr_t)at, size };

    return process_vm_readv(pid, &local, 1, &remote, 1, 0) == (ssize_t)size;
}

static void
keep_witness(struct memory *m, uint64_t at)
{
    if (m->nwitness == MEMORY_MAX_FOUND)
        m->failed = true;
    else
        m->witness[m->nwitness++] = at;
}

/* The first word of the page that is not zero; a page of zeroes has none, and need not
 * be told from a new one. */
static void
learn_page(struct memory *m, uint64_t page, uint64_t size)
{
    uint64_t part[2 * IMAGE_PAGE / sizeof(uint64_t)];

    for (uint64_t at = page; at < page + size; at += sizeof part) {
        if (!read_words(m->pid, at, part, sizeof part))
            return; /* given back meanwhile, while the process runs */
        for (unsigned i = 0; i < sizeof part / sizeof *part; i++)
            if (part[i]) {
                keep_witness(m, at + i * sizeof *part);
                return;
            }
    }
}

static void
learn(struct memory *m, uint64_t start, uint64_t end, uint64_t size)
{
    for (uint64_t page = start; page < end; page += size)
        learn_page(m, page, size);
}

static void
ask(struct memory *m, struct witnesses *w, uint64_t size)
{
    struct iovec local = { w->value, w->n * sizeof *w->value }, remote[AT_ONCE];
    ssize_t got;

    for (unsigned i = 0; i < w->n; i++)
        remote[i] = (struct iovec){ (void *)(uintptr_t)w->at[i], sizeof *w->value };
    got = process_vm_readv(m->pid, &local, 1, remote, w->n, 0);
    for (unsigned i = 0; i < w->n; i++) {
        uint64_t page = w->at[i] & ~(size - 1);

        if (got >= (ssize_t)((i + 1) * sizeof *w->value) && w->value[i]) {
            keep_witness(m, w->at[i]);
            continue;
        }
        memory_found(m, page, page + size, PAGES_CONTENT);
        learn_page(m, page, size);
    }
    w->n = 0;
}

/* Not written: but is it what it was?  @next: how far the last scan's are used up. */
static void
ask_all(struct memory *m, const struct page_region *r, uint64_t size, size_t *next)
{
    struct witnesses w = { .n = 0 };

    while (*next < m->nwas_witness && m->was_witness[*next] < r->start)
        ++*next;
    for (; *next < m->nwas_witness && m->was_witness[*next] < r->end; ++*next) {
        w.at[w.n++] = m->was_witness[*next];
        if (w.n == AT_ONCE)
            ask(m, &w, size);
    }
    if (w.n > 0)
        ask(m, &w, size);
}

/* hugetlb tells of holes neither by lseek() nor as written: pages are compared with
 * those of the last time (find_dropped() in memory_scan.c). */
int
memory_scan_huge(struct memory *m, const struct image_vma *v, uint64_t end)
{
    const struct pm_scan_arg what = { .flags = memory_arming(m),
        .category_mask = PAGE_IS_PRESENT,
        .return_mask = PAGE_IS_WRITTEN };
    const uint64_t size = UINT64_C(1) << v->page_bits;
    const bool shared = v->kind == IMAGE_VMA_SHARED_ANON;
    enum memory_share how = shared   ? memory_share_of(m, v)
                            : m->all ? MEMORY_SHARE_TOUCHED
                                     : MEMORY_SHARE_WRITTEN;
    long n = memory_pagemap(m, v->start, end, &what, m->regions, MEMORY_MAX_REGIONS);

    if (how == MEMORY_SHARE_ALL)
        memory_found(m, v->start, end, PAGES_CONTENT);
    for (long i = 0; i < n; i++) {
        const struct page_region *r = &m->regions[i];
        bool send = how == MEMORY_SHARE_TOUCHED || (r->categories & PAGE_IS_WRITTEN);

        memory_present(m, r->start, r->end);
        if (send && how != MEMORY_SHARE_ALL)
            memory_found(m, r->start, r->end, PAGES_CONTENT);
        if (send || how == MEMORY_SHARE_ALL)
            learn(m, r->start, r->end, size);
        else
            ask_all(m, r, size, &m->next_witness);
    }
    return n < 0 ? (int)n : 0;
}
