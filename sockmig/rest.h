/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * rest.h - a rest of microseconds, which the loop's timers (milliseconds) cannot have
 * (timerfd behind it). */
#ifndef BSC_REST_H
#define BSC_REST_H

#include "lib/loop.h"

struct rest;

/* rest_new - @done is called in the loop when a rest is over.  Without descriptors the
 * program ends. */
struct rest *rest_new(struct loop *loop, void (*done)(void *arg), void *arg);
void rest_begin(struct rest *r, unsigned us);

#endif
