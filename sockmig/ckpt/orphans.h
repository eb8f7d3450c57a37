/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * orphans.h - connections that the service has closed, and whose clients still lack
 * data or the end: the kernel's alone, until all of it is acknowledged.
 *
 * In an image they are descriptors in flight that nobody receives: made again, and let
 * go.  Needs what tcp_read.h needs; without it they are lost.  Source:
 * sockmig/bpf/orphans.bpf.c. */
#ifndef BSC_ORPHANS_H
#define BSC_ORPHANS_H

#include "sockmig/core/image.h"
#include "sockmig/pages.h"

#define ORPHANS_BYTES (8u << 20) /* of all that are in an image together */

/* orphans_watch - from now on those of network namespace @netns (a descriptor) are
 * known: before anything in it is closed. */
void orphans_watch(int netns);

/* orphans_read - those of the network namespace with inode number @netns become
 * descriptors of @im from number @fd on, their content parcels: as many as fit.
 * Whoever could close one stands still. */
void orphans_read(uint32_t netns, int fd, struct image *im, struct parcels *parcels);

#endif
