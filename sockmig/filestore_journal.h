/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * filestore_journal.h - operations on their way to the folders, on disk.
 *
 * Two files, SERVICE.0 and SERVICE.1, hold records; a third, SERVICE.commit, says which
 * of them, up to where, is being carried out.  It is there, whole, or it is not: it is
 * written beside, made durable and renamed. */
#ifndef BSC_FILESTORE_JOURNAL_H
#define BSC_FILESTORE_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct journal {
    int dir;                       /* owned: folder of the files */
    int fds[2];                    /* owned */
    uint64_t sizes[2], numbers[2]; /* bytes, and the last checkpoint in it */
    const char *service;           /* borrowed */
};

struct journal_part { /* of a file: what is done as one, again from its beginning */
    unsigned which;
    uint64_t from, to; /* bytes */
};

/* journal_open - make what is missing.  0 or -errno. */
int journal_open(struct journal *j, const char *service);
void journal_close(struct journal *j);

/* journal_add - a record at the end of file @which; @apart: what is before it must not
 * be done again after it.  0 or -errno: as before. */
int journal_add(struct journal *j, unsigned which, uint64_t number, bool apart,
    const void *data, size_t size);
int journal_empty(struct journal *j, unsigned which);

/* journal_next - the part of its file that begins at @part->from: .to is set.  0,
 * -ENOENT: there is none, -EBADMSG: the file is damaged; other -errno. */
int journal_next(struct journal *j, struct journal_part *part);

/* journal_prepare - a commit record for a part, beside the one that counts.  @durable:
 * it and the file have reached the disk.  0 or -errno.
 *
 * journal_commit - it counts: the part is carried out by whoever comes.  @durable: as
 * it was prepared.  journal_done: all was carried out.  Both do not wait for the disk.
 * journal_sync: wait for it. */
int journal_prepare(struct journal *j, const struct journal_part *part, bool durable);
int journal_commit(struct journal *j, bool durable);
int journal_done(struct journal *j);
int journal_sync(struct journal *j);

/* journal_pending - the part that a commit record is of, if it and its records are
 * whole. 0; -ENOENT: none; -EBADMSG: it is damaged; other -errno. */
int journal_pending(struct journal *j, struct journal_part *part);

/* journal_each - all records of a part, in order, checked; @take returns 0 or -errno,
 * which ends it. */
int journal_each(struct journal *j, const struct journal_part *part,
    int (*take)(void *arg, const void *data, size_t size), void *arg);

#endif
