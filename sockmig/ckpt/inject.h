/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * inject.h - system calls made by a stopped thread of the target, so that the target
 * survives the engine's death at any moment.
 *
 * The thread runs a short program that makes the calls, raises a flag, sleeps for
 * 200 ms and then, if nobody took over, puts every register and the signal mask back by
 * itself.  The engine, while it lives, sees the flag, stops the thread in its sleep and
 * restores it; the program's healing is for when it does not.
 *
 *     vdso                                    scratch (two words of the code point
 * here) ┌──────────────┬───────────────────┐ ┌───────┬────────┬─────────────────────┐
 *     │ functions    │ program, saved    │    │ magic,│ calls  │ what calls read and │
 *     │              │ registers, 1 call │    │ flag  │        │ write               │
 *     └──────────────┴───────────────────┘    └───────┴────────┴─────────────────────┘
 *
 * The program lies in the unused end of the vdso page, written as a debugger writes a
 * breakpoint: it is executable already, exists in every process and is nobody's.  It
 * reads only itself and writes only to scratch memory, so the very first call (which
 * maps the scratch memory) is as safe as the later ones, no page is writable and
 * executable, and floating point state is never touched.  No SIGTRAP is involved:
 * int3 would kill a process whose tracer is gone.
 *
 * Do not inject calls that change restart_block (nanosleep, poll, futex waits). */
#ifndef BSC_INJECT_H
#define BSC_INJECT_H

#include "sockmig/ckpt/trace.h"

#include <sys/user.h>

#define INJECT_MAX_CALLS 192
#define INJECT_SCRATCH 65536u /* bytes of scratch memory in the target */
#define INJECT_DATA 24576u    /* where the part for the calls' data begins in it */

struct inject_call {
    int64_t nr;
    uint64_t args[6];
    uint64_t result_at; /* address in the target that gets the result; 0: result is
                           read back into inject_result() */
};

struct inject {
    struct trace *trace; /* borrowed */
    int mem_fd;          /* borrowed: /proc/PID/mem */
    uint64_t code;       /* address of the program; 0: not prepared */
    uint64_t scratch;    /* address; 0: not mapped */
    uint8_t *saved;      /* owned: what was where the program is */
    int64_t results[INJECT_MAX_CALLS];
};

/* inject_open - put program and scratch memory in place.  All threads are stopped
 * (they may be resumed and stopped again for up to 1 s, while a thread that a dead
 * engine left in the program heals itself).
 *
 * @avoid  address ranges in use: start and end, sorted, @navoid pairs
 *
 * 0; -EOPNOTSUPP: no room in the vdso; -ESRCH; other -errno, the target unharmed. */
int inject_open(struct inject *in, struct trace *trace, int mem_fd,
    const uint64_t (*avoid)[2], size_t navoid);

/* inject_close - take both away again; all threads are stopped. */
void inject_close(struct inject *in);

/* inject_run - let @th make @n calls; their results are in in->results.
 *
 * @th         stopped; its registers are afterwards what they were
 * @meanwhile  called again and again until the calls are done; true: end the call in
 *             which it sleeps; NULL: nothing
 *
 * 0; -ESRCH; -EIO: they did not come to an end, the thread is restored. */
int inject_run(struct inject *in, struct trace_thread *th,
    const struct inject_call *calls, unsigned n, bool (*meanwhile)(void *), void *arg);

/* inject_data - address of @offset in the calls' data.  inject_get, inject_put: copy
 * from and to it.  0 or -errno. */
uint64_t inject_data(const struct inject *in, size_t offset);
int inject_get(const struct inject *in, size_t offset, void *to, size_t size);
int inject_put(const struct inject *in, size_t offset, const void *from, size_t size);

/* inject_call_address - of member @offset of call @i, for result_at. */
uint64_t inject_call_address(const struct inject *in, unsigned i, size_t offset);

#endif
