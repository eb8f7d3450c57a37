/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/core/notify.h"

#include "agent/core/story.h"

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

static int64_t
service_severity(int64_t state)
{
    /* unknown, protected, unprotected, taking over, stopped, failed */
    static const int64_t severities[] = { 2, 1, 2, 2, 2, 3 };

    return state >= 0 && state <= 5 ? severities[state] : 2;
}

static int64_t
health_severity(int64_t health)
{
    static const int64_t severities[] = { 2, 1, 2, 3 };

    return health >= 0 && health <= 3 ? severities[health] : 2;
}

/* What a change of a service is, besides a change of its state. */
static void
push_pairs(struct notify *q, struct notice *n, const struct service_row *was,
    const struct service_row *now)
{
    static const int64_t taking_over = 3;
    bool known = was->row.known && now->row.known;

    if (known && was->order <= 0 && now->order > 0) {
        n->kind = NOTICE_SWITCHOVER_STARTED;
        push(q, n);
    }
    if (now->state == taking_over && was->state != taking_over && now->order <= 0) {
        n->kind = NOTICE_TAKEOVER_STARTED;
        push(q, n);
    }
    if (was->state == taking_over && now->state != taking_over && was->order <= 0) {
        n->kind = NOTICE_TAKEOVER_FINISHED;
        push(q, n);
    }
    if (known && was->order > 0 && now->order <= 0) {
        n->kind = NOTICE_SWITCHOVER_FINISHED;
        push(q, n);
    }
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
            .severity = service_severity(now->state),
            .epoch = now->row.known ? now->epoch : 0 };

        if (!was)
            continue;
        n.before = was->state;
        n.event = story_event(after, now->name, NULL);
        memcpy(n.name, now->name, sizeof n.name);
        if (now->row.known)
            memcpy(n.active, now->active, sizeof n.active);
        if (was->state != now->state)
            push(q, &n);
        push_pairs(q, &n, was, now);
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
        struct notice n = { .kind = NOTICE_NODE,
            .row = now->row,
            .after = now->state,
            .severity = now->state == 1   ? 1
                        : now->state == 2 ? 3
                                          : 2 };

        if (!was || was->state == now->state)
            continue;
        n.before = was->state;
        n.event = story_event(after, NULL, now->name);
        memcpy(n.name, now->name, sizeof n.name);
        push(q, &n);
    }
}

static void
compare_health(
    struct notify *q, const struct snapshot *before, const struct snapshot *after)
{
    const struct node_row *was = &before->node.v[0], *now = &after->node.v[0];
    struct notice n = { .kind = NOTICE_HEALTH };

    if (!before->node.n || !after->node.n || was->health == now->health)
        return;
    n.row = now->row;
    n.before = was->health;
    n.after = now->health;
    n.severity = health_severity(now->health);
    n.event = story_event(after, NULL, now->name);
    memcpy(n.text, now->health_reason, sizeof n.text);
    push(q, &n);
}

static void
compare_probes(
    struct notify *q, const struct snapshot *before, const struct snapshot *after)
{
    for (uint32_t i = 0; i < after->probes.n; i++) {
        const struct probe_row *now = &after->probes.v[i];
        const struct probe_row *was = mib_find(
            &snapshot_tables[SNAP_PROBE], before, now->row.index, now->row.nindex);
        struct notice n = { .kind = NOTICE_PROBE, .row = now->row };

        /* the first verdict is no change, and a probe that rests has none */
        if (!was || was->health == now->health || !was->health || !now->health)
            continue;
        n.before = was->health;
        n.after = now->health;
        n.severity = health_severity(now->health);
        n.event = story_event(after, now->service, NULL);
        memcpy(n.text, now->output, sizeof n.text);
        push(q, &n);
    }
}

/* compare_events - what was in the journal when it was read first is no news, nor is
 * what is in one that began anew. */
static void
compare_events(struct notify *q, const struct snapshot *after, bool enable)
{
    uint32_t n = after->events.n, seen = q->event;

    if (n == 0)
        return;
    q->event = after->events.v[n - 1].row.index[0];
    for (uint32_t i = 0; i < n && seen && enable; i++) {
        const struct event_row *e = &after->events.v[i];
        struct notice notice = { .kind = NOTICE_EVENT, .row = e->row };

        if (e->row.index[0] <= seen || e->severity != 3)
            continue;
        notice.severity = e->severity;
        notice.event = e->row.index[0];
        memcpy(notice.name, e->service, sizeof notice.name);
        memcpy(notice.word, e->kind, sizeof notice.word);
        memcpy(notice.text, e->text, sizeof notice.text);
        push(q, &notice);
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
    compare_events(q, after, enable);
    if (!enable)
        return;
    compare_services(q, before, after);
    compare_nodes(q, before, after);
    compare_health(q, before, after);
    compare_probes(q, before, after);
}

bool
notify_take(struct notify *q, int64_t now_us, struct notice *out)
{
    static const int64_t spacing_us = NOTIFY_SPACING_MS * 1000;

    if (q->n == 0 || now_us < notify_due(q))
        return false;
    q->next_us = (q->next_us > now_us ? q->next_us : now_us) + spacing_us;
    *out = q->queue[q->first];
    q->first = (q->first + 1) % NOTIFY_QUEUE;
    q->n--;
    q->sent++;
    return true;
}

int64_t
notify_due(const struct notify *q)
{
    return q->n ? q->next_us - (int64_t)(NOTIFY_BURST - 1) * NOTIFY_SPACING_MS * 1000
                : INT64_MAX;
}

void
notify_show(const struct notify *q, struct snapshot *s)
{
    struct notify_row *row = snapshot_numbered(s, SNAP_NOTIFY, 0);

    row->row.known = true;
    row->sent = q->sent;
    row->dropped = q->dropped;
}
