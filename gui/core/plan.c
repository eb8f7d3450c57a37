/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gui/core/plan.h"

#include <string.h>

#define BUDGET_PER_S 500.0
#define BUDGET_MOST 6000.0
#define OTHERS 2        /* tables between two turns of the state of the cluster */
#define PICTURE_MS 1000 /* then the rest is asked for, whatever the picture lacks */
#define AGAIN_MS 20     /* who waits for the picture looks again */
/* of what was never read: a row too many costs less than another turn */
#define ROWS_AT_FIRST 3

/* clang-format off */
static const uint16_t cluster_period[N_CLUSTER_TABLES] = {
    [OF_CLUSTER] = 150, [OF_ORDER] = 2000, [OF_NODES] = 500, [OF_SERVICES] = 250,
    [OF_STANDBYS] = 500, [OF_EVENTS] = 1000, [OF_ORDERS] = 1000, [OF_STEPS] = 3000,
    [OF_CONSTRAINTS] = 10000, [OF_FAILS] = 5000,
};
static const uint16_t node_period[N_NODE_TABLES] = {
    [ON_NODE] = 2000, [ON_SOCKMIG] = 5000, [ON_ENGINES] = 2000, [ON_GATES] = 1000,
    [ON_CHECKPOINTS] = 500, [ON_CLONES] = 1000, [ON_STREAMS] = 5000,
    [ON_REFUSALS] = 5000, [ON_INTERFACES] = 2000, [ON_PROGRAMS] = 5000,
    [ON_PHASES] = 5000, [ON_LINKS] = 10000, [ON_SENSORS] = 15000, [ON_PROBES] = 10000,
    [ON_CONNECTIONS] = 15000,
};
/* What the first picture needs comes first, then what tells how an order goes on, then
 * by period. */
static const uint8_t first[] = { OF_CLUSTER, OF_NODES, OF_SERVICES, OF_STANDBYS,
    OF_ORDER, OF_ORDERS };
#define PICTURE 4 /* so many of them */
/* clang-format on */

static bool
is_cluster(int item)
{
    return item < (int)N_CLUSTER_TABLES;
}

static unsigned
which(int item)
{
    return (unsigned)(is_cluster(item) ? item : item - (int)N_CLUSTER_TABLES);
}

static const struct table_def *
def_of(int item)
{
    return is_cluster(item) ? &objects_cluster[item] : &objects_node[which(item)];
}

static int64_t
period(int item)
{
    return is_cluster(item) ? cluster_period[item] : node_period[which(item)];
}

static int
slot_of(const struct plan *p, int item)
{
    return is_cluster(item) ? -1 : p->slot;
}

static void
tell(const struct plan_tap *tap, enum plan_event event, int slot, unsigned table,
    const struct plan_answer *object)
{
    if (tap && tap->call)
        tap->call(tap->arg, event, slot, table, object);
}

void
plan_init(struct plan *p, int slot)
{
    memset(p, 0, sizeof *p);
    p->slot = slot;
    p->asked = -1;
    p->since = OTHERS;
    p->lane[0].item = p->lane[1].item = -1;
    p->budget = BUDGET_MOST;
    p->began_ms = -1;
    for (int i = 0; i < (int)PLAN_ITEMS; i++)
        p->item[i].wanted = true;
    for (int i = 0; i < PICTURE; i++)
        p->item[first[i]].rows = ROWS_AT_FIRST;
    plan_want(p, false);
}

void
plan_want(struct plan *p, bool connections)
{
    struct plan_item *i = &p->item[N_CLUSTER_TABLES + ON_CONNECTIONS];

    if (connections && !i->wanted)
        i->due_ms = 0;
    i->wanted = connections;
}

void
plan_hurry(struct plan *p, int64_t now_ms)
{
    static const uint8_t items[] = { OF_NODES, OF_SERVICES, OF_STANDBYS, OF_EVENTS,
        OF_ORDERS, OF_STEPS, OF_ORDER, N_CLUSTER_TABLES + ON_ENGINES };

    for (size_t i = 0; i < sizeof items; i++)
        if (p->item[items[i]].due_ms > now_ms)
            p->item[items[i]].due_ms = now_ms;
    if (p->budget < 400)
        p->budget = 400;
}

/* ---- choosing ---- */

bool
plan_pictured(const struct model *m)
{
    for (int i = 0; i < PICTURE; i++)
        if (!m->cluster[first[i]].known)
            return false;
    return true;
}

/* Whether it is not its turn yet. */
static bool
comes_later(const struct plan *p, const struct model *m, int item, int64_t now_ms)
{
    if (now_ms - p->began_ms > PICTURE_MS || plan_pictured(m))
        return false;
    for (int i = 0; i < PICTURE; i++)
        if (item == first[i])
            return false;
    return p->primary || item != (int)N_CLUSTER_TABLES + ON_NODE;
}

