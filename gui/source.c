/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gui/source.h"

#include <stdio.h>
#include <string.h>

#define RETRY_MS 3000 /* an agent that is silent is tried again */
#define HEDGE_MS 1100 /* the primary is slow: whoever is there takes over */
#define STAY_MS 5000  /* no to and fro between two that know nothing */

struct agent_link {
    struct source *source;
    int slot;
    struct asker *asker; /* owned */
    struct plan plan;
    guint timer;
    int64_t asked_ms; /* when the request under way was sent; 0: none */
    void *storage;
};

struct source {
    struct model model;
    struct agent_link links[MODEL_AGENTS];
    int nlinks;
    struct asker_user *user;
    source_notify notify; /* NULL: nobody listens yet */
    void *arg;
    struct plan_tap tap;
    void (*tap_agent)(void *arg, int slot, const struct agent *agent);
    struct giver *giver;
    bool resting;        /* the picture is known, and not drawn yet */
    int64_t switched_ms; /* when the primary became what it is */
    guint watchdog;
    void *storage;
};

static void turn(struct agent_link *l);

static int64_t
now_ms(void)
{
    return g_get_monotonic_time() / 1000;
}

struct model *
source_model(struct source *s)
{
    return &s->model;
}

/* Pages are touched when they are used, so the tables may be as large as they like. */
static void *
give_tables(struct table *tables, const struct table_def *defs, unsigned n)
{
    size_t size = 0, at = 0;
    char *storage;

    for (unsigned i = 0; i < n; i++)
        size += table_storage(&defs[i]) + 64;
    storage = calloc(1, size);
    if (!storage)
        g_error("out of memory");
    for (unsigned i = 0; i < n; i++) {
        table_init(&tables[i], &defs[i], storage + at);
        at += (table_storage(&defs[i]) + 63) / 64 * 64;
    }
    return storage;
}

static void
tell(struct source *s, enum source_event event)
{
    if (s->notify)
        s->notify(event, s->arg);
}

/* ---- who is asked for the cluster ---- */

static void
set_state(struct agent_link *l, enum agent_state state, const char *why)
{
    struct agent *a = &l->source->model.agents[l->slot];

    if (a->state == state && !strcmp(a->why, why))
        return;
    a->state = state;
    g_strlcpy(a->why, why, sizeof a->why);
    if (l->source->tap_agent)
        l->source->tap_agent(l->source->tap.arg, l->slot, a);
}

static void
make_primary(struct source *s, int slot)
{
    if (s->model.primary == slot)
        return;
    for (int i = 0; i < s->nlinks; i++) {
        if (s->links[i].plan.primary && i != slot) /* two must not fill one table */
            plan_lost(&s->links[i].plan);
        s->links[i].plan.primary = i == slot;
    }
    s->model.primary = slot;
    s->switched_ms = now_ms();
    if (slot >= 0) {
        plan_lost(&s->links[slot].plan);
        for (int i = 0; i < (int)N_CLUSTER_TABLES; i++)
            s->links[slot].plan.item[i].due_ms = 0;
    }
    tell(s, slot < 0 ? SOURCE_LOST : SOURCE_SWITCHED);
}

/* The next one that answers. */
static int
best_agent(const struct source *s, int but)
{
    for (int i = 1; i <= s->nlinks; i++) {
        int slot = (but + i) % s->nlinks;

        if (slot != but && s->model.agents[slot].state == AGENT_LIVE)
            return slot;
    }
    return -1;
}

static void
lose_primary(struct source *s)
{
    make_primary(s, best_agent(s, s->model.primary < 0 ? 0 : s->model.primary));
}

/* Its supervisor is away, or in a minority: another agent may know more. */
static void
check_primary(struct source *s)
{
    const struct table *t = &s->model.cluster[OF_CLUSTER], *programs;
    int other, row;

    if (s->model.primary < 0 || !t->known)
        return;
    if (table_number(t, 0, CLUSTER_STATE, 0) == ANSWERING &&
        table_number(t, 0, CLUSTER_QUORATE, 0) != MIB_FALSE)
        return;
    if (now_ms() - s->switched_ms < STAY_MS)
        return;
    other = best_agent(s, s->model.primary);
    if (other < 0)
        return;
    programs = &s->model.agents[other].tables[ON_PROGRAMS];
    row = table_find(programs, "basculed", NULL);
    if (row >= 0 &&
        table_number(programs, (uint32_t)row, PROGRAM_STATE, 0) == ANSWERING)
        make_primary(s, other);
}

