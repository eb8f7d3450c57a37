/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * rmcast.h - a byte stream from one sender to several receivers over a network that
 * loses, repeats and reorders: acknowledged, repaired, bounded.
 *
 * A position counts the bytes of the stream from 0.  A record's LSN is the position of
 * its end.  The sender's ring keeps what somebody may still ask for, the receiver's
 * ring is the standby's log itself: what arrives out of order is stored where it
 * belongs, only the contiguous part counts.
 *
 * Pure: time comes in, datagrams are described by what comes out; the shell
 * (sockmig/mcast.h) seals and carries them.  Design: doc/design/rmcast.md. */
#ifndef BSC_RMCAST_H
#define BSC_RMCAST_H

#include "lib/core/mono.h"
#include "sockmig/core/rmcast_wire.h"

/* ---- sender ---- */

enum rmcast_state {
    RMCAST_ABSENT,
    RMCAST_FOLLOWS, /* gets everything, nobody waits for it */
    RMCAST_IN_SET,  /* stable waits for it */
};

struct rmcast_member {
    enum rmcast_state state;
    uint64_t acked, limit;      /* of its newest acknowledgement */
    uint64_t echo;              /* highest counter it has echoed */
    int64_t srtt_us, rttvar_us; /* 0: not measured yet */

    bool armed; /* it has not acknowledged all that was sent: */
    struct mono armed_at, resend_at;
    uint64_t armed_upto; /* what had left when the timer was set */
    unsigned backoff;    /* doublings of the timer without progress */

    bool owes; /* it has an answer to give, before late_at: */
    uint64_t due_position, due_counter;
    struct mono late_at;
    bool caught_up, say_caught_up, late, lost;

    unsigned nwanted; /* what it asked for and was not sent again yet */
    struct rmcast_range wanted[RMCAST_RANGES];
    uint64_t repaired, repair_counter; /* this round of repairs: up to, newest */
};

struct rmcast_tx_options {
    size_t payload;    /* bytes of the stream in a full datagram, 64..65000 */
    size_t flight;     /* bytes sent that the set has not acknowledged, at most */
    int64_t beat_us;   /* a sign of life after so long without a datagram */
    int64_t late_us;   /* a member that owes for so long is noted as late */
    int64_t resend_us; /* least time before an unanswered datagram is repeated */
};

struct rmcast_tx_stats {
    uint64_t datagrams, bytes; /* first transmissions, payload bytes */
    uint64_t repairs, probes, beats, acks, requests;
    uint64_t refused;  /* appends without room */
    uint64_t nonsense; /* acks of no member, or of what was never sent */
    uint64_t outdated; /* acks that a newer one overtook */
    uint64_t lates;
};

enum rmcast_note_kind {
    RMCAST_LATE,      /* owes for longer than the limit: have the view agreed anew */
    RMCAST_CAUGHT_UP, /* has what was sent when it joined, or had become late */
    RMCAST_LOST, /* a follower needs bytes that are gone: seed it and join it again */
};

struct rmcast_note {
    enum rmcast_note_kind kind;
    unsigned node;
};

struct rmcast_tx {
    struct rmcast_tx_options options;
    uint8_t *ring;        /* borrowed, @size bytes */
    size_t size;          /* a power of two */
    uint64_t head;        /* appended up to */
    uint64_t flushed;     /* a short datagram may end here or later */
    uint64_t prompt;      /* it may end up to here even while others are under way */
    bool follows;         /* others are, and have had their flush */
    uint64_t sent;        /* left up to */
    uint64_t trimmed;     /* nobody needs what is before */
    uint64_t stable;      /* every node in the set has it; never goes back */
    uint64_t counter;     /* of the newest datagram */
    uint32_t set;         /* bit i: node i must acknowledge */
    uint32_t present;     /* is a member */
    uint32_t asking;      /* has asked for repairs */
    uint32_t probing;     /* has to be probed */
    struct mono last_out; /* when a datagram for all left */
    struct mono ticked;
    bool beat;
    struct rmcast_member members[RMCAST_MAX_NODES];
    struct rmcast_tx_stats stats;
};

/* One datagram to seal and send: @position..+@size of the ring, to the nodes @to. */
struct rmcast_out {
    uint64_t counter, position, sent;
    uint32_t stamp, to; /* bit i: node i; never 0 */
    unsigned flags;
    size_t size; /* 0: a beat */
};

struct rmcast_bytes {
    const void *data; /* borrowed for the call */
    size_t size;
};

