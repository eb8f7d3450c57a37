/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/capture_private.h"

#include "lib/log.h"
#include "sockmig/core/pace.h"
#include "sockmig/drops.h"

#define OUT_AT_ONCE 256 /* packets: 10 us each, and the lease may end meanwhile */

bool
capture_logs(const struct engine *e)
{
    return e->capture.members != 0;
}

bool
capture_append(struct engine *e, const uint8_t *record, size_t size, uint64_t *lsn)
{
    struct rmcast_bytes piece = { record, size };

    return mcast_append(e->capture.mcast, &piece, 1, lsn);
}

/* ---- who may go ---- */

/* Without any standby there is nobody to wait for; or nothing goes, if that is the
 * service's rule. */
static bool
alone_and_stopped(const struct engine *e)
{
    return e->commit.set == 0 && e->service->stop_when_alone &&
           e->capture.policy <= CONF_REPLAY;
}

static struct held_stable
settled(const struct engine *e)
{
    const struct capture *c = &e->capture;

    if (e->commit.set == 0)
        return (struct held_stable){ UINT64_MAX, c->last_out, true };
    return (struct held_stable){ mcast_stable(c->mcast), c->stable_mark, c->has_mark };
}

static enum held_rule
rule(const struct engine *e, enum packet_way way)
{
    static const enum held_policy policies[CONF_NPOLICIES] = {
        [CONF_COMMIT] = HELD_COMMIT,
        [CONF_REPLAY] = HELD_REPLAY,
        [CONF_WARM] = HELD_WARM,
        [CONF_COLD] = HELD_COLD
    };

    return held_rule(policies[e->capture.policy], way);
}

static bool
serves(const struct engine *e)
{
    return (e->role.state == ROLE_RUNNING || e->role.state == ROLE_FREEZING) &&
           !alone_and_stopped(e);
}

bool
capture_hands_over(const struct engine *e)
{
    return e->listen_until.us != 0;
}

/* Output waits, and not only for a checkpoint that is on its way. */
static bool
uncovered(const struct engine *e)
{
    const struct capture *c = &e->capture;

    return c->out.count > 0 && c->policy == CONF_COMMIT && e->commit.set != 0 &&
           !commit_covers(&e->commit, c->last_out);
}

/* Told when the last checkpoint is stable, since what it lets go is not counted before.
 */
bool
capture_is_complete(const struct engine *e)
{
    return e->commit.taken == e->commit.stable &&
           e->capture.out.count >= e->capture.crowd;
}

static bool
is_log_short(const struct engine *e)
{
    const struct capture *c = &e->capture;

    return capture_logs(e) && trim_wants(&c->trim, mcast_head(c->mcast));
}

/* Beyond the lease the fence drops what is let go; held, it leaves when there is a
 * lease again, and no client waits for a timer of the service's TCP. */
static bool
has_lease(const struct engine *e)
{
    return e->open && lease_held(&e->lease, mono_clock());
}

static void
let_out(struct engine *e)
{
    struct capture *c = &e->capture;
    struct held_stable stable = settled(e);
    struct held_batch batch;

    c->unleased = false;
    if (c->out.count == 0 || !serves(e) || capture_hands_over(e))
        return;
    do {
        c->unleased = !has_lease(e);
        if (c->unleased)
            return; /* capture_leased() goes on */
        batch = held_release(&c->out, rule(e, PACKET_OUT), &stable, OUT_AT_ONCE);
        if (batch.count > 0)
            egress_accept_upto(c->out_queue, batch.last_id);
        c->released += batch.count;
    } while (batch.count == OUT_AT_ONCE);
    if (uncovered(e))
        tracer_output(e->tracer, held_newest(&c->out), capture_is_complete(e));
}

static uint32_t
deliverable(const struct engine *e)
{
    uint64_t room = capture_logs(e) ? mcast_room(e->capture.mcast) / PLOG_SMALL
                                    : UINT64_MAX;

    if (room < 2)
        return 0;
    return room - 1 < DROPS_AT_ONCE ? (uint32_t)room - 1 : DROPS_AT_ONCE;
}

