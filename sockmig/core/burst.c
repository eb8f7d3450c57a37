/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/core/burst.h"

/* Of the crowd, half is in the other gate, or on its way.  Measured: see log.md. */
#define FIRST (8 * BURST_US)
#define LEAST (5 * BURST_US)
#define MOST (12 * BURST_US)

/* Of a stream that does not end a third of what came before comes in the last quarter.
 */
#define TOO_LONG 6  /* up to a sixth */
#define TOO_SHORT 4 /* from a fourth on */

uint32_t
burst_begin(struct burst *b, uint32_t crowd, uint64_t packets)
{
    uint64_t us;

    if (b->pace == 0)
        b->pace = FIRST;
    us = (uint64_t)crowd * b->pace / BURST_US;
    us = us < BURST_LEAST_US ? BURST_LEAST_US : us > BURST_MOST_US ? BURST_MOST_US : us;
    b->part = ++b->waits % BURST_LOOK_EVERY == 0 ? BURST_HEAD : BURST_WAIT;
    b->tail_us = b->part == BURST_HEAD ? (uint32_t)us / 4 : 0;
    b->seen = packets;
    return (uint32_t)us - b->tail_us;
}

static void
conclude(struct burst *b)
{
    uint32_t step = b->pace / 16;

    if (b->tail * TOO_LONG <= b->head && b->pace - step >= LEAST)
        b->pace -= step;
    else if (b->tail * TOO_SHORT >= b->head && b->pace + step <= MOST)
        b->pace += step;
    b->looks = 0;
    b->head = b->tail = 0;
}

uint32_t
burst_more(struct burst *b, uint64_t packets, bool cut)
{
    uint64_t came = packets - b->seen;

    b->seen = packets;
    if (b->part == BURST_HEAD && !cut) {
        b->part = BURST_TAIL;
        b->came = came;
        return b->tail_us;
    }
    if (b->part == BURST_TAIL && !cut) {
        b->head += b->came;
        b->tail += came;
        if (++b->looks == BURST_LOOKS)
            conclude(b);
    }
    b->part = BURST_WAIT;
    return 0;
}
