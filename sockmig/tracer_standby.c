/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * tracer_standby.c - the tracer's work on a standby: keep the clone, wake it. */
#include "sockmig/tracer_private.h"

#include "lib/fault.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "sockmig/realtime.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MARGIN_MAX_MS 60000
#define ROUND_MS 1000 /* of the sockets that are made ahead */

static void
drop_clone(struct tracer *t)
{
    if (t->clone)
        warm_schedule(t->clone); /* its memory is large, its end is no hurry */
    warm_free(t->clone);
    t->clone = NULL;
    slot_put(t->current);
    t->current = NULL;
    atomic_store(&t->applied, 0);
}

static void
tell_broken(struct tracer *t, int ret, const struct refusals *why)
{
    struct refusals *copy = malloc(sizeof *copy);

    if (!copy)
        log_fatal("tracer: out of memory");
    *copy = *why;
    tracer_tell(t, MAIN_CLONE, ret, 0, copy);
}

static void
keep_clone_stats(struct tracer *t, const struct slot *slot)
{
    atomic_store(&t->applied, slot->number);
    pthread_mutex_lock(&t->stats_lock);
    t->stats.clone_number = slot->number;
    t->stats.clone_at = slot->taken;
    t->stats.connections = family_connections(&slot->family);
    pthread_mutex_unlock(&t->stats_lock);
}

static int
begin_clone(struct tracer *t, struct slot *slot)
{
    struct refusals why = { .n = 0 };
    int ret;

    FAULT_POINT("clone-begun");
    drop_clone(t);
    /* The clone's clocks start where the image's were, and the service's have gone on
     * meanwhile: if later images overtake them, this one took too long to get here. */
    t->cell.clock_margin_ms = t->margin_ms;
    t->cell.image_at = slot->taken;
    ret = warm_new(&t->cell, &slot->family, &t->clone, &why);
    FAULT_POINT("clone-made");
    if (ret < 0) {
        if (ret != -EOPNOTSUPP)
            log_error("service %s: no clone: %s", t->cell.name, strerror(-ret));
        tell_broken(t, ret, &why);
    }
    return ret;
}

static int
apply(struct tracer *t, struct slot *slot)
{
    struct refusals why = { .n = 0 };
    int ret;

    if (slot->kind == SLOT_CHECKPOINT)
        FAULT_POINT("standby-applying");
    ret = slot->kind == SLOT_BASE
              ? warm_content(t->clone, &slot->pages, &slot->parcels)
              : warm_apply(t->clone, &slot->family, &slot->pages, &slot->parcels, &why);

    if (ret < 0) {
        log_info("service %s: checkpoint %llu cannot be applied: %s", t->cell.name,
            (unsigned long long)slot->number, strerror(-ret));
        tell_broken(t, ret, &why);
        drop_clone(t);
        if (ret == -ESTALE && t->margin_ms < MARGIN_MAX_MS)
            t->margin_ms *= 2;
    }
    return ret;
}

/* A takeover may begin in the middle of it, see tracer_press(). */
static void
take_time(struct tracer *t)
{
    realtime_set(false);
    if (atomic_load(&t->pressed))
        realtime_set(true);
}

void
standby_slot(struct tracer *t, struct slot *slot)
{
    enum slot_kind kind = slot->kind;

    if (kind != SLOT_CHECKPOINT || !slot->hurry)
        take_time(t);
    if (slot->kind == SLOT_IMAGE && begin_clone(t, slot) < 0)
        goto out;
    if (!t->clone) /* broken or refused: what still comes in is of no use */
        goto out;
    if (apply(t, slot) < 0 || slot->kind == SLOT_BASE)
        goto out;
    if (slot->kind == SLOT_CHECKPOINT) {
        keep_clone_stats(t, slot);
        if (t->conf.files)
            filestore_applied(t->conf.files, slot->number);
        tracer_tell(t, MAIN_APPLIED, (int64_t)follower_applied(t->conf.follower, slot),
            0, NULL);
    } else {
        tracer_tell(t, MAIN_CLONE, 0, 0, NULL);
    }
    FAULT_POINT("standby-applied");
    slot_put(t->current);
    t->current = slot;
    slot = NULL;
out:
    slot_put(slot);
    realtime_set(true);
    if (t->clone && kind == SLOT_IMAGE)
        warm_schedule(t->clone);
}

/* What the old connections can hope for is the policy's that output was held by. */
static void
prepare_replay(struct tracer *t, struct woken *w, uint64_t reign)
{
    if (t->current->policy == CONF_WARM)
        w->not_replayed = "policy warm";
    else
        w->not_replayed = follower_prepare(t->conf.follower, t->current,
            replayer_machine(t->conf.replayer), reign, mono_clock());
    w->replay = w->not_replayed == NULL;
}

static void
wake(struct tracer *t, struct woken *w, uint64_t reign)
{
    int64_t age_us = mono_us_between(t->current->taken, mono_clock());
    struct clone_wake_request request = {
        .age_ms = (uint32_t)(age_us / 1000), .tun = t->conf.tun, .raw = t->conf.raw
    };

    prepare_replay(t, w, reign);
    request.alone = !w->replay;
    w->ret = files_settle(t, w);
    if (w->ret < 0)
        return;
    warm_schedule(t->clone); /* threads that came since */
    w->ret = warm_wake(t->clone, &request, &w->pid, &w->lost, &w->timing, &w->why);
    if (w->ret < 0)
        return;
    w->connections = family_connections(&t->current->family);
    w->checkpoint = t->current->number;
    t->init = warm_release(t->clone);
    t->clone = NULL;
    t->pid = w->pid;
    t->number = 0;
}

void
standby_wake(struct tracer *t, uint64_t reign)
{
    struct woken *w = calloc(1, sizeof *w);

    if (!w)
        log_fatal("tracer: out of memory");
    if (t->clone && t->current && atomic_load(&t->applied) > 0)
        wake(t, w, reign);
    else
        w->ret = -ENOENT;
    drop_clone(t);
    tracer_tell(t, MAIN_WOKEN, 0, 0, w);
}

/* Checkpoints come and wake the thread: no timer is needed. */
bool
standby_turn(struct tracer *t)
{
    if (!t->clone || !t->current || atomic_load(&t->applied) == 0 ||
        t->current->policy == CONF_WARM ||
        mono_us_between(t->rested, mono_clock()) < ROUND_MS * 1000)
        return false;
    if (warm_ahead(t->clone, t->conf.tun))
        return true;
    t->rested = mono_clock();
    return false;
}

void
standby_end(struct tracer *t)
{
    drop_clone(t);
}
