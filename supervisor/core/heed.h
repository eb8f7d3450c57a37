/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * heed.h - what this node's engine tells, and what follows from it.
 *
 * Only facts of this node change here (struct conduct); drive.c tells the others.
 * Pure.  Design: doc/design/election.md. */
#ifndef BSC_HEED_H
#define BSC_HEED_H

#include "supervisor/core/service.h"

enum engine_role { ROLE_NONE, ROLE_STANDBY, ROLE_ACTIVE };

struct engine_report { /* what the engine says of a service */
    enum engine_role role;
    uint64_t epoch;    /* in which it came to its role */
    uint64_t seen;     /* newest of any order */
    bool running;      /* active: it serves */
    bool frozen;       /* active: stopped by a handover */
    bool absent;       /* no engine runs for it now; a report will follow */
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

/* heed_report - the status that is asked for after each connect and each failed
 * order. */
void heed_report(struct service *s, const struct cluster *c,
    const struct engine_report *report, struct mono now, struct effects *out);

void heed_answer(struct service *s, const struct cluster *c,
    const struct engine_answer *answer, struct mono now, struct effects *out);

/* heed_recheck - records were merged: if they say that this node is active, find out
 * whether it is. */
void heed_recheck(struct service *s, const struct cluster *c, struct effects *out);

/* heed_gone - the connection ended. */
void heed_gone(struct service *s, const struct cluster *c);

/* heed_standby - the active's engine says how a standby does. */
void heed_standby(struct service *s, uint64_t epoch, unsigned node, bool ready);

/* heed_failed - the engine says that the service ended; its gates are shut. */
void heed_failed(
    struct service *s, const struct cluster *c, uint64_t epoch, const char *text);

#endif
