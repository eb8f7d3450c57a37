/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/core/desk.h"

#include <string.h>

enum part { NEVER, MAY, MUST };
enum value { NO_VALUE, ON_OFF, POLICY, MILLISECONDS, SERIAL };

/* clang-format off */
/* What an order consists of, as basculed wants it (doc/protocol.md 1.2). */
static const struct kind {
    enum part service, node;
    enum value value;
    bool either; /* one of service and node, not both */
} kinds[ORDER_N] = {
    [ORDER_SWITCHOVER]  = { MUST,  MAY,   NO_VALUE,     false },
    [ORDER_DRAIN]       = { NEVER, MUST,  NO_VALUE,     false },
    [ORDER_RESUME]      = { NEVER, MUST,  NO_VALUE,     false },
    [ORDER_MAINTENANCE] = { MAY,   MAY,   ON_OFF,       true },
    [ORDER_POLICY]      = { MUST,  NEVER, POLICY,       false },
    [ORDER_CHECKPOINT]  = { MUST,  NEVER, NO_VALUE,     false },
    [ORDER_INTERVAL]    = { MUST,  NEVER, MILLISECONDS, false },
    [ORDER_CLEAR]       = { MUST,  MAY,   NO_VALUE,     false },
    [ORDER_ACKNOWLEDGE] = { NEVER, NEVER, SERIAL,       false },
    [ORDER_FREEZE]      = { MAY,   MAY,   ON_OFF,       true },
};
/* clang-format on */

void
desk_init(struct desk *d, uint32_t seed)
{
    memset(d, 0, sizeof *d);
    d->lock = seed & INT32_MAX;
    d->enable = true;
}

/* ---- the whole message ---- */

static bool
by_scalars(const struct desk_request *r)
{
    return r->has[DESK_KIND] || r->has[DESK_SERVICE] || r->has[DESK_NODE] ||
           r->has[DESK_VALUE];
}

static bool
knows_service(const struct snapshot *s, const char *name)
{
    uint32_t index[MIB_INDEX_MAX], n = mib_index_name(index, 0, name);

    return mib_find(&snapshot_tables[SNAP_SERVICE], s, index, n) != NULL;
}

static bool
knows_node(const struct snapshot *s, const char *name)
{
    for (uint32_t i = 0; i < s->members.n; i++)
        if (strcmp(s->members.v[i].name, name) == 0)
            return true;
    return false;
}

static bool
is_number(const char *text, int64_t least, int64_t most)
{
    int64_t v = 0;

    if (!*text || strlen(text) > 10)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        v = v * 10 + *text - '0';
    }
    return v >= least && v <= most;
}

static bool
is_value(enum value kind, const char *text)
{
    switch (kind) {
    case ON_OFF:
        return strcmp(text, "on") == 0 || strcmp(text, "off") == 0;
    case POLICY:
        return word_value(&words_policy, text) > 0;
    case MILLISECONDS:
        return strcmp(text, "0") == 0 || is_number(text, 5, 60000);
    case SERIAL:
        return is_number(text, 1, UINT32_MAX);
    default:
        return !*text;
    }
}

static bool
part_fits(enum part part, const char *text)
{
    return part == MAY || (part == MUST) == (*text != '\0');
}

/* check_order - parts, names and value of the order; @row: 0, or how far the fields of
 * a row are behind those of the scalars. */
static enum set_error
check_order(
    const struct snapshot *s, const struct desk_request *r, int row, uint32_t *at)
{
    const struct desk_order *o = &r->order;
    const struct kind *k = &kinds[o->kind];

    *at = r->at[DESK_KIND + row];
    if (!r->has[DESK_KIND + row])
        return SET_INCONSISTENT_VALUE;
    *at = r->has[DESK_SERVICE + row] ? r->at[DESK_SERVICE + row] : *at;
    if (!part_fits(k->service, o->service) ||
        (*o->service && !knows_service(s, o->service)))
        return SET_INCONSISTENT_VALUE;
    *at = r->has[DESK_NODE + row] ? r->at[DESK_NODE + row] : *at;
    if (!part_fits(k->node, o->node) || (*o->node && !knows_node(s, o->node)) ||
        (k->either && *o->node && *o->service))
        return SET_INCONSISTENT_VALUE;
    *at = r->has[DESK_VALUE + row] ? r->at[DESK_VALUE + row] : *at;
    return is_value(k->value, o->value) ? SET_OK : SET_INCONSISTENT_VALUE;
}

