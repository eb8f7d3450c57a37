/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Source: sched(7). */
#include "sockmig/ckpt/hurry.h"

#include <sched.h>

/* What it forks before it stops does not have it. */
#define RAISED (SCHED_FIFO | SCHED_RESET_ON_FORK)

void
hurry_begin(struct trace *t)
{
    struct sched_param p;

    if (sched_getscheduler(0) != SCHED_FIFO || sched_getparam(0, &p) < 0)
        return;
    p.sched_priority++;
    for (unsigned i = 0; i < t->nthreads; i++) {
        struct trace_thread *th = &t->threads[i];

        if (th->state != TRACE_STOPPED && !th->hurried &&
            sched_getscheduler(th->tid) == SCHED_OTHER)
            th->hurried = sched_setscheduler(th->tid, RAISED, &p) == 0;
    }
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
