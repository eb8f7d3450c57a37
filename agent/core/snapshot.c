/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/core/snapshot.h"

#include <string.h>

void
snapshot_clear(struct snapshot *s)
{
    s->rows_dropped = 0;
    for (unsigned t = 0; t < SNAP_NTABLES; t++)
        memset((char *)s + snapshot_tables[t].count, 0, sizeof(uint32_t));
}

void *
snapshot_row(
    struct snapshot *s, enum snapshot_table table, const uint32_t *index, uint32_t n)
{
    void *row = mib_insert(&snapshot_tables[table], s, index, n);

    s->rows_dropped += !row;
    return row;
}

void *
snapshot_blank(
    struct snapshot *s, enum snapshot_table table, const uint32_t *index, uint32_t n)
{
    struct mib_row *row = snapshot_row(s, table, index, n);

    if (row)
        mib_blank(&snapshot_tables[table], row);
    return row;
}

void *
snapshot_named(struct snapshot *s, enum snapshot_table table, const char *name)
{
    uint32_t index[MIB_INDEX_MAX];

    return snapshot_row(s, table, index, mib_index_name(index, 0, name));
}

void *
snapshot_named2(
    struct snapshot *s, enum snapshot_table table, const char *name, const char *name2)
{
    uint32_t index[MIB_INDEX_MAX], n = mib_index_name(index, 0, name);

    return snapshot_row(s, table, index, mib_index_name(index, n, name2));
}

void *
snapshot_numbered(struct snapshot *s, enum snapshot_table table, uint32_t number)
{
    return snapshot_row(s, table, &number, 1);
}

void
snapshot_text(char *out, size_t size, const char *text)
{
    size_t n = text ? strlen(text) : 0;

    if (n >= size)
        for (n = size - 1; n && ((unsigned char)text[n] & 0xc0) == 0x80;)
            n--;
    if (n)
        memcpy(out, text, n);
    out[n] = '\0';
}
