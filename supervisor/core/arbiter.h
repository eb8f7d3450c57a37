/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * arbiter.h - which of two nodes goes on when they lose each other: Corosync's quorum
 * device says so, once, for good until they have met again.
 *
 * The device gives its vote to one side at a time but keeps no memory: it may give it
 * to the other side a moment later.  So its vote counts only for who held it alone over
 * a window of time, and the windows of both nodes overlap by longer than a node may
 * wrongly believe that it holds the vote: at most one of them wins.  The loser decides
 * nothing until both have been members together again; so the winner needs the device
 * no more, and what it does alone cannot be gone back on.
 *
 * The window is reckoned from the *contact*: the sending of the last own beat that the
 * other has answered while both were together.  Each also knows bounds for the other's
 * contact.  Pure.  Design: doc/design/device.md. */
#ifndef BSC_ARBITER_H
#define BSC_ARBITER_H

#include "lib/core/mono.h"
#include "supervisor/core/peermsg.h"

#define ARBITER_BEATS 64 /* beats whose echo is still understood */

enum arbiter_state {
    ARBITER_APART,    /* has not met the other, or not since it lost */
    ARBITER_TOGETHER, /* both have merged their records, and each knows it of the other
                       */
    ARBITER_SPLIT,    /* the window is open, or will be */
    ARBITER_WON,
    ARBITER_LOST,
    ARBITER_NSTATES
};

struct arbiter {
    unsigned timeout_ms; /* of the device, as Corosync knows it; 0: there is none */
    enum arbiter_state state;
    uint64_t number; /* of the last own beat */
    uint64_t first;  /* the first own beat of this membership */
    uint64_t echo;   /* number of the other's last beat */
    struct {
        struct mono sent, contact; /* and what was known when it was sent */
    } beats[ARBITER_BEATS];
    struct mono contact;             /* 0: none yet */
    struct mono peer_low, peer_high; /* the other's contact lies between; 0: unknown */
    struct mono from, until;         /* SPLIT: the vote must be held throughout */
    struct mono self;                /* an own beat came back last */
    struct mono self_sent;           /* ... and was sent then */
    bool held;                       /* the device votes for this node alone */
    struct mono since;               /* ... since then */
};

/* arbiter_init - @timeout_ms 0: there is no device, nothing is ever decided. */
void arbiter_init(struct arbiter *a, unsigned timeout_ms);

/* arbiter_view - the membership changed.
 * @both  both nodes are members; @alone: only this one is.  Neither: none is. */
void arbiter_view(struct arbiter *a, bool both, bool alone);

/* arbiter_beat - number the beat that is being sent. */
void arbiter_beat(struct arbiter *a, struct mono now, struct peermsg *msg);

/* arbiter_heard - a BEAT was delivered.
 * @own     it is this node's
 * @merged  this node has merged the records of both */
void arbiter_heard(struct arbiter *a, const struct peermsg *msg, bool own, bool merged,
    struct mono now);

/* arbiter_device - Corosync says whether the device votes for this node alone. */
void arbiter_device(struct arbiter *a, bool held, struct mono now);

/* arbiter_look - whether the window has passed.  True: it has just been won. */
bool arbiter_look(struct arbiter *a, struct mono now);

const char *arbiter_state_name(enum arbiter_state state);

#endif
