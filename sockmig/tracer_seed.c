/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * tracer_seed.c - standbys that join get all pages, and all files, between checkpoints.
 */
#include "sockmig/tracer_private.h"

#include "lib/fault.h"
#include "lib/log.h"
#include "lib/loop.h"

#include <string.h>

#define SEED_PAGES 128 /* read for a joining standby between two checkpoints */
#define SEED_BACKLOG (1u << 20)
#define SEED_RESTS 4     /* times what it took */
#define SEED_WAIT_US 300 /* at least: the shipper, or the standby, is busy */

void
tracer_ship(struct tracer *t, enum shipper_note what, unsigned node, int64_t a, void *p)
{
    queue_put(shipper_queue(t->conf.shipper),
        (struct note){ .what = (int)what, .node = node, .a = a, .p = p });
}

/* Those that have come by now get the same pages: they are read, and sealed, once. */
static void
page_all(struct tracer *t)
{
    int ret = seed_begin(&t->seed, &t->tree);

    if (ret < 0) {
        log_warn("service %s: memory cannot be read for a standby: %s", t->cell.name,
            strerror(-ret));
        return;
    }
    FAULT_POINT("seed-begun");
    t->paging = t->to_seed;
    t->to_seed = 0;
}

/* None of them may be sent more while it is busy with what it has. */
static bool
keep_up(const struct tracer *t, uint32_t nodes)
{
    for (unsigned i = 0; i < CONF_MAX_NODES; i++)
        if (nodes & 1u << i && shipper_backlog(t->conf.shipper, i) >= SEED_BACKLOG)
            return false;
    return true;
}

static void
ship_base(struct tracer *t, struct slot *slot, uint32_t nodes)
{
    slot->kind = SLOT_BASE;
    slot->nodes = nodes;
    slot->number = t->number;
    if (slot->pages.nruns == 0 && slot->files_size == 0)
        slot_put(slot);
    else
        tracer_ship(t, SHIP_SLOT, 0, 0, slot);
}

static void
page_more(struct tracer *t)
{
    struct slot *slot = keep_up(t, t->paging) ? slot_try(t->bases) : NULL;
    int ret;

    if (!slot)
        return; /* the shipper, or a standby, is busy with the last ones */
    ret = seed_next(&t->seed, &slot->pages, SEED_PAGES);
    ship_base(t, slot, t->paging);
    if (ret > 0)
        return;
    if (ret == 0)
        t->to_file |= t->paging;
    t->paging = 0;
    seed_end(&t->seed);
}

static void
file_more(struct tracer *t)
{
    struct slot *slot;
    int ret;

    if (t->filing < 0) {
        t->filing = __builtin_ctz(t->to_file);
        t->seeding_files = false;
    }
    slot = keep_up(t, 1u << t->filing) ? slot_try(t->bases) : NULL;
    if (!slot)
        return;
    ret = files_seed(t, slot);
    ship_base(t, slot, 1u << t->filing);
    if (ret > 0) /* or what it has of the files is not known yet */
        return;
    FAULT_POINT("seed-done");
    if (ret == 0) {
        tracer_ship(t, SHIP_SEEDED, (unsigned)t->filing, 0, NULL);
        tracer_want(t); /* with the next one it can go on */
    }
    t->to_file &= ~(1u << t->filing);
    t->filing = -1;
}

static bool
seeds(const struct tracer *t)
{
    return t->paging || t->to_file;
}

bool
seeding_is_due(const struct tracer *t)
{
    return seeds(t) || t->to_seed;
}

static void
seed_more(struct tracer *t)
{
    if (t->paging)
        page_more(t);
    else if (t->to_file)
        file_more(t);
}

/* The thread runs in real time, for the checkpoints: seeding leaves most of the time to
 * the service.  When to go on. */
struct mono
seeding_turn(struct tracer *t)
{
    struct mono begin = mono_clock(), now;
    int64_t rest_us = 0;

    if (mono_before(begin, t->seed_due))
        return t->seed_due;
    if (!seeds(t))
        page_all(t);
    seed_more(t);
    now = mono_clock();
    if (t->paging)
        rest_us = SEED_RESTS * mono_us_between(begin, now);
    t->seed_due = mono_add_us(now, rest_us < SEED_WAIT_US ? SEED_WAIT_US : rest_us);
    return t->seed_due;
}

void
seeding_leave(struct tracer *t, unsigned node)
{
    files_forget(t, node);
    t->to_seed &= ~(1u << node);
    t->paging &= ~(1u << node);
    t->to_file &= ~(1u << node);
    if (!t->paging)
        seed_end(&t->seed);
    if (t->filing == (int)node)
        t->filing = -1;
}