static gboolean
watchdog_cb(gpointer data)
{
    struct source *s = data;
    int slot = s->model.primary;

    if (slot >= 0 && s->links[slot].asked_ms &&
        now_ms() - s->links[slot].asked_ms > HEDGE_MS && best_agent(s, slot) >= 0)
        lose_primary(s);
    return G_SOURCE_CONTINUE;
}

/* ---- asking ---- */

static void
forget_agent(struct source *s, int slot)
{
    for (unsigned i = 0; i < N_NODE_TABLES; i++)
        if (i != ON_NODE) /* its name stays: the picture knows whom it lost */
            table_forget(&s->model.agents[slot].tables[i]);
}

static void
lost(struct agent_link *l, enum asker_result result, const char *why)
{
    struct source *s = l->source;

    plan_lost(&l->plan);
    if (result == ASKER_ERROR && s->model.agents[l->slot].state == AGENT_LIVE) {
        set_state(l, AGENT_LIVE, why); /* it answers; this table it cannot give */
    } else {
        set_state(l, result == ASKER_REFUSED ? AGENT_REFUSED : AGENT_SILENT, why);
        forget_agent(s, l->slot);
    }
    if (s->model.primary == l->slot)
        lose_primary(s);
    tell(s, SOURCE_CHANGED);
}

static gboolean
timer_cb(gpointer data)
{
    struct agent_link *l = data;

    l->timer = 0;
    turn(l);
    return G_SOURCE_REMOVE;
}

static void
later(struct agent_link *l, int64_t ms)
{
    if (l->timer)
        g_source_remove(l->timer);
    l->timer = g_timeout_add((guint)CLAMP(ms, 1, 5000), timer_cb, l);
}

static void
reply_cb(struct asker *asker, enum asker_result result, const char *why,
    const struct plan_answer *objects, unsigned n, void *arg)
{
    struct agent_link *l = arg;
    struct source *s = l->source;

    (void)asker;
    l->asked_ms = 0;
    if (result != ASKER_ANSWER) {
        lost(l, result, why);
        later(l, RETRY_MS);
        return;
    }
    set_state(l, AGENT_LIVE, "");
    if (s->model.primary < 0)
        make_primary(s, l->slot);
    if (plan_take(&l->plan, &s->model, now_ms(), objects, n, &s->tap)) {
        check_primary(s);
        tell(s, SOURCE_CHANGED);
    }
    turn(l);
}

static void
turn(struct agent_link *l)
{
    struct plan_request request;
    int64_t wait;

    if (l->asked_ms || l->source->resting)
        return;
    if (plan_next(
            &l->plan, &l->source->model, now_ms(), &request, &wait, &l->source->tap)) {
        l->asked_ms = now_ms();
        asker_ask(l->asker, &request, reply_cb, l);
    } else {
        later(l, wait);
    }
}

void
source_disconnect(struct source *s)
{
    for (int i = 0; i < s->nlinks; i++) {
        struct agent_link *l = &s->links[i];

        if (l->timer)
            g_source_remove(l->timer);
        asker_close(l->asker);
        free(l->storage);
        memset(l, 0, sizeof *l);
    }
    s->nlinks = 0;
    memset(s->model.agents, 0, sizeof s->model.agents);
    s->model.primary = -1;
    for (unsigned i = 0; i < N_CLUSTER_TABLES; i++)
        table_forget(&s->model.cluster[i]);
    g_clear_pointer(&s->user, asker_user_free);
    giver_stop(s->giver);
}

static void
add_agent(struct source *s, const char *address)
{
    int slot = s->nlinks;
    struct agent_link *l = &s->links[slot];
    struct agent *a = &s->model.agents[slot];

    s->nlinks++;
    l->source = s;
    l->slot = slot;
    a->state = AGENT_CONNECTING;
    g_strlcpy(a->address, address, sizeof a->address);
    l->storage = give_tables(a->tables, objects_node, N_NODE_TABLES);
    plan_init(&l->plan, slot);
    l->asker = asker_open(address, s->user);
}

