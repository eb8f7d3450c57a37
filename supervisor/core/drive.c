/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/core/drive.h"

#include "supervisor/core/elect.h"

#include <string.h>

#define STEADY_MS 30000

struct driving { /* one look at one service */
    struct service *s;
    const struct cluster *c;
    struct mono now;
    struct mono wake; /* out */
    struct effects *out;
};

static bool
due(struct driving *d, struct mono at)
{
    if (!mono_before(d->now, at))
        return true;
    if (mono_before(at, d->wake))
        d->wake = at;
    return false;
}

static bool
we_are_active(const struct driving *d)
{
    return d->s->r.active == d->c->me;
}

/* Standbys that the set must not hold any more.  A supervisor that ended takes no
 * clone with it: its engine goes on. */
static uint64_t
gone(const struct driving *d)
{
    uint64_t there = d->c->members | d->c->process_left;

    return d->s->r.set & (d->s->p.never | ~(d->s->own.ready & there));
}

static uint64_t
to_add(const struct driving *d)
{
    uint64_t may = d->s->own.ready & cluster_answering(d->c) & ~d->s->r.set &
                   ~d->s->p.never & ~node_bit(d->c->me);

    return may & -may; /* one at a time, lowest first */
}

/* Guards of what is said. */

static bool
may_vote(struct driving *d)
{
    const struct service *s = d->s;

    return s->own.fenced == s->claim.epoch && s->own.voted < s->claim.epoch;
}

static bool
may_take(struct driving *d)
{
    const struct service *s = d->s;

    if (s->claim.node != d->c->me || !cluster_majority(d->c, s->stopped) ||
        !cluster_quorate(d->c))
        return false;
    return s->r.shut || we_are_active(d) || due(d, s->own.lease_over);
}

static bool
must_confirm(struct driving *d)
{
    const struct conduct *own = &d->s->own;

    return own->confirmed_epoch != d->s->r.epoch ||
           own->confirmed_version != d->s->r.version;
}

static bool
has_served(struct driving *d)
{
    const struct conduct *own = &d->s->own;

    return we_are_active(d) && own->served == d->s->r.epoch &&
           own->broken != d->s->r.epoch;
}

static bool
is_broken(struct driving *d)
{
    const struct conduct *own = &d->s->own;

    return we_are_active(d) && own->broken == d->s->r.epoch && !own->broken_told;
}

static bool
has_lost_clone(struct driving *d)
{
    return d->s->own.clone_gone && d->s->r.set & node_bit(d->c->me);
}

static bool
has_handed(struct driving *d)
{
    return we_are_active(d) && d->s->own.handed == d->s->r.epoch;
}

static bool
handover_failed(struct driving *d)
{
    return we_are_active(d) && d->s->own.handover_failed && d->s->order.order;
}

static bool
must_remove(struct driving *d)
{
    return we_are_active(d) && !service_outvoted(d->s) && cluster_quorate(d->c) &&
           d->s->own.engine_known && gone(d);
}

static bool
may_add(struct driving *d)
{
    const struct conduct *own = &d->s->own;

    return we_are_active(d) && !service_outvoted(d->s) && cluster_quorate(d->c) &&
           own->adding && !((d->s->r.set | own->adding) & ~own->required);
}

static bool
must_begin(struct driving *d)
{
    return we_are_active(d) && d->s->order.order && d->s->order.step == STEP_ORDERED &&
           !d->s->own.busy;
}

static bool
is_steady(struct driving *d)
{
    return we_are_active(d) && d->s->r.strikes && d->s->own.steady != d->s->r.epoch &&
           due(d, mono_add_ms(d->s->own.active_at, STEADY_MS));
}

static bool
may_claim(struct driving *d)
{
    int64_t ms = elect_delay_ms(d->s, d->c);

    return ms >= 0 && d->s->own.engine_known &&
           due(d, mono_add_ms(d->s->own.since, ms));
}

/* What is said. */

static void
vote(struct driving *d)
{
    struct conduct *own = &d->s->own;
    struct peermsg *msg = service_say(d->s, PEER_STOPPED, d->out);

    own->voted = d->s->claim.epoch;
    msg->r.epoch = own->voted;
    msg->age_us = own->acked ? mono_us_between(own->last_ack, d->now) : -1;
}

static void
take(struct driving *d)
{
    service_say(d->s, PEER_TAKING, d->out)->r.epoch = d->s->claim.epoch;
}

