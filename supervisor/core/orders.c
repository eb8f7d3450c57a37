/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/core/orders.h"

#include "supervisor/core/member.h"

#include <string.h>

struct ordering { /* one order at its delivery */
    struct member *m;
    const struct peermsg *msg;
    struct service *s; /* or NULL */
    uint64_t order;
    struct effects *out;
    bool runs; /* out: it is not done yet */
};

static uint64_t
mark_of(const struct peermsg *msg, unsigned service)
{
    return service == NO_SERVICE ? node_bit(msg->node) : 1;
}

static bool
is_marked(const struct member *m, const struct peermsg *msg, unsigned service)
{
    const struct wish *w = service == NO_SERVICE ? &m->cluster.wish.w
                                                 : &m->services[service].wish.w;
    uint64_t marks = msg->what == WHAT_FREEZE ? w->frozen : w->maintained;

    return marks & mark_of(msg, service);
}

/* Planned moves go one after the other: each changes what the next would look like.
 * Only what is agreed is looked at: who joined in the middle of a move does not know
 * the order, but has the record. */
static bool
is_busy(const struct member *m, const struct peermsg *msg)
{
    for (unsigned i = 0; i < m->nservices && msg->why != WHY_OPERATOR; i++) {
        const struct service *s = &m->services[i];

        if ((s->order.order && s->order.step < STEP_TAKEOVER) ||
            s->r.phase == SERVICE_TAKING || (s->r.phase == SERVICE_DOWN && s->r.kept))
            return true;
    }
    return false;
}

static enum order_reason
check_state(const struct member *m, const struct peermsg *msg, unsigned service)
{
    bool drained = m->cluster.wish.w.drained & node_bit(msg->node);

    switch (msg->what) {
    case WHAT_DRAIN:
        return drained ? ORDER_ALREADY : ORDER_OK;
    case WHAT_RESUME:
        return drained ? ORDER_OK : ORDER_ALREADY;
    case WHAT_MAINTENANCE:
    case WHAT_FREEZE:
        return is_marked(m, msg, service) == !!msg->value ? ORDER_ALREADY : ORDER_OK;
    case WHAT_POLICY:
    case WHAT_INTERVAL:
    case WHAT_CHECKPOINT:
        return errand_check(&m->services[service], &m->cluster, msg);
    default:
        return ORDER_OK;
    }
}

enum order_reason
orders_check(const struct member *m, const struct peermsg *msg, unsigned service,
    uint64_t *running)
{
    const struct service *s = service == NO_SERVICE ? NULL : &m->services[service];
    unsigned to = msg->node;

    *running = 0;
    if (!cluster_quorate(&m->cluster))
        return ORDER_NO_QUORUM;
    if (msg->what != WHAT_SWITCHOVER) {
        *running = s ? s->errand.order : 0;
        return check_state(m, msg, service);
    }
    *running = s->order.order;
    return is_busy(m, msg) ? ORDER_BUSY
                           : switchover_check(s, &m->cluster, msg->why, &to);
}

static struct effect *
tell(const struct peermsg *msg, unsigned service, enum switchover_step step,
    struct effects *out)
{
    struct effect *e = effects_add(out, DO_ORDER, service);

    e->step = step;
    e->node = msg->node;
    e->msg = *msg;
    return e;
}

void
orders_refuse(const struct peermsg *msg, unsigned me, unsigned service,
    enum order_reason reason, uint64_t running, struct effects *out)
{
    struct effect *e;

    if (msg->from != me)
        return;
    e = tell(msg, service, STEP_FAILED, out);
    e->reason = reason;
    e->token = msg->order;
    if (reason == ORDER_RUNNING)
        e->order = running;
}

/* What each kind does. */

static struct wishes *
wishes_of(struct ordering *o)
{
    return o->s ? &o->s->wish : &o->m->cluster.wish;
}

static void
changed(struct ordering *o)
{
    wish_changed(wishes_of(o), o->msg->from, o->s ? o->s->index : NO_SERVICE, o->out);
}

static void
drain(struct ordering *o)
{
    o->m->cluster.wish.w.drained |= node_bit(o->msg->node);
    o->m->cluster.drain_order[o->msg->node] = o->order;
    o->runs = true;
    changed(o);
}

