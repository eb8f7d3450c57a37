/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * unaccepted.h - connections that were reset while they waited to be accepted: Linux
 * has them accepted all the same, and read as far as they came.
 *
 * Needs what a survey needs (survey.h); without it they are forgotten.  Source:
 * sockmig/bpf/unaccepted.bpf.c. */
#ifndef BSC_UNACCEPTED_H
#define BSC_UNACCEPTED_H

#include "sockmig/core/image.h"

/* unaccepted_load - what unaccepted_read() would do once, the first time: some
 * milliseconds. */
void unaccepted_load(void);

/* unaccepted_read - those of listener @fd, which the kernel has at @sock
 * (struct survey_row), are added to @im->unaccepted, as far as there is room.  Whoever
 * could accept them stands still. */
void unaccepted_read(uint64_t sock, int fd, struct image *im);

#endif
