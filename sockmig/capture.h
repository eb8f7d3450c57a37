/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * capture.h - the packets of a service: those that come in wait in a queue of the
 * kernel, those that go out in memory of ours; what of them goes into the log, and
 * which may go on.
 *
 * Owned by the main thread.  The tracer's thread calls capture_mark() and
 * capture_marked() around the reading of the sockets: nothing is delivered between
 * them, so that the mark is exact.  Design: doc/design/log.md. */
#ifndef BSC_CAPTURE_H
#define BSC_CAPTURE_H

#include "lib/conf.h"
#include "lib/loop.h"
#include "sockmig/core/births.h"
#include "sockmig/core/flows.h"
#include "sockmig/core/gather.h"
#include "sockmig/core/held.h"
#include "sockmig/core/overrun.h"
#include "sockmig/core/trim.h"
#include "sockmig/egress.h"
#include "sockmig/mark.h"
#include "sockmig/nfq.h"
#include "sockmig/rest.h"

#include <pthread.h>
#include <stdatomic.h>

struct drops;
struct engine;
struct mcast;

struct capture {
    struct nfq *in_queue; /* owned, as all here */
    struct egress *out_queue;
    struct loop_io *in_io, *out_io;
    struct rest *rest; /* neither queue is looked at meanwhile */
    bool rests, waits; /* in .rest; between capture_wait() and capture_look() */
    bool stays;        /* rests in place: see stay() */
    bool settled;      /* the rest ended early: what was waited for has come */
    bool unleased;     /* output is held for want of a lease */
    bool deaf;         /* input stays in the kernel's queue until the service runs */
    struct held in, out;
    struct flows *flows;
    struct births *births;
    struct mcast *mcast;

    enum conf_policy policy; /* by whose rule packets wait */
    enum conf_policy wanted; /* the newest order's; .policy follows when a standby could
                                go on by it */
    uint64_t wanted_from;    /* from this checkpoint on it is known to standbys; 0: not
                                taken yet */
    uint32_t members;        /* bit i: node i follows the log */
    uint32_t last_in, last_out; /* ids of the newest packets read */
    uint32_t stable_mark;       /* of the newest stable checkpoint */
    bool has_mark;
    uint64_t logged;  /* LSN of the newest packet's record */
    struct trim trim; /* of the log */

    pthread_mutex_t deliver;
    _Atomic bool deliver_waits;     /* for marked() */
    uint64_t delivered;             /* ordinal; changed under .deliver */
    _Atomic uint64_t delivered_lsn; /* of its record; as that, but for a new reign */
    uint64_t anchor;                /* ordinal of the output packet ... */
    uint32_t anchor_id;             /* ... with this id; under .deliver */

    uint32_t crowd; /* packets out that can wait at once, pace_crowd() */
    struct gather gather;
    struct datagrams datagrams;
    struct drops *drops; /* NULL: the kernel does not tell */
    struct overrun overrun;
    uint64_t overran; /* datagrams that the service's sockets had no room for */
    uint64_t queued, released, unlogged; /* packets out; in and out without room */
};

int capture_open(struct engine *e); /* 0, or -errno and logged */

/* capture_policy - an order of the supervisor: packets wait by @policy, as soon as the
 * standbys would know it. */
void capture_policy(struct engine *e, enum conf_policy policy);

/* capture_reign - a new reign of this node: an empty log, nothing held. */
void capture_reign(struct engine *e);

/* capture_forget_births - nothing of earlier connections is here: the service is
 * started afresh, or all its connections are reset. */
void capture_forget_births(struct engine *e);

/* capture_succeed - a clone runs here: what its log has of such connections. */
void capture_succeed(struct engine *e);

/* capture_swallowed - output @packet was a replay's: it leaves, or has left, otherwise.
 */
void capture_swallowed(
    struct engine *e, const struct captured *packet, struct mono now);

/* capture_births - a copy of what a standby that has just joined is given of
 * connections in no image (births.h), *size bytes, the caller's to free; NULL if there
 * is nothing. */
uint8_t *capture_births(const struct engine *e, size_t *size);

/* capture_join - standby @node follows the log from here on; *position: from where.
 * False: there is no room for it now. */
bool capture_join(
    struct engine *e, unsigned node, uint64_t session, uint64_t *position);
void capture_leave(struct engine *e, unsigned node);

/* capture_taken - a checkpoint was taken: its mark's .out_id and .log. */
void capture_taken(struct engine *e, uint64_t number, uint32_t mark, uint64_t log,
    enum conf_policy policy);
void capture_stable(struct engine *e, uint32_t mark); /* the newest one is stable */

/* capture_read_on - packets may have come while a checkpoint's sockets were read. */
void capture_read_on(struct engine *e);

/* capture_wait - output is not looked at until capture_look(): what a clone puts out
 * while it wakes is the replay's. */
void capture_wait(struct engine *e);
void capture_look(struct engine *e);

/* capture_deafen - input is not looked at until the service runs, or is discarded: what
 * comes before the replay has ended is judged by what the replay has found. */
void capture_deafen(struct engine *e);

/* capture_go - let go and deliver what may go now, and send what was logged. */
void capture_go(struct engine *e);

/* capture_leased - there is a lease: what waited for it goes. */
void capture_leased(struct engine *e);

/* capture_hand_over - the fence is shut and the service's last image taken: what it let
 * in is logged and goes to the successor.  *log: it is in the log up to there. */
void capture_hand_over(struct engine *e, uint64_t *log);

/* capture_discard - drop all that is held: what clients sent they send again. */
void capture_discard_in(struct engine *e);
void capture_discard_out(struct engine *e);

/* The tracer's thread. */
void capture_mark(void *engine, struct mark *out);
void capture_marked(void *engine);

#endif
