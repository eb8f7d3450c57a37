/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * claim.h - does somebody else have this address, in the segment of a device? */
#ifndef BSC_CLAIM_H
#define BSC_CLAIM_H

#include "sockmig/alone/vip.h"

/* claim_look - ask three times, 200 ms each, by ARP or neighbour solicitations on
 * .device.  Answers of this host's own devices do not count.
 *
 * @mac  out: who has it
 *
 * 1: somebody has it; 0: nobody said so; -errno. */
int claim_look(const struct vip *v, uint8_t mac[6]);

#endif
