/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * drive.h - what this node does next for a service: its word to the others, its order
 * to its engine.
 *
 * At most one own message and one order to the engine are under way; each rule looks
 * at what is, not at how it came about, so a restart or a lost connection needs no
 * rules of its own (promise P6).  Pure.  Design: doc/design/election.md. */
#ifndef BSC_DRIVE_H
#define BSC_DRIVE_H

#include "supervisor/core/service.h"

enum engine_role { ROLE_NONE, ROLE_STANDBY, ROLE_ACTIVE };

struct engine_report { /* what the engine says of a service */
    enum engine_role role;
    uint64_t epoch;    /* highest it has seen */
    bool running;      /* active: it serves */
    bool frozen;       /* active: stopped by a handover */
    bool busy;         /* on its way: starting, taking over; a report will follow */
    bool clone;        /* standby: has all of a checkpoint */
    uint64_t required; /* active: standbys in its set */
    uint64_t ready;    /* active: standbys that have all and keep up */
};

struct engine_answer {
    enum engine_op op;
    uint64_t epoch;
    bool ok;
    int64_t age_us;   /* FENCE: since the last acknowledged beat, -1: never */
    const char *text; /* borrowed: why not */
};

/* drive_next - say and order what the state calls for.  When to call again at the
 * latest. */
struct mono drive_next(
    struct service *s, const struct cluster *c, struct mono now, struct effects *out);

/* drive_report - the status that is asked for after each connect and each failed
 * order. */
void drive_report(struct service *s, const struct cluster *c,
    const struct engine_report *report, struct mono now, struct effects *out);

void drive_answer(struct service *s, const struct cluster *c,
    const struct engine_answer *answer, struct mono now, struct effects *out);

/* drive_recheck - records were merged: if they say that this node is active, find out
 * whether it is. */
void drive_recheck(struct service *s, const struct cluster *c, struct effects *out);

/* drive_engine_gone - the connection ended. */
void drive_engine_gone(struct service *s, const struct cluster *c);

/* drive_standby - the active's engine says how a standby does. */
void drive_standby(struct service *s, uint64_t epoch, unsigned node, bool ready);

/* drive_failed - the engine says that the service ended; its gates are shut. */
void drive_failed(
    struct service *s, const struct cluster *c, uint64_t epoch, const char *text);

#endif
