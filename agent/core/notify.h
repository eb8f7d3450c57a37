/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * notify.h - what changed between two snapshots, in a bounded queue.
 *
 * A burst larger than the queue loses its newest notices; they are counted, their
 * numbers are used up (a gap tells the receiver), and the journal has what they told.
 * The first snapshot in which the supervisor answers is no change.  Pure. */
#ifndef BSC_AGENT_NOTIFY_H
#define BSC_AGENT_NOTIFY_H

#include "agent/core/snapshot.h"

#define NOTIFY_QUEUE 64

enum notice_kind { NOTICE_SERVICE, NOTICE_NODE };

struct notice {
    enum notice_kind kind;
    uint32_t number;    /* from 1 */
    struct mib_row row; /* index of the service or node */
    char name[SNAP_NAME];
    int64_t before, after; /* states */
    char active[SNAP_NAME];
    int64_t epoch; /* 0 if not known */
};

struct notify {
    struct notice queue[NOTIFY_QUEUE];
    uint32_t first, n;
    bool armed; /* the supervisor has answered once */
    uint32_t number, sent, dropped;
};

/* notify_compare - queue the changes from @before to @after; none unless @enable. */
void notify_compare(struct notify *q, const struct snapshot *before,
    const struct snapshot *after, bool enable);

/* notify_take - the oldest notice, counted as sent.  False: none waits. */
bool notify_take(struct notify *q, struct notice *out);

void notify_show(const struct notify *q, struct snapshot *s); /* the counters */

#endif
