/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * readers.h - all that looks at the node and its services: drivers, probes, cells.
 *
 * Until readers_start() was called, which needs a configuration that is good, the
 * others do nothing and show nothing. */
#ifndef BSC_AGENT_READERS_H
#define BSC_AGENT_READERS_H

#include "agent/drivers.h"
#include "agent/probes.h"

#define READERS_FDS (1 + DRIVERS_FDS + PROBES_FDS)

/* readers_start - once in a process.  @ctx's configuration and texts: borrowed. */
void readers_start(const struct driver_context *ctx, const char *run_dir);

/* readers_stop - true: nothing uses what readers_start() was given any more.  A driver
 * that hangs is waited for not longer than a second. */
bool readers_stop(void);

void readers_poll(struct pollfd fds[READERS_FDS]);
struct mono readers_due(void);

/* readers_turn - true: something changed.  @shown: by which it is known what runs
 * here.  Call it when one of @fds is ready, when readers_due() says so, and when there
 * is another snapshot. */
bool readers_turn(const struct pollfd fds[READERS_FDS], const struct snapshot *shown,
    struct mono now);

void readers_show(struct snapshot *s, struct mono now);
void readers_judge(enum health *verdict, char *reason, size_t size, struct mono now);

#endif
