/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/readers.h"

#include "agent/cells.h"

#include <stdio.h>

#define STOP_MS 1000

static const struct conf *conf; /* NULL: not started */

void
readers_start(const struct driver_context *ctx, const char *run_dir)
{
    char path[512];

    conf = ctx->conf;
    snprintf(path, sizeof path, "%s/cells.sock", run_dir);
    drivers_start(ctx);
    cells_start(conf, path, probes_result);
    probes_start(conf);
}

bool
readers_stop(void)
{
    if (!conf)
        return true;
    probes_stop();
    return drivers_stop(STOP_MS);
}

void
readers_poll(struct pollfd fds[READERS_FDS])
{
    for (unsigned i = 0; i < READERS_FDS; i++)
        fds[i] = (struct pollfd){ .fd = -1 };
    if (!conf)
        return;
    fds[0] = cells_poll();
    drivers_poll(fds + 1);
    probes_poll(fds + 1 + DRIVERS_FDS);
}

static struct mono
sooner(struct mono a, struct mono b)
{
    return mono_before(a, b) ? a : b;
}

struct mono
readers_due(void)
{
    if (!conf)
        return (struct mono){ INT64_MAX };
    return sooner(sooner(drivers_due(), probes_due()), cells_due());
}

/* look_for_services - which run here, and as which process. */
static void
look_for_services(const struct snapshot *s, bool *active, pid_t *pids)
{
    for (unsigned i = 0; i < conf->nservices; i++) {
        uint32_t index[MIB_INDEX_MAX];
        uint32_t n = mib_index_name(index, 0, conf->services[i].name);
        const struct engine_row *row = mib_find(
            &snapshot_tables[SNAP_ENGINE], s, index, n);

        active[i] = row && row->row.known && row->role == ROLE_ACTIVE && row->pid > 0;
        pids[i] = active[i] ? (pid_t)row->pid : 0;
    }
}

bool
readers_turn(
    const struct pollfd fds[READERS_FDS], const struct snapshot *shown, struct mono now)
{
    bool active[CONF_MAX_SERVICES] = { false }, changed;
    pid_t pids[CONF_MAX_SERVICES] = { 0 };

    if (!conf)
        return false;
    look_for_services(shown, active, pids);
    drivers_pids(pids);
    changed = drivers_turn(fds + 1, now);
    changed |= cells_turn(fds[0].revents != 0, active, now);
    changed |= probes_turn(active, now);
    return changed;
}

void
readers_show(struct snapshot *s, struct mono now)
{
    if (!conf)
        return;
    drivers_show(s, now);
    probes_show(s, now);
    cells_show(s);
}

void
readers_judge(enum health *verdict, char *reason, size_t size, struct mono now)
{
    if (conf)
        drivers_judge(verdict, reason, size, now);
}