static void
end_drain(
    struct member *m, unsigned node, enum order_reason reason, struct effects *out)
{
    struct cluster *c = &m->cluster;
    bool ok = reason == ORDER_OK;
    struct effect *e = effects_journal(
        out, ok ? JOURNAL_ORDER_DONE : JOURNAL_ORDER_FAILED, NO_SERVICE, node);

    e->order = c->drain_order[node];
    e->reason = reason;
    e->msg.what = WHAT_DRAIN;
    out->v[out->n] = *e; /* the same to who asked */
    out->v[out->n].what = DO_ORDER;
    out->v[out->n++].step = ok ? STEP_DONE : STEP_FAILED;
    c->drain_order[node] = 0;
}

static void
resume(struct ordering *o)
{
    if (o->m->cluster.drain_order[o->msg->node])
        end_drain(o->m, o->msg->node, ORDER_UNDONE, o->out);
    o->m->cluster.wish.w.drained &= ~node_bit(o->msg->node);
    changed(o);
}

static void
mark(struct ordering *o)
{
    struct wish *w = &wishes_of(o)->w;
    uint64_t *marks = o->msg->what == WHAT_FREEZE ? &w->frozen : &w->maintained;
    uint64_t bit = mark_of(o->msg, o->s ? o->s->index : NO_SERVICE);

    *marks = o->msg->value ? *marks | bit : *marks & ~bit;
    changed(o);
}

static void
send(struct ordering *o)
{
    o->runs = !errand_take(o->s, o->msg, o->order, o->out);
}

static void
clear(struct ordering *o)
{
    struct wish *w = &o->s->wish.w;

    for (unsigned n = 1; n <= PEER_MAX_NODE; n++) {
        if (o->msg->node && o->msg->node != n)
            continue;
        w->fails[n] = 0;
        w->held &= ~node_bit(n);
    }
    changed(o);
}

static void (*const acts[WHAT_N])(struct ordering *) = {
    [WHAT_DRAIN] = drain,
    [WHAT_RESUME] = resume,
    [WHAT_MAINTENANCE] = mark,
    [WHAT_FREEZE] = mark,
    [WHAT_POLICY] = send,
    [WHAT_INTERVAL] = send,
    [WHAT_CHECKPOINT] = send,
    [WHAT_CLEAR] = clear,
};

static void
begin(struct ordering *o, unsigned service)
{
    struct effect *e = effects_journal(o->out, JOURNAL_ORDER, service, o->msg->node);

    e->order = o->order;
    e->r.epoch = o->s ? o->s->r.epoch : 0;
    e->msg = *o->msg;
    acts[o->msg->what](o);
    e = tell(o->msg, service, o->runs ? STEP_ORDERED : STEP_DONE, o->out);
    e->order = o->order;
    e->token = o->msg->from == o->m->cluster.me ? o->msg->order : 0;
}

void
orders_take(
    struct member *m, const struct peermsg *msg, unsigned service, struct effects *out)
{
    struct service *s = service == NO_SERVICE ? NULL : &m->services[service];
    struct ordering o = { .m = m, .msg = msg, .s = s, .out = out };
    enum order_reason reason;
    uint64_t running;

    reason = m->cluster.ready ? orders_check(m, msg, service, &running)
                              : ORDER_MEMBERSHIP;
    if (reason != ORDER_OK) {
        orders_refuse(msg, m->cluster.me, service, reason, running, out);
        return;
    }
    if (msg->what == WHAT_SWITCHOVER) {
        switchover_take(s, &m->cluster, msg, out);
        return;
    }
    o.order = ++m->cluster.orders;
    begin(&o, service);
}

unsigned
orders_left(const struct member *m, unsigned node)
{
    unsigned left = 0;

    for (unsigned i = 0; i < m->nservices; i++) {
        const struct reign *r = &m->services[i].r;

        left += (r->active == node &&
                    (r->phase == SERVICE_ACTIVE || r->phase == SERVICE_TAKING)) ||
                (r->phase == SERVICE_DOWN && r->kept == node);
    }
    return left;
}

void
orders_settle(struct member *m, struct effects *out)
{
    for (unsigned n = 1; m->cluster.ready && n <= PEER_MAX_NODE; n++)
        if (m->cluster.drain_order[n] && !orders_left(m, n))
            end_drain(m, n, ORDER_OK, out);
}
