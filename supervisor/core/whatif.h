/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * whatif.h - what would happen: the same cores, on a copy, without effects.
 *
 * Pure.  Design: doc/design/placement.md. */
#ifndef BSC_WHATIF_H
#define BSC_WHATIF_H

#include "supervisor/core/member.h"

#define WHATIF_MAX 128

struct whatif_move {
    unsigned service, from, to; /* .to 0: nobody would serve */
    bool planned;               /* by .why; else after a failure, by .mode */
    enum order_why why;
    enum peer_mode mode;
};

/* Who lets the nodes that are left decide. */
enum whatif_by {
    WHATIF_NOBODY,
    WHATIF_MAJORITY,
    WHATIF_FENCE, /* once it has switched off the other of two nodes */
    WHATIF_DEVICE /* once the quorum device has voted for this one of two */
};

struct whatif {
    bool quorate; /* they may: .by is not WHATIF_NOBODY */
    enum whatif_by by;
    bool endless; /* the planner would not come to rest */
    struct whatif_move moves[WHATIF_MAX];
    unsigned n;
};

/* whatif_fail - node @node fails.  @m is changed: give a copy. */
void whatif_fail(struct member *m, unsigned node, struct mono now, struct whatif *out);

/* whatif_drain - node @node is drained. */
void whatif_drain(struct member *m, unsigned node, struct mono now, struct whatif *out);

/* whatif_settle - nothing happens, but @m is configured as it is: services that never
 * ran are started, others are moved for order's sake. */
void whatif_settle(struct member *m, struct mono now, struct whatif *out);

const char *whatif_by_name(enum whatif_by by); /* none, majority, fence, device */

#endif
