/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fill_engine.c - rows from the status of sockmigd. */
#include "agent/fill.h"
#include "agent/fill_keys.h"

#include <stdio.h>
#include <string.h>

/* clang-format off */
#define E(field) offsetof(struct engine_row, field)
static const struct key engine_keys[] = {
    { NULL, "epoch", NUMBER, E(epoch) },
    { NULL, "pid", NUMBER, E(pid) },
    { NULL, "connections", NUMBER, E(connections) },
    { NULL, "protected", TRUTH, E(is_protected) },
    { NULL, "last_blackout_ms", NUMBER, E(last_blackout_ms) },
    { "gate", "open", TRUTH, E(gate_open) },
    { "gate", "held", NUMBER, E(held) },
    { "gate", "queued", NUMBER, E(queued) },
    { "gate", "released", NUMBER, E(released) },
    { "gate", "dropped", NUMBER, E(dropped) },
    { "gate", "passed_in", NUMBER, E(passed_in) },
    { "gate", "passed_out", NUMBER, E(passed_out) },
    { "gate", "fenced_in", NUMBER, E(fenced_in) },
    { "gate", "fenced_out", NUMBER, E(fenced_out) },
    { "gate", "held_in", NUMBER, E(held_in) },
    { "gate", "delivered", NUMBER, E(delivered) },
    { "gate", "dropped_in", NUMBER, E(dropped_in) },
    { "gate", "unlogged", NUMBER, E(log_unlogged) },
    { "gate", "overrun", NUMBER, E(log_overrun) },
    { "lease", "held", TRUTH, E(lease_held) },
    { "lease", "remaining_ms", NUMBER, E(lease_remaining_ms) },
    { "lease", "refreshed", NUMBER, E(lease_refreshed) },
    { "lease", "lost", NUMBER, E(lease_lost) },
    { "checkpoint", "count", NUMBER, E(count) },
    { "checkpoint", "last_pause_us", NUMBER, E(last_pause_us) },
    { "checkpoint", "max_pause_us", NUMBER, E(max_pause_us) },
    { "checkpoint", "last_bytes", NUMBER, E(last_bytes) },
    { "checkpoint", "last_pages", NUMBER, E(last_pages) },
    { "checkpoint", "interval_ms", NUMBER, E(interval_ms) },
    { "checkpoint", "spacing_ms", NUMBER, E(spacing_ms) },
    { "checkpoint", "age_ms", NUMBER, E(age_ms) },
    { "checkpoint", "stable", NUMBER, E(stable) },
    { "stream", "sent_bytes", NUMBER, E(sent_bytes) },
    { "stream", "received_bytes", NUMBER, E(received_bytes) },
    { "stream", "forged", NUMBER, E(forged) },
    { "stream", "malformed", NUMBER, E(malformed) },
    { "stream", "stale", NUMBER, E(stale) },
    { "log", "lsn", NUMBER, E(log_position) },
    { "log", "stable", NUMBER, E(log_stable) },
    { "log", "bytes", NUMBER, E(log_bytes) },
    { "log", "kept_connections", NUMBER, E(log_kept) },
    { "log", "half_open", NUMBER, E(log_half_open) },
    { "log", "evicted", NUMBER, E(log_evicted) },
    { "log", "lost", NUMBER, E(log_lost) },
    { "log", "datagrams", NUMBER, E(log_datagrams) },
    { "log", "repairs", NUMBER, E(log_repairs) },
    { "log", "duplicates", NUMBER, E(log_duplicates) },
    { "log", "out_of_window", NUMBER, E(log_out_of_window) },
    { "log", "refused", NUMBER, E(log_refused) },
    { "log", "forged", NUMBER, E(log_forged) },
    { "log", "replayed", NUMBER, E(log_replayed) },
    { "log", "old_epoch", NUMBER, E(log_old_epoch) },
    { "log", "malformed", NUMBER, E(log_malformed) },
};
/* Of these, none goes back unless all start again. */
static const size_t engine_counters[] = { E(queued), E(released), E(dropped),
    E(passed_in), E(passed_out), E(fenced_in), E(fenced_out), E(lease_refreshed),
    E(lease_lost), E(count), E(stable), E(sent_bytes), E(received_bytes), E(forged),
    E(malformed), E(stale), E(delivered), E(dropped_in), E(log_unlogged), E(log_overrun),
    E(log_position), E(log_stable), E(log_evicted), E(log_lost), E(log_datagrams),
    E(log_repairs), E(log_duplicates), E(log_out_of_window), E(log_refused),
    E(log_forged), E(log_replayed), E(log_old_epoch), E(log_malformed) };