static void
confirm(struct driving *d)
{
    service_say(d->s, PEER_CONFIRM, d->out);
    d->s->own.confirmed_epoch = d->s->r.epoch;
    d->s->own.confirmed_version = d->s->r.version;
}

static void
say_active(struct driving *d)
{
    service_say(d->s, PEER_ACTIVE, d->out);
}

static void
say_failed(struct driving *d)
{
    struct peermsg *msg = service_say(d->s, PEER_FAILED, d->out);

    d->s->own.broken_told = true;
    msg->r.shut = d->s->own.broken_shut;
    msg->r.doubt = !d->s->own.unopened;
    memcpy(msg->text, d->s->own.text, PEER_TEXT);
}

static void
say_lost(struct driving *d)
{
    service_say(d->s, PEER_LOST, d->out);
}

static void
say_handed(struct driving *d)
{
    service_say(d->s, PEER_HANDOVER, d->out)->node = d->s->order.to;
}

static void
say_order_failed(struct driving *d)
{
    struct peermsg *msg = service_say(d->s, PEER_ORDER_DONE, d->out);

    msg->order = d->s->order.order;
    msg->reason = ORDER_HANDOVER_FAILED;
    memcpy(msg->text, d->s->own.text, PEER_TEXT);
    d->s->own.handover_failed = false;
}

static void
say_removed(struct driving *d)
{
    service_say(d->s, PEER_SET, d->out)->r.set = d->s->r.set & ~gone(d);
}

static void
say_added(struct driving *d)
{
    service_say(d->s, PEER_SET, d->out)->r.set = d->s->r.set | d->s->own.adding;
    d->s->own.adding = 0;
}

static void
begin(struct driving *d)
{
    d->s->own.handover_failed = false;
    service_say(d->s, PEER_STEP, d->out)->order = d->s->order.order;
}

static void
say_steady(struct driving *d)
{
    d->s->own.steady = d->s->r.epoch;
    service_say(d->s, PEER_STEADY, d->out);
}

static void
claim(struct driving *d)
{
    struct peermsg *msg = service_say(d->s, PEER_CLAIM, d->out);

    msg->node = d->c->me;
    msg->r.epoch = d->s->r.floor + 1;
    elect_mode(d->s, d->c, d->c->me, &msg->r.mode);
    d->s->own.since = d->now; /* if it turns out invalid, not again at once */
}

/* Guards of what is ordered from the engine. */

static bool
must_fence(struct driving *d)
{
    return d->s->own.fenced < d->s->claim.epoch;
}

/* Whoever can be elected after us knows that we may have served (see .doubt). */
static bool
may_serve(struct driving *d)
{
    return we_are_active(d) && d->s->own.ordered != d->s->r.epoch &&
           !service_outvoted(d->s) && cluster_majority(d->c, d->s->confirmed);
}

/* Nobody can use what still stands here: it makes room for a fresh start. */
static bool
must_clear(struct driving *d)
{
    return may_serve(d) && d->s->r.mode == MODE_START && d->s->own.holds;
}

/* Never what was voted against: an engine that was restarted does not remember that it
 * was fenced, and would lend its voice to the lease of before once more. */
static bool
must_follow(struct driving *d)
{
    return !we_are_active(d) && d->s->own.followed != d->s->r.epoch &&
           d->s->own.fenced <= d->s->r.epoch && !service_outvoted(d->s);
}

static bool
must_hand_over(struct driving *d)
{
    const struct service *s = d->s;

    return we_are_active(d) && s->order.order && s->order.step == STEP_HANDOVER &&
           s->own.handed != s->r.epoch && !s->own.handover_failed &&
           s->own.required == s->r.set && !gone(d);
}

/* A majority knows that the set is smaller before the engine stops waiting. */
static bool
may_shrink(struct driving *d)
{
    const struct conduct *own = &d->s->own;

    return we_are_active(d) && !own->adding && !own->pending &&
           own->required != d->s->r.set && cluster_majority(d->c, d->s->confirmed);
}

static bool
may_require(struct driving *d)
{
    const struct conduct *own = &d->s->own;

    return we_are_active(d) && !own->adding && !own->pending && !d->s->order.order &&
           own->required == d->s->r.set && !service_outvoted(d->s) &&
           cluster_quorate(d->c) && to_add(d);
}

/* What is ordered. */

static struct effect *
order(struct driving *d, enum engine_op op, uint64_t epoch, bool journaled)
{
    struct conduct *own = &d->s->own;
    struct effect *e;

    if (journaled) {
        e = effects_journal(d->out, JOURNAL_STEP, d->s->index, d->c->me);
        e->op = op;
        e->r.epoch = epoch;
        e->order = d->s->order.order;
    }
    own->busy = true;
    own->op = op;
    own->op_epoch = epoch;
    e = effects_add(d->out, DO_ENGINE, d->s->index);
    e->op = op;
    e->r.epoch = epoch;
    return e;
}

