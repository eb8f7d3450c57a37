/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gui/giver.h"

#include <glib/gi18n.h>
#include <string.h>

#define TICK_MS 100
#define SEARCH_TICKS 100 /* an order of which the agent told nothing */

struct giver {
    struct model *model; /* borrowed */
    void (*hurry)(void *arg);
    void *hurry_arg;
    bool ordering; /* one is on its way: */
    struct order order;
    enum order_stage stage;
    int64_t number;
    int slot;       /* of the agent that took it */
    int64_t before; /* the newest number when it was given */
    bool adrift;    /* that agent does not answer: only the row can tell */
    unsigned ticks; /* ... since then */
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

/* Where none is known, none can be told from older ones. */
static int64_t
newest(const struct table *t)
{
    int64_t n = t->known ? 0 : INT64_MAX;

    for (uint32_t i = 0; i < t->side[0].rows; i++)
        n = MAX(n, table_number(t, i, -1, 0));
    return n;
}

/* Whoever took it is gone: each node has the row of the order, if it was taken. */
static void
search_row(struct giver *g)
{
    const struct table *t = &g->model->cluster[OF_ORDERS];

    for (uint32_t i = 0; i < t->side[0].rows; i++) {
        int64_t number = table_number(t, i, -1, 0);

        if (number <= g->before ||
            table_number(t, i, ORDERS_KIND, 0) != g->order.kind ||
            strcmp(table_text(t, i, ORDERS_SERVICE), g->order.service) ||
            (g->order.node[0] && strcmp(table_text(t, i, ORDERS_NODE), g->order.node)))
            continue;
        g->number = number;
        progress(g, ORDER_RUNNING, "");
        return;
    }
    if (++g->ticks > SEARCH_TICKS)
        progress(g, ORDER_UNANSWERED, "");
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

    g->adrift |= g->model->primary != g->slot;
    if (g->stage == ORDER_DECIDING && g->adrift)
        search_row(g);
    else if (g->stage == ORDER_DECIDING)
        follow_result(g);
    else if (g->stage == ORDER_RUNNING)
        follow_number(g);
    if (!g->ordering) {
        g->timer = 0;
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
    if (result == ASKER_ANSWER || result == ASKER_TIMEOUT) {
        g->adrift = result == ASKER_TIMEOUT;
        progress(g, ORDER_DECIDING, "");
        g->timer = g_timeout_add(TICK_MS, order_cb, g);
    } else if (result == ASKER_REFUSED) {
        progress(g, ORDER_NO_RIGHT, why);
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
        if (result == ASKER_REFUSED)
            progress(g, ORDER_NO_RIGHT, why);
        else /* nothing was asked of it yet */
            progress(g, ORDER_REFUSED, _("The agent does not answer. Try it again."));
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
    g->before = newest(&g->model->cluster[OF_ORDERS]);
    g->adrift = false;
    g->ticks = 0;
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
