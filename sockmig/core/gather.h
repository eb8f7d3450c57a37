/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * gather.h - which packets of a crowd are acted on together.
 *
 * One by one each would be worth a turn of the engine, a datagram to each standby and
 * its answer.  So both queues are read again and again, with rests in between, until as
 * many have come as can be expected (pace_crowd()), or the first has waited long
 * enough.
 *
 * Pure.  Design: doc/design/checkpoint.md. */
#ifndef BSC_GATHER_H
#define BSC_GATHER_H

#include <stdbool.h>
#include <stdint.h>

struct gather {
    uint64_t in, out;   /* newest packets that were acted on, by ordinal (held.h) */
    unsigned rested_us; /* since the first that was not was read */
};

struct gather_seen {
    uint64_t in, out; /* newest packets read */
    uint32_t crowd;   /* 0: nobody is waited for */
    bool complete;    /* as many are to be let out as can be expected */
};

enum gather_turn {
    GATHER_LISTEN, /* nothing new: wait until a queue has some */
    GATHER_REST,   /* read again after gather_rest_us() */
    GATHER_GO      /* act on all, then listen */
};

unsigned gather_rest_us(uint32_t crowd);

/* gather_turn - what to do after both queues were read. */
enum gather_turn gather_turn(struct gather *g, const struct gather_seen *seen);

#endif