static int64_t
rank(int item)
{
    for (size_t i = 0; i < sizeof first; i++)
        if (item == first[i])
            return (int64_t)i;
    return 10 + period(item);
}

/* When it should have been asked for at the latest.  The least comes next: however slow
 * the agent is and however often the first are due again, each gets its turn. */
static int64_t
deadline(const struct plan *p, int item)
{
    return p->item[item].due_ms + (rank(item) < 10 ? 0 : period(item));
}

static bool
before(const struct plan *p, int a, int b)
{
    if ((a == OF_CLUSTER || b == OF_CLUSTER) && p->since >= OTHERS)
        return a == OF_CLUSTER; /* small, and tells of changes */
    if (deadline(p, a) != deadline(p, b))
        return deadline(p, a) < deadline(p, b);
    return rank(a) < rank(b);
}

static int
most_urgent(const struct plan *p, const struct model *m, int lane, int64_t now_ms,
    int64_t *wait_ms)
{
    int best = -1;

    for (int i = p->primary ? 0 : (int)N_CLUSTER_TABLES; i < (int)PLAN_ITEMS; i++) {
        const struct plan_item *it = &p->item[i];
        bool own_lane = i == (int)N_CLUSTER_TABLES + ON_CONNECTIONS;

        if (!it->wanted || own_lane != (lane == 1))
            continue;
        if (comes_later(p, m, i, now_ms)) {
            *wait_ms = AGAIN_MS;
            continue;
        }
        if (it->due_ms > now_ms) {
            if (it->due_ms - now_ms < *wait_ms)
                *wait_ms = it->due_ms - now_ms;
        } else if (best < 0 || before(p, i, best)) {
            best = i;
        }
    }
    return best;
}

static void
start_walk(
    struct plan *p, struct model *m, int lane, int item, const struct plan_tap *tap)
{
    const struct table_def *def = def_of(item);
    struct plan_walk *w = &p->lane[lane];

    memset(w, 0, sizeof *w);
    w->item = item;
    if (lane == 0)
        p->since = item == OF_CLUSTER ? 0 : p->since + 1;
    for (uint8_t c = 0; def->columns[c] && w->count < PLAN_COLUMNS; c++)
        if (def->columns[c] != '-')
            w->column[w->count++] = (uint8_t)(def->first + c);
    for (unsigned c = 0; c < w->count; c++) {
        for (unsigned k = 0; k < def->npath; k++)
            w->at[c].part[k] = def->path[k];
        w->at[c].part[def->npath] = w->column[c];
        w->at[c].n = def->npath + 1u;
        if (def->max == 1) /* scalars: asked for by name */
            w->at[c].part[w->at[c].n++] = 0;
    }
    table_begin(model_table(m, slot_of(p, item), which(item)), false);
    tell(tap, PLAN_BEGIN, slot_of(p, item), which(item), NULL);
}

static void
build(struct plan *p, int lane, struct plan_request *r)
{
    struct plan_walk *w = &p->lane[lane];
    const struct table_def *def = def_of(w->item);
    unsigned rows = p->item[w->item].rows + 1, most;

    memset(r, 0, sizeof *r);
    for (unsigned c = 0; c < w->count; c++)
        if (!w->done[c]) {
            r->oid[r->count] = w->at[c];
            p->asked_column[r->count++] = c;
        }
    p->nasked = r->count;
    p->asked = lane;
    r->bulk = def->max > 1;
    most = (lane ? PLAN_OBJECTS : 64) / (r->count ? r->count : 1);
    r->repetitions = rows < most ? rows : most ? most : 1;
}

static void
refill(struct plan *p, int64_t now_ms)
{
    if (p->budget_ms && now_ms > p->budget_ms)
        p->budget += (double)(now_ms - p->budget_ms) * BUDGET_PER_S / 1000;
    if (p->budget > BUDGET_MOST)
        p->budget = BUDGET_MOST;
    p->budget_ms = now_ms;
}

