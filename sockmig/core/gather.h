/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * gather.h - which packets of a crowd are acted on together.
 *
 * One by one each would be worth a turn of the engine, a datagram to each standby and
 * its answer.  So both queues are read again and again, with rests in between, until as
 * many have come as can be expected (pace_crowd()), or the first has waited long
 * enough: a fixed time, or, where they wait for the log only, as long as a crowd takes
 * (burst.h).  Under replay the log goes in rounds, too: who comes while one is under
 * way goes with the next.  Large packets, of which each is a message anyway, wait for
 * nobody: sealing, carrying and opening them is best done side by side.
 *
 * Pure.  Design: doc/design/checkpoint.md, log.md. */
#ifndef BSC_GATHER_H
#define BSC_GATHER_H

#include "sockmig/core/burst.h"

struct gather {
    uint64_t in, out;   /* newest packets that were acted on, by ordinal (held.h) */
    unsigned rested_us; /* since the first that was not was read */
    unsigned rest_us;   /* GATHER_REST: how long */
    struct burst burst;
};

struct gather_seen {
    uint64_t in, out;  /* newest packets read */
    uint32_t crowd;    /* 0: nobody is waited for */
    bool complete;     /* as many are to be let out as can be expected */
    bool brief;        /* they wait for the log, and not for a checkpoint */
    bool cut;          /* the last rest ended before its time */
    uint64_t unstable; /* .brief: bytes of the log that some standby lacks */
};

enum gather_turn {
    GATHER_LISTEN, /* nothing new: wait until a queue has some */
    GATHER_REST,   /* read again after .rest_us */
    GATHER_GO      /* act on all, then listen */
};

/* gather_turn - what to do after both queues were read. */
enum gather_turn gather_turn(struct gather *g, const struct gather_seen *seen);

/* Datagrams belong to no connection that tells whether an answer is waited for.  So
 * those without one count as asking, but no more than half of what comes in a ms:
 * where few come, or one client, nobody else is there before long. */
struct datagrams {
    uint32_t unanswered, seen, per_ms;
};

void datagrams_in(struct datagrams *d);
void datagrams_out(struct datagrams *d);
void datagrams_tick(struct datagrams *d); /* every 100 ms: it was long ago */
uint32_t datagrams_asking(const struct datagrams *d);

/* gather_round - is nothing to be read until the log that is under way, @unstable
 * bytes, is stable, or GATHER_ROUND_US are over?  @waiting packets wait for it. */
#define GATHER_CROWD 4 /* fewer gain nothing by waiting for each other */
#define GATHER_BULK (64u << 10)
#define GATHER_ROUND_US 1000
bool gather_round(uint64_t unstable, uint32_t waiting);

#endif
