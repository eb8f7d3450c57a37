/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * commit.h - which held output may leave (policy commit; promise P3).
 *
 * Every checkpoint has a mark: the id of the newest packet that was in the egress
 * queue while the service stood still.  What is held up to the mark of checkpoint n
 * may leave when n is stable: acknowledged by every standby of the replication set.
 * With an empty set there is nobody to wait for.
 *
 * Pure.  Design: doc/design/checkpoint.md. */
#ifndef BSC_COMMIT_H
#define BSC_COMMIT_H

#include "lib/core/mono.h"

#define COMMIT_MAX_NODES 16
#define COMMIT_WINDOW 16 /* checkpoints that may be taken and not yet stable */

struct commit {
    uint32_t set;                     /* bit i: node i must acknowledge */
    uint64_t acked[COMMIT_MAX_NODES]; /* highest checkpoint each node has whole */
    uint64_t taken, stable;           /* highest numbers; 0: none */
    struct {
        uint64_t number;
        uint32_t mark;
        struct mono at;
    } window[COMMIT_WINDOW];
};

void commit_init(struct commit *c);

/* commit_full - whether taking one more checkpoint must wait. */
bool commit_full(const struct commit *c);

/* commit_taken - checkpoint @number (the last one plus 1) has @mark. */
void commit_taken(struct commit *c, uint64_t number, uint32_t mark, struct mono at);

/* commit_acked - node @node has all of checkpoint @number.  Numbers never taken are
 * ignored. */
void commit_acked(struct commit *c, unsigned node, uint64_t number);

/* commit_forget - node @node starts over: nothing of what it had counts. */
void commit_forget(struct commit *c, unsigned node);

/* commit_set - from now on just the nodes in @set must acknowledge.  Only on the order
 * of the supervisor, which has the agreement of the cluster. */
void commit_set(struct commit *c, uint32_t set);

/* commit_covered - whether every node in @set has all that was released so far. */
bool commit_covered(const struct commit *c, uint32_t set, uint64_t released);

/* commit_release - has more become stable?  True: *mark may leave, and what is held
 * before it. */
bool commit_release(struct commit *c, uint32_t *mark);

/* commit_covers - whether the newest checkpoint taken, stable or not, has all output up
 * to packet @id: another one would not let it leave any sooner. */
bool commit_covers(const struct commit *c, uint32_t id);

/* commit_stable_at - when the newest stable checkpoint was taken. */
struct mono commit_stable_at(const struct commit *c);

/* commit_waiting_since - when the oldest checkpoint that is not stable was taken;
 * false if there is none. */
bool commit_waiting_since(const struct commit *c, struct mono *since);

#endif
