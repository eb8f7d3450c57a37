/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * reserve.h - room for the most that there may be: it takes memory where it is used. */
#ifndef BSC_RESERVE_H
#define BSC_RESERVE_H

#include <stddef.h>
#include <sys/mman.h>

/* reserve - @size bytes of zeroes, or NULL. */
static inline void *
reserve(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

/* reserve_end - NULL is legal. */
static inline void
reserve_end(void *p, size_t size)
{
    if (p)
        munmap(p, size);
}

#endif
