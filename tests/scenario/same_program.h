/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * same_program.h - a program with hundreds of descriptors that does something with one
 * of them now and then. */
#ifndef BSC_SAME_PROGRAM_H
#define BSC_SAME_PROGRAM_H

#include <stdint.h>
#include <sys/types.h>

/* same_program - in a process of its own, until it is killed.  same_remove_files - what
 * process @pid has left. */
void same_program(uint64_t seed);
void same_remove_files(pid_t pid);

#endif
