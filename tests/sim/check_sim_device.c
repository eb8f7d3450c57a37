/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check_sim_device.c - two nodes with a quorum device: storms of faults by seed,
 * planted mistakes that the storms must find, and the stories that the feature is for.
 *
 *   check_sim_device FROM TO   run these seeds and print the first that fails, with its
 *                              transcript if SIM_TRACE is set */
#include "tests/sim/sim.h"
#include "tests/suite.h"

#include <stdio.h>
#include <stdlib.h>

#define SEEDS 1500 /* of a test run, in batches */
#define BATCH 250
#define MUTANT_SEEDS 6000 /* a mutant must be found within */
#define DEVICE_MS 400
#define ROUNDS 40

static struct sim s;
static uint64_t decided; /* by the device, over all seeds */

static void
strike(uint64_t which, unsigned a, unsigned b)
{
    switch (which) {
    case 0:
        sim_crash(&s, a);
        break;
    case 1:
    case 2:
        sim_boot(&s, a);
        sim_super_start(&s, b);
        break;
    case 3:
        sim_super_crash(&s, a);
        break;
    case 4:
        sim_engine_crash(&s, a);
        break;
    case 5:
        sim_disconnect(&s, a);
        break;
    case 6:
        sim_service_fail(&s, sim_serving(&s) ? sim_serving(&s) : a);
        break;
    case 7:
        sim_hang(&s, a, true);
        break;
    case 8:
    case 9:
        sim_hang(&s, a, false);
        break;
    case 10:
    case 11:
        sim_cut(&s, node_bit(a));
        break;
    case 12:
    case 13:
        sim_cut(&s, 0);
        break;
    case 14:
        sim_switchover(&s, a, b);
        break;
    case 15:
        s.node[a].engine.refuse = true;
        break;
    case 16:
    case 17:
        sim_device_cut(&s, a, true);
        break;
    default:
        sim_device_cut(&s, a, false);
    }
}

static bool
is_apart(void)
{
    return s.side[1] != s.side[2] || !s.node[1].corosync_up || !s.node[2].corosync_up;
}

static void
storm(uint64_t seed, const struct sim_mutant *mutant)
{
    sim_init(&s, 2, seed);
    s.mutant = mutant;
    s.sharp = seed % 2;
    sim_device_start(&s, DEVICE_MS);
    s.device.whims = true;
    s.device.unbound = mutant && !mutant->before && !mutant->after;
    if (getenv("SIM_TRACE"))
        sim_keep_trace(&s);
    sim_run_ms(&s, 1500 + (int64_t)sim_random(&s, 1500));
    for (unsigned round = 0; round < ROUNDS && !s.broken[0]; round++) {
        unsigned a = 1 + (unsigned)sim_random(&s, 2);
        unsigned b = 1 + (unsigned)sim_random(&s, 2);

        strike(sim_random(&s, 20), a, b);
        sim_run_ms(&s, (int64_t)sim_random(&s, sim_random(&s, 3) ? 200 : 900));
        if (is_apart() && !sim_random(&s, 3)) /* long enough to be decided */
            sim_run_ms(&s, 2000 + (int64_t)sim_random(&s, 4000));
        for (unsigned i = 1; i < s.n; i++)
            decided += s.node[i].core.cluster.arbiter.state == ARBITER_WON;
    }
}

static bool
run_seed(uint64_t seed, const struct sim_mutant *mutant)
{
    storm(seed, mutant);
    if (!s.broken[0] && !mutant)
        sim_heal(&s, NULL);
    return !s.broken[0];
}

START_TEST(safe_and_live)
{
    decided = 0;
    for (uint64_t seed = (uint64_t)_i * BATCH; seed < (uint64_t)(_i + 1) * BATCH;
         seed++) {
        bool ok = run_seed(seed, NULL);

        ck_assert_msg(ok, "seed %lu: %s", (unsigned long)seed, s.broken);
        sim_fini(&s);
    }
    ck_assert_uint_gt(decided, BATCH / 4); /* the device had something to say */
}
END_TEST

/* Planted mistakes. */

static void
wins_at_once(struct member *m, struct member_event *ev)
{
    struct arbiter *a = &m->cluster.arbiter;

    if (a->state != ARBITER_SPLIT || !a->held)
        return;
    a->from = a->since;
    a->until = a->self = a->self_sent = ev->now;
}

static void
tries_again(struct member *m, struct member_event *ev)
{
    struct arbiter *a = &m->cluster.arbiter;

    if (a->state != ARBITER_LOST || !a->held)
        return;
    a->state = ARBITER_SPLIT;
    a->from = a->since;
    a->until = mono_add_ms(ev->now, -DEVICE_MS);
    a->self = a->self_sent = ev->now;
}

static void
decides_though_never_met(struct member *m, struct member_event *ev)
{
    struct arbiter *a = &m->cluster.arbiter;

    if (a->state == ARBITER_APART && a->held &&
        mono_us_between(a->since, ev->now) > 3000000)
        m->cluster.fenced = m->cluster.all & ~m->cluster.members;
}

static void
takes_what_may_serve(struct member *m, struct member_event *ev)
{
    (void)ev;
    if (cluster_given_up(&m->cluster))
        m->services[0].r.shut = true;
}

