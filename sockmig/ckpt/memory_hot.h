/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * memory_hot.h - pages that are written between any two checkpoints.
 *
 * To note a write costs the process a fault: a microsecond, twenty where page tables
 * are a hypervisor's.  A page that was written three times in turn is not protected
 * again; from then on it is read each time and compared with what was sent last.  When
 * it did not differ for some times it is protected again.
 *
 * What is not protected is reported as written by each scan, so a page that is
 * forgotten here (another mapping, a table that is full, an error) is sent once more,
 * and then is as any other.  While somebody reads pages of the running process for a
 * standby that joins, none may be hot: one that changed and changed back would not be
 * sent.
 *
 * Only while the process is stopped.  Source: fs/proc/task_mmu.c (pagemap_scan). */
#ifndef BSC_MEMORY_HOT_H
#define BSC_MEMORY_HOT_H

#include "sockmig/ckpt/kernel.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define HOT_PAGES 1024  /* 4 MB to compare with, 4 MB to read into */
#define HOT_REGION 64   /* pages: a larger region is written in bulk */
#define HOT_STREAK 3    /* times in turn, and it is hot */
#define HOT_PATIENCE 16 /* times without a change, and it is not */

struct memory_hot;

/* hot_new - NULL: out of memory. */
struct memory_hot *hot_new(void);
void hot_free(struct memory_hot *h); /* NULL is legal */

/* hot_clear - none is hot, none was written. */
void hot_clear(struct memory_hot *h);

/* hot_begin - a scan begins: of process @pid, number @round. */
void hot_begin(struct memory_hot *h, pid_t pid, uint64_t round);

/* hot_load - read what is hot of @regions that are small enough, for hot_page().  If it
 * cannot be read none is hot any more. */
void hot_load(struct memory_hot *h, const struct page_region *regions, size_t n);

/* hot_takes - the region is small enough to be looked at by pages. */
bool hot_takes(const struct page_region *r);

enum hot_verdict {
    HOT_COLD,    /* to be sent, and protected */
    HOT_SAME,    /* as it was sent last, not to be protected */
    HOT_CHANGED, /* to be sent, not to be protected */
    HOT_COOLS    /* as it was sent last, to be protected */
};

/* hot_page - of a page that is reported as written, after hot_load() of all. */
enum hot_verdict hot_page(struct memory_hot *h, uint64_t address);

/* hot_skip - @start..@end was written in bulk: nothing in it is hot any more. */
void hot_skip(struct memory_hot *h, uint64_t start, uint64_t end);

#endif
