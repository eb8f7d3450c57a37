/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/core/snapshot.h"

#include <string.h>

/* clang-format off */
#define AT(type, field) offsetof(struct type, field)
#define COLUMNS(name) static const struct mib_column name[]

COLUMNS(node_columns) = {
    {  1, MIB_TEXT,     MIB_ALWAYS, AT(node_row, name) },
    {  2, MIB_TEXT,     MIB_ALWAYS, AT(node_row, version) },
    {  3, MIB_INTEGER,  MIB_ALWAYS, AT(node_row, health) },
    {  4, MIB_TEXT,     MIB_ALWAYS, AT(node_row, health_reason) },
    {  5, MIB_UNSIGNED, 0, AT(node_row, load1) },
    {  6, MIB_UNSIGNED, 0, AT(node_row, load5) },
    {  7, MIB_UNSIGNED, 0, AT(node_row, load15) },
    {  8, MIB_UNSIGNED, 0, AT(node_row, processors) },
    {  9, MIB_UNSIGNED, 0, AT(node_row, memory_total) },
    { 10, MIB_UNSIGNED, 0, AT(node_row, memory_available) },
    { 11, MIB_UNSIGNED, 0, AT(node_row, disk_total) },
    { 12, MIB_UNSIGNED, 0, AT(node_row, disk_free) },
    { 13, MIB_UNSIGNED, 0, AT(node_row, rows_dropped) },
};
COLUMNS(program_columns) = {
    { 2, MIB_INTEGER,  MIB_ALWAYS, AT(program_row, state) },
    { 3, MIB_UNSIGNED, 0, AT(program_row, age_ms) },
};
COLUMNS(interface_columns) = {
    { 2, MIB_INTEGER,  MIB_ALWAYS, AT(interface_row, state) },
    { 3, MIB_UNSIGNED, 0, AT(interface_row, services) },
};
COLUMNS(notify_columns) = {
    { 1, MIB_TRUTH,     MIB_WRITABLE, AT(notify_row, enable) },
    { 2, MIB_COUNTER32, 0, AT(notify_row, sent) },
    { 3, MIB_COUNTER32, 0, AT(notify_row, dropped) },
};
COLUMNS(sockmig_columns) = {
    { 1, MIB_INTEGER,  MIB_ALWAYS, AT(sockmig_row, state) },
    { 2, MIB_UNSIGNED, 0, AT(sockmig_row, age_ms) },
};
COLUMNS(engine_columns) = {
    {  2, MIB_INTEGER,  MIB_ALWAYS, AT(engine_row, role) },
    {  3, MIB_INTEGER,  MIB_ALWAYS, AT(engine_row, state) },
    {  4, MIB_UNSIGNED, 0, AT(engine_row, epoch) },
    {  5, MIB_INTEGER,  0, AT(engine_row, policy) },
    {  6, MIB_UNSIGNED, 0, AT(engine_row, pid) },
    {  7, MIB_UNSIGNED, 0, AT(engine_row, connections) },
    {  8, MIB_TRUTH,    0, AT(engine_row, is_protected) },
    {  9, MIB_TEXT,     0, AT(engine_row, last_error) },
    { 10, MIB_UNSIGNED, 0, AT(engine_row, last_blackout_ms) },
    { 11, MIB_STAMP,    0, AT(engine_row, discontinuity_us) },
};
COLUMNS(gate_columns) = {
    {  1, MIB_TRUTH,     0, AT(engine_row, gate_open) },
    {  2, MIB_UNSIGNED,  0, AT(engine_row, held) },
    {  3, MIB_COUNTER64, 0, AT(engine_row, queued) },
    {  4, MIB_COUNTER64, 0, AT(engine_row, released) },
    {  5, MIB_COUNTER64, 0, AT(engine_row, dropped) },
    {  6, MIB_COUNTER64, 0, AT(engine_row, passed_in) },
    {  7, MIB_COUNTER64, 0, AT(engine_row, passed_out) },
    {  8, MIB_COUNTER64, 0, AT(engine_row, fenced_in) },
    {  9, MIB_COUNTER64, 0, AT(engine_row, fenced_out) },
    { 10, MIB_TRUTH,     0, AT(engine_row, lease_held) },
    { 11, MIB_UNSIGNED,  0, AT(engine_row, lease_remaining_ms) },
    { 12, MIB_COUNTER64, 0, AT(engine_row, lease_refreshed) },
    { 13, MIB_COUNTER64, 0, AT(engine_row, lease_lost) },
};
COLUMNS(checkpoint_columns) = {
    { 1, MIB_COUNTER64, 0, AT(engine_row, count) },
    { 2, MIB_UNSIGNED,  0, AT(engine_row, last_pause_us) },
    { 3, MIB_UNSIGNED,  0, AT(engine_row, max_pause_us) },
    { 4, MIB_UNSIGNED,  0, AT(engine_row, last_bytes) },
    { 5, MIB_UNSIGNED,  0, AT(engine_row, last_pages) },
    { 6, MIB_UNSIGNED,  0, AT(engine_row, interval_ms) },
    { 7, MIB_UNSIGNED,  0, AT(engine_row, spacing_ms) },
    { 8, MIB_UNSIGNED,  0, AT(engine_row, age_ms) },
    { 9, MIB_COUNTER64, 0, AT(engine_row, stable) },
};
COLUMNS(clone_columns) = {
    { 1, MIB_COUNTER64, 0, AT(clone_row, checkpoint) },
    { 2, MIB_UNSIGNED,  0, AT(clone_row, age_ms) },
    { 3, MIB_UNSIGNED,  0, AT(clone_row, size_kib) },
    { 4, MIB_TEXT,      0, AT(clone_row, from) },
};
COLUMNS(stream_columns) = {
    { 1, MIB_COUNTER64, 0, AT(engine_row, sent_bytes) },
    { 2, MIB_COUNTER64, 0, AT(engine_row, received_bytes) },
    { 3, MIB_COUNTER64, 0, AT(engine_row, forged) },
    { 4, MIB_COUNTER64, 0, AT(engine_row, malformed) },
};
COLUMNS(engine_standby_columns) = {
    { 2, MIB_INTEGER,   0, AT(standby_row, state) },
    { 3, MIB_TRUTH,     0, AT(standby_row, in_set) },
    { 4, MIB_COUNTER64, 0, AT(standby_row, acked) },
    { 5, MIB_INTEGER,   0, AT(standby_row, lag) },
};
COLUMNS(refusal_columns) = {
    { 2, MIB_TEXT,    0, AT(refusal_row, process) },
    { 3, MIB_INTEGER, 0, AT(refusal_row, fd) },
    { 4, MIB_TEXT,    0, AT(refusal_row, what) },
    { 5, MIB_TEXT,    0, AT(refusal_row, cure) },
};
COLUMNS(cluster_columns) = {
    { 1, MIB_TEXT,     MIB_ALWAYS, AT(cluster_row, name) },
    { 2, MIB_INTEGER,  MIB_ALWAYS, AT(cluster_row, state) },
    { 3, MIB_UNSIGNED, 0, AT(cluster_row, age_ms) },
    { 4, MIB_TRUTH,    0, AT(cluster_row, quorate) },
    { 5, MIB_UNSIGNED, 0, AT(cluster_row, online) },
    { 6, MIB_UNSIGNED, 0, AT(cluster_row, offline) },
    { 7, MIB_UNSIGNED, 0, AT(cluster_row, is_protected) },
    { 8, MIB_UNSIGNED, 0, AT(cluster_row, unprotected) },
};
COLUMNS(member_columns) = {
    { 2, MIB_TEXT,     MIB_ALWAYS, AT(member_row, name) },
    { 3, MIB_INTEGER,  MIB_ALWAYS, AT(member_row, state) },
    { 4, MIB_INTEGER,  MIB_ALWAYS, AT(member_row, health) },
    { 5, MIB_TEXT,     0, AT(member_row, reason) },
    { 6, MIB_TRUTH,    0, AT(member_row, answers) },
    { 7, MIB_UNSIGNED, 0, AT(member_row, age_ms) },
};
COLUMNS(service_columns) = {
    {  2, MIB_INTEGER,  MIB_ALWAYS, AT(service_row, state) },
    {  3, MIB_INTEGER,  0, AT(service_row, policy) },
    {  4, MIB_UNSIGNED, 0, AT(service_row, epoch) },
    {  5, MIB_TEXT,     0, AT(service_row, active) },
    {  6, MIB_UNSIGNED, 0, AT(service_row, connections) },
    {  7, MIB_UNSIGNED, 0, AT(service_row, last_blackout_ms) },
    {  8, MIB_UNSIGNED, 0, AT(service_row, last_pause_us) },
    {  9, MIB_TEXT,     0, AT(service_row, reason) },
    { 10, MIB_TEXT,     0, AT(service_row, addresses) },
    { 11, MIB_TEXT,     0, AT(service_row, set) },
    { 12, MIB_UNSIGNED, 0, AT(service_row, order) },
    { 13, MIB_TEXT,     0, AT(service_row, step) },
    { 14, MIB_TEXT,     0, AT(service_row, last_error) },
};
COLUMNS(standby_columns) = {
    { 2, MIB_INTEGER, 0, AT(standby_row, state) },
    { 3, MIB_TRUTH,   0, AT(standby_row, in_set) },
    { 4, MIB_INTEGER, 0, AT(standby_row, lag) },
};
COLUMNS(event_columns) = {
    { 2, MIB_DATE,     0, AT(event_row, time_ms) },
    { 3, MIB_TEXT,     0, AT(event_row, node) },
    { 4, MIB_TEXT,     0, AT(event_row, service) },
    { 5, MIB_UNSIGNED, 0, AT(event_row, epoch) },
    { 6, MIB_INTEGER,  0, AT(event_row, severity) },
    { 7, MIB_TEXT,     0, AT(event_row, kind) },
    { 8, MIB_TEXT,     0, AT(event_row, text) },
};
COLUMNS(desk_columns) = {
    { 1, MIB_INTEGER,  MIB_WRITABLE, AT(desk_row, lock) },
    { 2, MIB_INTEGER,  MIB_WRITABLE, AT(desk_row, kind) },
    { 3, MIB_TEXT,     MIB_WRITABLE, AT(desk_row, service) },
    { 4, MIB_TEXT,     MIB_WRITABLE, AT(desk_row, node) },
    { 5, MIB_INTEGER,  0, AT(desk_row, outcome) },
    { 6, MIB_UNSIGNED, 0, AT(desk_row, number) },
    { 7, MIB_TEXT,     0, AT(desk_row, reason) },
};
COLUMNS(order_columns) = {
    { 2, MIB_INTEGER, 0, AT(order_row, kind) },
    { 3, MIB_TEXT,    0, AT(order_row, service) },
    { 4, MIB_TEXT,    0, AT(order_row, node) },
    { 5, MIB_TEXT,    0, AT(order_row, owner) },
    { 6, MIB_INTEGER, 0, AT(order_row, state) },
    { 7, MIB_DATE,    0, AT(order_row, started_ms) },
    { 8, MIB_DATE,    0, AT(order_row, finished_ms) },
    { 9, MIB_TEXT,    0, AT(order_row, text) },
};

