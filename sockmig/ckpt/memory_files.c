/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * memory_files.c - what is written to files of state folders by way of a mapping. */
#include "sockmig/ckpt/memory_private.h"

/* The first time all of it counts as written: it may have been, before it was tracked.
 * What is not armed is reported, so a mapping that is new is whole by itself. */
static int
scan_file(struct memory *m, const struct image_vma *v, memory_wrote *wrote, void *arg)
{
    const struct pm_scan_arg fast = { .flags = memory_arming(m),
        .category_mask = PAGE_IS_WRITTEN,
        .return_mask = PAGE_IS_WRITTEN };
    long n = memory_pagemap(m, v->start, v->end, &fast, m->regions, MEMORY_MAX_REGIONS);

    wrote(arg, v, v->start, m->all ? v->end : v->start);
    for (long i = 0; i < n && !m->all; i++)
        wrote(arg, v, m->regions[i].start, m->regions[i].end);
    return n < 0 ? (int)n : 0;
}

int
memory_scan_files(
    struct memory *m, const struct image *im, memory_wrote *wrote, void *arg)
{
    int ret = 0;

    m->running = false;
    for (uint32_t i = 0; i < im->nvmas && ret == 0; i++)
        if (m->modes[i] == MEMORY_FILE)
            ret = scan_file(m, &im->vmas[i], wrote, arg);
    return ret;
}
