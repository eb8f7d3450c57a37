/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ipc.h - System V semaphores and message queues.
 *
 * Those of a service that has an IPC namespace of its own are the service's, whoever of
 * its processes uses them: each image has them all.  Others belong to the host; that a
 * process uses them is seen by who used them last, and refused. */
#ifndef BSC_IPC_H
#define BSC_IPC_H

#include "sockmig/core/image.h"
#include "sockmig/pages.h"
#include "sockmig/refusal.h"

#include <sys/types.h>

struct ipc {
    pid_t pid;
    int cell_pid;
    bool own;    /* namespace */
    int list[2]; /* owned: /proc/sysvipc of it: semaphores, queues; -1 */
    int undo;    /* owned: iterator over its SEM_UNDO values; -1: none yet */
    uint64_t hash[IMAGE_MAX_QUEUES]; /* of what was last sent of a queue; 0: nothing */
    unsigned looks;
};

/* ipc_open - 0 or -errno; without @i->list nothing is ever found. */
int ipc_open(struct ipc *i, pid_t pid, int cell_pid);
void ipc_close(struct ipc *i);
void ipc_forget(struct ipc *i); /* the next ipc_read() sends all messages */

/* ipc_read - into im->sets, semaphores and queues; messages that changed into @parcels.
 * @text: scratch of @size bytes.
 *
 * 0; -EOPNOTSUPP with @why; -ENOSPC: @parcels is full; other -errno. */
int ipc_read(struct ipc *i, struct image *im, struct parcels *parcels, char *text,
    size_t size, struct refusals *why);

/* ipc_enter - into the IPC namespace of @pid; *home: the way back, -1: it is ours.
 * 0 or -errno.  ipc_leave: in any case after 0. */
int ipc_enter(pid_t pid, int *home);
void ipc_leave(int home);

#endif
