/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * plog.h - the packet log: its records, and the ring of bytes that holds them.
 *
 * The log of a reign is one stream of records.  A record's LSN is the position after
 * its last byte; it is stable when every standby of the set has the stream up to there.
 * Readers skip kinds they do not know by their size.
 *
 *     u32 size of payload | u8 kind | u8 flags | u16 protocol | u64 at_us | u64 arg
 *     payload, padded with zeros to a multiple of 8
 *
 * Pure.  Design: doc/design/log.md. */
#ifndef BSC_PLOG_H
#define BSC_PLOG_H

#include "sockmig/core/packet.h"

#define PLOG_HEADER 24u
#define PLOG_PAYLOAD 65576u /* the longest payload, a multiple of 8 */

enum plog_kind {
    PLOG_IN = 1,  /* arg: ordinal from 1; payload: the packet */
    PLOG_RELEASE, /* arg: all IN up to it that were not cancelled are delivered */
    PLOG_CANCEL,  /* arg: first IN that was dropped; payload: u64, the last one.  By us
                     before its RELEASE, or next to it: by the service's sockets */
    PLOG_OUT,     /* arg: ordinal from 1; payload: struct plog_output */
    PLOG_MARK     /* arg: number of the checkpoint; payload: u64 in, u64 out */
};

enum { PLOG_UNSUMMED = 1 }; /* flags of IN: its checksum has to be completed */
enum { PLOG_OVERRUN = 1 };  /* flags of CANCEL: datagrams that found no room */

struct plog_record {
    uint8_t kind, flags;
    uint16_t protocol; /* 0x0800, 0x86dd */
    uint32_t size;     /* of the payload */
    uint64_t at_us;    /* active node's monotonic clock */
    uint64_t arg;
    const uint8_t *payload; /* borrowed */
};

/* What the service had taken in and put out when a checkpoint was taken: IN up to .in
 * and OUT up to .out are in its image. */
struct plog_mark {
    uint64_t number, in, out;
};

enum { PLOG_SACK = 1, PLOG_TIMESTAMPS = 2, PLOG_WSCALE = 4, PLOG_ECN = 8 };
enum { PLOG_ACKED = 1 };
#define PLOG_TCP_FLAGS (TCP_SYN | TCP_FIN | TCP_RST)

/* What is logged of an output packet. */
struct plog_output {
    struct flow_key flow;
    uint32_t seq;      /* TCP: of the first new byte, a SYN-ACK's ISN */
    uint32_t size;     /* bytes hashed: the new ones (TCP), the payload (UDP) */
    uint64_t hash;     /* digest_of() them */
    uint8_t tcp_flags; /* of these only PLOG_TCP_FLAGS; 0 for UDP */
    uint8_t options;   /* of a SYN-ACK PLOG_SACK ..., of other TCP PLOG_ACKED */
    /* PLOG_ACKED, for acknowledgements have no records: */
    uint32_t acked;  /* the client has what is before */
    uint16_t window; /* its newest one, as in its packet; of a SYN-ACK the service's */
    /* SYN-ACK only: */
    uint32_t ack, tsval, tsecr;
    uint16_t mss;
    uint8_t wscale;
};

/* plog_span - bytes that a record with @size bytes of payload takes in the log. */
static inline uint32_t
plog_span(uint32_t size)
{
    return PLOG_HEADER + ((size + 7) & ~7u);
}

/* plog_head - the header of @rec.  For those who append header, payload and padding
 * (plog_span() - PLOG_HEADER - size zeros) without a copy in between. */
void plog_head(const struct plog_record *rec, uint8_t out[PLOG_HEADER]);

/* plog_encode - the whole record.  Its plog_span(), or 0 if @size is too little. */
size_t plog_encode(const struct plog_record *rec, uint8_t *out, size_t size);

/* plog_encode_... - the records that are not a packet; @out holds PLOG_SMALL bytes. */
#define PLOG_SMALL 112u
size_t plog_encode_release(uint8_t *out, uint64_t at_us, uint64_t ordinal);
size_t plog_encode_cancel(
    uint8_t *out, uint64_t at_us, uint64_t first, uint64_t last, uint8_t flags);
size_t plog_encode_mark(uint8_t *out, uint64_t at_us, const struct plog_mark *mark);
size_t plog_encode_output(
    uint8_t *out, uint64_t at_us, uint64_t ordinal, const struct plog_output *o);

/* plog_record_output - the same as a record, whose payload is in @payload. */
void plog_record_output(uint8_t payload[PLOG_SMALL], uint64_t at_us, uint64_t ordinal,
    const struct plog_output *o, struct plog_record *rec);

/* plog_describe_syn - what is logged of the SYN-ACK @pkt. */
void plog_describe_syn(const struct packet *pkt, struct plog_output *out);

/* plog_decode_... - of @rec, whose kind is right; false if the payload is malformed
 * (@out undefined). */
bool plog_decode_cancel(const struct plog_record *rec, uint64_t *last);
bool plog_decode_mark(const struct plog_record *rec, struct plog_mark *out);
bool plog_decode_output(const struct plog_record *rec, struct plog_output *out);

/* The part [begin, end) of the stream, in the caller's storage. */
struct plog_ring {
    uint8_t *data;       /* borrowed */
    uint64_t size;       /* of data, a power of two */
    uint64_t begin, end; /* positions in the stream; end - begin <= size */
};

/* plog_ring_init - empty, to be continued at stream position @at. */
void plog_ring_init(struct plog_ring *ring, uint8_t *data, uint64_t size, uint64_t at);

/* plog_ring_append - the next @size bytes of the stream, any piece of it.  False if
 * there is no room (nothing changed): trim, or lose the log. */
bool plog_ring_append(struct plog_ring *ring, const void *data, uint64_t size);

/* plog_ring_append_record - @rec as a whole; same outcomes. */
bool plog_ring_append_record(struct plog_ring *ring, const struct plog_record *rec);

enum plog_read {
    PLOG_READ,
    PLOG_END, /* the next record is not there, or not all of it */
    PLOG_BAD  /* no record begins there: nothing after it can be read */
};

/* plog_read - the record at stream position *at (begin..end), which then moves past
 * it.  @scratch (PLOG_PAYLOAD bytes) takes a payload that wraps; rec->payload is valid
 * as long as ring and scratch are unchanged. */
enum plog_read plog_read(const struct plog_ring *ring, uint64_t *at,
    struct plog_record *rec, uint8_t *scratch);

#endif
