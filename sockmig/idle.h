/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * idle.h - how deeply the processors of this host may sleep.
 *
 * The kernel keeps the shortest wish of all programs that hold the device open.
 * Source: Documentation/power/pm_qos_interface.rst. */
#ifndef BSC_IDLE_H
#define BSC_IDLE_H

#include <stdbool.h>

struct idle {
    int fd; /* owned; -1: this kernel has no such wish */
    bool limited;
};

/* idle_open - 0 with no wish yet, or -errno: idle_limit() does nothing.  A process that
 * ends takes its wish with it. */
int idle_open(struct idle *idle);

/* idle_limit - a processor may need @us to wake, while @on. */
void idle_limit(struct idle *idle, bool on, unsigned us);

#endif
