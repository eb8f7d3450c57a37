/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/core/story.h"

#include <string.h>

static void
tell_latest(struct snapshot *s)
{
    for (uint32_t i = 0; i < s->events.n && i < SNAP_NEWEST; i++) {
        const struct event_row *e = &s->events.v[s->events.n - 1 - i];
        const uint32_t rank = i + 1;
        struct latest_row *row = snapshot_blank(s, SNAP_LATEST, &rank, 1);

        if (!row)
            return;
        row->serial = e->row.index[0];
        row->time = e->time_ms;
        row->severity = e->severity;
        memcpy(row->node, e->node, sizeof row->node);
        memcpy(row->service, e->service, sizeof row->service);
        memcpy(row->kind, e->kind, sizeof row->kind);
        memcpy(row->text, e->text, sizeof row->text);
        row->acknowledged = e->ack_ms > 0;
    }
}

/* ---- steps ---- */

/* Kinds of the journal that are steps of a change, and what they do to it. */
enum part { NO_PART, BEGINS, GOES_ON, ENDS, FAILS };

/* clang-format off */
static const struct kind {
    const char *kind;
    enum part part;
    bool moves; /* the active node changes: not just any order */
} kinds[] = {
    { "order",        BEGINS,  false },
    { "failed",       BEGINS,  false },
    { "claim",        BEGINS,  true },
    { "handover",     GOES_ON, true },
    { "taking",       GOES_ON, true },
    { "step",         GOES_ON, false },
    { "step-failed",  GOES_ON, false },
    { "clone-lost",   GOES_ON, false },
    { "context-lost", GOES_ON, true },
    { "active",       ENDS,    true },
    { "order-done",   ENDS,    false },
    { "order-failed", FAILS,   false },
};
/* clang-format on */

static const struct kind *
kind_of(const char *kind)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].kind, kind) == 0)
            return &kinds[i];
    return NULL;
}

static enum part
part_of(const char *kind)
{
    const struct kind *k = kind_of(kind);

    return k ? k->part : NO_PART;
}

struct change { /* places of its first and last event, from 0 */
    uint32_t first, last;
    bool any, ended, moves;
};

/* last_change - of @service: the newest run of steps that belong together. */
static struct change
last_change(const struct snapshot *s, const char *service)
{
    struct change c = { 0 }, best = { 0 };

    for (uint32_t i = 0; i < s->events.n; i++) {
        const struct event_row *e = &s->events.v[i];
        const struct kind *k = kind_of(e->kind);

        if (!k || strcmp(e->service, service) != 0)
            continue;
        if (k->part == BEGINS && (!c.any || c.ended)) {
            best = c.moves ? c : best;
            c = (struct change){ .first = i, .any = true };
        }
        if (!c.any || (c.ended && k->part == GOES_ON))
            continue; /* between two changes: another replication set, for instance */
        c.last = i;
        c.ended = c.ended || k->part == ENDS || k->part == FAILS;
        c.moves = c.moves || k->moves;
    }
    return c.moves || !c.ended ? c : best;
}

static void
tell_step(struct snapshot *s, uint32_t *index, uint32_t n, const struct event_row *e,
    int64_t until_ms, bool last)
{
    struct step_row *row = snapshot_blank(s, SNAP_STEP, index, n);
    enum part part = part_of(e->kind);

    if (!row)
        return;
    memcpy(row->name, e->kind, sizeof row->name);
    memcpy(row->text, e->text, sizeof row->text);
    row->started = e->time_ms;
    row->duration = last ? MIB_NONE : until_ms - e->time_ms;
    row->state = part == FAILS || strcmp(e->kind, "step-failed") == 0 ? 3
                 : last && part != ENDS                               ? 1
                                                                      : 2;
    row->epoch = e->epoch;
}

static void
tell_steps(struct snapshot *s, const char *service)
{
    struct change c = last_change(s, service);
    uint32_t index[MIB_INDEX_MAX + 1], n = mib_index_name(index, 0, service);
    const struct event_row *before = NULL;

    if (!c.any || n >= MIB_INDEX_MAX)
        return;
    index[n] = 0;
    for (uint32_t i = c.first; i <= c.last; i++) {
        const struct event_row *e = &s->events.v[i];

        if (part_of(e->kind) == NO_PART || strcmp(e->service, service) != 0)
            continue;
        if (before) {
            index[n]++;
            tell_step(s, index, n + 1, before, e->time_ms, false);
        }
        before = e;
    }
    index[n]++;
    tell_step(s, index, n + 1, before, 0, true);
}

/* ---- constraints ---- */

static const struct service_row *
service_named(const struct snapshot *s, const char *name)
{
    uint32_t index[MIB_INDEX_MAX], n = mib_index_name(index, 0, name);

    return mib_find(&snapshot_tables[SNAP_SERVICE], s, index, n);
}

static int64_t
is_met(const struct snapshot *s, const struct constraint_row *c)
{
    char name[SNAP_NAME] = "";
    const struct service_row *a, *b;
    uint32_t size = c->row.index[0];

    for (uint32_t i = 0; i < size && i + 1 < sizeof name; i++)
        name[i] = (char)c->row.index[i + 1];
    a = service_named(s, name);
    b = c->kind >= CONSTRAINT_TOGETHER ? service_named(s, c->target) : a;
    if (!a || !b || !a->active[0] || !b->active[0])
        return MIB_NONE;
    switch (c->kind) {
    case CONSTRAINT_PREFERRED:
        return strcmp(a->active, c->target) == 0;
    case CONSTRAINT_NEVER:
        return strcmp(a->active, c->target) != 0;
    case CONSTRAINT_TOGETHER:
        return strcmp(a->active, b->active) == 0;
    default:
        return strcmp(a->active, b->active) != 0;
    }
}

void
story_tell(struct snapshot *s)
{
    tell_latest(s);
    for (uint32_t i = 0; i < s->services.n; i++)
        tell_steps(s, s->services.v[i].name);
    for (uint32_t i = 0; i < s->constraints.n; i++)
        s->constraints.v[i].met = is_met(s, &s->constraints.v[i]);
}

uint32_t
story_event(const struct snapshot *s, const char *service, const char *node)
{
    for (uint32_t i = s->events.n; i-- > 0;) {
        const struct event_row *e = &s->events.v[i];

        if (service ? strcmp(e->service, service) == 0
                    : !e->service[0] && strcmp(e->node, node) == 0)
            return e->row.index[0];
    }
    return 0;
}
