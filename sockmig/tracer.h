/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * tracer.h - the thread of an engine that all ptrace work belongs to.
 *
 * On the active node it starts the command, takes checkpoints when they are due and
 * reads memory for standbys that join.  On a standby it keeps the clone and wakes it.
 * Notes in: enum trace_note; out: enum main_note. */
#ifndef BSC_TRACER_H
#define BSC_TRACER_H

#include "lib/conf.h"
#include "sockmig/ckpt/target.h"
#include "sockmig/filescan.h"
#include "sockmig/mark.h"
#include "sockmig/queue.h"
#include "sockmig/slot.h"

#include <stdatomic.h>

struct filestore;
struct follower;
struct replayer;
struct shipper;

struct tracer_conf { /* borrowed for the life of the tracer */
    const struct conf_service *service;
    int cell_netns, tun, raw;
    /* The service stands still: its mark; until marked() nothing is delivered to it.
     * Called by the tracer's thread. */
    void (*mark)(void *arg, struct mark *out);
    void (*marked)(void *arg);
    void *arg;
    struct queue *to_main;
    struct shipper *shipper;
    struct follower *follower;
    const struct filescan_conf *folders; /* NULL: no state folders */
    struct filestore *files;
    struct replayer *replayer; /* its machine is set up here before the clone wakes */
};

struct tracer_stats { /* of checkpoints; copied whole under a lock */
    uint64_t count, number;
    uint64_t last_pages;
    uint32_t connections;
    struct mono last_at;
    struct target_timing last;
    uint32_t max_pause_us;
    struct filescan_stat files; /* of the last look at state folders */
    uint64_t file_bytes;        /* of operations on files in the last checkpoint */
    uint64_t all_file_bytes;    /* and in all so far */
    uint64_t clone_number;      /* standby: last one applied */
    struct mono clone_at;
};

struct tracer;

struct tracer *tracer_new(const struct tracer_conf *conf); /* starts the thread */
struct queue *tracer_queue(struct tracer *t);
struct slot_pool *tracer_received_pool(struct tracer *t); /* for the receiver */
_Atomic uint64_t *tracer_applied(struct tracer *t);
void tracer_stats(struct tracer *t, struct tracer_stats *out);

/* tracer_want - a checkpoint is wanted as soon as allowed.
 * tracer_output - output waits for one, the newest since @at; @complete: nothing is
 * expected to join it.
 * Any thread, no system call if one is wanted already. */
void tracer_want(struct tracer *t);
void tracer_output(struct tracer *t, struct mono at, bool complete);

/* tracer_unwant - one that was taken meanwhile is enough.  The thread that wants. */
void tracer_unwant(struct tracer *t);

/* tracer_stable - checkpoints up to @number are stable: more may be taken.  @took_us:
 * since that one was taken; 0: not known. */
void tracer_stable(struct tracer *t, uint64_t number, int64_t took_us);

/* tracer_press - from now on until the clone wakes a client waits for all that it does.
 */
void tracer_press(struct tracer *t);

/* tracer_required - whether output waits for any standby. */
void tracer_required(struct tracer *t, bool required);

/* tracer_policy - checkpoints from now on say that output is held by @policy. */
void tracer_policy(struct tracer *t, enum conf_policy policy);
void tracer_pace(struct tracer *t, unsigned interval_ms, unsigned spacing_ms);
unsigned tracer_interval_ms(struct tracer *t);

#endif
