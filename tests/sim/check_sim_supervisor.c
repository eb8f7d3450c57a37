/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check_sim_supervisor.c - supervisors in whole simulated clusters: storms of faults by
 * seed, planted mistakes that the storms must find, and a few stories.
 *
 *   check_sim_supervisor FROM TO [MUTANT]
 *     run these seeds and print the first that fails, with its transcript if SIM_TRACE
 * is set; with the planted mistake of this number, from 0 */
#include "tests/sim/sim.h"
#include "tests/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEEDS 4000 /* of a test run, in batches */
#define BATCH 250
#define MUTANT_SEEDS 6000 /* a mutant must be found within, from its .from on */

static struct sim s;

static void
order_something(unsigned at, unsigned node)
{
    sim_order(&s, at, 1 + (enum order_what)sim_random(&s, WHAT_N - 1),
        sim_random(&s, 3) ? node : 0, (uint32_t)sim_random(&s, 2));
}

/* One blow; a and b are nodes drawn at random.  17 and 18: an order as well. */
static void
strike(uint64_t which, unsigned a, unsigned b)
{
    switch (which) {
    case 0:
        sim_crash(&s, a);
        break;
    case 1:
    case 2:
    case 3:
        sim_boot(&s, a);
        sim_super_start(&s, b);
        break;
    case 4:
        sim_super_crash(&s, a);
        break;
    case 5:
        if (sim_random(&s, 2))
            sim_random(&s, 2) ? sim_engine_crash(&s, a) : sim_engine_restart(&s, a);
        else
            sim_disconnect(&s, sim_serving(&s) ? sim_serving(&s) : a);
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
        sim_cut(&s, node_bit(a));
        break;
    case 11:
    case 12:
        sim_cut(&s, 0);
        break;
    case 13:
    case 14:
        sim_switchover(&s, a, b);
        break;
    case 17:
    case 18:
        order_something(a, b);
        break;
    case 16:
        group_slip(&s, a);
        break;
    default:
        s.node[a].engine.refuse = true;
    }
}

static void
storm(uint64_t seed, unsigned nodes, unsigned rounds, const struct sim_mutant *mutant,
    bool fencing)
{
    sim_init(&s, nodes, seed);
    s.mutant = mutant;
    s.fencing = fencing;
    s.no_power = fencing && mutant && !mutant->before && !mutant->after;
    for (unsigned i = 1; i < s.n; i++)
        s.node[i].core.fencing.can = fencing ? node_bit(s.n) - 2 : 0;
    s.sharp = seed % 2;
    if (getenv("SIM_TRACE"))
        sim_keep_trace(&s);
    sim_run_ms(&s, 1500 + (int64_t)sim_random(&s, 1500));
    for (unsigned round = 0; round < rounds && !s.broken[0]; round++) {
        unsigned a = 1 + (unsigned)sim_random(&s, nodes);
        unsigned b = 1 + (unsigned)sim_random(&s, nodes);

        strike(sim_random(&s, mutant ? 17 : 19), a, b);
        sim_run_ms(&s, (int64_t)sim_random(&s, sim_random(&s, 3) ? 80 : 900));
    }
}

/* An operator who takes back what keeps hands off. */
static void
end_maintenance(unsigned at)
{
    const struct member *m = &s.node[at].core;

    if (m->services[0].wish.w.maintained)
        sim_order(&s, at, WHAT_MAINTENANCE, 0, 0);
    for (unsigned n = 1; n < s.n; n++)
        if (m->cluster.wish.w.maintained & node_bit(n))
            sim_order(&s, at, WHAT_MAINTENANCE, n, 0);
}

static bool
run_seed(uint64_t seed, const struct sim_mutant *mutant)
{
    storm(seed, seed % 3 ? 3 : 5, 40, mutant, !mutant && seed % 4 == 1);
    if (!s.broken[0] && !mutant)
        sim_heal(&s, end_maintenance);
    return !s.broken[0];
}

START_TEST(safe_and_live)
{
    for (uint64_t seed = (uint64_t)_i * BATCH; seed < (uint64_t)(_i + 1) * BATCH;
         seed++) {
        bool ok = run_seed(seed, NULL);

        ck_assert_msg(ok, "seed %lu: %s", (unsigned long)seed, s.broken);
        sim_fini(&s);
    }
}
END_TEST

/* Two nodes, each of which can switch the other off. */
static bool
run_pair(uint64_t seed, const struct sim_mutant *mutant)
{
    storm(seed, 2, 40, mutant, true);
    if (!s.broken[0] && !mutant)
        sim_heal(&s, end_maintenance);
    return !s.broken[0];
}

START_TEST(two_nodes_that_fence)
{
    for (uint64_t seed = (uint64_t)_i * BATCH; seed < (uint64_t)(_i + 1) * BATCH;
         seed++) {
        bool ok = run_pair(seed, NULL);

        ck_assert_msg(ok, "seed %lu: %s", (unsigned long)seed, s.broken);
        sim_fini(&s);
    }
}
END_TEST

