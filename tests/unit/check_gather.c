/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check_gather.c - who is waited for, and when processors are kept awake: one claim a
 * test. */
#include "sockmig/core/awake.h"
#include "sockmig/core/gather.h"
#include "tests/suite.h"

START_TEST(gather_waits_for_a_crowd)
{
    struct gather g = { 0 };
    struct gather_seen seen = { .in = 1, .crowd = 20 };

    ck_assert_int_eq(gather_turn(&g, &seen), GATHER_REST);
    seen.in = 19;
    ck_assert_int_eq(gather_turn(&g, &seen), GATHER_REST);
    seen.in = 20;
    ck_assert_int_eq(gather_turn(&g, &seen), GATHER_GO);
    ck_assert_int_eq(gather_turn(&g, &seen), GATHER_LISTEN);
    seen.out = 19;
    ck_assert_msg(gather_turn(&g, &seen) == GATHER_REST, "their answers are one, too");
    seen.out = 20;
    seen.complete = true;
    ck_assert_int_eq(gather_turn(&g, &seen), GATHER_GO);
    ck_assert_msg(gather_turn(&g, &seen) == GATHER_LISTEN, "all was acted on");
}
END_TEST

START_TEST(gather_waits_no_longer_than_a_while)
{
    struct gather g = { 0 };
    struct gather_seen seen = { .in = 1, .crowd = 20 };
    unsigned waited_us = 0;

    for (int round = 0; round < 2; round++, seen.in++, waited_us = 0) {
        while (gather_turn(&g, &seen) == GATHER_REST)
            waited_us += g.rest_us;
        ck_assert_uint_eq(waited_us, 1000);
        ck_assert_int_eq(gather_turn(&g, &seen), GATHER_LISTEN);
    }
}
END_TEST

START_TEST(gather_keeps_nobody_who_is_alone)
{
    struct gather g = { 0 };
    struct gather_seen seen = { .in = 1 };

    ck_assert_int_eq(gather_turn(&g, &seen), GATHER_GO);
    seen.out = 1;
    ck_assert_int_eq(gather_turn(&g, &seen), GATHER_GO);
    ck_assert_int_eq(gather_turn(&g, &seen), GATHER_LISTEN);
}
END_TEST

static unsigned
rest_us(uint32_t crowd, bool brief)
{
    struct gather g = { 0 };

    gather_turn(&g, &(struct gather_seen){ .in = 1, .crowd = crowd, .brief = brief });
    return g.rest_us;
}

START_TEST(gather_rests_as_a_crowd_needs)
{
    ck_assert_uint_eq(rest_us(4, false), 250);
    ck_assert_uint_eq(rest_us(40, false), 480);
    ck_assert_uint_eq(rest_us(100, false), 1000);
    ck_assert_uint_eq(rest_us(UINT32_MAX, false), 1000);
    ck_assert_uint_eq(rest_us(2, true), 30);
    ck_assert_msg(rest_us(10, true) == 80, "before anything is learned");
    ck_assert_uint_eq(rest_us(UINT32_MAX, true), 500);
}
END_TEST

START_TEST(gather_rests_once_for_the_log)
{
    struct gather g = { 0 };
    struct gather_seen seen = { .in = 1, .crowd = 20, .brief = true };

    ck_assert_int_eq(gather_turn(&g, &seen), GATHER_REST);
    seen.out = 3;
    ck_assert_int_eq(gather_turn(&g, &seen), GATHER_GO);
    ck_assert_int_eq(gather_turn(&g, &seen), GATHER_LISTEN);
}
END_TEST

/* Every so many rests one comes in two parts. */
START_TEST(gather_learns_how_long_a_burst_is)
{
    struct gather g = { 0 };
    struct gather_seen seen = { .crowd = 20, .brief = true };
    unsigned waited_us[2] = { 0 };

    for (int i = 0; i < 1000; i++) {
        waited_us[0] = waited_us[1];
        waited_us[1] = 0;
        seen.in += 10; /* all at once */
        while (gather_turn(&g, &seen) == GATHER_REST)
            waited_us[1] += g.rest_us;
    }
    ck_assert_msg(waited_us[1] < 120 && waited_us[1] == waited_us[0], "%u, %u us",
        waited_us[0], waited_us[1]);
}
END_TEST

START_TEST(gather_round_is_for_a_crowd)
{
    ck_assert_msg(!gather_round(1, GATHER_CROWD - 1), "nobody waits for a few");
    ck_assert(gather_round(1, GATHER_CROWD));
    ck_assert_msg(!gather_round(0, 100), "there is nothing to wait for");
    ck_assert(gather_round(GATHER_BULK - 1, GATHER_CROWD));
    ck_assert_msg(!gather_round(GATHER_BULK, 100), "what is large is not kept");
}
END_TEST

