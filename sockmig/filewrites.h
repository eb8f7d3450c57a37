/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * filewrites.h - which blocks of files the service has written, by BPF, so that not all
 * of a large file is hashed while the service stands still.
 *
 * It only ever says where to look in a file whose times say that it changed; of one
 * that it says nothing of, all is looked at.  Where the kernel tells, it says as well
 * which blocks the service's mappings have got.  Before it is believed it must have
 * seen writes of every kind that are made for it. */
#ifndef BSC_FILEWRITES_H
#define BSC_FILEWRITES_H

#include "sockmig/core/files.h"

#include <sys/types.h>

struct filewrites;

/* filewrites_new - of the files below the folders @roots.  NULL: this kernel cannot
 * tell (it was logged). */
struct filewrites *filewrites_new(const int *roots, unsigned nroots);
void filewrites_free(struct filewrites *w); /* NULL is legal */

/* filewrites_of - from now on, writes of process @pid have ranges, others are foreign.
 * 0 or -errno. */
int filewrites_of(struct filewrites *w, pid_t pid);

/* filewrites_members - and those of processes @pids (in its pid namespace; sorted here)
 * from now on, and of no others: they stand still whenever it does. */
void filewrites_members(struct filewrites *w, uint32_t *pids, size_t n);

/* filewrites_drain - what was written since the last call, for filewrites_find().
 * False: some is missing, nothing may be taken from it. */
bool filewrites_drain(struct filewrites *w);

struct filewrites_blocks { /* of one file, by group of 64 blocks */
    const struct filewrites_row *rows;
    size_t n;
    bool whole, foreign;
    bool written; /* else these are only what a mapping of the file has got: it may have
                     written there, and then the file's times say that it changed */
};

/* filewrites_maps - it tells of what mappings get, too. */
bool filewrites_maps(const struct filewrites *w);

/* filewrites_clear - forget what was drained.  filewrites_add - bytes @from..@to of
 * @inode were written, up to ~0: all of it.  filewrites_sort - for filewrites_find(),
 * after the last one; false: they had no room. */
void filewrites_clear(struct filewrites *w);
void filewrites_add(struct filewrites *w, uint64_t inode, uint64_t from, uint64_t to);
bool filewrites_sort(struct filewrites *w);

/* filewrites_find - of file @inode; .n 0 and not .whole: nothing is known of it. */
struct filewrites_blocks filewrites_find(const struct filewrites *w, uint64_t inode);

/* filewrites_each - all files that something is known of; some of them are none of
 * ours.
 */
typedef void filewrites_fn(void *arg, uint64_t inode);
void filewrites_each(const struct filewrites *w, filewrites_fn *fn, void *arg);

/* filewrites_has - one of the 16 blocks of chunk @chunk (64 kB) was written. */
bool filewrites_has(const struct filewrites_blocks *b, uint64_t chunk);

#endif
