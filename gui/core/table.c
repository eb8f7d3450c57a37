/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gui/core/table.h"

#include "gui/core/clean.h"
#include "lib/core/fnv.h"

#include <stdio.h>
#include <string.h>

static const struct cell none;

static size_t
width(const struct table_def *def)
{
    return strlen(def->index) + strlen(def->columns);
}

static size_t
side_size(const struct table_def *def)
{
    return def->max * (width(def) * sizeof(struct cell) + def->text);
}

/* Of the places where a row is looked for by its index: at most half are taken. */
static uint32_t
places(const struct table_def *def)
{
    uint32_t n = 8;

    while (n < 2 * def->max)
        n *= 2;
    return n;
}

size_t
table_storage(const struct table_def *def)
{
    return 2 * ((side_size(def) + 7) / 8 * 8) + places(def) * sizeof(uint32_t);
}

void
table_init(struct table *t, const struct table_def *def, void *storage)
{
    char *at = storage;

    memset(t, 0, sizeof *t);
    t->def = def;
    t->nindex = (uint8_t)strlen(def->index);
    t->ncolumns = (uint8_t)strlen(def->columns);
    for (int i = 0; i < 2; i++) {
        t->side[i].cells = (struct cell *)(void *)at;
        t->side[i].pool = at + def->max * width(def) * sizeof(struct cell);
        at += (side_size(def) + 7) / 8 * 8;
    }
    t->place = (uint32_t *)(void *)at;
}

static void note_place(struct table *t, uint32_t row);

void
table_begin(struct table *t, bool keep)
{
    struct table_side *from = &t->side[0], *to = &t->side[1];

    to->rows = 0;
    to->used = 0;
    t->dropped = 0;
    memset(t->place, 0, places(t->def) * sizeof *t->place);
    if (!keep)
        return;
    memcpy(to->cells, from->cells, from->rows * width(t->def) * sizeof *to->cells);
    memcpy(to->pool, from->pool, from->used);
    to->rows = from->rows;
    to->used = from->used;
    for (uint32_t i = 0; i < to->rows; i++)
        note_place(t, i);
}

/* Whole text of the side fits: a cell without room is none. */
static void
put_text(struct table *t, struct cell *cell, const char *text, size_t n)
{
    struct table_side *s = &t->side[1];
    size_t room = (size_t)t->def->max * t->def->text - s->used;

    if (room < 8)
        return;
    cell->kind = CELL_TEXT;
    cell->number = (int64_t)s->used;
    cell->size = (uint32_t)clean_text(
        s->pool + s->used, room < 512 ? room : 512, text, n);
    s->used += cell->size + 1;
}