/* clang-format on */

static int64_t
field_at(const void *row, size_t offset)
{
    int64_t v;

    memcpy(&v, (const char *)row + offset, sizeof v);
    return v;
}

static int64_t
discontinuity(
    const struct snapshot *before, const struct engine_row *now, int64_t now_us)
{
    const struct engine_row *was = mib_find(
        &snapshot_tables[SNAP_ENGINE], before, now->row.index, now->row.nindex);

    if (!was || !was->row.known)
        return now_us;
    for (size_t i = 0; i < sizeof engine_counters / sizeof engine_counters[0]; i++)
        if (field_at(now, engine_counters[i]) < field_at(was, engine_counters[i]))
            return now_us;
    return was->discontinuity_us;
}

static void
fill_clone(struct snapshot *s, const char *service, const struct jv *clone)
{
    struct clone_row *row;

    if (jv_int(clone, "checkpoint", 0) <= 0)
        return;
    row = snapshot_named(s, SNAP_CLONE, service);
    if (!row)
        return;
    row->row.known = true;
    row->checkpoint = jv_int(clone, "checkpoint", MIB_NONE);
    row->age_ms = jv_int(clone, "age_ms", MIB_NONE);
    row->size_kib = jv_int(clone, "bytes", MIB_NONE);
    if (row->size_kib > 0)
        row->size_kib /= 1024;
    TEXT(row->from, clone, "from");
}

static void
fill_refusals(struct snapshot *s, const char *service, const struct jv *list)
{
    for (size_t i = 0; i < jv_len(list); i++) {
        const struct jv *from = jv_at(list, i);
        uint32_t index[MIB_INDEX_MAX + 1], n = mib_index_name(index, 0, service);
        struct refusal_row *row;
        const char *process;

        index[n < MIB_INDEX_MAX ? n : MIB_INDEX_MAX] = (uint32_t)i + 1;
        row = snapshot_row(s, SNAP_REFUSAL, index, n + 1);
        if (!row)
            continue;
        row->row.known = true;
        row->fd = jv_int(from, "fd", -1);
        process = jv_str(from, "process", NULL);
        if (process)
            snapshot_text(row->process, sizeof row->process, process);
        else if (jv_int(from, "process", 0) > 0)
            snprintf(row->process, sizeof row->process, "%lld",
                (long long)jv_int(from, "process", 0));
        TEXT(row->what, from, "what");
        TEXT(row->cure, from, "cure");
    }
}

/* fill_phases - of the last takeover here: { epoch, phases { NAME_us } }. */
static void
fill_phases(struct snapshot *s, const char *service, const struct jv *takeover)
{
    static const char *const names[] = { "listeners", "sockets", "protect", "fds",
        "process", "threads", "registers", "replay", "total" };
    const struct jv *phases = jv_get(takeover, "phases");
    uint32_t index[MIB_INDEX_MAX + 1], n = mib_index_name(index, 0, service);

    index[n < MIB_INDEX_MAX ? n : MIB_INDEX_MAX] = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char key[32];
        struct phase_row *row;

        snprintf(key, sizeof key, "%s_us", names[i]);
        if (!jv_has(phases, key))
            continue;
        index[n < MIB_INDEX_MAX ? n : MIB_INDEX_MAX]++;
        row = snapshot_blank(s, SNAP_PHASE, index, n + 1);
        if (!row)
            return;
        snapshot_text(row->name, sizeof row->name, names[i]);
        row->duration = jv_int(phases, key, MIB_NONE);
        row->epoch = jv_int(takeover, "epoch", MIB_NONE);
    }
}

