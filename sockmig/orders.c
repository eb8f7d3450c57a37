/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * orders.c - orders of the supervisor: which may be taken says core/role.c; here they
 * are carried out and answered. */
#include "sockmig/engine.h"

#include "lib/fault.h"
#include "lib/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HANDOVER_LIMIT_MS 2000
#define NOBODY (-1) /* an order of our own: sockmigd asked for no such answer */
#define REFUSED_AGAIN_MS 2000 /* a refused service is looked at again */

static void
answer(struct engine *e, int64_t id, struct jv *fields)
{
    struct jv *a = fields ? fields : jv_object();

    jv_set_int(a, "id", id);
    jv_set_bool(a, "ok", true);
    ctl_send(e->ctl, a);
}

static void
answer_no(struct engine *e, int64_t id, bool stale, const char *text)
{
    struct jv *a = jv_object();

    jv_set_int(a, "id", id);
    jv_set_bool(a, "ok", false);
    if (stale)
        jv_set_bool(a, "stale", true);
    jv_set_str(a, "error", text);
    ctl_send(e->ctl, a);
}

static void
state_is(struct engine *e, enum role_state state, const char *why)
{
    if (e->role.state == state)
        return;
    log_info("service %s: %s -> %s: %s, epoch %llu", e->service->name,
        role_state_name(e->role.state), role_state_name(state), why,
        (unsigned long long)e->role.own);
    e->role.state = state;
    engine_changed(e);
}

/* The order under way ended well. */
static void
done(struct engine *e, enum role_state state, struct jv *fields)
{
    state_is(e, state, role_order_name(e->order.order));
    e->order.running = false;
    answer(e, e->order.id, fields);
    engine_release(e); /* what waited for it to run */
}

static void
failed(struct engine *e, enum role_state state, const char *text)
{
    engine_error(e, "%s: %s", role_order_name(e->order.order), text);
    state_is(e, state, "order failed");
    e->order.running = false;
    answer_no(e, e->order.id, false, text);
}

static void
trace(struct engine *e, enum trace_note what)
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
    beats_now(e);
}

/* The service runs: let it be reached. */
static void
open_gates(struct engine *e, pid_t pid)
{
    engine_watch_pid(e, pid);
    e->open = true;
    beats_now(e);
    beats_refresh(e);
    engine_announce(e);
}

/* Remove what runs or is cloned here; MAIN_ENDED tells when it is gone. */
static void
end_service(struct engine *e)
{
    engine_shut(e);
    engine_watch_pid(e, 0); /* its end is ours, not its own */
    peers_stop_following(e);
    peers_drop_all(e);
    trace(e, TRACE_END);
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
        done(e, ROLE_FOLLOWING, NULL);
    else
        end_service(e);
}

/* Who takes over after a handover; 0: not said. */
static unsigned
successor(const struct engine *e, const struct jv *msg)
{
    const struct conf_node *n = conf_node(e->conf, jv_str(msg, "to", ""));

    return n ? n->id : 0;
}

static void
set_refused(struct engine *e, const char *why)
{
    if (e->set_order.running)
        answer_no(e, e->set_order.id, false, why);
    e->set_order.running = false;
}

/* Answered when every standby of the new set has all that was ever released: until then
 * none that was just added may be elected (promise P3). */
static void
set_progress(struct engine *e)
{
    if (!e->set_order.running)
        return;
    for (unsigned i = 0; i < CONF_MAX_NODES; i++)
        if (e->set_order.mask & 1u << i && e->peers[i].state != PEER_READY) {
            set_refused(e, "set: a standby in it is not ready any more");
            return;
        }
    if (!commit_covered(&e->commit, e->set_order.mask, e->set_order.released))
        return;
    e->set_order.running = false;
    answer(e, e->set_order.id, NULL);
}

static void
do_set(struct engine *e, const struct jv *msg)
{
    bool ok;
    uint32_t mask = peers_mask(e, jv_get(msg, "nodes"), &ok);

    if (!ok) {
        answer_no(e, jv_int(msg, "id", 0), false,
            "set: `nodes` must be a list of other nodes' names");
        return;
    }
    set_refused(e, "set: another one came");
    e->set_order.running = true;
    e->set_order.id = jv_int(msg, "id", 0);
    e->set_order.mask = mask;
    e->set_order.released = e->commit.stable;
    commit_set(&e->commit, mask);
    engine_release(e); /* and its progress answers */
    engine_changed(e);
}

