/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fencing.h - when a lost node is switched off, and what follows from it.
 *
 * A node that fence agents have switched off serves nothing and remembers nothing new:
 * of two nodes it counts as a vote for the other, which may then take over.  Three or
 * more do not need it, their lease is enough; they fence what they lost once they are
 * quorate, do not wait for it, and count nothing: two halves of the rest could both
 * count it.
 *
 * A process that was never together with a node does not fence it: who boots alone may
 * be the one that was switched off.  Pure.  Design: doc/design/fencing.md. */
#ifndef BSC_FENCING_H
#define BSC_FENCING_H

#include "supervisor/core/cluster.h"

enum fence_state { FENCE_NONE, FENCE_WAITING, FENCE_RUNNING, FENCE_DONE, FENCE_FAILED };

struct fencing {  /* of this node alone */
    uint64_t can; /* nodes that have a fence section */
    uint64_t met; /* nodes that this process was quorate with */
    enum fence_state state[PEER_MAX_NODE + 1];
    struct mono due[PEER_MAX_NODE + 1];
    unsigned tries[PEER_MAX_NODE + 1];
};

/* fencing_next - begin what is due, take back what is not needed any more.
 * @serves  this node is active for a service: it does not wait for the other
 * When to call again at the latest. */
struct mono fencing_next(struct fencing *f, struct cluster *c, bool serves,
    struct mono now, struct effects *out);

/* fencing_ended - the agents have ended; @ok: the node is off. */
void fencing_ended(struct fencing *f, const struct cluster *c, unsigned node, bool ok,
    const char *text, struct mono now, struct effects *out);

/* fencing_suffices - whether a cluster of so few nodes may take over by itself. */
bool fencing_suffices(const struct fencing *f, const struct cluster *c);

#endif
