/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * switchover.h - an operator's order to move a service, from asking to the result.
 *
 * The order is part of what all members see in agreed order: each of them computes
 * the same step and the same result.  The acts of a switchover are drive.c's.
 * Pure.  Design: doc/design/switchover.md. */
#ifndef BSC_SWITCHOVER_H
#define BSC_SWITCHOVER_H

#include "supervisor/core/cluster.h"
#include "supervisor/core/place.h"

enum switchover_step {
    STEP_NONE,
    STEP_ORDERED,  /* the active's supervisor has it */
    STEP_HANDOVER, /* its engine freezes, sends the last checkpoint, shuts the gates */
    STEP_TAKEOVER, /* the target takes over */
    STEP_DONE,
    STEP_FAILED,
    STEP_N
};

enum order_reason { /* why an order is refused or came to nothing */
    ORDER_OK,
    ORDER_NO_QUORUM,
    ORDER_NOT_ACTIVE,      /* the service is not active anywhere */
    ORDER_SAME_NODE,       /* it is active there already */
    ORDER_NOT_IN_SET,      /* the target has no usable clone */
    ORDER_NO_STANDBY,      /* no target was named and the set is empty */
    ORDER_RUNNING,         /* another order runs; .order names it */
    ORDER_SILENT,          /* the supervisor of the active node does not answer */
    ORDER_TARGET_SILENT,   /* that of the target does not, or its engine is away */
    ORDER_MEMBERSHIP,      /* the membership changed before the handover */
    ORDER_SERVICE_FAILED,  /* the service failed before the handover */
    ORDER_HANDOVER_FAILED, /* the engine refused; .text says why */
    ORDER_RESUMED,         /* the target failed: it runs where it ran before */
    ORDER_ELSEWHERE,       /* the target failed: another node took over */
    ORDER_MAINTENANCE,     /* the service is in maintenance, or its node, or all */
    ORDER_TARGET_MAINTENANCE,
    ORDER_NEVER,   /* the configuration forbids that node */
    ORDER_FROZEN,  /* a planned move of what is frozen */
    ORDER_BUSY,    /* planned moves go one after the other */
    ORDER_ALREADY, /* it is so already */
    ORDER_UNDONE,  /* the node was resumed before it was empty */
    ORDER_REFUSED, /* by the engine; .text says why */
    ORDER_NREASONS
};

struct switchover { /* the running order of a service; .order 0: none */
    uint64_t order;
    unsigned from, to;
    enum switchover_step step;
    enum order_why why;
};

struct service;

/* switchover_check - may this order begin?
 *
 * @to    in and out: 0 asks for the best standby, which is filled in */
enum order_reason switchover_check(
    const struct service *s, const struct cluster *c, enum order_why why, unsigned *to);

/* switchover_forecast - where an operator's order without a target would move it now.
 *
 * @to, @rule  out: if it may begin; what makes that node the best
 *
 * Else why it may not. */
enum order_reason switchover_forecast(const struct service *s, const struct cluster *c,
    unsigned *to, enum place_rule *rule);

/* switchover_take - an ORDER was delivered: number it, begin or refuse it.  One that is
 * said to be for the service's own health counts as a failure where it was. */
void switchover_take(struct service *s, struct cluster *c, const struct peermsg *msg,
    struct effects *out);

/* switchover_step - it is in @step now. */
void switchover_step(struct switchover *sw, enum switchover_step step, unsigned service,
    struct effects *out);

/* switchover_end - ORDER_OK: done; else it came to nothing.  @text may be NULL.
 * Nothing if none runs. */
void switchover_end(struct switchover *sw, enum order_reason reason, const char *text,
    unsigned service, uint64_t epoch, struct effects *out);

const char *switchover_step_name(enum switchover_step step);

#endif
