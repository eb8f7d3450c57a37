/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * tracer_active.c - the tracer's work on the active node. */
#include "sockmig/tracer_private.h"

#include "lib/fault.h"
#include "lib/fd.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "sockmig/core/commit.h"
#include "sockmig/realtime.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define STOP_LIMIT_MS 20
#define TRACK_TRIES 100
#define AGAIN_MS 2     /* a thread did not stop: try again soon */
#define AHEAD_US 10000 /* more than lies between accept() and setsockopt() */
#define BUSY_US 300    /* the shipper has all buffers */

void
active_start(struct tracer *t)
{
    struct started *s = calloc(1, sizeof *s);

    if (!s)
        log_fatal("tracer: out of memory");
    if (t->conf.files && !filestore_usable(t->conf.files)) {
        snprintf(s->error, sizeof s->error,
            "its state folders are half way between two checkpoints here: start it "
            "on another node, and this one gets them again");
        s->ret = -EUCLEAN;
    } else {
        s->ret = cell_start(&t->cell, &s->init, &s->pid, s->error);
    }
    if (s->ret == 0) {
        t->init = s->init;
        t->pid = s->pid;
        t->number = 0;
    }
    tracer_tell(t, MAIN_STARTED, 0, 0, s);
}

static void
tell_refusals(struct tracer *t, const struct refusals *why)
{
    struct refusals *copy = malloc(sizeof *copy);

    if (!copy)
        log_fatal("tracer: out of memory");
    *copy = *why;
    tracer_tell(t, MAIN_UNPROTECTED, 0, 0, copy);
}

/* Why nothing can be tracked, when it is no refusal of the process itself. */
static void
tell_trouble(struct tracer *t, const char *what, int ret)
{
    struct refusals why = { .n = 0 };

    if (ret == -ESRCH || ret == -EOPNOTSUPP)
        return; /* its pidfd tells of its end; a refusal has been told */
    refuse(&why, 0, -1, "see whether a debugger holds it; it is tried again", "%s: %s",
        what, strerror(-ret));
    tell_refusals(t, &why);
}

static void
take_mark(void *arg)
{
    struct tracer *t = arg;

    FAULT_POINT("checkpoint-stopped");
    t->conf.mark(t->conf.arg, &t->mark);
    FAULT_POINT("checkpoint-marked");
}

static void
marked(void *arg)
{
    struct tracer *t = arg;

    t->conf.marked(t->conf.arg);
}

static void
keep_stats(
    struct tracer *t, const struct target_timing *timing, const struct slot *slot)
{
    struct tracer_stats *s = &t->stats;

    pthread_mutex_lock(&t->stats_lock);
    s->count++;
    s->number = t->number;
    s->last_pages = slot->pages.size / IMAGE_PAGE;
    s->connections = family_connections(&t->tree.family);
    s->last_at = t->pace.ended;
    s->last = *timing;
    s->file_bytes = slot->files_size;
    s->all_file_bytes += slot->files_size;
    if (t->scan)
        filescan_stat(t->scan, &s->files);
    if (timing->pause > s->max_pause_us)
        s->max_pause_us = timing->pause;
    pthread_mutex_unlock(&t->stats_lock);
}

/* Tracking ends: standbys keep what they have, the process runs on. */
static void
untrack(struct tracer *t)
{
    tree_close(&t->tree);
    if (t->scan)
        filescan_rest(t->scan);
    t->tracked = false;
    t->paging = t->to_file = 0;
    t->filing = -1;
}

/* Who is in it, and all of it.  0 or -E2BIG. */
static int
encode(struct tracer *t, struct slot *slot)
{
    const struct family *f = &t->tree.family;

    slot->family.n = f->n;
    memcpy(slot->family.members, f->members, f->n * sizeof *f->members);
    slot->meta_size = family_encode(f, slot->meta, slot->meta_max);
    FAULT_POINT("checkpoint-encoded");
    return slot->meta_size > 0 ? 0 : -E2BIG;
}

