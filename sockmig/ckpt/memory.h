/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * memory.h - which pages a process has written, and their content.
 *
 * A userfaultfd of the target, in asynchronous write-protect mode, lets the kernel
 * note writes without stopping anybody; PAGEMAP_SCAN reports and re-arms.  Mappings
 * are looked at in one of six ways:
 *
 *     WRITTEN   anonymous memory: the kernel's fast path; pages written or dropped
 *     PRESENT   private files, huge reservations, memory without access: the pages
 *               that are there are compared with those of the last time, because a
 *               dropped one is not reported (files), or because reporting it would
 *               cost page tables for all that was never touched (reservations)
 *     QUIET     private files that cannot be written at present: as PRESENT if the fast
 *               path finds that something was written, and every 16th time; else only
 *               pages that were there are looked at
 *     SHARED    shared anonymous memory: as WRITTEN, but what is not mapped is not
 *               empty; all of it while a child may write to it
 *     WHOLE     shared memory with a name that can only be read: all of it
 *     FILE      files of state folders: what was written is told, and read as a file
 *
 * Source: Documentation/admin-guide/mm/{pagemap,userfaultfd}.rst, fs/proc/task_mmu.c.
 */
#ifndef BSC_MEMORY_H
#define BSC_MEMORY_H

#include "sockmig/ckpt/inject.h"
#include "sockmig/ckpt/kernel.h"
#include "sockmig/ckpt/memory_hot.h"
#include "sockmig/core/image.h"
#include "sockmig/pages.h"
#include "sockmig/refusal.h"

#define MEMORY_MAX_REGIONS (1u << 20) /* of one scan */
#define MEMORY_MAX_PIECES (1u << 16)
#define MEMORY_MAX_FOUND (1u << 20)

enum memory_mode {
    MEMORY_NONE,
    MEMORY_WRITTEN,
    MEMORY_PRESENT,
    MEMORY_QUIET,
    MEMORY_SHARED,
    MEMORY_WHOLE,
    MEMORY_FILE
};

struct span {
    uint64_t start, end;
};

/* How much of a shared mapping is to be sent.  @fresh: all of this process is. */
enum memory_share {
    MEMORY_SHARE_WRITTEN, /* what this process has written since the last scan */
    MEMORY_SHARE_CHANGED, /* and what anybody has given back */
    MEMORY_SHARE_TOUCHED, /* what it has mapped by now: others are scanned as well, and
                             it has been tracked for as long as it exists only now */
    MEMORY_SHARE_ALL
};

typedef enum memory_share memory_share(
    void *arg, const struct image_vma *v, bool fresh);

struct finding { /* pages to be sent */
    uint64_t start, end;
    enum pages_kind kind;
};

struct memory_given { /* of the file behind shared memory, at a scan */
    uint64_t inode;
    uint32_t dev_major, dev_minor;
    uint64_t count; /* of pages given back */
    bool changed;   /* since the scan before */
};

struct memory {
    pid_t pid;
    int cell_pid;
    int mem_fd, pagemap_fd, uffd; /* owned; uffd -1: not tracking yet */
    struct page_region *regions;  /* owned mappings, as the following */
    struct page_region *pieces;
    struct finding *found; /* not yet in a struct pages */
    size_t nfound;
    struct span *present, *was_present; /* sorted; of mappings in PRESENT mode */
    size_t npresent, nwas_present;
    struct span *written, *was_written; /* mappings in WRITTEN mode */
    size_t nwritten, nwas_written;
    uint64_t *witness, *was_witness; /* sorted; of huge pages, see memory_huge.c */
    size_t nwitness, nwas_witness, next_witness;
    struct memory_given *given, *was_given; /* of usual shared memory */
    size_t ngiven, nwas_given;
    uint8_t modes[IMAGE_MAX_VMAS]; /* of the image last registered */
    bool all;                      /* next scan reports everything */
    bool same;                     /* no mapping changed since the last scan */
    bool settled; /* nobody reads pages besides: some may be hot (memory_hot.h) */
    bool hot_now; /* during this scan */
    struct memory_hot *hot; /* owned */
    bool running;   /* during this scan: what changes under us is found next time */
    bool share_all; /* send shared memory whole: children have it too */
    memory_share *share; /* borrowed; NULL: it has its shared memory for itself */
    void *share_arg;
    uint64_t guard;  /* PAGE_IS_GUARD, or 0: this kernel has none */
    bool swap;       /* the host swaps: "not present" is not "empty" */
    bool failed;     /* a table was too small: what was found is incomplete */
    size_t quiet;    /* during a scan: how far was_present is used up */
    uint64_t round;  /* scans so far */
    uint64_t nscans; /* calls of PAGEMAP_SCAN, for measuring */
};

int memory_open(struct memory *m, pid_t pid, int cell_pid); /* 0 or -errno */
void memory_close(struct memory *m);

/* memory_track - make the userfaultfd, by injection into a stopped @th.
 * 0; -EOPNOTSUPP: this kernel cannot; other -errno. */
int memory_track(struct memory *m, struct inject *in, struct trace_thread *th);

/* memory_register - track all of @im's mappings that can change (new ones too; it is
 * cheap).  0; -EOPNOTSUPP: one cannot be tracked, see @why; other -errno. */
int memory_register(
    struct memory *m, const struct image *im, uint64_t skip, struct refusals *why);

/* memory_scan - find what was written since the last scan in the mappings @im that were
 * just registered; @running: the process runs.
 * 0; -ENOSPC: too much for the tables, everything will be reported next time. */
int memory_scan(struct memory *m, const struct image *im, bool running);

/* memory_scan_files - tell @wrote of what was written since the last call in mappings
 * of the FILE mode, after memory_register(); of each at least once.  0 or -errno. */
typedef void memory_wrote(
    void *arg, const struct image_vma *v, uint64_t from, uint64_t to);
int memory_scan_files(
    struct memory *m, const struct image *im, memory_wrote *wrote, void *arg);

/* memory_read - move what was found, with its content, into @pages.
 * 0; -ENOSPC: @pages is full, the rest is kept; -ESRCH. */
int memory_read(struct memory *m, struct pages *pages);

void memory_forget(struct memory *m);

/* memory_swaps - may what is not present be on a disk?  Otherwise a page that reads as
 * swapped is a mark of the tracking, and there is nothing. */
bool memory_swaps(void);

#endif