static void
fence(struct driving *d)
{
    order(d, ENGINE_FENCE, d->s->claim.epoch, false);
}

static void
serve(struct driving *d)
{
    d->s->own.ordered = d->s->r.epoch;
    d->s->own.required = d->s->own.ready = d->s->own.adding = 0;
    order(d, (enum engine_op)d->s->r.mode, d->s->r.epoch, true)->node = d->s->own.from;
}

static void
clear(struct driving *d)
{
    order(d, ENGINE_STOP, d->s->r.epoch, true);
}

static void
follow(struct driving *d)
{
    order(d, ENGINE_FOLLOW, d->s->r.epoch, false)->node = d->s->r.active;
}

static void
hand(struct driving *d)
{
    order(d, ENGINE_HANDOVER, d->s->r.epoch, true)->node = d->s->order.to;
}

static void
require(struct driving *d, uint64_t set)
{
    d->s->own.op_set = set;
    order(d, ENGINE_SET, d->s->r.epoch, true)->r.set = set;
    d->out->v[d->out->n - 2].r.set = set; /* the journal row before it */
}

static void
shrink(struct driving *d)
{
    require(d, d->s->r.set);
}

static void
add(struct driving *d)
{
    d->s->own.adding = to_add(d);
    require(d, d->s->r.set | d->s->own.adding);
}

#define ANY SERVICE_NSTATES

struct rule {
    enum service_state in;
    bool (*when)(struct driving *);
    void (*act)(struct driving *);
};

/* clang-format off */
/* What this node says next.  First rule that matches fires. */
static const struct rule sayings[] = {
    /* in state        when             say */
    { SERVICE_CLAIMED, may_vote,        vote },
    { SERVICE_CLAIMED, may_take,        take },
    { SERVICE_TAKING,  must_confirm,    confirm },
    { SERVICE_ACTIVE,  must_confirm,    confirm },
    { SERVICE_TAKING,  is_broken,       say_failed },
    { SERVICE_ACTIVE,  is_broken,       say_failed },
    { SERVICE_CLAIMED, is_broken,       say_failed },
    { SERVICE_TAKING,  has_served,      say_active },
    { ANY,             has_lost_clone,  say_lost },
    { SERVICE_ACTIVE,  has_handed,      say_handed },
    { SERVICE_ACTIVE,  handover_failed, say_order_failed },
    { SERVICE_ACTIVE,  must_remove,     say_removed },
    { SERVICE_ACTIVE,  may_add,         say_added },
    { SERVICE_ACTIVE,  must_begin,      begin },
    { SERVICE_ACTIVE,  is_steady,       say_steady },
    { ANY,             may_claim,       claim },
};

/* What this node's engine is ordered next. */
static const struct rule orders[] = {
    /* in state        when             order */
    { SERVICE_CLAIMED, must_fence,      fence },
    { SERVICE_TAKING,  must_clear,      clear },
    { SERVICE_TAKING,  may_serve,       serve },
    { SERVICE_ACTIVE,  must_follow,     follow },
    { SERVICE_ACTIVE,  must_hand_over,  hand },
    { SERVICE_ACTIVE,  may_shrink,      shrink },
    { SERVICE_ACTIVE,  may_require,     add },
};
/* clang-format on */

static void
fire(struct driving *d, const struct rule *rules, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (rules[i].in != ANY && rules[i].in != d->s->state)
            continue;
        if (!rules[i].when(d))
            continue;
        rules[i].act(d);
        return;
    }
}

struct mono
drive_next(
    struct service *s, const struct cluster *c, struct mono now, struct effects *out)
{
    struct driving d = { s, c, now, { INT64_MAX }, out };

    if (!c->ready)
        return d.wake;
    if (!(s->r.set & node_bit(c->me)))
        s->own.clone_gone = false;
    if (!s->own.pending)
        fire(&d, sayings, sizeof sayings / sizeof sayings[0]);
    if (!s->own.pending)
        errand_say(s, c, out);
    if (!s->own.busy && s->own.engine_known && due(&d, s->own.retry))
        fire(&d, orders, sizeof orders / sizeof orders[0]);
    if (!s->own.busy && s->own.engine_known && due(&d, s->own.retry))
        errand_order(s, c, out);
    return d.wake;
}
