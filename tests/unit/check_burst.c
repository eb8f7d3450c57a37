/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check_burst.c - how long a crowd is waited for: one claim a test. */
#include "sockmig/core/burst.h"
#include "tests/suite.h"

#define CROWD 20

struct crowd {
    struct burst burst;
    uint64_t packets;
    uint32_t each_us; /* one comes so often; and nobody after the last of CROWD */
    bool endless;     /* but they go on and on */
};

static void
wait_us(struct crowd *c, uint32_t *waited_us, uint32_t us)
{
    uint32_t before = *waited_us / c->each_us, after = (*waited_us + us) / c->each_us;
    uint32_t most = c->endless ? UINT32_MAX : CROWD;

    *waited_us += us;
    c->packets += (after < most ? after : most) - (before < most ? before : most);
}

/* How long a wait is, after @waits of them. */
static uint32_t
learn(struct crowd *c, int waits)
{
    uint32_t waited_us = 0;

    for (int i = 0; i < waits; i++) {
        uint32_t us = burst_begin(&c->burst, CROWD, c->packets);

        waited_us = 0;
        wait_us(c, &waited_us, us);
        while ((us = burst_more(&c->burst, c->packets, false)) > 0)
            wait_us(c, &waited_us, us);
    }
    return waited_us;
}

START_TEST(burst_waits_as_long_as_a_crowd_takes)
{
    for (uint32_t each_us = 5; each_us <= 10; each_us++) {
        struct crowd c = { .each_us = each_us };
        uint32_t us = learn(&c, 4000), burst_us = CROWD * each_us;

        ck_assert_msg(us * 10 >= burst_us * 9 && us * 10 <= burst_us * 13,
            "%u us for a burst of %u", us, burst_us);
    }
}
END_TEST

START_TEST(burst_follows_the_machine)
{
    struct crowd c = { .each_us = 6 };
    uint32_t quick_us = learn(&c, 4000), slow_us;

    c.each_us = 10;
    slow_us = learn(&c, 4000);
    ck_assert_msg(slow_us * 2 > quick_us * 3, "%u, %u us", slow_us, quick_us);
    c.each_us = 6;
    ck_assert_uint_le(learn(&c, 4000), quick_us + CROWD / 2);
}
END_TEST

START_TEST(burst_has_its_bounds)
{
    struct crowd quick = { .each_us = 1 }, endless = { .each_us = 4, .endless = true };
    struct burst b = { 0 };

    ck_assert_uint_le(learn(&quick, 20000), 5 * CROWD + CROWD / 4);
    ck_assert_uint_ge(learn(&quick, 20000), 5 * CROWD);
    ck_assert_uint_le(learn(&endless, 20000), 12 * CROWD);
    ck_assert_uint_ge(learn(&endless, 20000), 11 * CROWD);
    ck_assert_uint_eq(burst_begin(&b, 1, 0), BURST_LEAST_US);
    ck_assert_uint_eq(burst_begin(&b, UINT32_MAX, 0), BURST_MOST_US);
}
END_TEST

START_TEST(burst_looks_at_few)
{
    struct crowd c = { .each_us = 4 };
    int looks = 0;

    for (int i = 0; i < 100 * BURST_LOOK_EVERY; i++) {
        burst_begin(&c.burst, CROWD, 0);
        if (burst_more(&c.burst, 10, false) > 0) {
            looks++;
            ck_assert_msg(burst_more(&c.burst, 12, false) == 0, "it has two parts");
        }
    }
    ck_assert_int_eq(looks, 100);
}
END_TEST

/* The next wait is looked at. */
static void
begin_looked_at(struct burst *b)
{
    while (burst_begin(b, CROWD, 0) && b->part == BURST_WAIT)
        ck_assert_uint_eq(burst_more(b, 0, false), 0);
}

START_TEST(burst_learns_nothing_from_one_that_was_cut)
{
    struct burst b = { 0 };

    begin_looked_at(&b);
    ck_assert_msg(burst_more(&b, 10, true) == 0, "it is over");
    begin_looked_at(&b);
    ck_assert_uint_gt(burst_more(&b, 10, false), 0);
    ck_assert_uint_eq(burst_more(&b, 12, true), 0);
    ck_assert_msg(b.looks == 0 && b.head == 0 && b.tail == 0, "not counted");
}
END_TEST

START_TEST(burst_concludes_from_many)
{
    struct crowd c = { .each_us = 4 };
    uint32_t first_us = learn(&c, 1);

    ck_assert_uint_eq(learn(&c, BURST_LOOK_EVERY * (BURST_LOOKS - 1)), first_us);
    ck_assert_uint_lt(learn(&c, BURST_LOOK_EVERY + 1), first_us);
}
END_TEST

int
main(void)
{
    TCase *tc = tcase_create("all");

    tcase_add_test(tc, burst_waits_as_long_as_a_crowd_takes);
    tcase_add_test(tc, burst_follows_the_machine);
    tcase_add_test(tc, burst_has_its_bounds);
    tcase_add_test(tc, burst_looks_at_few);
    tcase_add_test(tc, burst_learns_nothing_from_one_that_was_cut);
    tcase_add_test(tc, burst_concludes_from_many);
    return suite_run("burst", tc, NULL);
}
