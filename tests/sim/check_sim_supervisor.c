/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check_sim_supervisor.c - supervisors in whole simulated clusters. */
#include "tests/sim/sim.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct sim s;

static void
storm(uint64_t seed, unsigned nodes, unsigned rounds, const struct sim_mutant *mutant)
{
    sim_init(&s, nodes, seed);
    s.mutant = mutant;
    if (getenv("SIM_TRACE"))
        sim_keep_trace(&s);
    sim_run_ms(&s, 1500 + (int64_t)sim_random(&s, 1500));
    for (unsigned round = 0; round < rounds && !s.broken[0]; round++) {
        unsigned a = 1 + (unsigned)sim_random(&s, nodes);
        unsigned b = 1 + (unsigned)sim_random(&s, nodes);

        switch (sim_random(&s, 16)) {
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
            sim_engine_crash(&s, a);
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
        default:
            s.node[a].engine.refuse = true;
        }
        sim_run_ms(&s, (int64_t)sim_random(&s, sim_random(&s, 3) ? 80 : 900));
    }
}

static void
heal(void)
{
    sim_cut(&s, 0);
    for (unsigned i = 1; i < s.n; i++) {
        s.node[i].engine.refuse = false;
        sim_hang(&s, i, false);
        sim_boot(&s, i);
        sim_super_start(&s, i);
    }
    for (unsigned i = 0; i < 600 && !s.broken[0]; i++) {
        uint64_t all = node_bit(s.n) - 2, serving;

        sim_run_ms(&s, 100);
        serving = sim_serving(&s);
        if (serving && sim_set(&s) == (all & ~node_bit((unsigned)serving)))
            return;
    }
    sim_break(&s, "live: healed for a minute, active %u, set %x", sim_serving(&s),
        (unsigned)sim_set(&s));
}

#ifdef SIM_MAIN
int
main(int argc, char **argv)
{
    uint64_t from = argc > 1 ? strtoull(argv[1], NULL, 0) : 0;
    uint64_t to = argc > 2 ? strtoull(argv[2], NULL, 0) : from + 1;
    uint64_t steps = 0, takeovers = 0, starts = 0, lost = 0, moved = 0;

    for (uint64_t seed = from; seed < to; seed++) {
        storm(seed, seed % 3 ? 3 : 5, 40, NULL);
        if (!s.broken[0])
            heal();
        if (s.broken[0]) {
            printf("%sseed %lu: %s\n", s.trace ? s.trace : "", (unsigned long)seed,
                s.broken);
            return 1;
        }
        steps += s.steps;
        takeovers += s.takeovers;
        starts += s.starts;
        lost += s.lost_contexts;
        moved += s.switchovers;
        sim_fini(&s);
    }
    printf("steps %lu takeovers %lu starts %lu lost %lu moved %lu\n",
        (unsigned long)steps, (unsigned long)takeovers, (unsigned long)starts,
        (unsigned long)lost, (unsigned long)moved);
    return 0;
}
#endif
