/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * restarts.h - threads caught between an interruption and what they go on with. */
#ifndef BSC_FEATURES_RESTARTS_H
#define BSC_FEATURES_RESTARTS_H

#include <sys/types.h>

/* step_back - each thread of @pid, all stopped by the caller, that is to go on with an
 * interrupted call of a limited time now stands before restart_syscall(), and every
 * second of those in connect() before that, as the kernel has it for an instant after
 * every stop.  How many. */
unsigned step_back(pid_t pid);

#endif
