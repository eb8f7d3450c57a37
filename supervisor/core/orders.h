/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * orders.h - what an operator, or the planner, orders: checked where it is asked and
 * again where it is delivered, numbered there, so that all members do the same.
 * Pure.  Design: doc/design/placement.md. */
#ifndef BSC_ORDERS_H
#define BSC_ORDERS_H

#include "supervisor/core/errand.h"

struct member;

/* orders_check - may this ORDER begin?  @service: index or NO_SERVICE.
 * @running  out: the order that is in the way, or 0 */
enum order_reason orders_check(const struct member *m, const struct peermsg *msg,
    unsigned service, uint64_t *running);

/* orders_take - an ORDER was delivered: number it, then do, begin or refuse it. */
void orders_take(
    struct member *m, const struct peermsg *msg, unsigned service, struct effects *out);

/* orders_refuse - tell the client of this node that @msg is refused. */
void orders_refuse(const struct peermsg *msg, unsigned me, unsigned service,
    enum order_reason reason, uint64_t running, struct effects *out);

/* orders_settle - end what has become true: a node that is drained is empty. */
void orders_settle(struct member *m, struct effects *out);

/* orders_left - services that are still to leave @node. */
unsigned orders_left(const struct member *m, unsigned node);

#endif
