/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * effects.h - what the cores ask of the shell, in the order to carry it out.
 *
 * PERSIST and JOURNAL are durable before the effect after them is begun: that order
 * is promise P6.  Pure. */
#ifndef BSC_EFFECTS_H
#define BSC_EFFECTS_H

#include "lib/core/mono.h"
#include "supervisor/core/peermsg.h"

#define EFFECTS_MAX 1024

enum engine_op {
    ENGINE_START,
    ENGINE_TAKEOVER,
    ENGINE_RESUME, /* in the order of enum peer_mode */
    ENGINE_FENCE,
    ENGINE_FOLLOW,
    ENGINE_SET,
    ENGINE_HANDOVER,
    ENGINE_STOP,
    ENGINE_POLICY,   /* .msg.value */
    ENGINE_INTERVAL, /* .msg.value */
    ENGINE_CHECKPOINT,
    ENGINE_NOPS
};

enum journal_kind {
    JOURNAL_NODE_JOINED,
    JOURNAL_NODE_LEFT,
    JOURNAL_NODE_SILENT,
    JOURNAL_NODE_BACK,
    JOURNAL_QUORUM_GAINED,
    JOURNAL_QUORUM_LOST,
    JOURNAL_ENGINE_UP,
    JOURNAL_ENGINE_DOWN,
    JOURNAL_CLAIM,
    JOURNAL_TAKING,
    JOURNAL_STEP, /* an order to this node's engine is about to be given */
    JOURNAL_STEP_FAILED,
    JOURNAL_ACTIVE,
    JOURNAL_FAILED,
    JOURNAL_CONTEXT_LOST,
    JOURNAL_HANDOVER,
    JOURNAL_SET,
    JOURNAL_LOST,
    JOURNAL_ORDER,
    JOURNAL_ORDER_FAILED,
    JOURNAL_ORDER_DONE,
    JOURNAL_HELD,  /* too many failures of the service on .node */
    JOURNAL_FENCE, /* fence agents for .node are about to be run */
    JOURNAL_FENCED,
    JOURNAL_FENCE_FAILED,
    JOURNAL_FORGIVEN,    /* its failures there are forgotten */
    JOURNAL_DEVICE_WON,  /* the quorum device decided for this node, against .node */
    JOURNAL_DEVICE_LOST, /* ... or not for this node */
    JOURNAL_NKINDS
};

enum effect_kind {
    DO_PERSIST,   /* record .r of .service, durable */
    DO_JOURNAL,   /* a row .journal about .node, .service, .r.epoch, ... */
    DO_BROADCAST, /* .msg to the group, agreed order */
    DO_ENGINE,    /* order .op to this node's engine */
    DO_ASK,       /* read the engine's status of .service: a REPORT */
    DO_ARM,       /* replace the timer: a TICK at .at */
    DO_ORDER,     /* order .order is now in .step; .token is of this node's client */
    DO_FENCE,     /* run the fence agents of .node */
    DO_KEEP,      /* wishes .msg.w of .service (or NO_SERVICE: cluster), durable */
    DO_NKINDS
};

#define NO_SERVICE (~0u)

struct effect {
    enum effect_kind what;
    unsigned service;          /* index, or NO_SERVICE */
    enum engine_op op;         /* ENGINE, JOURNAL_STEP */
    enum journal_kind journal; /* JOURNAL */
    unsigned node;         /* JOURNAL, ENGINE FOLLOW: active; TAKEOVER: from; ORDER */
    struct reign r;        /* PERSIST; JOURNAL, ENGINE: epoch, set, mode */
    struct mono at;        /* ARM */
    uint64_t order, token; /* ORDER; JOURNAL */
    unsigned step;         /* ORDER: enum switchover_step */
    unsigned reason;       /* ORDER, JOURNAL_ORDER_FAILED: enum order_reason */
    struct peermsg msg; /* BROADCAST; .text, .what, .why, .value of JOURNAL and ORDER */
};

struct effects {
    struct effect v[EFFECTS_MAX];
    unsigned n;
};

/* effects_add - a zeroed effect at the end.  Never NULL: the capacity covers the
 * largest step, one view of 64 services. */
struct effect *effects_add(
    struct effects *out, enum effect_kind what, unsigned service);

/* effects_journal - a row about @node; the caller fills in what else it has. */
struct effect *effects_journal(
    struct effects *out, enum journal_kind journal, unsigned service, unsigned node);

const char *engine_op_name(enum engine_op op);
const char *journal_kind_name(enum journal_kind kind);

#endif
