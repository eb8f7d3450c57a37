/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * memory_scan.c - which pages were written, dropped, or came since the last scan. */
#include "sockmig/ckpt/memory_private.h"

#include <errno.h>
#include <sys/sysinfo.h>

#define MAX_REGIONS MEMORY_MAX_REGIONS
#define MAX_PIECES MEMORY_MAX_PIECES
#define MAX_FOUND MEMORY_MAX_FOUND
#define QUIET_ROUND 16

void
memory_found(struct memory *m, uint64_t start, uint64_t end, enum pages_kind kind)
{
    struct finding *last = m->nfound ? &m->found[m->nfound - 1] : NULL;

    if (start >= end)
        return;
    if (last && last->kind == kind && last->end == start)
        last->end = end;
    else if (m->nfound == MAX_FOUND)
        m->failed = true;
    else
        m->found[m->nfound++] = (struct finding){ start, end, kind };
}

long
memory_pagemap(struct memory *m, uint64_t from, uint64_t to,
    const struct pm_scan_arg *what, struct page_region *out, size_t capacity)
{
    size_t n = 0;

    while (from < to) {
        struct pm_scan_arg arg = *what;
        int r;

        arg.size = sizeof arg;
        arg.start = from;
        arg.end = to;
        arg.vec = out ? (uint64_t)(uintptr_t)(out + n) : 0;
        arg.vec_len = capacity - n;
        m->nscans++;
        r = ioctl(m->pagemap_fd, PAGEMAP_SCAN, &arg);
        if (r < 0)
            return -errno;
        n += (size_t)r;
        if (arg.walk_end <= from)
            return -EIO;
        from = arg.walk_end;
        if (out && n >= capacity && from < to)
            return -ENOSPC;
    }
    return (long)n;
}

uint64_t
memory_arming(const struct memory *m)
{
    return PM_SCAN_WP_MATCHING | (m->running ? 0 : PM_SCAN_CHECK_WPASYNC);
}

int
memory_look_inside(struct memory *m, uint64_t start, uint64_t end)
{
    const struct pm_scan_arg what = { .category_anyof_mask = PAGE_IS_PRESENT |
                                                             PAGE_IS_SWAPPED,
        .return_mask = PAGE_IS_PRESENT | PAGE_IS_SWAPPED | PAGE_IS_PFNZERO | m->guard };
    uint64_t at = start;

    while (at < end) {
        uint64_t to = end - at > MAX_PIECES * (uint64_t)IMAGE_PAGE
                          ? at + MAX_PIECES * (uint64_t)IMAGE_PAGE
                          : end;
        long n = memory_pagemap(m, at, to, &what, m->pieces, MAX_PIECES);

        if (n < 0)
            return (int)n;
        for (long i = 0; i < n; i++) {
            const struct page_region *r = &m->pieces[i];
            /* a re-armed hole reads as swapped: only with swap it must be read */
            bool content = !(r->categories & PAGE_IS_PFNZERO) &&
                           ((r->categories & PAGE_IS_PRESENT) || m->swap);

            memory_found(m, at, r->start, PAGES_DROPPED);
            memory_found(m, r->start, r->end,
                r->categories & m->guard ? PAGES_GUARD
                : content                ? PAGES_CONTENT
                                         : PAGES_DROPPED);
            at = r->end;
        }
        memory_found(m, at, to, PAGES_DROPPED);
        at = to;
    }
    return 0;
}

static int
scan_written(struct memory *m, uint64_t start, uint64_t end)
{
    /* exactly this is the kernel's fast path: 20 times cheaper */
    const struct pm_scan_arg fast = { .flags = memory_arming(m),
        .category_mask = PAGE_IS_WRITTEN,
        .return_mask = PAGE_IS_WRITTEN };
    long n = memory_pagemap(m, start, end, &fast, m->regions, MAX_REGIONS);
    int ret = n < 0 ? (int)n : 0;

    for (long i = 0; i < n && ret == 0; i++) {
        const struct page_region *r = &m->regions[i];

        if (r->end - r->start <= MEMORY_SMALL)
            memory_found(m, r->start, r->end, PAGES_CONTENT);
        else
            ret = memory_look_inside(m, r->start, r->end);
    }
    return ret;
}

void
memory_present(struct memory *m, uint64_t start, uint64_t end)
{
    struct span *last = m->npresent ? &m->present[m->npresent - 1] : NULL;

    if (last && last->end == start)
        last->end = end;
    else if (m->npresent == MAX_FOUND)
        m->failed = true;
    else
        m->present[m->npresent++] = (struct span){ start, end };
}

/* Of a file: private copies only, the rest is the file's, the same everywhere.  @send:
 * all of them, not only what was written since the last scan. */
