/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * held.h - the packets that wait in one gate, and which of them may go.
 *
 * One FIFO per queue: ids as the kernel gave them, ordinals 1, 2, ... as the log has
 * them.  What a packet waits for is the policy's, looked up at the time of release, so
 * that a change of policy applies to what is held already:
 *
 *               ingress            egress
 *     replay    LSN stable         LSN stable
 *     commit    nothing            LSN stable and checkpoint stable
 *     warm      nothing            nothing
 *     cold      nothing            nothing
 *
 * A packet without a record may acknowledge input, of which commit's image knows
 * nothing while its connection is not accepted: it waits for the log of what was
 * delivered.
 *
 * Promises P2, P3.  Pure.  Design: doc/design/log.md. */
#ifndef BSC_HELD_H
#define BSC_HELD_H

#include "lib/core/mono.h"
#include "sockmig/core/packet.h"

enum held_rule { HELD_FREE, HELD_LSN, HELD_LSN_AND_MARK };
enum held_policy { HELD_REPLAY, HELD_COMMIT, HELD_WARM, HELD_COLD };

enum held_rule held_rule(enum held_policy policy, enum packet_way way);

struct held_packet {
    uint64_t lsn; /* of its record, or of the last one that it may depend on */
    int64_t at_us;
    uint32_t id;
};

struct held {
    struct held_packet *slots; /* borrowed, capacity of them */
    uint32_t capacity, head, count;
    uint64_t ordinal; /* of the newest packet ever pushed; the oldest held is
                         ordinal - count + 1 */
    uint64_t answers; /* see held_answers() */
};

/* held_init - @capacity is at least what the gate holds: that then drops first. */
void held_init(struct held *h, struct held_packet *slots, uint32_t capacity);

/* held_push - a packet was queued.
 *
 * @lsn  of its record; 0 if it has none: it then waits for what waits before it, and
 *       for the input that it may answer
 *
 * Its ordinal is h->ordinal after the call (h->ordinal + 1 before: needed for the
 * record).  False if it is full (nothing changed): drop the packet. */
bool held_push(struct held *h, uint32_t id, uint64_t lsn, struct mono at);

/* held_answers - input was delivered up to the record at @lsn: what is put out from now
 * on may answer it.  0: a new log, which has none. */
void held_answers(struct held *h, uint64_t lsn);

/* What is settled now.  With an empty set: lsn UINT64_MAX, mark the newest id. */
struct held_stable {
    uint64_t lsn;
    uint32_t mark; /* queue id of the newest stable checkpoint's mark */
    bool has_mark; /* false: no checkpoint is stable yet */
};

struct held_batch {
    uint32_t count;       /* 0: none */
    uint32_t last_id;     /* accept or drop up to it */
    uint64_t first, last; /* ordinals: for RELEASE (last), CANCEL (both) */
    uint64_t last_lsn;    /* as pushed */
};

/* held_release - take out what may go under @rule, but no more than @most: always a
 * first part of the FIFO.
 * Append RELEASE before the verdict is given: nothing that the packets cause may come
 * before it in the log. */
struct held_batch held_release(struct held *h, enum held_rule rule,
    const struct held_stable *stable, uint32_t most);

/* held_drop - take out all that is held: to be dropped and, if input, cancelled. */
struct held_batch held_drop(struct held *h);

/* held_since - when the oldest packet held was queued; false if none is held.
 * held_newest - when the newest was; one must be held. */
bool held_since(const struct held *h, struct mono *at);
struct mono held_newest(const struct held *h);

#endif
