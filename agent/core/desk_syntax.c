/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * desk_syntax.c - one binding of a SET by itself: is it an object of the desk, of the
 * right type, length and range? */
#include "agent/core/desk.h"

#include <string.h>

/* clang-format off */
enum text { NUMBER, NAME, WORD };

static const struct field {
    enum snapshot_table table;
    uint32_t arc;
    enum text text;
    int64_t least, most; /* of a number */
} fields[DESK_N] = {
    [DESK_LOCK]        = { SNAP_DESK,    1, NUMBER, 0, INT32_MAX },
    [DESK_KIND]        = { SNAP_DESK,    2, NUMBER, ORDER_SWITCHOVER, ORDER_N - 1 },
    [DESK_SERVICE]     = { SNAP_DESK,    3, NAME, 0, 0 },
    [DESK_NODE]        = { SNAP_DESK,    4, NAME, 0, 0 },
    [DESK_VALUE]       = { SNAP_DESK,    8, WORD, 0, 0 },
    [DESK_ENABLE]      = { SNAP_NOTIFY,  1, NUMBER, 1, 2 },
    [DESK_ROW_KIND]    = { SNAP_REQUEST, 3, NUMBER, ORDER_SWITCHOVER, ORDER_N - 1 },
    [DESK_ROW_SERVICE] = { SNAP_REQUEST, 4, NAME, 0, 0 },
    [DESK_ROW_NODE]    = { SNAP_REQUEST, 5, NAME, 0, 0 },
    [DESK_ROW_VALUE]   = { SNAP_REQUEST, 6, WORD, 0, 0 },
    [DESK_ROW_STATUS]  = { SNAP_REQUEST, 12, NUMBER, ROW_ACTIVE, ROW_DESTROY },
};
/* clang-format on */

/* index_of - the part of @b behind path and column of @t; NULL: not in this table. */
static const uint32_t *
index_of(const struct mib_table *t, const struct desk_binding *b, uint32_t *n)
{
    if (b->noid <= t->npath + 1 ||
        mib_compare(b->oid, t->npath, t->path, t->npath) != 0)
        return NULL;
    *n = b->noid - t->npath - 1;
    return b->oid + t->npath + 1;
}

static int
field_of(const struct desk_binding *b, const uint32_t **index, uint32_t *n)
{
    for (int f = 0; f < DESK_N; f++) {
        const struct mib_table *t = &snapshot_tables[fields[f].table];

        *index = index_of(t, b, n);
        if (*index && b->oid[t->npath] == fields[f].arc)
            return f;
    }
    return -1;
}

/* is_row_index - owner of 1 to 31 octets with their number, a number from 1. */
static bool
is_row_index(const uint32_t *index, uint32_t n)
{
    if (n < 3 || index[0] < 1 || index[0] >= SNAP_NAME || n != index[0] + 2)
        return false;
    for (uint32_t i = 1; i <= index[0]; i++)
        if (index[i] < 0x20 || index[i] > 0x7e)
            return false;
    return index[n - 1] > 0;
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
    if (f->text != NUMBER ? !b->is_text : !b->is_number)
        return SET_WRONG_TYPE;
    if (f->text != NUMBER && b->size >= (f->text == NAME ? SNAP_NAME : SNAP_WORD))
        return SET_WRONG_LENGTH;
    if (f->text != NUMBER ? !is_name(b->text, b->size)
                          : b->number < f->least || b->number > f->most)
        return SET_WRONG_VALUE;
    return SET_OK;
}

static char *
text_of(struct desk_request *r, int field)
{
    switch (field) {
    case DESK_SERVICE:
    case DESK_ROW_SERVICE:
        return r->order.service;
    case DESK_NODE:
    case DESK_ROW_NODE:
        return r->order.node;
    default:
        return r->order.value;
    }
}

static void
keep(struct desk_request *r, int field, const struct desk_binding *b)
{
    if (fields[field].text != NUMBER) {
        memcpy(text_of(r, field), b->text, b->size);
        text_of(r, field)[b->size] = '\0';
    } else if (field == DESK_LOCK) {
        r->lock = b->number;
    } else if (field == DESK_ENABLE) {
        r->enable = b->number;
    } else if (field == DESK_ROW_STATUS) {
        r->status = b->number;
    } else {
        r->order.kind = b->number;
    }
}

/* same_row - all bindings of a message are about one row. */
static bool
same_row(struct desk_request *r, const uint32_t *index, uint32_t n)
{
    if (r->is_row)
        return mib_compare(r->index, r->nindex, index, n) == 0;
    r->is_row = true;
    memcpy(r->index, index, n * sizeof *index);
    r->nindex = n;
    return true;
}

/* find_field - which of the fields @b sets; SET_OK and *field. */
static enum set_error
find_field(const struct snapshot *s, const struct desk_binding *b, int *field,
    const uint32_t **index, uint32_t *n)
{
    struct mib_value v;
    bool there;

    there = mib_get(snapshot_tables, SNAP_NTABLES, s, b->oid, b->noid, &v) == MIB_FOUND;
    *field = field_of(b, index, n);
    if (*field >= DESK_ROW_KIND)
        return is_row_index(*index, *n) ? SET_OK : SET_NO_CREATION;
    if (!there)
        return SET_NO_CREATION;
    return v.writable && *field >= 0 ? SET_OK : SET_NOT_WRITABLE;
}

enum set_error
desk_syntax(const struct snapshot *s, const struct desk_binding *b, uint32_t at,
    struct desk_request *r)
{
    const uint32_t *index = NULL;
    enum set_error error;
    uint32_t n = 0;
    int field = -1;

    error = find_field(s, b, &field, &index, &n);
    if (error == SET_OK)
        error = value_error(&fields[field], b);
    if (error == SET_OK && field == DESK_ROW_STATUS && b->number != ROW_ACTIVE &&
        b->number != ROW_CREATE_AND_GO && b->number != ROW_DESTROY)
        error = SET_WRONG_VALUE; /* states that a row here never has */
    if (error != SET_OK)
        return error;
    /* twice, or two orders in a message: which one is meant? */
    if (r->has[field] || (field >= DESK_ROW_KIND && !same_row(r, index, n)))
        return SET_INCONSISTENT_VALUE;
    r->has[field] = true;
    r->at[field] = at;
    keep(r, field, b);
    return SET_OK;
}
