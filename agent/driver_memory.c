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

void
driver_memory(struct readings *r)
{
    char text[8192];

    if (file_read("/proc/meminfo", text, sizeof text) <= 0)
        return;
    r->memory_total = mib_of(text, "MemTotal:");
    r->memory_available = mib_of(text, "MemAvailable:");
}
