/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * hugetlb.c - huge pages that the operator has set aside. */
#include "tests/features/features.h"
#include "tests/features/mapping.h"

#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define HUGE_PAGE (2u << 20)
#define PAGES 4u
#define SPOTS 5u /* that are looked at in each page */

struct model {
    char *at;
    int give_back; /* advice */
    uint32_t random, now;
    uint32_t values[PAGES][SPOTS]; /* 0: given back, or never touched */
};

static struct model own = { .give_back = MADV_DONTNEED, .random = 1 };
static struct model shared = { .give_back = MADV_REMOVE, .random = 7 };

static uint32_t *
spot(const struct model *m, unsigned page, unsigned k)
{
    static const uint32_t offsets[SPOTS] = { 0, 4096, 12300, 1u << 20, HUGE_PAGE - 4 };

    return (uint32_t *)(void *)(m->at + (size_t)page * HUGE_PAGE + offsets[k]);
}

static unsigned
dice(struct model *m, unsigned sides)
{
    m->random = m->random * 1103515245u + 12345u;
    return m->random / 65536 % sides;
}

static void
play(struct model *m)
{
    unsigned page = dice(m, PAGES), k = dice(m, SPOTS);

    if (dice(m, 8) == 0 && madvise(spot(m, page, 0), HUGE_PAGE, m->give_back) == 0) {
        memset(m->values[page], 0, sizeof m->values[page]);
        return;
    }
    *spot(m, page, k) = m->values[page][k] = ++m->now;
}

static const char *
set_up(struct model *m, int flags)
{
    m->at = mmap(
        NULL, PAGES * HUGE_PAGE, RW, flags | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
    if (m->at == MAP_FAILED)
        return "skip: no huge pages";
    for (unsigned i = 0; i < 10; i++)
        play(m);
    return NULL;
}

static const char *
check(const struct model *m)
{
    for (unsigned page = 0; page < PAGES; page++)
        for (unsigned k = 0; k < SPOTS; k++)
            WANT(*spot(m, page, k) == m->values[page][k]);
    WANT(mapping_has(m->at, "ht"));
    return NULL;
}

static const char *
set_up_own(void)
{
    return set_up(&own, MAP_PRIVATE);
}

static const char *
check_own(void)
{
    return check(&own);
}

static void
step_own(void)
{
    play(&own);
}

static const char *
set_up_shared(void)
{
    return set_up(&shared, MAP_SHARED);
}

static const char *
check_shared(void)
{
    return check(&shared);
}

static void
step_shared(void)
{
    play(&shared);
}

/* ---- files of it */

static const char *
set_up_memfd(void)
{
    int fd = memfd_create("huge", MFD_HUGETLB);
    void *p;

    if (fd < 0 || ftruncate(fd, HUGE_PAGE) < 0)
        return "skip: no huge pages";
    p = mmap(NULL, HUGE_PAGE, RW, MAP_SHARED, fd, 0);
    return p == MAP_FAILED ? "skip: no huge pages" : NULL;
}

static const char *
set_up_memfd_closed(void)
{
    int fd = memfd_create("huge", MFD_HUGETLB);
    void *p = MAP_FAILED;

    if (fd >= 0 && ftruncate(fd, HUGE_PAGE) == 0)
        p = mmap(NULL, HUGE_PAGE, RW, MAP_SHARED, fd, 0);
    close(fd);
    return p == MAP_FAILED ? "skip: no huge pages" : NULL;
}

static const struct feature rows[] = {
    { "huge pages of hugetlb, private", NULL, 0, set_up_own, check_own, step_own },
    { "huge pages of hugetlb, shared", NULL, 0, set_up_shared, check_shared,
        step_shared },
    { "memory file of huge pages", "hugetlb", FEATURE_ALONE, set_up_memfd, NULL, NULL },
    { "memory file of huge pages, closed", "hugetlb", FEATURE_ALONE,
        set_up_memfd_closed, NULL, NULL },
};

AREA(area_hugetlb, "Huge pages", rows);
