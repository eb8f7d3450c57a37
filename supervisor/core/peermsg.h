/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * peermsg.h - what supervisors tell each other, in agreed order, and its encoding.
 *
 * Every member of the process group delivers the same messages in the same order;
 * service.c turns them into the same record on every node.  Nodes are named by
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
#define PEER_MAX_BYTES 384

enum peer_kind {
    PEER_BEAT,       /* the sender lives: its quorum, its engine, its health */
    PEER_SYNC,       /* after a change of membership: the sender's record of a service */
    PEER_SYNC_END,   /* all records of the sender were sent for this .view */
    PEER_SUSPECT,    /* supervisor of .node has been silent for too long */
    PEER_CLAIM,      /* .node wants to be active in .epoch, by .mode */
    PEER_STOPPED,    /* vote for the claim; the engine acknowledges no older epoch */
    PEER_TAKING,     /* the claim has its votes and the old lease has run out */
    PEER_CONFIRM,    /* the sender has recorded (.epoch, .version) durably */
    PEER_ACTIVE,     /* the engine of the active node serves */
    PEER_FAILED,     /* the active node does not serve any more, or never did */
    PEER_HANDOVER,   /* the active has stopped for .node; its gates are shut */
    PEER_SET,        /* the replication set is .set from now on */
    PEER_LOST,       /* the sender's clone is gone */
    PEER_STEADY,     /* the active has served for a good while: forget old failures */
    PEER_ORDER,      /* an operator orders a switchover to .node */
    PEER_STEP,       /* the active's supervisor begins order .order */
    PEER_ORDER_DONE, /* order .order came to nothing: .reason, .text */
    PEER_NKINDS
};

enum peer_mode { MODE_START, MODE_TAKEOVER, MODE_RESUME, MODE_NMODES };

enum service_state { /* also the state of the machine in service.c */
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

enum { PEER_FLAG_QUORATE = 1, PEER_FLAG_ENGINE = 2 }; /* in a BEAT and a SYNC_END */

struct peermsg {
    enum peer_kind kind;
    unsigned from;     /* sender: of the transport, never of the message */
    uint32_t service;  /* peer_service_key(), 0 if it concerns none */
    uint64_t view;     /* SYNC, SYNC_END */
    struct reign r;    /* SYNC: all; others: epoch, version, set, mode, shut, doubt */
    unsigned node;     /* CLAIM, SUSPECT, HANDOVER, ORDER */
    int64_t age_us;    /* STOPPED: since the last acknowledged beat; -1: never */
    uint32_t flags;    /* BEAT, SYNC_END */
    enum health health; /* BEAT */
    uint64_t order;    /* ORDER: sender's token; STEP, ORDER_DONE: number of the order */
    unsigned reason;   /* ORDER_DONE: enum order_reason */
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

#endif
