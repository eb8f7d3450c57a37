/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * wish.h - what operators want, and what failed where: kept like a record.
 *
 * Wishes change only where a message is delivered in a quorate membership, so that two
 * halves of a cut cluster cannot both change them; each change counts up .version.
 * At a change of membership every member sends its own, the newest is everybody's.
 * Pure.  Design: doc/design/placement.md. */
#ifndef BSC_WISH_H
#define BSC_WISH_H

#include "supervisor/core/effects.h"

struct wishes {          /* of the cluster, or of a service */
    struct wish w;       /* what holds */
    struct wish merged;  /* of those of this view that have arrived */
    struct wish durable; /* the newest this node ever had: never forgotten */
};

/* wish_view - a round of @view begins: broadcast the own, if there ever was one.
 * @key  of the service, or 0 */
void wish_view(struct wishes *w, uint64_t view, uint32_t round, uint32_t key,
    unsigned service, struct effects *out);

/* wish_heard - a WISH of this view.  @ready: after the others were merged. */
void wish_heard(struct wishes *w, const struct wish *theirs, bool ready,
    unsigned service, struct effects *out);

/* wish_merge - all of this view are here. */
void wish_merge(struct wishes *w, unsigned service, struct effects *out);

/* wish_changed - count the change that was just made to .w by a message of @author,
 * and make it durable. */
void wish_changed(
    struct wishes *w, unsigned author, unsigned service, struct effects *out);

/* wish_failed - the service failed on @node.  True: that node is held back from now
 * on.  @limit  failures that are too many; 0: never */
bool wish_failed(struct wish *w, unsigned node, unsigned limit);

#endif