static void
do_fence(struct engine *e, const struct jv *msg)
{
    struct jv *a = jv_object();

    jv_set_int(a, "last_ack_age_ms", mono_us_between(e->last_ack, mono_clock()) / 1000);
    answer(e, jv_int(msg, "id", 0), a);
}

static void
carry_out(struct engine *e, enum role_order order, const struct jv *msg)
{
    switch (order) {
    case ORDER_START:
        begin_reign(e);
        trace(e, TRACE_START);
        break;
    case ORDER_FOLLOW:
        do_follow(e, msg);
        break;
    case ORDER_TAKEOVER:
        begin_reign(e);
        e->open = true;       /* clients' packets wait until the service runs */
        trace(e, TRACE_WAKE); /* after all whole checkpoints in its queue */
        break;
    case ORDER_HANDOVER:
        e->order.wait_for = 0;
        e->order.to = successor(e, msg);
        trace(e, TRACE_HANDOVER);
        break;
    case ORDER_RESUME:
        engine_shut(e);
        peers_drop_all(e);
        trace(e, TRACE_RESUME);
        break;
    case ORDER_STOP:
        end_service(e);
        break;
    case ORDER_SET:
        do_set(e, msg);
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
    answer_no(e, id, stale, text);
}

/* Any newer epoch ends this node's reign: its gates shut now (promise P1). */
static void
see_epoch(struct engine *e, enum role_order order, uint64_t epoch)
{
    if (epoch <= e->role.seen)
        return;
    if (e->role.state == ROLE_RUNNING || e->role.state == ROLE_FREEZING)
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
        answer_no(e, id, false, "follow: `active` must name another node");
        return;
    }
    switch (role_order(&e->role, order, epoch, &next)) {
    case ROLE_DONE:
        answer(e, id, NULL);
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
        state_is(e, next, role_order_name(order));
    }
    carry_out(e, order, msg);
}