void
source_connect(struct source *s, const char *const *addresses, struct asker_user *user)
{
    source_disconnect(s);
    s->resting = false;
    s->user = user;
    for (int i = 0; addresses[i] && s->nlinks < MODEL_AGENTS; i++)
        add_agent(s, addresses[i]);
    /* the first answers come to whoever is the primary; the first is a guess */
    if (s->nlinks > 0) {
        s->links[0].plan.primary = true;
        s->links[0].plan.item[OF_CLUSTER].due_ms = 0;
    }
    for (int i = 0; i < s->nlinks; i++)
        turn(&s->links[i]);
    tell(s, SOURCE_CHANGED);
}

void
source_want_connections(struct source *s, int slot)
{
    for (int i = 0; i < s->nlinks; i++) {
        plan_want(&s->links[i].plan, i == slot);
        if (i == slot)
            turn(&s->links[i]);
    }
}

/* ---- orders ---- */

bool
source_order(
    struct source *s, const struct order *order, order_progress call, void *arg)
{
    struct agent_link *l = s->model.primary < 0 ? NULL : &s->links[s->model.primary];

    return l && s->nlinks > 0 && giver_give(s->giver, l->asker, order, call, arg);
}

void
source_forget_order(struct source *s)
{
    giver_forget(s->giver);
}

/* Somebody waits for what becomes of an order. */
static void
hurry_cb(void *arg)
{
    struct source *s = arg;
    struct agent_link *l = s->model.primary < 0 ? NULL : &s->links[s->model.primary];

    if (!l || l->asked_ms)
        return;
    plan_hurry(&l->plan, now_ms());
    turn(l);
}

/* ---- making ---- */

void
source_tap(struct source *s, const struct plan_tap *tap,
    void (*agent)(void *arg, int slot, const struct agent *state))
{
    s->tap = tap ? *tap : (struct plan_tap){ NULL, NULL };
    s->tap_agent = agent;
}

void
source_play(struct source *s)
{
    source_disconnect(s);
    for (int i = 0; i < MODEL_AGENTS; i++)
        if (!s->links[i].storage)
            s->links[i].storage = give_tables(
                s->model.agents[i].tables, objects_node, N_NODE_TABLES);
}

void
source_fed(struct source *s)
{
    tell(s, SOURCE_CHANGED);
}

struct source *
source_new(void)
{
    struct source *s = g_new0(struct source, 1);

    s->model.primary = -1;
    s->storage = give_tables(s->model.cluster, objects_cluster, N_CLUSTER_TABLES);
    s->giver = giver_new(&s->model, hurry_cb, s);
    s->watchdog = g_timeout_add(200, watchdog_cb, s);
    return s;
}

void
source_listen(struct source *s, source_notify notify, void *arg)
{
    s->notify = notify;
    s->arg = arg;
}

static gboolean
over_cb(gpointer data)
{
    *(bool *)data = true;
    return G_SOURCE_REMOVE;
}

void
source_await(struct source *s, unsigned ms)
{
    bool over = false;
    guint timer = g_timeout_add(ms, over_cb, &over);

    while (!over && !plan_pictured(&s->model))
        g_main_context_iteration(NULL, TRUE);
    if (!over)
        g_source_remove(timer);
    s->resting = !over;
}

void
source_go_on(struct source *s)
{
    s->resting = false;
    for (int i = 0; i < s->nlinks; i++)
        turn(&s->links[i]);
}

void
source_free(struct source *s)
{
    source_disconnect(s);
    for (int i = 0; i < MODEL_AGENTS; i++)
        free(s->links[i].storage);
    g_source_remove(s->watchdog);
    giver_free(s->giver);
    free(s->storage);
    g_free(s);
}

struct asker_user *
asker_user_copy(const struct asker_user *u)
{
    struct asker_user *n = g_new0(struct asker_user, 1);

    n->version = u->version;
    n->community = g_strdup(u->community);
    n->name = g_strdup(u->name);
    n->auth = g_strdup(u->auth);
    n->priv = g_strdup(u->priv);
    n->auth_protocol = g_strdup(u->auth_protocol);
    n->priv_protocol = g_strdup(u->priv_protocol);
    return n;
}

/* A pass phrase is not left in memory that is given away. */
static void
wipe(char *secret)
{
    if (secret)
        explicit_bzero(secret, strlen(secret));
    g_free(secret);
}

void
asker_user_free(struct asker_user *u)
{
    wipe(u->community);
    wipe(u->auth);
    wipe(u->priv);
    g_free(u->name);
    g_free(u->auth_protocol);
    g_free(u->priv_protocol);
    g_free(u);
}
