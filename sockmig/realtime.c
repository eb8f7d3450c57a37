/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/realtime.h"

#include <errno.h>
#include <sched.h>

#define PRIORITY 20

void
realtime_press(pthread_t thread)
{
    struct sched_param p = { .sched_priority = PRIORITY };

    pthread_setschedparam(thread, SCHED_FIFO, &p);
}

int
realtime_set(bool on)
{
    struct sched_param p = { .sched_priority = on ? PRIORITY : 0 };

    return sched_setscheduler(0, on ? SCHED_FIFO : SCHED_OTHER, &p) < 0 ? -errno : 0;
}
