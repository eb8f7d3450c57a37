/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/prefault.h"

#include <string.h>
#include <sys/mman.h>

void *
prefault_map(size_t size)
{
    void *p = mmap(
        NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED)
        return NULL;
    madvise(p, size, MADV_HUGEPAGE); /* a wish only */
    madvise(p, size, MADV_DONTFORK); /* or each fork makes the next writes copies */
    madvise(p, size, MADV_DONTDUMP);
    /* MAP_POPULATE would come before the wish for huge pages. */
    if (madvise(p, size, MADV_POPULATE_WRITE) < 0)
        memset(p, 0, size);
    return p;
}
