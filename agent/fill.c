/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/fill.h"

#include <stdio.h>
#include <string.h>

enum kind { NUMBER, TRUTH };

struct key { /* a number or truth value of the protocol, and its field in the row */
    const char *object; /* NULL: the outermost */
    const char *key;
    enum kind kind;
    size_t offset;
};

#define NKEYS(keys) (sizeof keys / sizeof keys[0])

static void
fill_keys(void *row, const struct jv *from, const struct key *keys, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct key *k = &keys[i];
        const struct jv *object = k->object ? jv_get(from, k->object) : from;
        int64_t v = MIB_NONE;

        if (k->kind == NUMBER)
            v = jv_int(object, k->key, MIB_NONE);
        else if (jv_has(object, k->key))
            v = jv_bool(object, k->key, false);
        memcpy((char *)row + k->offset, &v, sizeof v);
    }
}

#define TEXT(field, object, key)                                                       \
    snapshot_text(field, sizeof(field), jv_str(object, key, ""))

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
};
/* Of these, none goes back unless all start again. */
static const size_t engine_counters[] = { E(queued), E(released), E(dropped),
    E(passed_in), E(passed_out), E(fenced_in), E(fenced_out), E(lease_refreshed),
    E(lease_lost), E(count), E(stable), E(sent_bytes), E(received_bytes), E(forged),
    E(malformed), E(stale) };
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

/* fill_standbys - of @service, from a list of { node, state, in_set, acked, lag };
 * @set: names of those in the set where the list does not say, or NULL. */
static void
fill_standbys(struct snapshot *s, enum snapshot_table table, const char *service,
    const struct jv *list, const struct jv *set)
{
    static const struct key keys[] = {
        { NULL, "in_set", TRUTH, offsetof(struct standby_row, in_set) },
        { NULL, "acked", NUMBER, offsetof(struct standby_row, acked) },
        { NULL, "lag", NUMBER, offsetof(struct standby_row, lag) },
    };

    for (size_t i = 0; i < jv_len(list); i++) {
        const struct jv *from = jv_at(list, i);
        const char *node = jv_str(from, "node", NULL);
        struct standby_row *row;

        row = node ? snapshot_named2(s, table, service, node) : NULL;
        if (!row)
            continue;
        row->row.known = true;
        fill_keys(row, from, keys, NKEYS(keys));
        row->state = word_value(&words_standby, jv_str(from, "state", NULL));
        TEXT(row->reason, from, "reason");
        for (size_t k = 0; k < jv_len(set); k++)
            row->in_set = row->in_set > 0 ||
                          (jv_at_str(set, k) && !strcmp(jv_at_str(set, k), node));
        if (set && row->in_set < 0)
            row->in_set = false;
    }
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
    }
}

/* join - the strings of @list, separated by spaces, as many as fit. */
static void
join(char *out, size_t size, const struct jv *list)
{
    size_t at = 0;

    out[0] = '\0';
    for (size_t i = 0; i < jv_len(list); i++) {
        const char *text = jv_at_str(list, i);

        if (!text || at + (at > 0) + strlen(text) >= size)
            continue;
        at += (size_t)snprintf(out + at, size - at, "%s%s", at ? " " : "", text);
    }
}

static void
fill_members(struct snapshot *s, const struct jv *status)
{
    static const struct key keys[] = {
        { NULL, "maintenance", TRUTH, offsetof(struct member_row, maintenance) },
        { NULL, "frozen", TRUTH, offsetof(struct member_row, frozen) },
        { NULL, "score", NUMBER, offsetof(struct member_row, score) },
        { NULL, "load_permille", NUMBER, offsetof(struct member_row, load) },
        { NULL, "active", NUMBER, offsetof(struct member_row, services) },
    };
    const struct jv *list = jv_get(status, "nodes");

    for (size_t i = 0; i < jv_len(list); i++) {
        const struct jv *from = jv_at(list, i);
        int64_t id = jv_int(from, "id", 0);
        struct member_row *row;

        row = id > 0 && id <= UINT32_MAX
                  ? snapshot_numbered(s, SNAP_MEMBER, (uint32_t)id)
                  : NULL;
        if (!row)
            continue;
        row->row.known = true;
        TEXT(row->name, from, "name");
        TEXT(row->reason, from, "reason");
        row->state = word_value(&words_node, jv_str(from, "state", NULL));
        row->health = word_value(&words_health, jv_str(from, "health", NULL));
        row->drain = word_value(&words_drain, jv_str(from, "drain", NULL));
        row->fenced = word_value(&words_fenced, jv_str(from, "fenced", NULL));
        row->answers = row->age_ms = MIB_NONE;
        fill_keys(row, from, keys, NKEYS(keys));
    }
}

