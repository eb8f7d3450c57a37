/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * cells.h - what only the privileged side can find out within a cell: the connections
 * of the services, and the result of probes there (doc/protocol.md 1.3). */
#ifndef BSC_AGENT_CELLS_H
#define BSC_AGENT_CELLS_H

#include "agent/core/snapshot.h"
#include "lib/conf.h"
#include "lib/core/mono.h"

#include <poll.h>

/* cells_start - once in a process.  @result: gets what cells_probe() asked for;
 * @status: exit status, -1: it was killed or could not be run, which @text says. */
void cells_start(const struct conf *conf, const char *path,
    void (*result)(unsigned probe, int status, const char *text));

struct pollfd cells_poll(void);
struct mono cells_due(void);

/* cells_turn - true: something changed.  @ready: poll() says so of what cells_poll()
 * gave.  @active: services that run here, by their place in the configuration. */
bool cells_turn(bool ready, const bool active[CONF_MAX_SERVICES], struct mono now);

/* cells_probe - run probe number @probe in its cell.  False: nobody is there. */
bool cells_probe(unsigned probe, const char *name);

void cells_show(struct snapshot *s); /* the connections; shared, not copied */

#endif
