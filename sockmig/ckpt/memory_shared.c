/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * memory_shared.c - shared memory: what is not mapped here is not empty, and others may
 * write it. */
#include "sockmig/ckpt/memory_private.h"

#include "lib/fd.h"
#include "sockmig/ckpt/given.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define PATH_SIZE 96

static void
map_path(const struct memory *m, const struct image_vma *v, char path[PATH_SIZE])
{
    snprintf(path, PATH_SIZE, "/proc/%d/map_files/%llx-%llx", (int)m->pid,
        (unsigned long long)v->start, (unsigned long long)v->end);
}

/* What a shared mapping has, mapped here or not: the holes of its file are empty. */
static void
found_shared(struct memory *m, const struct image_vma *v, uint64_t start, uint64_t end)
{
    char path[PATH_SIZE];
    off_t base = (off_t)v->offset - (off_t)v->start, at = (off_t)start + base;
    off_t to = (off_t)end + base;
    int fd;

    map_path(m, v, path);
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

enum memory_share
memory_share_of(const struct memory *m, const struct image_vma *v)
{
    if (m->share_all)
        return MEMORY_SHARE_ALL;
    if (m->share)
        return m->share(m->share_arg, v, m->all);
    return m->all ? MEMORY_SHARE_ALL : MEMORY_SHARE_CHANGED;
}

static const struct memory_given *
find_given(const struct memory_given *all, size_t n, const struct image_vma *v)
{
    for (size_t i = 0; i < n; i++)
        if (all[i].inode == v->inode && all[i].dev_minor == v->dev_minor &&
            all[i].dev_major == v->dev_major)
            return &all[i];
    return NULL;
}

/* Was some of it given back since the last scan?  What is read there afterwards is new,
 * and does not count as written: the kernel keeps our protection for it
 * (mm/memory.c:pte_install_uffd_wp_if_needed()). */
static bool
was_given_back(struct memory *m, const struct image_vma *v)
{
    const struct memory_given *now = find_given(m->given, m->ngiven, v);
    const struct memory_given *was = find_given(m->was_given, m->nwas_given, v);
    struct memory_given g = {
        .inode = v->inode, .dev_major = v->dev_major, .dev_minor = v->dev_minor
    };
    bool known, tells;

    if (now)
        return now->changed;
    known = given_count(v, &g.count, &tells);
    if (!tells)
        return false;
    g.changed = !known || !was || was->count != g.count;
    if (m->ngiven < IMAGE_MAX_VMAS)
        m->given[m->ngiven++] = g;
    return g.changed;
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
    if (!m->share || memory_share_of(m, v) == MEMORY_SHARE_ALL)
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

int
memory_scan_shared(struct memory *m, const struct image_vma *v)
{
    const struct pm_scan_arg fast = { .flags = memory_arming(m),
        .category_mask = PAGE_IS_WRITTEN,
        .return_mask = PAGE_IS_WRITTEN };
    enum memory_share how = memory_share_of(m, v);
    bool first = how == MEMORY_SHARE_CHANGED || how == MEMORY_SHARE_ALL;
    bool changed = first && was_given_back(m, v);
    long n = memory_pagemap(m, v->start, v->end, &fast, m->regions, MEMORY_MAX_REGIONS);

    if (n < 0)
        return (int)n;
    if (how == MEMORY_SHARE_TOUCHED && !m->swap)
        return scan_touched(m, v);
    if (how == MEMORY_SHARE_ALL || how == MEMORY_SHARE_TOUCHED || changed) {
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
