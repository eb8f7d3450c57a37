/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/core/member.h"

#include <assert.h>
#include <string.h>

void
member_init(struct member *m, unsigned me, uint64_t all, const struct plan_conf *plan,
    const struct wish *wish)
{
    m->nservices = 0;
    m->plan = (struct plan){ .conf = *plan };
    m->fencing = (struct fencing){ 0 };
    m->armed = (struct mono){ INT64_MAX };
    cluster_init(&m->cluster, me, all);
    m->cluster.wish = (struct wishes){ .w = *wish, .durable = *wish };
}

void
member_add(struct member *m, uint32_t key, const struct placement *p, int64_t lease_ms,
    const struct reign *recorded, const struct wish *wish)
{
    assert(m->nservices < MEMBER_MAX_SERVICES);
    service_init(
        &m->services[m->nservices], m->nservices, key, p, lease_ms, recorded, wish);
    m->nservices++;
}

/* The cluster's part is done: all that this member has is sent. */
static void
begin_round(struct member *m, struct mono now, struct effects *out)
{
    struct cluster *c = &m->cluster;

    wish_view(&c->wish, c->view, c->round, 0, NO_SERVICE, out);
    m->plan.asked = false; /* it may never come back */
    for (unsigned i = 0; i < m->nservices; i++)
        service_view(&m->services[i], c, now, out);
    if (c->view)
        cluster_sync_end(c, out);
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

static unsigned
find_service(const struct member *m, uint32_t key)
{
    for (unsigned i = 0; i < m->nservices; i++)
        if (m->services[i].key == key)
            return i;
    return NO_SERVICE;
}

static void
on_wish(
    struct member *m, const struct peermsg *msg, unsigned service, struct effects *out)
{
    struct wishes *w = msg->service ? &m->services[service].wish : &m->cluster.wish;

    if (cluster_of_round(&m->cluster, msg))
        wish_heard(w, &msg->w, m->cluster.ready, service, out);
}

static void
merge_all(struct member *m, struct mono now, struct effects *out)
{
    struct cluster *c = &m->cluster;

    wish_merge(&c->wish, NO_SERVICE, out);
    for (unsigned i = 0; i < m->nservices; i++) {
        service_merge(&m->services[i], c, now, out);
        heed_recheck(&m->services[i], c, out);
    }
}

/* Drain, resume: a node.  Maintenance, freeze: a node, a service or the cluster. */
static bool
is_whole(const struct member *m, const struct peermsg *msg, unsigned service)
{
    bool of_service = service != NO_SERVICE;

    if (msg->node && !(m->cluster.all & node_bit(msg->node)))
        return false;
    if (msg->what == WHAT_DRAIN || msg->what == WHAT_RESUME)
        return msg->node && !of_service;
    if (msg->what == WHAT_MAINTENANCE || msg->what == WHAT_FREEZE)
        return !of_service || !msg->node;
    return of_service;
}

static void
on_order_heard(struct member *m, const struct member_event *ev, unsigned service,
    struct effects *out)
{
    plan_heard(m, &ev->msg, ev->now);
    if (is_whole(m, &ev->msg, service))
        orders_take(m, &ev->msg, service, out);
}

static void
on_message(struct member *m, const struct member_event *ev, struct effects *out)
{
    const struct peermsg *msg = &ev->msg;
    struct cluster *c = &m->cluster;
    unsigned i = msg->service ? find_service(m, msg->service) : NO_SERVICE;

    if (!(c->members & node_bit(msg->from)))
        return;
    if (cluster_anew(c, msg, ev->now, out))
        begin_round(m, ev->now, out);
    cluster_record(c, msg);
    if (msg->service && i == NO_SERVICE)
        return;
    if (msg->kind == PEER_WISH)
        on_wish(m, msg, i, out);
    else if (msg->kind == PEER_ORDER)
        on_order_heard(m, ev, i, out);
    else if (msg->service) {
        service_deliver(&m->services[i], c, msg, ev->now, out);
        if (msg->kind == PEER_SYNC && c->ready)
            heed_recheck(&m->services[i], c, out);
    } else if (cluster_heard(c, msg, ev->now, out))
        merge_all(m, ev->now, out);
    if (msg->kind == PEER_SUSPECT)
        end_silent_orders(m, msg->node, out);
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
    struct peermsg ask = ev->msg;
    enum order_reason reason;
    uint64_t running;

    ask.kind = PEER_ORDER;
    ask.from = m->cluster.me;
    ask.service = ev->service == NO_SERVICE ? 0 : m->services[ev->service].key;
    ask.node = ev->node;
    ask.order = ev->token;
    if (ev->text)
        memcpy(ask.text, ev->text, strnlen(ev->text, PEER_TEXT - 1));
    if (!is_whole(m, &ask, ev->service))
        return;
    reason = orders_check(m, &ask, ev->service, &running);
    if (reason == ORDER_OK)
        effects_add(out, DO_BROADCAST, ev->service)->msg = ask;
    else
        orders_refuse(&ask, m->cluster.me, ev->service, reason, running, out);
}

static void
on_load(struct member *m, const struct member_event *ev)
{
    if (ev->service == NO_SERVICE) {
        m->cluster.load[ev->node] = ev->load < 0 ? 0 : ev->load;
        return;
    }
    m->services[ev->service].prospect.load = ev->load;
    m->services[ev->service].prospect.health = ev->health;
}

static void
on_quorum(struct cluster *c, const struct member_event *ev, struct effects *out)
{
    c->own_quorum = ev->on;
    c->process_left &= ev->members; /* the whole node went down after it */
    cluster_beat(c, out);
}

static void
on_health(struct cluster *c, const struct member_event *ev, struct effects *out)
{
    if (c->own_health == ev->health)
        return;
    c->own_health = ev->health;
    cluster_beat(c, out);
}

/* What this node's engine says of a service. */
static void
on_service(struct member *m, const struct member_event *ev, struct effects *out)
{
    struct cluster *c = &m->cluster;
    struct service *s = &m->services[ev->service];

    if (ev->kind == MEMBER_REPORT)
        heed_report(s, c, &ev->report, ev->now, out);
    else if (ev->kind == MEMBER_ANSWER)
        heed_answer(s, c, &ev->answer, ev->now, out);
    else if (ev->kind == MEMBER_STANDBY)
        heed_standby(s, ev->epoch, ev->node, ev->on);
    else
        heed_failed(s, c, ev->epoch, ev->text);
}

static void
take_in(struct member *m, const struct member_event *ev, struct effects *out)
{
    struct cluster *c = &m->cluster;

    switch (ev->kind) {
    case MEMBER_VIEW:
        cluster_view(c, ev->view, ev->members, ev->process_left, ev->now, out);
        begin_round(m, ev->now, out);
        break;
    case MEMBER_MESSAGE:
        on_message(m, ev, out);
        break;
    case MEMBER_QUORUM:
        on_quorum(c, ev, out);
        break;
    case MEMBER_HEALTH:
        on_health(c, ev, out);
        break;
    case MEMBER_ENGINE:
        on_engine(m, ev, out);
        break;
    case MEMBER_REPORT:
    case MEMBER_ANSWER:
    case MEMBER_STANDBY:
    case MEMBER_FAILED:
        on_service(m, ev, out);
        break;
    case MEMBER_ORDER:
        on_order(m, ev, out);
        break;
    case MEMBER_FENCED:
        fencing_ended(&m->fencing, c, ev->node, ev->on, ev->text, ev->now, out);
        break;
    case MEMBER_LOAD:
        on_load(m, ev);
        break;
    case MEMBER_DEVICE:
        arbiter_device(&c->arbiter, ev->on, ev->now);
        break;
    case MEMBER_TICK:
    case MEMBER_NKINDS:
        break;
    }
}

static bool
serves(const struct member *m)
{
    for (unsigned i = 0; i < m->nservices; i++)
        if (m->services[i].r.phase == SERVICE_ACTIVE &&
            m->services[i].r.active == m->cluster.me)
            return true;
    return false;
}

/* The device's word is as good as a fence agent's: the other does nothing more that
 * needs a majority. */
static void
arbitrate(
    struct member *m, enum arbiter_state was, struct mono now, struct effects *out)
{
    struct cluster *c = &m->cluster;
    bool won = arbiter_look(&c->arbiter, now);
    struct peermsg *msg;
    unsigned other = 1;

    while (other < PEER_MAX_NODE && !(c->all & ~node_bit(c->me) & node_bit(other)))
        other++;
    if (c->arbiter.state == ARBITER_LOST && was != ARBITER_LOST)
        effects_journal(out, JOURNAL_DEVICE_LOST, NO_SERVICE, other);
    if (!won)
        return;
    effects_journal(out, JOURNAL_DEVICE_WON, NO_SERVICE, other);
    msg = &effects_add(out, DO_BROADCAST, NO_SERVICE)->msg;
    msg->kind = PEER_FENCED;
    msg->node = other;
}

void
member_step(struct member *m, const struct member_event *ev, struct effects *out)
{
    enum arbiter_state was = m->cluster.arbiter.state;
    struct mono next, at;

    assert(ev->service < MEMBER_MAX_SERVICES || ev->service == NO_SERVICE);
    out->n = 0;
    take_in(m, ev, out);
    orders_settle(m, out);
    place_look(m->services, m->nservices, &m->cluster);
    next = cluster_tick(&m->cluster, ev->now, out);
    arbitrate(m, was, ev->now, out);
    for (unsigned i = 0; i < m->nservices; i++) {
        at = drive_next(&m->services[i], &m->cluster, ev->now, out);
        if (mono_before(at, next))
            next = at;
    }
    at = fencing_next(&m->fencing, &m->cluster, serves(m), ev->now, out);
    if (mono_before(at, next))
        next = at;
    at = plan_next(m, ev->now, out);
    if (mono_before(at, next))
        next = at;
    if (next.us != m->armed.us || ev->kind == MEMBER_TICK) {
        effects_add(out, DO_ARM, NO_SERVICE)->at = next;
        m->armed = next;
    }
}

const char *
member_event_name(enum member_event_kind kind)
{
    static const char *const names[] = { "view", "message", "quorum", "health", "tick",
        "engine", "report", "answer", "standby", "failed", "order", "fenced", "device",
        "load" };

    _Static_assert(sizeof names / sizeof names[0] == MEMBER_NKINDS, "a name for each");
    return names[kind];
}
