/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * batch.h - system calls made by the stub of a clone, many per stop.
 *
 * A shared mapping lies at the same address in the engine and in the stub: code, a
 * table of calls, and their arguments.  A thread of the stub is set to the code, works
 * off its part of the table, writes each result beside its call, and traps.  12 us for
 * the round, 0.15 us for each call.
 *
 * For stubs only: whoever dies in the middle takes the stub along (EXITKILL). */
#ifndef BSC_BATCH_H
#define BSC_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

#define BATCH_CALLS 65536u
#define BATCH_BORN 640u

struct batch_call {
    uint64_t nr, args[6];
    int64_t result;
};

struct batch {
    uint8_t *base; /* owned mapping */
    size_t size;
    struct batch_call *calls; /* in it */
    unsigned ncalls;
    size_t used;                    /* of the room for arguments */
    bool full;                      /* something did not fit: batch_run() fails */
    const char *names[BATCH_CALLS]; /* NULL: may fail */
    struct user_regs_struct regs;   /* of a stopped thread, to start from */
    pid_t born[BATCH_BORN];         /* threads and children made by the calls */
    unsigned nborn;
    const char *failed; /* name of the first call that failed in the last run */
};

/* batch_map - map it where @is_free says so.  0 or -ENOMEM. */
int batch_map(struct batch *b, bool (*is_free)(uint64_t start, uint64_t end, void *arg),
    void *arg);
void batch_unmap(struct batch *b);

/* batch_idle - address of code that sleeps for ever. */
uint64_t batch_idle(const struct batch *b);

/* batch_spare - a megabyte of the mapping that is used for nothing else. */
uint64_t batch_spare(const struct batch *b, unsigned i);

/* batch_seize - seize the stub @pid with EXITKILL and stop it.  0 or -errno. */
int batch_seize(struct batch *b, pid_t pid);

/* batch_unfiltered - @tid makes calls without its system call filters until it is let
 * go.  0 or -errno. */
int batch_unfiltered(pid_t tid);

/* batch_put - a copy of @data in the mapping; its address. */
uint64_t batch_put(struct batch *b, const void *data, size_t size);

/* batch_add - one more call.  @name: for the message when it fails; NULL: it may. */
void batch_add(struct batch *b, const char *name, long nr, uint64_t a0, uint64_t a1,
    uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5);

/* batch_run - let thread @tid make all calls added; the table is empty after.
 * 0, or -errno of the first that failed (b->failed is its name); -ESRCH: it died. */
int batch_run(struct batch *b, pid_t tid);

/* batch_room - run what was added, if there is no room for @calls more.  As
 * batch_run().
 */
int batch_room(struct batch *b, pid_t tid, unsigned calls);

/* The same in steps, for several threads at once: start each with its part of the
 * table, wait for each, then batch_finish() looks at the results. */
int batch_start(struct batch *b, pid_t tid, unsigned first, unsigned count);
int batch_wait(struct batch *b, pid_t tid);
int batch_finish(struct batch *b);

/* batch_single - one call through the instruction at @rip, which need not be in the
 * mapping.  Leaves the thread at the exit of that call.  0 or -errno of the call. */
int batch_single(
    struct batch *b, pid_t tid, uint64_t rip, long nr, const uint64_t *args);

/* batch_last - the same with one stop instead of two: one for a signal, SIGTRAP, which
 * must be neither blocked nor ignored. */
int batch_last(struct batch *b, pid_t tid, uint64_t rip, long nr, const uint64_t *args);

/* batch_wait_stop - wait for a stop of @tid.  Its status, or -ESRCH when it ended. */
int batch_wait_stop(pid_t tid);

#endif
