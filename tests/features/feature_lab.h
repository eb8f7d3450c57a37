/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * feature_lab.h - feature_app between two hosts: started, checkpointed, killed, woken.
 */
#ifndef BSC_FEATURE_LAB_H
#define BSC_FEATURE_LAB_H

#include <stdbool.h>

/* feature_lab_open - false: this user may not, which was said. */
bool feature_lab_open(void);

/* feature_lab_log - an open file for what a group has to say. */
int feature_lab_log(const char *path);

/* feature_lab_kept - features @numbers through @takeovers of one process; 0: all held.
 * feature_lab_refused - feature @number is refused by name, before protection begins
 * and after; the process runs on.  Both end the program where they cannot go on. */
int feature_lab_kept(const unsigned *numbers, unsigned n, unsigned takeovers);
int feature_lab_refused(unsigned number);

#endif
