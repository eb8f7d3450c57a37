/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check_agent_health.c - the verdict of a node on itself, one threshold a row. */
#include "agent/core/health.h"
#include "agent/core/watch.h"
#include "tests/suite.h"

#include <stdlib.h>
#include <string.h>

/* clang-format off */
static const struct {
    const char *claim;
    int64_t reading[7]; /* load, memory, disk, devices, sockmigd, basculed, corosync */
    enum health verdict;
    const char *reason;
    enum health_reading other; /* one more, and its value */
    int64_t value;
} rows[] = {
    { "all is well",                 { 10, 50, 50, 0, 0, 0, 0 }, HEALTH_OK, "", 0, 0 },
    { "what is not known decides nothing", { -1, -1, -1, -1, -1, -1, -1 }, HEALTH_OK, "", 0, 0 },
    { "a load at the limit is well", { 800, 50, 50, 0, 0, 0, 0 }, HEALTH_OK, "", 0, 0 },
    { "a load above it degrades",    { 801, 50, 50, 0, 0, 0, 0 }, HEALTH_DEGRADED,
        "load: 801 % of the processors, above 800 %", 0, 0 },
    { "memory at the limit is well", { 10, 10, 50, 0, 0, 0, 0 }, HEALTH_OK, "", 0, 0 },
    { "little memory degrades",      { 10, 9, 50, 0, 0, 0, 0 }, HEALTH_DEGRADED,
        "memory available: 9 %, below 10 %", 0, 0 },
    { "hardly any memory fails",     { 10, 1, 50, 0, 0, 0, 0 }, HEALTH_FAILED,
        "memory available: 1 %, below 2 %", 0, 0 },
    { "little disk degrades",        { 10, 50, 4, 0, 0, 0, 0 }, HEALTH_DEGRADED,
        "journal's disk free: 4 %, below 5 %", 0, 0 },
    { "a full disk fails",           { 10, 50, 0, 0, 0, 0, 0 }, HEALTH_FAILED,
        "journal's disk free: 0 %, below 1 %", 0, 0 },
    { "a device that is down fails", { 10, 50, 50, 2, 0, 0, 0 }, HEALTH_FAILED,
        "devices of services down or missing: 2", 0, 0 },
    { "an engine away fails",        { 10, 50, 50, 0, 1, 0, 0 }, HEALTH_FAILED, "sockmigd does not answer", 0, 0 },
    { "a supervisor away fails",     { 10, 50, 50, 0, 0, 1, 0 }, HEALTH_FAILED, "basculed does not answer", 0, 0 },
    { "no membership fails",         { 10, 50, 50, 0, 0, 0, 1 }, HEALTH_FAILED, "corosync does not answer", 0, 0 },
    { "the worst decides, and is all the reason names", { 900, 5, 4, 0, 1, 0, 0 }, HEALTH_FAILED,
        "sockmigd does not answer", 0, 0 },
    { "all findings of one severity are named", { 900, 5, 50, 0, 0, 0, 0 }, HEALTH_DEGRADED,
        "load: 900 % of the processors, above 800 %; memory available: 5 %, below 10 %", 0, 0 },
#define WELL { 10, 50, 50, 0, 0, 0, 0 }
    { "a disk that can only be read fails", WELL, HEALTH_FAILED, "disks that can only be read: 1", HEALTH_READ_ONLY, 1 },
    { "few inodes degrade", WELL, HEALTH_DEGRADED, "inodes free: 4 %, below 5 %", HEALTH_INODES, 4 },
    { "no inodes fail", WELL, HEALTH_FAILED, "inodes free: 0 %, below 1 %", HEALTH_INODES, 0 },
    { "an I/O error degrades", WELL, HEALTH_DEGRADED, "errors of disks: 3", HEALTH_DISK_ERRORS, 3 },
    { "an alarm degrades", WELL, HEALTH_DEGRADED, "alarms of sensors: 1", HEALTH_SENSORS, 1 },
    { "a hardware error degrades", WELL, HEALTH_DEGRADED, "hardware errors in the kernel's log: 2", HEALTH_HARDWARE, 2 },
    { "memory pressure at the limit is well", WELL, HEALTH_OK, "", HEALTH_PRESSURE_MEMORY, 30 },
    { "above it degrades", WELL, HEALTH_DEGRADED, "all wait for memory: 31 % of the time, above 30 %", HEALTH_PRESSURE_MEMORY, 31 },
    { "I/O pressure degrades", WELL, HEALTH_DEGRADED, "all wait for I/O: 99 % of the time, above 80 %", HEALTH_PRESSURE_IO, 99 },
    { "a free-running clock degrades", WELL, HEALTH_DEGRADED, "the clock is not synchronised", HEALTH_CLOCK, 1 },
    { "descriptors run out", WELL, HEALTH_DEGRADED, "descriptors of a process: 95 % of its limit, above 90 %", HEALTH_DESCRIPTORS, 95 },
    { "a journal that can be written is well", WELL, HEALTH_OK, "", HEALTH_JOURNAL, 0 },
    { "one that cannot degrades", WELL, HEALTH_DEGRADED, "the journal cannot be written: see `bascule status`", HEALTH_JOURNAL, 1 },
    { "a program that is missing fails", WELL, HEALTH_FAILED, "programs of services that are not installed: 1", HEALTH_PROGRAMS, 1 },
};
/* clang-format on */

START_TEST(judge)
{
    struct health_facts f = { .broken = NULL };
    char reason[256];
    enum health verdict;

    health_unknown(&f);
    memcpy(f.reading, rows[_i].reading, sizeof rows[_i].reading);
    if (rows[_i].other)
        f.reading[rows[_i].other] = rows[_i].value;
    verdict = health_judge(&f, reason, sizeof reason);
    ck_assert_msg(
        verdict == rows[_i].verdict, "%s: verdict %d", rows[_i].claim, verdict);
    ck_assert_msg(
        strcmp(reason, rows[_i].reason) == 0, "%s: \"%s\"", rows[_i].claim, reason);
}
END_TEST

