/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * follower.h - a standby's packet log: what a takeover would feed to the clone.
 *
 * The main thread receives into the ring (mcast.h) and says how far it got; all else,
 * where nothing else is said, is the tracer's thread: after each checkpoint it forgets
 * what the clone has, and at a takeover it prepares the replay.  Design:
 * doc/design/log.md. */
#ifndef BSC_FOLLOWER_H
#define BSC_FOLLOWER_H

#include "lib/core/mono.h"
#include "sockmig/core/births.h"
#include "sockmig/core/keep.h"
#include "sockmig/core/replay.h"
#include "sockmig/slot.h"

struct follower;

/* follower_new - over the received ring @data of @size bytes (borrowed).  Never NULL.
 */
struct follower *follower_new(uint8_t *data, uint64_t size);

/* follower_received - the log is there up to @have.  The main thread. */
void follower_received(struct follower *f, uint64_t have, struct mono at);

/* follower_begin - a new log from position @from on. */
void follower_begin(struct follower *f, uint64_t from);

/* follower_births - the active node's @data, taken, of @size bytes: what no image may
 * have from before the log (births.h). */
void follower_births(struct follower *f, uint8_t *data, size_t size);

/* follower_applied - the checkpoint in @slot is in the clone: what it has is forgotten.
 * The ring is not needed before the position returned. */
uint64_t follower_applied(struct follower *f, const struct slot *slot);

/* follower_prepare - set up @replay for the clone at @slot and the log as it is.
 * NULL, or why it cannot be replayed (static text). */
const char *follower_prepare(struct follower *f, const struct slot *slot,
    struct replay *replay, uint64_t seed, struct mono now);

/* follower_succeed - the clone was woken, and this node logs from now on: @births gets
 * what the log has of connections that may be in no image, as ordinal @as.  The main
 * thread, as long as nothing else is followed. */
void follower_succeed(struct follower *f, struct births *births, uint64_t as);

struct keep_stat follower_stat(struct follower *f); /* any thread */

#endif