static void
fill_poller(struct snapshot *s, const struct jv *list)
{
    static const struct key keys[] = {
        { NULL, "answers", TRUTH, offsetof(struct member_row, answers) },
        { NULL, "age_ms", NUMBER, offsetof(struct member_row, age_ms) },
    };

    for (size_t i = 0; i < jv_len(list); i++)
        for (uint32_t m = 0; m < s->members.n; m++)
            if (strcmp(s->members.v[m].name, jv_str(jv_at(list, i), "name", "")) == 0)
                fill_keys(&s->members.v[m], jv_at(list, i), keys, NKEYS(keys));
}

static void
fill_constraint(struct snapshot *s, const char *service, uint32_t *number,
    enum constraint kind, const char *target)
{
    uint32_t index[MIB_INDEX_MAX + 1], n = mib_index_name(index, 0, service);
    struct constraint_row *row;

    if (!target || !*target || n >= MIB_INDEX_MAX)
        return;
    index[n] = ++*number;
    row = snapshot_blank(s, SNAP_CONSTRAINT, index, n + 1);
    if (!row)
        return;
    row->kind = kind;
    snapshot_text(row->target, sizeof row->target, target);
}

static void
fill_constraints(struct snapshot *s, const char *service, const struct jv *placement)
{
    static const struct {
        const char *key;
        enum constraint kind;
    } lists[] = {
        { "never", CONSTRAINT_NEVER },
        { "together", CONSTRAINT_TOGETHER },
        { "apart", CONSTRAINT_APART },
    };
    uint32_t number = 0;

    fill_constraint(s, service, &number, CONSTRAINT_PREFERRED,
        jv_str(placement, "preferred", NULL));
    for (size_t l = 0; l < sizeof lists / sizeof lists[0]; l++) {
        const struct jv *list = jv_get(placement, lists[l].key);

        for (size_t i = 0; i < jv_len(list); i++)
            fill_constraint(s, service, &number, lists[l].kind, jv_at_str(list, i));
    }
}

static void
fill_fails(struct snapshot *s, const char *service, const struct jv *list)
{
    static const struct key keys[] = {
        { NULL, "count", NUMBER, offsetof(struct fail_row, count) },
        { NULL, "held", TRUTH, offsetof(struct fail_row, held) },
    };

    for (size_t i = 0; i < jv_len(list); i++) {
        const char *node = jv_str(jv_at(list, i), "node", NULL);
        struct fail_row *row = node ? snapshot_named2(s, SNAP_FAIL, service, node)
                                    : NULL;

        if (!row)
            continue;
        row->row.known = true;
        fill_keys(row, jv_at(list, i), keys, NKEYS(keys));
    }
}

static void
fill_service(struct snapshot *s, const struct jv *from, const char *name)
{
    static const struct key keys[] = {
        { NULL, "epoch", NUMBER, offsetof(struct service_row, epoch) },
        { NULL, "connections", NUMBER, offsetof(struct service_row, connections) },
        { NULL, "last_blackout_ms", NUMBER,
            offsetof(struct service_row, last_blackout_ms) },
        { NULL, "last_pause_us", NUMBER, offsetof(struct service_row, last_pause_us) },
        { NULL, "maintenance", TRUTH, offsetof(struct service_row, maintenance) },
        { NULL, "frozen", TRUTH, offsetof(struct service_row, frozen) },
        { NULL, "interval_ms", NUMBER, offsetof(struct service_row, interval_ms) },
        { NULL, "load_permille", NUMBER, offsetof(struct service_row, load) },
        { "placement", "failback_delay_ms", NUMBER,
            offsetof(struct service_row, failback_delay) },
        { "placement", "balance", TRUTH, offsetof(struct service_row, balance) },
        { "placement", "fail_limit", NUMBER, offsetof(struct service_row, fail_limit) },
        { "placement", "hold_off_ms", NUMBER, offsetof(struct service_row, hold_off) },
    };
    struct service_row *row = snapshot_named(s, SNAP_SERVICE, name);

    if (!row)
        return;
    row->row.known = true;
    fill_keys(row, from, keys, NKEYS(keys));
    TEXT(row->name, from, "name");
    TEXT(row->active, from, "active");
    TEXT(row->reason, from, "reason");
    TEXT(row->last_error, from, "last_error");
    TEXT(row->step, jv_get(from, "switchover"), "step");
    TEXT(row->why, jv_get(from, "switchover"), "why");
    TEXT(row->next, jv_get(from, "next"), "node");
    TEXT(row->next_why, jv_get(from, "next"), "why");
    TEXT(row->health_reason, from, "health_reason");
    TEXT(row->preferred, jv_get(from, "placement"), "preferred");
    TEXT(row->failback, jv_get(from, "placement"), "failback");
    row->health = word_value(&words_health, jv_str(from, "health", NULL));
    row->order = jv_int(jv_get(from, "switchover"), "order", 0);
    row->state = word_value(&words_service, jv_str(from, "state", NULL));
    row->policy = word_value(&words_policy, jv_str(from, "policy", NULL));
    join(row->addresses, sizeof row->addresses, jv_get(from, "addresses"));
    join(row->set, sizeof row->set, jv_get(from, "set"));
    fill_standbys(s, SNAP_STANDBY, name, jv_get(from, "standbys"), jv_get(from, "set"));
    fill_constraints(s, name, jv_get(from, "placement"));
    fill_fails(s, name, jv_get(from, "fails"));
}

