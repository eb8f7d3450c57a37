/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * sample_snapshot.h - a cluster of one node and one service, for tests. */
#ifndef BSC_SAMPLE_SNAPSHOT_H
#define BSC_SAMPLE_SNAPSHOT_H

#include "agent/core/desk.h"

static inline void
sample_snapshot(struct snapshot *s, bool answering, const struct desk *d)
{
    struct member_row *member;
    struct cluster_row *cluster;

    snapshot_clear(s);
    cluster = snapshot_numbered(s, SNAP_CLUSTER, 0);
    cluster->state = answering ? LIVE_ANSWERING : LIVE_ABSENT;
    member = snapshot_numbered(s, SNAP_MEMBER, 1);
    snapshot_text(member->name, sizeof member->name, "n1");
    snapshot_named(s, SNAP_SERVICE, "redis");
    desk_show(d, s);
}

#endif
