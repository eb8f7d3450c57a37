/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * mib.h - tables of sorted rows, read by object identifier.
 *
 * Everything the agent serves is a table: a group of scalars is a table of one row
 * whose index is 0.  An object is PATH of the table, column, index of the row; rows
 * are kept sorted by index, so that "next" is a search and never runs backwards.
 * Object identifiers here are relative to the root that the agent registers.  Pure. */
#ifndef BSC_AGENT_MIB_H
#define BSC_AGENT_MIB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MIB_PATH_MAX 6
#define MIB_INDEX_MAX 72 /* a name and two IPv6 addresses with ports */
#define MIB_OID_MAX (MIB_PATH_MAX + 1 + MIB_INDEX_MAX)

enum mib_type {    /* the field of the row            its value */
    MIB_INTEGER,   /* int64_t, below -2^31: none      Integer32 or enumeration */
    MIB_TRUTH,     /* int64_t, negative: none         TruthValue */
    MIB_UNSIGNED,  /* int64_t, negative: none         Gauge32, Unsigned32: the top holds
                    */
    MIB_COUNTER32, /* int64_t, negative: none         Counter32: modulo 2^32 */
    MIB_COUNTER64, /* int64_t, negative: none         Counter64 */
    MIB_TEXT,      /* char[], with its NUL            OCTET STRING */
    MIB_DATE,      /* int64_t ms since 1970; <0: none DateAndTime; 0: zero octets */
    MIB_STAMP,     /* int64_t us, monotonic; <0: none TimeStamp: the shell converts */
};

enum {
    MIB_ALWAYS = 1, /* served even if the row is not known at present */
    MIB_WRITABLE = 2
};

#define MIB_NONE INT64_MIN /* no value, for every numeric type */

struct mib_column {
    uint16_t arc;
    uint8_t type; /* enum mib_type */
    uint8_t flags;
    uint16_t offset; /* of the field in the row */
};

struct mib_row { /* first in every row */
    uint32_t index[MIB_INDEX_MAX];
    uint32_t nindex;
    bool known; /* false: its source is away, only MIB_ALWAYS columns are there */
};

struct mib_table {
    uint32_t path[MIB_PATH_MAX];
    uint32_t npath;
    const struct mib_column *columns; /* by arc */
    uint32_t ncolumns;
    size_t count; /* offset of uint32_t, rows in use */
    size_t rows;  /* offset of the first */
    size_t size;  /* of a row */
    uint32_t max; /* rows there is room for */
    bool shared;  /* at .rows is a pointer to pointers to them; nobody inserts here */
};

struct mib_value {
    enum mib_type type;
    int64_t number;   /* all but MIB_TEXT, MIB_DATE; MIB_TRUTH: 1 or 2 */
    const char *text; /* MIB_TEXT: borrowed from the row */
    uint8_t date[11]; /* MIB_DATE */
    uint32_t size;    /* octets of text or date */
    bool writable;
};

enum mib_found { MIB_FOUND, MIB_NO_INSTANCE, MIB_NO_OBJECT };

/* mib_get - the value of exactly @oid.
 *
 * @tables  @ntables, by path, none a prefix of another
 * @base    what the offsets in @tables count from
 * @out     written only if MIB_FOUND is returned */
enum mib_found mib_get(const struct mib_table *tables, uint32_t ntables,
    const void *base, const uint32_t *oid, uint32_t n, struct mib_value *out);

/* mib_next - the first object after @oid that has a value.
 *
 * @next, @nnext  out: its identifier, MIB_OID_MAX places
 *
 * False: there is none; nothing is written. */
bool mib_next(const struct mib_table *tables, uint32_t ntables, const void *base,
    const uint32_t *oid, uint32_t n, uint32_t *next, uint32_t *nnext,
    struct mib_value *out);

/* mib_insert - a row with index @index at its place, all bytes but the index zero;
 * or the row that has this index already, unchanged.
 *
 * NULL: the table is full, or the index is too long; nothing changed. */
void *mib_insert(
    const struct mib_table *table, void *base, const uint32_t *index, uint32_t n);

/* mib_blank - make @row known, with MIB_NONE in each numeric column. */
void mib_blank(const struct mib_table *table, struct mib_row *row);

/* mib_count, mib_row - rows in use, and one of them, from 0. */
uint32_t mib_count(const struct mib_table *table, const void *base);
const struct mib_row *mib_row(
    const struct mib_table *table, const void *base, uint32_t i);

/* mib_index_address - append type, octets (with their number) and port of an address
 * of @size octets, 4 or 16, as INET-ADDRESS-MIB wants.  The new number of parts;
 * MIB_INDEX_MAX + 1 if it does not fit. */
uint32_t mib_index_address(
    uint32_t *index, uint32_t n, const uint8_t *octets, uint32_t size, uint16_t port);

/* mib_find - the row with just this index; NULL if there is none. */
void *mib_find(
    const struct mib_table *table, const void *base, const uint32_t *index, uint32_t n);

/* mib_index_name - append @name, its length first, to an index of @n parts.
 * The new number of parts; MIB_INDEX_MAX + 1 if it does not fit. */
uint32_t mib_index_name(uint32_t *index, uint32_t n, const char *name);

/* mib_compare - lexicographic: negative, 0 or positive. */
int mib_compare(const uint32_t *a, uint32_t na, const uint32_t *b, uint32_t nb);

/* mib_date - DateAndTime of @ms since 1970, in UTC; 8 zero octets for 0.
 * The number of octets, 8 or 11. */
uint32_t mib_date(int64_t ms, uint8_t out[11]);

#endif
