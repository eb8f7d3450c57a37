/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * schedule.h - when and where a thread may run: policy, priorities, processors. */
#ifndef BSC_SCHEDULE_H
#define BSC_SCHEDULE_H

#include "sockmig/core/image.h"

#include <sys/types.h>

/* schedule_read - of thread @tid, as the caller sees it.  A thread that may run on
 * every processor of this host may do so on the next one, too.  0 or -errno. */
int schedule_read(pid_t tid, struct image_schedule *out);

/* schedule_apply - 0, or -errno with *what naming what this host or the caller's
 * privileges do not allow; the rest is applied nevertheless. */
int schedule_apply(pid_t tid, const struct image_schedule *s, const char **what);

/* schedule_like_caller - the caller's policy and priority for thread @tid.  0 or
 * -errno. */
int schedule_like_caller(pid_t tid);

#endif
