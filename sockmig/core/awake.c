/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/core/awake.h"

bool
awake_turn(struct awake *a, uint64_t packets)
{
    uint64_t new = packets >= a->packets ? packets - a->packets : packets;

    a->packets = packets;
    a->quiet = new > AWAKE_QUIET ? 0 : a->quiet + 1;
    if (new >= AWAKE_BUSY)
        a->on = true;
    else if (a->quiet >= AWAKE_TURNS)
        a->on = false;
    return a->on;
}
