/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * plan.h - what to ask an agent next.
 *
 * One request is under way per agent.  Tables are walked with all columns in parallel,
 * since each repetition costs the agent a round trip of its own.  What tells of a
 * change is asked often and is small; a change makes the rest due at once.  The rest
 * shares a budget of objects per second, so that a large cluster is asked less often
 * and no agent works for the console more than it does for the cluster.  A long walk
 * (connections) has a lane of its own and is overtaken by everything else.
 *
 * At first the picture of the cluster is read and nothing else, so that it is there
 * soon: whoever is not asked for the cluster is only asked who it is.  Pure. */
#ifndef BSC_GUI_PLAN_H
#define BSC_GUI_PLAN_H

#include "gui/core/model.h"

#define PLAN_COLUMNS 24
#define PLAN_OBJECTS 160
#define PLAN_ITEMS (N_CLUSTER_TABLES + N_NODE_TABLES)

struct plan_oid {
    uint32_t part[TABLE_OID];
    size_t n;
};

struct plan_request {
    bool bulk; /* else GET */
    unsigned repetitions;
    unsigned count;
    struct plan_oid oid[PLAN_COLUMNS]; /* below enterprise.1 */
};

struct plan_answer {     /* one object of an answer */
    struct plan_oid oid; /* n == 0: outside of enterprise.1 */
    struct table_value value;
};

struct plan_walk {
    int item; /* -1: the lane is free */
    unsigned count;
    uint8_t column[PLAN_COLUMNS];
    bool done[PLAN_COLUMNS];
    struct plan_oid at[PLAN_COLUMNS];
};

struct plan_item {
    int64_t due_ms;
    uint32_t rows; /* when last walked */
    bool wanted;
};

struct plan {
    int slot;
    bool primary; /* also asks for the tables of the cluster */
    int asked;    /* the lane of the request under way; -1: none */
    int since;    /* walks begun in lane 0 since the state of the cluster */
    double budget;
    int64_t budget_ms; /* when @budget was right */
    int64_t began_ms;  /* when it was asked first; -1: not yet */
    struct plan_item item[PLAN_ITEMS];
    struct plan_walk lane[2];
    unsigned asked_column[PLAN_COLUMNS]; /* of @lane, for each object of the request */
    unsigned nasked;
    int64_t marks[8]; /* the values whose change makes the rest due */
};

/* What happens to a table, for whoever records it. */
enum plan_event { PLAN_BEGIN, PLAN_PUT, PLAN_COMMIT };
struct plan_tap {
    void (*call)(void *arg, enum plan_event event, int slot, unsigned which,
        const struct plan_answer *object);
    void *arg;
};

void plan_init(struct plan *p, int slot);

/* plan_want - whether the connections of this node are to be read. */
void plan_want(struct plan *p, bool connections);

/* plan_hurry - something is going on: all states are due now. */
void plan_hurry(struct plan *p, int64_t now_ms);

/* plan_pictured - whether all was read that the picture of the cluster needs. */
bool plan_pictured(const struct model *m);

/* plan_next - the next request, if one is due and none is under way.
 *
 * @wait_ms  out, if false: look again after this time
 *
 * True: @request is to be sent, and plan_take() or plan_lost() called. */
bool plan_next(struct plan *p, struct model *m, int64_t now_ms,
    struct plan_request *request, int64_t *wait_ms, const struct plan_tap *tap);

/* plan_take - the answer.  The number of tables that were committed (0 or 1). */
unsigned plan_take(struct plan *p, struct model *m, int64_t now_ms,
    const struct plan_answer *objects, unsigned n, const struct plan_tap *tap);

/* plan_lost - no answer: what was being walked is begun again. */
void plan_lost(struct plan *p);

#endif
