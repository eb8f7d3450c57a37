/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * service.h - the record of one service, the same on every member.
 *
 * service_deliver() is a state machine over messages in agreed order.  It decides
 * nothing on its own: who speaks and what is ordered is drive.c's.  Promises:
 *
 *   - at most one node is ever .active of an epoch: a TAKING needs the votes of a
 *     majority, and a node votes once for an epoch; or it is a HANDOVER, by who was
 *     active and serves no more, and a majority has it before the successor serves;
 *   - .set names only nodes whose clone has everything that was ever released,
 *     unless .doubt is set;
 *   - .floor and (.epoch, .version) never go back on a member that persists them.
 *
 * Pure.  Design: doc/design/election.md. */
#ifndef BSC_SERVICE_H
#define BSC_SERVICE_H

#include "supervisor/core/errand.h"
#include "supervisor/core/place.h"
#include "supervisor/core/plan.h"
#include "supervisor/core/switchover.h"

struct claim {
    uint64_t epoch; /* 0: none */
    unsigned node;
    enum peer_mode mode;
};

struct conduct {       /* of this node alone: see drive.c */
    bool engine_known; /* its status was read since it was connected */
    bool busy;         /* an order is under way to the engine */
    enum engine_op op;
    uint64_t op_epoch;
    uint64_t op_set;
    bool pending; /* an own message has not come back yet */

    uint64_t voted;     /* highest epoch that STOPPED was sent for */
    uint64_t fenced;    /* highest epoch the engine is fenced for */
    uint64_t followed;  /* epoch the engine follows */
    unsigned from;      /* who was active before .witnessed */
    uint64_t witnessed; /* TAKING of this epoch was delivered to this very process */
    uint64_t ordered;   /* epoch for which start, takeover or resume was ordered */
    uint64_t served;    /* epoch for which the engine said yes */
    bool holds;         /* the engine has a process of some epoch, not a clone */
    uint64_t handed;    /* epoch in which the engine has stopped for a handover */
    uint64_t steady;    /* epoch of which STEADY was said */
    uint64_t required;  /* nodes whose acknowledgement the engine requires */
    uint64_t ready;     /* standbys that have all of a checkpoint and keep up */
    uint64_t adding;    /* the engine requires it; the record does not have it yet */
    bool acked;         /* the engine has acknowledged a beat, at .last_ack or before */
    struct mono last_ack;
    uint64_t broken;  /* epoch in which our engine, the active's, does not serve */
    bool broken_told; /* ... FAILED was said, since the last change of membership */
    bool broken_shut; /* ... its gates are shut */
    bool unopened;    /* ... and were never open in this epoch */
    bool clone_gone;  /* the set has us, and we have nothing */
    uint64_t confirmed_epoch;
    uint32_t confirmed_version;
    struct reign durable; /* the newest record this node ever had: never forgotten */
    char text[PEER_TEXT]; /* why it is broken, or why a handover failed */
    bool handover_failed;
    unsigned told_policy, told_ms; /* wishes that the engine has been told */
    unsigned op_value;             /* ... is being told */
    uint64_t errand_asked;         /* its engine was given this errand */
    bool errand_over, errand_ok;   /* ... and has answered; .errand_text says why not */
    char errand_text[PEER_TEXT];
    struct mono since;      /* of the state that may call for a claim */
    struct mono lease_over; /* the old lease has surely run out */
    struct mono retry;      /* no order to the engine before */
    struct mono active_at;
};

struct service {
    unsigned index; /* in the configuration */
    uint32_t key;   /* on the wire */
    struct placement p;
    int64_t lease_us, margin_us; /* lease and what clocks may differ in its time */

    enum service_state state;
    struct reign r;
    struct reign merged; /* of the records of this view that have arrived */
    struct claim claim;
    uint64_t stopped;   /* voters for the claim */
    uint64_t confirmed; /* members that have (r.epoch, r.version) */
    struct switchover order;
    struct errand errand;
    struct wishes wish;
    struct outlook outlook;
    struct prospect prospect; /* of this node alone: see plan.h */

    struct conduct own;
    uint64_t ignored; /* messages no rule matched: a counter for the status */
};

/* service_init - with the record and the wishes of the journal, or zeros. */
void service_init(struct service *s, unsigned index, uint32_t key,
    const struct placement *p, int64_t lease_ms, const struct reign *recorded,
    const struct wish *wish);

/* service_view - a round of a view begins: a claim is void, an order that has not
 * stopped the service yet comes to nothing; the own record is broadcast. */
void service_view(
    struct service *s, const struct cluster *c, struct mono now, struct effects *out);

/* service_merge - all records of this view are here. */
void service_merge(
    struct service *s, const struct cluster *c, struct mono now, struct effects *out);

/* service_deliver - take in one message, the own ones included. */
void service_deliver(struct service *s, struct cluster *c, const struct peermsg *msg,
    struct mono now, struct effects *out);

/* service_outvoted - a newer reign was claimed: this one cannot last. */
bool service_outvoted(const struct service *s);

/* service_say - broadcast @kind with the record's epoch and version filled in; the
 * next thing is said when it has come back. */
struct peermsg *service_say(
    struct service *s, enum peer_kind kind, struct effects *out);

/* service_sync - broadcast the own record again. */
void service_sync(struct service *s, const struct cluster *c, struct effects *out);

#endif
