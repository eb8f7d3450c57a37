/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * prefault.h - large memory that is there before a client waits for it. */
#ifndef SOCKMIG_PREFAULT_H
#define SOCKMIG_PREFAULT_H

#include <stddef.h>

/* Zeroed memory of `size` bytes, faulted in, in huge pages where the kernel has some:
 * fewer faults now, and no copies of it for children or in a core file.  It ends with
 * munmap() of `size` bytes, or with the process.
 * @return  owned by the caller; NULL: out of memory */
void *prefault_map(size_t size);

#endif
