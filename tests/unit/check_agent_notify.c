/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check_agent_notify.c - what is notified, how often, and with which objects. */
#include "agent/core/notify.h"
#include "tests/suite.h"
#include "tests/unit/sample_snapshot.h"

#include <string.h>

static struct snapshot before, snap; /* megabytes */

static int64_t now_us = INT64_C(1000000000);

static void
with_state(struct snapshot *s, bool answering, int64_t service, int64_t member)
{
    static struct desk d;

    desk_init(&d, 0);
    sample_snapshot(s, answering, &d);
    s->services.v[0].state = service;
    s->services.v[0].row.known = answering;
    snapshot_text(s->services.v[0].active, SNAP_NAME, "n1");
    s->members.v[0].state = member;
}

START_TEST(changes_are_notified_once)
{
    static struct notify q;
    struct notice n;

    memset(&q, 0, sizeof q);
    with_state(&before, false, 0, 0);
    with_state(&snap, true, 1, 1);
    notify_compare(&q, &before, &snap, true);
    ck_assert_msg(!notify_take(&q, now_us, &n), "the first answer is a change");
    notify_compare(&q, &snap, &snap, true);
    ck_assert_msg(!notify_take(&q, now_us, &n), "no change is a change");
    with_state(&before, true, 3, 2);
    notify_compare(&q, &snap, &before, true);
    ck_assert(notify_take(&q, now_us, &n));
    ck_assert(
        n.kind == NOTICE_SERVICE && n.before == 1 && n.after == 3 && n.number == 1);
    ck_assert_str_eq(n.active, "n1");
    ck_assert(notify_take(&q, now_us, &n));
    ck_assert(n.kind == NOTICE_TAKEOVER_STARTED && n.number == 2);
    ck_assert(notify_take(&q, now_us, &n));
    ck_assert(n.kind == NOTICE_NODE && n.before == 1 && n.after == 2 && n.number == 3);
    ck_assert(!notify_take(&q, now_us, &n));
    ck_assert_uint_eq(q.sent, 3);
}
END_TEST

START_TEST(an_absent_supervisor_is_notified)
{
    static struct notify q;
    struct notice n;

    memset(&q, 0, sizeof q);
    q.armed = true;
    with_state(&before, true, 1, 1);
    with_state(&snap, false, 0, 0);
    notify_compare(&q, &before, &snap, true);
    ck_assert(notify_take(&q, now_us, &n));
    ck_assert(n.before == 1 && n.after == 0 && n.epoch == 0);
    ck_assert_msg(
        n.active[0] == '\0', "an old active node is told as if it were known");
}
END_TEST

/* A burst goes at once, what follows at the pace of the limit. */
START_TEST(the_rate_is_limited)
{
    static struct notify q;
    struct notice n;
    unsigned sent = 0;

    memset(&q, 0, sizeof q);
    q.armed = true;
    with_state(&before, true, 1, 1);
    with_state(&snap, true, 2, 1);
    for (int i = 0; i < NOTIFY_BURST + 5; i++)
        notify_compare(&q, &before, &snap, true);
    while (notify_take(&q, now_us, &n))
        sent++;
    ck_assert_uint_eq(sent, NOTIFY_BURST);
    ck_assert_int_gt(notify_due(&q), now_us);
    ck_assert(!notify_take(&q, notify_due(&q) - 1, &n));
    ck_assert(notify_take(&q, notify_due(&q), &n));
    ck_assert(!notify_take(&q, now_us, &n));
    now_us += INT64_C(1000000000);
}
END_TEST

static void
add_event(struct snapshot *s, uint32_t serial, int64_t severity)
{
    struct event_row *e = snapshot_numbered(s, SNAP_EVENT, serial);

    e->row.known = true;
    e->severity = severity;
    snapshot_text(e->kind, sizeof e->kind, "diverged");
    snapshot_text(e->text, sizeof e->text, "why");
}

/* An event that somebody must act on is told once; what was there at first, what is
 * less bad, and a journal that began anew are not told. */
