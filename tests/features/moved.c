/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * moved.c - memory that changes its place (mremap()). */
#include "tests/features/features.h"
#include "tests/features/mapping.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define PAGES 16u

/* ---- as realloc() does it */

static char *grown; /* its first byte of each page says which one it is */
static size_t grown_pages;

static void
step_grown(void)
{
    size_t pages = grown_pages % 61 + 4;
    char *at = mremap(grown, grown_pages * PAGE, pages * PAGE, MREMAP_MAYMOVE);

    if (at == MAP_FAILED)
        return;
    for (size_t i = grown_pages; i < pages; i++)
        at[i * PAGE] = (char)(i + 1);
    grown = at;
    grown_pages = pages;
}

static const char *
set_up_grown(void)
{
    grown = mapping_new(3, RW, MAP_PRIVATE);
    WANT(grown != MAP_FAILED);
    for (grown_pages = 0; grown_pages < 3; grown_pages++)
        grown[grown_pages * PAGE] = (char)(grown_pages + 1);
    return NULL;
}

static const char *
check_grown(void)
{
    for (size_t i = 0; i < grown_pages; i++)
        WANT(grown[i * PAGE] == (char)(i + 1));
    return NULL;
}

/* ---- away and back: the kernel joins it to what has stayed */

#define HALF ((size_t)PAGES * PAGE)

static char *halves, *away; /* away: where the second half is every other time */
static uint32_t turns, stayed[PAGES];

static uint32_t *
word_that_stays(unsigned page)
{
    return (uint32_t *)(void *)(halves + (size_t)page * PAGE);
}

/* What it leaves is kept free of others. */
static void
move_half(char *from, char *to)
{
    if (mremap(from, HALF, HALF, MREMAP_MAYMOVE | MREMAP_FIXED, to) != to ||
        mmap(from, HALF, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) !=
            from)
        abort();
}

/* What has stayed is written before anybody else looks. */
static void
step_halves(void)
{
    unsigned page = ++turns / 2 % PAGES;

    if (turns % 2) {
        move_half(halves + HALF, away);
        return;
    }
    move_half(away, halves + HALF);
    *word_that_stays(page) = stayed[page] = turns;
}

static const char *
set_up_halves(void)
{
    halves = mapping_new(4 * PAGES, RW, MAP_PRIVATE);
    WANT(halves != MAP_FAILED);
    away = halves + 3 * HALF;
    WANT(mprotect(halves + 2 * HALF, 2 * HALF, PROT_NONE) == 0);
    memset(halves, 0, 2 * HALF);
    halves[HALF] = 'h';
    return NULL;
}

static const char *
check_halves(void)
{
    for (unsigned page = 0; page < PAGES; page++)
        WANT(*word_that_stays(page) == stayed[page]);
    WANT((turns % 2 ? away : halves + HALF)[0] == 'h');
    return NULL;
}

static const struct feature rows[] = {
    { "memory grown and shrunk (mremap)", NULL, 0, set_up_grown, check_grown,
        step_grown },
    { "memory moved away and back (mremap)", NULL, 0, set_up_halves, check_halves,
        step_halves },
};

AREA(area_moved, "Memory moved", rows);
