/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * takeovers.h - each change of a service's active node, as phases with their times.
 *
 * From the table of steps where the agent has one, which knows the last change of each
 * service; else, and for those before, from the journal: what it says of one epoch of
 * one service.  Pure. */
#ifndef BSC_GUI_TAKEOVERS_H
#define BSC_GUI_TAKEOVERS_H

#include "gui/core/view.h"

#define TAKEOVERS 64
#define TAKEOVER_PHASES 24

struct takeover_phase {
    char name[VIEW_NAME], text[VIEW_TEXT];
    int64_t at_ms; /* since the beginning */
    int64_t us;    /* duration; NOT_KNOWN: it is the last */
};

struct takeover {
    char service[VIEW_NAME], node[VIEW_NAME];
    int64_t epoch, began_ms, total_us, blackout_ms; /* NOT_KNOWN where it is not */
    bool inside; /* phases of the engine, which knows them to the microsecond */
    bool coarse; /* from the journal, whose times are tenths of a second */
    bool over;   /* the service is active: what the journal has then is no part of it */
    unsigned nphases;
    struct takeover_phase phases[TAKEOVER_PHASES];
};

struct takeovers {
    unsigned n; /* newest first */
    struct takeover list[TAKEOVERS];
};

void takeovers_make(struct takeovers *t, const struct model *m, const struct view *v);

#endif
