/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * filestore_private.h - shared by filestore.c (the interface), filestore_roots.c (the
 * folders and what is done on them), filestore_look.c (what a joining standby has) and
 * filestore_carry.c (the thread that carries out). */
#ifndef BSC_FILESTORE_PRIVATE_H
#define BSC_FILESTORE_PRIVATE_H

#include "sockmig/filestore.h"
#include "sockmig/filestore_journal.h"

#include <pthread.h>
#include <stdatomic.h>

enum phase {
    STORE_IDLE,   /* no stream */
    STORE_LOOKS,  /* at what is there; checkpoints that come are for others */
    STORE_WAITS,  /* for a seed */
    STORE_SEEDED, /* it has begun: all is staged, nothing carried out */
    STORE_WHOLE   /* all of it is staged */
};

struct filestore {
    struct filestore_conf conf;
    pthread_t thread;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t changed;
    enum phase phase;
    _Atomic bool stop; /* looking */
    bool looking, broken;
    struct uplink *up; /* borrowed; NULL */
    struct journal journal;
    unsigned now;  /* journal file that is written */
    bool begun;    /* the other one is to be carried out */
    bool busy;     /* ... which the thread is at */
    bool carrying; /* ... and has begun: nobody else may */
    uint64_t from; /* what is before it in that file has been carried out */
    bool complete; /* a checkpoint came after the seed */
    bool ready;
    bool settled;               /* a takeover has done it: the disk is to follow */
    uint64_t applied;           /* the clone's memory is of it */
    uint64_t number;            /* the folders are of it */
    int roots[FILES_MAX_ROOTS]; /* owned */
};

/* filestore_roots.c: 0 or -errno. */
void store_trouble(struct filestore *f, const char *what, int ret);
int store_open_roots(struct filestore *f);
int store_sync_roots(struct filestore *f);
int store_carry_out(struct filestore *f, const struct journal_part *part, bool again);
int store_finish(struct filestore *f, unsigned which);
int store_recover(struct filestore *f);

void store_look(
    struct filestore *f); /* filestore_look.c; with the lock, which it lets go */

/* filestore_carry.c */
void store_is_broken(struct filestore *f, const char *what, int ret);
void *store_main(void *arg);

#endif
