/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fill_cluster.c - rows from the status of basculed. */
#include "agent/fill.h"
#include "agent/fill_keys.h"

#include <stdio.h>
#include <string.h>

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
    join(row->differs, sizeof row->differs, jv_get(jv_get(from, "builds"), "differ"));
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
        { NULL, "device_votes", TRUTH, offsetof(struct cluster_row, device_votes) },
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
    TEXT(row->device, from, "device");
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
