/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/driver.h"
#include "lib/fd.h"

#include <stdlib.h>
#include <string.h>

/* mib_of - the value of @key, which /proc/meminfo gives in KiB. */
static int64_t
mib_of(const char *text, const char *key)
{
    const char *at = strstr(text, key);

    return at ? strtoll(at + strlen(key), NULL, 10) / 1024 : MIB_NONE;
}

static enum watch_result
read_memory(struct readings *r, const struct driver_context *ctx, char *text)
{
    char info[8192];

    (void)ctx;
    if (file_read("/proc/meminfo", info, sizeof info) <= 0) {
        snapshot_text(text, SNAP_TEXT, "/proc/meminfo cannot be read");
        return WATCH_ERROR;
    }
    r->memory.total = mib_of(info, "MemTotal:");
    r->memory.available = mib_of(info, "MemAvailable:");
    r->memory.swap_total = mib_of(info, "SwapTotal:");
    r->memory.swap_free = mib_of(info, "SwapFree:");
    return WATCH_READ;
}

static void
facts(const struct readings *r, struct health_facts *f)
{
    if (r->memory.total > 0 && r->memory.available >= 0)
        f->reading[HEALTH_MEMORY] = r->memory.available * 100 / r->memory.total;
}

const struct driver driver_memory = { "memory", { 1000, 2000, 2, 5 }, true, false,
    read_memory, facts };
