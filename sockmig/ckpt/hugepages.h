/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * hugepages.h - mappings of hugetlb: their pages are set aside by the operator, and are
 * mapped, given back and swapped (never) as a whole.  And huge pages that the kernel
 * makes by itself, which nobody sees but in speed. */
#ifndef BSC_HUGEPAGES_H
#define BSC_HUGEPAGES_H

#include "sockmig/core/image.h"

#include <stdbool.h>
#include <sys/types.h>

/* hugepages_bits - of process @pid's mapping @v: its pages have 2^bits bytes each; 0:
 * they are usual ones, or the mapping is gone. */
uint32_t hugepages_bits(pid_t pid, const struct image_vma *v);

/* hugepages_come - does the kernel make them in private memory that nobody has advised
 * about?  /sys/kernel/mm/transparent_hugepage/enabled */
bool hugepages_come(void);

#endif
