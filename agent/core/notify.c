/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/core/notify.h"

#include <string.h>

static void
push(struct notify *q, const struct notice *n)
{
    struct notice *to;

    q->number++;
    if (q->n == NOTIFY_QUEUE) {
        q->dropped++;
        return;
    }
    to = &q->queue[(q->first + q->n++) % NOTIFY_QUEUE];
    *to = *n;
    to->number = q->number;
}

static void
compare_services(
    struct notify *q, const struct snapshot *before, const struct snapshot *after)
{
    for (uint32_t i = 0; i < after->services.n; i++) {
        const struct service_row *now = &after->services.v[i];
        const struct service_row *was = mib_find(
            &snapshot_tables[SNAP_SERVICE], before, now->row.index, now->row.nindex);
        struct notice n = { .kind = NOTICE_SERVICE,
            .row = now->row,
            .after = now->state,
            .epoch = now->row.known ? now->epoch : 0 };

        if (!was || was->state == now->state)
            continue;
        n.before = was->state;
        memcpy(n.name, now->name, sizeof n.name);
        if (now->row.known)
            memcpy(n.active, now->active, sizeof n.active);
        push(q, &n);
    }
}

static void
compare_nodes(
    struct notify *q, const struct snapshot *before, const struct snapshot *after)
{
    for (uint32_t i = 0; i < after->members.n; i++) {
        const struct member_row *now = &after->members.v[i];
        const struct member_row *was = mib_find(
            &snapshot_tables[SNAP_MEMBER], before, now->row.index, now->row.nindex);
        struct notice n = { .kind = NOTICE_NODE, .row = now->row, .after = now->state };

        if (!was || was->state == now->state)
            continue;
        n.before = was->state;
        memcpy(n.name, now->name, sizeof n.name);
        push(q, &n);
    }
}

void
notify_compare(struct notify *q, const struct snapshot *before,
    const struct snapshot *after, bool enable)
{
    bool answers = after->cluster.n && after->cluster.v[0].state == LIVE_ANSWERING;

    if (!q->armed) {
        q->armed = answers;
        return;
    }
    if (!enable)
        return;
    compare_services(q, before, after);
    compare_nodes(q, before, after);
}

bool
notify_take(struct notify *q, struct notice *out)
{
    if (q->n == 0)
        return false;
    *out = q->queue[q->first];
    q->first = (q->first + 1) % NOTIFY_QUEUE;
    q->n--;
    q->sent++;
    return true;
}

void
notify_show(const struct notify *q, struct snapshot *s)
{
    struct notify_row *row = snapshot_numbered(s, SNAP_NOTIFY, 0);

    row->row.known = true;
    row->sent = q->sent;
    row->dropped = q->dropped;
}
