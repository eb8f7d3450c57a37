/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check_hot.c - pages that are written always, by this process's own memory. */
#include "sockmig/ckpt/memory_hot.h"

#include "sockmig/core/image.h"
#include "tests/suite.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGES 4096u

static struct memory_hot *hot;
static uint8_t *memory;
static uint64_t scans;

static void
set_up(void)
{
    memory = mmap(NULL, (size_t)PAGES * IMAGE_PAGE, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    hot = hot_new();
    scans = 0;
    ck_assert(memory != MAP_FAILED && hot);
}

static void
tear_down(void)
{
    munmap(memory, (size_t)PAGES * IMAGE_PAGE);
    hot_free(hot);
}

static uint64_t
address(unsigned page)
{
    return (uint64_t)(uintptr_t)memory + (uint64_t)page * IMAGE_PAGE;
}

/* A scan that reports @page only. */
static enum hot_verdict
scan(unsigned page)
{
    struct page_region r = { address(page), address(page + 1), 0 };

    hot_begin(hot, getpid(), ++scans);
    hot_load(hot, &r, 1);
    return hot_page(hot, address(page));
}

static void
heat(unsigned page)
{
    for (int i = 1; i < HOT_STREAK; i++)
        ck_assert_int_eq(scan(page), HOT_COLD);
    ck_assert_int_eq(scan(page), HOT_CHANGED);
}

START_TEST(is_hot_after_a_streak)
{
    heat(3);
    ck_assert_int_eq(scan(3), HOT_SAME);
    memory[3 * IMAGE_PAGE + 17] = 1;
    ck_assert_int_eq(scan(3), HOT_CHANGED);
    ck_assert_int_eq(scan(3), HOT_SAME);
}
END_TEST

START_TEST(a_gap_ends_the_streak)
{
    for (int i = 1; i < HOT_STREAK; i++)
        scan(3);
    scans++;
    ck_assert_int_eq(scan(3), HOT_COLD);
}
END_TEST

/* From a change on it has all its patience again. */
START_TEST(cools_when_it_rests)
{
    heat(3);
    for (int i = 1; i < HOT_PATIENCE; i++)
        ck_assert_int_eq(scan(3), HOT_SAME);
    memory[3 * IMAGE_PAGE]++;
    ck_assert_int_eq(scan(3), HOT_CHANGED);
    for (int i = 1; i < HOT_PATIENCE; i++)
        ck_assert_int_eq(scan(3), HOT_SAME);
    ck_assert_int_eq(scan(3), HOT_COOLS);
    ck_assert_int_eq(scan(3), HOT_COLD);
}
END_TEST

/* What is compared with must be what was sent, or a change and its undoing between two
 * checkpoints would not be. */
START_TEST(forgets)
{
    heat(3);
    hot_clear(hot);
    ck_assert_int_eq(scan(3), HOT_COLD);
    heat(5);
    hot_skip(hot, address(0), address(5));
    ck_assert_int_eq(scan(5), HOT_SAME);
    hot_skip(hot, address(5), address(6));
    ck_assert_int_eq(scan(5), HOT_COLD);
}
END_TEST

START_TEST(cannot_be_read)
{
    heat(3);
    heat(5);
    munmap(memory + 3 * IMAGE_PAGE, IMAGE_PAGE);
    ck_assert_int_eq(scan(3), HOT_COLD);
    ck_assert_int_eq(scan(5), HOT_COLD);
}
END_TEST

/* More than there is room for are sent as ever, and those that are hot stay so. */
START_TEST(is_full)
{
    unsigned n = 0, same = 0;

    for (int round = 0; round < HOT_STREAK; round++) {
        hot_begin(hot, getpid(), ++scans);
        for (unsigned i = 0; i < PAGES; i++)
            n += hot_page(hot, address(i)) == HOT_CHANGED;
    }
    ck_assert_uint_le(n, HOT_PAGES);
    ck_assert_uint_gt(n, HOT_PAGES / 2);
    hot_begin(hot, getpid(), ++scans);
    for (unsigned i = 0; i < PAGES; i += HOT_REGION) {
        struct page_region r = { address(i), address(i + HOT_REGION), 0 };

        ck_assert(hot_takes(&r));
        hot_load(hot, &r, 1);
        for (unsigned k = i; k < i + HOT_REGION; k++)
            same += hot_page(hot, address(k)) == HOT_SAME;
    }
    ck_assert_uint_eq(same, n);
}
END_TEST

int
main(void)
{
    TCase *tc = tcase_create("hot");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, is_hot_after_a_streak);
    tcase_add_test(tc, a_gap_ends_the_streak);
    tcase_add_test(tc, cools_when_it_rests);
    tcase_add_test(tc, forgets);
    tcase_add_test(tc, cannot_be_read);
    tcase_add_test(tc, is_full);
    return suite_run("hot pages", tc, NULL);
}
