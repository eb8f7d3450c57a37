/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/core/mib.h"

#include <string.h>

int
mib_compare(const uint32_t *a, uint32_t na, const uint32_t *b, uint32_t nb)
{
    uint32_t i, n = na < nb ? na : nb;

    for (i = 0; i < n; i++)
        if (a[i] != b[i])
            return a[i] < b[i] ? -1 : 1;
    return na < nb ? -1 : na > nb;
}

uint32_t
mib_index_name(uint32_t *index, uint32_t n, const char *name)
{
    uint32_t i, size = (uint32_t)strlen(name);

    if (n + 1 + size > MIB_INDEX_MAX)
        return MIB_INDEX_MAX + 1;
    index[n++] = size;
    for (i = 0; i < size; i++)
        index[n++] = (unsigned char)name[i];
    return n;
}

uint32_t
mib_index_address(
    uint32_t *index, uint32_t n, const uint8_t *octets, uint32_t size, uint16_t port)
{
    if (n + size + 3 > MIB_INDEX_MAX)
        return MIB_INDEX_MAX + 1;
    index[n++] = size == 4 ? 1 : 2; /* ipv4, ipv6 */
    index[n++] = size;
    for (uint32_t i = 0; i < size; i++)
        index[n++] = octets[i];
    index[n++] = port;
    return n;
}

uint32_t
mib_date(int64_t ms, uint8_t out[11])
{
    int64_t days = ms / 86400000, era, day, year, month, doy, yoe;
    uint32_t rest = (uint32_t)(ms % 86400000);

    memset(out, 0, 11);
    if (ms <= 0)
        return 8;
    /* days to civil date: years are counted from March, eras of 400 years */
    days += 719468;
    era = days / 146097;
    day = days % 146097;
    yoe = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    doy = day - (365 * yoe + yoe / 4 - yoe / 100);
    month = (5 * doy + 2) / 153;
    year = yoe + era * 400 + (month >= 10);
    out[0] = (uint8_t)(year >> 8);
    out[1] = (uint8_t)year;
    out[2] = (uint8_t)(month < 10 ? month + 3 : month - 9);
    out[3] = (uint8_t)(doy - (153 * month + 2) / 5 + 1);
    out[4] = (uint8_t)(rest / 3600000);
    out[5] = (uint8_t)(rest / 60000 % 60);
    out[6] = (uint8_t)(rest / 1000 % 60);
    out[7] = (uint8_t)(rest / 100 % 10);
    out[8] = '+';
    return 11;
}

uint32_t
mib_count(const struct mib_table *table, const void *base)
{
    return *(const uint32_t *)(const void *)((const char *)base + table->count);
}

const struct mib_row *
mib_row(const struct mib_table *table, const void *base, uint32_t i)
{
    const void *rows = (const char *)base + table->rows;

    if (table->shared)
        return (*(const struct mib_row *const *const *)rows)[i];
    return (const struct mib_row *)(const void *)((const char *)rows + i * table->size);
}

void
mib_blank(const struct mib_table *table, struct mib_row *row)
{
    static const int64_t none = MIB_NONE;

    row->known = true;
    for (uint32_t c = 0; c < table->ncolumns; c++)
        if (table->columns[c].type != MIB_TEXT)
            memcpy((char *)row + table->columns[c].offset, &none, sizeof none);
}

