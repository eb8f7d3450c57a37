/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * undo_row.h - what the kernel's side writes of a process's SEM_UNDO values. */
#ifndef BSC_UNDO_ROW_H
#define BSC_UNDO_ROW_H

#define UNDO_AT_ONCE 32
#define UNDO_MOST 256 /* semaphores of a set */

struct undo_row {
    int set;   /* its id; -1: this was all */
    int first; /* semaphore */
    short adjust[UNDO_AT_ONCE];
};

#endif