/* A path is module, 1 (its objects), group; a table has one arc more, its entry. */
#define ROWS(cols, list)                                                               \
    .columns = cols, .ncolumns = sizeof cols / sizeof cols[0],                         \
    .count = offsetof(struct snapshot, list.n), .rows = offsetof(struct snapshot, list.v), \
    .size = sizeof ((struct snapshot *)0)->list.v[0],                                  \
    .max = sizeof ((struct snapshot *)0)->list.v / sizeof ((struct snapshot *)0)->list.v[0]
#define SCALARS(module, group, cols, list)                                             \
    { .path = { 1, module, 1, group }, .npath = 4, ROWS(cols, list) }
#define TABLE(module, group, cols, list)                                               \
    { .path = { 1, module, 1, group, 1 }, .npath = 5, ROWS(cols, list) }

const struct mib_table snapshot_tables[SNAP_NTABLES] = {
    [SNAP_NODE_SCALARS] = SCALARS(2, 1, node_columns, node),
    [SNAP_PROGRAM] = TABLE(2, 2, program_columns, programs),
    [SNAP_INTERFACE] = TABLE(2, 3, interface_columns, interfaces),
    [SNAP_NOTIFY] = SCALARS(2, 4, notify_columns, notify),
    [SNAP_SOCKMIG] = SCALARS(3, 1, sockmig_columns, sockmig),
    [SNAP_ENGINE] = TABLE(3, 2, engine_columns, engines),
    [SNAP_GATE] = TABLE(3, 3, gate_columns, engines),
    [SNAP_CHECKPOINT] = TABLE(3, 4, checkpoint_columns, engines),
    [SNAP_CLONE] = TABLE(3, 5, clone_columns, clones),
    [SNAP_STREAM] = TABLE(3, 6, stream_columns, engines),
    [SNAP_ENGINE_STANDBY] = TABLE(3, 7, engine_standby_columns, engine_standbys),
    [SNAP_REFUSAL] = TABLE(3, 8, refusal_columns, refusals),
    [SNAP_CLUSTER] = SCALARS(4, 1, cluster_columns, cluster),
    [SNAP_MEMBER] = TABLE(4, 2, member_columns, members),
    [SNAP_SERVICE] = TABLE(4, 3, service_columns, services),
    [SNAP_STANDBY] = TABLE(4, 4, standby_columns, standbys),
    [SNAP_EVENT] = TABLE(4, 5, event_columns, events),
    [SNAP_DESK] = SCALARS(4, 6, desk_columns, desk),
    [SNAP_ORDER] = TABLE(4, 7, order_columns, orders),
};
/* clang-format on */

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
