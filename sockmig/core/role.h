/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * role.h - what an engine is doing, and which orders it may take in that state.
 *
 * Promise P5: an order of an epoch older than the newest seen is refused, whatever the
 * state.  Pure.  Design: doc/design/engine.md. */
#ifndef BSC_ROLE_H
#define BSC_ROLE_H

#include <stdbool.h>
#include <stdint.h>

enum role_state {
    ROLE_IDLE,
    ROLE_STARTING,
    ROLE_RUNNING,  /* active */
    ROLE_FREEZING, /* handover: last checkpoint under way */
    ROLE_FROZEN,   /* handed over: stopped, gates shut */
    ROLE_RESUMING,
    ROLE_FOLLOWING, /* standby */
    ROLE_WAKING,
    ROLE_ENDING, /* what ran here is being removed */
    ROLE_FAILED, /* the service ended by itself */
    ROLE_NSTATES
};

enum role_order {
    ORDER_START,
    ORDER_FOLLOW,
    ORDER_FENCE,
    ORDER_TAKEOVER,
    ORDER_SET,
    ORDER_HANDOVER,
    ORDER_RESUME,
    ORDER_STOP,
    ORDER_NORDERS
};

enum role_answer {
    ROLE_DO,     /* carry it out; the state is *next now */
    ROLE_DONE,   /* it is so already */
    ROLE_STALE,  /* of an older epoch */
    ROLE_REFUSED /* not in this state */
};

struct role {
    enum role_state state;
    uint64_t own;  /* epoch in which it came to do what it does */
    uint64_t seen; /* newest epoch of any order; >= own */
};

/* role_order - may @order of @epoch be carried out?
 *
 * @next  out: state to be in while it is carried out (DO only) */
enum role_answer role_order(const struct role *role, enum role_order order,
    uint64_t epoch, enum role_state *next);

const char *role_state_name(enum role_state state);
const char *role_order_name(enum role_order order); /* as in doc/protocol.md */

/* role_order_by_name - false if there is no such order. */
bool role_order_by_name(const char *name, enum role_order *order);

#endif
