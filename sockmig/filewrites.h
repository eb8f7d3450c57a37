/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * filewrites.h - which blocks of files the service has written, by BPF, so that not all
 * of a large file is hashed while the service stands still.
 *
 * It only ever says where to look in a file whose times say that it changed; of one
 * that it says nothing of, all is looked at.  Before it is believed it must have seen
 * writes of every kind that are made for it. */
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

/* filewrites_drain - what was written since the last call, for filewrites_find().
 * False: some is missing, nothing may be taken from it. */
bool filewrites_drain(struct filewrites *w);

struct filewrites_blocks { /* of one file, by group of 64 blocks */
    const struct filewrites_row *rows;
    size_t n;
    bool whole, foreign;
};

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
