/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check_sim_rmcast.c - the multicast channel in storms: thousands of seeds, each with
 * its number of standbys, its losses, its crashes; and mistakes that must be seen. */
#include "tests/sim/sim_rmcast.h"
#include "tests/suite.h"

#define SEEDS 3000
#define STEPS 600

static struct sim_rmcast sim;

START_TEST(storms)
{
    uint64_t crashes = 0, lates = 0, repairs = 0, probes = 0, bytes = 0;
    unsigned first = _i * SEEDS / 4;

    for (unsigned seed = first; seed < first + SEEDS / 4; seed++) {
        sim_rmcast_init(&sim, seed + 1, MISTAKE_NONE);
        sim_rmcast_run(&sim, STEPS);
        if (!sim.broken)
            sim_rmcast_heal(&sim);
        ck_assert_msg(!sim.broken,
            "seed %u (%u standbys, loss %u, twice %u, late %u): "
            "broken: %s",
            seed + 1, sim.nodes, sim.loss, sim.twice, sim.late, sim.broken);
        crashes += sim.crashes;
        lates += sim.lates;
        repairs += sim.tx.stats.repairs;
        probes += sim.tx.stats.probes;
        bytes += sim.tx.head;
    }
    ck_assert_msg(crashes > 500 && lates > 100 && repairs > 10000 && probes > 500 &&
                      bytes > SEEDS * 2000,
        "the storms are too mild: %lu crashes, %lu late, %lu repairs, %lu probes, %lu "
        "bytes",
        crashes, lates, repairs, probes, bytes);
}
END_TEST

START_TEST(mistakes_are_seen)
{
    for (unsigned seed = 1; seed < 2000; seed++) {
        sim_rmcast_init(&sim, seed, (enum mistake)_i);
        sim_rmcast_run(&sim, STEPS);
        if (!sim.broken)
            sim_rmcast_heal(&sim);
        if (sim.broken)
            return;
    }
    ck_abort_msg("mistake %d is not seen in 2000 seeds", _i);
}
END_TEST

int
main(void)
{
    TCase *tc = tcase_create("storms");

    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, storms, 0, 4);
    tcase_add_loop_test(tc, mistakes_are_seen, MISTAKE_NONE + 1, NMISTAKES);
    return suite_run("rmcast in storms", tc, NULL);
}
