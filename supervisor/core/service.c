/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * service.c - what a node knows of a service: merged, told, promised.  How it changes
 * by what is delivered is in service_rules.c. */
#include "supervisor/core/service_private.h"

void
service_init(struct service *s, unsigned index, uint32_t key, const struct placement *p,
    int64_t lease_ms, const struct reign *recorded, const struct wish *wish)
{
    *s = (struct service){ .index = index, .key = key, .p = *p };
    s->lease_us = lease_ms * 1000;
    s->margin_us = s->lease_us / 20 + 5000; /* 5 %: far beyond any crystal */
    s->r = *recorded;
    s->state = s->r.phase;
    s->prospect.health = HEALTH_UNKNOWN;
    s->prospect.load = -1;
    s->own.voted = s->r.floor;
    s->own.durable = s->r;
    s->wish = (struct wishes){ .w = *wish, .durable = *wish };
    s->own.ordered = s->r.epoch; /* nobody remembers that it was not: be sure */
}

bool
service_outvoted(const struct service *s)
{
    return s->r.floor > s->r.epoch;
}

static bool
newer(uint64_t epoch, uint32_t version, uint64_t than_epoch, uint32_t than_version)
{
    return epoch > than_epoch || (epoch == than_epoch && version > than_version);
}

/* Equal ones differ by what is not counted as a change: a clone that was lost, gates
 * that turned out to be shut.  Or the active node crashed before it heard of its own
 * last change, and counted its fall in the place of that one: it has fallen. */
static void
merge_equal(struct reign *into, const struct reign *r)
{
    struct reign both = r->phase == SERVICE_DOWN ? *r : *into;

    both.set = into->set & r->set;
    both.shut = into->shut | r->shut;
    both.doubt = into->doubt | r->doubt;
    both.strikes = into->strikes > r->strikes ? into->strikes : r->strikes;
    *into = both;
}

/* The newer record wins. */
static void
merge(struct reign *into, const struct reign *r)
{
    uint64_t floor = into->floor > r->floor ? into->floor : r->floor;

    if (newer(r->epoch, r->version, into->epoch, into->version))
        *into = *r;
    else if (r->epoch == into->epoch && r->version == into->version)
        merge_equal(into, r);
    into->floor = floor;
}

/* What this node has promised must survive it; a record that is older than what is
 * on disk (others merged without us) must not replace it. */
void
service_persist(struct service *s, struct effects *out)
{
    merge(&s->own.durable, &s->r);
    effects_add(out, DO_PERSIST, s->index)->r = s->own.durable;
}

struct effect *
service_journal(
    struct service *s, enum journal_kind kind, unsigned node, struct effects *out)
{
    struct effect *e = effects_journal(out, kind, s->index, node);

    e->r = s->r;
    return e;
}

struct peermsg *
service_say(struct service *s, enum peer_kind kind, struct effects *out)
{
    struct peermsg *msg = &effects_add(out, DO_BROADCAST, s->index)->msg;

    msg->kind = kind;
    msg->service = s->key;
    msg->r.epoch = s->r.epoch;
    msg->r.version = s->r.version;
    s->own.pending = true;
    return msg;
}

void
service_sync(struct service *s, const struct cluster *c, struct effects *out)
{
    struct peermsg *msg = &effects_add(out, DO_BROADCAST, s->index)->msg;

    msg->kind = PEER_SYNC;
    msg->service = s->key;
    msg->view = c->view;
    msg->value = c->round;
    msg->r =
        s->own.durable; /* others may have merged without us: see service_persist() */
    if (s->own.voted > msg->r.floor)
        msg->r.floor = s->own.voted;
}

void
service_drop_claim(struct service *s)
{
    s->claim = (struct claim){ 0 };
    s->stopped = 0;
}

void
service_view(
    struct service *s, const struct cluster *c, struct mono now, struct effects *out)
{
    if (s->order.order && s->order.step < STEP_TAKEOVER)
        switchover_end(&s->order, ORDER_MEMBERSHIP, NULL, s->index, s->r.epoch, out);
    errand_end(s, ORDER_MEMBERSHIP, NULL, 0, out);
    service_drop_claim(s);
    s->state = s->r.phase;
    s->merged = (struct reign){ 0 };
    s->confirmed = 0;
    s->own.adding = 0;
    s->own.confirmed_epoch = 0;
    s->own.broken_told = false;
    s->own.since = now;
    if (!c->view)
        s->own.pending = false; /* out of the group: nothing comes back */
    else
        service_sync(s, c, out);
    wish_view(&s->wish, c->view, c->round, s->key, s->index, out);
}

/* It serves: the order that led there has ended, wherever that is. */
void
service_end_takeover(struct service *s, struct effects *out)
{
    enum order_reason reason = s->r.active == s->order.to     ? ORDER_OK
                               : s->r.active == s->order.from ? ORDER_RESUMED
                                                              : ORDER_ELSEWHERE;

    if (s->r.phase == SERVICE_ACTIVE && s->order.step == STEP_TAKEOVER)
        switchover_end(&s->order, reason, NULL, s->index, s->r.epoch, out);
}

void
service_merge(
    struct service *s, const struct cluster *c, struct mono now, struct effects *out)
{
    (void)c;
    s->r = s->merged;
    s->state = s->r.phase;
    s->own.since = now;
    service_persist(s, out);
    service_end_takeover(s, out); /* others have seen the end of it */
    wish_merge(&s->wish, s->index, out);
}

/* A record that comes after the others were merged: of a supervisor that was silent. */
void
service_take_record(struct service *s, const struct cluster *c,
    const struct peermsg *msg, struct mono now, struct effects *out)
{
    struct reign was = s->r;

    if (!cluster_of_round(c, msg))
        return;
    merge(&s->merged, &msg->r);
    if (!c->ready)
        return;
    merge(&s->r, &msg->r);
    if (newer(s->r.epoch, s->r.version, was.epoch, was.version) ||
        s->r.floor != was.floor) {
        service_drop_claim(s);
        s->state = s->r.phase;
        s->confirmed = 0;
        s->own.confirmed_epoch = 0;
        s->own.since = now;
    }
    service_persist(s, out);
    service_end_takeover(s, out);
}
