/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * tracer_private.h - the tracer's inside, shared by tracer.c (thread and notes),
 * tracer_active.c and tracer_standby.c. */
#ifndef BSC_TRACER_PRIVATE_H
#define BSC_TRACER_PRIVATE_H

#include "sockmig/ckpt/maps.h"
#include "sockmig/ckpt/warm.h"
#include "sockmig/core/pace.h"
#include "sockmig/engine_notes.h"
#include "sockmig/filestore.h"
#include "sockmig/follower.h"
#include "sockmig/replayer.h"
#include "sockmig/seed.h"
#include "sockmig/shipper.h"
#include "sockmig/tracer.h"

#include <pthread.h>

struct tracer {
    struct tracer_conf conf;
    struct queue *queue; /* owned */
    pthread_t thread;
    struct slot_pool *checkpoints, *bases, *received; /* owned */
    struct cell_conf cell;

    _Atomic bool wanted, output_waits, output_complete, required;
    _Atomic bool pressed;                            /* a client waits for the clone */
    _Atomic int64_t output_first_us, output_last_us; /* with .output_waits */
    _Atomic int64_t cycle_us;                        /* from the stop until stable */
    _Atomic uint64_t stable, applied;
    _Atomic unsigned interval_ms, spacing_ms, policy;
    pthread_mutex_t stats_lock;
    struct tracer_stats stats;

    /* Below: the thread's own. */
    pid_t init, pid;  /* of the cell that runs here; 0: none */
    struct tree tree; /* of what runs here */
    bool tracked;     /* it is attached */
    struct pace pace;
    uint64_t number;      /* of the last checkpoint of this reign */
    struct mark mark;     /* taken while the last checkpoint stood still */
    uint32_t standbys;    /* bit i: node i has joined */
    uint32_t to_seed;     /* bit i: node i still needs all pages */
    uint32_t paging;      /* bit i: it gets those that are being read now */
    uint32_t to_file;     /* bit i: it has the pages, and needs the files */
    int filing;           /* node whose files are being sent; -1: none */
    struct mono seed_due; /* more is read then */
    struct seed seed;
    bool handed;                /* stopped by a handover */
    struct filescan *scan;      /* owned; NULL: no state folders */
    struct maps_folders mapped; /* .n 0: none */
    bool told_mapped;           /* what is written by mappings, at this checkpoint */
    bool lost_mapped;           /* and at one that failed */
    bool seeding_files;         /* those of .filing have begun */
    struct {
        uint8_t *data; /* owned: what this standby has of them; NULL: not said */
        size_t size;
    } have[CONF_MAX_NODES];

    struct warm *clone;   /* owned; NULL: none */
    struct slot *current; /* owned: what the clone is at; NULL: nothing yet */
    struct mono rested;   /* when all that can be made ahead was there */
    uint32_t margin_ms;   /* of the clone's clocks; see begin_clone() */
};

void tracer_tell(struct tracer *t, enum main_note what, int64_t a, int64_t b, void *p);

/* tracer_seed.c */
/* tracer_ship - a note to the shipper. */
void tracer_ship(
    struct tracer *t, enum shipper_note what, unsigned node, int64_t a, void *p);
bool seeding_is_due(const struct tracer *t); /* a standby needs more */
struct mono seeding_turn(struct tracer *t);  /* some of it; when to go on */
void seeding_leave(struct tracer *t, unsigned node);

/* tracer_active.c */
void active_start(struct tracer *t);
void active_join(struct tracer *t, const struct note *join);
void active_leave(struct tracer *t, unsigned node);
void active_handover(struct tracer *t);
void active_resume(struct tracer *t);
void active_end(struct tracer *t);
void active_turn(struct tracer *t); /* do what is due, then serve until a note comes */

/* tracer_files.c */
void files_open(struct tracer *t);
int files_begin(struct tracer *t, struct refusals *why);
void files_prepare(struct tracer *t); /* before it stands still */
int files_take(void *arg, struct refusals *why);
void files_hand(struct tracer *t, struct slot *slot);
void files_have(struct tracer *t, unsigned node, void *data, size_t size);
void files_forget(struct tracer *t, unsigned node);
int files_seed(struct tracer *t, struct slot *slot);
void files_wrote(
    void *arg, const struct image_vma *v, uint64_t from, uint64_t to); /* by mappings */
int files_take_mapped(void *arg, bool lost, struct refusals *why);
bool files_unfit(
    struct tracer *t, struct refusals *why); /* mapped, and cannot be kept */
int files_settle(struct tracer *t, struct woken *w);

/* tracer_standby.c */
void standby_slot(struct tracer *t, struct slot *slot);
void standby_wake(struct tracer *t, uint64_t reign);
void standby_end(struct tracer *t);
bool standby_turn(struct tracer *t); /* at leisure; false: nothing to do for a while */

#endif
