/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * service_rules.c - what a message that is delivered does to a service: one table. */
#include "supervisor/core/service_private.h"

#include "supervisor/core/elect.h"

#include <string.h>

/* Guards: may this rule fire? */

struct delivery {
    struct service *s;
    struct cluster *c;
    const struct peermsg *msg;
    struct mono now;
    struct effects *out;
};

static bool
valid(const struct delivery *d)
{
    return elect_valid(d->s, d->c, d->msg);
}

static bool
for_claim(const struct delivery *d)
{
    return d->msg->r.epoch == d->s->claim.epoch;
}

static bool
by_claimant(const struct delivery *d)
{
    return for_claim(d) && d->msg->from == d->s->claim.node;
}

static bool
won(const struct delivery *d)
{
    return by_claimant(d) && cluster_quorate(d->c) &&
           cluster_majority(d->c, d->s->stopped);
}

static bool
by_active(const struct delivery *d)
{
    return d->msg->from == d->s->r.active && d->msg->r.epoch == d->s->r.epoch;
}

/* ... to one who can take it over at once. */
static bool
to_successor(const struct delivery *d)
{
    enum peer_mode mode;

    return by_active(d) && d->s->order.order && d->msg->node && cluster_quorate(d->c) &&
           elect_mode(d->s, d->c, d->msg->node, &mode) && mode == MODE_TAKEOVER;
}

static bool
changes_set(const struct delivery *d)
{
    return by_active(d) && d->msg->r.version == d->s->r.version &&
           !service_outvoted(d->s) && cluster_quorate(d->c);
}

static bool
of_record(const struct delivery *d)
{
    return d->msg->r.epoch == d->s->r.epoch && d->msg->r.version == d->s->r.version;
}

static bool
of_order(const struct delivery *d)
{
    return by_active(d) && d->s->order.order && d->msg->order == d->s->order.order;
}

/* Actions: the record or the wishes change, what follows from it is said. */

static void
changed(struct delivery *d)
{
    d->s->r.version++;
    d->s->confirmed = 0;
    d->s->own.since = d->now;
    service_persist(d->s, d->out);
}

static void
adopt_claim(struct delivery *d)
{
    struct service *s = d->s;

    if (s->order.order && s->order.step < STEP_TAKEOVER)
        switchover_end(
            &s->order, ORDER_SERVICE_FAILED, NULL, s->index, s->r.epoch, d->out);
    s->claim = (struct claim){ d->msg->r.epoch, d->msg->node, d->msg->r.mode };
    s->stopped = 0;
    s->r.floor = d->msg->r.epoch;
    s->own.since = s->own.lease_over = d->now;
    service_persist(s, d->out);
    service_journal(s, JOURNAL_CLAIM, d->msg->node, d->out)->r.epoch = d->msg->r.epoch;
    d->out->v[d->out->n - 1].r.mode = d->msg->r.mode;
    if (d->msg->r.mode == MODE_START && s->r.epoch)
        service_journal(s, JOURNAL_CONTEXT_LOST, d->msg->node, d->out);
}

/* The beat that a lease stands on was acknowledged by a majority; each of them that
 * has stopped bounds when.  Only the claimant needs the sum. */
static void
count_vote(struct delivery *d)
{
    struct service *s = d->s;
    struct mono over;

    s->stopped |= node_bit(d->msg->from);
    if (d->msg->age_us < 0)
        return;
    over = mono_add_us(d->now, s->lease_us + s->margin_us - d->msg->age_us);
    if (mono_before(s->own.lease_over, over))
        s->own.lease_over = over;
}

static void
establish(struct delivery *d)
{
    struct service *s = d->s;

    if (s->r.doubt) /* of the reign before: nothing of it can be used any more */
        s->r.set = s->r.kept = 0;
    s->r.epoch = s->claim.epoch;
    s->r.version = 0;
    s->r.phase = SERVICE_TAKING;
    s->r.mode = s->claim.mode;
    s->own.from = s->r.active;
    s->r.active = s->claim.node;
    s->r.shut = false;
    s->r.doubt = true;
    s->own.witnessed = s->r.epoch;
    service_drop_claim(s);
    changed(d);
    service_journal(s, JOURNAL_TAKING, s->r.active, d->out);
}

