/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * device.h - whether Corosync's quorum device votes for this node alone.
 *
 * The only file that knows votequorum and the configuration map is device.c.  A device
 * that is set up otherwise than arbiter.h reckons with is refused: then the answer is
 * no.  Source: votequorum_overview(3), corosync-qdevice(8), cmap_keys(7). */
#ifndef BSC_DEVICE_H
#define BSC_DEVICE_H

#include "lib/loop.h"

struct device;

/* device_new - connects at the next turn of the loop, and again when it is lost.
 * @timeout_ms  Corosync's own (quorum.device.timeout) may not be longer
 * @told        called with every word of Corosync */
struct device *device_new(struct loop *loop, unsigned timeout_ms,
    void (*told)(bool held, void *arg), void *arg);
void device_free(struct device *d); /* NULL is legal */

#endif