START_TEST(errors_are_notified)
{
    static struct notify q;
    struct notice n;

    memset(&q, 0, sizeof q);
    q.armed = true;
    with_state(&before, true, 1, 1);
    with_state(&snap, true, 1, 1);
    add_event(&before, 5, 3);
    notify_compare(&q, &snap, &before, true);
    ck_assert_msg(!notify_take(&q, now_us, &n), "the first journal is news");
    add_event(&snap, 5, 3);
    add_event(&snap, 6, 2);
    add_event(&snap, 7, 3);
    notify_compare(&q, &before, &snap, true);
    ck_assert(notify_take(&q, now_us, &n));
    ck_assert(n.kind == NOTICE_EVENT && n.event == 7 && n.severity == 3);
    ck_assert_str_eq(n.word, "diverged");
    ck_assert(!notify_take(&q, now_us, &n));
    notify_compare(&q, &snap, &snap, true);
    ck_assert_msg(!notify_take(&q, now_us, &n), "told twice");
    with_state(&before, true, 1, 1);
    add_event(&before, 1, 3);
    notify_compare(&q, &snap, &before, true);
    ck_assert_msg(!notify_take(&q, now_us, &n), "a new journal is news");
    add_event(&before, 2, 3);
    notify_compare(&q, &before, &before, false);
    ck_assert_msg(!notify_take(&q, now_us, &n), "told though switched off");
}
END_TEST

/* What each notification carries, as BASCULE-CLUSTER-MIB lists it: table and column. */
static const struct {
    enum notice_kind kind;
    unsigned n;
    uint32_t last[3]; /* module, group, column or object of the last one */
} carried[] = {
    { NOTICE_SERVICE, 9, { 4, 3, 4 } },
    { NOTICE_SWITCHOVER_FINISHED, 9, { 4, 3, 4 } },
    { NOTICE_NODE, 7, { 4, 2, 2 } },
    { NOTICE_HEALTH, 7, { 2, 1, 4 } },
    { NOTICE_PROBE, 7, { 2, 9, 6 } },
    { NOTICE_EVENT, 7, { 4, 5, 8 } },
};

START_TEST(notices_carry_their_objects)
{
    struct notice notice = {
        .kind = carried[_i].kind, .row = { .index = { 3 }, .nindex = 1 }, .number = 9
    };
    struct notice_object o[NOTICE_OBJECTS];
    uint32_t kind[4];
    unsigned n = notice_objects(&notice, "n1", kind, o);
    bool scalars = carried[_i].kind == NOTICE_HEALTH;
    const struct notice_object *last = &o[n - 1];

    ck_assert_uint_eq(kind[3], (uint32_t)carried[_i].kind);
    ck_assert_uint_eq(n, carried[_i].n);
    ck_assert_str_eq(o[0].text, "n1");
    ck_assert(o[1].number == 9 && o[1].type == MIB_UNSIGNED);
    ck_assert_uint_eq(last->oid[1], carried[_i].last[0]);
    ck_assert_uint_eq(last->oid[3], carried[_i].last[1]);
    ck_assert_uint_eq(last->oid[scalars ? 4 : 5], carried[_i].last[2]);
    ck_assert_uint_eq(last->oid[last->noid - 1], 3);
}
END_TEST

/* A takeover and a switchover are pairs, with severity and the row of the journal. */
START_TEST(pairs)
{
    static const enum notice_kind want[] = { NOTICE_SERVICE, NOTICE_TAKEOVER_STARTED,
        NOTICE_SERVICE, NOTICE_TAKEOVER_FINISHED, NOTICE_SWITCHOVER_STARTED,
        NOTICE_SWITCHOVER_FINISHED };
    static struct notify q;
    struct event_row *e;
    struct notice n;

    memset(&q, 0, sizeof q);
    q.armed = true;
    with_state(&before, true, 1, 1);
    with_state(&snap, true, 3, 1);
    snapshot_text(snap.services.v[0].name, SNAP_NAME, "redis");
    e = snapshot_numbered(&snap, SNAP_EVENT, 77);
    snapshot_text(e->service, SNAP_NAME, "redis");
    notify_compare(&q, &before, &snap, true);
    notify_compare(&q, &snap, &before, true);
    with_state(&snap, true, 1, 1);
    snap.services.v[0].order = 5;
    notify_compare(&q, &before, &snap, true);
    notify_compare(&q, &snap, &before, true);
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        ck_assert(notify_take(&q, now_us, &n));
        ck_assert_msg(n.kind == want[i], "notice %zu is %d", i, n.kind);
        if (i == 1)
            ck_assert(
                n.event == 77 && n.severity == 2 && n.before == 1 && n.after == 3);
    }
    ck_assert_uint_eq(q.n, 0);
    now_us += INT64_C(1000000000);
}
END_TEST

