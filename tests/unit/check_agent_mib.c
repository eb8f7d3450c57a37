/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check_agent_mib.c - the agent's tables: values, order, rows that come and go. */
#include "agent/core/snapshot.h"
#include "tests/suite.h"

#include <stdlib.h>
#include <string.h>

static struct snapshot snap; /* megabytes */

/* Small, fixed and even enough: a failure can be repeated. */
static uint32_t
dice(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 16;
}

static void
must_find(const char *what, enum snapshot_table table, uint32_t arc,
    const uint32_t *index, uint32_t n, struct mib_value *v)
{
    uint32_t oid[MIB_OID_MAX];
    const struct mib_table *t = &snapshot_tables[table];

    memcpy(oid, t->path, t->npath * sizeof *oid);
    oid[t->npath] = arc;
    memcpy(oid + t->npath + 1, index, n * sizeof *oid);
    ck_assert_msg(mib_get(snapshot_tables, SNAP_NTABLES, &snap, oid, t->npath + 1 + n,
                      v) == MIB_FOUND,
        "%s", what);
}

/* An index of the shape that the table has: N a number, T a name, C a connection. */
static const char *
shape_of(unsigned table)
{
    switch (table) {
    case SNAP_EVENT:
    case SNAP_ORDER:
    case SNAP_MEMBER:
    case SNAP_DISK:
    case SNAP_SENSOR:
    case SNAP_LATEST:
        return "N";
    case SNAP_STANDBY:
    case SNAP_ENGINE_STANDBY:
    case SNAP_FAIL:
        return "TT";
    case SNAP_REFUSAL:
    case SNAP_PROBE_DATA:
    case SNAP_PROCESS:
    case SNAP_BUILD:
    case SNAP_PHASE:
    case SNAP_REQUEST:
    case SNAP_STEP:
    case SNAP_CONSTRAINT:
        return "TN";
    case SNAP_CONNECTION:
        return "TCC";
    default:
        return snapshot_tables[table].npath == 5 ? "T" : "";
    }
}

static uint32_t
random_index(unsigned table, uint32_t *state, uint32_t *index)
{
    static const char *const names[] = { "a", "b", "ab", "redis", "mail", "zz-top",
        "" };
    const char *shape = shape_of(table);
    uint32_t n = 0;
    uint8_t octets[16];

    for (; *shape; shape++) {
        for (unsigned i = 0; i < sizeof octets; i++)
            octets[i] = dice(state) % 3 ? 0 : (uint8_t)dice(state);
        if (*shape == 'T')
            n = mib_index_name(index, n, names[dice(state) % 7]);
        else if (*shape == 'C')
            n = mib_index_address(
                index, n, octets, dice(state) % 2 ? 4 : 16, (uint16_t)dice(state));
        else
            index[n++] = dice(state) % 3 ? dice(state) : UINT32_MAX - dice(state) % 3;
    }
    if (n == 0)
        index[n++] = 0;
    return n;
}

/* The rows that all snapshots share are made elsewhere, and sorted. */
static void
add_shared(uint32_t *state)
{
    static struct connection_row rows[12];
    static const struct mib_row *refs[12];
    struct connection_row r = { .row = { .known = true } };
    uint32_t i = snap.connections.n;

    r.row.nindex = random_index(SNAP_CONNECTION, state, r.row.index);
    for (; i > 0 && mib_compare(rows[i - 1].row.index, rows[i - 1].row.nindex,
                        r.row.index, r.row.nindex) > 0;
         i--)
        rows[i] = rows[i - 1];
    rows[i] = r;
    refs[snap.connections.n] = &rows[snap.connections.n].row;
    snap.connections.v = refs;
    snap.connections.n++;
}

/* fill_some - in each table, rows with random indexes, known or not. */
static void
fill_some(uint32_t *state)
{
    snapshot_clear(&snap);
    for (unsigned t = 0; t < SNAP_NTABLES; t++) {
        bool table = snapshot_tables[t].npath == 5;
        unsigned n = table ? dice(state) % 12 : 1;

        for (unsigned i = 0; i < n; i++) {
            uint32_t index[MIB_INDEX_MAX] = { 0 };
            struct mib_row *row;

            if (t == SNAP_CONNECTION) {
                add_shared(state);
                continue;
            }
            row = snapshot_row(
                &snap, (enum snapshot_table)t, index, random_index(t, state, index));
            if (row)
                row->known = dice(state) % 4;
        }
    }
}

