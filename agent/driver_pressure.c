/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/driver.h"
#include "lib/fd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* average - of 10 s in the line of /proc/pressure/@what that begins with @kind,
 * hundredths of a percent.  Source: Documentation/accounting/psi.rst */
static int64_t
average(const char *what, const char *kind)
{
    char path[64], text[512], *line, *at;

    snprintf(path, sizeof path, "/proc/pressure/%s", what);
    if (file_read(path, text, sizeof text) <= 0)
        return MIB_NONE;
    line = strstr(text, kind);
    at = line ? strstr(line, "avg10=") : NULL;
    return at ? (int64_t)(strtod(at + 6, NULL) * 100 + 0.5) : MIB_NONE;
}

static enum watch_result
read_pressure(struct readings *r, const struct driver_context *ctx, char *text)
{
    (void)ctx;
    r->pressure.cpu = average("cpu", "some");
    r->pressure.memory = average("memory", "some");
    r->pressure.memory_full = average("memory", "full");
    r->pressure.io = average("io", "some");
    r->pressure.io_full = average("io", "full");
    if (r->pressure.cpu >= 0)
        return WATCH_READ;
    snapshot_text(text, SNAP_TEXT, "the kernel tells no pressure: boot it with psi=1");
    return WATCH_NOTHING;
}

static void
facts(const struct readings *r, struct health_facts *f)
{
    if (r->pressure.memory_full >= 0)
        f->reading[HEALTH_PRESSURE_MEMORY] = r->pressure.memory_full / 100;
    if (r->pressure.io_full >= 0)
        f->reading[HEALTH_PRESSURE_IO] = r->pressure.io_full / 100;
}

const struct driver driver_pressure = { "pressure", { 2000, 2000, 3, 5 }, true, false,
    read_pressure, facts };
