/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gui/giver.h"

#include <string.h>

struct giver {
    struct model *model; /* borrowed */
    void (*hurry)(void *arg);
    void *hurry_arg;
    bool ordering; /* one is on its way: */
    struct order order;
    enum order_stage stage;
    int64_t number;
    int slot; /* of the agent that took it */
    guint timer;
    order_progress progress; /* NULL: nobody looks */
    void *arg;
};

static void
progress(struct giver *g, enum order_stage stage, const char *text)
{
    g->stage = stage;
    if (g->progress)
        g->progress(stage, text, g->number, g->arg);
    if (stage >= ORDER_DONE) {
        g->ordering = false;
        if (g->timer)
            g_source_remove(g->timer);
        g->timer = 0;
    }
}

/* The row of the order in the table of orders tells how it goes on. */
static void
follow_number(struct giver *g)
{
    const struct table *t = &g->model->cluster[OF_ORDERS];

    for (uint32_t i = 0; i < t->side[0].rows; i++) {
        int64_t state;

        if (table_number(t, i, -1, -1) != g->number)
            continue;
        state = table_number(t, i, ORDERS_STATE, 0);
        if (state == PROGRESS_DONE)
            progress(g, ORDER_DONE, table_text(t, i, ORDERS_TEXT));
        else if (state == PROGRESS_FAILED)
            progress(g, ORDER_FAILED, table_text(t, i, ORDERS_TEXT));
        return;
    }
}

static void
follow_result(struct giver *g)
{
    const struct table *t = &g->model->cluster[OF_ORDER];
    int64_t last = table_number(t, 0, ORDER_LAST, 0);

    switch (table_number(t, 0, ORDER_RESULT, 0)) {
    case OUTCOME_ACCEPTED:
        g->number = last;
        if (g->order.kind == ORDER_ACKNOWLEDGE || last == 0)
            progress(g, ORDER_DONE, "");
        else
            progress(g, ORDER_RUNNING, "");
        break;
    case OUTCOME_REFUSED:
        progress(g, ORDER_REFUSED, table_text(t, 0, ORDER_REASON));
        break;
    case OUTCOME_UNANSWERED:
        progress(g, ORDER_UNANSWERED, table_text(t, 0, ORDER_REASON));
        break;
    default:
        break;
    }
}

/* The primary may change meanwhile: the table of orders is the same on each node, what
 * became of the SET only the agent knows that took it. */
static gboolean
order_cb(gpointer data)
{
    struct giver *g = data;

    if (g->stage == ORDER_DECIDING)
        follow_result(g);
    else if (g->stage == ORDER_RUNNING)
        follow_number(g);
    if (!g->ordering) {
        g->timer = 0;
        return G_SOURCE_REMOVE;
    }
    if (g->stage == ORDER_DECIDING && g->model->primary != g->slot) {
        progress(g, ORDER_UNANSWERED, "");
        return G_SOURCE_REMOVE;
    }
    g->hurry(g->hurry_arg);
    return G_SOURCE_CONTINUE;
}

static void
add_object(
    struct plan_answer *o, uint32_t column, char kind, int64_t number, const char *text)
{
    const struct table_def *def = &objects_cluster[OF_ORDER];

    memset(o, 0, sizeof *o);
    for (unsigned i = 0; i < def->npath; i++)
        o->oid.part[o->oid.n++] = def->path[i];
    o->oid.part[o->oid.n++] = column;
    o->oid.part[o->oid.n++] = 0;
    o->value = (struct table_value){ kind, number, text, text ? strlen(text) : 0 };
}

static void
set_cb(struct asker *asker, enum asker_result result, const char *why,
    const struct plan_answer *objects, unsigned n, void *arg)
{
    struct giver *g = arg;

    (void)asker;
    (void)objects;
    (void)n;
    if (!g->ordering)
        return;
    if (result == ASKER_ANSWER) {
        progress(g, ORDER_DECIDING, "");
        g->timer = g_timeout_add(100, order_cb, g);
    } else if (result == ASKER_REFUSED) {
        progress(g, ORDER_NO_RIGHT, why);
    } else if (result == ASKER_TIMEOUT) {
        progress(g, ORDER_UNANSWERED, "");
    } else {
        progress(g, ORDER_REFUSED, why);
    }
}

/* The lock was read just now. */
static void
lock_cb(struct asker *asker, enum asker_result result, const char *why,
    const struct plan_answer *objects, unsigned n, void *arg)
{
    struct giver *g = arg;
    struct order *o = &g->order;
    struct plan_answer set[5];
    unsigned count = 0;

    if (!g->ordering)
        return;
    if (result != ASKER_ANSWER || n == 0 || objects[0].value.kind != 'n') {
        progress(g, result == ASKER_REFUSED ? ORDER_NO_RIGHT : ORDER_UNANSWERED,
            why ? why : "");
        return;
    }
    add_object(&set[count++], ORDER_LOCK, 'n', objects[0].value.number, NULL);
    add_object(&set[count++], ORDER_KIND, 'n', o->kind, NULL);
    if (o->service[0])
        add_object(&set[count++], ORDER_SERVICE, 's', 0, o->service);
    if (o->node[0])
        add_object(&set[count++], ORDER_NODE, 's', 0, o->node);
    if (o->value[0])
        add_object(&set[count++], ORDER_VALUE, 's', 0, o->value);
    /* the answer to the one before must not be taken for the answer to this one */
    table_forget(&g->model->cluster[OF_ORDER]);
    asker_set(asker, set, count, set_cb, g);
}

bool
giver_give(struct giver *g, struct asker *asker, const struct order *order,
    order_progress call, void *arg)
{
    struct plan_request r = { .count = 1 };
    struct plan_answer lock;

    if (g->ordering)
        return false;
    g->ordering = true;
    g->order = *order;
    g->number = 0;
    g->slot = g->model->primary;
    g->progress = call;
    g->arg = arg;
    add_object(&lock, ORDER_LOCK, 'n', 0, NULL);
    r.oid[0] = lock.oid;
    progress(g, ORDER_SENDING, "");
    asker_ask(asker, &r, lock_cb, g);
    return true;
}

void
giver_forget(struct giver *g)
{
    g->progress = NULL;
}

void
giver_stop(struct giver *g)
{
    if (g->timer)
        g_source_remove(g->timer);
    g->timer = 0;
    g->ordering = false;
}

struct giver *
giver_new(struct model *model, void (*hurry)(void *arg), void *arg)
{
    struct giver *g = g_new0(struct giver, 1);

    g->model = model;
    g->hurry = hurry;
    g->hurry_arg = arg;
    return g;
}

void
giver_free(struct giver *g)
{
    giver_stop(g);
    g_free(g);
}
