/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * mcast.h - the packet log's way to the standbys: sockets, sealing and time around
 * sockmig/core/rmcast.h.
 *
 * One for a service, made when the service is configured: both rings are locked into
 * memory then, never at a takeover.  It is the sender of one reign (mcast_reign), or
 * follows one (mcast_follow); the log that was received stays readable until the next
 * mcast_follow, also while this node reigns (it is replayed then).
 *
 * Used by one thread, which runs the loop; callbacks come from that loop, and from
 * mcast_flush() and mcast_set().  Everything in a datagram is sealed; what is forged,
 * replayed, damaged or of another epoch is dropped, counted and never answered.
 * Design: doc/design/rmcast.md. */
#ifndef BSC_MCAST_H
#define BSC_MCAST_H

#include "lib/conf.h"
#include "lib/loop.h"
#include "lib/seal.h"
#include "sockmig/core/rmcast.h"

struct mcast;

struct mcast_calls {
    /* active: every standby in the set has the stream up to @lsn */
    void (*stable)(void *arg, uint64_t lsn);
    void (*late)(void *arg, unsigned node);      /* id; once until it caught up */
    void (*caught_up)(void *arg, unsigned node); /* may be put into the set */
    void (*lost)(void *arg, unsigned node);      /* must be seeded and join again */
    /* standby: the log has all up to @have */
    void (*received)(void *arg, uint64_t have);
};

struct mcast_options {
    const struct conf *conf; /* borrowed, as all here, as long as the mcast lives */
    const struct conf_service *service;
    const struct conf_node *self;
    const struct seal_secret *secret;
    struct loop *loop;
    const struct mcast_calls *calls;
    void *arg;
    size_t ring_bytes; /* of each ring, a power of two; 0: as configured */
    bool no_aes;       /* do without AES-256-GCM */
};

/* mcast_open - sockets bound, rings in memory; neither sends nor receives yet.
 * 0 or -errno; @error (MCAST_ERROR_LEN bytes) then says what failed and what to do. */
#define MCAST_ERROR_LEN 256
int mcast_open(const struct mcast_options *options, struct mcast **out, char *error);
void mcast_close(struct mcast *m); /* NULL is legal */

/* mcast_rest - neither sender nor follower any more; the received log stays. */
void mcast_rest(struct mcast *m);

/* ---- active ---- */

/* mcast_reign - a new log begins at position 0.  @session: random, told to standbys
 * by the sealed stream; never used twice with one epoch. */
void mcast_reign(struct mcast *m, uint64_t epoch, uint64_t session);

/* mcast_append - one record, in @n pieces.  *lsn: position of its end.
 * False: no room (nothing changed): wait for `stable`, or take a checkpoint and trim.
 */
bool mcast_append(
    struct mcast *m, const struct rmcast_bytes *pieces, unsigned n, uint64_t *lsn);
size_t mcast_room(const struct mcast *m);
void mcast_flush(struct mcast *m); /* at the end of a turn: all appended leaves */
void mcast_trim(struct mcast *m, uint64_t position); /* see rmcast_tx_trim() */

/* mcast_join - standby @node (id) follows from position @from.  @session: drawn at
 * random by the standby for this joining and told by the sealed stream, so that the
 * acknowledgements of an earlier life prove nothing.  False: see rmcast_tx_join(). */
bool mcast_join(struct mcast *m, unsigned node, uint64_t session, uint64_t from);
void mcast_leave(struct mcast *m, unsigned node);

/* mcast_set - just these (bit id - 1) must acknowledge; see rmcast_tx_set(). */
void mcast_set(struct mcast *m, uint32_t set);
bool mcast_covered(const struct mcast *m, uint32_t set, uint64_t position);

/* mcast_fd - is readable when acknowledgements have come.
 * mcast_listen - takes those in, without the loop; not from a callback of here. */
int mcast_fd(const struct mcast *m);
void mcast_listen(struct mcast *m);

uint64_t mcast_stable(const struct mcast *m);
uint64_t mcast_flushed(const struct mcast *m);
uint64_t mcast_head(const struct mcast *m);

/* ---- standby ---- */

/* mcast_follow - receive the log of node @active in @epoch from @from on, into an empty
 * ring.  @reign: its session; @session: of this joining, as told to it. */
void mcast_follow(struct mcast *m, unsigned active, uint64_t epoch, uint64_t reign,
    uint64_t session, uint64_t from);

/* mcast_forget - the received log is not needed before @position (nor need it come). */
void mcast_forget(struct mcast *m, uint64_t position);

/* ---- both ---- */

struct mcast_log {
    const uint8_t *ring; /* position p is at ring[p & (size - 1)] */
    size_t size;
    uint64_t low, end; /* bytes from low up to end are there */
};

struct mcast_log mcast_log_sent(const struct mcast *m);
struct mcast_log mcast_log_received(const struct mcast *m);

struct mcast_stats {
    struct rmcast_tx_stats tx;                       /* of this reign */
    struct rmcast_rx_stats rx;                       /* since it follows */
    uint64_t forged, replayed, old_epoch, malformed; /* since mcast_open() */
    uint64_t strangers;     /* other sessions, or not from who should send */
    uint64_t send_failures; /* as good as lost in the network: repaired */
    uint64_t calls_out, calls_in;
    bool aes; /* the sender uses AES-256-GCM */
};

void mcast_stats(const struct mcast *m, struct mcast_stats *out);

struct mcast_member {
    enum rmcast_state state;
    uint64_t acked;
    int64_t rtt_us; /* 0: not measured */
    bool late;
};

bool mcast_member(const struct mcast *m, unsigned node, struct mcast_member *out);

#endif
