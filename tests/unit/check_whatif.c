/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check_whatif.c - what would happen, by the same cores. */
#include "supervisor/core/whatif.h"
#include "tests/suite.h"
#include "tests/unit/sample_cluster.h"

/* Nodes 1..3, two services on node 1, clones everywhere. */
static void
make_member(struct member *m)
{
    struct plan_conf plan = { .balance_us = 1, .balance_margin = 100 };
    struct reign r = { .epoch = 1,
        .version = 1,
        .phase = SERVICE_ACTIVE,
        .active = 1,
        .set = N(2) | N(3),
        .floor = 1 };

    member_init(m, 1, ALL, &plan, &no_wish);
    good_cluster(&m->cluster, ALL);
    member_add(m, 7, &nothing, 200, &r, &no_wish);
    member_add(m, 8, &nothing, 200, &r, &no_wish);
}

static void
make_two(struct member *m)
{
    make_member(m);
    m->cluster.all = m->cluster.members = m->cluster.synced = N(1) | N(2);
    for (unsigned i = 0; i < m->nservices; i++)
        m->services[i].r.set = N(2);
}

/* Of two nodes one is no majority: a fence or a device lets it decide. */
START_TEST(what_would_happen_to_two)
{
    static struct member m;
    struct whatif w;
    struct mono now = { 1000000 };

    make_two(&m);
    whatif_fail(&m, 1, now, &w);
    ck_assert_msg(
        w.by == WHATIF_NOBODY && !w.moves[0].to, "without either nobody does");
    make_two(&m);
    m.fencing.can = N(1) | N(2);
    whatif_fail(&m, 1, now, &w);
    ck_assert_msg(w.by == WHATIF_FENCE && w.quorate && w.moves[0].to == 2, "a fence");
    make_two(&m);
    m.cluster.arbiter.timeout_ms = 1250;
    m.cluster.arbiter.state = ARBITER_TOGETHER;
    whatif_fail(&m, 1, now, &w);
    ck_assert_msg(w.by == WHATIF_DEVICE && w.quorate && w.moves[0].to == 2, "a device");
    make_two(&m);
    m.cluster.arbiter.timeout_ms = 1250;
    m.cluster.arbiter.state = ARBITER_APART;
    whatif_fail(&m, 1, now, &w);
    ck_assert_msg(
        w.by == WHATIF_NOBODY, "not a device that has not seen both together");
    ck_assert_str_eq(whatif_by_name(w.by), "none");
}
END_TEST

START_TEST(what_would_happen)
{
    static struct member m;
    struct whatif w;
    struct mono now = { 1000000 };

    make_member(&m);
    whatif_fail(&m, 1, now, &w);
    ck_assert_msg(w.quorate && w.n == 2 && !w.moves[0].planned, "both are taken over");
    ck_assert_msg(w.moves[0].to == 2 && w.moves[0].mode == MODE_TAKEOVER, "by node 2");
    make_member(&m);
    m.services[1].r.set = 0;
    whatif_fail(&m, 1, now, &w);
    ck_assert_msg(w.moves[1].mode == MODE_START, "without a clone it starts afresh");
    make_member(&m);
    m.services[0].wish.w.maintained = 1;
    whatif_fail(&m, 1, now, &w);
    ck_assert_msg(w.n == 2 && !w.moves[0].to, "in maintenance nobody takes over");
    make_member(&m);
    m.cluster.members = m.cluster.synced = N(1) | N(2);
    whatif_fail(&m, 1, now, &w);
    ck_assert_msg(!w.quorate && !w.moves[0].to, "one of three decides nothing");
    ck_assert_msg(w.by == WHATIF_NOBODY, "and nothing helps it");
    make_member(&m);
    whatif_drain(&m, 1, now, &w);
    ck_assert_msg(w.n == 2 && w.moves[0].planned && w.moves[0].why == WHY_DRAIN &&
                      m.services[0].r.active != 1 && m.services[1].r.active != 1,
        "a drained node is left by both");
    make_member(&m);
    whatif_settle(&m, now, &w);
    ck_assert_msg(w.n == 0 && !w.endless, "nothing is wrong, nothing happens");
    m.services[1].p.apart = 1;
    whatif_settle(&m, now, &w);
    ck_assert_msg(
        w.n == 1 && w.moves[0].service == 1 && w.moves[0].why == WHY_PLACEMENT,
        "services that want to be apart are parted");
    make_member(&m);
    m.services[0].p.preferred = m.services[1].r.active = 3;
    m.services[0].p.apart = 2;
    m.services[1].p.apart = 1;
    m.services[0].p.failback = true;
    m.services[1].r.set = N(1) | N(2);
    whatif_settle(&m, now, &w);
    ck_assert_msg(w.n == 2 && w.moves[0].service == 1 && w.moves[0].to == 2 &&
                      w.moves[1].service == 0 && w.moves[1].to == 3,
        "the later one makes room for the earlier one");
}
END_TEST

int
main(void)
{
    TCase *tc = tcase_create("whatif");

    tcase_add_test(tc, what_would_happen);
    tcase_add_test(tc, what_would_happen_to_two);
    return suite_run("what if", tc, NULL);
}