START_TEST(reason_is_cut_to_fit)
{
    static const int64_t away[] = { 10, 50, 50, 0, 1, 1, 1 };
    struct health_facts f;
    char reason[16 + 1];

    health_unknown(&f);
    memcpy(f.reading, away, sizeof away);

    reason[16] = 'x';
    ck_assert_int_eq(health_judge(&f, reason, 16), HEALTH_FAILED);
    ck_assert_str_eq(reason, "sockmigd does n");
    ck_assert_int_eq(reason[16], 'x');
}
END_TEST

START_TEST(findings_add_up)
{
    char reason[64] = "";
    enum health h = HEALTH_OK;

    health_add(&h, reason, sizeof reason, HEALTH_OK, "nothing");
    ck_assert_str_eq(reason, "");
    health_add(&h, reason, sizeof reason, HEALTH_DEGRADED, "a");
    health_add(&h, reason, sizeof reason, HEALTH_DEGRADED, "b");
    ck_assert_str_eq(reason, "a; b");
    health_add(&h, reason, sizeof reason, HEALTH_FAILED, "c");
    health_add(&h, reason, sizeof reason, HEALTH_DEGRADED, "d");
    ck_assert_int_eq(h, HEALTH_FAILED);
    ck_assert_str_eq(reason, "c");
}
END_TEST

/* A watch, told what happens at which millisecond. */
static struct watch watch;
static const struct watch_conf conf = { 1000, 500, 2, 3 };

static struct mono
ms(int64_t t)
{
    return (struct mono){ t * 1000 };
}

static enum health
read_at(int64_t t, enum health h)
{
    watch_begin(&watch, ms(t));
    watch_end(&watch, &conf, ms(t + 10), WATCH_READ, h);
    return watch.health;
}

START_TEST(verdicts_change_when_readings_insist)
{
    memset(&watch, 0, sizeof watch);
    ck_assert_msg(read_at(0, HEALTH_OK) == HEALTH_OK, "the first reading decides");
    ck_assert_int_eq(read_at(1000, HEALTH_FAILED), HEALTH_OK);
    ck_assert_msg(read_at(2000, HEALTH_OK) == HEALTH_OK, "one outlier counts");
    ck_assert_int_eq(read_at(3000, HEALTH_FAILED), HEALTH_OK);
    ck_assert_msg(read_at(4000, HEALTH_FAILED) == HEALTH_FAILED, "two are enough");
    read_at(5000, HEALTH_OK);
    ck_assert_int_eq(read_at(6000, HEALTH_OK), HEALTH_FAILED);
    read_at(7000, HEALTH_DEGRADED);
    read_at(8000, HEALTH_OK);
    ck_assert_msg(
        read_at(9000, HEALTH_OK) == HEALTH_FAILED, "better needs three in a row");
    ck_assert_int_eq(read_at(10000, HEALTH_OK), HEALTH_OK);
}
END_TEST

START_TEST(what_hangs_is_told)
{
    memset(&watch, 0, sizeof watch);
    ck_assert_int_eq(watch_due(&watch, &conf).us, 0);
    ck_assert_int_eq(watch_look(&watch, &conf, ms(5)), WATCH_UNKNOWN);
    read_at(0, HEALTH_OK);
    ck_assert_int_eq(watch_due(&watch, &conf).us, ms(1000).us);
    watch_begin(&watch, ms(1000));
    ck_assert_int_eq(watch_due(&watch, &conf).us, INT64_MAX);
    ck_assert_int_eq(watch_limit(&watch, &conf).us, ms(1500).us);
    ck_assert_int_eq(watch_look(&watch, &conf, ms(1500)), WATCH_OK);
    ck_assert_int_eq(watch_look(&watch, &conf, ms(1501)), WATCH_HUNG);
    ck_assert_int_eq(watch_look(&watch, &conf, ms(9000)), WATCH_HUNG);
    ck_assert_msg(watch.timeouts == 1, "one time-out counts %u times", watch.timeouts);
    ck_assert_int_eq(watch_limit(&watch, &conf).us, INT64_MAX);
    watch_end(&watch, &conf, ms(9000), WATCH_ERROR, HEALTH_UNKNOWN);
    ck_assert_int_eq(watch_look(&watch, &conf, ms(9000)), WATCH_FAILED);
    ck_assert_uint_eq(watch.failures, 1);
    ck_assert_msg(watch.health == HEALTH_OK, "a failed reading is a verdict");
    read_at(10000, HEALTH_OK);
    ck_assert_int_eq(watch_look(&watch, &conf, ms(13510)), WATCH_OK);
    ck_assert_int_eq(watch_look(&watch, &conf, ms(13511)), WATCH_STALE);
    watch_begin(&watch, ms(14000));
    watch_end(&watch, &conf, ms(14000), WATCH_NOTHING, HEALTH_UNKNOWN);
    ck_assert_int_eq(watch_look(&watch, &conf, ms(14000)), WATCH_OFF);
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
    TCase *tc = tcase_create("health");

    ADD_ROWS(tc, judge, rows);
    tcase_add_test(tc, reason_is_cut_to_fit);
    tcase_add_test(tc, findings_add_up);
    tcase_add_test(tc, verdicts_change_when_readings_insist);
    tcase_add_test(tc, what_hangs_is_told);
    tcase_add_test(tc, broken_comes_first);
    return suite_run("agent-health", tc, NULL);
}
