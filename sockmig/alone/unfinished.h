/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * unfinished.h - moves to this host that are not at their end, in files beside the
 * decisions.
 *
 * Who works on one holds a lock on its file.  A file that nobody locks is what programs
 * leave that were killed, all of them: the next sockmig receive finishes it, by what
 * was decided. */
#ifndef BSC_UNFINISHED_H
#define BSC_UNFINISHED_H

#include "sockmig/alone/channel.h"
#include "sockmig/ckpt/freezer.h"

struct unfinished {
    int fd; /* owned: locked; -1: none */
    uint8_t id[16];
};

/* unfinished_begin - the move @order, in @freezer, is worked on from now on; also by
 * copies of this process.  0 or -errno.
 * unfinished_end - it is at its end, and no copy is left. */
int unfinished_begin(struct unfinished *u, const struct channel_order *order,
    const struct freezer *freezer);
void unfinished_end(struct unfinished *u);

/* unfinished_clear - finish move @id if nobody does: its processes run if that was
 * decided, with those connections reset that were not ready; otherwise nothing is left
 * of them.  True: nobody works on it (any more). */
bool unfinished_clear(const uint8_t *id);

/* unfinished_clear_all - all that there are. */
void unfinished_clear_all(void);

#endif
