/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/fill.h"

#include "agent/fill_keys.h"

#include <string.h>

void
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

void
fill_standbys(struct snapshot *s, enum snapshot_table table, const char *service,
    const struct jv *list, const struct jv *set)
{
    static const struct key keys[] = {
        { NULL, "in_set", TRUTH, offsetof(struct standby_row, in_set) },
        { NULL, "acked", NUMBER, offsetof(struct standby_row, acked) },
        { NULL, "lag", NUMBER, offsetof(struct standby_row, lag) },
        { NULL, "log", NUMBER, offsetof(struct standby_row, log) },
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

void
fill_configured(struct snapshot *s, const struct conf *conf)
{
    struct cluster_row *cluster = snapshot_numbered(s, SNAP_CLUSTER, 0);

    snapshot_text(cluster->name, sizeof cluster->name, conf->cluster);
    cluster->quorate = MIB_NONE;
    for (unsigned i = 0; i < conf->nnodes; i++) {
        struct member_row *row = snapshot_numbered(s, SNAP_MEMBER, conf->nodes[i].id);

        if (row)
            snapshot_text(row->name, sizeof row->name, conf->nodes[i].name);
    }
    for (unsigned i = 0; i < conf->nservices; i++) {
        const char *name = conf->services[i].name;
        struct service_row *row = snapshot_named(s, SNAP_SERVICE, name);

        if (row)
            snapshot_text(row->name, sizeof row->name, name);
        snapshot_named(s, SNAP_ENGINE, name);
    }
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
