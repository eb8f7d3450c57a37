/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * peermsg.h - what supervisors tell each other, in agreed order, and its encoding.
 *
 * Every member of the process group delivers the same messages in the same order;
 * service_rules.c turns them into the same record on every node.  Nodes are named by
 * their number (1..63), sets of nodes are masks with bit = number, services are
 * named by a hash of their name, so that two configurations in a different order
 * still mean the same.  Pure. */
#ifndef BSC_PEERMSG_H
#define BSC_PEERMSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PEER_MAX_NODE 63 /* largest number of a node */
#define PEER_TEXT 160    /* of a reason, with the NUL */
#define PEER_MAX_BYTES 512

enum peer_kind {
    PEER_BEAT,     /* the sender lives: its quorum, its engine, its health */
    PEER_SYNC,     /* after a change of membership: the sender's record of a service */
    PEER_SYNC_END, /* all records of the sender were sent for this .view */
    PEER_SUSPECT,  /* supervisor of .node has been silent for too long */
    PEER_CLAIM,    /* .node wants to be active in .epoch, by .mode */
    PEER_STOPPED,  /* vote for the claim; the engine acknowledges no older epoch */
    PEER_TAKING,   /* the claim has its votes and the old lease has run out */
    PEER_CONFIRM,  /* the sender has recorded (.epoch, .version) durably */
    PEER_ACTIVE,   /* the engine of the active node serves */
    PEER_FAILED,   /* the active node does not serve any more, or never did */
    PEER_HANDOVER, /* the active has stopped for .node; its gates are shut */
    PEER_SET,      /* the replication set is .set from now on */
    PEER_LOST,     /* the sender's clone is gone */
    PEER_STEADY,   /* the active has served for a good while: forget old failures */
    PEER_ORDER,    /* an order, of an operator or of the planner: .what, .why, .value */
    PEER_STEP,     /* the active's supervisor begins order .order */
    PEER_ORDER_DONE, /* order .order has ended: .reason, .text */
    PEER_WISH,       /* the sender's wishes of a service, or of the cluster */
    PEER_FENCED,     /* .node was switched off by fence agents, or the quorum device
                        decided against it */
    PEER_FORGIVE,    /* failures on .node are forgotten: .w.fails of it were .value */
    PEER_ANEW,       /* records of this .view are lacking in round .value: begin anew */
    PEER_NKINDS
};

enum peer_mode { MODE_START, MODE_TAKEOVER, MODE_RESUME, MODE_NMODES };

enum service_state { /* also the state of the machine in service_rules.c */
    SERVICE_IDLE,    /* never was active anywhere */
    SERVICE_CLAIMED, /* a claim is being voted on; never part of a record */
    SERVICE_TAKING,  /* .active is about to serve; it may serve already */
    SERVICE_ACTIVE,  /* .active serves */
    SERVICE_DOWN,    /* nobody serves */
    SERVICE_NSTATES
};

enum health { HEALTH_OK, HEALTH_UNKNOWN, HEALTH_DEGRADED, HEALTH_FAILED, HEALTH_N };

/* What every member records of a service.  Of two records the one with the larger
 * (epoch, version) is newer. */
struct reign {
    uint64_t epoch;
    uint32_t version; /* counts the changes within the epoch */
    enum service_state phase;
    enum peer_mode mode; /* how .active came to it */
    unsigned active;     /* 0: never anyone */
    unsigned kept;       /* node with the stopped process of a handover, or 0 */
    unsigned to;         /* node that a handover is meant for, or 0 */
    uint64_t set;        /* nodes whose clone may be used */
    bool shut;           /* .active's gates are known to be shut */
    bool doubt;          /* .active may have served beyond the clones of .set */
    unsigned strikes;    /* failures since the service last ran for a good while */
    uint64_t floor;      /* highest epoch ever claimed; >= epoch */
};

/* What operators want, and what failed where; of the cluster or of a service.  Newer is
 * the larger (version, author).  In the masks bit 0 is the cluster or the service. */
