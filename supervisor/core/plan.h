/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * plan.h - which service to move next, for order's sake: the planner.
 *
 * The member with the lowest number that answers plans; what it proposes is an ORDER
 * like an operator's, checked and numbered where it is delivered, so that a second
 * planner (while the members are not of one mind who it is) can do no harm.  A
 * proposal must hold for a while before it is made, moves go one after the other, and
 * one that fails is tried again later and later.  Pure.  Design:
 * doc/design/placement.md. */
#ifndef BSC_PLAN_H
#define BSC_PLAN_H

#include "supervisor/core/cluster.h"

struct member;
struct service;

struct prospect {       /* of a service: what this node would propose */
    enum order_why why; /* WHY_OPERATOR: nothing */
    unsigned to;
    bool own;                /* it is the service's own health */
    struct mono since;       /* it has been the same since */
    struct mono not_before;  /* ... and is not proposed before */
    unsigned tries;          /* proposals of it so far */
    enum health health;      /* of the service, as read by this node */
    int load;                /* permille that it takes, as read; -1: unknown */
    uint64_t fails_hash;     /* failures when .fails_since was set */
    struct mono fails_since; /* they have not changed since */
};

struct plan_conf {           /* of the cluster */
    int64_t balance_us;      /* at least so long between two moves to even out load */
    unsigned balance_margin; /* permille that a move must gain */
};

struct plan { /* of this node alone */
    struct plan_conf conf;
    bool asked;    /* a proposal of ours has not come back yet */
    bool balanced; /* .balanced_at is known, or guessed */
    struct mono balanced_at;
};

/* plan_next - propose what is due.  When to call again at the latest. */
struct mono plan_next(struct member *m, struct mono now, struct effects *out);

/* plan_heard - an ORDER was delivered. */
void plan_heard(struct member *m, const struct peermsg *msg, struct mono now);

/* plan_is_ours - this node plans. */
bool plan_is_ours(const struct member *m);
unsigned plan_planner(const struct member *m); /* node, or 0 */

#endif
