/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/core/gather.h"

/* A packet costs those who make and carry it 12 us: a larger crowd is not there sooner.
 * Measured with 20 and 100 clients: 1 ms for all is worse for 20, 250 us for 100. */
#define PACKET_US 12
#define REST_LEAST_US 250
#define REST_MOST_US 1000

unsigned
gather_rest_us(uint32_t crowd)
{
    uint32_t us = crowd < REST_MOST_US ? crowd * PACKET_US : REST_MOST_US;

    if (us > REST_MOST_US)
        return REST_MOST_US;
    return us < REST_LEAST_US ? REST_LEAST_US : us;
}

static bool
enough(const struct gather *g, const struct gather_seen *seen)
{
    return seen->complete || seen->in - g->in >= seen->crowd;
}

enum gather_turn
gather_turn(struct gather *g, const struct gather_seen *seen)
{
    unsigned rest_us = gather_rest_us(seen->crowd);

    if (seen->in == g->in && seen->out == g->out) {
        g->rested_us = 0;
        return GATHER_LISTEN;
    }
    if (!enough(g, seen) && g->rested_us + rest_us <= REST_MOST_US) {
        g->rested_us += rest_us;
        return GATHER_REST;
    }
    *g = (struct gather){ .in = seen->in, .out = seen->out };
    return GATHER_GO;
}
