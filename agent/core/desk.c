/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/core/desk.h"

#include <string.h>

/* clang-format off */
static const struct field {
    enum snapshot_table table;
    uint32_t arc;
    bool text;
    int64_t least, most; /* of a number */
} fields[DESK_N] = {
    [DESK_LOCK]    = { SNAP_DESK,   1, false, 0, INT32_MAX },
    [DESK_KIND]    = { SNAP_DESK,   2, false, ORDER_SWITCHOVER, ORDER_SWITCHOVER },
    [DESK_SERVICE] = { SNAP_DESK,   3, true,  0, 0 },
    [DESK_NODE]    = { SNAP_DESK,   4, true,  0, 0 },
    [DESK_ENABLE]  = { SNAP_NOTIFY, 1, false, 1, 2 },
};
/* clang-format on */

void
desk_init(struct desk *d, uint32_t seed)
{
    memset(d, 0, sizeof *d);
    d->lock = seed & INT32_MAX;
    d->enable = true;
}

static int
field_of(const uint32_t *oid, uint32_t n)
{
    for (int f = 0; f < DESK_N; f++) {
        const struct mib_table *t = &snapshot_tables[fields[f].table];

        if (n == t->npath + 2 && mib_compare(oid, t->npath, t->path, t->npath) == 0 &&
            oid[t->npath] == fields[f].arc && oid[t->npath + 1] == 0)
            return f;
    }
    return -1;
}

static bool
is_name(const char *text, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++)
        if (!(text[i] >= 'a' && text[i] <= 'z') &&
            !(text[i] >= '0' && text[i] <= '9') && text[i] != '-')
            return false;
    return true;
}

static enum set_error
value_error(const struct field *f, const struct desk_binding *b)
{
    if (f->text ? !b->is_text : !b->is_number)
        return SET_WRONG_TYPE;
    if (f->text && b->size >= SNAP_NAME)
        return SET_WRONG_LENGTH;
    if (f->text ? !is_name(b->text, b->size)
                : b->number < f->least || b->number > f->most)
        return SET_WRONG_VALUE;
    return SET_OK;
}

static void
keep(struct desk_request *r, int field, const struct desk_binding *b)
{
    char *name = field == DESK_SERVICE ? r->service : r->node;
    int64_t *number = field == DESK_LOCK   ? &r->lock
                      : field == DESK_KIND ? &r->kind
                                           : &r->enable;

    if (fields[field].text) {
        memcpy(name, b->text, b->size);
        name[b->size] = '\0';
    } else {
        *number = b->number;
    }
}

enum set_error
desk_syntax(const struct snapshot *s, const struct desk_binding *b, uint32_t at,
    struct desk_request *r)
{
    struct mib_value v;
    enum set_error error;
    int field;

    if (mib_get(snapshot_tables, SNAP_NTABLES, s, b->oid, b->noid, &v) != MIB_FOUND)
        return SET_NO_CREATION;
    field = field_of(b->oid, b->noid);
    if (!v.writable || field < 0)
        return SET_NOT_WRITABLE;
    error = value_error(&fields[field], b);
    if (error != SET_OK)
        return error;
    if (r->has[field]) /* twice in a message: which one is meant? */
        return SET_INCONSISTENT_VALUE;
    r->has[field] = true;
    r->at[field] = at;
    keep(r, field, b);
    return SET_OK;
}

static bool
is_order(const struct desk_request *r)
{
    return r->has[DESK_KIND] || r->has[DESK_SERVICE] || r->has[DESK_NODE];
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

enum set_error
desk_check(const struct desk *d, const struct snapshot *s, const struct desk_request *r,
    uint32_t *at)
{
    static const enum desk_field must[] = { DESK_LOCK, DESK_KIND, DESK_SERVICE };

    if (r->has[DESK_LOCK]) {
        *at = r->at[DESK_LOCK];
        if (r->lock != d->lock)
            return SET_INCONSISTENT_VALUE;
    }
    if (!is_order(r))
        return SET_OK;
    *at = 0;
    for (size_t i = 0; i < sizeof must / sizeof must[0]; i++)
        if (!r->has[must[i]])
            return SET_INCONSISTENT_VALUE;
    if (s->cluster.n == 0 || s->cluster.v[0].state != LIVE_ANSWERING ||
        d->outcome == OUTCOME_PENDING)
        return SET_UNAVAILABLE;
    *at = r->at[DESK_SERVICE];
    if (!knows_service(s, r->service))
        return SET_INCONSISTENT_VALUE;
    *at = r->at[DESK_NODE];
    if (r->node[0] && !knows_node(s, r->node))
        return SET_INCONSISTENT_VALUE;
    return SET_OK;
}

bool
desk_take(struct desk *d, const struct desk_request *r, int64_t now_us)
{
    if (r->has[DESK_ENABLE])
        d->enable = r->enable == 1;
    if (r->has[DESK_LOCK])
        d->lock = d->lock == INT32_MAX ? 0 : d->lock + 1;
    if (!is_order(r))
        return false;
    d->kind = r->kind;
    memcpy(d->service, r->service, sizeof d->service);
    memcpy(d->node, r->node, sizeof d->node);
    d->outcome = OUTCOME_PENDING;
    d->reason[0] = '\0';
    d->asked_us = now_us;
    d->orders++;
    return true;
}

void
desk_answered(struct desk *d, bool accepted, int64_t number, const char *reason)
{
    if (d->outcome != OUTCOME_PENDING)
        return;
    d->outcome = accepted ? OUTCOME_ACCEPTED : OUTCOME_REFUSED;
    if (accepted)
        d->number = number;
    snapshot_text(d->reason, sizeof d->reason, accepted ? "" : reason);
}

void
desk_give_up(struct desk *d, const char *reason)
{
    if (d->outcome != OUTCOME_PENDING)
        return;
    d->outcome = OUTCOME_UNANSWERED;
    snapshot_text(d->reason, sizeof d->reason, reason);
}

void
desk_show(const struct desk *d, struct snapshot *s)
{
    struct desk_row *row = snapshot_numbered(s, SNAP_DESK, 0);
    struct notify_row *notify = snapshot_numbered(s, SNAP_NOTIFY, 0);

    row->row.known = notify->row.known = true;
    row->lock = d->lock;
    row->kind = d->kind;
    row->outcome = d->outcome;
    row->number = d->number;
    memcpy(row->service, d->service, sizeof row->service);
    memcpy(row->node, d->node, sizeof row->node);
    memcpy(row->reason, d->reason, sizeof row->reason);
    notify->enable = d->enable;
}
