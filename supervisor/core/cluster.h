/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * cluster.h - who is a member, who answers, whether the members may decide.
 *
 * Everything in here except .process_left, .heard, .load and the .own_ facts changes
 * only by what is delivered in agreed order (views and messages), so it is the same on
 * all members at the same place of that order.
 *
 * Quorate: more than half of all configured nodes are members, have sent their
 * records for this view and are not silent, and Corosync says "quorate" to each.  Of
 * two nodes one that was fenced counts as one that agrees, and so does one that the
 * quorum device decided against; then Corosync, which does not know of it, is not
 * asked. Pure. */
#ifndef BSC_CLUSTER_H
#define BSC_CLUSTER_H

#include "supervisor/core/arbiter.h"
#include "supervisor/core/wish.h"

#define CLUSTER_BEAT_MS 200
#define CLUSTER_SILENT_MS 1000 /* a member without a beat for this long is silent */
#define CLUSTER_ROUND_MS 2000  /* whoever has not all records by then asks again */

struct cluster {
    unsigned me;
    uint64_t all;          /* configured nodes */
    uint64_t view;         /* name of the membership; 0: not in the group */
    uint64_t members;      /* nodes with a supervisor in the group */
    uint64_t process_left; /* members that left while their node stayed */
    uint64_t synced;       /* members whose records of this round have arrived */
    uint32_t round;        /* of this view: how often its members began anew */
    uint64_t begun;        /* members that have sent their records in round 0 */
    uint32_t records[PEER_MAX_NODE + 1]; /* SYNC and WISH of the round heard */
    struct mono since;                   /* the round began */
    uint64_t suspect;                    /* members that are silent */
    uint64_t quorums;                    /* members to which Corosync says quorate */
    uint64_t engines;                    /* members whose engine is connected */
    uint64_t fenced;     /* absent nodes that were switched off, or lost */
    uint64_t own_fenced; /* ... as this node knows, for the next view */
    enum health health[PEER_MAX_NODE + 1];
    bool told;       /* what the journal last said of the quorum */
    bool ready;      /* records of this view are merged */
    uint64_t orders; /* number of the last order, as all who have synced know it */
    struct wishes wish;
    uint64_t drain_order[PEER_MAX_NODE + 1]; /* that empties the node; 0: none runs */

    uint64_t own_orders;    /* the last this node ever knew */
    struct arbiter arbiter; /* .timeout_ms is set by the shell */
    bool own_quorum, own_engine;
    enum health own_health;
    int load[PEER_MAX_NODE + 1]; /* permille, as read by this node; 0: unknown too */
    struct mono heard[PEER_MAX_NODE + 1];
    struct mono next_beat, last_tick;
};

/* cluster_init - alone and without quorum.  @me is in @all. */
void cluster_init(struct cluster *c, unsigned me, uint64_t all);

/* cluster_view - the membership changed; no record has arrived yet.
 *
 * @view          its name, the same on all members; 0: this node left the group
 * @process_left  nodes that are still there without a supervisor */
void cluster_view(struct cluster *c, uint64_t view, uint64_t members,
    uint64_t process_left, struct mono now, struct effects *out);

/* cluster_anew - take in what says that the members have to send their records anew.
 * True: a round has begun; do what is done after a change of membership.
 *
 * Where rings fail while they are being formed, Corosync may show a member that it was
 * alone, and never tell the others.  What it missed meanwhile it can learn only if all
 * stop where they hear that it begins again, and merge. */
bool cluster_anew(
    struct cluster *c, const struct peermsg *msg, struct mono now, struct effects *out);

/* cluster_of_round - whether a SYNC, SYNC_END or WISH is of the round that is now. */
bool cluster_of_round(const struct cluster *c, const struct peermsg *msg);

/* cluster_record - count @msg of a member, if it is a record. */
void cluster_record(struct cluster *c, const struct peermsg *msg);

/* cluster_heard - take in a BEAT, SYNC_END or SUSPECT.
 * True: with it all records of the view are there; merge them. */
bool cluster_heard(
    struct cluster *c, const struct peermsg *msg, struct mono now, struct effects *out);

/* cluster_tick - send what is due: the own beat, word of silent members, the wish that
 * all begin anew.
 * When to call next. */
struct mono cluster_tick(struct cluster *c, struct mono now, struct effects *out);

/* cluster_beat - say now what has changed on this node. */
void cluster_beat(struct cluster *c, struct effects *out);

/* cluster_sync_end - the last record was broadcast. */
void cluster_sync_end(struct cluster *c, struct effects *out);

bool cluster_quorate(const struct cluster *c);
uint64_t cluster_answering(const struct cluster *c); /* may be counted on */
bool cluster_majority(const struct cluster *c, uint64_t nodes);

/* cluster_given_up - nodes that count as votes because the quorum device decided
 * against them: unlike what was fenced they may still run. */
uint64_t cluster_given_up(const struct cluster *c);
unsigned nodes_count(uint64_t nodes);

#endif
