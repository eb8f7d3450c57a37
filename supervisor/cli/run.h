/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * run.h - start a program and wait for it. */
#ifndef BSC_RUN_H
#define BSC_RUN_H

#include <sys/types.h>

/* run_program - argv[0] is searched in the path.
 *
 * @input  its standard input, or NULL for none
 * @netns  descriptor of the network namespace to run in, or -1
 *
 * 0; -ECHILD if it ran and failed (it has said why on standard error); or -errno. */
int run_program(const char *const argv[], const char *input, int netns);

/* in_netns - call @act in the network namespace of process @pid and come back.
 * What it returned, or -errno. */
int in_netns(pid_t pid, int (*act)(void *arg), void *arg);

#endif