static void
take_checkpoint_order(struct engine *e, const struct jv *msg)
{
    struct tracer_stats stats;

    if (e->role.state != ROLE_RUNNING || !e->protected_now) {
        answer_no(e, jv_int(msg, "id", 0), false,
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
    int64_t ms = jv_int(msg, "ms", 0);

    if (ms < 5 || ms > 60000 || ms < e->service->spacing_ms) {
        answer_no(e, jv_int(msg, "id", 0), false,
            "interval: must be 5 to 60000 ms and not below the spacing");
        return;
    }
    tracer_pace(e->tracer, (unsigned)ms, e->service->spacing_ms);
    answer(e, jv_int(msg, "id", 0), NULL);
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
    } else {
        snprintf(text, sizeof text, "no such order: %.40s", op);
        answer_no(e, jv_int(msg, "id", 0), false, text);
    }
}

static void
on_started(struct engine *e, struct started *s)
{
    struct jv *a;

    if (s->ret < 0) {
        engine_shut(e);
        failed(e, ROLE_FAILED, s->error);
        return;
    }
    open_gates(e, s->pid);
    a = jv_object();
    jv_set_int(a, "pid", s->pid);
    done(e, ROLE_RUNNING, a);
}

static struct jv *
phases_object(const struct clone_timing *t)
{
    struct jv *p = jv_object();

    jv_set_int(p, "listeners_us", t->listeners);
    jv_set_int(p, "sockets_us", t->sockets);
    jv_set_int(p, "protect_us", t->protect);
    jv_set_int(p, "fds_us", t->fds);
    jv_set_int(p, "process_us", t->process);
    jv_set_int(p, "threads_us", t->threads);
    jv_set_int(p, "registers_us", t->registers);
    jv_set_int(p, "total_us", t->total);
    return p;
}

static void
on_woken(struct engine *e, struct woken *w)
{
    struct tracer_stats stats;
    char text[384];
    struct jv *a;

    e->clone_ready = false;
    if (w->ret < 0) {
        if (w->why.n)
            snprintf(text, sizeof text, "the clone does not wake: %s; %s",
                w->why.v[0].what, w->why.v[0].cure);
        else if (w->ret == -ENOENT)
            snprintf(text, sizeof text, "no whole clone of the service is here");
        else
            snprintf(
                text, sizeof text, "the clone does not wake: %s", strerror(-w->ret));
        end_service(e);
        failed(e, ROLE_FAILED, text);
        return;
    }
    FAULT_POINT("takeover-awake");
    tracer_stats(e->tracer, &stats);
    e->last_wake = *w;
    open_gates(e, w->pid);
    e->last_blackout_ms = mono_us_between(stats.clone_at, mono_clock()) / 1000;
    log_info("service %s: taken over from checkpoint %llu: %u connections, %u lost, "
             "clone awake in %u us, order to open %lld us",
        e->service->name, (unsigned long long)w->checkpoint, w->connections, w->lost,
        w->timing.total, (long long)mono_us_between(e->order.began, mono_clock()));
    a = jv_object();
    jv_set_int(a, "blackout_ms", e->last_blackout_ms);
    jv_set_int(a, "connections", w->connections);
    jv_set_int(a, "lost", w->lost);
    jv_set_int(a, "open_us", mono_us_between(e->order.began, mono_clock()));
    jv_set(a, "phases", phases_object(&w->timing));
    done(e, ROLE_RUNNING, a);
}

static void
on_handed(struct engine *e, const struct note *n)
{
    if (!e->order.running || e->order.order != ORDER_HANDOVER)
        return;
    if (n->a < 0) {
        failed(e, ROLE_RUNNING,
            n->a == -EAGAIN
                ? "the service does not stand still: a thread sleeps in the "
                  "kernel; try again"
                : strerror((int)-n->a));
        return;
    }
    FAULT_POINT("handover-frozen");
    /* Everything that has not left is in the image and will be sent from there.  From
     * here on clients are better served by the successor, who lets them wait. */
    engine_shut(e);
    beats_say_shut(e, e->order.to);
    e->order.wait_for = (uint64_t)n->b;
    orders_progress(e);
}

static void
on_resumed(struct engine *e, const struct note *n)
{
    if (!e->order.running || e->order.order != ORDER_RESUME)
        return; /* a handover that took too long was undone */
    if (n->a < 0) {
        failed(e, ROLE_FAILED, "nothing of the service is here to go on");
        return;
    }
    peers_reign(e); /* the standbys are seeded anew, under the new epoch */
    commit_set(&e->commit, e->order.keep_set);
    e->open = true;
    beats_now(e);
    beats_refresh(e);
    engine_announce(e);
    done(e, ROLE_RUNNING, NULL);
}

static void
on_ended(struct engine *e)
{
    if (e->role.state != ROLE_ENDING || !e->order.running)
        return;
    e->protected_now = e->clone_ready = false;
    e->refusals.n = 0;
    done(e, e->order.order == ORDER_FOLLOW ? ROLE_FOLLOWING : ROLE_IDLE, NULL);
}

static void
protection_event(struct engine *e, const char *event)
{
    struct jv *ev = jv_object();

    jv_set_str(ev, "event", event);
    jv_set_str(ev, "service", e->service->name);
    jv_set_int(ev, "epoch", (int64_t)e->role.own);
    jv_set(ev, "refusals", status_refusals(&e->refusals));
    engine_event(e, ev);
    engine_changed(e);
}

static bool
same_refusals(const struct refusals *a, const struct refusals *b)
{
    bool same = a->n == b->n;

    for (unsigned i = 0; same && i < a->n && i < REFUSALS_MAX; i++)
        same = a->v[i].pid == b->v[i].pid && a->v[i].fd == b->v[i].fd &&
               strcmp(a->v[i].what, b->v[i].what) == 0;
    return same;
}

/* Promise P8.  The streams end, so that the supervisor takes the standbys out of the
 * set: until then output is held, since nobody could go on from what caused it. */
static void
on_unprotected(struct engine *e, const struct refusals *why)
{
    bool news = e->protected_now || !same_refusals(&e->refusals, why);

    e->protected_now = false;
    e->refusals = *why;
    if (e->role.state == ROLE_RUNNING) {
        peers_drop_all(e);
        e->no_join_before = mono_add_ms(mono_clock(), REFUSED_AGAIN_MS);
    }
    if (!news)
        return;
    for (unsigned i = 0; i < why->n && i < REFUSALS_MAX; i++)
        engine_error(e, "cannot be protected: process %d, descriptor %d: %s; %s",
            why->v[i].pid, why->v[i].fd, why->v[i].what, why->v[i].cure);
    protection_event(e, "unprotected");
}

static void
on_clone(struct engine *e, const struct note *n)
{
    const struct refusals *why = n->p;

    e->clone_ready = n->a == 0;
    if (n->a == 0)
        return;
    if (why && why->n)
        on_unprotected(e, why);
    else
        engine_error(e, "the clone here is broken: %s", strerror((int)-n->a));
    peers_stop_following(e); /* the active node sees the end and seeds it anew */
}

void
orders_note(struct engine *e, struct note *n)
{
    switch ((enum main_note)n->what) {
    case MAIN_STARTED:
        on_started(e, n->p);
        break;
    case MAIN_TAKEN:
        commit_taken(&e->commit, (uint64_t)n->a, (uint32_t)n->b, mono_clock());
        break;
    case MAIN_UNPROTECTED:
        on_unprotected(e, n->p);
        break;
    case MAIN_PROTECTED:
        e->protected_now = true;
        e->refusals.n = 0;
        protection_event(e, "protected");
        break;
    case MAIN_WOKEN:
        on_woken(e, n->p);
        break;
    case MAIN_HANDED:
        on_handed(e, n);
        break;
    case MAIN_RESUMED:
        on_resumed(e, n);
        break;
    case MAIN_ENDED:
        on_ended(e);
        break;
    case MAIN_CLONE:
        on_clone(e, n);
        break;
    case MAIN_STREAM_END:
        if ((unsigned)n->a == e->generation)
            engine_changed(e);
        break;
    case MAIN_NNOTES:
        break;
    }
    free(n->p);
    n->p = NULL;
}

void
orders_progress(struct engine *e)
{
    struct jv *a;

    set_progress(e);
    if (e->checkpoint_order && e->commit.stable >= e->checkpoint_number) {
        struct tracer_stats stats;

        tracer_stats(e->tracer, &stats);
        a = jv_object();
        jv_set_int(a, "pause_us", stats.last.pause);
        jv_set_int(a, "bytes", (int64_t)shipper_last_bytes(e->shipper));
        answer(e, e->checkpoint_order, a);
        e->checkpoint_order = 0;
    }
    if (!e->order.running || e->order.order != ORDER_HANDOVER || !e->order.wait_for ||
        e->commit.stable < e->order.wait_for)
        return;
    FAULT_POINT("handover-shut");
    a = jv_object();
    jv_set_int(a, "checkpoint", (int64_t)e->order.wait_for);
    done(e, ROLE_FROZEN, a);
}

void
orders_tick(struct engine *e)
{
    if (!e->order.running || e->order.order != ORDER_HANDOVER ||
        mono_us_between(e->order.began, mono_clock()) < HANDOVER_LIMIT_MS * 1000)
        return;
    failed(e, ROLE_RUNNING,
        "a standby of the set did not acknowledge the last checkpoint in time; the "
        "service runs on here");
    /* As after an order to resume, but the set stays as it is agreed: what its members
     * do not have is held until the supervisor has taken them out. */
    e->order.running = true;
    e->order.order = ORDER_RESUME;
    e->order.id = NOBODY;
    e->order.keep_set = e->commit.set;
    carry_out(e, ORDER_RESUME, NULL);
    state_is(e, ROLE_RESUMING, "handover given up");
}

void
orders_died(struct engine *e)
{
    struct jv *ev;

    if (e->order.running && e->order.order == ORDER_HANDOVER)
        failed(e, ROLE_FAILED, "the service ended while it was handed over");
    state_is(e, ROLE_FAILED, "the service ended");
    end_service(e);
    ev = jv_object();
    jv_set_str(ev, "event", "failed");
    jv_set_str(ev, "service", e->service->name);
    jv_set_int(ev, "epoch", (int64_t)e->role.own);
    jv_set_str(ev, "reason", e->last_error);
    engine_event(e, ev);
}
