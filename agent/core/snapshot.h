/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * snapshot.h - everything that the agent serves at one moment, as plain sorted rows.
 *
 * The shell fills a snapshot and shows it; from then on nobody changes it, until the
 * next one takes its place.  Numbers that are not known are MIB_NONE.  The columns of
 * the tables are in snapshot.c, the texts in mib/.  Pure. */
#ifndef BSC_AGENT_SNAPSHOT_H
#define BSC_AGENT_SNAPSHOT_H

#include "agent/core/mib.h"
#include "agent/core/words.h"

#define SNAP_NAME 32  /* a BasculeName with its NUL */
#define SNAP_WORD 64  /* a short text */
#define SNAP_TEXT 256 /* an SnmpAdminString with its NUL */
#define SNAP_SERVICES 64
#define SNAP_NODES 16
#define SNAP_EVENTS 256
#define SNAP_ORDERS 256

struct node_row {
    struct mib_row row;
    char name[SNAP_NAME], version[SNAP_WORD], health_reason[SNAP_TEXT];
    int64_t health, load1, load5, load15, processors; /* loads: hundredths */
    int64_t memory_total, memory_available, disk_total, disk_free; /* MiB */
    int64_t rows_dropped;
};

struct program_row {
    struct mib_row row;
    int64_t state, age_ms;
};

struct interface_row {
    struct mib_row row;
    int64_t state, services;
};

struct notify_row {
    struct mib_row row;
    int64_t enable, sent, dropped;
};

struct sockmig_row {
    struct mib_row row;
    int64_t state, age_ms;
};

struct engine_row { /* of the tables of engines, gates, checkpoints and streams */
    struct mib_row row;
    char last_error[SNAP_TEXT];
    int64_t role, state, epoch, policy, pid, connections, is_protected;
    int64_t last_blackout_ms, discontinuity_us;
    int64_t gate_open, held, queued, released, dropped;
    int64_t passed_in, passed_out, fenced_in, fenced_out;
    int64_t lease_held, lease_remaining_ms, lease_refreshed, lease_lost;
    int64_t count, last_pause_us, max_pause_us, last_bytes, last_pages;
    int64_t interval_ms, spacing_ms, age_ms, stable;
    int64_t sent_bytes, received_bytes, forged, malformed;
};

struct clone_row {
    struct mib_row row;
    int64_t checkpoint, age_ms, size_kib;
    char from[SNAP_NAME];
};

struct standby_row { /* of an engine, or of the cluster */
    struct mib_row row;
    int64_t state, in_set, acked, lag;
};

struct refusal_row {
    struct mib_row row;
    char process[SNAP_TEXT], what[SNAP_TEXT], cure[SNAP_TEXT];
    int64_t fd;
};

struct cluster_row {
    struct mib_row row;
    char name[SNAP_NAME];
    int64_t state, age_ms, quorate, online, offline, is_protected, unprotected;
};

struct member_row {
    struct mib_row row;
    char name[SNAP_NAME], reason[SNAP_TEXT];
    int64_t state, health, answers, age_ms;
};

struct service_row {
    struct mib_row row;
    char name[SNAP_NAME], active[SNAP_NAME], reason[SNAP_TEXT], addresses[SNAP_TEXT];
    char set[SNAP_TEXT], step[SNAP_TEXT], last_error[SNAP_TEXT];
    int64_t state, policy, epoch, connections, last_blackout_ms, last_pause_us, order;
};

struct event_row {
    struct mib_row row;
    int64_t time_ms, epoch, severity;
    char node[SNAP_NAME], service[SNAP_NAME], kind[SNAP_WORD], text[SNAP_TEXT];
};

struct desk_row { /* the scalars by which orders are given */
    struct mib_row row;
    int64_t lock, kind, outcome, number;
    char service[SNAP_NAME], node[SNAP_NAME], reason[SNAP_TEXT];
};

struct order_row {
    struct mib_row row;
    int64_t kind, state, started_ms, finished_ms;
    char service[SNAP_NAME], node[SNAP_NAME], owner[SNAP_WORD], text[SNAP_TEXT];
};

#define SNAP_LIST(type, max)                                                           \
    struct {                                                                           \
        uint32_t n;                                                                    \
        struct type v[max];                                                            \
    }

struct snapshot {
    uint32_t rows_dropped; /* that did not fit, by snapshot_row() */
    SNAP_LIST(node_row, 1) node;
    SNAP_LIST(program_row, 4) programs;
    SNAP_LIST(interface_row, SNAP_SERVICES) interfaces;
    SNAP_LIST(notify_row, 1) notify;
    SNAP_LIST(sockmig_row, 1) sockmig;
    SNAP_LIST(engine_row, SNAP_SERVICES) engines;
    SNAP_LIST(clone_row, SNAP_SERVICES) clones;
    SNAP_LIST(standby_row, SNAP_SERVICES *SNAP_NODES) engine_standbys;
    SNAP_LIST(refusal_row, 512) refusals;
    SNAP_LIST(cluster_row, 1) cluster;
    SNAP_LIST(member_row, SNAP_NODES) members;
    SNAP_LIST(service_row, SNAP_SERVICES) services;
    SNAP_LIST(standby_row, SNAP_SERVICES *SNAP_NODES) standbys;
    SNAP_LIST(event_row, SNAP_EVENTS) events;
    SNAP_LIST(desk_row, 1) desk;
    SNAP_LIST(order_row, SNAP_ORDERS) orders;
};

enum snapshot_table { /* in the order of their identifiers */
    SNAP_NODE_SCALARS,
    SNAP_PROGRAM,
    SNAP_INTERFACE,
    SNAP_NOTIFY,
    SNAP_SOCKMIG,
    SNAP_ENGINE,
    SNAP_GATE,
    SNAP_CHECKPOINT,
    SNAP_CLONE,
    SNAP_STREAM,
    SNAP_ENGINE_STANDBY,
    SNAP_REFUSAL,
    SNAP_CLUSTER,
    SNAP_MEMBER,
    SNAP_SERVICE,
    SNAP_STANDBY,
    SNAP_EVENT,
    SNAP_DESK,
    SNAP_ORDER,
    SNAP_NTABLES
};

extern const struct mib_table snapshot_tables[SNAP_NTABLES];

void snapshot_clear(struct snapshot *s); /* no rows */

/* snapshot_row - the row of @table with this index, made (zero, not known) if it is
 * not there.  NULL: no room; counted in .rows_dropped. */
void *snapshot_row(
    struct snapshot *s, enum snapshot_table table, const uint32_t *index, uint32_t n);

/* The same for the usual indexes: a name, two names, a number. */
void *snapshot_named(struct snapshot *s, enum snapshot_table table, const char *name);
void *snapshot_named2(
    struct snapshot *s, enum snapshot_table table, const char *name, const char *name2);
void *snapshot_numbered(struct snapshot *s, enum snapshot_table table, uint32_t number);

/* snapshot_text - copy @text cut to @size, never within a UTF-8 character.  NULL is
 * the empty text. */
void snapshot_text(char *out, size_t size, const char *text);

#endif
