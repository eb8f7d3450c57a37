/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * rsim_host.h - what the server's program asks of its host's TCP. */
#ifndef BSC_RSIM_HOST_H
#define BSC_RSIM_HOST_H

#include "tests/sim/rsim.h"

/* host_drop_tokens - of what is to be read, that of connection @conn. */
void host_drop_tokens(struct host *h, uint32_t conn);

/* host_leave - there is no such connection any more: its place is another's. */
void host_leave(struct host *h, struct sconn *c);

/* host_room - bytes that come in before some are read. */
uint32_t host_room(const struct sconn *c);

/* host_transmit - as much as the window allows, in pieces of any size. */
void host_transmit(struct sconn *c, rsim_emit *emit, void *arg);

#endif
