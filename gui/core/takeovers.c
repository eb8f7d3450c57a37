/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gui/core/takeovers.h"

#include "gui/core/clean.h"

#include <string.h>

#define DAY_MS 86400000ll /* longer than any phase: a number out of nowhere */

static int64_t
between_us(int64_t from_ms, int64_t to_ms)
{
    if (from_ms < 0 || to_ms < from_ms || to_ms - from_ms > DAY_MS)
        return 0;
    return (to_ms - from_ms) * 1000;
}

static void
copy(char *out, size_t size, const char *text)
{
    clean_text(out, size, text, strlen(text));
}

static struct takeover *
find(struct takeovers *t, const char *service, int64_t epoch)
{
    for (unsigned i = 0; i < t->n; i++)
        if (t->list[i].epoch == epoch && !strcmp(t->list[i].service, service))
            return &t->list[i];
    return NULL;
}

static struct takeover *
begin(struct takeovers *t, const char *service, int64_t epoch, int64_t ms)
{
    struct takeover *o;

    if (t->n == TAKEOVERS)
        return NULL;
    o = &t->list[t->n++];
    memset(o, 0, sizeof *o);
    copy(o->service, sizeof o->service, service);
    o->epoch = epoch;
    o->began_ms = ms;
    o->total_us = o->blackout_ms = NOT_KNOWN;
    return o;
}

static void
add(struct takeover *o, const char *name, const char *text, int64_t ms, int64_t us)
{
    struct takeover_phase *p;

    if (!o || o->nphases == TAKEOVER_PHASES)
        return;
    p = &o->phases[o->nphases++];
    copy(p->name, sizeof p->name, name);
    copy(p->text, sizeof p->text, text);
    p->at_ms = ms - o->began_ms;
    p->us = us;
}

static void
from_steps(struct takeovers *t, const struct model *m)
{
    const struct table *s = &m->cluster[OF_STEPS];

    for (uint32_t i = 0; i < s->side[0].rows; i++) {
        const char *service = table_text(s, i, -1);
        int64_t epoch = table_number(s, i, STEP_EPOCH, NOT_KNOWN);
        int64_t ms = table_number(s, i, STEP_STARTED, NOT_KNOWN);
        int64_t length = table_number(s, i, STEP_DURATION, NOT_KNOWN);
        struct takeover *o;

        if (ms == NOT_KNOWN)
            continue;
        o = find(t, service, epoch);
        if (!o)
            o = begin(t, service, epoch, ms);
        add(o, table_text(s, i, STEP_NAME), table_text(s, i, STEP_TEXT), ms,
            length < 0 || length > DAY_MS ? NOT_KNOWN : length * 1000);
    }
}

/* The first row of an epoch comes first in the table: serial numbers grow. */
static void
from_journal(struct takeovers *t, const struct model *m)
{
    static const char *const about[] = { "claim", "taking", "step", "active",
        "handover", "order", "order-done", "step-failed", "context-lost" };
    const struct table *e = &m->cluster[OF_EVENTS];
    unsigned steps = t->n;

    for (uint32_t i = 0; i < e->side[0].rows; i++) {
        const char *service = table_text(e, i, EVENT_SERVICE),
                   *kind = table_text(e, i, EVENT_KIND);
        int64_t epoch = table_number(e, i, EVENT_EPOCH, 0);
        int64_t ms = table_number(e, i, EVENT_TIME, NOT_KNOWN);
        struct takeover *o;
        bool wanted = false;

        for (size_t k = 0; k < sizeof about / sizeof about[0]; k++)
            wanted |= !strcmp(kind, about[k]);
        if (!wanted || !service[0] || epoch <= 0 || ms == NOT_KNOWN)
            continue;
        o = find(t, service, epoch);
        if (o && (o < &t->list[steps] || o->over))
            continue; /* the steps know it better */
        if (!o)
            o = begin(t, service, epoch, ms);
        if (!o)
            return; /* full */
        add(o, kind, table_text(e, i, EVENT_TEXT), ms, NOT_KNOWN);
        o->coarse = true;
        o->over = strcmp(kind, "active") == 0;
        if (o->over)
            copy(o->node, sizeof o->node, table_text(e, i, EVENT_NODE));
    }
}

static void
from_engine(struct takeovers *t, const struct model *m, const struct view *v)
{
    for (int a = 0; a < MODEL_AGENTS; a++) {
        const struct table *p = &m->agents[a].tables[ON_PHASES];

        for (uint32_t i = 0; p->def && i < p->side[0].rows; i++) {
            const char *service = table_text(p, i, -1),
                       *name = table_text(p, i, PHASE_NAME);
            int64_t epoch = table_number(p, i, PHASE_EPOCH, NOT_KNOWN);
            int64_t us = table_number(p, i, PHASE_DURATION, NOT_KNOWN);
            struct takeover *o = find(t, service, epoch);

            if (!o)
                continue;
            if (!o->inside) { /* the engine's own are finer: they take the place */
                o->inside = true;
                o->coarse = false;
                o->nphases = 0;
                o->total_us = 0;
            }
            if (!strcmp(name, "total"))
                o->total_us = us;
            else
                add(o, name, "", o->began_ms, us);
        }
    }
    (void)v;
}

static void
measure(struct takeover *o)
{
    int64_t sum = 0;

    for (unsigned i = 0; i < o->nphases; i++) {
        struct takeover_phase *p = &o->phases[i];

        if (!o->inside && p->us == NOT_KNOWN && i + 1 < o->nphases)
            p->us = between_us(p->at_ms, o->phases[i + 1].at_ms);
        if (p->us != NOT_KNOWN && p->us < 0)
            p->us = 0;
        sum += p->us == NOT_KNOWN ? 0 : p->us;
    }
    if (!o->inside || o->total_us < sum)
        o->total_us = sum;
}

static void
newest_first(struct takeovers *t)
{
    for (unsigned i = 1; i < t->n; i++) {
        struct takeover x = t->list[i];
        unsigned k = i;

        for (; k > 0 && t->list[k - 1].began_ms < x.began_ms; k--)
            t->list[k] = t->list[k - 1];
        t->list[k] = x;
    }
}

void
takeovers_make(struct takeovers *t, const struct model *m, const struct view *v)
{
    t->n = 0;
    from_steps(t, m);
    from_journal(t, m);
    from_engine(t, m, v);
    for (unsigned i = 0; i < t->n; i++) {
        struct takeover *o = &t->list[i];
        int s = view_find_service(v, o->service);

        measure(o);
        if (s >= 0 && v->services[s].epoch == o->epoch) {
            if (v->services[s].blackout > 0)
                o->blackout_ms = v->services[s].blackout;
            copy(o->node, sizeof o->node, v->services[s].active);
        }
    }
    newest_first(t);
}
