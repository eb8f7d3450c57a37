/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * engine.h - the supervisor's side of sockmigd's control socket.
 *
 * Asks for events and status at each connect, tries again when the connection ends,
 * and answers an order itself when sockmigd does not: nothing waits for ever.
 * Source: doc/protocol.md 1.1. */
#ifndef BSC_SUPERVISOR_ENGINE_H
#define BSC_SUPERVISOR_ENGINE_H

#include "lib/conf.h"
#include "lib/jv.h"
#include "lib/loop.h"
#include "supervisor/core/member.h"

struct engine;

struct engine_handler {
    /* .kind is MEMBER_ENGINE, _REPORT, _ANSWER, _STANDBY or _FAILED; .now is not set */
    void (*event)(const struct member_event *ev, void *arg);
    /* something for the journal: @kind "protected", "unprotected", "lease", or the
     * engine's own: "diverged", "replay-stalled", "not-replayed" */
    void (*note)(unsigned service, const char *kind, const char *severity,
        const char *text, void *arg);
    void (*changed)(void *arg); /* engine_status() has news */
    void *arg;
};

/* @path and @conf are borrowed for the life of the engine. */
struct engine *engine_new(struct loop *loop, const char *path, const struct conf *conf,
    struct engine_handler handler);
void engine_free(struct engine *e); /* NULL is legal */

/* engine_order - carry out a DO_ENGINE effect.  A MEMBER_ANSWER follows, later. */
void engine_order(struct engine *e, const struct effect *effect);

/* engine_ask - read the status: REPORTs follow. */
void engine_ask(struct engine *e);

/* engine_status - the last status of service @index, as sockmigd gave it; NULL if it
 * cannot be reached.  Borrowed until the next turn of the loop. */
const struct jv *engine_status(const struct engine *e, unsigned index);
bool engine_connected(const struct engine *e);

#endif
