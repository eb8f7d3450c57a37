/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/driver.h"

#include <stdlib.h>
#include <unistd.h>

void
readings_clear(struct readings *r)
{
    *r = (struct readings){ .load = { MIB_NONE, MIB_NONE, MIB_NONE },
        .processors = MIB_NONE,
        .memory_total = MIB_NONE,
        .memory_available = MIB_NONE,
        .disk_total = MIB_NONE,
        .disk_free = MIB_NONE };
}

void
driver_load(struct readings *r)
{
    double load[3];
    int n = getloadavg(load, 3);
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    for (int i = 0; i < n; i++)
        r->load[i] = (int64_t)(load[i] * 100 + 0.5);
    if (processors > 0)
        r->processors = processors;
}