bool
plan_next(struct plan *p, struct model *m, int64_t now_ms, struct plan_request *request,
    int64_t *wait_ms, const struct plan_tap *tap)
{
    *wait_ms = 1000;
    if (p->asked >= 0)
        return false;
    if (p->began_ms < 0)
        p->began_ms = now_ms;
    refill(p, now_ms);
    for (int lane = 0; lane < 2; lane++) {
        int item = p->lane[lane].item;

        if (item < 0) {
            item = most_urgent(p, m, lane, now_ms, wait_ms);
            /* the small one that tells of changes is never put off */
            if (item >= 0 && lane == 0 && p->budget < 0 && item != OF_CLUSTER) {
                int64_t dry = (int64_t)(-p->budget / BUDGET_PER_S * 1000) + 1;

                *wait_ms = dry < *wait_ms ? dry : *wait_ms;
                item = -1;
            }
            if (item >= 0)
                start_walk(p, m, lane, item, tap);
        }
        if (item >= 0) {
            build(p, lane, request);
            return true;
        }
    }
    return false;
}

/* ---- answers ---- */

/* Whether something changed that makes the rest worth asking for at once. */
static void
look_for_change(struct plan *p, struct model *m, int64_t now_ms)
{
    static const uint8_t columns[] = { CLUSTER_STATE, CLUSTER_QUORATE, CLUSTER_ONLINE,
        CLUSTER_OFFLINE, CLUSTER_PROTECTED, CLUSTER_UNPROTECTED, CLUSTER_MAINTENANCE };
    bool changed = false;

    for (size_t i = 0; i < sizeof columns; i++) {
        int64_t now = table_number(&m->cluster[OF_CLUSTER], 0, columns[i], -1);

        changed |= now != p->marks[i];
        p->marks[i] = now;
    }
    if (changed)
        plan_hurry(p, now_ms);
}

static void
finish(struct plan *p, struct model *m, int64_t now_ms, int lane,
    const struct plan_tap *tap)
{
    int item = p->lane[lane].item;
    struct table *t = model_table(m, slot_of(p, item), which(item));
    int64_t next = period(item);

    table_commit(t);
    tell(tap, PLAN_COMMIT, slot_of(p, item), which(item), NULL);
    p->lane[lane].item = -1;
    p->item[item].rows = t->side[0].rows;
    /* a table that this agent does not have is not asked for every second */
    if (t->side[0].rows == 0 && next < 3000 && item != OF_CLUSTER)
        next = 3000;
    p->item[item].due_ms = now_ms + next;
    if (item == OF_CLUSTER) {
        m->heard_ms = now_ms;
        look_for_change(p, m, now_ms);
    }
}

static bool
within(const struct plan_walk *w, const struct table_def *def, unsigned c,
    const struct plan_oid *oid)
{
    size_t n = def->npath;

    if (oid->n < n + 2 || oid->part[n] != w->column[c])
        return false;
    for (size_t k = 0; k < n; k++)
        if (oid->part[k] != def->path[k])
            return false;
    return true;
}

/* An agent whose answers do not move on must not be asked for ever. */
static bool
moves_on(const struct plan_oid *from, const struct plan_oid *to)
{
    size_t n = from->n < to->n ? from->n : to->n;

    for (size_t i = 0; i < n; i++)
        if (from->part[i] != to->part[i])
            return to->part[i] > from->part[i];
    return to->n > from->n;
}

static void
take_one(struct plan *p, struct model *m, struct plan_walk *w, unsigned c,
    const struct plan_answer *o, const struct plan_tap *tap)
{
    const struct table_def *def = def_of(w->item);
    bool scalars = def->max == 1;

    if (w->done[c])
        return;
    if (!within(w, def, c, &o->oid) || (!scalars && o->value.kind == 0) ||
        (!scalars && !moves_on(&w->at[c], &o->oid))) {
        w->done[c] = true;
        return;
    }
    table_put(model_table(m, slot_of(p, w->item), which(w->item)),
        o->oid.part + def->npath, o->oid.n - def->npath, &o->value);
    if (o->value.kind)
        tell(tap, PLAN_PUT, slot_of(p, w->item), which(w->item), o);
    w->at[c] = o->oid;
    w->done[c] = scalars;
}

unsigned
plan_take(struct plan *p, struct model *m, int64_t now_ms,
    const struct plan_answer *objects, unsigned n, const struct plan_tap *tap)
{
    int lane = p->asked;
    struct plan_walk *w;
    bool done = true;

    if (lane < 0)
        return 0;
    w = &p->lane[lane];
    p->asked = -1;
    if (lane == 0)
        p->budget -= n;
    for (unsigned i = 0; i < n && p->nasked; i++)
        take_one(p, m, w, p->asked_column[i % p->nasked], &objects[i], tap);
    for (unsigned c = 0; c < w->count; c++)
        done &= w->done[c];
    /* an empty answer would be asked for again for ever */
    if (!done && n > 0)
        return 0;
    finish(p, m, now_ms, lane, tap);
    return 1;
}

void
plan_lost(struct plan *p)
{
    p->asked = -1;
    p->lane[0].item = p->lane[1].item = -1;
}
