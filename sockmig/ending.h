/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ending.h - how a process ended that is not our child. */
#ifndef BSC_ENDING_H
#define BSC_ENDING_H

#include <sys/types.h>

#define ENDING_TEXT 64

/* ending_text - how @pid, which @pidfd stands for, ended: " with status 1", " by signal
 * 11 (SIGSEGV)"; "" where it is not known any more: it was waited for, and
 * the kernel is older than 6.15. */
void ending_text(pid_t pid, int pidfd, char text[ENDING_TEXT]);

#endif
