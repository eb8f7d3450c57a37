/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * inject_place.h - where in a process a program of ours and its memory can be: the part
 * of inject.h that only inject.c calls. */
#ifndef BSC_INJECT_PLACE_H
#define BSC_INJECT_PLACE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* inject_place_code - room for @size bytes in the vdso of @pid: where a program that
 * begins like @program lies already, or the zeroes behind the vdso's last section, or
 * its section headers, which nobody reads at run time.
 *
 * 0 and *out; -EOPNOTSUPP: there is no room, or no vdso. */
int inject_place_code(
    pid_t pid, int mem_fd, const void *program, size_t size, uint64_t *out);

/* inject_place_scratch - address for scratch memory: where memory with @magic is, or
 * outside of the sorted ranges @avoid. */
uint64_t inject_place_scratch(
    const uint64_t (*avoid)[2], size_t navoid, int mem_fd, uint64_t magic);

#endif
