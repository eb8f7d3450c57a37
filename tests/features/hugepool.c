/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/features/hugepool.h"

#include "lib/fd.h"

#include <stdio.h>
#include <stdlib.h>

#define POOL "/sys/kernel/mm/hugepages/hugepages-2048kB/"

static long had = -1; /* what is to be restored */

static long
number(const char *path)
{
    char text[32];

    return file_read(path, text, sizeof text) < 0 ? -1 : atol(text);
}

static void
resize(long pages)
{
    char text[32];

    snprintf(text, sizeof text, "%ld", pages);
    file_write(POOL "nr_hugepages", text);
}

void
hugepool_grow(unsigned free)
{
    long there = number(POOL "free_hugepages"), all = number(POOL "nr_hugepages");

    if (there < 0 || all < 0 || there >= (long)free)
        return;
    had = all;
    resize(all + (long)free - there);
}

void
hugepool_restore(void)
{
    if (had >= 0)
        resize(had);
    had = -1;
}
