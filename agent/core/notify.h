/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * notify.h - what changed between two snapshots, in a bounded queue.
 *
 * A burst larger than the queue loses its newest notices; they are counted, their
 * numbers are used up (a gap tells the receiver), and the journal has what they told.
 * The first snapshot in which the supervisor answers is no change.  Pure. */
#ifndef BSC_AGENT_NOTIFY_H
#define BSC_AGENT_NOTIFY_H

#include "agent/core/notice.h"

#define NOTIFY_QUEUE 64
#define NOTIFY_BURST 20      /* so many at once, and then */
#define NOTIFY_SPACING_MS 50 /* one in this time */

struct notify {
    struct notice queue[NOTIFY_QUEUE];
    uint32_t first, n;
    bool armed;     /* the supervisor has answered once */
    uint32_t event; /* newest one seen, 0: none yet */
    uint32_t number, sent, dropped;
    int64_t next_us; /* the rate limit: when the one behind the burst may go */
};

/* notify_compare - queue the changes from @before to @after; none unless @enable. */
void notify_compare(struct notify *q, const struct snapshot *before,
    const struct snapshot *after, bool enable);

/* notify_take - the oldest notice, counted as sent.  False: none waits, or it is too
 * soon for the next (@now_us: the monotonic clock). */
bool notify_take(struct notify *q, int64_t now_us, struct notice *out);

/* notify_due - when the next may go; INT64_MAX: none waits. */
int64_t notify_due(const struct notify *q);

void notify_show(const struct notify *q, struct snapshot *s); /* the counters */

#endif
