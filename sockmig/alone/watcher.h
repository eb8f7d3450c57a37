/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * watcher.h - a copy of this program, in a session of its own, that waits for the end
 * of the original and undoes what that left when it did not end well. */
#ifndef BSC_WATCHER_H
#define BSC_WATCHER_H

#include <sys/types.h>

struct watcher {
    int life; /* owned: its end is what the watcher waits for; -1: none */
    pid_t pid;
};

/* watcher_start - @undo(@arg) is called there if this process ends before
 * watcher_end(), or is killed.  @arg should be in shared memory.  0 or -errno.
 * watcher_end - there is nothing to undo any more; waits for its end. */
int watcher_start(struct watcher *w, void (*undo)(void *arg), void *arg);
void watcher_end(struct watcher *w);

#endif
