/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/core/member.h"

#include <assert.h>
#include <string.h>

void
member_init(struct member *m, unsigned me, uint64_t all)
{
    m->nservices = 0;
    m->armed = (struct mono){ INT64_MAX };
    cluster_init(&m->cluster, me, all);
}

void
member_add(struct member *m, uint32_t key, unsigned preferred, int64_t lease_ms,
    const struct reign *recorded)
{
    assert(m->nservices < MEMBER_MAX_SERVICES);
    service_init(
        &m->services[m->nservices], m->nservices, key, preferred, lease_ms, recorded);
    m->nservices++;
}

static void
on_view(struct member *m, const struct member_event *ev, struct effects *out)
{
    cluster_view(&m->cluster, ev->view, ev->members, ev->process_left, ev->now, out);
    for (unsigned i = 0; i < m->nservices; i++)
        service_view(&m->services[i], &m->cluster, ev->now, out);
    if (ev->view)
        cluster_sync_end(&m->cluster, out);
}

/* An order to the active's supervisor cannot be carried out by one that is silent. */
static void
end_silent_orders(struct member *m, unsigned node, struct effects *out)
{
    for (unsigned i = 0; i < m->nservices; i++) {
        struct service *s = &m->services[i];

        if (s->order.order && s->order.step == STEP_ORDERED && s->order.from == node)
            switchover_end(&s->order, ORDER_SILENT, NULL, i, s->r.epoch, out);
    }
}

static void
refuse_order(const struct peermsg *msg, unsigned me, unsigned service,
    enum order_reason reason, struct effects *out)
{
    struct effect *e;

    if (msg->from != me)
        return;
    e = effects_add(out, DO_ORDER, service);
    e->step = STEP_FAILED;
    e->reason = reason;
    e->token = msg->order;
    e->node = msg->node;
}

static void
on_message(struct member *m, const struct member_event *ev, struct effects *out)
{
    const struct peermsg *msg = &ev->msg;
    struct cluster *c = &m->cluster;

    if (!(c->members & node_bit(msg->from)))
        return;
    if (!msg->service) {
        if (cluster_heard(c, msg, ev->now, out))
            for (unsigned i = 0; i < m->nservices; i++) {
                service_merge(&m->services[i], c, ev->now, out);
                heed_recheck(&m->services[i], c, out);
            }
        if (msg->kind == PEER_SUSPECT)
            end_silent_orders(m, msg->node, out);
        return;
    }
    for (unsigned i = 0; i < m->nservices; i++) {
        if (m->services[i].key != msg->service)
            continue;
        if (msg->kind == PEER_ORDER && !c->ready)
            refuse_order(msg, c->me, i, ORDER_MEMBERSHIP, out);
        else
            service_deliver(&m->services[i], c, msg, ev->now, out);
        if (msg->kind == PEER_SYNC && c->ready)
            heed_recheck(&m->services[i], c, out);
    }
}

static void
on_engine(struct member *m, const struct member_event *ev, struct effects *out)
{
    struct cluster *c = &m->cluster;

    if (c->own_engine != ev->on)
        effects_journal(
            out, ev->on ? JOURNAL_ENGINE_UP : JOURNAL_ENGINE_DOWN, NO_SERVICE, c->me);
    c->own_engine = ev->on;
    for (unsigned i = 0; i < m->nservices; i++) {
        if (ev->on)
            m->services[i].own.busy = false; /* it knows of no order under way */
        else
            heed_gone(&m->services[i], c);
    }
    cluster_beat(c, out);
}

/* What can be seen here is refused here; the rest is decided where it is delivered. */
static void
on_order(struct member *m, const struct member_event *ev, struct effects *out)
{
    struct service *s = &m->services[ev->service];
    struct peermsg ask = { .kind = PEER_ORDER,
        .from = m->cluster.me,
        .service = s->key,
        .node = ev->node,
        .order = ev->token };
    unsigned to = ev->node;
    enum order_reason reason = switchover_check(
        &s->order, &m->cluster, &s->r, service_outvoted(s), s->preferred, &to);

    if (reason != ORDER_OK) {
        refuse_order(&ask, m->cluster.me, ev->service, reason, out);
        out->v[out->n - 1].order = s->order.order;
        return;
    }
    if (ev->text)
        memcpy(ask.text, ev->text, strnlen(ev->text, PEER_TEXT - 1));
    effects_add(out, DO_BROADCAST, ev->service)->msg = ask;
}

static void
take_in(struct member *m, const struct member_event *ev, struct effects *out)
{
    struct cluster *c = &m->cluster;
    struct service *s = &m->services[ev->service];

    switch (ev->kind) {
    case MEMBER_VIEW:
        on_view(m, ev, out);
        break;
    case MEMBER_MESSAGE:
        on_message(m, ev, out);
        break;
    case MEMBER_QUORUM:
        c->own_quorum = ev->on;
        c->process_left &= ev->members; /* the whole node went down after it */
        cluster_beat(c, out);
        break;
    case MEMBER_HEALTH:
        if (c->own_health != ev->health) {
            c->own_health = ev->health;
            cluster_beat(c, out);
        }
        break;
    case MEMBER_ENGINE:
        on_engine(m, ev, out);
        break;
    case MEMBER_REPORT:
        heed_report(s, c, &ev->report, ev->now, out);
        break;
    case MEMBER_ANSWER:
        heed_answer(s, c, &ev->answer, ev->now, out);
        break;
    case MEMBER_STANDBY:
        heed_standby(s, ev->epoch, ev->node, ev->on);
        break;
    case MEMBER_FAILED:
        heed_failed(s, c, ev->epoch, ev->text);
        break;
    case MEMBER_ORDER:
        on_order(m, ev, out);
        break;
    case MEMBER_TICK:
    case MEMBER_NKINDS:
        break;
    }
}

void
member_step(struct member *m, const struct member_event *ev, struct effects *out)
{
    struct mono next;

    assert(ev->service < MEMBER_MAX_SERVICES);
    out->n = 0;
    take_in(m, ev, out);
    next = cluster_tick(&m->cluster, ev->now, out);
    for (unsigned i = 0; i < m->nservices; i++) {
        struct mono at = drive_next(&m->services[i], &m->cluster, ev->now, out);

        if (mono_before(at, next))
            next = at;
    }
    if (next.us != m->armed.us || ev->kind == MEMBER_TICK) {
        effects_add(out, DO_ARM, NO_SERVICE)->at = next;
        m->armed = next;
    }
}

const char *
member_event_name(enum member_event_kind kind)
{
    static const char *const names[] = { "view", "message", "quorum", "health", "tick",
        "engine", "report", "answer", "standby", "failed", "order" };

    _Static_assert(sizeof names / sizeof names[0] == MEMBER_NKINDS, "a name for each");
    return names[kind];
}
