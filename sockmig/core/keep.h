/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * keep.h - a standby's log after a checkpoint was applied: what still is needed.
 *
 * Records after the mark stay in the ring.  Of those before it these are copied out of
 * it, in order, and the rest forgotten:
 *
 *   - of a TCP connection that no image has yet (half open, not accepted): its input
 *     and its SYN-ACK.  Once it is in an image or closed they are let go.  One that was
 *     reset is accepted all the same, later, and read as far as it came: the image says
 *     of which that is still to be expected;
 *   - of a connection in the image: input beyond what the image's socket has in order.
 *     The kernel's queue of such segments is not in an image, and the client may have
 *     been told that they arrived;
 *   - fragments of datagrams of which others have not come yet, for as long as the
 *     kernel keeps them: its queue of those is not in an image either.
 *
 * A standby that joins has of the time before what the active node gives it (births.h).
 *
 * Fixed capacity: half-open connections that the client never acknowledged (SYN flood)
 * are given up first, oldest first; then what does not fit.  Counted.
 *
 * Pure.  Design: doc/design/log.md. */
#ifndef BSC_KEEP_H
#define BSC_KEEP_H

#include "sockmig/core/plog.h"

#define KEEP_SCRATCH (2 * PLOG_PAYLOAD)

struct keep_conf {
    uint32_t flows;     /* connections known: those in images, and those not yet */
    uint32_t half_open; /* at most so many never acknowledged ones, < flows */
    uint64_t bytes;     /* of records, a power of two */
};

struct keep_stat {
    uint32_t waiting;   /* connections kept that are in no image */
    uint32_t half_open; /* of these: not acknowledged by the client */
    uint64_t bytes;     /* of records kept now */
    uint64_t evicted;   /* half-open connections given up, ever */
    uint64_t lost;    /* connections (will be reset) and fragments given up for want of
                         room, ever */
    uint64_t unknown; /* records of unknown kinds skipped, ever */
    uint64_t deaf_us; /* from the last input in the log to its last record */
};

struct keep;

/* keep_size - bytes that keep_init() needs. */
size_t keep_size(const struct keep_conf *conf);

/* keep_init - a new log, in @memory (keep_size() bytes, aligned for any type, owned by
 * the caller, free it when done). */
struct keep *keep_init(void *memory, const struct keep_conf *conf);

/* keep_begin, keep_connection, keep_unaccepted, keep_births, keep_trim - a checkpoint
 * with @mark is in the clone:
 *
 *     keep_begin(k);
 *     for each TCP connection of the image: keep_connection(k, &key, rcv_nxt, guess);
 *     for each that was reset and waits to be accepted: keep_unaccepted(k, &key);
 *     the first time: keep_births(k, &records, scratch);
 *     more = keep_trim(k, ring, mark, scratch);
 *
 * @guess    what the last call for it gave, or anything: if it is right, the connection
 *           need not be looked for
 * @rcv_nxt  next byte that the image's socket expects (FIN counted)
 * @records  what the active node had that may be in no image when this standby joined
 *           (births_copy()); keep_births() is false if they are malformed
 * @mark     with every later call not smaller
 *
 * @scratch  KEEP_SCRATCH bytes
 *
 * keep_trim moves ring->begin forward to the first record after the mark, as far as
 * the ring goes: under policy commit part of the log before the mark may come later,
 * it is then looked at by the next call.  False if the log is malformed: it is worth
 * nothing from there on. */
void keep_begin(struct keep *k);
uint32_t keep_connection(
    struct keep *k, const struct flow_key *key, uint32_t rcv_nxt, uint32_t guess);
void keep_unaccepted(struct keep *k, const struct flow_key *key);
bool keep_births(struct keep *k, const struct plog_ring *records, uint8_t *scratch);
bool keep_trim(struct keep *k, struct plog_ring *ring, const struct plog_mark *mark,
    uint8_t *scratch);

/* keep_records - what is kept of the records before the mark.  Before a takeover
 * keep_trim() must have been called once more with the whole log in the ring. */
const struct plog_ring *keep_records(const struct keep *k);

/* After that, of the log from there on:
 *
 * keep_cancelled - was input with @ordinal dropped?
 * keep_hears - of each other input in keep_records() and then after the mark, in order:
 * whether it comes after a hole.  It may, if another hole was filled before.
 * keep_next - before what a connection has in order then; false: it is not known. */
bool keep_cancelled(const struct keep *k, uint64_t ordinal);
bool keep_hears(struct keep *k, const struct packet *pkt);
bool keep_next(const struct keep *k, const struct flow_key *key, uint32_t *next);

struct keep_stat keep_stat(const struct keep *k);

/* keep_connection_image - the same for an image_tcp. */
struct image_tcp;
uint32_t keep_connection_image(
    struct keep *k, const struct image_tcp *tcp, uint32_t guess);

/* keep_unaccepted_image - the same of all that the image has. */
struct image;
void keep_unaccepted_image(struct keep *k, const struct image *im);

#endif
