/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/features/hugepool.h"

#include "lib/fd.h"

#include <stdio.h>
#include <stdlib.h>

#define POOL "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"

static long added;

static void
change(long by)
{
    char text[32];
    long pages = file_read(POOL, text, sizeof text) < 0 ? -1 : atol(text);

    snprintf(text, sizeof text, "%ld", pages + by);
    if (pages >= 0)
        file_write(POOL, text);
}

void
hugepool_grow(unsigned pages)
{
    added += pages;
    change(pages);
}

void
hugepool_restore(void)
{
    change(-added);
    added = 0;
}