START_TEST(verdicts_are_notified)
{
    static const uint32_t index[] = { 1, 'p' };
    static struct notify q;
    struct probe_row *probe;
    struct notice n;

    memset(&q, 0, sizeof q);
    q.armed = true;
    with_state(&before, true, 1, 1);
    with_state(&snap, true, 1, 1);
    ((struct node_row *)snapshot_numbered(&before, SNAP_NODE_SCALARS, 0))->health = 1;
    ((struct node_row *)snapshot_numbered(&snap, SNAP_NODE_SCALARS, 0))->health = 3;
    probe = snapshot_blank(&before, SNAP_PROBE, index, 2);
    probe->health = 1;
    probe = snapshot_blank(&snap, SNAP_PROBE, index, 2);
    probe->health = 2;
    notify_compare(&q, &before, &snap, true);
    ck_assert(notify_take(&q, now_us, &n));
    ck_assert(
        n.kind == NOTICE_HEALTH && n.before == 1 && n.after == 3 && n.severity == 3);
    ck_assert(notify_take(&q, now_us, &n));
    ck_assert(
        n.kind == NOTICE_PROBE && n.before == 1 && n.after == 2 && n.severity == 2);
    probe->health = 0; /* it rests */
    notify_compare(&q, &before, &snap, true);
    ck_assert(notify_take(&q, now_us, &n) && n.kind == NOTICE_HEALTH);
    ck_assert(!notify_take(&q, now_us, &n));
}
END_TEST

START_TEST(a_burst_is_dropped_and_counted)
{
    static struct notify q;
    struct notice n;
    uint32_t taken = 0, last = 0;

    memset(&q, 0, sizeof q);
    q.armed = true;
    with_state(&before, true, 1, 1);
    with_state(&snap, true, 2, 1);
    for (int i = 0; i < NOTIFY_QUEUE + 10; i++)
        notify_compare(&q, &before, &snap, true);
    ck_assert_uint_eq(q.dropped, 10);
    for (; q.n; now_us += NOTIFY_SPACING_MS * 1000) {
        ck_assert(notify_take(&q, now_us, &n));
        ck_assert_uint_eq(n.number, ++last);
        taken++;
    }
    ck_assert_uint_eq(taken, NOTIFY_QUEUE);
    notify_compare(&q, &before, &snap, true);
    ck_assert(notify_take(&q, now_us, &n));
    ck_assert_msg(n.number == NOTIFY_QUEUE + 11, "no gap tells of the loss");
    notify_compare(&q, &before, &snap, false);
    ck_assert_msg(!notify_take(&q, now_us, &n), "notified though switched off");
}
END_TEST

int
main(void)
{
    TCase *tc = tcase_create("notify");
    tcase_add_test(tc, changes_are_notified_once);
    tcase_add_test(tc, an_absent_supervisor_is_notified);
    tcase_add_test(tc, the_rate_is_limited);
    tcase_add_test(tc, errors_are_notified);
    ADD_ROWS(tc, notices_carry_their_objects, carried);
    tcase_add_test(tc, pairs);
    tcase_add_test(tc, verdicts_are_notified);
    tcase_add_test(tc, a_burst_is_dropped_and_counted);
    return suite_run("agent-notify", tc, NULL);
}
