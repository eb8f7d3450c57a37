/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * crew.h - many small pieces of work that do not depend on each other, by two threads.
 */
#ifndef BSC_CREW_H
#define BSC_CREW_H

#include <stdint.h>

/* crew_run - @each of the pieces 0 .. @n - 1, which take some @us microseconds each, by
 * the calling thread with @mine and, where there is enough of them to pay for it, by
 * one more with @others, which has the caller's namespaces and scheduling.  Each takes
 * what is next.
 *
 * 0, or what @each gave that was below 0: then no more are begun. */
int crew_run(int (*each)(void *arg, uint32_t piece), void *mine, void *others,
    uint32_t n, unsigned us);

#endif
