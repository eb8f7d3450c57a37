/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * threads.h - the threads of a stopped process, to an image. */
#ifndef BSC_THREADS_H
#define BSC_THREADS_H

#include "sockmig/ckpt/inject.h"
#include "sockmig/ckpt/proctext.h"
#include "sockmig/refusal.h"

/* threads_learn - read by injection what only a thread itself can tell (its clear-tid
 * address, its alternate signal stack), of threads for which that is due: new ones, a
 * few times in their first 10 s, every 10 s after, and all if @again.
 *
 * To be called before memory is scanned: running user code writes to its page of
 * thread-local data (rseq).  0; -EOPNOTSUPP with @why; -ESRCH; other -errno. */
int threads_learn(struct trace *t, struct inject *in, struct proctext *text,
    struct mono now, bool again, struct refusals *why);

/* threads_may_inject - 0, or -EOPNOTSUPP with @why: a call made by the leader would be
 * its death (strict seccomp, syscall user dispatch). */
int threads_may_inject(struct trace *t, struct proctext *text, struct refusals *why);

/* threads_refuse_strict - the same for any thread, from its @status. */
int threads_refuse_strict(const char *status, int cell_tid, struct refusals *why);

/* threads_read - registers, signal masks, pending signals and the rest into
 * im->threads, the leader first.  Same outcomes. */
int threads_read(struct trace *t, struct image *im, struct refusals *why);

/* threads_leader_hash - of what all threads must have as the leader's @status has it:
 * credentials.  For t->leader. */
uint64_t threads_leader_hash(const char *status);

/* threads_name - read the name of one thread anew; a failure leaves the old one.
 * threads_names - read the names of all threads anew: not in the pause. */
void threads_name(
    const struct trace *t, struct trace_thread *th, struct proctext *text);
void threads_names(struct trace *t, struct proctext *text);

#endif