/* Planted mistakes. */

START_TEST(pair_mutant_is_found)
{
    for (uint64_t seed = 0; seed < MUTANT_SEEDS; seed++) {
        bool ok = run_pair(seed, &sim_pair_mutants[_i]);

        if (!ok && getenv("SIM_VERBOSE"))
            printf("%s: seed %lu: %s\n", sim_pair_mutants[_i].name, (unsigned long)seed,
                s.broken);
        sim_fini(&s);
        if (!ok)
            return;
    }
    ck_abort_msg("%s: not found in %d seeds", sim_pair_mutants[_i].name, MUTANT_SEEDS);
}
END_TEST

START_TEST(mutant_is_found)
{
    uint64_t from = sim_mutants[_i].from;

    for (uint64_t seed = from; seed < from + MUTANT_SEEDS; seed++) {
        bool ok = run_seed(seed, &sim_mutants[_i]);

        if (!ok && getenv("SIM_VERBOSE"))
            printf("%s: seed %lu: %s\n", sim_mutants[_i].name, (unsigned long)seed,
                s.broken);
        sim_fini(&s);
        if (!ok)
            return;
    }
    ck_abort_msg("%s: not found in %d seeds", sim_mutants[_i].name, MUTANT_SEEDS);
}
END_TEST

/* Stories: three nodes, the service on node 1 with 2 and 3 in its set; then what the
 * journal of node @teller says. */
