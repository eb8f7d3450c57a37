/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/core/watch.h"

#define NEVER ((struct mono){ INT64_MAX })
#define STALE_PERIODS 3 /* a reading may be so old, and the time-out on top */

struct mono
watch_due(const struct watch *w, const struct watch_conf *c)
{
    if (w->running)
        return NEVER;
    if (!w->runs)
        return (struct mono){ 0 };
    return mono_add_ms(w->began, c->period_ms);
}

void
watch_begin(struct watch *w, struct mono now)
{
    w->running = true;
    w->late = false;
    w->began = now;
    w->runs++;
}

static bool
judge(struct watch *w, const struct watch_conf *c, enum health health)
{
    unsigned need = health > w->health ? c->worse : c->better;

    if (health == w->health) {
        w->nnext = 0;
        return false;
    }
    if (w->nnext == 0 || health != w->next)
        w->nnext = 0;
    w->next = health;
    w->nnext++;
    if (w->health != HEALTH_UNKNOWN && w->nnext < need)
        return false;
    w->health = health;
    w->nnext = 0;
    return true;
}

bool
watch_end(struct watch *w, const struct watch_conf *c, struct mono now,
    enum watch_result result, enum health health)
{
    static const enum watch_state states[] = { [WATCH_READ] = WATCH_OK,
        [WATCH_ERROR] = WATCH_FAILED,
        [WATCH_NOTHING] = WATCH_OFF };

    if (!w->running)
        return false;
    w->running = false;
    w->last = states[result];
    w->duration_us = mono_us_between(w->began, now);
    if (result == WATCH_ERROR)
        w->failures++;
    if (result != WATCH_READ)
        return false;
    w->any = true;
    w->ended = now;
    return judge(w, c, health);
}

struct mono
watch_limit(const struct watch *w, const struct watch_conf *c)
{
    return w->running && !w->late ? mono_add_ms(w->began, c->timeout_ms) : NEVER;
}

enum watch_state
watch_look(struct watch *w, const struct watch_conf *c, struct mono now)
{
    int64_t limit_ms = c->period_ms * STALE_PERIODS + c->timeout_ms;

    if (w->running && mono_us_between(w->began, now) > c->timeout_ms * 1000) {
        w->timeouts += !w->late;
        w->late = true;
        return WATCH_HUNG;
    }
    if (w->last == WATCH_OK && mono_us_between(w->ended, now) > limit_ms * 1000)
        return WATCH_STALE;
    return w->last;
}
