/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * memory_settled.c - a scan while nobody else reads pages: hot ones are compared. */
#include "sockmig/ckpt/memory_private.h"

/* Nothing is armed where a hot page is. */
static int
arm(struct memory *m, struct span *cold)
{
    const struct pm_scan_arg what = { .flags = memory_arming(m) };
    long ret = 0;

    if (cold->start < cold->end)
        ret = memory_pagemap(m, cold->start, cold->end, &what, NULL, 0);
    cold->start = cold->end = 0;
    return (int)ret;
}

static int
send_piece(struct memory *m, struct span *piece)
{
    int ret = 0;

    if (piece->end - piece->start > MEMORY_SMALL)
        ret = memory_look_inside(m, piece->start, piece->end);
    else
        memory_found(m, piece->start, piece->end, PAGES_CONTENT);
    piece->start = piece->end = 0;
    return ret;
}

static void
extend(struct span *s, uint64_t from, uint64_t to)
{
    s->start = s->end ? s->start : from;
    s->end = to;
}

/* A region of a few pages, some of them hot.  @cold: what is to be armed. */
static int
take_pages(struct memory *m, const struct page_region *r, struct span *cold)
{
    struct span piece = { 0, 0 };
    int ret = 0;

    for (uint64_t at = r->start; at < r->end && ret == 0; at += IMAGE_PAGE) {
        enum hot_verdict verdict = hot_page(m->hot, at);

        if (verdict == HOT_COLD || verdict == HOT_CHANGED)
            extend(&piece, at, at + IMAGE_PAGE);
        else
            ret = send_piece(m, &piece);
        if (verdict == HOT_COLD || verdict == HOT_COOLS)
            extend(cold, at, at + IMAGE_PAGE);
        else if (ret == 0)
            ret = arm(m, cold);
    }
    return ret == 0 ? send_piece(m, &piece) : ret;
}

/* As scan_written(), but what is written always is neither armed nor sent unchanged. */
int
memory_scan_settled(struct memory *m, uint64_t start, uint64_t end)
{
    const struct pm_scan_arg fast = { .category_mask = PAGE_IS_WRITTEN,
        .return_mask = PAGE_IS_WRITTEN };
    long n = memory_pagemap(m, start, end, &fast, m->regions, MEMORY_MAX_REGIONS);
    struct span cold = { 0, 0 };
    int ret = n < 0 ? (int)n : 0;

    if (n > 0)
        hot_load(m->hot, m->regions, (size_t)n);
    for (long i = 0; i < n && ret == 0; i++) {
        const struct page_region *r = &m->regions[i];

        if (hot_takes(r)) {
            ret = take_pages(m, r, &cold);
            continue;
        }
        hot_skip(m->hot, r->start, r->end);
        extend(&cold, r->start, r->end);
        ret = memory_look_inside(m, r->start, r->end);
    }
    return ret < 0 ? ret : arm(m, &cold);
}