struct wish {
    uint32_t version;
    unsigned author;     /* of the last change */
    uint64_t drained;    /* nodes to be emptied; of the cluster only */
    uint64_t maintained; /* hands off; nodes of the cluster, or bit 0 */
    uint64_t frozen;     /* no moves for order's sake; nodes of the cluster, or bit 0 */
    uint64_t held;       /* nodes with too many failures of the service */
    unsigned policy;     /* 0: as configured; else 1 + its number */
    unsigned interval_ms;             /* 0: as configured */
    uint8_t fails[PEER_MAX_NODE + 1]; /* failures of the service by node */
};

enum order_what { /* kinds of orders */
    WHAT_SWITCHOVER,
    WHAT_DRAIN,
    WHAT_RESUME,
    WHAT_MAINTENANCE, /* .value 1 or 0 */
    WHAT_FREEZE,      /* .value 1 or 0 */
    WHAT_POLICY,      /* .value: number of the policy */
    WHAT_INTERVAL,    /* .value: ms, or 0 */
    WHAT_CHECKPOINT,
    WHAT_CLEAR,
    WHAT_N
};

enum order_why { /* who wants it: an operator, or which rule of plan.c */
    WHY_OPERATOR,
    WHY_DRAIN,
    WHY_HEALTH,
    WHY_PLACEMENT,
    WHY_FAILBACK,
    WHY_BALANCE,
    WHY_N
};

enum { /* in a BEAT and a SYNC_END */
    PEER_FLAG_QUORATE = 1,
    PEER_FLAG_ENGINE = 2,
    PEER_FLAG_TOGETHER = 4 /* all nodes are members, and the sender has merged */
};

struct peermsg {
    enum peer_kind kind;
    unsigned from;    /* sender: of the transport, never of the message */
    uint32_t service; /* peer_service_key(), 0 if it concerns none */
    uint64_t view;    /* SYNC, SYNC_END, WISH, ANEW */
    struct reign r; /* SYNC: all; SYNC_END: .set, nodes that were fenced, .version, how
                       many SYNC and WISH came just before; others: epoch, version,
                       set, mode, shut, doubt; BEAT: .epoch, the number of the other's
                       last beat (see arbiter.h) */
    unsigned node;  /* CLAIM, SUSPECT, HANDOVER, ORDER, FORGIVE */
    int64_t age_us; /* STOPPED: since the last acknowledged beat; -1: never */
    uint32_t flags; /* BEAT, SYNC_END */
    enum health health; /* BEAT */
    uint64_t order;     /* ORDER: sender's token; STEP, ORDER_DONE: number of the order;
                           BEAT: its own number, or 0 */
    unsigned reason;    /* ORDER_DONE: enum order_reason */
    enum order_what what; /* ORDER */
    enum order_why why;   /* ORDER */
    uint32_t value; /* ORDER, FORGIVE; SYNC, SYNC_END, WISH, ANEW: round of the view;
                       BEAT: ms, time-out of the quorum device */
    struct wish w;  /* WISH; travels with no other */
    char text[PEER_TEXT];
};

static inline uint64_t
node_bit(unsigned node)
{
    return (uint64_t)1 << node;
}

/* peer_service_key - the number that stands for @name on the wire; never 0. */
uint32_t peer_service_key(const char *name);

/* peer_encode - into @out (PEER_MAX_BYTES).  Bytes used. */
size_t peer_encode(const struct peermsg *msg, uint8_t *out);

/* peer_decode - @size bytes of @data from node @from.  False: malformed or of another
 * version of this program, @msg untouched. */
bool peer_decode(const void *data, size_t size, unsigned from, struct peermsg *msg);

const char *peer_kind_name(enum peer_kind kind);
const char *peer_mode_name(enum peer_mode mode);
const char *service_state_name(enum service_state state);
const char *health_name(enum health health);
const char *order_what_name(enum order_what what);
const char *order_why_name(enum order_why why);

#endif
