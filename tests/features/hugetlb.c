/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * hugetlb.c - huge pages that the operator has set aside. */
#include "tests/features/features.h"
#include "tests/features/given_back.h"
#include "tests/features/mapping.h"

#include <unistd.h>

#define HUGE_PAGE (2u << 20)

static struct given_back own = { .page = HUGE_PAGE,
    .flags = MAP_PRIVATE | MAP_HUGETLB,
    .advice = MADV_DONTNEED,
    .random = 1 };
static struct given_back shared = { .page = HUGE_PAGE,
    .flags = MAP_SHARED | MAP_HUGETLB,
    .advice = MADV_REMOVE,
    .random = 7 };

static const char *
set_up_own(void)
{
    return given_back_set_up(&own);
}

static const char *
check_own(void)
{
    WANT(mapping_has(own.at, "ht"));
    return given_back_check(&own);
}

static void
step_own(void)
{
    given_back_step(&own);
}

static const char *
set_up_shared(void)
{
    return given_back_set_up(&shared);
}

static const char *
check_shared(void)
{
    WANT(mapping_has(shared.at, "ht"));
    return given_back_check(&shared);
}

static void
step_shared(void)
{
    given_back_step(&shared);
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
