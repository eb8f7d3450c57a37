/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * giver.h - gives an order to an agent, and follows what becomes of it.
 *
 * The lock is read, the SET goes out with it; then the model tells: first what the
 * agent says of the SET, then the row of the order, which is the same on each node. */
#ifndef BSC_GUI_GIVER_H
#define BSC_GUI_GIVER_H

#include "gui/asker.h"

/* An order on its way: what the operator sees of it. */
enum order_stage {
    ORDER_SENDING,
    ORDER_DECIDING, /* taken by the agent; the supervisor has not answered */
    ORDER_RUNNING,
    ORDER_DONE,
    ORDER_FAILED,
    ORDER_REFUSED,
    ORDER_NO_RIGHT,
    ORDER_UNANSWERED,
};

struct order {
    int kind; /* enum order_kind */
    char service[64], node[64], value[64];
};

typedef void (*order_progress)(
    enum order_stage stage, const char *text, int64_t number, void *arg);

struct giver;

/* giver_new - @hurry is called while an order is on its way, to have the model read
 * soon. */
struct giver *giver_new(struct model *model, void (*hurry)(void *arg), void *arg);
void giver_free(struct giver *giver);

/* giver_give - @asker is the session to the primary.
 *
 * @progress  called until the order ended, for the first time before this returns
 *
 * False: another one is on its way. */
bool giver_give(struct giver *giver, struct asker *asker, const struct order *order,
    order_progress progress, void *arg);

/* giver_forget - nobody looks at the progress any more.  The order goes on. */
void giver_forget(struct giver *giver);

/* giver_stop - the sessions are closed: nothing is on its way. */
void giver_stop(struct giver *giver);

#endif
