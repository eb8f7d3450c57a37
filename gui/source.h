/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * source.h - keeps a model up to date, from agents or from a recorded run, and gives
 * orders.
 *
 * All agents are asked what they know of themselves; one, the primary, is asked for the
 * cluster.  When it does not answer, another one is used at once. */
#ifndef BSC_GUI_SOURCE_H
#define BSC_GUI_SOURCE_H

#include "gui/giver.h"

struct source;

enum source_event {
    SOURCE_CHANGED,  /* a table was read */
    SOURCE_SWITCHED, /* another agent is the primary now */
    SOURCE_LOST,     /* none answers any more */
};

typedef void (*source_notify)(enum source_event event, void *arg);

struct source *source_new(void);
void source_free(struct source *source);

/* source_listen - @notify is called with @arg from now on. */
void source_listen(struct source *source, source_notify notify, void *arg);

/* source_await - runs the main loop until the picture of the cluster can be drawn, @ms
 * at the most.  Not from within a callback.  If it can, nobody is asked any more: what
 * would answer takes the processor from who draws it. */
void source_await(struct source *source, unsigned ms);
/* source_go_on - it is drawn. */
void source_go_on(struct source *source);

struct model *source_model(struct source *source);

/* source_connect - to agents; ends what was before.
 *
 * @addresses  NULL-terminated, as the operator gave them
 * @user       taken over */
void source_connect(
    struct source *source, const char *const *addresses, struct asker_user *user);
void source_disconnect(struct source *source);

/* source_want_connections - of the agent @slot; -1: of none. */
void source_want_connections(struct source *source, int slot);

/* source_order - give an order to the primary; @progress is called until it ended.
 *
 * Only one at a time: false if one is on its way, or nobody is there to take it. */
bool source_order(struct source *source, const struct order *order,
    order_progress progress, void *arg);

/* source_forget_order - nobody looks at the progress any more.  It goes on. */
void source_forget_order(struct source *source);

/* source_tap - for a recorder. */
void source_tap(struct source *source, const struct plan_tap *tap,
    void (*agent)(void *arg, int slot, const struct agent *state));

/* source_playing - the model is fed by a player from now on. */
void source_play(struct source *source);
/* source_fed - the player has changed it. */
void source_fed(struct source *source);

struct asker_user *asker_user_copy(const struct asker_user *user);
void asker_user_free(struct asker_user *user);

#endif