void
fill_cluster(struct snapshot *s, const struct jv *status)
{
    static const struct key keys[] = {
        { NULL, "quorate", TRUTH, offsetof(struct cluster_row, quorate) },
        { NULL, "maintenance", TRUTH, offsetof(struct cluster_row, maintenance) },
        { NULL, "frozen", TRUTH, offsetof(struct cluster_row, frozen) },
        { NULL, "automatic", TRUTH, offsetof(struct cluster_row, automatic) },
    };
    const struct jv *nested = jv_get(status, "status");
    const struct jv *from = jv_has(nested, "services") ? nested : status;
    const struct jv *services = jv_get(from, "services");
    struct cluster_row *row = snapshot_numbered(s, SNAP_CLUSTER, 0);

    row->row.known = true;
    fill_keys(row, from, keys, NKEYS(keys));
    TEXT(row->planner, from, "planner");
    TEXT(row->plan, from, "plan");
    TEXT(row->fencing, from, "fencing");
    TEXT(row->automatic_reason, from, "automatic_reason");
    if (jv_has(from, "cluster"))
        TEXT(row->name, from, "cluster");
    TEXT(row->journal_error, from, "journal_error");
    fill_members(s, from);
    fill_poller(s, jv_get(jv_get(from, "poller"), "nodes"));
    for (size_t i = 0; i < jv_len(services); i++)
        if (jv_str(jv_at(services, i), "name", NULL))
            fill_service(s, jv_at(services, i), jv_str(jv_at(services, i), "name", ""));
    for (uint32_t i = 0; i < s->members.n; i++)
        ++*(s->members.v[i].state == 1 ? &row->online : &row->offline);
    for (uint32_t i = 0; i < s->services.n; i++)
        ++*(s->services.v[i].state == 1 ? &row->is_protected : &row->unprotected);
}

void
fill_events(struct snapshot *s, const struct jv *journal)
{
    static const struct key keys[] = {
        { NULL, "time_ms", NUMBER, offsetof(struct event_row, time_ms) },
        { NULL, "epoch", NUMBER, offsetof(struct event_row, epoch) },
        { NULL, "acked_ms", NUMBER, offsetof(struct event_row, ack_ms) },
    };
    const struct jv *rows = jv_get(journal, "rows");

    for (size_t i = 0; i < jv_len(rows); i++) {
        const struct jv *from = jv_at(rows, i);
        int64_t serial = jv_int(from, "serial", 0);
        struct event_row *row;

        row = serial > 0 && serial <= UINT32_MAX
                  ? snapshot_numbered(s, SNAP_EVENT, (uint32_t)serial)
                  : NULL;
        if (!row)
            continue;
        row->row.known = true;
        fill_keys(row, from, keys, NKEYS(keys));
        row->severity = word_value(&words_severity, jv_str(from, "severity", NULL));
        TEXT(row->node, from, "node");
        TEXT(row->service, from, "service");
        TEXT(row->kind, from, "kind");
        TEXT(row->text, from, "text");
        TEXT(row->ack_owner, from, "acked_by");
    }
}

void
fill_orders(struct snapshot *s, const struct jv *orders)
{
    static const struct key keys[] = {
        { NULL, "started_ms", NUMBER, offsetof(struct order_row, started_ms) },
        { NULL, "finished_ms", NUMBER, offsetof(struct order_row, finished_ms) },
    };
    const struct jv *list = jv_get(orders, "orders");
    int64_t newest = 0;

    for (size_t i = 0; i < jv_len(list); i++)
        if (jv_int(jv_at(list, i), "order", 0) > newest)
            newest = jv_int(jv_at(list, i), "order", 0);
    for (size_t i = 0; i < jv_len(list); i++) {
        const struct jv *from = jv_at(list, i);
        int64_t number = jv_int(from, "order", 0);
        struct order_row *row;

        if (number <= newest - SNAP_ORDERS)
            continue;
        row = number > 0 && number <= UINT32_MAX
                  ? snapshot_numbered(s, SNAP_ORDER, (uint32_t)number)
                  : NULL;
        if (!row)
            continue;
        row->row.known = true;
        fill_keys(row, from, keys, NKEYS(keys));
        if (row->finished_ms < 0)
            row->finished_ms = 0;
        row->kind = word_value(&words_order, jv_str(from, "kind", NULL));
        row->state = word_value(&words_progress, jv_str(from, "state", NULL));
        TEXT(row->service, from, "service");
        TEXT(row->node, from, "node");
        TEXT(row->owner, from, "owner");
        TEXT(row->value, from, "value");
        TEXT(row->why, from, "why");
        TEXT(row->from, from, "from");
        TEXT(row->text, from, "text");
    }
}
