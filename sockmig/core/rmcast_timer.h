/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * rmcast_timer.h - what rmcast_tx.c (what members have) and rmcast_send.c (what has to
 * leave) share: a member's timers. */
#ifndef BSC_RMCAST_TIMER_H
#define BSC_RMCAST_TIMER_H

#include "sockmig/core/rmcast.h"

#define RMCAST_BIT(node) (UINT32_C(1) << (node))

/* rmcast_arm - have the member probed if it does not acknowledge in time all that was
 * sent so far.  Nothing if it has all. */
void rmcast_arm(const struct rmcast_tx *tx, struct rmcast_member *m, struct mono now);

/* rmcast_owe - the member has an answer to give: for all that was sent, to the newest
 * datagram. */
void rmcast_owe(const struct rmcast_tx *tx, struct rmcast_member *m, struct mono now);

/* rmcast_answered - all that left is with everyone of the set who is here. */
bool rmcast_answered(const struct rmcast_tx *tx);

/* rmcast_kept_from - what lies before is overwritten already. */
static inline uint64_t
rmcast_kept_from(const struct rmcast_tx *tx)
{
    return tx->head > tx->size ? tx->head - tx->size : 0;
}

static inline void
rmcast_at_most(uint64_t *value, uint64_t bound)
{
    if (*value > bound)
        *value = bound;
}

#endif
