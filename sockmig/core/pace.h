/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * pace.h - when the next checkpoint is due.
 *
 * On demand (output waits, or somebody asked): no sooner than the spacing after the
 * start of the last one.  Otherwise at the latest one interval after it.  And always:
 * the service runs at least as long as it was stopped, or many connections with a
 * short spacing would leave it no time to work (measured: a tenth of the throughput);
 * and four times as long where nobody waits: of several processes the pause may be
 * longer than the interval, and what is read for standbys that join is read between.
 *
 * While the only standbys there are get their first pages nobody could go on from a
 * checkpoint, and each of them takes time from the service and from the seeding: they
 * are some intervals apart.
 *
 * Output gathers.  One at the first packet that waits would find one answer of a crowd,
 * and let the others wait for the next: with 20 clients without a pause between
 * requests each covered 3.5 answers, and an answer waited for five of them.  So it is
 * due when no more output came for half a cycle (what a checkpoint takes from the stop
 * until it is stable, so it is short where checkpoints are cheap), and when the last
 * one is stable: nothing leaves sooner by taking it earlier.  A crowd that is complete
 * is not kept waiting (one client is such a crowd): where clients wait for an answer
 * before they ask again, no more answers can come than waited when some were let go.
 *
 * Pure.  Design: doc/design/checkpoint.md. */
#ifndef BSC_PACE_H
#define BSC_PACE_H

#include "lib/core/mono.h"

#include <stdbool.h>
#include <stdint.h>

struct pace {
    int64_t interval_us, spacing_us;
    struct mono started, ended; /* of the last checkpoint; 0: none yet */
};

struct pace_wish {
    bool now;                /* somebody asked, or the log is full */
    bool output;             /* output waits that no checkpoint covers */
    bool complete;           /* .output: as much as can be expected */
    bool under_way;          /* the last one is not stable yet */
    bool seeding;            /* standbys are being seeded, and none is required yet */
    struct mono first, last; /* .output: since when, and the newest of it */
    int64_t cycle_us; /* from its end until one is stable, pace_cycle(); 0: none yet */
};

/* pace_due - earliest time for the next one. */
struct mono pace_due(const struct pace *p, const struct pace_wish *w);

/* pace_cycle - the mean of what checkpoints take, after one that took @last_us. */
int64_t pace_cycle(int64_t before_us, int64_t last_us);

/* pace_crowd - how many packets can wait at once, where @waiting do when some are let
 * go: the most, fading slowly. */
uint32_t pace_crowd(uint32_t before, uint32_t waiting);

/* pace_taken - one was tried: the service stood still from @started to @ended. */
void pace_taken(struct pace *p, struct mono started, struct mono ended);

#endif
