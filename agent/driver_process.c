/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/driver.h"
#include "lib/fd.h"
#include "lib/loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct used { /* processor time of the last run */
    pid_t pid;
    int64_t cpu_ms;
};

static int64_t
ticks_to_ms(unsigned long long ticks)
{
    return (int64_t)(ticks * 1000 / (unsigned long long)sysconf(_SC_CLK_TCK));
}

/* Source: proc(5), /proc/PID/stat; the name may hold anything but its last ')'. */
static bool
read_stat(pid_t pid, struct process_row *row)
{
    char path[64], text[1024], *open, *close, state;
    unsigned long long user, system;
    long threads, pages;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    if (file_read(path, text, sizeof text) <= 0)
        return false;
    open = strchr(text, '(');
    close = strrchr(text, ')');
    if (!open || !close ||
        sscanf(close + 1,
            " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %ld "
            "%*d %*u %*u %ld",
            &state, &user, &system, &threads, &pages) != 5)
        return false;
    *close = '\0';
    snapshot_text(row->command, sizeof row->command, open + 1);
    row->state[0] = state;
    row->state[1] = '\0';
    row->threads = threads;
    row->resident = pages * (sysconf(_SC_PAGESIZE) / 1024);
    row->cpu_time = ticks_to_ms(user + system);
    return true;
}

/* The number of open descriptors is the size of their folder, for everybody to see
 * (Linux 6.2); what is in it is not. */
static void
read_descriptors(pid_t pid, struct process_row *row)
{
    char path[64], text[2048], *at;
    struct stat st;

    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    row->descriptors = stat(path, &st) == 0 && st.st_size > 0 ? st.st_size : MIB_NONE;
    snprintf(path, sizeof path, "/proc/%d/limits", (int)pid);
    row->descriptor_limit = MIB_NONE;
    if (file_read(path, text, sizeof text) <= 0)
        return;
    at = strstr(text, "Max open files");
    if (at)
        row->descriptor_limit = strtoll(at + strlen("Max open files"), NULL, 10);
}

static int64_t
load_of(const struct used *before, uint32_t n, pid_t pid, int64_t cpu_ms, int64_t us)
{
    for (uint32_t i = 0; i < n; i++)
        if (before[i].pid == pid && us > 0 && cpu_ms >= before[i].cpu_ms)
            return (cpu_ms - before[i].cpu_ms) * 10000000 / us;
    return MIB_NONE;
}

static void
add(struct readings *r, const char *service, pid_t pid, const struct used *before,
    uint32_t nbefore, int64_t us)
{
    struct process_row *row = &r->process.v[r->process.n];
    char path[64], text[4096], *at = text;

    if (r->process.n == READ_PROCESSES)
        return;
    memset(row, 0, sizeof *row);
    if (!read_stat(pid, row))
        return;
    read_descriptors(pid, row);
    row->cpu_load = load_of(before, nbefore, pid, row->cpu_time, us);
    row->row.nindex = mib_index_name(row->row.index, 0, service);
    row->row.index[row->row.nindex++] = (uint32_t)pid;
    row->row.known = true;
    r->process.n++;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
    if (file_read(path, text, sizeof text) <= 0)
        return;
    for (pid_t child; (child = (pid_t)strtol(at, &at, 10)) > 0;)
        add(r, service, child, before, nbefore, us);
}

static enum watch_result
read_process(struct readings *r, const struct driver_context *ctx, char *text)
{
    static struct used before[READ_PROCESSES]; /* this driver runs once at a time */
    static uint32_t nbefore;
    static int64_t at_us;
    int64_t now_us = mono_clock().us, us = at_us ? now_us - at_us : 0;

    (void)text;
    r->process.n = 0;
    for (unsigned i = 0; i < ctx->conf->nservices; i++)
        if (ctx->pids[i] > 0)
            add(r, ctx->conf->services[i].name, ctx->pids[i], before, nbefore, us);
    nbefore = r->process.n;
    r->process.fullest = -1;
    for (uint32_t i = 0; i < r->process.n; i++) {
        const struct process_row *row = &r->process.v[i];
        int64_t full = row->descriptor_limit > 0 && row->descriptors >= 0
                           ? row->descriptors * 100 / row->descriptor_limit
                           : -1;

        before[i] = (struct used){ (pid_t)row->row.index[row->row.nindex - 1],
            row->cpu_time };
        if (full > r->process.fullest)
            r->process.fullest = full;
    }
    at_us = now_us;
    return WATCH_READ;
}

static void
facts(const struct readings *r, struct health_facts *f)
{
    f->reading[HEALTH_DESCRIPTORS] = r->process.fullest;
}

const struct driver driver_process = { "process", { 2000, 2000, 2, 2 }, false, false,
    read_process, facts };