static void
begin_story(unsigned teller)
{
    sim_init(&s, 3, 7);
    for (unsigned i = 0; i < 100 && sim_set(&s) != (node_bit(2) | node_bit(3)); i++)
        sim_run_ms(&s, 50);
    ck_assert_uint_eq(sim_serving(&s), 1);
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

#define SWITCHED_OVER                                                                  \
    "order node 2 epoch 1 set 0\n"                                                     \
    "order handover 1\n"                                                               \
    "handover node 2 epoch 1 set c\n"                                                  \
    "taking node 2 epoch 2 set c\n"                                                    \
    "active node 2 epoch 2 set 0\n"                                                    \
    "order-done node 2 epoch 2 set 0\n"                                                \
    "set node 2 epoch 2 set 2\n"                                                       \
    "set node 2 epoch 2 set a\n"

START_TEST(the_active_node_crashes)
{
    begin_story(2);
    sim_crash(&s, 1);
    end_story(1500, "node-left 1\n"
                    "claim node 2 epoch 2 set c\n"
                    "taking node 2 epoch 2 set c\n"
                    "order takeover 2\n"
                    "active node 2 epoch 2 set 0\n"
                    "order set 2\n"
                    "set node 2 epoch 2 set 8\n");
}
END_TEST

START_TEST(switchover_to_another_node)
{
    begin_story(1);
    sim_switchover(&s, 3, 2);
    end_story(500, SWITCHED_OVER);
}
END_TEST

START_TEST(the_target_refuses)
{
    begin_story(1);
    s.node[2].engine.refuse = true;
    sim_switchover(&s, 1, 2);
    end_story(700, "order node 2 epoch 1 set 0\n"
                   "order handover 1\n"
                   "handover node 2 epoch 1 set c\n"
                   "taking node 2 epoch 2 set c\n"
                   "failed node 2 epoch 2 set 8\n"
                   "claim node 1 epoch 3 set 8\n"
                   "taking node 1 epoch 3 set 8\n"
                   "order resume 3\n"
                   "active node 1 epoch 3 set 0\n"
                   "order-failed node 2 epoch 3 set 0\n"
                   "order set 3\n"
                   "set node 1 epoch 3 set 8\n"
                   "order set 3\n"
                   "set node 1 epoch 3 set c\n");
}
END_TEST

/* Between TAKING and ACTIVE: it may have served, so neither the stopped process nor a
 * clone may go on. */
START_TEST(the_target_crashes)
{
    begin_story(1);
    sim_switchover(&s, 1, 2);
    sim_run_ms(&s, 5); /* it is taking */
    sim_crash(&s, 2);
    end_story(4500, "order node 2 epoch 1 set 0\n"
                    "order handover 1\n"
                    "handover node 2 epoch 1 set c\n"
                    "taking node 2 epoch 2 set c\n"
                    "node-left 2\n"
                    "claim node 1 epoch 3 set c\n"
                    "context-lost node 1 epoch 2 set c\n"
                    "taking node 1 epoch 3 set 0\n"
                    "order stop 3\n"
                    "order start 3\n"
                    "active node 1 epoch 3 set 0\n"
                    "order-failed node 2 epoch 3 set 0\n"
                    "order set 3\n"
                    "set node 1 epoch 3 set 8\n");
}
END_TEST

START_TEST(the_active_node_is_cut_off_and_comes_back)
{
    begin_story(1);
    sim_cut(&s, node_bit(1));
    sim_run_ms(&s, 1500);
    ck_assert_uint_eq(sim_serving(&s), 2);
    sim_cut(&s, 0);
    end_story(1000, "node-left 2\n"
                    "node-left 3\n"
                    "quorum-lost 1\n"
                    "node-joined 2\n"
                    "node-joined 3\n"
                    "quorum-gained 1\n"
                    "set node 2 epoch 2 set a\n");
}
END_TEST

/* ... and then an order of the cluster reaches it as ever. */
START_TEST(a_node_was_alone_and_nobody_saw_it)
{
    begin_story(1);
    group_slip(&s, 3);
    sim_run_ms(&s, 1000);
    sim_switchover(&s, 2, 2);
    end_story(1000, "quorum-lost 1\n"
                    "quorum-gained 1\n" SWITCHED_OVER);
}
END_TEST

/* A vote holds beyond the engine's memory: node 3 has voted against epoch 1, the
 * claimant is gone, its engine starts again, and must not lend its voice to epoch 1. */
START_TEST(a_fence_is_not_forgotten_with_the_engine)
{
    const struct sim_engine *e = &s.node[3].engine;

    begin_story(3);
    sim_cut(&s, node_bit(1));
    for (unsigned i = 0; i < 2000 && s.node[3].core.services[0].own.voted < 2; i++)
        sim_run_ms(&s, 1);
    ck_assert_uint_eq(s.node[3].core.services[0].own.voted, 2);
    ck_assert_uint_eq(s.node[3].core.services[0].r.epoch, 1);
    sim_crash(&s, 2);
    sim_run_ms(&s, 1000);
    sim_engine_crash(&s, 3);
    sim_run_ms(&s, 1000);
    ck_assert(e->up && e->connected);
    ck_assert_msg(
        e->floor == 0 || e->floor >= 2, "acknowledges %u", (unsigned)e->floor);
    ck_assert_str_eq(s.broken, "");
    sim_fini(&s);
}
END_TEST

START_TEST(the_supervisor_of_the_active_node_hangs)
{
    begin_story(2);
    sim_hang(&s, 1, true);
    sim_run_ms(&s, 3000);
    ck_assert_uint_eq(sim_serving(&s), 1);
    sim_hang(&s, 1, false);
    end_story(500, "node-silent 1\n"
                   "node-back 1\n");
}
END_TEST

static int
run_by_hand(uint64_t from, uint64_t to, const struct sim_mutant *mutant)
{
    uint64_t steps = 0, takeovers = 0, starts = 0, lost = 0, moved = 0;

    for (uint64_t seed = from; seed < to; seed++) {
        bool ok = run_seed(seed, mutant);

        if (!ok) {
            printf("%sseed %lu: %s\n", s.trace ? s.trace : "", (unsigned long)seed,
                s.broken);
            return EXIT_FAILURE;
        }
        steps += s.steps;
        takeovers += s.takeovers;
        starts += s.starts;
        lost += s.lost_contexts;
        moved += s.switchovers;
        sim_fini(&s);
    }
    printf("steps %lu takeovers %lu starts %lu contexts lost %lu switchovers %lu\n",
        (unsigned long)steps, (unsigned long)takeovers, (unsigned long)starts,
        (unsigned long)lost, (unsigned long)moved);
    return EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
    TCase *tc = tcase_create("cluster");

    if (argc >= 3)
        return run_by_hand(strtoull(argv[1], NULL, 0), strtoull(argv[2], NULL, 0),
            argc > 3 ? &sim_mutants[strtoul(argv[3], NULL, 0) % SIM_MUTANTS] : NULL);
    tcase_add_test(tc, the_active_node_crashes);
    tcase_add_test(tc, switchover_to_another_node);
    tcase_add_test(tc, the_target_refuses);
    tcase_add_test(tc, the_target_crashes);
    tcase_add_test(tc, the_active_node_is_cut_off_and_comes_back);
    tcase_add_test(tc, a_node_was_alone_and_nobody_saw_it);
    tcase_add_test(tc, a_fence_is_not_forgotten_with_the_engine);
    tcase_add_test(tc, the_supervisor_of_the_active_node_hangs);
    tcase_add_loop_test(tc, safe_and_live, 0, SEEDS / BATCH);
    tcase_add_loop_test(tc, mutant_is_found, 0, SIM_MUTANTS);
    tcase_add_loop_test(tc, two_nodes_that_fence, 0, 4);
    tcase_add_loop_test(tc, pair_mutant_is_found, 0, SIM_PAIR_MUTANTS);
    tcase_set_timeout(tc, 120);
    return suite_run("sim supervisor", tc, NULL);
}
