/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/features/given_back.h"

#include "tests/features/chance.h"
#include "tests/features/features.h"
#include "tests/features/mapping.h"

#include <string.h>

/* From the first word to the last. */
static uint32_t *
spot(const struct given_back *g, unsigned page, unsigned k)
{
    size_t offset = k == 0 ? 0 : (g->page >> (GIVEN_BACK_SPOTS - 1 - k)) - 4;

    return (uint32_t *)(void *)(g->at + page * g->page + offset);
}

void
given_back_step(struct given_back *g)
{
    unsigned page = chance_dice(&g->random, GIVEN_BACK_PAGES),
             k = chance_dice(&g->random, GIVEN_BACK_SPOTS);

    if (chance_dice(&g->random, 4) > 0) {
        *spot(g, page, k) = g->values[page][k] = ++g->now;
        return;
    }
    if (madvise(g->at + page * g->page, g->page, g->advice) < 0)
        return;
    memset(g->values[page], 0, sizeof g->values[page]);
    if (chance_dice(&g->random, 2) > 0)
        (void)*(volatile uint32_t *)spot(g, page, k);
}

const char *
given_back_set_up(struct given_back *g)
{
    g->at = mmap(NULL, GIVEN_BACK_PAGES * g->page, RW, g->flags | MAP_ANONYMOUS, -1, 0);
    if (g->at == MAP_FAILED)
        return "skip: no huge pages";
    for (unsigned i = 0; i < 10; i++)
        given_back_step(g);
    return NULL;
}

const char *
given_back_check(const struct given_back *g)
{
    for (unsigned page = 0; page < GIVEN_BACK_PAGES; page++)
        for (unsigned k = 0; k < GIVEN_BACK_SPOTS; k++)
            WANT(*spot(g, page, k) == g->values[page][k]);
    return NULL;
}

/* ---- rows of usual memory */

static struct given_back pages = {
    .page = PAGE, .flags = MAP_SHARED, .advice = MADV_REMOVE, .random = 3
};
static struct given_back blocks = {
    .page = 16 * PAGE, .flags = MAP_SHARED, .advice = MADV_REMOVE, .random = 5
};
static struct given_back own = {
    .page = 16 * PAGE, .flags = MAP_PRIVATE, .advice = MADV_DONTNEED, .random = 9
};

CHANCE_ROW(given_back, pages)
CHANCE_ROW(given_back, blocks)
CHANCE_ROW(given_back, own)

static const char *
set_up_pages(void)
{
    return given_back_set_up(&pages);
}

static const char *
set_up_blocks(void)
{
    return given_back_set_up(&blocks);
}

static const char *
set_up_own(void)
{
    return given_back_set_up(&own);
}

/* ---- neighbours: what is given back is one range of addresses */

#define SIDE ((size_t)16 * PAGE)

static char *pair; /* shared, then private */
static unsigned turns;

static void
step_pair(void)
{
    turns++;
    if (turns % 2 == 0) {
        memset(pair, 'p', 2 * SIDE);
        return;
    }
    madvise(pair, SIDE, MADV_REMOVE);
    madvise(pair + SIDE, SIDE, MADV_DONTNEED);
}

static const char *
set_up_pair(void)
{
    pair = mapping_new(2 * SIDE / PAGE, RW, MAP_PRIVATE);
    WANT(pair != MAP_FAILED);
    WANT(mmap(pair, SIDE, RW, MAP_FIXED | MAP_SHARED | MAP_ANONYMOUS, -1, 0) == pair);
    memset(pair, 'p', 2 * SIDE);
    return NULL;
}

static const char *
check_pair(void)
{
    for (size_t i = 0; i < 2 * SIDE; i += 512)
        WANT(pair[i] == (turns % 2 ? 0 : 'p'));
    return NULL;
}

static const struct feature rows[] = {
    { "shared pages given back and read again", NULL, 0, set_up_pages, check_pages,
        step_pages },
    { "shared memory given back by many pages", NULL, 0, set_up_blocks, check_blocks,
        step_blocks },
    { "private memory given back by many pages", NULL, 0, set_up_own, check_own,
        step_own },
    { "shared and private memory side by side, given back", NULL, 0, set_up_pair,
        check_pair, step_pair },
};

AREA(area_given_back, "Memory given back", rows);
