/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * rsim_life.h - one life of the replay simulation: rsim_active.c is its first half,
 * under protection, check_sim_replay.c the crash and what follows. */
#ifndef BSC_RSIM_LIFE_H
#define BSC_RSIM_LIFE_H

#include "sockmig/core/births.h"
#include "sockmig/core/flows.h"
#include "sockmig/core/held.h"
#include "sockmig/core/keep.h"
#include "tests/sim/rsim.h"

#define LOG_BYTES (1u << 20)
#define PACKETS 4096u
#define SWALLOWED 512u
#define FLOWS 16u
#define PART 1000u /* has a digest of its own */
#define PARTS (RSIM_PACKET / PART + 1)
#define RSIM_GRACE 1500 /* ticks in which half-open connections are waited for */

enum { MODE_COMPARE, MODE_FEED, MODE_WRONG };

struct captured {
    uint32_t size;
    uint8_t data[RSIM_PACKET];
};

struct flying {
    uint32_t due;
    bool to_server;
    struct captured p;
};

struct checkpoint {
    struct host image;
    struct plog_mark mark;
    uint32_t id; /* of the newest output packet then */
};

struct rsim_life {
    int mode;
    uint32_t pace; /* of the service: percent of ticks in which it does something */
    uint32_t tick, nflying, reset, diverged, rebuilt, half_open;
    struct clients clients;
    struct host active, clone;
    struct host *server; /* of them: which is fed what a replay has to say */
    rsim_emit *emit;     /* of it */
    struct flying flying[1024];
    struct flows *flows;
    struct births *births;
    struct held in, out;
    struct held_packet in_slots[PACKETS], out_slots[PACKETS];
    struct captured in_packets[PACKETS], out_packets[PACKETS];
    struct captured overtaken; /* put out, and captured after the next; size 0: none */
    uint8_t log[LOG_BYTES];
    uint64_t log_end;
    struct plog_ring ring; /* the standby's */
    uint8_t ring_data[LOG_BYTES];
    struct keep *keep;
    struct plog_ring given; /* to the standby, when it joined; empty: .keep has it */
    uint8_t given_data[1 << 16];
    uint32_t places[RSIM_SLOTS]; /* in .keep: what it was given last */
    struct checkpoint next, applied;
    bool pending, have_image;
    uint32_t apply_at, opened, joined, again;
    bool overran;             /* a clone was sent more than it takes */
    bool leaked;              /* a client was sent some of another answer */
    bool watching;            /* the replay goes on beside its service */
    uint32_t got[RSIM_CONNS]; /* requests that services were given that crashed since */
    uint64_t number;
    struct replay *replay;
    uint32_t nswallowed;
    struct captured swallowed[SWALLOWED];
    bool wrong_out; /* the wrong answer was put out, and not only made */
    const char *broken;
};

extern struct rsim_life *life; /* the one that is lived */

void rsim_must_hold(bool holds, const char *what, const char *file, int line);
#define must(claim) rsim_must_hold(claim, #claim, __FILE__, __LINE__)

struct mono rsim_now(void);
void rsim_fly(bool to_server, const uint8_t *data, size_t size);
void rsim_from_client(void *arg, const uint8_t *data, size_t size);
void rsim_new_standby(void); /* it has nothing of what was before */
void rsim_trim(void);        /* the standby's log, to the image that it has applied */

/* rsim_carry_out - for a server in a replay, or after; false: the replay is over. */
bool rsim_carry_out(const struct replay_effect *e);

/* rsim_watch - what a replay that its service has left behind wants, beside it. */
void rsim_watch(void);

/* rsim_reign - the clone is the active service from now on, with a log of its own. */
void rsim_reign(void);

/* rsim_protected_life - until the crash, at tick @crash_at or when there is an image.
 */
void rsim_protected_life(uint32_t crash_at);

#endif
