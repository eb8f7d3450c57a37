/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * trace_child.h - processes that the target forked: the part of trace.h that only
 * trace.c calls. */
#ifndef BSC_TRACE_CHILD_H
#define BSC_TRACE_CHILD_H

#include "sockmig/ckpt/trace.h"

/* trace_child_add - remember child @pid; @attached: by the kernel, at the fork event,
 * and to be detached at its first stop. */
void trace_child_add(struct trace *t, pid_t pid, bool attached);

/* trace_child_find - remember those that exist already. */
void trace_child_find(struct trace *t);

/* trace_child_poll - detach those that have stopped.  True if there was one. */
bool trace_child_poll(struct trace *t);
void trace_child_fini(struct trace *t);

#endif
