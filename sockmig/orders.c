/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * orders.c - orders of the supervisor: which may be taken says core/role.c; here they
 * are carried out. */
#include "sockmig/orders_private.h"

#include "lib/fault.h"

#include <stdio.h>
#include <string.h>

#define HANDOVER_LIMIT_MS 2000
#define LOG_LIMIT_MS 100
#define NOBODY (-1) /* an order of our own: sockmigd asked for no such answer */

void
order_trace(struct engine *e, enum trace_note what)
{
    queue_put(tracer_queue(e->tracer), (struct note){ .what = (int)what });
}

/* A reign of this node begins: old streams end, beats of the new epoch go out at once
 * so that the lease is there when the service is. */
static void
begin_reign(struct engine *e)
{
    lease_end(&e->lease);
    peers_stop_following(e);
    peers_reign(e);
    capture_forget_births(e);
    beats_now(e);
}

/* Remove what runs or is cloned here; MAIN_ENDED tells when it is gone. */
void
order_end_service(struct engine *e)
{
    engine_shut(e);
    engine_watch_pid(e, 0); /* its end is ours, not its own */
    replayer_stop(e);
    peers_stop_following(e);
    peers_drop_all(e);
    order_trace(e, TRACE_END);
}

static const struct conf_node *
node_to_follow(const struct engine *e, const struct jv *msg)
{
    const struct conf_node *n = conf_node(e->conf, jv_str(msg, "active", ""));

    return n != e->self ? n : NULL;
}

static void
do_follow(struct engine *e, const struct jv *msg)
{
    e->active = node_to_follow(e, msg)->id;
    e->acks_from = e->role.seen;
    if (e->role.state == ROLE_FOLLOWING)
        order_done(e, ROLE_FOLLOWING, NULL);
    else
        order_end_service(e);
}

/* Who takes over after a handover; 0: not said. */
static unsigned
successor(const struct engine *e, const struct jv *msg)
{
    const struct conf_node *n = conf_node(e->conf, jv_str(msg, "to", ""));

    return n ? n->id : 0;
}

/* Clients' packets wait until the service runs.  The clone wakes after all whole
 * checkpoints in the tracer's queue. */
static void
do_takeover(struct engine *e)
{
    FAULT_POINT("takeover-ordered");
    begin_reign(e);
    FAULT_POINT("takeover-reigning");
    capture_discard_out(e);
    capture_wait(e);
    capture_deafen(e);
    e->open = true;
    if (e->capture.wanted == CONF_COLD)
        order_trace(e, TRACE_START);
    else {
        tracer_press(e->tracer);
        queue_put(tracer_queue(e->tracer),
            (struct note){ .what = TRACE_WAKE, .a = (int64_t)e->followed });
    }
}

static void
do_fence(struct engine *e, const struct jv *msg)
{
    struct jv *a = jv_object();

    jv_set_int(a, "last_ack_age_ms", mono_us_between(e->last_ack, mono_clock()) / 1000);
    order_answer(e, jv_int(msg, "id", 0), a);
}

static void
carry_out(struct engine *e, enum role_order order, const struct jv *msg)
{
    switch (order) {
    case ORDER_START:
        begin_reign(e);
        capture_discard_out(e);
        order_trace(e, TRACE_START);
        break;
    case ORDER_FOLLOW:
        FAULT_POINT("follow-ordered");
        do_follow(e, msg);
        break;
    case ORDER_TAKEOVER:
        do_takeover(e);
        break;
    case ORDER_HANDOVER:
        FAULT_POINT("handover-ordered");
        e->order.wait_for = 0;
        e->order.shut = false;
        e->order.to = successor(e, msg);
        if (e->capture.wanted == CONF_COLD)
            order_shut_cold(e);
        else
            order_trace(e, TRACE_HANDOVER);
        break;
    case ORDER_RESUME:
        FAULT_POINT("resume-ordered");
        engine_shut(e);
        peers_drop_all(e);
        order_trace(e, TRACE_RESUME);
        break;
    case ORDER_STOP:
        order_end_service(e);
        break;
    case ORDER_SET:
        order_set(e, msg);
        break;
    case ORDER_FENCE:
        do_fence(e, msg);
        break;
    case ORDER_NORDERS:
        break;
    }
}

