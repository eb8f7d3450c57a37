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
#define SNAP_REQUESTS 64 /* orders given by row */
#define SNAP_NEWEST 64   /* newest events, newest first */
#define SNAP_CONNECTIONS 16384

struct node_row {
    struct mib_row row;
    char name[SNAP_NAME], version[SNAP_WORD], health_reason[SNAP_TEXT];
    char digest[SNAP_WORD];                           /* polled_digest() */
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

struct engine_row { /* of the tables of engines, gates, checkpoints, streams, logs */
    struct mib_row row;
    char last_error[SNAP_TEXT];
    int64_t role, state, epoch, policy, pid, connections, is_protected;
    int64_t last_blackout_ms, discontinuity_us, load;
    int64_t gate_open, held, queued, released, dropped;
    int64_t passed_in, passed_out, fenced_in, fenced_out;
    int64_t held_in, delivered, dropped_in;
    int64_t lease_held, lease_remaining_ms, lease_refreshed, lease_lost;
    int64_t count, last_pause_us, max_pause_us, last_bytes, last_pages;
    int64_t interval_ms, spacing_ms, age_ms, stable;
    int64_t sent_bytes, received_bytes, forged, malformed, stale;
    int64_t log_position, log_stable, log_bytes, log_kept, log_half_open, log_evicted;
    int64_t log_lost, log_unlogged, log_overrun, log_datagrams, log_repairs,
        log_duplicates;
    int64_t log_out_of_window, log_refused, log_forged, log_replayed, log_old_epoch;
    int64_t log_malformed;
};

struct replay_row {
    struct mib_row row;
    int64_t epoch, duration_us, injected, synthetic, rebuilt, half_open, unmade;
    int64_t swallowed, compared, diverged, stalled, datagrams, insisted;
    char reason[SNAP_TEXT];
};

struct divergence_row {
    struct mib_row row;
    int64_t sequence, policy, epoch;
    char local[SNAP_WORD], remote[SNAP_WORD], reason[SNAP_TEXT];
};

struct clone_row {
    struct mib_row row;
    int64_t checkpoint, age_ms, size_kib;
    char from[SNAP_NAME];
};

struct standby_row { /* of an engine, or of the cluster */
    struct mib_row row;
    int64_t state, in_set, acked, lag, log;
    char reason[SNAP_TEXT]; /* of the cluster: why it is not ready */
};

struct refusal_row {
    struct mib_row row;
    char process[SNAP_TEXT], what[SNAP_TEXT], cure[SNAP_TEXT];
    int64_t fd;
};

struct cluster_row {
    struct mib_row row;
    char name[SNAP_NAME], planner[SNAP_NAME], plan[SNAP_TEXT], fencing[SNAP_WORD];
    char device[SNAP_WORD];
    char automatic_reason[SNAP_TEXT];
    char journal_error[SNAP_TEXT];
    int64_t state, age_ms, quorate, online, offline, is_protected, unprotected;
    int64_t maintenance, frozen, automatic, device_votes;
};

struct member_row {
    struct mib_row row;
    char name[SNAP_NAME], reason[SNAP_TEXT];
    int64_t state, health, answers, age_ms, maintenance, frozen, drain, fenced;
    int64_t score, load, services;
};

struct service_row {
    struct mib_row row;
    char name[SNAP_NAME], active[SNAP_NAME], reason[SNAP_TEXT], addresses[SNAP_TEXT];
    char set[SNAP_TEXT], step[SNAP_TEXT], last_error[SNAP_TEXT];
    char preferred[SNAP_NAME], failback[SNAP_WORD], health_reason[SNAP_TEXT];
    char why[SNAP_WORD];
    char next[SNAP_NAME], next_why[SNAP_TEXT];
    char differs[SNAP_TEXT]; /* no column: see struct build_set_row */
    int64_t state, policy, epoch, connections, last_blackout_ms, last_pause_us, order;
    int64_t maintenance, frozen, interval_ms, health, load, failback_delay, balance;
    int64_t fail_limit, hold_off;
};

struct event_row {
    struct mib_row row;
    int64_t time_ms, epoch, severity, ack_ms;
    char ack_owner[SNAP_WORD];
    char node[SNAP_NAME], service[SNAP_NAME], kind[SNAP_WORD], text[SNAP_TEXT];
};

struct desk_row { /* the scalars by which orders are given */
    struct mib_row row;
    int64_t lock, kind, outcome, number;
    char service[SNAP_NAME], node[SNAP_NAME], value[SNAP_WORD], reason[SNAP_TEXT];
};

struct order_row {
    struct mib_row row;
    int64_t kind, state, started_ms, finished_ms;
    char service[SNAP_NAME], node[SNAP_NAME], owner[SNAP_WORD], text[SNAP_TEXT];
    char value[SNAP_WORD], why[SNAP_WORD], from[SNAP_WORD];
};

struct resource_row {
    struct mib_row row;
    char hardware_last[SNAP_TEXT];
    int64_t cpu_busy, cpu_user, cpu_system, cpu_iowait, cpu_steal, swap_total,
        swap_free, pressure_cpu, pressure_memory, pressure_memory_full, pressure_io,
        pressure_io_full, clock_state, clock_offset, clock_max_error,
        sockets_established, sockets_listening, sockets_time_wait, sockets_other,
        socket_memory, hardware_errors;
};

struct disk_row {
    struct mib_row row;
    char path[SNAP_TEXT], device[SNAP_TEXT], type[SNAP_WORD];
    int64_t total, free, inodes, inodes_free, read_only, errors, health;
};

struct sensor_row {
    struct mib_row row;
    char chip[SNAP_WORD], label[SNAP_WORD];
    int64_t type, value, limit, health;
};

struct driver_row {
    struct mib_row row;
    char text[SNAP_TEXT];
    int64_t state, health, period, timeout, age, duration, runs, failures, timeouts;
};

struct probe_row {
    struct mib_row row;
    char service[SNAP_NAME], output[SNAP_TEXT];
    int64_t place, state, health, age, duration, period, timeout, runs, failures,
        timeouts;
};

struct probe_data_row {
    struct mib_row row;
    char label[SNAP_WORD], value[SNAP_WORD], unit[SNAP_WORD], warning[SNAP_WORD],
        critical[SNAP_WORD], minimum[SNAP_WORD], maximum[SNAP_WORD];
};

struct process_row {
    struct mib_row row;
    char command[SNAP_WORD], state[SNAP_WORD];
    int64_t threads, resident, cpu_time, cpu_load, descriptors, descriptor_limit;
};

struct link_row {
    struct mib_row row;
    char address[SNAP_WORD], master[SNAP_NAME], use[SNAP_WORD];
    int64_t number, enabled, state, speed, mtu, in_octets, out_octets, in_errors,
        out_errors, in_drops, out_drops, changes, last_change;
};

struct build_row {
    struct mib_row row;
    char file[SNAP_TEXT], identity[SNAP_WORD];
};

struct build_set_row {
    struct mib_row row;
    char digest[SNAP_WORD], differs[SNAP_TEXT];
    int64_t files;
};

struct connection_row {
    struct mib_row row;
    int64_t state, in_octets, out_octets, age, idle, unread, unsent, round_trip,
        retransmits;
    int64_t first_us; /* no column: when it was first seen here */
};

struct phase_row {
    struct mib_row row;
    char name[SNAP_WORD];
    int64_t duration, epoch;
};

struct request_row {
    struct mib_row row;
    char service[SNAP_NAME], node[SNAP_NAME], value[SNAP_WORD], reason[SNAP_TEXT];
    int64_t kind, result, order, time, storage, status;
};

struct step_row {
    struct mib_row row;
    char name[SNAP_WORD], text[SNAP_TEXT];
    int64_t started, duration, state, epoch;
};

struct latest_row {
    struct mib_row row;
    char node[SNAP_NAME], service[SNAP_NAME], kind[SNAP_WORD], text[SNAP_TEXT];
    int64_t serial, time, severity, acknowledged;
};

struct constraint_row {
    struct mib_row row;
    char target[SNAP_NAME];
    int64_t kind, met;
};

struct fail_row {
    struct mib_row row;
    int64_t count, held;
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
    SNAP_LIST(resource_row, 1) resources;
    SNAP_LIST(disk_row, 32) disks;
    SNAP_LIST(sensor_row, 128) sensors;
    SNAP_LIST(driver_row, 32) drivers;
    SNAP_LIST(probe_row, 64) probes;
    SNAP_LIST(probe_data_row, 256) probe_data;
    SNAP_LIST(process_row, 512) processes;
    SNAP_LIST(link_row, 128) links;
    SNAP_LIST(build_row, 1024) builds;
    SNAP_LIST(build_set_row, SNAP_SERVICES) build_sets;
    struct {
        uint32_t n;
        const struct mib_row *const *v; /* of connection_row; shared by snapshots */
    } connections;
    SNAP_LIST(phase_row, SNAP_SERVICES * 16) phases;
    SNAP_LIST(replay_row, SNAP_SERVICES) replays;
    SNAP_LIST(divergence_row, 256) divergences;
    SNAP_LIST(request_row, SNAP_REQUESTS) requests;
    SNAP_LIST(step_row, SNAP_SERVICES * 16) steps;
    SNAP_LIST(latest_row, SNAP_NEWEST) latest;
    SNAP_LIST(constraint_row, 256) constraints;
    SNAP_LIST(fail_row, 256) fails;
};

enum snapshot_table { /* in the order of their identifiers */
    SNAP_NODE_SCALARS,
    SNAP_PROGRAM,
    SNAP_INTERFACE,
    SNAP_NOTIFY,
    SNAP_RESOURCE,
    SNAP_DISK,
    SNAP_SENSOR,
    SNAP_DRIVER,
    SNAP_PROBE,
    SNAP_PROBE_DATA,
    SNAP_PROCESS,
    SNAP_LINK,
    SNAP_BUILD,
    SNAP_BUILD_SET,
    SNAP_SOCKMIG,
    SNAP_ENGINE,
    SNAP_GATE,
    SNAP_CHECKPOINT,
    SNAP_CLONE,
    SNAP_STREAM,
    SNAP_ENGINE_STANDBY,
    SNAP_REFUSAL,
    SNAP_CONNECTION,
    SNAP_PHASE,
    SNAP_LOG,
    SNAP_REPLAY,
    SNAP_DIVERGENCE,
    SNAP_CLUSTER,
    SNAP_MEMBER,
    SNAP_SERVICE,
    SNAP_STANDBY,
    SNAP_EVENT,
    SNAP_DESK,
    SNAP_ORDER,
    SNAP_REQUEST,
    SNAP_STEP,
    SNAP_LATEST,
    SNAP_CONSTRAINT,
    SNAP_FAIL,
    SNAP_NTABLES
};

extern const struct mib_table snapshot_tables[SNAP_NTABLES];

void snapshot_clear(struct snapshot *s); /* no rows */

/* snapshot_row - the row of @table with this index, made (zero, not known) if it is
 * not there.  NULL: no room; counted in .rows_dropped. */
void *snapshot_row(
    struct snapshot *s, enum snapshot_table table, const uint32_t *index, uint32_t n);

/* snapshot_blank - as snapshot_row(), but known, and no number has a value yet. */
void *snapshot_blank(
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