static void
settle(struct delivery *d)
{
    struct service *s = d->s;

    s->r.phase = SERVICE_ACTIVE;
    s->r.set = 0;
    s->r.kept = s->r.to = 0;
    s->r.doubt = false;
    s->own.active_at = d->now;
    changed(d);
    service_journal(s, JOURNAL_ACTIVE, s->r.active, d->out);
    service_end_takeover(s, d->out);
}

static void
fall(struct delivery *d)
{
    struct service *s = d->s;
    bool unopened = s->r.phase == SERVICE_TAKING && !d->msg->r.doubt;

    if (s->order.order && s->order.step < STEP_TAKEOVER)
        switchover_end(&s->order, ORDER_SERVICE_FAILED, d->msg->text, s->index,
            s->r.epoch, d->out);
    if (unopened)
        s->r.doubt = false;
    s->r.phase = SERVICE_DOWN;
    s->r.shut = d->msg->r.shut;
    s->r.set &= ~node_bit(s->r.active);
    if (s->r.kept == s->r.active)
        s->r.kept = 0;
    s->r.strikes++;
    changed(d);
    memcpy(service_journal(s, JOURNAL_FAILED, s->r.active, d->out)->msg.text,
        d->msg->text, PEER_TEXT);
    if (cluster_quorate(d->c)) /* see wish.h */
        place_count_failure(s, d->msg->from, s->r.active, d->out);
}

/* The old active says that its gates are shut while a successor waits for its lease. */
static void
note_shut(struct delivery *d)
{
    d->s->r.shut |= d->msg->r.shut;
    service_persist(d->s, d->out);
}

static void
note_handed(struct delivery *d)
{
    struct service *s = d->s;

    s->r.phase = SERVICE_DOWN;
    s->r.shut = true;
    s->r.kept = s->r.active;
    s->r.to = s->order.order ? d->msg->node : 0;
    service_journal(s, JOURNAL_HANDOVER, s->r.to, d->out);
    switchover_step(&s->order, STEP_TAKEOVER, s->index, d->out);
}

static void
hand_over(struct delivery *d)
{
    note_handed(d);
    changed(d);
}

/* What the active hands over stands still, its gates are shut: there is no lease to
 * wait for, and so no vote to ask for.  The agreed order makes the successor the only
 * one; as after any claim, a majority has to know before it may serve. */
static void
hand_on(struct delivery *d)
{
    struct service *s = d->s;

    note_handed(d);
    s->r.floor++;
    s->claim = (struct claim){ s->r.floor, s->r.to, MODE_TAKEOVER };
    establish(d);
}

static void
change_set(struct delivery *d)
{
    d->s->r.set = d->msg->r.set & d->c->all & ~node_bit(d->s->r.active);
    changed(d);
    service_journal(d->s, JOURNAL_SET, d->s->r.active, d->out);
}

static void
lose(struct delivery *d)
{
    uint64_t bit = node_bit(d->msg->from);

    if (!(d->s->r.set & bit))
        return;
    d->s->r.set &= ~bit;
    service_persist(d->s, d->out);
    service_journal(d->s, JOURNAL_LOST, d->msg->from, d->out);
}

static void
count_record(struct delivery *d)
{
    d->s->confirmed |= node_bit(d->msg->from);
}

static void
forgive(struct delivery *d)
{
    d->s->r.strikes = 0;
    changed(d);
}

static bool
as_counted(const struct delivery *d)
{
    return d->msg->node && cluster_quorate(d->c) &&
           d->s->wish.w.fails[d->msg->node] == d->msg->value;
}

static void
forget_failures(struct delivery *d)
{
    d->s->wish.w.fails[d->msg->node] = 0;
    d->s->wish.w.held &= ~node_bit(d->msg->node);
    service_journal(d->s, JOURNAL_FORGIVEN, d->msg->node, d->out);
    wish_changed(&d->s->wish, d->msg->from, d->s->index, d->out);
}

static bool
of_errand(const struct delivery *d)
{
    return d->s->errand.order && d->msg->order == d->s->errand.order;
}

