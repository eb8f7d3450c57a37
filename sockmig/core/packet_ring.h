/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * packet_ring.h - where in a ring of bytes the next packet comes to, each in one piece.
 *
 * Packets are taken out in the order in which they came.  How long one is, is known
 * only when it has been read: so there is a place only where the longest fits.  Pure.
 */
#ifndef BSC_PACKET_RING_H
#define BSC_PACKET_RING_H

#include <stdbool.h>
#include <stdint.h>

#define PACKET_RING_ALIGN 64u
#define PACKET_RING_FULL UINT32_MAX

struct packet_ring {
    uint32_t bytes, longest; /* multiples of PACKET_RING_ALIGN */
    uint32_t head;           /* where the next one comes to, if it fits there */
};

/* packet_ring_place - the offset of room for r->longest bytes, or PACKET_RING_FULL.
 *
 * @holds   some packets are in it, the oldest from @oldest on; otherwise it begins
 * again at its start, of which the processor's cache knows */
uint32_t packet_ring_place(struct packet_ring *r, bool holds, uint32_t oldest);

/* packet_ring_take - a packet of @size bytes, at most the longest, was put there. */
void packet_ring_take(struct packet_ring *r, uint32_t size);

#endif
