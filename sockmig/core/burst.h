/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * burst.h - how long to wait for a crowd, learned from the crowds before it.
 *
 * Those who are answered together ask together: a burst, as long as their number and
 * the machine's speed have it.  A wait that ends before the burst does splits it into
 * rounds, of which each costs the same; one that goes on after it is time in which
 * nobody does anything.  So some waits are looked at when three quarters of them are
 * over: if little comes in the last one they are too long, if as much as in those
 * before, too short.
 *
 * Pure.  Design: doc/design/log.md. */
#ifndef BSC_BURST_H
#define BSC_BURST_H

#include <stdbool.h>
#include <stdint.h>

#define BURST_LOOK_EVERY 4 /* waits */
#define BURST_LOOKS 16     /* until something is concluded: a single one is noise */
#define BURST_LEAST_US 30
#define BURST_MOST_US 500

struct burst {
    uint32_t pace; /* of one of the crowd, in 1/BURST_US us; 0: nothing is known yet */
    uint32_t waits, looks;
    enum { BURST_WAIT, BURST_HEAD, BURST_TAIL } part; /* BURST_WAIT: not looked at */
    uint32_t tail_us;
    uint64_t seen;       /* packets, when the part began */
    uint64_t came;       /* BURST_TAIL: before it */
    uint64_t head, tail; /* packets that came in each, of all looks */
};
#define BURST_US 16

/* burst_begin - a wait for @crowd begins, @packets were seen until now: us of it.
 * burst_more - they are over (@cut: it ended before its time): us of it that are left,
 * 0: none. */
uint32_t burst_begin(struct burst *b, uint32_t crowd, uint64_t packets);
uint32_t burst_more(struct burst *b, uint64_t packets, bool cut);

#endif
