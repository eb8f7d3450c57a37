/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * rmcast_wire.h - the datagrams of the reliable multicast channel, and which of them
 * were seen already.
 *
 *   head, in the clear, authenticated (32 bytes): u32 magic, u8 version, u8 kind,
 *     u8 cipher, u8 from (node id), u64 epoch, u64 session, u64 counter
 *   sealed, DATA: u64 position, u64 sent, u32 stamp, u8 flags, 3 bytes of 0, the bytes
 *   sealed, ACK:  u64 have, u64 limit, u64 echo, u32 stamp, u8 flags, u8 n, u16 0,
 *     n times { u64 from, u64 to }: what is missing, in order
 *
 * The counter is the nonce: it grows with every datagram that leaves, a repair has one
 * of its own.  Everything goes through lib/core/buf.h.  Pure.
 * Design: doc/protocol.md 2.1, doc/design/rmcast.md. */
#ifndef BSC_RMCAST_WIRE_H
#define BSC_RMCAST_WIRE_H

#include "lib/core/buf.h"

#define RMCAST_MAGIC 0x6d536342u
#define RMCAST_VERSION 1u
#define RMCAST_HEAD 32      /* in the clear */
#define RMCAST_DATA_BODY 24 /* before the bytes, sealed */
#define RMCAST_RANGES 8     /* in one acknowledgement */
#define RMCAST_ACK_BODY 32
#define RMCAST_ACK_MAX (RMCAST_ACK_BODY + 16 * RMCAST_RANGES)
#define RMCAST_MAX_NODES 16

enum rmcast_kind { RMCAST_DATA = 1, RMCAST_ACK, RMCAST_NKINDS };

struct rmcast_head {
    enum rmcast_kind kind;
    unsigned cipher; /* enum seal_cipher; part of the key's derivation */
    unsigned from;   /* node id, 1..RMCAST_MAX_NODES */
    uint64_t epoch;
    uint64_t session; /* DATA: of the reign; ACK: of the standby's joining */
    uint64_t counter; /* from 1 */
};

enum { RMCAST_PROBE = 1 }; /* flag of DATA: all up to `sent` left long ago */

struct rmcast_data {
    uint64_t position; /* in the stream, of its first byte */
    uint64_t sent;     /* the stream has been sent up to here */
    uint32_t stamp;    /* sender's clock, us; comes back in the ack */
    unsigned flags;
    const uint8_t *bytes; /* borrowed; NULL if size is 0 */
    size_t size;          /* 0: only a sign of life */
};

struct rmcast_range {
    uint64_t from, to; /* positions; from < to */
};

enum { RMCAST_NO_AES = 1 }; /* flag of ACK: I cannot open AES-256-GCM */

struct rmcast_ack {
    uint64_t have;  /* everything before it is here */
    uint64_t limit; /* what lies beyond has no room yet */
    uint64_t echo;  /* highest counter received; 0: none */
    uint32_t stamp; /* of that datagram */
    unsigned flags;
    unsigned nmissing;
    struct rmcast_range missing[RMCAST_RANGES]; /* ascending, apart */
};

/* Getters: false, and the output untouched, for what is not well formed. */
void rmcast_put_head(struct writer *w, const struct rmcast_head *h);
bool rmcast_get_head(struct reader *r, struct rmcast_head *h);
void rmcast_put_data(struct writer *w, const struct rmcast_data *d); /* no bytes */
bool rmcast_get_data(struct reader *r, struct rmcast_data *d);
void rmcast_put_ack(struct writer *w, const struct rmcast_ack *a);
bool rmcast_get_ack(struct reader *r, struct rmcast_ack *a);

/* Which counters were seen: the highest, and a window below it.
 * Source: RFC 4303 section 3.4.3, RFC 6479. */
#define RMCAST_SEEN_WORDS 128
#define RMCAST_SEEN_WINDOW ((RMCAST_SEEN_WORDS - 1) * 64u)

struct rmcast_seen {
    uint64_t highest; /* 0: none yet */
    uint64_t bits[RMCAST_SEEN_WORDS];
};

void rmcast_seen_init(struct rmcast_seen *s);

/* rmcast_seen_is - whether @counter was seen, or is too old to tell.  Ask before the
 * datagram is opened; changes nothing. */
bool rmcast_seen_is(const struct rmcast_seen *s, uint64_t counter);

/* rmcast_seen_add - it was, and it is authentic. */
void rmcast_seen_add(struct rmcast_seen *s, uint64_t counter);

#endif