static void
end_errand(struct delivery *d)
{
    errand_end(d->s, d->msg->reason, d->msg->text, d->msg->from, d->out);
}

static void
begin_order(struct delivery *d)
{
    switchover_step(&d->s->order, STEP_HANDOVER, d->s->index, d->out);
}

static void
end_order(struct delivery *d)
{
    switchover_end(
        &d->s->order, d->msg->reason, d->msg->text, d->s->index, d->s->r.epoch, d->out);
}

#define SERVICE_ANY SERVICE_NSTATES /* in: whichever; to: the same */
#define SERVICE_SAME SERVICE_NSTATES

/* clang-format off */
/* What a delivered message does to the record.  First rule that matches fires. */
static const struct {
    enum service_state in;
    enum peer_kind on;
    bool (*when)(const struct delivery *);
    void (*act)(struct delivery *);
    enum service_state to;
} rules[] = {
    /* in state        on message       when         do            go to */
    { SERVICE_ANY,     PEER_CLAIM,      valid,       adopt_claim,  SERVICE_CLAIMED },
    { SERVICE_CLAIMED, PEER_STOPPED,    for_claim,   count_vote,   SERVICE_CLAIMED },
    { SERVICE_CLAIMED, PEER_TAKING,     won,         establish,    SERVICE_TAKING },
    { SERVICE_CLAIMED, PEER_FAILED,     by_active,   note_shut,    SERVICE_CLAIMED },

    { SERVICE_TAKING,  PEER_CONFIRM,    of_record,   count_record, SERVICE_TAKING },
    { SERVICE_TAKING,  PEER_ACTIVE,     by_active,   settle,       SERVICE_ACTIVE },
    { SERVICE_TAKING,  PEER_FAILED,     by_active,   fall,         SERVICE_DOWN },

    { SERVICE_ACTIVE,  PEER_CONFIRM,    of_record,   count_record, SERVICE_ACTIVE },
    { SERVICE_ACTIVE,  PEER_SET,        changes_set, change_set,   SERVICE_ACTIVE },
    { SERVICE_ACTIVE,  PEER_STEADY,     by_active,   forgive,      SERVICE_ACTIVE },
    { SERVICE_ACTIVE,  PEER_STEP,       of_order,    begin_order,  SERVICE_ACTIVE },
    { SERVICE_ACTIVE,  PEER_ORDER_DONE, of_order,    end_order,    SERVICE_ACTIVE },
    { SERVICE_ACTIVE,  PEER_HANDOVER,   to_successor, hand_on,     SERVICE_TAKING },
    { SERVICE_ACTIVE,  PEER_HANDOVER,   by_active,   hand_over,    SERVICE_DOWN },
    { SERVICE_ACTIVE,  PEER_FAILED,     by_active,   fall,         SERVICE_DOWN },

    { SERVICE_ANY,     PEER_LOST,       NULL,        lose,         SERVICE_SAME },
    { SERVICE_ANY,     PEER_ORDER_DONE, of_errand,   end_errand,   SERVICE_SAME },
    { SERVICE_ANY,     PEER_FORGIVE,    as_counted,  forget_failures, SERVICE_SAME },
};
/* clang-format on */

void
service_deliver(struct service *s, struct cluster *c, const struct peermsg *msg,
    struct mono now, struct effects *out)
{
    struct delivery d = { s, c, msg, now, out };

    if (msg->kind == PEER_SYNC) {
        service_take_record(s, c, msg, now, out);
        return;
    }
    if (msg->from == c->me && msg->kind != PEER_FORGIVE)
        s->own.pending = false;
    for (size_t i = 0; c->ready && i < sizeof rules / sizeof rules[0]; i++) {
        if (rules[i].on != msg->kind)
            continue;
        if (rules[i].in != SERVICE_ANY && rules[i].in != s->state)
            continue;
        if (rules[i].when && !rules[i].when(&d))
            continue;
        rules[i].act(&d);
        if (rules[i].to != SERVICE_SAME)
            s->state = rules[i].to;
        return;
    }
    s->ignored++;
}
