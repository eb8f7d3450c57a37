/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * trim.h - how much of the active node's log checkpoints make dispensable, and when the
 * log wants one.
 *
 * What is older than a stable checkpoint no standby needs.  Of that everything before
 * the newest packet that the checkpoint's mark covers is known; where none comes in (a
 * service that only sends), it is what had been logged when the checkpoint before was
 * taken.  A log that is half full wants one more, unless what is on its way will make
 * room: each costs the service a pause.
 *
 * What still waited when the checkpoint before was taken may be newer than the mark; to
 * count it as older is harmless, since each standby says itself how far it has room
 * (rmcast.h).
 *
 * Pure.  Design: doc/design/log.md. */
#ifndef BSC_TRIM_H
#define BSC_TRIM_H

#include "sockmig/core/commit.h"

#include <stdbool.h>
#include <stdint.h>

struct trim {                          /* positions in the stream (plog.h) */
    uint64_t room;                     /* bytes that an empty log holds */
    uint64_t covered;                  /* older than the newest checkpoint taken */
    uint64_t head_taken;               /* the log's end when that had been taken */
    uint64_t positions[COMMIT_WINDOW]; /* .covered, of each that is not stable */
};

/* trim_reign - an empty log, which begins at @head and holds @room bytes. */
void trim_reign(struct trim *t, uint64_t head, uint64_t room);

/* trim_taken - checkpoint @number (the last one plus 1) was taken; its mark covers the
 * packets before position @log, and the log ends at @head.  A @log beyond that is of an
 * earlier reign. */
void trim_taken(struct trim *t, uint64_t number, uint64_t log, uint64_t head);

/* trim_stable - up to where the log may go when checkpoint @number is stable; it is one
 * of the last COMMIT_WINDOW taken. */
uint64_t trim_stable(const struct trim *t, uint64_t number);

/* trim_wants - is the log, which ends at @head, worth one more checkpoint? */
bool trim_wants(const struct trim *t, uint64_t head);

#endif
