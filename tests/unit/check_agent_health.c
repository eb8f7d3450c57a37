/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check_agent_health.c - the verdict of a node on itself, one threshold a row. */
#include "agent/core/health.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* clang-format off */
static const struct {
    const char *claim;
    int64_t reading[HEALTH_NREADINGS]; /* load, memory, disk, devices, sockmigd, basculed, corosync */
    enum health verdict;
    const char *reason;
} rows[] = {
    { "all is well",                 { 10, 50, 50, 0, 0, 0, 0 }, HEALTH_OK, "" },
    { "what is not known decides nothing", { -1, -1, -1, -1, -1, -1, -1 }, HEALTH_OK, "" },
    { "a load at the limit is well", { 800, 50, 50, 0, 0, 0, 0 }, HEALTH_OK, "" },
    { "a load above it degrades",    { 801, 50, 50, 0, 0, 0, 0 }, HEALTH_DEGRADED,
        "load: 801 % of the processors, above 800 %" },
    { "memory at the limit is well", { 10, 10, 50, 0, 0, 0, 0 }, HEALTH_OK, "" },
    { "little memory degrades",      { 10, 9, 50, 0, 0, 0, 0 }, HEALTH_DEGRADED,
        "memory available: 9 %, below 10 %" },
    { "hardly any memory fails",     { 10, 1, 50, 0, 0, 0, 0 }, HEALTH_FAILED,
        "memory available: 1 %, below 2 %" },
    { "little disk degrades",        { 10, 50, 4, 0, 0, 0, 0 }, HEALTH_DEGRADED,
        "journal's disk free: 4 %, below 5 %" },
    { "a full disk fails",           { 10, 50, 0, 0, 0, 0, 0 }, HEALTH_FAILED,
        "journal's disk free: 0 %, below 1 %" },
    { "a device that is down fails", { 10, 50, 50, 2, 0, 0, 0 }, HEALTH_FAILED,
        "devices of services down or missing: 2" },
    { "an engine away fails",        { 10, 50, 50, 0, 1, 0, 0 }, HEALTH_FAILED, "sockmigd does not answer" },
    { "a supervisor away fails",     { 10, 50, 50, 0, 0, 1, 0 }, HEALTH_FAILED, "basculed does not answer" },
    { "no membership fails",         { 10, 50, 50, 0, 0, 0, 1 }, HEALTH_FAILED, "corosync does not answer" },
    { "the worst decides, and is all the reason names", { 900, 5, 4, 0, 1, 0, 0 }, HEALTH_FAILED,
        "sockmigd does not answer" },
    { "all findings of one severity are named", { 900, 5, 50, 0, 0, 0, 0 }, HEALTH_DEGRADED,
        "load: 900 % of the processors, above 800 %; memory available: 5 %, below 10 %" },
};
/* clang-format on */

START_TEST(judge)
{
    struct health_facts f = { .broken = NULL };
    char reason[256];
    enum health verdict;

    memcpy(f.reading, rows[_i].reading, sizeof f.reading);
    verdict = health_judge(&f, reason, sizeof reason);
    ck_assert_msg(
        verdict == rows[_i].verdict, "%s: verdict %d", rows[_i].claim, verdict);
    ck_assert_msg(
        strcmp(reason, rows[_i].reason) == 0, "%s: \"%s\"", rows[_i].claim, reason);
}
END_TEST

START_TEST(reason_is_cut_to_fit)
{
    struct health_facts f = { .reading = { 10, 50, 50, 0, 1, 1, 1 } };
    char reason[16 + 1];

    reason[16] = 'x';
    ck_assert_int_eq(health_judge(&f, reason, 16), HEALTH_FAILED);
    ck_assert_str_eq(reason, "sockmigd does n");
    ck_assert_int_eq(reason[16], 'x');
}
END_TEST

START_TEST(broken_comes_first)
{
    struct health_facts f = { .broken = "a.conf:3: what is this?",
        .reading = { 900, 50, 50, 0, 1, 1, 1 } };
    char reason[256];

    ck_assert_int_eq(health_judge(&f, reason, sizeof reason), HEALTH_FAILED);
    ck_assert_str_eq(reason, "a.conf:3: what is this?");
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("agent-health");
    TCase *tc = tcase_create("health");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_loop_test(tc, judge, 0, sizeof rows / sizeof rows[0]);
    tcase_add_test(tc, reason_is_cut_to_fit);
    tcase_add_test(tc, broken_comes_first);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
