/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * connections.h - the rows of the connections of all services, in the order of their
 * index, read piece by piece.
 *
 * There may be ten thousand: nothing here takes longer than a piece is long, so that
 * SNMP is served between two of them. */
#ifndef BSC_AGENT_CONNECTIONS_H
#define BSC_AGENT_CONNECTIONS_H

#include "agent/core/snapshot.h"
#include "lib/conf.h"
#include "lib/core/mono.h"
#include "lib/jv.h"

/* connections_add - some rows of service number @place of @conf, from @list (doc/
 * protocol.md 1.3).  Not served yet. */
void connections_add(
    const struct conf *conf, unsigned place, const struct jv *list, struct mono now);

/* connections_replace - what was added takes the place of what is served of that
 * service: nothing, if nothing was. */
void connections_replace(const struct conf *conf, unsigned place);

void connections_drop(unsigned place);   /* what was added is forgotten */
uint32_t connections_of(unsigned place); /* how many are served */

/* connections_show - the table; shared, not copied: until the next replacement. */
void connections_show(struct snapshot *s);

#endif
