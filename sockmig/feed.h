/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * feed.h - what a replay puts into the cell's TUN device.
 *
 * Datagrams go in as the service has room for them: what comes when the memory of its
 * socket is used up the kernel drops, and a clone would be fed a stream without answers
 * faster than it reads. */
#ifndef BSC_FEED_H
#define BSC_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct feed;

struct feed *feed_new(void); /* NULL: no memory */

/* feed_begin - a new replay: into @tun (borrowed) of network namespace @netns. */
void feed_begin(struct feed *f, int tun, int netns);

/* feed_put - packet @data goes in, or waits; none must wait. */
void feed_put(struct feed *f, const uint8_t *data, size_t size);

/* feed_waits - does one still wait?  It is looked for room at each call.  For 100 ms
 * at most, or not at all where the kernel does not tell. */
bool feed_waits(struct feed *f);

#endif