/* address - as an operator writes it: 10.0.0.1:80, [2001:db8::1]:80. */
static void
address(char *out, size_t size, const char *text, int64_t port)
{
    bool v6 = strchr(text, ':') != NULL;

    snprintf(
        out, size, "%s%s%s:%lld", v6 ? "[" : "", text, v6 ? "]" : "", (long long)port);
}

static void
fill_divergences(
    struct snapshot *s, const char *service, const struct jv *list, int64_t epoch)
{
    uint32_t index[MIB_INDEX_MAX + 1], n = mib_index_name(index, 0, service);

    for (size_t i = 0; i < jv_len(list) && n < MIB_INDEX_MAX; i++) {
        const struct jv *from = jv_at(list, i);
        struct divergence_row *row;

        index[n] = (uint32_t)i + 1;
        row = snapshot_blank(s, SNAP_DIVERGENCE, index, n + 1);
        if (!row)
            return;
        address(row->local, sizeof row->local, jv_str(from, "local", "?"),
            jv_int(from, "local_port", 0));
        address(row->remote, sizeof row->remote, jv_str(from, "remote", "?"),
            jv_int(from, "remote_port", 0));
        row->sequence = jv_int(from, "sequence", MIB_NONE);
        row->policy = word_value(&words_policy, jv_str(from, "policy", NULL));
        row->epoch = epoch;
        TEXT(row->reason, from, "reason");
    }
}

/* fill_replay - the last one here, with the connections that it had to reset. */
static void
fill_replay(struct snapshot *s, const char *service, const struct jv *replay)
{
#define R(field) offsetof(struct replay_row, field)
    static const struct key keys[] = {
        { NULL, "epoch", NUMBER, R(epoch) },
        { NULL, "duration_us", NUMBER, R(duration_us) },
        { NULL, "injected", NUMBER, R(injected) },
        { NULL, "synthetic", NUMBER, R(synthetic) },
        { NULL, "rebuilt", NUMBER, R(rebuilt) },
        { NULL, "half_open", NUMBER, R(half_open) },
        { NULL, "unmade", NUMBER, R(unmade) },
        { NULL, "swallowed", NUMBER, R(swallowed) },
        { NULL, "compared", NUMBER, R(compared) },
        { NULL, "diverged", NUMBER, R(diverged) },
        { NULL, "stalled", NUMBER, R(stalled) },
        { NULL, "datagrams", NUMBER, R(datagrams) },
        { NULL, "insisted", NUMBER, R(insisted) },
    };
#undef R
    struct replay_row *row = jv_has(replay, "duration_us")
                                 ? snapshot_named(s, SNAP_REPLAY, service)
                                 : NULL;

    if (!row)
        return;
    row->row.known = true;
    fill_keys(row, replay, keys, NKEYS(keys));
    TEXT(row->reason, replay, "reason");
    fill_divergences(s, service, jv_get(replay, "divergences"), row->epoch);
}

void
fill_engines(struct snapshot *s, const struct jv *status, const struct snapshot *before,
    int64_t now_us)
{
    const struct jv *list = jv_get(status, "services");

    for (size_t i = 0; i < jv_len(list); i++) {
        const struct jv *from = jv_at(list, i);
        const char *name = jv_str(from, "name", NULL);
        struct engine_row *row = name ? snapshot_named(s, SNAP_ENGINE, name) : NULL;

        if (!row)
            continue;
        row->row.known = true;
        fill_keys(row, from, engine_keys, NKEYS(engine_keys));
        row->role = word_value(&words_role, jv_str(from, "role", NULL));
        row->state = word_value(&words_engine, jv_str(from, "state", NULL));
        row->policy = word_value(&words_policy, jv_str(from, "policy", NULL));
        TEXT(row->last_error, from, "last_error");
        row->discontinuity_us = discontinuity(before, row, now_us);
        row->load = MIB_NONE; /* the drivers know it */
        fill_clone(s, name, jv_get(from, "clone"));
        fill_standbys(s, SNAP_ENGINE_STANDBY, name, jv_get(from, "standbys"), NULL);
        fill_refusals(s, name, jv_get(from, "refusals"));
        fill_phases(s, name, jv_get(from, "takeover"));
        fill_replay(s, name, jv_get(from, "replay"));
    }
}
