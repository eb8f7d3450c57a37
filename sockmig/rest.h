/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * rest.h - a rest of microseconds, which the loop's timers (milliseconds) cannot have:
 * with the loop (timerfd behind it), or without. */
#ifndef BSC_REST_H
#define BSC_REST_H

#include "lib/loop.h"

struct rest;

/* rest_new - @done is called in the loop when a rest is over.  Without descriptors the
 * program ends.
 * rest_begin - a rest of @us, below a second, instead of one that is under way.
 * rest_end - none is. */
struct rest *rest_new(struct loop *loop, void (*done)(void *arg), void *arg);
void rest_begin(struct rest *r, unsigned us);
void rest_end(struct rest *r);

/* rest_here - rest in place, until @us (below a second) are over or one of @n (up to
 * REST_FDS) descriptors is readable.  Bit i: fds[i] is; 0: none is. */
#define REST_FDS 2
unsigned rest_here(const int *fds, unsigned n, int64_t us);

#endif