void rmcast_tx_init(struct rmcast_tx *tx, const struct rmcast_tx_options *options,
    uint8_t *ring, size_t size, struct mono now);

/* rmcast_tx_append - all @n pieces, one after the other, at the head.
 * False: no room (nothing changed); something has to be acknowledged or trimmed. */
bool rmcast_tx_append(
    struct rmcast_tx *tx, const struct rmcast_bytes *pieces, unsigned n);
size_t rmcast_tx_room(const struct rmcast_tx *tx);
void rmcast_tx_flush(struct rmcast_tx *tx); /* what was appended may leave at once */

/* rmcast_tx_trim - nobody will ask for what is before @position any more: a later
 * checkpoint holds it.  Room comes when the set has acknowledged it as well. */
void rmcast_tx_trim(struct rmcast_tx *tx, uint64_t position);
uint64_t rmcast_tx_low(const struct rmcast_tx *tx); /* the ring has all from here */

/* rmcast_tx_join - @node (0..15) follows, from position @from, forgotten before.
 * False: the ring has that no more, or not yet; choose another position. */
bool rmcast_tx_join(
    struct rmcast_tx *tx, unsigned node, uint64_t from, struct mono now);
void rmcast_tx_leave(struct rmcast_tx *tx, unsigned node);

/* rmcast_tx_set - from now on just the nodes in @set must acknowledge.  Only by the
 * agreed view: one of them that left, or has not joined yet, is waited for too.
 * Stable stays where it is until all of them are there; with an empty set all that is
 * appended is stable. */
void rmcast_tx_set(struct rmcast_tx *tx, uint32_t set, struct mono now);

/* rmcast_tx_covered - whether each node of @set is a member and has all up to
 * @position.
 */
bool rmcast_tx_covered(const struct rmcast_tx *tx, uint32_t set, uint64_t position);

void rmcast_tx_acked(
    struct rmcast_tx *tx, unsigned node, const struct rmcast_ack *ack, struct mono now);

/* rmcast_tx_next - the next datagram that has to leave at @now: repairs, probes, new
 * bytes, a beat.  Call it until it is false, after every append and flush, every
 * batch of acks, and when rmcast_tx_due() says. */
bool rmcast_tx_next(struct rmcast_tx *tx, struct mono now, struct rmcast_out *out);
struct mono rmcast_tx_due(const struct rmcast_tx *tx);

/* rmcast_tx_note - something the agreed view or the seeding has to know, each once. */
bool rmcast_tx_note(struct rmcast_tx *tx, struct mono now, struct rmcast_note *note);

/* rmcast_read - bytes @from..+@n of a ring (@size a power of two) into @out. */
void rmcast_read(
    const uint8_t *ring, size_t size, uint64_t from, size_t n, uint8_t *out);

/* ---- receiver ---- */

#define RMCAST_ISLANDS 64 /* pieces received out of order that are remembered */

struct rmcast_rx_stats {
    uint64_t datagrams, bytes; /* that brought something new */
    uint64_t duplicates;       /* that brought nothing */
    uint64_t out_of_window;    /* beyond the ring */
    uint64_t overflows;        /* one gap too many */
    uint64_t acks, requests;
};

struct rmcast_rx {
    uint8_t *ring;   /* borrowed: the log */
    size_t size;     /* a power of two */
    uint64_t low;    /* the log has all from here */
    uint64_t have;   /* up to here */
    uint64_t probed; /* bytes up to here left long ago: what lacks is lost */
    unsigned nislands;
    struct rmcast_range islands[RMCAST_ISLANDS]; /* beyond have, ascending, apart */
    uint64_t echo;
    uint32_t stamp;
    bool ack_due;
    struct rmcast_rx_stats stats;
};

void rmcast_rx_init(struct rmcast_rx *rx, uint8_t *ring, size_t size, uint64_t from);

/* rmcast_rx_data - an authentic datagram with counter @counter came. */
void rmcast_rx_data(
    struct rmcast_rx *rx, uint64_t counter, const struct rmcast_data *data);

/* rmcast_rx_trim - what is before @position is not needed here any more, and need not
 * come either. */
void rmcast_rx_trim(struct rmcast_rx *rx, uint64_t position);

/* rmcast_rx_ack - after a batch: true if an acknowledgement has to be sent. */
bool rmcast_rx_ack(struct rmcast_rx *rx, struct rmcast_ack *ack);

#endif