/* Days since 1970 (proleptic Gregorian), month 1..12: Howard Hinnant's algorithm. */
static int64_t
days(int64_t y, int m, int d)
{
    int64_t era, yoe, doy;

    y -= m <= 2;
    era = (y >= 0 ? y : y - 399) / 400;
    yoe = y - era * 400;
    doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

/* DateAndTime (RFC 2579): 8 octets, or 11 with the difference to UTC. */
static void
put_date(struct cell *cell, const char *text, size_t n)
{
    const unsigned char *o = (const unsigned char *)text;
    int64_t s;

    if ((n != 8 && n != 11) || o[2] < 1 || o[2] > 12 || o[3] < 1 || o[3] > 31)
        return;
    s = days(o[0] << 8 | o[1], o[2], o[3]) * 86400 + o[4] * 3600 + o[5] * 60 + o[6];
    if (n == 11)
        s -= (o[8] == '-' ? -1 : 1) * (o[9] * 3600 + o[10] * 60);
    cell->kind = CELL_DATE;
    cell->number = s * 1000 + o[7] * 100;
}

static bool
same_row(const struct table *t, const struct cell *a, const struct cell *b)
{
    const char *pool = t->side[1].pool;

    for (int i = 0; i < t->nindex; i++) {
        if (a[i].kind != b[i].kind || a[i].size != b[i].size)
            return false;
        if (a[i].kind == CELL_TEXT
                ? memcmp(pool + a[i].number, pool + b[i].number, a[i].size) != 0
                : a[i].number != b[i].number)
            return false;
    }
    return true;
}

/* InetAddress (RFC 4001) as people write it: the longest run of zeros is left out. */
static void
put_address(struct table *t, struct cell *cell, const char *octets, size_t n)
{
    const unsigned char *o = (const unsigned char *)octets;
    int best = -1, most = 1, run = 0, len = 0;
    unsigned part[8];
    char text[48];

    if (n == 4)
        len = snprintf(text, sizeof text, "%u.%u.%u.%u", o[0], o[1], o[2], o[3]);
    for (int i = 0; n == 16 && i < 8; i++) {
        part[i] = (unsigned)(o[2 * i] << 8 | o[2 * i + 1]);
        run = part[i] ? 0 : run + 1;
        if (run > most)
            most = run, best = i - run + 1;
    }
    for (int i = 0; n == 16 && i < 8; i++) {
        if (i == best) {
            len += snprintf(text + len, sizeof text - (size_t)len, "::");
            i += most - 1;
            continue;
        }
        len += snprintf(text + len, sizeof text - (size_t)len, "%s%x",
            i && i != best + most ? ":" : "", part[i]);
    }
    if (len > 0)
        put_text(t, cell, text, (size_t)len);
    else
        put_text(t, cell, "?", 1);
}

/* The parts of the index into cells.  False: they do not add up. */
static bool
read_index(struct table *t, struct cell *cells, const uint32_t *oid, size_t n)
{
    char text[TABLE_OID];
    size_t at = 0;

    for (int i = 0; i < t->nindex; i++) {
        size_t len;

        if (at >= n)
            return false;
        len = oid[at++];
        if (t->def->index[i] == 'n') {
            cells[i] = (struct cell){ .kind = CELL_NUMBER, .number = (int64_t)len };
            continue;
        }
        if (len > n - at || len >= sizeof text)
            return false;
        for (size_t k = 0; k < len; k++)
            text[k] = (char)oid[at + k];
        cells[i] = none;
        if (t->def->index[i] == 'a')
            put_address(t, &cells[i], text, len);
        else
            put_text(t, &cells[i], text, len);
        if (cells[i].kind == CELL_NONE)
            return false;
        at += len;
    }
    return at == n;
}

static uint64_t
hash(const struct table *t, const struct cell *index)
{
    const char *pool = t->side[1].pool;
    uint64_t h = FNV_BASIS;

    for (int i = 0; i < t->nindex; i++) {
        if (index[i].kind != CELL_TEXT) {
            h = fnv_mix(h, (uint64_t)index[i].number);
            continue;
        }
        h = fnv_bytes(h, pool + index[i].number, index[i].size);
        h = fnv_mix(h, 256);
    }
    return h ^ h >> 32;
}

/* place_of - where the row with this index is noted, or the free place for it. */
static uint32_t *
place_of(const struct table *t, const struct cell *index)
{
    const struct table_side *s = &t->side[1];
    uint32_t mask = places(t->def) - 1, at = (uint32_t)hash(t, index) & mask;

    while (t->place[at] &&
           !same_row(t, s->cells + (t->place[at] - 1) * width(t->def), index))
        at = (at + 1) & mask;
    return &t->place[at];
}

static void
note_place(struct table *t, uint32_t row)
{
    *place_of(t, t->side[1].cells + row * width(t->def)) = row + 1;
}

static struct cell *
row_for(struct table *t, const struct cell *index, size_t text_before)
{
    struct table_side *s = &t->side[1];
    uint32_t *place = place_of(t, index);
    size_t w = width(t->def);
    struct cell *row;

    if (*place) {
        s->used = text_before; /* the index has its text already */
        return s->cells + (*place - 1) * w;
    }
    if (s->rows == t->def->max) {
        s->used = text_before;
        t->dropped++;
        return NULL;
    }
    row = s->cells + s->rows++ * w;
    *place = s->rows;
    memset(row, 0, w * sizeof *row);
    memcpy(row, index, t->nindex * sizeof *row);
    return row;
}

bool
table_put(
    struct table *t, const uint32_t *oid, size_t n, const struct table_value *value)
{
    size_t before = t->side[1].used;
    struct cell index[8], *row, *cell;
    unsigned column;
    char kind;

    if (n < 2 || n > TABLE_OID || oid[0] < t->def->first ||
        oid[0] >= (uint32_t)t->def->first + t->ncolumns)
        return false;
    column = oid[0] - t->def->first;
    kind = t->def->columns[column];
    if (!read_index(t, index, oid + 1, n - 1)) {
        t->side[1].used = before;
        return false;
    }
    row = row_for(t, index, before);
    if (!row)
        return false;
    cell = &row[t->nindex + column];
    *cell = none;
    if (value->kind == 's' && kind == 's')
        put_text(t, cell, value->text, value->size);
    else if (value->kind == 's' && kind == 'd')
        put_date(cell, value->text, value->size);
    else if (value->kind == 'n' && kind == 'n')
        *cell = (struct cell){ .kind = CELL_NUMBER, .number = value->number };
    return true;
}

void
table_commit(struct table *t)
{
    struct table_side filled = t->side[1];

    t->side[1] = t->side[0];
    t->side[0] = filled;
    t->known = true;
    t->serial++;
}

void
table_forget(struct table *t)
{
    if (t->known)
        t->serial++;
    t->known = false;
    t->side[0].rows = 0;
    t->side[0].used = 0;
}

const struct cell *
table_cell(const struct table *t, uint32_t row, int column)
{
    int at = column < 0 ? -column - 1 : t->nindex + column - t->def->first;

    if (row >= t->side[0].rows || at < 0 || at >= t->nindex + t->ncolumns ||
        (column < 0 && at >= t->nindex))
        return &none;
    return &t->side[0].cells[row * width(t->def) + (size_t)at];
}

int64_t
table_number(const struct table *t, uint32_t row, int column, int64_t other)
{
    const struct cell *c = table_cell(t, row, column);

    return c->kind == CELL_NUMBER || c->kind == CELL_DATE ? c->number : other;
}

const char *
table_text(const struct table *t, uint32_t row, int column)
{
    const struct cell *c = table_cell(t, row, column);

    return c->kind == CELL_TEXT ? t->side[0].pool + c->number : "";
}

int
table_find(const struct table *t, const char *name, const char *second)
{
    for (uint32_t i = 0; i < t->side[0].rows; i++)
        if (!strcmp(table_text(t, i, -1), name) &&
            (!second || !strcmp(table_text(t, i, -2), second)))
            return (int)i;
    return -1;
}
