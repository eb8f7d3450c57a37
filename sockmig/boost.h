/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * boost.h - a service gets the processor first while it is fed the log.
 *
 * Each answer is waited for before the next input is fed: whoever else is busy on the
 * host would otherwise come between any two of them, thousands of times. */
#ifndef BSC_BOOST_H
#define BSC_BOOST_H

#include <stdbool.h>
#include <sys/types.h>

#define BOOST_THREADS 256

struct boost {
    pid_t threads[BOOST_THREADS];
    unsigned n;
};

/* boost_begin - threads of process @pid and its descendants run in real time, below
 * all of the engine's; those only that have the scheduling they were born with, so that
 * what they make meanwhile has the right one.  What cannot be raised stays as it is.
 * boost_end - they have their own scheduling again. */
void boost_begin(struct boost *b, pid_t pid);
void boost_end(struct boost *b);

#endif