START_TEST(gather_keeps_nothing_large)
{
    struct gather g = { 0 };
    struct gather_seen seen = {
        .in = 1, .crowd = 20, .brief = true, .unstable = GATHER_BULK - 1
    };

    ck_assert_int_eq(gather_turn(&g, &seen), GATHER_REST);
    seen.unstable = GATHER_BULK;
    ck_assert_int_eq(gather_turn(&g, &seen), GATHER_GO);
    ck_assert_int_eq(gather_turn(&g, &seen), GATHER_LISTEN);
    seen.brief = false;
    seen.in++;
    ck_assert_msg(gather_turn(&g, &seen) == GATHER_REST, "they wait for a checkpoint");
}
END_TEST

START_TEST(datagrams_ask_while_many_come)
{
    struct datagrams d = { 0 };

    for (int i = 0; i < 1000; i++)
        datagrams_in(&d);
    ck_assert_msg(datagrams_asking(&d) == 0, "how many come is not known yet");
    datagrams_tick(&d);
    ck_assert_msg(datagrams_asking(&d) == 5, "half of 10 a ms");
    for (int i = 0; i < 64; i++)
        datagrams_out(&d);
    ck_assert_msg(datagrams_asking(&d) == 0, "all were answered, or forgotten");
    datagrams_in(&d);
    datagrams_in(&d);
    ck_assert_msg(datagrams_asking(&d) == 2, "no more than there are");
    datagrams_tick(&d);
    ck_assert_msg(datagrams_asking(&d) == 0, "they come no more");
}
END_TEST

START_TEST(datagrams_of_one_client_wait_for_nobody)
{
    struct datagrams d = { 0 };

    for (int tick = 0; tick < 3; tick++, datagrams_tick(&d))
        for (int i = 0; i < 2000; i++) {
            datagrams_in(&d);
            ck_assert_uint_lt(datagrams_asking(&d), GATHER_CROWD);
            datagrams_out(&d);
        }
}
END_TEST

START_TEST(awake_while_packets_come)
{
    struct awake a = { 0 };
    uint64_t packets = 0;

    ck_assert_msg(!awake_turn(&a, packets += AWAKE_BUSY - 1), "too few");
    ck_assert(awake_turn(&a, packets += AWAKE_BUSY));
    for (unsigned i = 0; i < 3 * AWAKE_TURNS; i++)
        ck_assert_msg(
            awake_turn(&a, packets += AWAKE_QUIET + 1), "some are enough to go on");
    for (unsigned i = 1; i < AWAKE_TURNS; i++)
        ck_assert_msg(awake_turn(&a, packets += AWAKE_QUIET), "not asleep at once");
    ck_assert(awake_turn(&a, packets += AWAKE_QUIET + 1));
    for (unsigned i = 1; i < AWAKE_TURNS; i++)
        ck_assert_msg(awake_turn(&a, packets), "the count of quiet turns begins anew");
    ck_assert_msg(!awake_turn(&a, packets), "but in the end");
}
END_TEST

START_TEST(awake_counts_anew_with_a_reign)
{
    struct awake a = { 0 };

    awake_turn(&a, 1000000);
    for (unsigned i = 0; i < AWAKE_TURNS; i++)
        awake_turn(&a, 1000000);
    ck_assert(!a.on);
    ck_assert_msg(!awake_turn(&a, 3), "not as many as were there before");
    ck_assert(awake_turn(&a, 3 + AWAKE_BUSY));
}
END_TEST

int
main(void)
{
    TCase *tc = tcase_create("all");

    tcase_add_test(tc, gather_waits_for_a_crowd);
    tcase_add_test(tc, gather_waits_no_longer_than_a_while);
    tcase_add_test(tc, gather_keeps_nobody_who_is_alone);
    tcase_add_test(tc, gather_rests_as_a_crowd_needs);
    tcase_add_test(tc, gather_rests_once_for_the_log);
    tcase_add_test(tc, gather_learns_how_long_a_burst_is);
    tcase_add_test(tc, gather_round_is_for_a_crowd);
    tcase_add_test(tc, gather_keeps_nothing_large);
    tcase_add_test(tc, datagrams_ask_while_many_come);
    tcase_add_test(tc, datagrams_of_one_client_wait_for_nobody);
    tcase_add_test(tc, awake_while_packets_come);
    tcase_add_test(tc, awake_counts_anew_with_a_reign);
    return suite_run("gather", tc, NULL);
}
