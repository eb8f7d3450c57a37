/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * filestore.h - the state folders of a service on a standby.
 *
 * Operations come with checkpoints and are staged in a journal.  Every second or so
 * what the clone's memory has reached is made durable there, then carried out on the
 * folders, and the journal is emptied: whatever ends in the middle, the next start
 * rolls it forward.  At a takeover the folders are brought to the very checkpoint that
 * the memory is of.  Design: doc/design/files.md. */
#ifndef BSC_FILESTORE_H
#define BSC_FILESTORE_H

#include "sockmig/filescan.h"
#include "sockmig/uplink.h"

struct filestore;

struct filestore_conf {
    const char *service; /* borrowed, as all of it */
    struct filescan_conf folders;
    /* Something is wrong with the files here; called by any thread. */
    void (*trouble)(void *arg, const char *text);
    void *arg;
};

/* filestore_new - finish what an earlier engine left undone; starts a thread.  0, or
 * -errno: the folders are not whole and must not be used (it was logged). */
int filestore_new(const struct filestore_conf *conf, struct filestore **out);

/* filestore_follow - a stream begins: forget what is staged, look at the folders, and
 * say by @up what is there (WIRE_HAVE).  Returns at once. */
void filestore_follow(struct filestore *f, struct uplink *up);

/* filestore_leave - the stream is over: @up is not used from here on. */
void filestore_leave(struct filestore *f);

/* filestore_stage - operations of checkpoint @number (0: of a seed).  NULL, or why they
 * cannot be kept: static text. */
const char *filestore_stage(
    struct filestore *f, uint64_t number, const void *data, size_t size);

void filestore_seeded(struct filestore *f); /* all of the seed is staged */

/* filestore_ready - the seed was carried out: a takeover has little to do. */
bool filestore_ready(struct filestore *f);

/* filestore_applied - the clone's memory is of checkpoint @number. */
void filestore_applied(struct filestore *f, uint64_t number);

/* filestore_settle - bring the folders to checkpoint @number, for a takeover.  0, or
 * -errno: they are not of it. */
int filestore_settle(struct filestore *f, uint64_t number);

bool filestore_usable(struct filestore *f); /* false: the service must not start on them
                                             */

struct filestore_stat {
    uint64_t staged_bytes; /* not yet in the folders */
    uint64_t number;       /* the folders are of this checkpoint; 0: of none */
};
void filestore_stat(struct filestore *f, struct filestore_stat *out);

#endif
