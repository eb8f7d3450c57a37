/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * realtime.h - the scheduling of an engine's threads.
 *
 * What a client waits for is done in real time.  Seeding a standby is not: it would
 * take the processors from the service for as long as its memory is large.  Nor is a
 * checkpoint that no output waits for. */
#ifndef BSC_REALTIME_H
#define BSC_REALTIME_H

#include <pthread.h>
#include <stdbool.h>

/* realtime_set - of the calling thread; threads and processes that it makes inherit
 * it.  0, or -errno: nothing has changed. */
int realtime_set(bool on);

/* realtime_press - @thread is in real time again: a client waits for what it does. */
void realtime_press(pthread_t thread);

#endif
