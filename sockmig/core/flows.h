/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * flows.h - the TCP connections of an active service, as its packets tell of them.
 *
 * Tells what of an output packet is new and so has to be in the log.  Fixed capacity:
 * when it is full, half-open connections are forgotten first, then closed ones.  An
 * output packet of a connection without an entry is logged whole: replay does not mind
 * bytes that are logged twice.
 *
 * Pure.  Design: doc/design/log.md. */
#ifndef BSC_FLOWS_H
#define BSC_FLOWS_H

#include "lib/core/mono.h"
#include "sockmig/core/plog.h"

enum flow_state { FLOW_HALF_OPEN, FLOW_OPEN, FLOW_CLOSED };

struct flow {
    struct flow_key key;
    enum flow_state state;
    struct mono last;        /* packet, either way */
    uint32_t out_next, isn;  /* next byte that the service has not sent yet */
    uint32_t hole, hole_end; /* what overtook others has passed over, if not equal */
    bool fin_in, fin_out;
    bool heard;       /* of the client: */
    uint16_t window;  /* its newest one */
    uint32_t acked;   /* it has what is before */
    uint32_t told;    /* cancels until the service has said, 0 never: */
    uint32_t in_next; /* it has what is before, or that has come since */
    bool asks;        /* the newest bytes are the client's: an answer may come */
};

struct flows_stat {
    uint32_t half_open, open, closed; /* entries now */
    uint64_t forgotten;               /* half-open ones that had to make room, ever */
    uint64_t stateless; /* packets of connections that found no room, ever */
};

struct flows;

/* flows_size, flows_init - for @capacity connections, in the caller's memory (aligned
 * for any type).  @seed: of the digests; the standby must use the same (the epoch).
 * @part: bytes that have a digest of their own, at most. */
size_t flows_size(uint32_t capacity);
struct flows *flows_init(void *memory, uint32_t capacity, uint64_t seed, uint32_t part);

/* flows_input - an input packet: what its connection is at.  True: it comes after a
 * hole, something that the service needs before has not been seen; or it may, as
 * nothing is known of its connection.  flows_cancelled - of what was seen some was
 * dropped. */
bool flows_input(struct flows *f, const struct packet *pkt, struct mono now);
void flows_cancelled(struct flows *f);

/* What a connection that is made again puts out at first is 10 segments: more than one
 * part of that can be compared before an acknowledgement comes. */
#define FLOWS_PART 4096u
#define FLOWS_RECORDS (PACKET_MAX / FLOWS_PART + 1) /* of one packet, at most */

/* flows_output - what has to be logged of output packet @pkt.
 *
 * @out  out: the records' contents, @max at most (1 or more): the last has the rest
 *
 * How many.  Each fragment of a datagram has its own, those behind the first with a key
 * without ports.  0: it needs no record (a pure acknowledgement, data sent again, ICMP
 * that the kernel makes from logged input); @out is then undefined. */
unsigned flows_output(struct flows *f, const struct packet *pkt, struct mono now,
    struct plog_output *out, unsigned max);

/* flows_tick - forget what is closed or half open since FLOWS_CLOSED_MS. */
#define FLOWS_CLOSED_MS 60000
void flows_tick(struct flows *f, struct mono now);

struct flows_stat flows_stat(const struct flows *f);

/* flows_asking - how many connections wait for an answer that was not seen yet. */
uint32_t flows_asking(const struct flows *f);

#endif
