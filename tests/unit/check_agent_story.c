/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check_agent_story.c - the newest events, the steps of the last change, constraints.
 */
#include "agent/core/story.h"
#include "tests/suite.h"

#include <string.h>

static struct snapshot snap; /* megabytes */

static void
event(uint32_t serial, const char *service, const char *kind)
{
    struct event_row *e = snapshot_numbered(&snap, SNAP_EVENT, serial);

    e->row.known = true;
    e->time_ms = 1000 + serial * 10;
    e->epoch = serial < 10 ? 1 : 2;
    snapshot_text(e->service, sizeof e->service, service);
    snapshot_text(e->kind, sizeof e->kind, kind);
    snapshot_text(e->node, sizeof e->node, *service ? "" : "n2");
}

static struct service_row *
service(const char *name, const char *active)
{
    struct service_row *row = snapshot_named(&snap, SNAP_SERVICE, name);

    snapshot_text(row->name, sizeof row->name, name);
    snapshot_text(row->active, sizeof row->active, active);
    return row;
}

/* What the journal holds, a kind a serial from 1; "-" is a row about another service.
 * What the steps are then, and the state of the last (1 running, 2 done, 3 failed). */
static const struct {
    const char *claim;
    const char *journal[14], *steps[8];
    int64_t last;
} rows[] = {
    { "a takeover, from the claim to the active node",
        { "node-left", "claim", "-", "taking", "step", "active", "step", "set" },
        { "claim", "taking", "step", "active" }, 2 },
    { "a switchover, from the order to its end",
        { "set", "order", "step", "handover", "taking", "step", "active", "order-done",
            "step", "set" },
        { "order", "step", "handover", "taking", "step", "active", "order-done" }, 2 },
    { "one that came to nothing",
        { "order", "handover", "step-failed", "order-failed" },
        { "order", "handover", "step-failed", "order-failed" }, 3 },
    { "one that is under way", { "claim", "active", "order", "handover", "step" },
        { "order", "handover", "step" }, 1 },
    { "the newest one", { "claim", "active", "failed", "claim", "taking", "active" },
        { "failed", "claim", "taking", "active" }, 2 },
    { "not an order that moves nothing",
        { "claim", "active", "order", "step", "order-done" }, { "claim", "active" },
        2 },
    { "nothing before the first", { "node-joined", "set", "step" }, { 0 }, 0 },
};

START_TEST(steps)
{
    uint32_t n = 0;

    snapshot_clear(&snap);
    service("redis", "n1");
    for (uint32_t i = 0; rows[_i].journal[i]; i++) {
        bool other = strcmp(rows[_i].journal[i], "-") == 0;

        event(i + 1, other ? "mail" : "redis", other ? "claim" : rows[_i].journal[i]);
    }
    story_tell(&snap);
    for (; rows[_i].steps[n]; n++) {
        ck_assert_msg(n < snap.steps.n, "%s: %u steps", rows[_i].claim, snap.steps.n);
        ck_assert_str_eq(snap.steps.v[n].name, rows[_i].steps[n]);
        ck_assert_uint_eq(snap.steps.v[n].row.index[6], n + 1);
        ck_assert_msg(rows[_i].steps[n + 1] ? snap.steps.v[n].duration > 0
                                            : snap.steps.v[n].duration == MIB_NONE,
            "%s: duration of step %u", rows[_i].claim, n);
    }
    ck_assert_msg(snap.steps.n == n, "%s: %u steps", rows[_i].claim, snap.steps.n);
    ck_assert(n == 0 || snap.steps.v[n - 1].state == rows[_i].last);
}
END_TEST

START_TEST(newest_first)
{
    snapshot_clear(&snap);
    for (uint32_t i = 1; i <= SNAP_NEWEST + 6; i++)
        event(i, "redis", "step");
    snap.events.v[SNAP_NEWEST + 5].ack_ms = 5;
    story_tell(&snap);
    ck_assert_uint_eq(snap.latest.n, SNAP_NEWEST);
    ck_assert_int_eq(snap.latest.v[0].serial, SNAP_NEWEST + 6);
    ck_assert_int_eq(snap.latest.v[0].acknowledged, 1);
    ck_assert_int_eq(snap.latest.v[1].acknowledged, 0);
    ck_assert_int_eq(snap.latest.v[SNAP_NEWEST - 1].serial, 7);
}
END_TEST

START_TEST(event_about)
{
    snapshot_clear(&snap);
    event(3, "redis", "step");
    event(4, "", "node-left");
    event(5, "mail", "step");
    ck_assert_uint_eq(story_event(&snap, "redis", NULL), 3);
    ck_assert_uint_eq(story_event(&snap, NULL, "n2"), 4);
    ck_assert_uint_eq(story_event(&snap, NULL, "n1"), 0);
    ck_assert_uint_eq(story_event(&snap, "dns", NULL), 0);
}
END_TEST

static const struct {
    const char *claim;
    int64_t kind;
    const char *target, *active, *other;
    int64_t met;
} constraints[] = {
    { "on the preferred node", CONSTRAINT_PREFERRED, "n1", "n1", "", 1 },
    { "not there", CONSTRAINT_PREFERRED, "n1", "n2", "", 0 },
    { "where it never should be", CONSTRAINT_NEVER, "n1", "n1", "", 0 },
    { "anywhere else", CONSTRAINT_NEVER, "n1", "n2", "", 1 },
    { "together", CONSTRAINT_TOGETHER, "mail", "n1", "n1", 1 },
    { "not together", CONSTRAINT_TOGETHER, "mail", "n1", "n2", 0 },
    { "apart", CONSTRAINT_APART, "mail", "n1", "n2", 1 },
    { "not apart", CONSTRAINT_APART, "mail", "n1", "n1", 0 },
    { "active nowhere", CONSTRAINT_NEVER, "n1", "", "", MIB_NONE },
    { "the other one nowhere", CONSTRAINT_APART, "mail", "n1", "", MIB_NONE },
};

START_TEST(constraint)
{
    static const uint32_t index[] = { 5, 'r', 'e', 'd', 'i', 's', 1 };
    struct constraint_row *row;

    snapshot_clear(&snap);
    service("redis", constraints[_i].active);
    service("mail", constraints[_i].other);
    row = snapshot_blank(&snap, SNAP_CONSTRAINT, index, 7);
    row->kind = constraints[_i].kind;
    snapshot_text(row->target, sizeof row->target, constraints[_i].target);
    story_tell(&snap);
    ck_assert_msg(row->met == constraints[_i].met, "%s", constraints[_i].claim);
}
END_TEST

int
main(void)
{
    TCase *tc = tcase_create("story");

    ADD_ROWS(tc, steps, rows);
    tcase_add_test(tc, newest_first);
    tcase_add_test(tc, event_about);
    ADD_ROWS(tc, constraint, constraints);
    return suite_run("agent-story", tc, NULL);
}
