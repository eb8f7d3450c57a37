/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/tracer_private.h"

#include "lib/log.h"
#include "lib/loop.h"
#include "sockmig/ckpt/orphans.h"
#include "sockmig/ckpt/survey.h"
#include "sockmig/ckpt/tcp_read.h"
#include "sockmig/ckpt/unaccepted.h"
#include "sockmig/realtime.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define MAX_BYTES ((size_t)16 << 30) /* of pages in one checkpoint: address space */
#define CLOCK_MARGIN_MS 1000
#define WARM_BYTES ((size_t)16 << 20)

void
tracer_tell(struct tracer *t, enum main_note what, int64_t a, int64_t b, void *p)
{
    queue_put(
        t->conf.to_main, (struct note){ .what = (int)what, .a = a, .b = b, .p = p });
}

static void
work(struct tracer *t, const struct note *n)
{
    switch ((enum trace_note)n->what) {
    case TRACE_START:
        standby_end(t); /* of a time when the policy was not cold */
        active_start(t);
        break;
    case TRACE_JOIN:
        active_join(t, n);
        break;
    case TRACE_LEAVE:
        active_leave(t, n->node);
        break;
    case TRACE_HAVE:
        files_have(t, n->node, n->p, (size_t)n->a);
        break;
    case TRACE_SLOT:
        standby_slot(t, n->p);
        break;
    case TRACE_LOG:
        if (atomic_load(&t->policy) == CONF_COLD)
            standby_end(t); /* nothing will replace it, and it is not woken */
        follower_begin(t->conf.follower, (uint64_t)n->a);
        break;
    case TRACE_BIRTHS:
        follower_births(t->conf.follower, n->p, (size_t)n->a);
        break;
    case TRACE_WAKE:
        standby_wake(t, (uint64_t)n->a);
        atomic_store(&t->pressed, false);
        break;
    case TRACE_HANDOVER:
        active_handover(t);
        break;
    case TRACE_RESUME:
        active_resume(t);
        break;
    case TRACE_END:
        realtime_set(false); /* the fence is closed: what is left is tidying up */
        active_end(t);
        standby_end(t);
        realtime_set(true);
        tracer_tell(t, MAIN_ENDED, 0, 0, NULL);
        break;
    case TRACE_NNOTES:
        break;
    }
}

static void *
tracer_main(void *arg)
{
    struct tracer *t = arg;
    struct note n;

    pthread_setname_np(pthread_self(), "tracer");
    realtime_set(false);
    survey_load();
    unaccepted_load();
    orphans_watch(t->conf.cell_netns);
    tcp_read_load(); /* not when clients wait for the first checkpoint */
    realtime_set(true);
    for (;;) {
        if (queue_get(t->queue, &n))
            work(t, &n);
        else if (t->tracked || t->standbys)
            active_turn(t);
        else if (!standby_turn(t))
            queue_wait(t->queue);
    }
    return NULL;
}

static void
fill_cell(struct tracer *t)
{
    const struct conf_service *s = t->conf.service;

    t->cell = (struct cell_conf){ .name = s->name,
        .netns = t->conf.cell_netns,
        .command = s->command,
        .uid = s->uid,
        .gid = s->gid,
        .groups = s->groups,
        .ngroups = s->ngroups,
        .directory = s->directory,
        .log = s->log };
    if (t->conf.folders) {
        t->cell.state = t->conf.folders->roots;
        t->cell.nstate = t->conf.folders->nroots;
    }
}

struct tracer *
tracer_new(const struct tracer_conf *conf)
{
    struct tracer *t = calloc(1, sizeof *t);

    if (!t)
        log_fatal("tracer: out of memory");
    t->conf = *conf;
    t->queue = queue_new();
    t->checkpoints = slot_pool_new(3, MAX_BYTES, WARM_BYTES, false);
    t->bases = slot_pool_new(2, (size_t)8 << 20, 0, false);
    t->received = slot_pool_new(4, MAX_BYTES, 0, true);
    t->filing = -1;
    t->margin_ms = CLOCK_MARGIN_MS;
    pthread_mutex_init(&t->stats_lock, NULL);
    files_open(t);
    fill_cell(t);
    tracer_policy(t, conf->service->policy);
    tracer_pace(t, conf->service->interval_ms, conf->service->spacing_ms);
    if (pthread_create(&t->thread, NULL, tracer_main, t) != 0)
        log_fatal("tracer: no thread");
    pthread_detach(t->thread); /* it ends with the engine */
    return t;
}

struct queue *
tracer_queue(struct tracer *t)
{
    return t->queue;
}

struct slot_pool *
tracer_received_pool(struct tracer *t)
{
    return t->received;
}

_Atomic uint64_t *
tracer_applied(struct tracer *t)
{
    return &t->applied;
}

void
tracer_stats(struct tracer *t, struct tracer_stats *out)
{
    pthread_mutex_lock(&t->stats_lock);
    *out = t->stats;
    pthread_mutex_unlock(&t->stats_lock);
}

void
tracer_want(struct tracer *t)
{
    if (!atomic_exchange(&t->wanted, true))
        queue_put(t->queue, (struct note){ .what = TRACE_NNOTES });
}

void
tracer_output(struct tracer *t, struct mono at, bool complete)
{
    bool waited = atomic_load(&t->output_waits);

    atomic_store(&t->output_last_us, at.us);
    if (waited && atomic_load(&t->output_complete) == complete)
        return;
    atomic_store(&t->output_complete, complete);
    if (!waited)
        atomic_store(&t->output_first_us, at.us);
    atomic_store(&t->output_waits, true);
    queue_put(t->queue, (struct note){ .what = TRACE_NNOTES });
}

void
tracer_unwant(struct tracer *t)
{
    atomic_store(&t->wanted, false);
    atomic_store(&t->output_waits, false);
}

void
tracer_stable(struct tracer *t, uint64_t number, int64_t took_us)
{
    atomic_store(&t->stable, number);
    if (took_us > 0)
        atomic_store(&t->cycle_us, pace_cycle(atomic_load(&t->cycle_us), took_us));
    if (atomic_load(&t->output_waits)) /* it may have waited for this */
        queue_put(t->queue, (struct note){ .what = TRACE_NNOTES });
}

void
tracer_press(struct tracer *t)
{
    atomic_store(&t->pressed, true);
    realtime_press(t->thread);
}

void
tracer_required(struct tracer *t, bool required)
{
    atomic_store(&t->required, required);
}

void
tracer_policy(struct tracer *t, enum conf_policy policy)
{
    atomic_store(&t->policy, policy);
}

void
tracer_pace(struct tracer *t, unsigned interval_ms, unsigned spacing_ms)
{
    atomic_store(&t->interval_ms, interval_ms);
    atomic_store(&t->spacing_ms, spacing_ms);
}

unsigned
tracer_interval_ms(struct tracer *t)
{
    return atomic_load(&t->interval_ms);
}
