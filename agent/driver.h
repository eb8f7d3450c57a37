/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * driver.h - simple readings of the node itself; one driver_*.c each.
 *
 * A driver writes what it can read and leaves the rest at MIB_NONE.  None waits. */
#ifndef BSC_AGENT_DRIVER_H
#define BSC_AGENT_DRIVER_H

#include "agent/core/snapshot.h"

struct readings {
    int64_t load[3];    /* hundredths: 1, 5, 15 minutes */
    int64_t processors; /* online */
    int64_t memory_total, memory_available, disk_total, disk_free; /* MiB */
    enum liveness corosync;
};

void readings_clear(struct readings *r);

void driver_load(struct readings *r);
void driver_memory(struct readings *r);

/* driver_disk - of the file system that holds @folder, or the nearest folder above it
 * that exists. */
void driver_disk(struct readings *r, const char *folder);

/* driver_corosync - is there a Corosync that takes clients, and does it run? */
void driver_corosync(struct readings *r);

/* driver_interface - LINK_UP, LINK_DOWN or LINK_MISSING; LINK_UNKNOWN if it cannot be
 * asked. */
enum link_state driver_interface(const char *device);

#endif
