/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * plan_world.h - a whole cluster with many services, for what is planned and ordered.
 *
 * The group delivers in total order but to each member in its own time, engines do as
 * they are told after a while, the network is never cut: that is sim.h's.  After every
 * step of a member the promises of doc/design/placement.md are checked; the first that
 * is broken ends the run: world->broken. */
#ifndef BSC_PLAN_WORLD_H
#define BSC_PLAN_WORLD_H

#include "supervisor/core/member.h"

#define WORLD_MAX 6 /* nodes are 1..WORLD_MAX-1 */
#define WORLD_SERVICES 4
#define WORLD_STEP_MS 10
#define WORLD_LOG 32768
#define WORLD_LOADS                                                                    \
    {                                                                                  \
        400, 300, 200, 100                                                             \
    }

struct world_engine { /* of a node, for one service */
    bool active, holds;
    uint64_t epoch, follows, seen; /* epochs */
    struct effect order;           /* under way */
    bool busy;
    int64_t due;
    uint64_t ready; /* standbys told */
};

struct world_marks { /* what was ordered, kept apart from the cores; [..] by service */
    uint64_t drained, maintained, frozen;
    bool hands_off[WORLD_SERVICES], stays[WORLD_SERVICES];
};

struct world_node {
    struct member core;
    struct world_marks marks;
    bool up;
    unsigned cursor; /* of the log */
    int64_t tick;
    struct reign disk[WORLD_SERVICES];
    struct wish wishes[WORLD_SERVICES + 1]; /* last: of the cluster */
    struct world_engine engine[WORLD_SERVICES];
};

struct world_mutant {
    const char *name;
    void (*before)(struct member *m, struct member_event *ev);
    void (*after)(struct member *m, struct effects *out);
};

enum { WORLD_MUTANTS = 10 };
extern const struct world_mutant world_mutants[WORLD_MUTANTS]; /* plan_mutants.c */

struct world {
    int64_t now; /* us */
    unsigned n;  /* nodes + 1 */
    uint64_t random;
    struct world_node node[WORLD_MAX];
    struct placement p[WORLD_SERVICES];
    enum health health[WORLD_MAX];
    uint64_t view, views;
    struct peermsg *log; /* owned */
    uint64_t *hash;      /* owned; after each entry of the log */
    unsigned nlog;
    int64_t balanced; /* when the last such move was ordered */
    const struct world_mutant *mutant;
    char broken[256];
    unsigned moves[WHY_N]; /* orders that began */
    unsigned held, orders_done;
    bool quiet; /* a planned move now is one too many */
};

void world_init(struct world *w, unsigned nodes, uint64_t seed);
void world_fini(struct world *w);
void world_run_ms(struct world *w, int64_t ms);
uint64_t world_random(struct world *w, uint64_t below);

void world_crash(struct world *w, unsigned node);
void world_boot(struct world *w, unsigned node);
void world_fail(struct world *w, unsigned service);
void world_health(struct world *w, unsigned node, enum health health);
void world_order(struct world *w, enum order_what what, unsigned service, unsigned node,
    uint32_t value);

unsigned world_active(const struct world *w, unsigned service); /* node, or 0 */
const struct member *world_member(const struct world *w); /* of any node that is up */

void world_break(struct world *w, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void world_check(struct world *w, unsigned node, const struct effects *out);

#endif