/* The main thread knows of it before a standby can answer. */
static void
hand_over(struct tracer *t, struct slot *slot)
{
    queue_put(t->conf.to_main, (struct note){ .what = MAIN_TAKEN,
                                   .node = slot->policy,
                                   .a = (int64_t)slot->number,
                                   .b = slot->mark.out_id,
                                   .c = (int64_t)slot->mark.log });
    tracer_ship(t, SHIP_SLOT, 0, 0, slot);
}

static int
checkpoint(struct tracer *t, bool stay_stopped)
{
    struct target_request req = { .mark = take_mark,
        .arg = t,
        .stop_limit_ms = stay_stopped ? 1000 : STOP_LIMIT_MS,
        .stay_stopped = stay_stopped,
        .settled = !t->paging && !t->to_seed,
        .marked = marked,
        .files = t->scan ? files_take : NULL,
        .wrote = t->scan ? files_wrote : NULL,
        .files_mapped = t->scan ? files_take_mapped : NULL };
    struct target_timing timing = { 0 };
    struct refusals why = { .n = 0 };
    struct mono started;
    struct slot *slot = stay_stopped ? slot_take(t->checkpoints)
                                     : slot_try(t->checkpoints);
    int ret;

    if (!slot)
        return -EBUSY;
    slot->hurry = stay_stopped || atomic_load(&t->wanted);
    tracer_unwant(t); /* what comes from here on wants the next one */
    files_prepare(t);
    started = mono_clock();
    FAULT_POINT("checkpoint-begun");
    ret = tree_checkpoint(&t->tree, &req, &slot->pages, &slot->parcels, &timing, &why);
    pace_taken(&t->pace, started, mono_clock());
    if (ret == 0)
        ret = files_unfit(t, &why) ? -EOPNOTSUPP : encode(t, slot);
    if (ret < 0) {
        tree_resume(&t->tree);
        slot_put(slot);
        if (ret == -EOPNOTSUPP)
            tell_refusals(t, &why);
        return ret;
    }
    FAULT_POINT("checkpoint-resumed");
    slot->kind = SLOT_CHECKPOINT;
    slot->number = ++t->number;
    slot->taken = t->pace.ended;
    slot->mark = t->mark;
    slot->policy = atomic_load(&t->policy);
    slot->hurry = slot->hurry || slot->policy == CONF_COMMIT || atomic_load(&t->wanted);
    files_hand(t, slot);
    keep_stats(t, &timing, slot);
    hand_over(t, slot);
    return 0;
}

/* What need not be read while the service stands still. */
static void
look_ahead(struct tracer *t)
{
    realtime_set(false);
    tree_ahead(&t->tree);
    tree_serve(&t->tree, AHEAD_US);
    tree_ahead(&t->tree);
    realtime_set(true);
}

/* Begin to track.  Every standby gets its base by seeding. */
static int
track(struct tracer *t)
{
    struct refusals why = { .n = 0 };
    int ret;

    realtime_set(false); /* as long as the files are many */
    ret = files_begin(t, &why);
    realtime_set(true);
    if (ret == 0)
        ret = tree_track(&t->tree, t->init, t->pid, t->conf.service->children,
            t->scan ? &t->mapped : NULL, &why);
    t->tracked = true;

    if (ret < 0) {
        if (ret == -EOPNOTSUPP)
            tell_refusals(t, &why);
        tell_trouble(t, "the process cannot be traced", ret);
        untrack(t);
        return ret;
    }
    look_ahead(t);
    ret = tree_precopy(&t->tree);
    for (int tries = 0; ret == 0 && tries < TRACK_TRIES; tries++) {
        ret = checkpoint(t, false);
        if (ret != -EAGAIN && ret != -EBUSY)
            break;
        /* in real time, trying on without a pause starves whom it waits for */
        usleep(AGAIN_MS * 1000);
        ret = tries + 1 < TRACK_TRIES ? 0 : ret;
    }
    if (ret < 0) {
        tell_trouble(t, "its memory cannot be tracked", ret);
        untrack(t);
    } else {
        tracer_tell(t, MAIN_PROTECTED, 0, 0, NULL);
    }
    return ret;
}

/* A standby that does not follow this reign yet ends the stream at once, and is called
 * again: to begin to track for streams that are long over would delay all other work.
 */
