/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * mapping.h - for rows about memory: anonymous mappings, and what the kernel says of
 * them. */
#ifndef BSC_FEATURES_MAPPING_H
#define BSC_FEATURES_MAPPING_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

#define PAGE 4096u
#define RW (PROT_READ | PROT_WRITE)

/* mapping_new - @flags besides MAP_ANONYMOUS; MAP_FAILED as mmap(). */
void *mapping_new(size_t pages, int prot, int flags);

/* mapping_readable - a byte there can be read; asks without dying of it. */
bool mapping_readable(const void *at);

/* mapping_has - smaps says @flag, two letters, of the mapping at @at. */
bool mapping_has(const void *at, const char *flag);

#endif
