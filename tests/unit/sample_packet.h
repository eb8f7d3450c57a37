/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * sample_packet.h - a connection and its segments, for tests. */
#ifndef BSC_SAMPLE_PACKET_H
#define BSC_SAMPLE_PACKET_H

#include "sockmig/core/packet.h"

#include <string.h>

static const struct flow_key sample_flow = { .version = 4,
    .protocol = PACKET_TCP,
    .local_port = 80,
    .remote_port = 4000,
    .local = { 10, 0, 0, 1 },
    .remote = { 10, 0, 0, 2 } };

/* A segment of @flow with @size bytes 'x'. */
static inline size_t
sample_segment(uint8_t *out, const struct flow_key *flow, enum packet_way way,
    uint32_t seq, uint32_t ack, uint8_t flags, uint32_t size)
{
    size_t n = packet_ack(out, flow, way, seq, ack, 1000), ip = n - 20;

    memset(out + n, 'x', size);
    out[ip + 13] = flags;
    n += size;
    if (flow->version == 4) {
        out[2] = (uint8_t)(n >> 8);
        out[3] = (uint8_t)n;
    } else {
        out[4] = (uint8_t)((n - 40) >> 8);
        out[5] = (uint8_t)(n - 40);
    }
    packet_complete(out, n);
    return n;
}

#endif
