/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * columns.c - the columns of every table that is served, and where their values are. */
#include "agent/core/snapshot.h"

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
    { 14, MIB_TEXT,     0, AT(node_row, digest) },
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
    { 12, MIB_UNSIGNED, 0, AT(engine_row, load) },
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
    { 14, MIB_UNSIGNED,  0, AT(engine_row, held_in) },
    { 15, MIB_COUNTER64, 0, AT(engine_row, delivered) },
    { 16, MIB_COUNTER64, 0, AT(engine_row, dropped_in) },
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
    { 5, MIB_COUNTER64, 0, AT(engine_row, stale) },
};
COLUMNS(engine_standby_columns) = {
    { 2, MIB_INTEGER,   0, AT(standby_row, state) },
    { 3, MIB_TRUTH,     0, AT(standby_row, in_set) },
    { 4, MIB_COUNTER64, 0, AT(standby_row, acked) },
    { 5, MIB_INTEGER,   0, AT(standby_row, lag) },
    { 6, MIB_COUNTER64, 0, AT(standby_row, log) },
};
COLUMNS(log_columns) = {
    {  1, MIB_COUNTER64, 0, AT(engine_row, log_position) },
    {  2, MIB_COUNTER64, 0, AT(engine_row, log_stable) },
    {  3, MIB_UNSIGNED,  0, AT(engine_row, log_bytes) },
    {  4, MIB_UNSIGNED,  0, AT(engine_row, log_kept) },
    {  5, MIB_UNSIGNED,  0, AT(engine_row, log_half_open) },
    {  6, MIB_COUNTER64, 0, AT(engine_row, log_evicted) },
    {  7, MIB_COUNTER64, 0, AT(engine_row, log_lost) },
    {  8, MIB_COUNTER64, 0, AT(engine_row, log_unlogged) },
    {  9, MIB_COUNTER64, 0, AT(engine_row, log_datagrams) },
    { 10, MIB_COUNTER64, 0, AT(engine_row, log_repairs) },
    { 11, MIB_COUNTER64, 0, AT(engine_row, log_duplicates) },
    { 12, MIB_COUNTER64, 0, AT(engine_row, log_out_of_window) },
    { 13, MIB_COUNTER64, 0, AT(engine_row, log_refused) },
    { 14, MIB_COUNTER64, 0, AT(engine_row, log_forged) },
    { 15, MIB_COUNTER64, 0, AT(engine_row, log_replayed) },
    { 16, MIB_COUNTER64, 0, AT(engine_row, log_old_epoch) },
    { 17, MIB_COUNTER64, 0, AT(engine_row, log_malformed) },
    { 18, MIB_COUNTER64, 0, AT(engine_row, log_overrun) },
};
COLUMNS(replay_columns) = {
    {  1, MIB_UNSIGNED,  0, AT(replay_row, epoch) },
    {  2, MIB_UNSIGNED,  0, AT(replay_row, duration_us) },
    {  3, MIB_UNSIGNED,  0, AT(replay_row, injected) },
    {  4, MIB_UNSIGNED,  0, AT(replay_row, synthetic) },
    {  5, MIB_UNSIGNED,  0, AT(replay_row, rebuilt) },
    {  6, MIB_UNSIGNED,  0, AT(replay_row, half_open) },
    {  7, MIB_UNSIGNED,  0, AT(replay_row, unmade) },
    {  8, MIB_UNSIGNED,  0, AT(replay_row, swallowed) },
    {  9, MIB_COUNTER64, 0, AT(replay_row, compared) },
    { 10, MIB_UNSIGNED,  0, AT(replay_row, diverged) },
    { 11, MIB_UNSIGNED,  0, AT(replay_row, stalled) },
    { 12, MIB_TEXT,      0, AT(replay_row, reason) },
    { 13, MIB_UNSIGNED,  0, AT(replay_row, datagrams) },
    { 14, MIB_UNSIGNED,  0, AT(replay_row, insisted) },
};
COLUMNS(divergence_columns) = {
    {  2, MIB_TEXT,      0, AT(divergence_row, local) },
    {  3, MIB_TEXT,      0, AT(divergence_row, remote) },
    {  4, MIB_UNSIGNED,  0, AT(divergence_row, sequence) },
    {  5, MIB_TEXT,      0, AT(divergence_row, reason) },
    {  6, MIB_INTEGER,   0, AT(divergence_row, policy) },
    {  7, MIB_UNSIGNED,  0, AT(divergence_row, epoch) },
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
    { 9, MIB_TRUTH,    0, AT(cluster_row, maintenance) },
    { 10, MIB_TRUTH,   0, AT(cluster_row, frozen) },
    { 11, MIB_TEXT,    0, AT(cluster_row, planner) },
    { 12, MIB_TEXT,    0, AT(cluster_row, plan) },
    { 13, MIB_TEXT,    0, AT(cluster_row, fencing) },
    { 14, MIB_TRUTH,   0, AT(cluster_row, automatic) },
    { 15, MIB_TEXT,    0, AT(cluster_row, automatic_reason) },
    { 16, MIB_TEXT,    0, AT(cluster_row, journal_error) },
    { 17, MIB_TEXT,    0, AT(cluster_row, device) },
    { 18, MIB_TRUTH,   0, AT(cluster_row, device_votes) },
};
COLUMNS(member_columns) = {
    { 2, MIB_TEXT,     MIB_ALWAYS, AT(member_row, name) },
    { 3, MIB_INTEGER,  MIB_ALWAYS, AT(member_row, state) },
    { 4, MIB_INTEGER,  MIB_ALWAYS, AT(member_row, health) },
    { 5, MIB_TEXT,     0, AT(member_row, reason) },
    { 6, MIB_TRUTH,    0, AT(member_row, answers) },
    { 7, MIB_UNSIGNED, 0, AT(member_row, age_ms) },
    { 8, MIB_TRUTH, 0, AT(member_row, maintenance) },
    { 9, MIB_TRUTH, 0, AT(member_row, frozen) },
    { 10, MIB_INTEGER, 0, AT(member_row, drain) },
    { 11, MIB_INTEGER, 0, AT(member_row, fenced) },
    { 12, MIB_UNSIGNED, 0, AT(member_row, score) },
    { 13, MIB_UNSIGNED, 0, AT(member_row, load) },
    { 14, MIB_UNSIGNED, 0, AT(member_row, services) },
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
    { 15, MIB_TRUTH, 0, AT(service_row, maintenance) },
    { 16, MIB_TRUTH, 0, AT(service_row, frozen) },
    { 17, MIB_UNSIGNED, 0, AT(service_row, interval_ms) },
    { 18, MIB_INTEGER, 0, AT(service_row, health) },
    { 19, MIB_TEXT, 0, AT(service_row, health_reason) },
    { 20, MIB_UNSIGNED, 0, AT(service_row, load) },
    { 21, MIB_TEXT, 0, AT(service_row, preferred) },
    { 22, MIB_TEXT, 0, AT(service_row, failback) },
    { 23, MIB_UNSIGNED, 0, AT(service_row, failback_delay) },
    { 24, MIB_TRUTH, 0, AT(service_row, balance) },
    { 25, MIB_UNSIGNED, 0, AT(service_row, fail_limit) },
    { 26, MIB_UNSIGNED, 0, AT(service_row, hold_off) },
    { 27, MIB_TEXT, 0, AT(service_row, why) },
    { 28, MIB_TEXT, 0, AT(service_row, next) },
    { 29, MIB_TEXT, 0, AT(service_row, next_why) },
};
COLUMNS(standby_columns) = {
    { 2, MIB_INTEGER, 0, AT(standby_row, state) },
    { 3, MIB_TRUTH,   0, AT(standby_row, in_set) },
    { 4, MIB_INTEGER, 0, AT(standby_row, lag) },
    { 5, MIB_TEXT,    0, AT(standby_row, reason) },
};
COLUMNS(event_columns) = {
    { 2, MIB_DATE,     0, AT(event_row, time_ms) },
    { 3, MIB_TEXT,     0, AT(event_row, node) },
    { 4, MIB_TEXT,     0, AT(event_row, service) },
    { 5, MIB_UNSIGNED, 0, AT(event_row, epoch) },
    { 6, MIB_INTEGER,  0, AT(event_row, severity) },
    { 7, MIB_TEXT,     0, AT(event_row, kind) },
    { 8, MIB_TEXT,     0, AT(event_row, text) },
    { 9, MIB_DATE,     0, AT(event_row, ack_ms) },
    { 10, MIB_TEXT,    0, AT(event_row, ack_owner) },
};
COLUMNS(desk_columns) = {
    { 1, MIB_INTEGER,  MIB_WRITABLE, AT(desk_row, lock) },
    { 2, MIB_INTEGER,  MIB_WRITABLE, AT(desk_row, kind) },
    { 3, MIB_TEXT,     MIB_WRITABLE, AT(desk_row, service) },
    { 4, MIB_TEXT,     MIB_WRITABLE, AT(desk_row, node) },
    { 5, MIB_INTEGER,  0, AT(desk_row, outcome) },
    { 6, MIB_UNSIGNED, 0, AT(desk_row, number) },
    { 7, MIB_TEXT,     0, AT(desk_row, reason) },
    { 8, MIB_TEXT,     MIB_WRITABLE, AT(desk_row, value) },
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
    { 10, MIB_TEXT,   0, AT(order_row, value) },
    { 11, MIB_TEXT,   0, AT(order_row, why) },
    { 12, MIB_TEXT,   0, AT(order_row, from) },
};
COLUMNS(resource_columns) = {
    {  1, MIB_UNSIGNED,  0, AT(resource_row, cpu_busy) },
    {  2, MIB_UNSIGNED,  0, AT(resource_row, cpu_user) },
    {  3, MIB_UNSIGNED,  0, AT(resource_row, cpu_system) },
    {  4, MIB_UNSIGNED,  0, AT(resource_row, cpu_iowait) },
    {  5, MIB_UNSIGNED,  0, AT(resource_row, cpu_steal) },
    {  6, MIB_UNSIGNED,  0, AT(resource_row, swap_total) },
    {  7, MIB_UNSIGNED,  0, AT(resource_row, swap_free) },
    {  8, MIB_UNSIGNED,  0, AT(resource_row, pressure_cpu) },
    {  9, MIB_UNSIGNED,  0, AT(resource_row, pressure_memory) },
    { 10, MIB_UNSIGNED,  0, AT(resource_row, pressure_memory_full) },
    { 11, MIB_UNSIGNED,  0, AT(resource_row, pressure_io) },
    { 12, MIB_UNSIGNED,  0, AT(resource_row, pressure_io_full) },
    { 13, MIB_INTEGER,   0, AT(resource_row, clock_state) },
    { 14, MIB_INTEGER,   0, AT(resource_row, clock_offset) },
    { 15, MIB_UNSIGNED,  0, AT(resource_row, clock_max_error) },
    { 16, MIB_UNSIGNED,  0, AT(resource_row, sockets_established) },
    { 17, MIB_UNSIGNED,  0, AT(resource_row, sockets_listening) },
    { 18, MIB_UNSIGNED,  0, AT(resource_row, sockets_time_wait) },
    { 19, MIB_UNSIGNED,  0, AT(resource_row, sockets_other) },
    { 20, MIB_UNSIGNED,  0, AT(resource_row, socket_memory) },
    { 21, MIB_COUNTER32, 0, AT(resource_row, hardware_errors) },
    { 22, MIB_TEXT,      0, AT(resource_row, hardware_last) },
};
COLUMNS(disk_columns) = {
    {  2, MIB_TEXT,      0, AT(disk_row, path) },
    {  3, MIB_TEXT,      0, AT(disk_row, device) },
    {  4, MIB_TEXT,      0, AT(disk_row, type) },
    {  5, MIB_UNSIGNED,  0, AT(disk_row, total) },
    {  6, MIB_UNSIGNED,  0, AT(disk_row, free) },
    {  7, MIB_UNSIGNED,  0, AT(disk_row, inodes) },
    {  8, MIB_UNSIGNED,  0, AT(disk_row, inodes_free) },
    {  9, MIB_TRUTH,     0, AT(disk_row, read_only) },
    { 10, MIB_COUNTER32, 0, AT(disk_row, errors) },
    { 11, MIB_INTEGER,   MIB_ALWAYS, AT(disk_row, health) },
};
COLUMNS(sensor_columns) = {
    {  2, MIB_TEXT,      0, AT(sensor_row, chip) },
    {  3, MIB_TEXT,      0, AT(sensor_row, label) },
    {  4, MIB_INTEGER,   0, AT(sensor_row, type) },
    {  5, MIB_INTEGER,   0, AT(sensor_row, value) },
    {  6, MIB_INTEGER,   0, AT(sensor_row, limit) },
    {  7, MIB_INTEGER,   MIB_ALWAYS, AT(sensor_row, health) },
};
COLUMNS(driver_columns) = {
    {  2, MIB_INTEGER,   MIB_ALWAYS, AT(driver_row, state) },
    {  3, MIB_INTEGER,   MIB_ALWAYS, AT(driver_row, health) },
    {  4, MIB_TEXT,      0, AT(driver_row, text) },
    {  5, MIB_UNSIGNED,  0, AT(driver_row, period) },
    {  6, MIB_UNSIGNED,  0, AT(driver_row, timeout) },
    {  7, MIB_UNSIGNED,  0, AT(driver_row, age) },
    {  8, MIB_UNSIGNED,  0, AT(driver_row, duration) },
    {  9, MIB_COUNTER32, 0, AT(driver_row, runs) },
    { 10, MIB_COUNTER32, 0, AT(driver_row, failures) },
    { 11, MIB_COUNTER32, 0, AT(driver_row, timeouts) },
};
COLUMNS(probe_columns) = {
    {  2, MIB_TEXT,      MIB_ALWAYS, AT(probe_row, service) },
    {  3, MIB_INTEGER,   MIB_ALWAYS, AT(probe_row, place) },
    {  4, MIB_INTEGER,   MIB_ALWAYS, AT(probe_row, state) },
    {  5, MIB_INTEGER,   MIB_ALWAYS, AT(probe_row, health) },
    {  6, MIB_TEXT,      0, AT(probe_row, output) },
    {  7, MIB_UNSIGNED,  0, AT(probe_row, age) },
    {  8, MIB_UNSIGNED,  0, AT(probe_row, duration) },
    {  9, MIB_UNSIGNED,  0, AT(probe_row, period) },
    { 10, MIB_UNSIGNED,  0, AT(probe_row, timeout) },
    { 11, MIB_COUNTER32, 0, AT(probe_row, runs) },
    { 12, MIB_COUNTER32, 0, AT(probe_row, failures) },
    { 13, MIB_COUNTER32, 0, AT(probe_row, timeouts) },
};
COLUMNS(probe_data_columns) = {
    {  2, MIB_TEXT,      0, AT(probe_data_row, label) },
    {  3, MIB_TEXT,      0, AT(probe_data_row, value) },
    {  4, MIB_TEXT,      0, AT(probe_data_row, unit) },
    {  5, MIB_TEXT,      0, AT(probe_data_row, warning) },
    {  6, MIB_TEXT,      0, AT(probe_data_row, critical) },
    {  7, MIB_TEXT,      0, AT(probe_data_row, minimum) },
    {  8, MIB_TEXT,      0, AT(probe_data_row, maximum) },
};
COLUMNS(process_columns) = {
    {  3, MIB_TEXT,      0, AT(process_row, command) },
    {  4, MIB_TEXT,      0, AT(process_row, state) },
    {  5, MIB_UNSIGNED,  0, AT(process_row, threads) },
    {  6, MIB_UNSIGNED,  0, AT(process_row, resident) },
    {  7, MIB_COUNTER64, 0, AT(process_row, cpu_time) },
    {  8, MIB_UNSIGNED,  0, AT(process_row, cpu_load) },
    {  9, MIB_UNSIGNED,  0, AT(process_row, descriptors) },
    { 10, MIB_UNSIGNED,  0, AT(process_row, descriptor_limit) },
};
COLUMNS(link_columns) = {
    {  2, MIB_UNSIGNED,  0, AT(link_row, number) },
    {  3, MIB_TRUTH,     0, AT(link_row, enabled) },
    {  4, MIB_INTEGER,   MIB_ALWAYS, AT(link_row, state) },
    {  5, MIB_UNSIGNED,  0, AT(link_row, speed) },
    {  6, MIB_UNSIGNED,  0, AT(link_row, mtu) },
    {  7, MIB_TEXT,      0, AT(link_row, address) },
    {  8, MIB_TEXT,      0, AT(link_row, master) },
    {  9, MIB_TEXT,      0, AT(link_row, use) },
    { 10, MIB_COUNTER64, 0, AT(link_row, in_octets) },
    { 11, MIB_COUNTER64, 0, AT(link_row, out_octets) },
    { 12, MIB_COUNTER64, 0, AT(link_row, in_errors) },
    { 13, MIB_COUNTER64, 0, AT(link_row, out_errors) },
    { 14, MIB_COUNTER64, 0, AT(link_row, in_drops) },
    { 15, MIB_COUNTER64, 0, AT(link_row, out_drops) },
    { 16, MIB_COUNTER32, 0, AT(link_row, changes) },
    { 17, MIB_STAMP,     0, AT(link_row, last_change) },
};
COLUMNS(build_columns) = {
    {  3, MIB_TEXT,      0, AT(build_row, file) },
    {  4, MIB_TEXT,      0, AT(build_row, identity) },
};
COLUMNS(build_set_columns) = {
    {  1, MIB_TEXT,      0, AT(build_set_row, digest) },
    {  2, MIB_UNSIGNED,  0, AT(build_set_row, files) },
    {  3, MIB_TEXT,      0, AT(build_set_row, differs) },
};
COLUMNS(connection_columns) = {
    {  7, MIB_INTEGER,   0, AT(connection_row, state) },
    {  8, MIB_COUNTER64, 0, AT(connection_row, in_octets) },
    {  9, MIB_COUNTER64, 0, AT(connection_row, out_octets) },
    { 10, MIB_UNSIGNED,  0, AT(connection_row, age) },
    { 11, MIB_UNSIGNED,  0, AT(connection_row, idle) },
    { 12, MIB_UNSIGNED,  0, AT(connection_row, unread) },
    { 13, MIB_UNSIGNED,  0, AT(connection_row, unsent) },
    { 14, MIB_UNSIGNED,  0, AT(connection_row, round_trip) },
    { 15, MIB_COUNTER32, 0, AT(connection_row, retransmits) },
};
COLUMNS(phase_columns) = {
    {  2, MIB_TEXT,      0, AT(phase_row, name) },
    {  3, MIB_UNSIGNED,  0, AT(phase_row, duration) },
    {  4, MIB_UNSIGNED,  0, AT(phase_row, epoch) },
};
COLUMNS(request_columns) = {
    {  3, MIB_INTEGER,   MIB_WRITABLE, AT(request_row, kind) },
    {  4, MIB_TEXT,      MIB_WRITABLE, AT(request_row, service) },
    {  5, MIB_TEXT,      MIB_WRITABLE, AT(request_row, node) },
    {  6, MIB_TEXT,      MIB_WRITABLE, AT(request_row, value) },
    {  7, MIB_INTEGER,   0, AT(request_row, result) },
    {  8, MIB_UNSIGNED,  0, AT(request_row, order) },
    {  9, MIB_TEXT,      0, AT(request_row, reason) },
    { 10, MIB_DATE,      0, AT(request_row, time) },
    { 11, MIB_INTEGER,   0, AT(request_row, storage) },
    { 12, MIB_INTEGER,   MIB_WRITABLE, AT(request_row, status) },
};
COLUMNS(step_columns) = {
    {  2, MIB_TEXT,      0, AT(step_row, name) },
    {  3, MIB_TEXT,      0, AT(step_row, text) },
    {  4, MIB_DATE,      0, AT(step_row, started) },
    {  5, MIB_UNSIGNED,  0, AT(step_row, duration) },
    {  6, MIB_INTEGER,   0, AT(step_row, state) },
    {  7, MIB_UNSIGNED,  0, AT(step_row, epoch) },
};
COLUMNS(latest_columns) = {
    {  2, MIB_UNSIGNED,  0, AT(latest_row, serial) },
    {  3, MIB_DATE,      0, AT(latest_row, time) },
    {  4, MIB_INTEGER,   0, AT(latest_row, severity) },
    {  5, MIB_TEXT,      0, AT(latest_row, node) },
    {  6, MIB_TEXT,      0, AT(latest_row, service) },
    {  7, MIB_TEXT,      0, AT(latest_row, kind) },
    {  8, MIB_TEXT,      0, AT(latest_row, text) },
    {  9, MIB_TRUTH,     0, AT(latest_row, acknowledged) },
};
COLUMNS(constraint_columns) = {
    {  2, MIB_INTEGER,   0, AT(constraint_row, kind) },
    {  3, MIB_TEXT,      0, AT(constraint_row, target) },
    {  4, MIB_TRUTH,     0, AT(constraint_row, met) },
};
COLUMNS(fail_columns) = {
    {  2, MIB_UNSIGNED,  0, AT(fail_row, count) },
    {  3, MIB_TRUTH,     0, AT(fail_row, held) },
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
    [SNAP_RESOURCE] = SCALARS(2, 5, resource_columns, resources),
    [SNAP_DISK] = TABLE(2, 6, disk_columns, disks),
    [SNAP_SENSOR] = TABLE(2, 7, sensor_columns, sensors),
    [SNAP_DRIVER] = TABLE(2, 8, driver_columns, drivers),
    [SNAP_PROBE] = TABLE(2, 9, probe_columns, probes),
    [SNAP_PROBE_DATA] = TABLE(2, 10, probe_data_columns, probe_data),
    [SNAP_PROCESS] = TABLE(2, 11, process_columns, processes),
    [SNAP_LINK] = TABLE(2, 12, link_columns, links),
    [SNAP_BUILD] = TABLE(2, 13, build_columns, builds),
    [SNAP_BUILD_SET] = TABLE(2, 14, build_set_columns, build_sets),
    [SNAP_SOCKMIG] = SCALARS(3, 1, sockmig_columns, sockmig),
    [SNAP_ENGINE] = TABLE(3, 2, engine_columns, engines),
    [SNAP_GATE] = TABLE(3, 3, gate_columns, engines),
    [SNAP_CHECKPOINT] = TABLE(3, 4, checkpoint_columns, engines),
    [SNAP_CLONE] = TABLE(3, 5, clone_columns, clones),
    [SNAP_STREAM] = TABLE(3, 6, stream_columns, engines),
    [SNAP_ENGINE_STANDBY] = TABLE(3, 7, engine_standby_columns, engine_standbys),
    [SNAP_REFUSAL] = TABLE(3, 8, refusal_columns, refusals),
    [SNAP_CONNECTION] = { .path = { 1, 3, 1, 9, 1 }, .npath = 5, .columns = connection_columns,
        .ncolumns = sizeof connection_columns / sizeof connection_columns[0],
        .count = offsetof(struct snapshot, connections.n), .rows = offsetof(struct snapshot, connections.v),
        .size = sizeof(struct connection_row), .max = SNAP_CONNECTIONS, .shared = true },
    [SNAP_PHASE] = TABLE(3, 10, phase_columns, phases),
    [SNAP_LOG] = TABLE(3, 11, log_columns, engines),
    [SNAP_REPLAY] = TABLE(3, 12, replay_columns, replays),
    [SNAP_DIVERGENCE] = TABLE(3, 13, divergence_columns, divergences),
    [SNAP_CLUSTER] = SCALARS(4, 1, cluster_columns, cluster),
    [SNAP_MEMBER] = TABLE(4, 2, member_columns, members),
    [SNAP_SERVICE] = TABLE(4, 3, service_columns, services),
    [SNAP_STANDBY] = TABLE(4, 4, standby_columns, standbys),
    [SNAP_EVENT] = TABLE(4, 5, event_columns, events),
    [SNAP_DESK] = SCALARS(4, 6, desk_columns, desk),
    [SNAP_ORDER] = TABLE(4, 7, order_columns, orders),
    [SNAP_REQUEST] = TABLE(4, 9, request_columns, requests),
    [SNAP_STEP] = TABLE(4, 10, step_columns, steps),
    [SNAP_LATEST] = TABLE(4, 11, latest_columns, latest),
    [SNAP_CONSTRAINT] = TABLE(4, 12, constraint_columns, constraints),
    [SNAP_FAIL] = TABLE(4, 13, fail_columns, fails),
};
/* clang-format on */
