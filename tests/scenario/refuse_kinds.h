/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * refuse_kinds.h - processes with something that can be protected, or that cannot. */
#ifndef BSC_REFUSE_KINDS_H
#define BSC_REFUSE_KINDS_H

#include <stddef.h>

#define SCRATCH_FILE "/tmp/ckpt_refuse.tmp"
#define SCRATCH_KEY 0x7e575e75
#define SCRATCH_FIFO "/tmp/ckpt_refuse.fifo"

struct kind {
    const char *claim; /* the refusal contains it; NULL: nothing is refused */
    void (*make)(void);
};
extern const struct kind kinds[];
extern const size_t nkinds;

extern int outside[2]; /* a pipe whose other end the test keeps */
void make_outside_pipe(void);

/* A queue, and behind it what no checkpoint can be taken of until SIGUSR1. */
void make_given_up(void);

/* A connection that can be protected until SIGUSR1. */
void make_connected(void);

#endif
