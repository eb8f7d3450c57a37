/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * probes.h - runs the probes of the configuration, on the node or by way of sockmigd
 * within a cell; none is waited for, a few run at a time. */
#ifndef BSC_AGENT_PROBES_H
#define BSC_AGENT_PROBES_H

#include "agent/core/snapshot.h"
#include "lib/conf.h"
#include "lib/core/mono.h"

#include <poll.h>

#define PROBES_RUNNING 8 /* at one time, of those on the node */
#define PROBES_FDS (2 * PROBES_RUNNING)

/* probes_start - once in a process. */
void probes_start(const struct conf *conf);
void probes_stop(void); /* kill those that run */

void probes_poll(struct pollfd fds[PROBES_FDS]);
struct mono probes_due(void);

/* probes_turn - true: something changed.  @active: services that run here, by their
 * place in the configuration: probes in the cells of others rest. */
bool probes_turn(const bool active[CONF_MAX_SERVICES], struct mono now);

/* probes_result - of one in a cell (see cells.h). */
void probes_result(unsigned probe, int status, const char *text);

void probes_show(struct snapshot *s, struct mono now);

#endif
