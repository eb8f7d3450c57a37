/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * drivers.h - runs the drivers, each in its thread; none is waited for. */
#ifndef BSC_AGENT_DRIVERS_H
#define BSC_AGENT_DRIVERS_H

#include "agent/driver.h"

#include <poll.h>

#define DRIVERS_FDS 2

/* drivers_start - once in a process.  @ctx: copied; what it points to must stay until
 * drivers_stop() has said that nothing uses it. */
void drivers_start(const struct driver_context *ctx);

/* drivers_stop - no driver is started any more; wait for those that run, @most_ms at
 * most.  False: one hangs, and goes on to use what it was given. */
bool drivers_stop(int64_t most_ms);

/* drivers_pids - what runs here now. */
void drivers_pids(const pid_t pids[CONF_MAX_SERVICES]);

void drivers_poll(struct pollfd fds[DRIVERS_FDS]);
struct mono drivers_due(void); /* call drivers_turn() then at the latest */

/* drivers_turn - take what is read, start what is due.  True: something changed. */
bool drivers_turn(const struct pollfd fds[DRIVERS_FDS], struct mono now);

/* drivers_show - the rows of drivers and of what they read; of one that hangs, failed
 * or is stale none but its own. */
void drivers_show(struct snapshot *s, struct mono now);

/* drivers_judge - add what they find to the node's verdict. */
void drivers_judge(enum health *verdict, char *reason, size_t size, struct mono now);

#endif