/* Orders answered within the call; the others are one at a time. */
static bool
at_once(enum role_order order)
{
    return order == ORDER_SET || order == ORDER_FENCE;
}

static void
refuse_order(struct engine *e, int64_t id, enum role_order order, bool stale)
{
    char text[160];

    if (stale)
        snprintf(text, sizeof text, "%s: epoch is older than %llu, the newest seen",
            role_order_name(order), (unsigned long long)e->role.seen);
    else
        snprintf(text, sizeof text, "%s: not possible while the engine is %s",
            role_order_name(order), role_state_name(e->role.state));
    order_answer_no(e, id, stale, text);
}

/* Any newer epoch ends this node's reign: its gates shut now (promise P1). */
static void
see_epoch(struct engine *e, enum role_order order, uint64_t epoch)
{
    if (epoch <= e->role.seen)
        return;
    if (e->role.state == ROLE_RUNNING || e->role.state == ROLE_FREEZING ||
        e->role.state == ROLE_FROZEN)
        engine_shut(e);
    e->role.seen = epoch;
    if (e->acks_from != UINT64_MAX || order == ORDER_FENCE)
        e->acks_from = epoch;
}

static void
take_order(struct engine *e, enum role_order order, const struct jv *msg)
{
    int64_t id = jv_int(msg, "id", 0);
    uint64_t epoch = (uint64_t)jv_int(msg, "epoch", 0);
    enum role_state next;

    if (order == ORDER_FOLLOW && !node_to_follow(e, msg)) {
        order_answer_no(e, id, false, "follow: `active` must name another node");
        return;
    }
    switch (role_order(&e->role, order, epoch, &next)) {
    case ROLE_DONE:
        order_answer(e, id, NULL);
        return;
    case ROLE_STALE:
        refuse_order(e, id, order, true);
        return;
    case ROLE_REFUSED:
        refuse_order(e, id, order, false);
        return;
    case ROLE_DO:
        break;
    }
    see_epoch(e, order, epoch);
    if (!at_once(order)) {
        e->role.own = epoch;
        e->order.keep_set = 0;
        e->order.running = true;
        e->order.id = id;
        e->order.order = order;
        e->order.began = mono_clock();
        order_state(e, next, role_order_name(order));
    }
    carry_out(e, order, msg);
}

static void
take_checkpoint_order(struct engine *e, const struct jv *msg)
{
    struct tracer_stats stats;

    if (e->role.state != ROLE_RUNNING || !e->protected_now) {
        order_answer_no(e, jv_int(msg, "id", 0), false,
            "checkpoint: the service is not protected from this node");
        return;
    }
    tracer_stats(e->tracer, &stats);
    e->checkpoint_order = jv_int(msg, "id", 0);
    e->checkpoint_number = stats.number + 1;
    tracer_want(e->tracer);
}

static void
take_interval(struct engine *e, const struct jv *msg)
{
    int64_t ms = jv_int(msg, "ms", -1);

    if (ms == 0)
        ms = e->service->interval_ms;
    if (ms < 5 || ms > 60000 || ms < e->service->spacing_ms) {
        order_answer_no(e, jv_int(msg, "id", 0), false,
            "interval: must be 5 to 60000 ms and not below the spacing, or 0: as "
            "configured");
        return;
    }
    tracer_pace(e->tracer, (unsigned)ms, e->service->spacing_ms);
    order_answer(e, jv_int(msg, "id", 0), NULL);
}

/* Every node is told, a standby for the time after it took over. */
static void
take_policy(struct engine *e, const struct jv *msg)
{
    uint64_t epoch = (uint64_t)jv_int(msg, "epoch", 0);
    int64_t id = jv_int(msg, "id", 0);
    enum conf_policy policy;

    if (epoch < e->role.seen) {
        order_answer_no(e, id, true, "policy: a newer epoch has been seen");
        return;
    }
    if (!conf_policy_by_name(jv_str(msg, "policy", ""), &policy)) {
        order_answer_no(e, id, false, "policy: must be commit, replay, warm or cold");
        return;
    }
    capture_policy(e, policy);
    order_answer(e, id, NULL);
}

