/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * filescan.h - the state folders of a running service, on its active node: what changed
 * in them since the last checkpoint, as operations (core/files.h), and what a standby
 * that joins has not got.
 *
 * inotify, or else change times, tell which files may have changed; hashes of their
 * blocks tell what did.
 * All calls come from one thread.  Design: doc/design/files.md. */
#ifndef BSC_FILESCAN_H
#define BSC_FILESCAN_H

#include "sockmig/core/files.h"
#include "sockmig/refusal.h"
#include "sockmig/slot.h"

#include <stddef.h>
#include <sys/types.h>

struct filescan;

struct filescan_conf {
    const char *const *roots; /* borrowed: absolute paths of the folders */
    unsigned nroots;          /* 1..FILES_MAX_ROOTS */
    uint64_t seed;            /* of the hashes, the same on all nodes */
};

struct filescan *filescan_new(const struct filescan_conf *conf); /* never NULL */
void filescan_free(struct filescan *s);                          /* NULL is legal */

/* filescan_begin - look at everything, from the start: nothing that was found before
 * counts.  Reads all files, however long that takes, until *@stop (NULL: to the end).
 *
 * 0; -EOPNOTSUPP: they cannot be kept, see @why; -ECANCELED: stopped. */
int filescan_begin(struct filescan *s, const _Atomic bool *stop, struct refusals *why);

/* filescan_watch - process @pid is the one whose writes are looked at, by what @means
 * this kernel has.  Before filescan_begin(). */
enum {
    FILESCAN_EVENTS = 1, /* which files changed (filewatch.h): else all are looked at */
    FILESCAN_BLOCKS = 2, /* which blocks of them (filewrites.h) */
    FILESCAN_ALL = 3
};
void filescan_watch(struct filescan *s, pid_t pid, unsigned means);

/* filescan_members - others that stand still whenever it does, @pids in its pid
 * namespace (sorted here), from now on. */
void filescan_members(struct filescan *s, uint32_t *pids, size_t n);

/* filescan_rest - nobody follows: nothing is told until the next filescan_begin(),
 * which has to come before filescan_take(). */
void filescan_rest(struct filescan *s);

/* filescan_prepare - before the service stands still: whatever can be done without it.
 * Nothing of what is found counts before filescan_take() has looked at it. */
void filescan_prepare(struct filescan *s);

/* filescan_take - add what changed since the last call to the operations that wait.
 * They stay until filescan_hand() takes them: a checkpoint that fails loses none.
 *
 * 0; 1, files were renamed or removed; else as filescan_begin(): begin anew. */
int filescan_take(struct filescan *s, struct refusals *why);

/* filescan_maps - files that the service maps can be kept: here it is told what
 * mappings get and write.
 *
 * filescan_wrote - after filescan_take(): by way of a mapping the service has written
 * to bytes @from..@to of the file @inode, as the kernel has it; for each mapping, also
 * where that is nothing. filescan_take_mapped - add that, too, once all of it is known;
 * @lost: some of those that had mapped files are gone, and what they wrote is not
 * known.  As filescan_take().
 */
bool filescan_maps(const struct filescan *s);
void filescan_wrote(struct filescan *s, uint64_t inode, uint64_t from, uint64_t to);
int filescan_take_mapped(struct filescan *s, bool lost, struct refusals *why);

/* filescan_hand - exchange the operations that wait with the caller's empty buffer of
 * FILESCAN_BYTES. */
#define FILESCAN_BYTES SLOT_FILES
void filescan_hand(struct filescan *s, uint8_t **buffer, size_t *size);
bool filescan_waits(const struct filescan *s); /* there are some */

/* filescan_encode - all that is known of the folders into @out: what a standby has, or
 * how much room that takes for @out NULL. */
size_t filescan_encode(const struct filescan *s, uint8_t *out, size_t size);

/* filescan_seed - begin to make operations for a standby that has @have (taken,
 * malloc()'ed; @size bytes of filescan_encode()).  False: it is malformed.
 *
 * filescan_seed_more - the next of them into @out, of about @max bytes of content.
 * Whatever changes meanwhile is in the checkpoints that follow.  1: there are more; 0:
 * that was all; -errno: begin anew. */
bool filescan_seed(struct filescan *s, uint8_t *have, size_t size);
int filescan_seed_more(struct filescan *s, uint8_t *out, size_t *size, size_t max);
void filescan_seed_end(struct filescan *s);

struct filescan_stat {
    uint64_t files, bytes; /* in the folders */
    uint64_t looked;       /* names, in the last filescan_take() */
    uint64_t hashed_bytes; /* in it */
    uint32_t took_us;      /* by it */
};
void filescan_stat(const struct filescan *s, struct filescan_stat *out);

#endif
