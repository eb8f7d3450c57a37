/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * corosync.h - the process group of the supervisors and the quorum, by Corosync.
 *
 * The only file that knows Corosync's libraries is corosync.c.  When Corosync ends or
 * is not there yet it is tried again twice a second; out of the group there is a view
 * 0 without members and no quorum.
 * Source: cpg_overview(3), quorum_overview(3). */
#ifndef BSC_COROSYNC_H
#define BSC_COROSYNC_H

#include "lib/loop.h"

#include <stddef.h>

struct corosync;

struct corosync_handler {
    /* The group changed: masks of node numbers.  @view names the membership, the same
     * for all of its members. */
    void (*view)(uint64_t view, uint64_t members, uint64_t process_left, void *arg);
    void (*message)(unsigned from, const void *data, size_t size, void *arg);
    void (*quorum)(bool quorate, uint64_t nodes, void *arg);
    void *arg;
};

/* corosync_new - connects and joins at the next turn of the loop. */
struct corosync *corosync_new(
    struct loop *loop, const char *group, struct corosync_handler handler);
void corosync_free(struct corosync *c); /* NULL is legal */

/* corosync_broadcast - to all members, this one included, in agreed order.  Kept and
 * sent later when Corosync is busy; dropped when this node is not in the group. */
void corosync_broadcast(struct corosync *c, const void *data, size_t size);

#endif
