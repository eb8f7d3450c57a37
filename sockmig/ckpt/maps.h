/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * maps.h - the mappings of a process, from /proc/PID/maps, with their kinds, and the
 * flags that only /proc/PID/smaps has. */
#ifndef BSC_MAPS_H
#define BSC_MAPS_H

#include "sockmig/ckpt/proctext.h"
#include "sockmig/core/image.h"
#include "sockmig/refusal.h"

#include <stdbool.h>
#include <sys/types.h>

#define MAPS_ROUND 64

struct maps_flags {
    uint64_t start, end;
    uint32_t flags;
};

struct maps_folders { /* state folders: what is mapped of them goes along with them */
    const char *const *roots; /* borrowed: absolute paths */
    unsigned n;
};

struct maps {
    const struct maps_folders *folders; /* borrowed; NULL: there are none */
    bool with_files; /* files go along, or are where it goes: shared mappings may write
                      */
    pid_t pid;
    int cell_pid;
    int fd;                   /* owned: /proc/PID/maps */
    uint64_t skip, skip_end;  /* memory of ours in the target: not part of it */
    uint32_t skip_flags;      /* of it: locked means that all memory is */
    struct proctext text;     /* owned */
    struct maps_flags *flags; /* owned mapping: from the last smaps, sorted */
    size_t nflags;
    struct maps_file {
        uint64_t inode, hash;
        uint32_t major, minor;
    } files[512]; /* whose build is known */
    size_t nfiles;
    struct image_vma *known; /* owned mapping: the last list, if all of it was good */
    uint32_t nknown;         /* 0: it must be read anew */
    uint32_t nlast;          /* that .known holds all the same */
    bool kept;               /* the list is the one that was read before */
    unsigned unread;         /* reads since the text was last read */
    uint64_t brk; /* end of the heap at the last maps_read(); 0: there is none */
};

int maps_open(struct maps *m, pid_t pid, int cell_pid); /* 0 or -errno */
void maps_close(struct maps *m);

/* maps_read - the mappings at present into im->vmas.  @same: the caller knows that none
 * changed since the last call.
 *
 * While none has changed they are compared by PROCMAP_QUERY, which is five times
 * cheaper than their text; the text is read at least every MAPS_ROUND times, since it
 * alone tells that a mapped file was deleted.
 *
 * m->kept: the list is that of the last call.  Also where the process changed no
 * mapping it may be another one: once both are tracked the kernel makes one of two
 * neighbours.
 *
 * 0; -EOPNOTSUPP: something that cannot be protected is mapped, see @why; -ESRCH. */
int maps_read(struct maps *m, bool same, struct image *im, struct refusals *why);

/* maps_in_folders - does @path lie in one of them?  @folders NULL: no. */
bool maps_in_folders(const struct maps_folders *folders, const char *path);

/* maps_renamed - files have other names by now: they are read anew, if that matters. */
void maps_renamed(struct maps *m);

/* maps_read_flags - the flags that madvise() and mlock() set, by which maps_read()
 * completes what it reads from now on.  Slow (it walks all page tables): call it while
 * the process runs.  0 or -errno. */
int maps_read_flags(struct maps *m);

#endif
