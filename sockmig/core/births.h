/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * births.h - what the active node has captured that may be in no image.
 *
 * A standby that follows the log keeps of it what no image has (keep.h).  One that
 * joins later has not seen that, so the active node gives it what is here, as it stands
 * in a log:
 *
 *   - of a connection that may not be accepted yet, as its service has put out nothing:
 *     all, from its SYN on.  Some of these are accepted; the standby's first image says
 *     which;
 *   - of another: what came after a hole, until the service has said that it has it.
 *
 * Fixed capacity.  Where there is no room half-open connections are given up first,
 * then those with holes, then the rest (but not for one with a hole), oldest first
 * each; and one that was sent more than a socket takes that nobody reads.  What is
 * given up a standby that joins does not have: a failure resets such a connection,
 * until an image has it, or the hole is filled.
 *
 * Pure.  Design: doc/design/log.md. */
#ifndef BSC_BIRTHS_H
#define BSC_BIRTHS_H

#include "sockmig/core/plog.h"

struct births_conf {
    uint32_t flows;      /* connections at a time */
    uint32_t half_open;  /* of these, not acknowledged by the client; < flows */
    uint32_t blocks;     /* of BIRTHS_BLOCK bytes, for the records of all */
    uint32_t flow_bytes; /* of records of one that may not be accepted yet */
};

#define BIRTHS_BLOCK 256u

struct births;

/* births_size - bytes that births_init() needs; births_init - empty, in @memory
 * (aligned for any type, owned by the caller, free it when done). */
size_t births_size(const struct births_conf *conf);
struct births *births_init(void *memory, const struct births_conf *conf);

/* births_input - input @pkt was captured; @rec is its record, whether or not there is a
 * log.  @holed: it comes after a hole (flows_input()).
 * births_output - output was; its ordinal and time are those of its record.  A
 * connection that puts out data, or ends, is accepted. */
void births_input(struct births *b, const struct packet *pkt,
    const struct plog_record *rec, bool holed);
void births_output(
    struct births *b, const struct packet *pkt, uint64_t at_us, uint64_t ordinal);

/* births_cancel - the newest input from ordinal @first on was dropped. */
void births_cancel(struct births *b, uint64_t first);

/* births_log - the same of all records in @log, of another reign, that a replay feeds
 * to a clone.  @scratch: PLOG_PAYLOAD bytes. */
struct keep;
struct births_succession {
    uint64_t as;       /* what its input has as ordinal; not 0 */
    struct keep *keep; /* tells what comes after a hole (keep_hears()) */
    bool made_again;   /* all output that it has is, before there is another image;
                          else the clone's own tells what it has accepted */
};

void births_log(struct births *b, const struct births_succession *s,
    const struct plog_ring *log, uint8_t *scratch);

/* births_end - the connection is over. */
void births_end(struct births *b, const struct flow_key *key);

struct births_stat {
    uint32_t connections; /* of which something is here */
    uint32_t half_open;   /* of these */
    uint64_t evicted;     /* half-open connections given up for want of room */
    uint64_t lost;        /* others */
};

struct births_stat births_stat(const struct births *b);

/* births_bytes, births_copy - all records, in the order in which they came. */
size_t births_bytes(const struct births *b);
void births_copy(const struct births *b, uint8_t *out);

#endif
