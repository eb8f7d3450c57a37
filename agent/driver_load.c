/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/driver.h"

#include <stdlib.h>
#include <unistd.h>

static enum watch_result
read_load(struct readings *r, const struct driver_context *ctx, char *text)
{
    double load[3];
    int n = getloadavg(load, 3);
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    (void)ctx;
    (void)text;
    for (int i = 0; i < 3; i++)
        r->load.average[i] = i < n ? (int64_t)(load[i] * 100 + 0.5) : MIB_NONE;
    r->load.processors = processors > 0 ? processors : MIB_NONE;
    return n > 0 ? WATCH_READ : WATCH_ERROR;
}

static void
facts(const struct readings *r, struct health_facts *f)
{
    if (r->load.processors > 0)
        f->reading[HEALTH_LOAD] = r->load.average[0] / r->load.processors;
}

const struct driver driver_load = { "load", { 1000, 2000, 3, 5 }, true, false,
    read_load, facts };