static unsigned
pending(const struct desk *d)
{
    unsigned n = d->scalars.outcome == OUTCOME_PENDING;

    for (unsigned i = 0; i < SNAP_REQUESTS; i++)
        n += d->rows[i].serial && d->rows[i].outcome == OUTCOME_PENDING;
    return n;
}

static bool
supervised(const struct snapshot *s)
{
    return s->cluster.n > 0 && s->cluster.v[0].state == LIVE_ANSWERING;
}

/* find_given - the place of the row with this index; NULL: there is none. */
static const struct desk_given *
find_given(const struct desk *d, const uint32_t *index, uint32_t n)
{
    for (unsigned i = 0; i < SNAP_REQUESTS; i++)
        if (d->rows[i].serial &&
            mib_compare(d->rows[i].index, d->rows[i].nindex, index, n) == 0)
            return &d->rows[i];
    return NULL;
}

static enum set_error
check_row(const struct desk *d, const struct snapshot *s, const struct desk_request *r,
    uint32_t *at)
{
    static const int row = DESK_ROW_KIND - DESK_KIND;
    const struct desk_given *given = find_given(d, r->index, r->nindex);
    bool parts = r->has[DESK_ROW_KIND] || r->has[DESK_ROW_SERVICE] ||
                 r->has[DESK_ROW_NODE] || r->has[DESK_ROW_VALUE];

    for (int f = DESK_ROW_STATUS; f >= DESK_ROW_KIND; f--)
        if (r->has[f])
            *at = r->at[f];
    if (!r->has[DESK_ROW_STATUS]) /* an order that was given is not changed */
        return given ? SET_INCONSISTENT_VALUE : SET_INCONSISTENT_NAME;
    if (r->status != ROW_CREATE_AND_GO || given)
        *at = r->at[DESK_ROW_STATUS];
    if (r->status == ROW_CREATE_AND_GO)
        return given ? SET_INCONSISTENT_VALUE
               : !supervised(s) || pending(d) >= DESK_PENDING
                   ? SET_UNAVAILABLE
                   : check_order(s, r, row, at);
    if (parts)
        return SET_INCONSISTENT_VALUE;
    if (r->status == ROW_ACTIVE)
        return given ? SET_OK : SET_INCONSISTENT_NAME;
    return given && given->outcome == OUTCOME_PENDING ? SET_INCONSISTENT_VALUE : SET_OK;
}

enum set_error
desk_check(const struct desk *d, const struct snapshot *s, const struct desk_request *r,
    uint32_t *at)
{
    *at = 0;
    if (r->has[DESK_LOCK]) {
        *at = r->at[DESK_LOCK];
        if (r->lock != d->lock)
            return SET_INCONSISTENT_VALUE;
    }
    if (r->is_row && by_scalars(r)) /* two orders */
        return SET_INCONSISTENT_VALUE;
    if (r->is_row)
        return check_row(d, s, r, at);
    if (!by_scalars(r))
        return SET_OK;
    *at = 0;
    if (!r->has[DESK_LOCK])
        return SET_INCONSISTENT_VALUE;
    if (!supervised(s) || d->scalars.outcome == OUTCOME_PENDING ||
        pending(d) >= DESK_PENDING)
        return SET_UNAVAILABLE;
    return check_order(s, r, 0, at);
}

/* ---- doing it ---- */

/* place_for - a free row, or the oldest that is not waited for: there is one, as fewer
 * wait than there are rows. */
static struct desk_given *
place_for(struct desk *d)
{
    struct desk_given *best = NULL;

    for (unsigned i = 0; i < SNAP_REQUESTS; i++) {
        struct desk_given *g = &d->rows[i];

        if (!g->serial)
            return g;
        if (g->outcome != OUTCOME_PENDING && (!best || g->serial < best->serial))
            best = g;
    }
    return best;
}

