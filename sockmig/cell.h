/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * cell.h - the processes of a service: their namespaces (pid, mount, ipc, uts, time)
 * with a reaper as pid 1, around a network namespace that the gate made.
 *
 * The reaper is never checkpointed and exists on every node; when it is killed, the
 * kernel kills everything in the cell.  It also dies with the engine thread that
 * started it (PR_SET_PDEATHSIG), unless it is told to stay: a service never runs
 * without its engine. */
#ifndef BSC_CELL_H
#define BSC_CELL_H

#include "lib/core/mono.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct cell_conf {        /* borrowed for the calls */
    const char *name;     /* of the service: the cell's host name */
    int netns;            /* descriptor of its network namespace */
    char *const *command; /* NULL-terminated */
    uid_t uid;
    gid_t gid;
    const gid_t *groups;
    unsigned ngroups;
    bool stays; /* its processes live on without the thread that started them */
    const char *directory, *log; /* log: stdout and stderr are appended there */
    const char *const *state;    /* folders whose files come with the image */
    unsigned nstate;

    /* Of a clone only: its monotonic and boot time clocks run ahead of the image's by
     * this, so that they never step back for the service: the age that the image has
     * at .image_at, and a margin.  0: one second. */
    uint32_t clock_margin_ms;
    struct mono image_at; /* the image's age is counted from here on; 0: no matter */
};

/* cell_start - start the command from scratch in a new cell.
 *
 * @init, @pid  out: reaper and command, as the caller sees them
 * @error       out: CELL_ERROR_LEN bytes, why it failed and what to do
 *
 * 0 once the command's exec succeeded; -errno otherwise (-ENOENT: no such command),
 * and nothing is left behind. */
#define CELL_ERROR_LEN 256
int cell_start(const struct cell_conf *conf, pid_t *init, pid_t *pid, char *error);

/* cell_kill - kill the reaper and so everything in its cell, and wait until it is
 * gone.  Does nothing for 0.
 *
 * The cell is gone when all its processes are reaped, and a traced one is reaped by its
 * tracer first: call this from the thread that traces them. */
void cell_kill(pid_t init);

#endif