static void
ignores_when_it_got_the_vote(struct member *m, struct member_event *ev)
{
    struct arbiter *a = &m->cluster.arbiter;

    (void)ev;
    if (a->state == ARBITER_LOST && a->held && a->until.us)
        a->state = ARBITER_SPLIT;
    if (a->state == ARBITER_SPLIT && a->held && mono_before(a->from, a->since))
        a->since = a->from;
}

static const struct sim_mutant mutants[] = {
    { "the lease asks nobody", NULL, NULL, 0 },
    { "the device's vote counts at once", wins_at_once, NULL, 0 },
    { "who lost asks again", tries_again, NULL, 0 },
    { "who never met the other decides", decides_though_never_met, NULL, 0 },
    { "what may still serve is started", takes_what_may_serve, NULL, 0 },
    { "a vote that came late counts", ignores_when_it_got_the_vote, NULL, 0 },
};

START_TEST(mutant_is_found)
{
    for (uint64_t seed = 0; seed < MUTANT_SEEDS; seed++) {
        bool ok = run_seed(seed, &mutants[_i]);

        if (!ok && getenv("SIM_VERBOSE"))
            printf(
                "%s: seed %lu: %s\n", mutants[_i].name, (unsigned long)seed, s.broken);
        sim_fini(&s);
        if (!ok)
            return;
    }
    ck_abort_msg("%s: not found in %d seeds", mutants[_i].name, MUTANT_SEEDS);
}
END_TEST

/* Stories: the service on node 1, node 2 in its set. */
static void
begin_story(unsigned teller)
{
    sim_init(&s, 2, 7);
    sim_device_start(&s, DEVICE_MS);
    for (unsigned i = 0; i < 100 && sim_set(&s) != node_bit(2); i++)
        sim_run_ms(&s, 50);
    ck_assert_uint_eq(sim_serving(&s), 1);
    sim_run_ms(&s, 1000);
    s.story = teller;
    sim_keep_trace(&s);
}

static void
end_story(int64_t ms, const char *want)
{
    sim_run_ms(&s, ms);
    ck_assert_str_eq(s.broken, "");
    ck_assert_str_eq(s.trace, want);
    sim_fini(&s);
}

START_TEST(the_active_node_crashes)
{
    begin_story(2);
    sim_crash(&s, 1);
    end_story(6000, "node-left 1\n"
                    "quorum-lost 2\n"
                    "device-won 1\n"
                    "quorum-gained 2\n"
                    "claim node 2 epoch 2 set 4\n"
                    "taking node 2 epoch 2 set 4\n"
                    "order takeover 2\n"
                    "active node 2 epoch 2 set 0\n");
}
END_TEST

START_TEST(the_standby_crashes)
{
    begin_story(1);
    sim_crash(&s, 2);
    sim_run_ms(&s, 6000);
    ck_assert_uint_eq(sim_serving(&s), 1);
    end_story(0, "node-left 2\n"
                 "quorum-lost 1\n"
                 "device-won 2\n"
                 "quorum-gained 1\n"
                 "set node 1 epoch 1 set 0\n"
                 "order set 1\n");
}
END_TEST

START_TEST(the_device_is_lost)
{
    begin_story(1);
    sim_device_cut(&s, 1, true);
    sim_device_cut(&s, 2, true);
    sim_run_ms(&s, 10000);
    ck_assert_uint_eq(sim_serving(&s), 1);
    end_story(0, "");
}
END_TEST

START_TEST(node_and_device_are_lost)
{
    begin_story(2);
    sim_device_cut(&s, 2, true);
    sim_crash(&s, 1);
    sim_run_ms(&s, 10000);
    ck_assert_uint_eq(sim_serving(&s), 0);
    end_story(0, "node-left 1\n"
                 "quorum-lost 2\n"
                 "device-lost 1\n");
}
END_TEST

static int
run_by_hand(uint64_t from, uint64_t to)
{
    uint64_t takeovers = 0, lost = 0;

    for (uint64_t seed = from; seed < to; seed++) {
        if (!run_seed(seed, NULL)) {
            printf("%sseed %lu: %s\n", s.trace ? s.trace : "", (unsigned long)seed,
                s.broken);
            return EXIT_FAILURE;
        }
        takeovers += s.takeovers;
        lost += s.lost_contexts;
        sim_fini(&s);
    }
    printf("takeovers %lu contexts lost %lu rounds decided %lu\n",
        (unsigned long)takeovers, (unsigned long)lost, (unsigned long)decided);
    return EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
    TCase *tc = tcase_create("two nodes");

    if (argc == 3)
        return run_by_hand(strtoull(argv[1], NULL, 0), strtoull(argv[2], NULL, 0));
    tcase_add_test(tc, the_active_node_crashes);
    tcase_add_test(tc, the_standby_crashes);
    tcase_add_test(tc, the_device_is_lost);
    tcase_add_test(tc, node_and_device_are_lost);
    tcase_add_loop_test(tc, safe_and_live, 0, SEEDS / BATCH);
    ADD_ROWS(tc, mutant_is_found, mutants);
    tcase_set_timeout(tc, 120);
    return suite_run("sim device", tc, NULL);
}
