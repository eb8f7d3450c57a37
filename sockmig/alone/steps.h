/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * steps.h - changes to the kernel's tables, each with its way back.
 *
 * They are planned before the first is made.  The plan is in memory that a watcher
 * (watcher.h) shares, so that it can go the way back when this program is killed. */
#ifndef BSC_STEPS_H
#define BSC_STEPS_H

#include "sockmig/alone/rtnl.h"

#define STEPS_MAX 256u
#define STEPS_BYTES 65536u

struct step {
    uint32_t at[2], size[2]; /* in .bytes: the message there, and back; size 0: none */
    uint16_t flags[2];
};

struct steps {
    unsigned n;
    volatile unsigned done; /* so many may have been made */
    struct step v[STEPS_MAX];
    size_t used;
    bool overflow; /* more than fits was planned: none of it may be made */
    _Alignas(8) uint8_t bytes[STEPS_BYTES];
};

/* steps_add - @forth and the message that undoes it; NULL: nothing is to be done in
 * that direction.  One that adds fails if it is there already; on the way back it may.
 */
void steps_add(
    struct steps *s, const struct rtnl_message *forth, const struct rtnl_message *back);

/* steps_go - make steps from .done up to @end.  0 or -errno: of step .done - 1.
 * steps_back - undo what was made, last first.  Idempotent: it may have been cut off
 * anywhere.  The number of those that could not be undone. */
int steps_go(struct steps *s, int nl, unsigned end);
unsigned steps_back(struct steps *s, int nl);

#endif
