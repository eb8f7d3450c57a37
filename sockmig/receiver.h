/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * receiver.h - the thread of a standby engine that takes in one stream.
 *
 * A checkpoint is acknowledged when all of it is in memory and every length, order and
 * reference in it was checked; from then on it will be applied.  One that is
 * incomplete when the stream ends is thrown away. */
#ifndef BSC_RECEIVER_H
#define BSC_RECEIVER_H

#include "sockmig/filestore.h"
#include "sockmig/queue.h"
#include "sockmig/slot.h"
#include "sockmig/stream.h"

#include <stdatomic.h>

struct receiver_conf {
    int fd; /* taken */
    struct stream_pair pair;
    struct seal_key group;
    uint64_t next;             /* least number of the first frame */
    struct slot_pool *pool;    /* borrowed */
    struct filestore *files;   /* borrowed; NULL: no state folders */
    struct queue *to_tracer;   /* gets TRACE_SLOT notes with the slots, and before
                                  them one TRACE_BIRTHS */
    struct queue *to_main;     /* gets one MAIN_STREAM_END note at the end */
    unsigned generation;       /* repeated in that note's a */
    _Atomic uint64_t *applied; /* number of the last checkpoint in the clone */
    _Atomic uint64_t *bytes;   /* received so far, added to */
    _Atomic uint64_t *forged;  /* frames refused, added to */
};

struct receiver;

struct receiver *receiver_new(const struct receiver_conf *conf); /* starts it */

/* receiver_stop - end the stream and wait for the thread; all slots it had are with
 * the tracer or back in the pool.  NULL is legal. */
void receiver_stop(struct receiver *r);

#endif
