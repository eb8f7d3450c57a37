/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Source: sched(7). */
#include "sockmig/ckpt/hurry.h"

#include <sched.h>

/* What it forks before it stops does not have it. */
#define RAISED (SCHED_FIFO | SCHED_RESET_ON_FORK)

void
hurry_one(struct trace_thread *th)
{
    struct sched_param p;

    if (th->hurried || sched_getscheduler(0) != SCHED_FIFO ||
        sched_getparam(0, &p) < 0 || sched_getscheduler(th->tid) != SCHED_OTHER)
        return;
    p.sched_priority++;
    th->hurried = sched_setscheduler(th->tid, RAISED, &p) == 0;
}

void
hurry_begin(struct trace *t)
{
    for (unsigned i = 0; i < t->nthreads; i++)
        if (t->threads[i].state != TRACE_STOPPED)
            hurry_one(&t->threads[i]);
}

void
hurry_end(struct trace *t)
{
    static const struct sched_param plain;

    for (unsigned i = 0; i < t->nthreads; i++)
        if (t->threads[i].hurried) {
            sched_setscheduler(t->threads[i].tid, SCHED_OTHER, &plain);
            t->threads[i].hurried = false;
        }
}