START_TEST(walk_is_strictly_increasing)
{
    uint32_t state = (uint32_t)_i, at[MIB_OID_MAX] = { 0 }, next[MIB_OID_MAX];
    uint32_t n = 0, nnext, steps = 0;
    struct mib_value v, again;

    fill_some(&state);
    while (mib_next(snapshot_tables, SNAP_NTABLES, &snap, at, n, next, &nnext, &v)) {
        ck_assert_msg(mib_compare(at, n, next, nnext) < 0, "step %u runs back", steps);
        ck_assert_msg(mib_get(snapshot_tables, SNAP_NTABLES, &snap, next, nnext,
                          &again) == MIB_FOUND,
            "step %u: what next gives, get does not have", steps);
        ck_assert_int_eq(again.number, v.number);
        memcpy(at, next, nnext * sizeof *at);
        n = nnext;
        ck_assert_uint_lt(++steps, 100000);
    }
    ck_assert_uint_gt(steps, 20);
}
END_TEST

START_TEST(addresses_are_indexes)
{
    static const uint32_t want[] = { 1, 'a', 1, 4, 10, 77, 1, 100, 6379 };
    static const uint8_t v4[4] = { 10, 77, 1, 100 };
    uint32_t index[MIB_INDEX_MAX], n = mib_index_name(index, 0, "a");

    n = mib_index_address(index, n, v4, 4, 6379);
    ck_assert_int_eq(mib_compare(index, n, want, 9), 0);
    ck_assert_msg(
        mib_index_address(index, MIB_INDEX_MAX - 6, v4, 4, 1) == MIB_INDEX_MAX + 1,
        "an index that does not fit is made");
}
END_TEST

START_TEST(shared_rows_are_not_made_here)
{
    static const uint32_t index[] = { 1, 'a' };

    snapshot_clear(&snap);
    ck_assert_ptr_null(snapshot_row(&snap, SNAP_CONNECTION, index, 2));
    ck_assert_uint_eq(snap.connections.n, 0);
}
END_TEST

START_TEST(blank_rows_have_no_numbers)
{
    static const uint32_t index[] = { 2, 'n', '1' };
    struct link_row *row;
    struct mib_value v;
    uint32_t oid[] = { 1, 2, 1, 12, 1, 10, 2, 'n', '1' };

    snapshot_clear(&snap);
    row = snapshot_blank(&snap, SNAP_LINK, index, 3);
    ck_assert(
        mib_get(snapshot_tables, SNAP_NTABLES, &snap, oid, 9, &v) == MIB_NO_INSTANCE);
    row->in_octets = 5;
    ck_assert(mib_get(snapshot_tables, SNAP_NTABLES, &snap, oid, 9, &v) == MIB_FOUND);
    ck_assert_int_eq(v.number, 5);
}
END_TEST

/* Between two steps the snapshot is another one: the walk still only grows. */
START_TEST(walk_increases_while_rows_come_and_go)
{
    uint32_t state = (uint32_t)_i, at[MIB_OID_MAX] = { 0 }, next[MIB_OID_MAX];
    uint32_t n = 0, nnext;
    struct mib_value v;

    fill_some(&state);
    while (mib_next(snapshot_tables, SNAP_NTABLES, &snap, at, n, next, &nnext, &v)) {
        ck_assert_int_lt(mib_compare(at, n, next, nnext), 0);
        memcpy(at, next, nnext * sizeof *at);
        n = nnext;
        if (dice(&state) % 3 == 0)
            fill_some(&state);
    }
}
END_TEST

