/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/idle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

#define DEVICE "/dev/cpu_dma_latency"
#define NO_WISH INT32_C(2000000000) /* PM_QOS_CPU_LATENCY_DEFAULT_VALUE */

static bool
wish(const struct idle *idle, int32_t us)
{
    return write(idle->fd, &us, sizeof us) == sizeof us;
}

/* To open it is a wish already, for the default. */
int
idle_open(struct idle *idle)
{
    idle->limited = false;
    idle->fd = open(DEVICE, O_WRONLY | O_CLOEXEC);
    return idle->fd < 0 ? -errno : 0;
}

void
idle_limit(struct idle *idle, bool on, unsigned us)
{
    if (idle->fd >= 0 && on != idle->limited && wish(idle, on ? (int32_t)us : NO_WISH))
        idle->limited = on;
}
