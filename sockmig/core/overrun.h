/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * overrun.h - which datagrams were delivered in vain: the service's socket had no room.
 *
 * The kernel drops them, and tells what they looked like; the log has them as
 * delivered, and a clone would be given what its service never had.  Each is known by
 * its addresses, ports, length, checksum, identification (IPv4) and the beginning of
 * its payload; what the fragments of a datagram were put together to is known by the
 * first.
 *
 * Pure.  Design: doc/design/log.md. */
#ifndef BSC_OVERRUN_H
#define BSC_OVERRUN_H

#include "sockmig/core/packet.h"

#define OVERRUN_IP 40u /* bytes of a header that are looked at, at most */
#define OVERRUN_UDP 8u
#define OVERRUN_START 32u /* of the payload */

struct overrun_id {
    uint32_t head, start; /* digests; head 0: not a datagram */
};

struct overrun {
    struct overrun_id *ids; /* borrowed: of the newest .capacity packets, by ordinal */
    uint32_t capacity;      /* a power of two */
    uint64_t found;         /* the newest that was dropped */
};

/* overrun_init - @capacity is at least the number of packets that can wait. */
void overrun_init(struct overrun *o, struct overrun_id *ids, uint32_t capacity);

/* overrun_note - input @ordinal, one more than the last, is @pkt; NULL: of no interest.
 */
void overrun_note(struct overrun *o, uint64_t ordinal, const struct packet *pkt);

/* What the kernel had in hand when it dropped one. */
struct overrun_drop {
    const uint8_t *ip;    /* OVERRUN_IP bytes, of IPv4 some of no meaning */
    const uint8_t *udp;   /* OVERRUN_UDP */
    const uint8_t *start; /* .have of the payload; the rest lay elsewhere */
    uint32_t have;
};

/* overrun_find - which of the input @first..@last it was: its ordinal, or 0.  It is not
 * found again.  Fast where drops come in the order of the input. */
uint64_t overrun_find(
    struct overrun *o, uint64_t first, uint64_t last, const struct overrun_drop *drop);

#endif