const struct desk_given *
desk_take(struct desk *d, const struct desk_request *r, int64_t now_us, int64_t time_ms)
{
    struct desk_given *g = NULL;

    if (r->has[DESK_ENABLE])
        d->enable = r->enable == 1;
    if (r->has[DESK_LOCK])
        d->lock = d->lock == INT32_MAX ? 0 : d->lock + 1;
    if (r->is_row && r->status == ROW_DESTROY) {
        g = (struct desk_given *)(uintptr_t)find_given(d, r->index, r->nindex);
        if (g)
            memset(g, 0, sizeof *g);
        return NULL;
    }
    if (r->is_row ? r->status != ROW_CREATE_AND_GO : !by_scalars(r))
        return NULL;
    g = r->is_row ? place_for(d) : &d->scalars;
    *g = (struct desk_given){ .nindex = r->nindex,
        .serial = ++d->orders,
        .order = r->order,
        .outcome = OUTCOME_PENDING,
        .number = r->is_row ? 0 : g->number,
        .asked_us = now_us,
        .time_ms = time_ms };
    memcpy(g->index, r->index, sizeof g->index);
    return g;
}

static struct desk_given *
waiting_for(struct desk *d, uint32_t serial)
{
    if (d->scalars.serial == serial && d->scalars.outcome == OUTCOME_PENDING)
        return &d->scalars;
    for (unsigned i = 0; i < SNAP_REQUESTS; i++)
        if (d->rows[i].serial == serial && d->rows[i].outcome == OUTCOME_PENDING)
            return &d->rows[i];
    return NULL;
}

const struct desk_given *
desk_given(const struct desk *d, uint32_t serial)
{
    return waiting_for((struct desk *)(uintptr_t)d, serial);
}

void
desk_owner(const struct desk_given *given, char *out, size_t size)
{
    uint32_t n = given->nindex ? given->index[0] : 0, i;

    for (i = 0; i < n && i + 1 < size; i++)
        out[i] = (char)given->index[i + 1];
    out[i] = '\0';
}

void
desk_answered(
    struct desk *d, uint32_t serial, bool accepted, int64_t number, const char *reason)
{
    struct desk_given *g = waiting_for(d, serial);

    if (!g)
        return;
    g->outcome = accepted ? OUTCOME_ACCEPTED : OUTCOME_REFUSED;
    if (accepted)
        g->number = number;
    snapshot_text(g->reason, sizeof g->reason, accepted ? "" : reason);
}

static bool
give_up(struct desk_given *g, int64_t before_us, const char *reason)
{
    if (!g->serial || g->outcome != OUTCOME_PENDING || g->asked_us >= before_us)
        return false;
    g->outcome = OUTCOME_UNANSWERED;
    snapshot_text(g->reason, sizeof g->reason, reason);
    return true;
}

bool
desk_give_up(struct desk *d, int64_t before_us, const char *reason)
{
    bool some = give_up(&d->scalars, before_us, reason);

    for (unsigned i = 0; i < SNAP_REQUESTS; i++)
        some |= give_up(&d->rows[i], before_us, reason);
    return some;
}

static void
show_row(const struct desk_given *g, struct snapshot *s)
{
    struct request_row *row = snapshot_blank(s, SNAP_REQUEST, g->index, g->nindex);

    if (!row)
        return;
    row->kind = g->order.kind;
    memcpy(row->service, g->order.service, sizeof row->service);
    memcpy(row->node, g->order.node, sizeof row->node);
    memcpy(row->value, g->order.value, sizeof row->value);
    row->result = g->outcome;
    row->order = g->number;
    memcpy(row->reason, g->reason, sizeof row->reason);
    row->time = g->time_ms;
    row->storage = 2; /* volatile */
    row->status = ROW_ACTIVE;
}

void
desk_show(const struct desk *d, struct snapshot *s)
{
    struct desk_row *row = snapshot_numbered(s, SNAP_DESK, 0);
    struct notify_row *notify = snapshot_numbered(s, SNAP_NOTIFY, 0);
    const struct desk_given *g = &d->scalars;

    row->row.known = notify->row.known = true;
    row->lock = d->lock;
    row->kind = g->order.kind;
    row->outcome = g->outcome;
    row->number = g->number;
    memcpy(row->service, g->order.service, sizeof row->service);
    memcpy(row->node, g->order.node, sizeof row->node);
    memcpy(row->value, g->order.value, sizeof row->value);
    memcpy(row->reason, g->reason, sizeof row->reason);
    notify->enable = d->enable;
    for (unsigned i = 0; i < SNAP_REQUESTS; i++)
        if (d->rows[i].serial)
            show_row(&d->rows[i], s);
}