void
orders_take(struct engine *e, const struct jv *msg)
{
    const char *op = jv_str(msg, "op", "");
    enum role_order order;
    char text[96];

    if (role_order_by_name(op, &order)) {
        take_order(e, order, msg);
    } else if (strcmp(op, "checkpoint") == 0) {
        take_checkpoint_order(e, msg);
    } else if (strcmp(op, "interval") == 0) {
        take_interval(e, msg);
    } else if (strcmp(op, "policy") == 0) {
        take_policy(e, msg);
    } else {
        snprintf(text, sizeof text, "no such order: %.40s", op);
        order_answer_no(e, jv_int(msg, "id", 0), false, text);
    }
}

bool
orders_stands_still(const struct engine *e)
{
    return e->order.running && e->order.order == ORDER_HANDOVER && e->order.wait_for;
}

/* The log, too, but not for longer than what it saves: clients send again what they do
 * not see acknowledged. */
static bool
is_stable(const struct engine *e)
{
    return e->commit.stable >= e->order.wait_for &&
           (mcast_covered(e->capture.mcast, e->commit.set, e->order.log) ||
               mono_us_between(e->order.log_since, mono_clock()) > LOG_LIMIT_MS * 1000);
}

/* What the service had said is in the image, but of datagrams nobody sends it again: so
 * it leaves before the gates shut.  From then on clients are better served by the
 * successor, who lets them wait. */
static void
shut(struct engine *e)
{
    capture_go(e);
    engine_shut_for(e, &e->order.log);
    e->order.log_since = mono_clock();
    e->order.shut = true;
    FAULT_POINT("handover-shut");
    beats_say_shut(e, e->order.to);
    FAULT_POINT("handover-said");
}

static void
handover_progress(struct engine *e)
{
    struct jv *a;

    if (!orders_stands_still(e))
        return;
    if (!e->order.shut && is_stable(e))
        shut(e);
    if (!e->order.shut || !is_stable(e))
        return;
    FAULT_POINT("handover-stable");
    a = jv_object();
    jv_set_int(a, "checkpoint", (int64_t)e->order.wait_for);
    order_done(e, ROLE_FROZEN, a);
    FAULT_POINT("handover-answered");
}

void
orders_progress(struct engine *e)
{
    order_set_progress(e);
    if (e->checkpoint_order && e->commit.stable >= e->checkpoint_number) {
        struct jv *a = jv_object();
        struct tracer_stats stats;

        tracer_stats(e->tracer, &stats);
        jv_set_int(a, "pause_us", stats.last.pause);
        jv_set_int(a, "bytes", (int64_t)shipper_last_bytes(e->shipper));
        order_answer(e, e->checkpoint_order, a);
        e->checkpoint_order = 0;
    }
    handover_progress(e);
}

void
orders_tick(struct engine *e)
{
    orders_progress(e);
    if (!e->order.running || e->order.order != ORDER_HANDOVER ||
        mono_us_between(e->order.began, mono_clock()) < HANDOVER_LIMIT_MS * 1000)
        return;
    order_failed(e, ROLE_RUNNING,
        "a standby of the set did not acknowledge the last checkpoint in time; the "
        "service runs on here");
    /* As after an order to resume, but the set stays as it is agreed: what its members
     * do not have is held until the supervisor has taken them out. */
    e->order.running = true;
    e->order.order = ORDER_RESUME;
    e->order.id = NOBODY;
    e->order.keep_set = e->commit.set;
    carry_out(e, ORDER_RESUME, NULL);
    order_state(e, ROLE_RESUMING, "handover given up");
}

void
orders_died(struct engine *e)
{
    struct jv *ev;

    if (e->order.running && e->order.order == ORDER_HANDOVER)
        order_failed(e, ROLE_FAILED, "the service ended while it was handed over");
    if (e->order.running && e->order.order == ORDER_TAKEOVER)
        order_failed(e, ROLE_FAILED, "the service ended while it was fed the log");
    order_state(e, ROLE_FAILED, "the service ended");
    order_end_service(e);
    ev = jv_object();
    jv_set_str(ev, "event", "failed");
    jv_set_str(ev, "service", e->service->name);
    jv_set_int(ev, "epoch", (int64_t)e->role.own);
    jv_set_str(ev, "reason", e->last_error);
    engine_say(e, ev);
}
