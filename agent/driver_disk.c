/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/driver.h"

#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>

void
driver_disk(struct readings *r, const char *folder)
{
    struct statvfs st;
    char path[SNAP_TEXT];
    char *slash;

    snapshot_text(path, sizeof path, folder);
    while (statvfs(path, &st) < 0) {
        slash = strrchr(path, '/');
        if (errno != ENOENT || !slash || slash == path)
            return;
        *slash = '\0';
    }
    r->disk_total = (int64_t)(st.f_blocks * (uint64_t)st.f_frsize >> 20);
    r->disk_free = (int64_t)(st.f_bavail * (uint64_t)st.f_frsize >> 20);
}
