/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * orders_notes.c - results that the engine's threads report: what they end, and what it
 * means for the order under way. */
#include "sockmig/orders_private.h"

#include "lib/fault.h"
#include "lib/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REFUSED_AGAIN_MS 2000 /* a refused service is looked at again */
#define JOIN_AFTER_MS 500     /* a takeover */

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

static void
on_started(struct engine *e, struct started *s)
{
    struct jv *a;

    capture_look(e);
    if (s->ret < 0) {
        engine_shut(e);
        order_failed(e, ROLE_FAILED, s->error);
        return;
    }
    if (e->capture.wanted == CONF_COLD)
        e->protected_now = true;
    open_gates(e, s->pid);
    a = jv_object();
    jv_set_int(a, "pid", s->pid);
    order_done(e, ROLE_RUNNING, a);
}

struct jv *
orders_phases(const struct clone_timing *t)
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
    char text[384];

    e->clone_ready = false;
    if (w->ret < 0) {
        capture_look(e);
        if (w->why.n)
            snprintf(text, sizeof text, "the clone does not wake: %s; %s",
                w->why.v[0].what, w->why.v[0].cure);
        else if (w->ret == -ENOENT)
            snprintf(text, sizeof text, "no whole clone of the service is here");
        else
            snprintf(
                text, sizeof text, "the clone does not wake: %s", strerror(-w->ret));
        order_end_service(e);
        order_failed(e, ROLE_FAILED, text);
        return;
    }
    FAULT_POINT("takeover-awake");
    e->last_wake = *w;
    e->last_wake_epoch = e->role.own;
    engine_watch_pid(e, w->pid);
    if (w->not_replayed && strcmp(w->not_replayed, "policy warm") != 0)
        engine_journal(e, "error", "not-replayed",
            "the log is not replayed (%s): the service goes on as under policy warm, "
            "all its old connections are reset",
            w->not_replayed);
    capture_look(e);
    if (w->replay) {
        replayer_begin(e);
    } else {
        replayer_stop(e); /* nor is there one to tell of */
        orders_replayed(e);
    }
}

/* The clone is where the service was: let it be reached. */
void
orders_replayed(struct engine *e)
{
    const struct woken *w = &e->last_wake;
    struct tracer_stats stats;
    struct jv *a;

    if (!e->order.running || e->order.order != ORDER_TAKEOVER)
        return;
    FAULT_POINT("takeover-replayed");
    tracer_stats(e->tracer, &stats);
    open_gates(e, w->pid);
    FAULT_POINT("takeover-open");
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
    jv_set(a, "phases", orders_phases(&w->timing));
    if (w->replay)
        jv_set(a, "replay", replayer_status(e));
    /* The first checkpoint stops the service for longer than the takeover did: first
     * the clients get the answers that they have waited for, if they get any without
     * a standby. */
    if (!e->service->stop_when_alone)
        e->no_join_before = mono_add_ms(mono_clock(), JOIN_AFTER_MS);
    order_done(e, ROLE_RUNNING, a);
    replayer_opened(e);
}

void
order_shut_cold(struct engine *e)
{
    engine_shut(e);
    order_done(e, ROLE_FROZEN, NULL);
}

static void
on_handed(struct engine *e, const struct note *n)
{
    if (!e->order.running || e->order.order != ORDER_HANDOVER)
        return;
    if (n->a < 0) {
        order_failed(e, ROLE_RUNNING,
            n->a == -EAGAIN
                ? "the service does not stand still: a thread sleeps in the "
                  "kernel; try again"
                : strerror((int)-n->a));
        return;
    }
    capture_go(e);
    e->order.log = mcast_head(e->capture.mcast);
    e->order.log_since = mono_clock();
    e->order.wait_for = (uint64_t)n->b;
    orders_progress(e);
}

static void
on_resumed(struct engine *e, const struct note *n)
{
    if (!e->order.running || e->order.order != ORDER_RESUME)
        return; /* a handover that took too long was undone */
    if (n->a < 0) {
        order_failed(e, ROLE_FAILED, "nothing of the service is here to go on");
        return;
    }
    peers_reign(e); /* the standbys are seeded anew, under the new epoch */
    engine_require(e, e->order.keep_set);
    e->open = true;
    beats_now(e);
    beats_refresh(e);
    engine_announce(e);
    order_done(e, ROLE_RUNNING, NULL);
}

static void
on_ended(struct engine *e)
{
    if (e->role.state != ROLE_ENDING || !e->order.running)
        return;
    e->protected_now = e->clone_ready = false;
    e->refusals.n = 0;
    if (e->order.order == ORDER_FOLLOW)
        FAULT_POINT("follow-ended");
    order_done(e, e->order.order == ORDER_FOLLOW ? ROLE_FOLLOWING : ROLE_IDLE, NULL);
}

static void
protection_event(struct engine *e, const char *event)
{
    struct jv *ev = jv_object();

    jv_set_str(ev, "event", event);
    jv_set_str(ev, "service", e->service->name);
    jv_set_int(ev, "epoch", (int64_t)e->role.own);
    jv_set(ev, "refusals", status_refusals(&e->refusals));
    engine_changed(e);
    engine_say(e, ev);
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
    engine_changed(e);
    if (n->a == 0)
        return;
    if (why && why->n)
        on_unprotected(e, why);
    else if (n->a == -EAGAIN)
        engine_note(e, "standby", "info",
            "its processes came or went in a way that the clone cannot follow: it is "
            "made anew");
    else
        engine_error(e, "the clone here is broken: %s", strerror((int)-n->a));
    peers_stop_following(e); /* the active node sees the end and seeds it anew */
}

static void
on_stream_end(struct engine *e, const struct note *n)
{
    if ((unsigned)n->a == e->generation)
        engine_changed(e);
}

void
orders_note(struct engine *e, struct note *n)
{
    switch ((enum main_note)n->what) {
    case MAIN_STARTED:
        on_started(e, n->p);
        break;
    case MAIN_TAKEN:
        capture_taken(e, (uint64_t)n->a, (uint32_t)n->b, (uint64_t)n->c,
            (enum conf_policy)n->node);
        break;
    case MAIN_APPLIED:
        if (e->role.state == ROLE_FOLLOWING)
            mcast_forget(e->capture.mcast, (uint64_t)n->a);
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
        on_stream_end(e, n);
        break;
    case MAIN_FILES:
        engine_files_trouble(e, n->p);
        break;
    case MAIN_MARKED:
        capture_read_on(e);
        break;
    case MAIN_NNOTES:
        break;
    }
    free(n->p);
    n->p = NULL;
}