static bool
is_over(int fd)
{
    char byte;
    ssize_t n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

    return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

void
active_join(struct tracer *t, const struct note *join)
{
    struct note ship = *join;
    unsigned node = join->node;
    int fd = (int)join->a;

    if (t->pid == 0 || is_over(fd) || (!t->tracked && track(t) < 0)) {
        fd_close(fd); /* the main thread was told, and tries again later */
        free(join->p);
        return;
    }
    FAULT_POINT("seed-joined");
    ship.what = SHIP_JOIN;
    queue_put(shipper_queue(t->conf.shipper), ship);
    seeding_leave(t, node);
    t->standbys |= 1u << node;
    t->to_seed |= 1u << node;
}

void
active_leave(struct tracer *t, unsigned node)
{
    t->standbys &= ~(1u << node);
    seeding_leave(t, node);
    tracer_ship(t, SHIP_LEAVE, node, 0, NULL);
    if (!t->standbys && t->tracked && !t->handed)
        untrack(t);
}

void
active_handover(struct tracer *t)
{
    int ret = -ENOTCONN;

    for (int tries = 0; t->tracked && tries < 20; tries++) {
        ret = checkpoint(t, true);
        if (ret != -EAGAIN)
            break;
    }
    t->handed = ret == 0;
    FAULT_POINT("handover-frozen");
    tracer_tell(t, MAIN_HANDED, ret, (int64_t)t->number, NULL);
}

/* After a handover that came to nothing, or when this node was outvoted for a while: a
 * new reign of the same process.  Its checkpoints are counted anew. */
void
active_resume(struct tracer *t)
{
    if (t->handed)
        tree_resume(&t->tree);
    t->handed = false;
    if (t->tracked)
        untrack(t);
    t->standbys = t->to_seed = 0;
    t->number = 0;
    FAULT_POINT("resume-resumed");
    tracer_tell(t, MAIN_RESUMED, t->pid ? 0 : -ESRCH, 0, NULL);
}

void
active_end(struct tracer *t)
{
    if (t->tracked)
        untrack(t);
    cell_kill(t->init);
    t->init = t->pid = 0;
    t->number = 0;
    t->standbys = t->to_seed = 0;
    t->handed = false;
    seed_end(&t->seed);
}

static bool
may_take(const struct tracer *t)
{
    return t->number - atomic_load(&t->stable) < COMMIT_WINDOW - 1;
}

static void
lost_track(struct tracer *t, int ret)
{
    if (ret == -ENOSPC) {
        tree_forget(&t->tree);
        return;
    }
    tell_trouble(t, "no checkpoint can be taken", ret);
    untrack(t);
}

void
active_turn(struct tracer *t)
{
    struct pace_wish wish = { .now = atomic_load(&t->wanted),
        .output = atomic_load(&t->output_waits),
        .complete = atomic_load(&t->output_complete),
        .under_way = t->number != atomic_load(&t->stable),
        .seeding = !atomic_load(&t->required) && t->paging,
        .first = { atomic_load(&t->output_first_us) },
        .last = { atomic_load(&t->output_last_us) },
        .cycle_us = atomic_load(&t->cycle_us) };
    struct mono now = mono_clock(), due;
    int ret = 0;

    if (!t->tracked || t->handed) {
        queue_wait(t->queue);
        return;
    }
    t->pace.interval_us = atomic_load(&t->interval_ms) * 1000;
    t->pace.spacing_us = atomic_load(&t->spacing_ms) * 1000;
    due = pace_due(&t->pace, &wish);
    if (!may_take(t)) {
        due = mono_add_ms(now, 1);
    } else if (!mono_before(now, due)) {
        ret = checkpoint(t, false);
        if (ret == -EAGAIN)
            due = mono_add_ms(now, AGAIN_MS);
        else if (ret == -EBUSY)
            due = mono_add_us(now, BUSY_US);
        else if (ret < 0)
            lost_track(t, ret);
        if (ret != -EAGAIN && ret != -EBUSY)
            return;
    }
    if (seeding_is_due(t)) {
        struct mono next = seeding_turn(t);

        due = mono_before(due, next) ? due : next;
    }
    if (tree_wait(&t->tree, due, queue_fd(t->queue)) == -ESRCH)
        untrack(t);
}