/* lower - the first row whose index is not less than @index; the count if none. */
static uint32_t
lower(const struct mib_table *t, const void *base, const uint32_t *index, uint32_t n)
{
    uint32_t low = 0, high = mib_count(t, base);

    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        const struct mib_row *r = mib_row(t, base, mid);

        if (mib_compare(r->index, r->nindex, index, n) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

void *
mib_find(
    const struct mib_table *table, const void *base, const uint32_t *index, uint32_t n)
{
    uint32_t i = lower(table, base, index, n);
    const struct mib_row *r = i < mib_count(table, base) ? mib_row(table, base, i)
                                                         : NULL;

    if (!r || mib_compare(r->index, r->nindex, index, n) != 0)
        return NULL;
    return (void *)(uintptr_t)r;
}

void *
mib_insert(const struct mib_table *table, void *base, const uint32_t *index, uint32_t n)
{
    uint32_t *used = (uint32_t *)(void *)((char *)base + table->count);
    struct mib_row *r;
    uint32_t i;

    if (n > MIB_INDEX_MAX)
        return NULL;
    r = mib_find(table, base, index, n);
    if (r)
        return r;
    if (table->shared || *used == table->max)
        return NULL;
    i = lower(table, base, index, n);
    r = (struct mib_row *)(uintptr_t)mib_row(table, base, i);
    memmove((char *)r + table->size, r, (*used - i) * table->size);
    memset(r, 0, table->size);
    memcpy(r->index, index, n * sizeof *index);
    r->nindex = n;
    ++*used;
    return r;
}

/* number_of - clamp or wrap as the type demands. */
static int64_t
number_of(enum mib_type type, int64_t v)
{
    switch (type) {
    case MIB_INTEGER:
        return v > INT32_MAX ? INT32_MAX : v;
    case MIB_TRUTH:
        return v ? 1 : 2;
    case MIB_UNSIGNED:
        return v > UINT32_MAX ? UINT32_MAX : v;
    case MIB_COUNTER32:
        return v & UINT32_MAX;
    default:
        return v;
    }
}

/* value_of - false: this row has no value in this column. */
static bool
value_of(const struct mib_column *c, const struct mib_row *r, struct mib_value *out)
{
    const char *field = (const char *)r + c->offset;
    struct mib_value v = { .type = c->type, .writable = c->flags & MIB_WRITABLE };

    if (!r->known && !(c->flags & MIB_ALWAYS))
        return false;
    if (c->type == MIB_TEXT) {
        v.text = field;
        v.size = (uint32_t)strlen(field);
    } else {
        memcpy(&v.number, field, sizeof v.number);
        if (v.number < (c->type == MIB_INTEGER ? INT32_MIN : 0))
            return false;
        if (c->type == MIB_DATE)
            v.size = mib_date(v.number, v.date);
        v.number = number_of(c->type, v.number);
    }
    *out = v;
    return true;
}

static bool
starts_with(const uint32_t *oid, uint32_t n, const struct mib_table *t)
{
    return n >= t->npath && mib_compare(oid, t->npath, t->path, t->npath) == 0;
}

enum mib_found
mib_get(const struct mib_table *tables, uint32_t ntables, const void *base,
    const uint32_t *oid, uint32_t n, struct mib_value *out)
{
    for (const struct mib_table *t = tables; t < tables + ntables; t++) {
        const struct mib_row *r;

        if (!starts_with(oid, n, t) || n == t->npath)
            continue;
        for (uint32_t c = 0; c < t->ncolumns; c++) {
            if (t->columns[c].arc != oid[t->npath])
                continue;
            r = mib_find(t, base, oid + t->npath + 1, n - t->npath - 1);
            return r && value_of(&t->columns[c], r, out) ? MIB_FOUND : MIB_NO_INSTANCE;
        }
    }
    return MIB_NO_OBJECT;
}

/* next_in_column - the first object after @oid in column @c of @t. */
static bool
next_in_column(const struct mib_table *t, const struct mib_column *c, const void *base,
    const uint32_t *oid, uint32_t n, uint32_t *next, uint32_t *nnext,
    struct mib_value *out)
{
    uint32_t head[MIB_PATH_MAX + 1], nhead = t->npath + 1, i = 0;
    const struct mib_row *r;
    int cmp;

    memcpy(head, t->path, t->npath * sizeof *head);
    head[t->npath] = c->arc;
    cmp = mib_compare(head, nhead, oid, n < nhead ? n : nhead);
    if (cmp < 0)
        return false;
    if (cmp == 0 && n >= nhead) {
        i = lower(t, base, oid + nhead, n - nhead);
        r = i < mib_count(t, base) ? mib_row(t, base, i) : NULL;
        if (r && mib_compare(r->index, r->nindex, oid + nhead, n - nhead) == 0)
            i++;
    }
    for (; i < mib_count(t, base); i++) {
        r = mib_row(t, base, i);
        if (!value_of(c, r, out))
            continue;
        memcpy(next, head, nhead * sizeof *head);
        memcpy(next + nhead, r->index, r->nindex * sizeof *r->index);
        *nnext = nhead + r->nindex;
        return true;
    }
    return false;
}

bool
mib_next(const struct mib_table *tables, uint32_t ntables, const void *base,
    const uint32_t *oid, uint32_t n, uint32_t *next, uint32_t *nnext,
    struct mib_value *out)
{
    for (const struct mib_table *t = tables; t < tables + ntables; t++) {
        uint32_t least = n < t->npath ? n : t->npath;

        if (mib_compare(t->path, least, oid, least) < 0)
            continue; /* all of it is before @oid */
        for (uint32_t c = 0; c < t->ncolumns; c++)
            if (next_in_column(t, &t->columns[c], base, oid, n, next, nnext, out))
                return true;
    }
    return false;
}
