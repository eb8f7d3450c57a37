/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * trace_seize.h - the threads that /proc lists, seized, and the table of them.
 *
 * Source: ptrace(2); kernel/fork.c (kernel_clone). */
#ifndef BSC_TRACE_SEIZE_H
#define BSC_TRACE_SEIZE_H

#include "sockmig/ckpt/trace.h"

#include <sys/ptrace.h>

#define TRACE_OPTIONS                                                                  \
    (PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |                  \
        PTRACE_O_TRACEEXEC)

/* NULL: it is not one of ours. */
struct trace_thread *trace_find(struct trace *t, pid_t tid);

/* NULL: the table is full. */
struct trace_thread *trace_adopt(struct trace *t, pid_t tid, enum trace_state state);

/* trace_tracer - who traces thread @tid; 0: nobody; -1: it has ended. */
pid_t trace_tracer(pid_t tid);

/* trace_seize - seize what is listed and not in the table; *@added says how many.  They
 * run on.  0; -ESRCH: the process has gone; -EBUSY: traced by another; -E2BIG: the
 * table is full; other -errno. */
int trace_seize(struct trace *t, unsigned *added);

#endif
