/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * filewatch.h - which files changed, by inotify, so that not all of them are looked at
 * while the service stands still.
 *
 * A watch is on the file itself, not on its folder: it sees writes by descriptors whose
 * name has gone, and costs reads nothing.  Those on folders tell of names only.  Not
 * seen: writes by a mapping (see filescan_wrote()), by the kernel's asynchronous I/O
 * (refused for the service), and file systems that are mounted over. */
#ifndef BSC_FILEWATCH_H
#define BSC_FILEWATCH_H

#include <stdbool.h>
#include <sys/types.h>

struct filewatch;

/* filewatch_new - NULL: this kernel does not tell of all kinds of writes to files of
 * the file systems of the folders @roots (it was logged). */
struct filewatch *filewatch_new(const int *roots, unsigned nroots);
void filewatch_free(struct filewatch *w); /* NULL is legal */

/* filewatch_add - from now on, tell of @name in @dir ("": the folder @dir), whatever it
 * is; filewatch_is - what it turned out to be (S_IFMT bits).  The number of the watch,
 * the same for all names of a file; or -errno, -ENOSPC: no more can be had. */
int filewatch_add(struct filewatch *w, int dir, const char *name);
int filewatch_is(struct filewatch *w, int dir, const char *name, mode_t type);
void filewatch_remove(struct filewatch *w, int wd);

struct filewatch_event {
    int wd;
    const char
        *name;    /* something happened to this name in the folder; NULL: to itself */
    bool content; /* it was written to */
    bool gone;    /* and is not watched any more */
};

typedef void filewatch_fn(void *arg, const struct filewatch_event *event);

/* filewatch_read - all that happened since the last call, in order.  False: some is
 * lost. */
bool filewatch_read(struct filewatch *w, filewatch_fn *fn, void *arg);

#endif
