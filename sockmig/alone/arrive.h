/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * arrive.h - one move, on the host where the processes arrive.
 *
 *     ORDER, list and state of all ─► SHAPE ─► silence, stubs ─► BUILT
 *     pages ─► into the stubs; SYNC ─► SYNCED
 *     list and state of all, the last pages ─► END ─► checked, applied ─► READY
 *     GO ─► addresses ─► sockets, descriptors, registers ─► decided ─► they run ─► RUNS
 *     HELD ─► into their sockets
 *
 * It runs in a process of its own: if that ends early, the listener tells the other
 * side, by what is in the shared page. */
#ifndef BSC_ARRIVE_H
#define BSC_ARRIVE_H

#include "sockmig/alone/channel.h"
#include "sockmig/alone/silence.h"
#include "sockmig/alone/vip.h"

struct arrive_page { /* shared with the listener */
    volatile bool ordered, answered, runs;
    volatile bool heir; /* goes on, or clears, if the worker ends (heir.h) */
    struct channel_order order;
    struct seal_key out; /* to answer instead of the worker */
    volatile uint64_t next_out;
    volatile unsigned nvips; /* these were added here */
    struct vip vips[CHANNEL_ADDRESSES];
    volatile bool silent;
    struct silence silence;
};

struct arrive_conf {
    const struct seal_secret *secret;
    const char *device; /* for the addresses; NULL: none was given */
    bool route;         /* they get host routes instead, in @table */
    unsigned table;
};

/* arrive - serve connection @fd (taken).  True: processes have come, and run. */
bool arrive(int fd, const struct arrive_conf *conf, struct arrive_page *page);

/* arrive_clear - the worker of @page has ended without a last word: undo what it left,
 * and answer for it on @fd (borrowed). */
void arrive_clear(int fd, struct arrive_page *page);

#endif
