/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * place.h - where a service may run, and which of two nodes is the better place.
 *
 * Constraints come from the configuration, which is the same on all nodes; what
 * operators want and what failed where is agreed (wish.h).  Whether a claim is valid
 * rests on agreed knowledge alone: a configuration that differs makes a node less
 * willing, never the cluster of two minds.  Pure.  Design: doc/design/placement.md. */
#ifndef BSC_PLACE_H
#define BSC_PLACE_H

#include "supervisor/core/cluster.h"

struct service;

struct placement {       /* of the configuration */
    unsigned preferred;  /* node, or 0 */
    uint64_t never;      /* nodes that must not run it */
    uint64_t together;   /* services it wants to be with: bit = index */
    uint64_t apart;      /* services it does not want to be with */
    bool failback;       /* back to the preferred node by itself */
    int64_t failback_us; /* ... when it has been a good place for so long */
    bool balance;        /* may be moved to even out load */
    unsigned load;       /* permille of a node that it takes; 0: as measured */
    unsigned fail_limit; /* failures that hold a node back; 0: none do */
    int64_t hold_off_us; /* ... until so long after the last of them */
};

/* What follows for a service from where the others are, and from the wishes. */
struct outlook {
    uint64_t last; /* last resorts: to be emptied, or too many failures */
    uint64_t near; /* where services are that it wants to be with */
    uint64_t away; /* where services are that it wants to be apart from */
};

/* place_look - .outlook of all of them, anew. */
void place_look(struct service *services, unsigned n, const struct cluster *c);

enum place_rule { /* what makes one node the better place, in this order */
    PLACE_ONLY,   /* there is no other */
    PLACE_RESORT, /* the other is a last resort */
    PLACE_HEALTH,
    PLACE_APART,
    PLACE_TOGETHER,
    PLACE_PREFERRED,
    PLACE_LOAD,
    PLACE_NUMBER, /* nothing but its number */
    PLACE_NRULES
};

/* place_better - whether @a goes before @b; loads count only if @loads: they are this
 * node's own readings, not agreed. */
bool place_better(const struct service *s, const struct cluster *c, unsigned a,
    unsigned b, bool loads);

/* place_best - the best of @nodes, 0 if there is none. */
unsigned place_best(
    const struct service *s, const struct cluster *c, uint64_t nodes, bool loads);

/* place_why - what makes @best better than the next of @nodes. */
enum place_rule place_why(const struct service *s, const struct cluster *c,
    uint64_t nodes, unsigned best, bool loads);

/* place_unmanaged - it, its node or the cluster is in maintenance: hands off. */
bool place_unmanaged(const struct service *s, const struct cluster *c);

/* place_frozen - it, its node or the cluster is not to be moved for order's sake. */
bool place_frozen(const struct service *s, const struct cluster *c);

/* place_count_failure - it failed on @node, says a message of @author. */
void place_count_failure(
    struct service *s, unsigned author, unsigned node, struct effects *out);

#endif
