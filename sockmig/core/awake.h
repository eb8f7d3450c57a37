/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * awake.h - when the processors may not sleep deeply.
 *
 * Under way to a client and back a packet wakes a process six times: at the active
 * node, at each standby, and at the service.  Where a processor sleeps meanwhile, each
 * of them first has to wake it, which may take longer than all the rest.  Where packets
 * keep coming it is kept awake, therefore; that costs power, so where few come it is
 * not.
 *
 * Pure.  Design: doc/design/engine.md. */
#ifndef BSC_AWAKE_H
#define BSC_AWAKE_H

#include <stdbool.h>
#include <stdint.h>

#define AWAKE_BUSY 30u /* packets a turn from which on it is worth it */
#define AWAKE_QUIET 5u /* as few, AWAKE_TURNS times: it is not any more */
#define AWAKE_TURNS 5u

struct awake {
    bool on;
    uint64_t packets; /* at the last turn */
    unsigned quiet;   /* turns with few */
};

/* awake_turn - of every tenth of a second: are processors to be kept awake?  @packets
 * were seen since some beginning; fewer than the last time: it has begun anew. */
bool awake_turn(struct awake *a, uint64_t packets);

#endif
