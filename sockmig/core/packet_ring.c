/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/core/packet_ring.h"

uint32_t
packet_ring_place(struct packet_ring *r, bool holds, uint32_t oldest)
{
    if (holds && r->head > oldest && r->bytes - r->head >= r->longest)
        return r->head;
    if (!holds || r->head > oldest)
        r->head = 0; /* what is left at the end stays empty */
    if (holds && oldest - r->head <= r->longest)
        return PACKET_RING_FULL;
    return r->head;
}

void
packet_ring_take(struct packet_ring *r, uint32_t size)
{
    r->head += (size + PACKET_RING_ALIGN - 1) & ~(PACKET_RING_ALIGN - 1);
}
