/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * table.h - a table of the MIB as the console holds it: rows of optional cells.
 *
 * Every object is optional: a cell that an agent did not send, or sent as something
 * else than it should be, is CELL_NONE and shown as "not known".  A walk fills a
 * second copy and table_commit() makes it the one that is read, so that nobody sees
 * half a table.  All storage is the caller's.  Pure. */
#ifndef BSC_GUI_TABLE_H
#define BSC_GUI_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TABLE_PATH 6
#define TABLE_OID 128 /* parts of an object identifier (RFC 2578) */

enum cell_kind { CELL_NONE, CELL_NUMBER, CELL_TEXT, CELL_DATE };

struct cell {
    uint8_t kind;   /* enum cell_kind */
    uint32_t size;  /* CELL_TEXT: octets, without the NUL */
    int64_t number; /* CELL_NUMBER; CELL_DATE: ms since 1970; CELL_TEXT: its place */
};

struct table_def {
    const char *name;          /* of recordings */
    uint32_t path[TABLE_PATH]; /* of the entry, below enterprise.1 */
    uint8_t npath;
    const char *index;   /* a letter for each part: n number, s length and octets */
    const char *columns; /* a letter for each: n number, s text, d DateAndTime, - not
                            asked for */
    uint8_t first;       /* number of the first column that is read */
    uint32_t max;        /* rows there is room for */
    uint32_t text;       /* octets of text for each row, on an average */
};

struct table_side {
    struct cell *cells; /* max * (nindex + ncolumns) */
    char *pool;         /* all text */
    size_t used;
    uint32_t rows;
};

struct table {
    const struct table_def *def;
    uint8_t nindex, ncolumns;
    uint32_t serial;           /* +1 at each commit: whether to look again */
    uint32_t dropped;          /* rows without room, in the last walk */
    bool known;                /* was committed, and its source is there */
    struct table_side side[2]; /* [0] is read, [1] is filled */
    uint32_t *place;           /* by index: row of [1] + 1, or 0 */
};

/* A value as it came. */
struct table_value {
    char kind; /* 'n', 's'; 0: none (noSuchInstance and the like) */
    int64_t number;
    const char *text; /* borrowed */
    size_t size;
};

/* table_storage - octets that table_init() wants for @def; zeroed ones. */
size_t table_storage(const struct table_def *def);
void table_init(struct table *t, const struct table_def *def, void *storage);

/* table_begin - start to fill.  @keep: with what is there, else with nothing. */
void table_begin(struct table *t, bool keep);

/* table_put - one value.
 *
 * @oid  the part behind the path of the entry: column and index
 *
 * False: it is none of this table, or makes no sense; nothing changed. */
bool table_put(
    struct table *t, const uint32_t *oid, size_t n, const struct table_value *value);

/* table_commit - what was filled is read from now on. */
void table_commit(struct table *t);

/* table_forget - nothing is known any more. */
void table_forget(struct table *t);

/* table_cell - @column as in the MIB; of an index: -1, -2...  Never NULL. */
const struct cell *table_cell(const struct table *t, uint32_t row, int column);

/* Shortcuts: @none if the cell has no such value. */
int64_t table_number(const struct table *t, uint32_t row, int column, int64_t none);
const char *table_text(const struct table *t, uint32_t row, int column);

/* table_find - the row whose first index is @name (and the second @second, if not
 * NULL).  -1: there is none. */
int table_find(const struct table *t, const char *name, const char *second);

#endif
