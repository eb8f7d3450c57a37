/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * moved.c - memory that changes its place (mremap()), at random: what is where is known
 * in usual memory besides. */
#include "tests/features/features.h"
#include "tests/features/mapping.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PLACES 4u
#define PAGES 16u /* of each */
#define SIZE ((size_t)PAGES * PAGE)

struct moved {
    int flags; /* of the mappings */
    uint32_t random, now;
    char *at; /* of all places */
    uint32_t values[PLACES][PAGES];
};

static uint32_t *
word(const struct moved *m, unsigned place, unsigned page)
{
    return (uint32_t *)(void *)(m->at + place * SIZE + (size_t)page * PAGE + 8);
}

static unsigned
dice(struct moved *m, unsigned sides)
{
    m->random = m->random * 1103515245u + 12345u;
    return m->random / 65536 % sides;
}

static bool
map_anew(struct moved *m, unsigned place)
{
    void *at = m->at + place * SIZE;

    memset(m->values[place], 0, sizeof m->values[place]);
    return mmap(at, SIZE, RW, m->flags | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at;
}

/* @from's pages from @page on go to the same pages of @to; new ones are at their place.
 * The kernel may refuse to move several mappings at once, and has unmapped some then.
 */
static void
move(struct moved *m, unsigned from, unsigned to, unsigned page)
{
    size_t offset = (size_t)page * PAGE, size = SIZE - offset;
    char *a = m->at + from * SIZE + offset, *b = m->at + to * SIZE + offset;

    if (from == to)
        return;
    if (mremap(a, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, b) == MAP_FAILED) {
        if (!map_anew(m, from) || !map_anew(m, to))
            abort();
        return;
    }
    memcpy(&m->values[to][page], &m->values[from][page],
        (PAGES - page) * sizeof(uint32_t));
    memset(&m->values[from][page], 0, (PAGES - page) * sizeof(uint32_t));
    if (mmap(a, size, RW, m->flags | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != a)
        abort();
}

static void
step(struct moved *m)
{
    unsigned place = dice(m, PLACES), page = dice(m, PAGES), other = dice(m, PLACES);

    if (dice(m, 4) > 0)
        *word(m, place, page) = m->values[place][page] = ++m->now;
    else
        move(m, place, other, dice(m, 2) > 0 ? 0 : page);
}

static const char *
set_up(struct moved *m)
{
    m->at = mapping_new(PLACES * PAGES, PROT_NONE, MAP_PRIVATE);
    WANT(m->at != MAP_FAILED);
    for (unsigned i = 0; i < PLACES; i++)
        WANT(map_anew(m, i));
    for (unsigned i = 0; i < 20; i++)
        step(m);
    return NULL;
}

static const char *
check(const struct moved *m)
{
    for (unsigned place = 0; place < PLACES; place++)
        for (unsigned page = 0; page < PAGES; page++)
            WANT(*word(m, place, page) == m->values[place][page]);
    return NULL;
}

static struct moved own = { .flags = MAP_PRIVATE, .random = 2 };
static struct moved shared = { .flags = MAP_SHARED, .random = 4 };

static const char *
set_up_own(void)
{
    return set_up(&own);
}

static const char *
check_own(void)
{
    return check(&own);
}

static void
step_own(void)
{
    step(&own);
}

static const char *
set_up_shared(void)
{
    return set_up(&shared);
}

static const char *
check_shared(void)
{
    return check(&shared);
}

static void
step_shared(void)
{
    step(&shared);
}

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
    { "private memory moved (mremap)", NULL, 0, set_up_own, check_own, step_own },
    { "shared memory moved (mremap)", NULL, 0, set_up_shared, check_shared,
        step_shared },
    { "memory grown and shrunk (mremap)", NULL, 0, set_up_grown, check_grown,
        step_grown },
    { "memory moved away and back (mremap)", NULL, 0, set_up_halves, check_halves,
        step_halves },
};

AREA(area_moved, "Memory moved", rows);
