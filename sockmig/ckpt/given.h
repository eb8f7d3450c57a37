/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * given.h - pages of shared memory that were given back, which page tables do not tell:
 * what is read there afterwards is new, and counts as never written.
 *
 * Needs Linux 5.5 with CONFIG_DEBUG_INFO_BTF; without it nobody is told.
 *
 * Source: mm/filemap.c, mm_filemap_delete_from_page_cache; sockmig/bpf/given.bpf.c. */
#ifndef BSC_GIVEN_H
#define BSC_GIVEN_H

#include "sockmig/core/image.h"

#include <stdbool.h>

/* given_load - what given_count() would do once, the first time: some ms. */
void given_load(void);

/* given_count - pages of what @v maps that were given back since it was asked about
 * first.  False: nobody has asked lately (it counts from now on), or this kernel does
 * not tell: then *tells is false. */
bool given_count(const struct image_vma *v, uint64_t *count, bool *tells);

#endif
