/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * sim_rmcast.h - one sender and up to five receivers of core/rmcast.h on virtual time,
 * over a network that loses, repeats and reorders; promises checked after each step. */
#ifndef BSC_SIM_RMCAST_H
#define BSC_SIM_RMCAST_H

#include "sockmig/core/rmcast.h"

#define SIM_NODES 5
#define SIM_RING 16384
#define SIM_FLYING 4096
#define SIM_DATAGRAM 1600

/* Mistakes that the promises must catch. */
enum mistake {
    MISTAKE_NONE,
    MISTAKE_OLD_LIFE,        /* acks of before a standby's crash are believed */
    MISTAKE_ACK_TOP,         /* a receiver acknowledges what lies behind a gap */
    MISTAKE_ONE_FOR_ALL,     /* one member's ack counts for the others */
    MISTAKE_NO_PROBES,       /* what was lost at the end is never asked for */
    MISTAKE_REPEAT_POSITION, /* a datagram's bytes land one further */
    MISTAKE_GREEDY,          /* a receiver writes beyond its window */
    NMISTAKES
};

struct flying {
    int64_t at_us;
    uint32_t session; /* of the standby's life: to whom, or from whom */
    unsigned node;
    bool ack;
    size_t size;
    uint8_t bytes[SIM_DATAGRAM];
};

struct sim_node {
    bool alive;
    uint32_t session;
    struct rmcast_rx rx;
    struct rmcast_seen seen;
    uint64_t checked; /* bytes before were compared */
    bool late;
    uint8_t ring[SIM_RING];
};

struct sim_rmcast {
    uint64_t random;
    unsigned nodes, loss, twice, late; /* percent */
    enum mistake mistake;
    struct mono now;
    struct rmcast_tx tx;
    uint8_t ring[SIM_RING];
    uint64_t last_counter, last_stable;
    struct sim_node standby[SIM_NODES];
    unsigned nflying;
    struct flying flying[SIM_FLYING];
    bool calm;          /* nobody crashes, nothing is lost any more */
    const char *broken; /* the promise that was; NULL */
    uint64_t crashes, lates, rejoins;
};

void sim_rmcast_init(struct sim_rmcast *s, uint64_t seed, enum mistake mistake);
void sim_rmcast_run(struct sim_rmcast *s, unsigned steps);

/* sim_rmcast_heal - the network is whole again, everybody joins: all must arrive. */
void sim_rmcast_heal(struct sim_rmcast *s);

#endif
