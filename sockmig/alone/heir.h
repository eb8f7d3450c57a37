/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * heir.h - a copy of this process that goes on with its work if that is killed.
 *
 * Different from a watcher (watcher.h) it does not undo: it returns from heir_make() a
 * second time, in the copy, when the original has ended. */
#ifndef BSC_HEIR_H
#define BSC_HEIR_H

#include <stdbool.h>
#include <sys/types.h>

struct heir {
    int life; /* owned: its end is what the heir waits for; -1: none */
    pid_t pid;
};

/* heir_make - 0: this is the original, and the heir waits; 1: this is the heir, in a
 * session of its own, and the original was killed before it called heir_dismiss();
 * -errno: there is no heir. */
int heir_make(struct heir *h);

/* heir_dismiss - the original has done what there was to do; the heir ends.
 * heir_free - the same, and it has ended. */
void heir_dismiss(struct heir *h);
void heir_free(struct heir *h);

#endif
