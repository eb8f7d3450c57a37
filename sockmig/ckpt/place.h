/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * place.h - where a process lives: its namespaces must be those of its
 * cell, since the clone gets those of another one. */
#ifndef BSC_PLACE_H
#define BSC_PLACE_H

#include "sockmig/refusal.h"

#include <stdbool.h>
#include <sys/types.h>

/* place_check - @pid (in the cell: @cell_pid) against its parent @parent; 0: unknown,
 * not compared.  0; -EOPNOTSUPP with @why; -ESRCH. */
int place_check(pid_t pid, int cell_pid, pid_t parent, struct refusals *why);

/* place_same - two tasks are in the same namespaces. */
bool place_same(const char *task, const char *other);

/* place_own_ipc - its System V objects can only be its own: it has an IPC namespace
 * that is not the caller's. */
bool place_own_ipc(pid_t pid);

/* place_path - where the engine finds the file that /proc tells to have @name. */
void place_path(pid_t pid, const char *name, char *path, size_t size);

#endif