/* The record of a release goes before the verdict: what the packets cause comes after
 * it in the log.  So many at once that each may have to be cancelled.  False: no more
 * may go. */
static bool
deliver_some(struct engine *e, enum held_rule by)
{
    struct capture *c = &e->capture;
    struct held_stable stable = settled(e);
    uint8_t record[PLOG_SMALL];
    uint32_t most = deliverable(e);
    struct held_batch batch = held_release(&c->in, by, &stable, most);
    uint64_t lsn;

    if (batch.count == 0)
        return false;
    if (capture_logs(e))
        capture_append(e, record,
            plog_encode_release(record, (uint64_t)loop_now(e->loop).us, batch.last),
            &lsn);
    capture_forget_drops(e);
    nfq_accept_upto(c->in_queue, batch.last_id);
    capture_overrun(e, &batch);
    c->delivered = batch.last;
    atomic_store(&c->delivered_lsn, batch.last_lsn);
    held_answers(&c->out, batch.last_lsn);
    return batch.count == most;
}

static void
deliver(struct engine *e, enum held_rule by)
{
    struct capture *c = &e->capture;

    if (c->in.count == 0 || !(serves(e) || capture_hands_over(e)))
        return;
    if (pthread_mutex_trylock(&c->deliver) != 0) {
        atomic_store(&c->deliver_waits, true);
        if (pthread_mutex_trylock(&c->deliver) != 0)
            return; /* marked() sends a note */
    }
    while (deliver_some(e, by))
        continue;
    pthread_mutex_unlock(&c->deliver);
}

/* The policy that a standby would go on by is that of its newest checkpoint: a looser
 * rule here has to wait for it.  Also of one that is not in the set yet: it may come in
 * before its next checkpoint.  With no standby left there is none to wait for. */
static void
follow_policy(struct engine *e)
{
    struct capture *c = &e->capture;
    uint32_t standbys = e->commit.set;

    if (c->policy == c->wanted)
        return;
    if (c->wanted != CONF_COLD) /* under which no checkpoint follows */
        standbys |= c->members;
    if (standbys != 0 && c->wanted != CONF_COMMIT &&
        (c->wanted_from == 0 || e->commit.stable < c->wanted_from))
        return;
    log_info("service %s: policy %s -> %s", e->service->name,
        conf_policy_name(c->policy), conf_policy_name(c->wanted));
    c->policy = c->wanted;
    engine_changed(e);
}

void
capture_pass(struct engine *e)
{
    let_out(e);
    deliver(e, capture_hands_over(e) ? HELD_FREE : rule(e, PACKET_IN));
}

void
capture_go(struct engine *e)
{
    follow_policy(e);
    if (serves(e))
        capture_hear(e);
    capture_pass(e);
    if (!capture_logs(e))
        return;
    if (mcast_flushed(e->capture.mcast) < e->capture.logged)
        mcast_flush(e->capture.mcast);
    if (is_log_short(e))
        tracer_want(e->tracer);
}

void
capture_leased(struct engine *e)
{
    if (e->capture.unleased)
        capture_go(e);
}

/* ---- marks ---- */

void
capture_mark(void *engine, struct mark *out)
{
    struct capture *c = &((struct engine *)engine)->capture;

    pthread_mutex_lock(&c->deliver);
    out->in = c->delivered;
    out->log = atomic_load(&c->delivered_lsn);
    out->out_id = egress_mark(c->out_queue);
    out->out = c->anchor + (uint32_t)(out->out_id - c->anchor_id);
}

void
capture_marked(void *engine)
{
    struct engine *e = engine;

    pthread_mutex_unlock(&e->capture.deliver);
    if (atomic_exchange(&e->capture.deliver_waits, false) ||
        egress_unread(e->capture.out_queue))
        queue_put(e->notes, (struct note){ .what = MAIN_MARKED });
}

void
capture_taken(struct engine *e, uint64_t number, uint32_t mark, uint64_t log,
    enum conf_policy policy)
{
    struct capture *c = &e->capture;

