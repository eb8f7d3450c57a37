/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * runner.h - runs a program for a while, in a process group of its own, and collects
 * what it prints; nobody waits. */
#ifndef BSC_AGENT_RUNNER_H
#define BSC_AGENT_RUNNER_H

#include "lib/core/mono.h"

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define RUNNER_OUTPUT 8192 /* what is printed beyond is read and dropped */

struct runner {
    pid_t pid; /* 0: nothing runs */
    int out, pidfd;
    struct mono until;
    char text[RUNNER_OUTPUT];
    size_t n;
};

/* runner_start - @command: absolute path and arguments, NULL-terminated.  0 or -errno.
 */
int runner_start(struct runner *r, char *const *command, struct mono until);

/* runner_poll - two descriptors for poll(). */
void runner_poll(const struct runner *r, struct pollfd fds[2]);

/* runner_turn - true: it ended; *status is its exit status, or -1: it was killed,
 * because it took longer than until @until or by a signal.  What it printed is in
 * .text. */
bool runner_turn(struct runner *r, struct mono now, int *status);

void runner_kill(struct runner *r); /* and forget it; nothing if none runs */

#endif