/* Every instance that get has is met by the walk: none is jumped over. */
START_TEST(next_misses_nothing)
{
    uint32_t state = (uint32_t)_i, at[MIB_OID_MAX] = { 0 }, next[MIB_OID_MAX];
    uint32_t n = 0, nnext, walked = 0, present = 0;
    struct mib_value v;

    fill_some(&state);
    while (mib_next(snapshot_tables, SNAP_NTABLES, &snap, at, n, next, &nnext, &v)) {
        memcpy(at, next, nnext * sizeof *at);
        n = nnext;
        walked++;
    }
    for (unsigned t = 0; t < SNAP_NTABLES; t++) {
        const struct mib_table *table = &snapshot_tables[t];

        for (uint32_t r = 0; r < mib_count(table, &snap); r++)
            for (uint32_t c = 0; c < table->ncolumns; c++) {
                const struct mib_row *row = mib_row(table, &snap, r);
                uint32_t oid[MIB_OID_MAX];

                memcpy(oid, table->path, table->npath * sizeof *oid);
                oid[table->npath] = table->columns[c].arc;
                memcpy(oid + table->npath + 1, row->index, row->nindex * sizeof *oid);
                present += mib_get(snapshot_tables, SNAP_NTABLES, &snap, oid,
                               table->npath + 1 + row->nindex, &v) == MIB_FOUND;
            }
    }
    ck_assert_uint_eq(walked, present);
}
END_TEST

START_TEST(tables_are_in_order)
{
    for (unsigned t = 1; t < SNAP_NTABLES; t++)
        ck_assert_int_lt(
            mib_compare(snapshot_tables[t - 1].path, snapshot_tables[t - 1].npath,
                snapshot_tables[t].path, snapshot_tables[t].npath),
            0);
    for (unsigned t = 0; t < SNAP_NTABLES; t++)
        for (unsigned c = 1; c < snapshot_tables[t].ncolumns; c++)
            ck_assert_uint_lt(snapshot_tables[t].columns[c - 1].arc,
                snapshot_tables[t].columns[c].arc);
}
END_TEST

/* clang-format off */
static const struct {
    const char *claim;
    size_t offset; /* in the row of an engine */
    enum snapshot_table table;
    uint32_t arc;
    int64_t set;
    bool known, present;
    int64_t value;
} values[] = {
    { "a number is served", offsetof(struct engine_row, pid), SNAP_ENGINE, 6, 17, true, true, 17 },
    { "a number that is not known has no instance", offsetof(struct engine_row, pid), SNAP_ENGINE, 6, MIB_NONE, true, false, 0 },
    { "-1 is not known, for what cannot be negative", offsetof(struct engine_row, pid), SNAP_ENGINE, 6, -1, true, false, 0 },
    { "a gauge holds at its top", offsetof(struct engine_row, last_bytes), SNAP_CHECKPOINT, 4, INT64_C(1) << 40, true, true, UINT32_MAX },
    { "a 64-bit counter does not", offsetof(struct engine_row, queued), SNAP_GATE, 3, INT64_C(1) << 40, true, true, INT64_C(1) << 40 },
    { "true is 1", offsetof(struct engine_row, gate_open), SNAP_GATE, 1, 1, true, true, 1 },
    { "false is 2", offsetof(struct engine_row, gate_open), SNAP_GATE, 1, 0, true, true, 2 },
    { "a truth that is not known has no instance", offsetof(struct engine_row, gate_open), SNAP_GATE, 1, MIB_NONE, true, false, 0 },
    { "the role is there though its source is away", offsetof(struct engine_row, role), SNAP_ENGINE, 2, 0, false, true, 0 },
    { "the epoch is not", offsetof(struct engine_row, epoch), SNAP_ENGINE, 4, 7, false, false, 0 },
};
/* clang-format on */