    commit_taken(&e->commit, number, mark, mono_clock());
    trim_taken(&c->trim, number, log, mcast_head(c->mcast));
    if (policy == c->wanted && c->wanted_from == 0)
        c->wanted_from = number;
    /* What was read while it was being taken wanted one, and it may cover that. */
    if (!uncovered(e) && !is_log_short(e) && c->wanted_from != 0 &&
        (!e->checkpoint_order || number >= e->checkpoint_number))
        tracer_unwant(e->tracer);
}

void
capture_stable(struct engine *e, uint32_t mark)
{
    struct capture *c = &e->capture;

    c->crowd = pace_crowd(c->crowd, c->out.count);
    c->stable_mark = mark;
    c->has_mark = true;
    mcast_trim(c->mcast, trim_stable(&c->trim, e->commit.stable));
}

void
capture_policy(struct engine *e, enum conf_policy policy)
{
    struct capture *c = &e->capture;
    bool cold = (policy == CONF_COLD) != (c->wanted == CONF_COLD);

    if (policy == c->wanted)
        return;
    c->wanted = policy;
    c->wanted_from = 0;
    tracer_policy(e->tracer, policy);
    if (e->role.state != ROLE_RUNNING)
        c->policy = policy;
    else if (cold) /* clones come or go */
        peers_drop_all(e);
    else
        tracer_want(e->tracer);
    follow_policy(e);
}

/* ---- reigns and standbys ---- */

void
capture_reign(struct engine *e)
{
    struct capture *c = &e->capture;

    c->members = 0;
    c->has_mark = false;
    c->crowd = 0; /* whoever waited here then may be elsewhere now */
    c->logged = 0;
    atomic_store(&c->delivered_lsn, 0);
    held_answers(&c->out, 0);
    c->policy = c->wanted;
    flows_init(c->flows, CAPTURE_FLOWS, e->role.own, FLOWS_PART);
    mcast_reign(c->mcast, e->role.own, e->group_session);
    trim_reign(&c->trim, mcast_head(c->mcast), mcast_room(c->mcast));
}

bool
capture_join(struct engine *e, unsigned node, uint64_t session, uint64_t *position)
{
    struct capture *c = &e->capture;

    mcast_flush(c->mcast);
    *position = mcast_head(c->mcast);
    if (!mcast_join(c->mcast, node + 1, session, *position))
        return false;
    c->members |= 1u << node;
    return true;
}

void
capture_leave(struct engine *e, unsigned node)
{
    struct capture *c = &e->capture;

    if (c->members & 1u << node)
        mcast_leave(c->mcast, node + 1);
    c->members &= ~(1u << node);
}

/* Delivered without waiting for the log: the service stands still and no answer leaves,
 * so nothing comes of it here that the log would have to be ahead of. */
void
capture_hand_over(struct engine *e, uint64_t *log)
{
    capture_read_in(e);
    deliver(e, HELD_FREE);
    mcast_flush(e->capture.mcast);
    *log = mcast_head(e->capture.mcast);
}

void
capture_discard_in(struct engine *e)
{
    struct capture *c = &e->capture;
    struct held_batch batch;
    uint8_t record[PLOG_SMALL];
    uint64_t lsn;

    capture_hear(e);
    batch = held_drop(&c->in);
    if (batch.count == 0)
        return;
    flows_cancelled(c->flows);
    births_cancel(c->births, batch.first);
    if (capture_logs(e)) {
        capture_append(e, record,
            plog_encode_cancel(
                record, (uint64_t)loop_now(e->loop).us, batch.first, batch.last, 0),
            &lsn);
        mcast_flush(c->mcast);
    }
    nfq_drop_upto(c->in_queue, batch.last_id);
}

static void
forget_out(const struct captured *q, void *arg)
{
    struct capture *c = arg;

    c->last_out = q->id;
}

/* Also what was not read yet: it is of an earlier life of the service. */
void
capture_discard_out(struct engine *e)
{
    struct capture *c = &e->capture;

    while (egress_read(c->out_queue, forget_out, c) > 0)
        continue;
    held_drop(&c->out);
    if (c->last_out)
        egress_drop_upto(c->out_queue, c->last_out);
}