static int
scan_present(struct memory *m, const struct image_vma *v, uint64_t end, bool send)
{
    const bool file = v->kind == IMAGE_VMA_FILE;
    const struct pm_scan_arg what = { .flags = memory_arming(m),
        .category_mask = file ? PAGE_IS_FILE : 0,
        .category_inverted = file ? PAGE_IS_FILE : 0,
        .category_anyof_mask = PAGE_IS_PRESENT | m->guard |
                               (m->swap ? PAGE_IS_SWAPPED : 0),
        .return_mask = PAGE_IS_WRITTEN | PAGE_IS_PFNZERO | m->guard };
    long n = memory_pagemap(m, v->start, end, &what, m->regions, MAX_REGIONS);

    for (long i = 0; i < n; i++) {
        const struct page_region *r = &m->regions[i];

        if ((r->categories & PAGE_IS_WRITTEN) || send)
            memory_found(m, r->start, r->end,
                r->categories & m->guard                     ? PAGES_GUARD
                : !file && (r->categories & PAGE_IS_PFNZERO) ? PAGES_DROPPED
                                                             : PAGES_CONTENT);
        memory_present(m, r->start, r->end);
    }
    return n < 0 ? (int)n : 0;
}

/* Private copies of a file that were there: those that are yet. */
static int
look_again(struct memory *m, uint64_t start, uint64_t end)
{
    const struct pm_scan_arg what = { .category_mask = PAGE_IS_FILE,
        .category_inverted = PAGE_IS_FILE,
        .category_anyof_mask = PAGE_IS_PRESENT | m->guard |
                               (m->swap ? PAGE_IS_SWAPPED : 0),
        .return_mask = PAGE_IS_PRESENT };
    long n = memory_pagemap(m, start, end, &what, m->regions, MAX_REGIONS);

    for (long i = 0; i < n; i++)
        memory_present(m, m->regions[i].start, m->regions[i].end);
    return n < 0 ? (int)n : 0;
}

/* Most mapped files are code: looking at each of their pages would take half of the
 * scan's time, so it is done only when a page was written (by way of mprotect()), which
 * is not asked, either, if no mapping changed: none was writable. */
static int
scan_quiet(struct memory *m, const struct image_vma *v, uint64_t end)
{
    const uint64_t start = v->start;
    const struct pm_scan_arg fast = { .flags = memory_arming(m),
        .category_mask = PAGE_IS_WRITTEN,
        .return_mask = PAGE_IS_WRITTEN };
    bool skip = m->same && !m->all && m->round % QUIET_ROUND != 0;
    long n = skip ? 0 : memory_pagemap(m, start, end, &fast, m->regions, MAX_REGIONS);
    int ret = n < 0 ? (int)n : 0;

    if (n > 0 || m->all || (n == 0 && m->round % QUIET_ROUND == 0))
        return scan_present(m, v, end, n > 0 || m->all);
    while (m->quiet < m->nwas_present && m->was_present[m->quiet].end <= start)
        m->quiet++;
    for (size_t i = m->quiet;
         i < m->nwas_present && m->was_present[i].start < end && ret == 0; i++) {
        const struct span *s = &m->was_present[i];

        ret = look_again(
            m, s->start > start ? s->start : start, s->end < end ? s->end : end);
    }
    return ret;
}

/* @at..@end was content: what of it is not there now is @kind. */
static void
find_missing(struct memory *m, uint64_t at, uint64_t end, enum pages_kind kind)
{
    size_t low = 0, high = m->npresent;

    while (low < high) { /* the first span that ends behind @at */
        size_t mid = low + (high - low) / 2;

        if (m->present[mid].end <= at)
            low = mid + 1;
        else
            high = mid;
    }
    for (; low < m->npresent && m->present[low].start < end; low++) {
        if (m->present[low].start > at)
            memory_found(m, at, m->present[low].start, kind);
        at = m->present[low].end > at ? m->present[low].end : at;
    }
    if (at < end)
        memory_found(m, at, end, kind);
}

/* The parts of sorted @spans inside @v.  *from: where to begin, for the next one. */
static void
drop_within(struct memory *m, const struct image_vma *v, const struct span *spans,
    size_t n, size_t *from)
{
    while (*from < n && spans[*from].end <= v->start)
        ++*from;
    /* of a shared mapping another process may have it yet: it is read */
    for (size_t i = *from; i < n && spans[i].start < v->end; i++)
        find_missing(m, spans[i].start > v->start ? spans[i].start : v->start,
            spans[i].end < v->end ? spans[i].end : v->end,
            v->kind == IMAGE_VMA_SHARED_ANON ? PAGES_CONTENT : PAGES_DROPPED);
}

