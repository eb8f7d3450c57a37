/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * filters.h - system call filters (seccomp) of a stopped process, to an image.
 *
 * All threads must have the same ones, which threads_leader_hash() sees to.  While a
 * thread makes calls for us its filters are suspended (inject.c): a filter would
 * answer them as its own program's, or kill. */
#ifndef BSC_FILTERS_H
#define BSC_FILTERS_H

#include "sockmig/ckpt/trace.h"
#include "sockmig/core/image.h"
#include "sockmig/refusal.h"

/* filters_suspend - let the stopped thread @tid make calls without them, or not.
 * 0 or -errno. */
int filters_suspend(pid_t tid, long options, bool on);

/* filters_read - those of the leader of @t into @im, oldest first; only what is not
 * there yet, so pass the same @im each time.
 *
 * @status  its /proc/PID/status
 * 0; -EOPNOTSUPP with @why; -errno. */
int filters_read(
    const struct trace *t, const char *status, struct image *im, struct refusals *why);

#endif
