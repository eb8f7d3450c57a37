/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * replayer_private.h - what replayer.c (the replay is driven) and replayer_told.c
 * (operators are told of it) share. */
#ifndef BSC_REPLAYER_PRIVATE_H
#define BSC_REPLAYER_PRIVATE_H

#include "sockmig/boost.h"
#include "sockmig/engine.h"
#include "sockmig/replayer.h"
#include "sockmig/reqsk.h"
#include "sockmig/rest.h"

#define DIVERGENCES 16 /* told one by one */

struct divergence { /* a connection that was reset */
    struct flow_key flow;
    uint32_t seq;
    const char *reason; /* static text */
};

struct replayer {
    void *memory; /* owned: of .machine */
    struct replay *machine;
    struct feed *feed;         /* owned */
    struct reqsk *reqsk;       /* borrowed; NULL: this kernel can not */
    struct outgoing *outgoing; /* owned: to clients, when the outside opens */
    struct answers *answers;   /* owned: those that may have to be sent again */
    struct reqsk_key half;     /* half open: what is sent next is its answer */
    bool answering;
    struct rest *rest; /* owned: until the next turn */
    bool running, watching;
    struct boost boost;     /* while .running */
    uint32_t last_out;      /* id of the newest packet swallowed */
    struct mono began, end; /* of the last replay; .end.us 0: none yet */
    struct mono grace; /* the map is cleared then; .us 0: no half-open one is there */
    bool expects;      /* it may have connections that are still to be made again */
    uint64_t unmade;
    char reason[128]; /* why it was given up; "": it was not */
    uint64_t epoch;   /* of the reign that it began */
    struct divergence divergences[DIVERGENCES];
    unsigned ndivergences;
};

/* replayer_say_... - in the journal, with what to do. */
void replayer_say_diverged(struct engine *e, const struct replay_effect *effect);
void replayer_say_stalled(struct engine *e, const struct replay_effect *effect);
void replayer_say_datagrams(struct engine *e, uint64_t n);
void replayer_say_insisted(struct engine *e); /* nothing is watched any more */

#endif
