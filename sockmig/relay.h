/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * relay.h - what a service sends by the device that a replay feeds it by goes out like
 * all else.
 *
 * A server that answers by the device which it was asked by (IP_PKTINFO with an index:
 * RADIUS, VPNs) takes the cell's TUN for that, for what a replay fed in, and perhaps
 * for as long as it remembers the client.  IPv4; with IPv6 the kernel itself takes the
 * way that leads out. */
#ifndef BSC_RELAY_H
#define BSC_RELAY_H

#include "lib/loop.h"

/* relay_begin - from @tun of the cell (not blocking) to @raw, a raw IPv4 socket with
 * IP_HDRINCL there; both borrowed, for the life of the program. */
void relay_begin(struct loop *loop, int tun, int raw);

#endif
