/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * memory_private.h - what the files of memory.h have in common. */
#ifndef BSC_MEMORY_PRIVATE_H
#define BSC_MEMORY_PRIVATE_H

#include "sockmig/ckpt/memory.h"

#define MEMORY_SMALL (8 * (uint64_t)IMAGE_PAGE) /* read without a look inside */

/* memory_pagemap - one PAGEMAP_SCAN over @from..@to, in as many calls as it takes;
 * regions found, or -errno.  @out NULL: all of it is only armed. */
long memory_pagemap(struct memory *m, uint64_t from, uint64_t to,
    const struct pm_scan_arg *what, struct page_region *out, size_t capacity);

/* memory_arming - flags of a scan that re-arms.  While the process is stopped all must
 * be armed: a mapping that is not is an error then, instead of being passed over in
 * silence. */
uint64_t memory_arming(const struct memory *m);

/* memory_found - to be sent. */
void memory_found(struct memory *m, uint64_t start, uint64_t end, enum pages_kind kind);

/* memory_present - is there, in the order of the addresses: what of it is not there
 * next time was given back. */
void memory_present(struct memory *m, uint64_t start, uint64_t end);

/* memory_look_inside - a large written region: what of it is there is content, the rest
 * was dropped.  0 or -errno. */
int memory_look_inside(struct memory *m, uint64_t start, uint64_t end);

/* memory_share_of - how much of shared @v is to be sent. */
enum memory_share memory_share_of(const struct memory *m, const struct image_vma *v);

/* One mapping, or neighbours of a kind.  0 or -errno. */
int memory_scan_settled(struct memory *m, uint64_t start, uint64_t end);
int memory_scan_huge(struct memory *m, const struct image_vma *v, uint64_t end);
int memory_scan_shared(struct memory *m, const struct image_vma *v);
int memory_scan_whole(
    struct memory *m, const struct image *im, const struct image_vma *v);

#endif