/* Pages that were there and are not: they read as zeroes, or as their file, again.
 * Memory in WRITTEN mode reports its drops itself; what was in WRITTEN mode and is not
 * any more (access taken away, grown too large) is compared like the rest. */
static void
find_dropped(struct memory *m, const struct image *im)
{
    size_t present = 0, written = 0;

    for (uint32_t i = 0; i < im->nvmas; i++) {
        const struct image_vma *v = &im->vmas[i];

        if (m->modes[i] != MEMORY_PRESENT && m->modes[i] != MEMORY_QUIET &&
            !(m->modes[i] == MEMORY_NONE && v->kind == IMAGE_VMA_ANON) &&
            !(m->modes[i] == MEMORY_SHARED && v->page_bits))
            continue;
        drop_within(m, v, m->was_present, m->nwas_present, &present);
        drop_within(m, v, m->was_written, m->nwas_written, &written);
    }
}

/* All that is there, whatever was reported before. */
static int
scan_all_written(struct memory *m, uint64_t start, uint64_t end)
{
    const struct pm_scan_arg arm = { .flags = memory_arming(m),
        .category_mask = PAGE_IS_WRITTEN,
        .return_mask = PAGE_IS_WRITTEN };
    long n = memory_pagemap(m, start, end, &arm, m->regions, MAX_REGIONS);

    return n < 0 ? (int)n : memory_look_inside(m, start, end);
}

static int
scan_group(struct memory *m, const struct image *im, const struct image_vma *v,
    uint64_t end, enum memory_mode mode)
{
    if (v->page_bits)
        return memory_scan_huge(m, v, end);
    switch (mode) {
    case MEMORY_WRITTEN:
        return m->all       ? scan_all_written(m, v->start, end)
               : m->hot_now ? memory_scan_settled(m, v->start, end)
                            : scan_written(m, v->start, end);
    case MEMORY_PRESENT:
        return scan_present(m, v, end, m->all);
    case MEMORY_QUIET:
        return scan_quiet(m, v, end);
    case MEMORY_SHARED:
        return memory_scan_shared(m, v);
    case MEMORY_WHOLE:
        return memory_scan_whole(m, im, v);
    default:
        return 0;
    }
}

bool
memory_swaps(void)
{
    struct sysinfo info;

    return sysinfo(&info) < 0 || info.totalswap > 0;
}

static void
begin_scan(struct memory *m, bool running)
{
    struct span *present = m->was_present, *written = m->was_written;
    struct memory_given *given = m->was_given;
    uint64_t *witness = m->was_witness;

    m->running = running;
    m->hot_now = m->settled && m->same && !running && !m->all;
    if (m->hot_now)
        hot_begin(m->hot, m->pid, m->round + 1);
    else
        hot_clear(m->hot);
    m->swap = memory_swaps();
    m->failed = false;
    m->round++;
    m->quiet = 0;
    m->was_present = m->present;
    m->nwas_present = m->npresent;
    m->present = present;
    m->npresent = 0;
    m->was_written = m->written;
    m->nwas_written = m->nwritten;
    m->written = written;
    m->nwritten = 0;
    m->was_witness = m->witness;
    m->nwas_witness = m->nwitness;
    m->witness = witness;
    m->nwitness = m->next_witness = 0;
    m->was_given = m->given;
    m->nwas_given = m->ngiven;
    m->given = given;
    m->ngiven = 0;
}

int
memory_scan(struct memory *m, const struct image *im, bool running)
{
    int ret = 0;

    begin_scan(m, running);
    for (uint32_t i = 0, end; i < im->nvmas && ret == 0; i = end) {
        const struct image_vma *v = &im->vmas[i];
        enum memory_mode mode = m->modes[i];

        end = i + 1;
        while (mode != MEMORY_SHARED && mode != MEMORY_WHOLE && mode != MEMORY_NONE &&
               end < im->nvmas && im->vmas[end].start == im->vmas[end - 1].end &&
               im->vmas[end].kind == v->kind && m->modes[end] == mode &&
               im->vmas[end].page_bits == v->page_bits)
            end++;
        if (mode == MEMORY_WRITTEN)
            m->written[m->nwritten++] = (struct span){ v->start,
                im->vmas[end - 1].end };
        ret = scan_group(m, im, v, im->vmas[end - 1].end, mode);
        if (running && ret == -EFAULT)
            ret = 0; /* unmapped under us */
    }
    find_dropped(m, im);
    if (ret < 0 || m->failed)
        memory_forget(m);
    else
        m->all = false;
    return ret < 0 ? ret : m->failed ? -ENOSPC : 0;
}
