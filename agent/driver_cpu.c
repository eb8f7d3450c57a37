/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/driver.h"
#include "lib/fd.h"

#include <errno.h>
#include <stdio.h>

enum { USER, NICE, SYSTEM, IDLE, IOWAIT, IRQ, SOFTIRQ, STEAL, NFIELDS };

/* share - of @part in @whole, hundredths of a percent. */
static int64_t
share(uint64_t part, uint64_t whole)
{
    return whole ? (int64_t)(part * 10000 / whole) : MIB_NONE;
}

/* What was used since the last reading.  Source: proc(5), /proc/stat */
static enum watch_result
read_cpu(struct readings *r, const struct driver_context *ctx, char *text)
{
    static unsigned long long before[NFIELDS]; /* this driver runs once at a time */
    unsigned long long now[NFIELDS], d[NFIELDS], all = 0;
    char stat[8192];

    (void)ctx;
    if (file_read("/proc/stat", stat, sizeof stat) == -EFBIG)
        stat[sizeof stat - 1] = '\0'; /* its first line is enough */
    if (sscanf(stat, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &now[0], &now[1],
            &now[2], &now[3], &now[4], &now[5], &now[6], &now[7]) != NFIELDS) {
        snapshot_text(text, SNAP_TEXT, "/proc/stat cannot be read");
        return WATCH_ERROR;
    }
    for (int i = 0; i < NFIELDS; i++) {
        /* the kernel lets idle and iowait run back a little now and then */
        d[i] = now[i] > before[i] && before[USER] ? now[i] - before[i] : 0;
        before[i] = now[i];
        all += d[i];
    }
    r->cpu.busy = share(all - d[IDLE] - d[IOWAIT], all);
    r->cpu.user = share(d[USER] + d[NICE], all);
    r->cpu.system = share(d[SYSTEM] + d[IRQ] + d[SOFTIRQ], all);
    r->cpu.iowait = share(d[IOWAIT], all);
    r->cpu.steal = share(d[STEAL], all);
    return WATCH_READ;
}

const struct driver driver_cpu = { "cpu", { 1000, 2000, 2, 5 }, false, false, read_cpu,
    NULL };
