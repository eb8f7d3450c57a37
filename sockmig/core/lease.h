/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lease.h - how long the active node may exchange packets (promises P1, P7).
 *
 * The active engine sends beats; engines of other nodes acknowledge them.  Once a beat
 * is acknowledged by so many nodes that they and this one are a majority, the lease
 * lasts until that beat's *sending* time plus its length: whoever acknowledged it
 * acknowledged it later than that, and so waits longer.
 *
 * In a cluster of one or two nodes no automatic takeover exists (design/election.md)
 * and the lease needs no proof; unless it is bound: a quorum device may decide for the
 * other of two nodes, whose clone may then be used (design/device.md).
 *
 * Pure.  Source: Gray and Cheriton 1989, Leases; design/lease.md. */
#ifndef BSC_LEASE_H
#define BSC_LEASE_H

#include "lib/core/mono.h"

#define LEASE_MAX_NODES 16
#define LEASE_BEATS 64 /* beats whose acknowledgements are still counted */

struct lease {
    unsigned nodes; /* in the configuration, this one included */
    bool bound;     /* of two nodes: the other must acknowledge.  Set by the owner */
    int64_t length_us;
    uint64_t next;     /* number of the next beat, from 1 */
    struct mono until; /* held before this; 0: not held */
    struct {
        uint64_t number;
        struct mono sent;
        uint32_t acked; /* bit i: node i */
    } beats[LEASE_BEATS];
};

void lease_init(struct lease *l, unsigned nodes, int64_t length_us);

/* lease_beat - a beat leaves at @now.  Its number. */
uint64_t lease_beat(struct lease *l, struct mono now);

/* lease_acked - node @node (0..15, not this one) acknowledged beat @number.  Numbers
 * never sent, or too old to be remembered, change nothing. */
void lease_acked(struct lease *l, unsigned node, uint64_t number);

/* lease_end - the lease is given up, at once. */
void lease_end(struct lease *l);

static inline bool
lease_held(const struct lease *l, struct mono now)
{
    return mono_before(now, l->until);
}

#endif