START_TEST(value)
{
    static const uint32_t index[] = { 1, 'a' };
    uint32_t oid[MIB_OID_MAX];
    const struct mib_table *t = &snapshot_tables[values[_i].table];
    struct mib_value v;
    struct engine_row *row;
    enum mib_found found;

    snapshot_clear(&snap);
    row = snapshot_named(&snap, SNAP_ENGINE, "a");
    row->row.known = values[_i].known;
    memcpy((char *)row + values[_i].offset, &values[_i].set, sizeof values[_i].set);
    memcpy(oid, t->path, t->npath * sizeof *oid);
    oid[t->npath] = values[_i].arc;
    memcpy(oid + t->npath + 1, index, sizeof index);
    found = mib_get(snapshot_tables, SNAP_NTABLES, &snap, oid, t->npath + 3, &v);
    ck_assert_msg(found == (values[_i].present ? MIB_FOUND : MIB_NO_INSTANCE), "%s",
        values[_i].claim);
    if (found == MIB_FOUND)
        ck_assert_msg(v.number == values[_i].value, "%s", values[_i].claim);
}
END_TEST

START_TEST(lag_may_be_negative)
{
    static const uint32_t index[] = { 1, 'a', 1, 'b' };
    struct standby_row *row;
    struct mib_value v;

    snapshot_clear(&snap);
    row = snapshot_named2(&snap, SNAP_STANDBY, "a", "b");
    row->row.known = true;
    row->lag = -1;
    must_find("lag", SNAP_STANDBY, 4, index, 4, &v);
    ck_assert_int_eq(v.number, -1);
}
END_TEST

START_TEST(full_table_counts_what_it_drops)
{
    snapshot_clear(&snap);
    for (uint32_t i = 0; i < SNAP_EVENTS; i++)
        ck_assert_ptr_nonnull(snapshot_numbered(&snap, SNAP_EVENT, 1000 - i));
    ck_assert_ptr_null(snapshot_numbered(&snap, SNAP_EVENT, 1));
    ck_assert_ptr_nonnull(snapshot_numbered(&snap, SNAP_EVENT, 1000));
    ck_assert_uint_eq(snap.rows_dropped, 1);
    ck_assert_uint_eq(snap.events.n, SNAP_EVENTS);
}
END_TEST

/* clang-format off */
static const struct {
    int64_t ms;
    uint32_t size;
    uint8_t octets[11];
} dates[] = {
    { 0, 8, { 0 } },
    { -5, 8, { 0 } },
    { INT64_C(1), 11, { 0x07, 0xb2, 1, 1, 0, 0, 0, 0, '+' } },
    { INT64_C(951782400000), 11, { 0x07, 0xd0, 2, 29, 0, 0, 0, 0, '+' } },
    { INT64_C(1795422000500), 11, { 0x07, 0xea, 11, 23, 8, 20, 0, 5, '+' } },
    { INT64_C(4107542399900), 11, { 0x08, 0x34, 2, 28, 23, 59, 59, 9, '+' } },
};
/* clang-format on */

START_TEST(date)
{
    uint8_t out[11];

    ck_assert_uint_eq(mib_date(dates[_i].ms, out), dates[_i].size);
    ck_assert_mem_eq(out, dates[_i].octets, sizeof out);
}
END_TEST

START_TEST(text_is_cut_between_characters)
{
    char out[4];

    snapshot_text(out, sizeof out, "ab\xc3\xa9");
    ck_assert_str_eq(out, "ab");
    snapshot_text(out, sizeof out, "abc");
    ck_assert_str_eq(out, "abc");
    snapshot_text(out, sizeof out, NULL);
    ck_assert_str_eq(out, "");
}
END_TEST

int
main(void)
{
    TCase *tc = tcase_create("mib");

    tcase_add_loop_test(tc, walk_is_strictly_increasing, 0, 100);
    tcase_add_loop_test(tc, walk_increases_while_rows_come_and_go, 0, 100);
    tcase_add_loop_test(tc, next_misses_nothing, 0, 100);
    tcase_add_test(tc, tables_are_in_order);
    tcase_add_test(tc, addresses_are_indexes);
    tcase_add_test(tc, shared_rows_are_not_made_here);
    tcase_add_test(tc, blank_rows_have_no_numbers);
    ADD_ROWS(tc, value, values);
    tcase_add_test(tc, lag_may_be_negative);
    tcase_add_test(tc, full_table_counts_what_it_drops);
    ADD_ROWS(tc, date, dates);
    tcase_add_test(tc, text_is_cut_between_characters);
    return suite_run("agent-mib", tc, NULL);
}
