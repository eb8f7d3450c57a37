/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * memory_shared.c - shared memory: what is not mapped here is not empty, and others may
 * write it. */
#include "sockmig/ckpt/memory_private.h"

#include "lib/fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* What a shared mapping has, mapped here or not: the holes of its file are empty. */
static void
found_shared(struct memory *m, const struct image_vma *v, uint64_t start, uint64_t end)
{
    char path[96];
    off_t base = (off_t)v->offset - (off_t)v->start, at = (off_t)start + base;
    off_t to = (off_t)end + base;
    int fd;

    snprintf(path, sizeof path, "/proc/%d/map_files/%llx-%llx", (int)m->pid,
        (unsigned long long)v->start, (unsigned long long)v->end);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && at < to) {
        off_t data = lseek(fd, at, SEEK_DATA), hole;

        data = data < 0 || data > to ? to : data & ~(off_t)(IMAGE_PAGE - 1);
        memory_found(m, (uint64_t)(at - base), (uint64_t)(data - base), PAGES_DROPPED);
        hole = data < to ? lseek(fd, data, SEEK_HOLE) : to;
        hole = (hole + IMAGE_PAGE - 1) & ~(off_t)(IMAGE_PAGE - 1);
        hole = hole <= data || hole > to ? to : hole;
        memory_found(
            m, (uint64_t)(data - base), (uint64_t)(hole - base), PAGES_CONTENT);
        at = hole;
    }
    if (fd < 0)
        memory_found(m, start, end, PAGES_CONTENT);
    fd_close(fd);
}

static enum memory_share
share(const struct memory *m, const struct image_vma *v)
{
    if (m->share_all)
        return MEMORY_SHARE_ALL;
    if (m->share)
        return m->share(m->share_arg, v, m->all);
    return m->all ? MEMORY_SHARE_ALL : MEMORY_SHARE_WRITTEN;
}

/* What cannot be written here is not tracked: others write it, or nobody. */
int
memory_scan_whole(struct memory *m, const struct image *im, const struct image_vma *v)
{
    for (uint32_t i = 0; i < im->nvmas; i++)
        if (m->modes[i] == MEMORY_SHARED && im->vmas[i].inode == v->inode &&
            im->vmas[i].dev_major == v->dev_major &&
            im->vmas[i].dev_minor == v->dev_minor)
            return 0; /* it is, elsewhere */
    if (!m->share || share(m, v) == MEMORY_SHARE_ALL)
        found_shared(m, v, v->start, v->end);
    return 0;
}

/* A fork copies no page table of shared memory: what is in it was touched since. */
static int
scan_touched(struct memory *m, const struct image_vma *v)
{
    const struct pm_scan_arg what = { .category_mask = PAGE_IS_PRESENT,
        .return_mask = PAGE_IS_PRESENT };
    long n = memory_pagemap(m, v->start, v->end, &what, m->regions, MEMORY_MAX_REGIONS);

    for (long i = 0; i < n; i++)
        memory_found(m, m->regions[i].start, m->regions[i].end, PAGES_CONTENT);
    return n < 0 ? (int)n : 0;
}

static int
scan_usual(struct memory *m, const struct image_vma *v)
{
    const struct pm_scan_arg fast = { .flags = memory_arming(m),
        .category_mask = PAGE_IS_WRITTEN,
        .return_mask = PAGE_IS_WRITTEN };
    enum memory_share how = share(m, v);
    long n = memory_pagemap(m, v->start, v->end, &fast, m->regions, MEMORY_MAX_REGIONS);

    if (n < 0)
        return (int)n;
    if (how == MEMORY_SHARE_TOUCHED && !m->swap)
        return scan_touched(m, v);
    if (how != MEMORY_SHARE_WRITTEN) {
        found_shared(m, v, v->start, v->end);
        return 0;
    }
    for (long i = 0; i < n; i++) {
        const struct page_region *r = &m->regions[i];

        if (r->end - r->start <= MEMORY_SMALL)
            memory_found(m, r->start, r->end, PAGES_CONTENT);
        else
            found_shared(m, v, r->start, r->end);
    }
    return 0;
}

/* hugetlb tells of holes neither by lseek() nor as written: pages are compared with
 * those of the last time (find_dropped()). */
static int
scan_huge(struct memory *m, const struct image_vma *v)
{
    const struct pm_scan_arg what = { .flags = memory_arming(m),
        .category_mask = PAGE_IS_PRESENT,
        .return_mask = PAGE_IS_WRITTEN };
    enum memory_share how = share(m, v);
    long n = memory_pagemap(m, v->start, v->end, &what, m->regions, MEMORY_MAX_REGIONS);

    if (how == MEMORY_SHARE_ALL)
        memory_found(m, v->start, v->end, PAGES_CONTENT);
    for (long i = 0; i < n; i++) {
        const struct page_region *r = &m->regions[i];

        if (how == MEMORY_SHARE_TOUCHED ||
            (how == MEMORY_SHARE_WRITTEN && (r->categories & PAGE_IS_WRITTEN)))
            memory_found(m, r->start, r->end, PAGES_CONTENT);
        memory_present(m, r->start, r->end);
    }
    return n < 0 ? (int)n : 0;
}

int
memory_scan_shared(struct memory *m, const struct image_vma *v)
{
    if (v->page_bits)
        return scan_huge(m, v);
    return scan_usual(m, v);
}
