/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * hostroute.h - a route to one address of this host, for BIRD, FRR or the like to find
 * and to announce, so that it is reached in a segment that is not its own.
 *
 * It says ADDRESS/32 (/128) dev lo proto 78.  The kernel itself does not use it: that
 * the address is here is in the table of local addresses, which is asked first. */
#ifndef BSC_HOSTROUTE_H
#define BSC_HOSTROUTE_H

#include "sockmig/alone/rtnl.h"
#include "sockmig/alone/vip.h"

#define HOSTROUTE_PROTOCOL 78u /* of all routes and rules that are sockmig's */
#define HOSTROUTE_DEVICE "lo"

/* hostroute_table_of - a number of a routing table, as the user wrote it.  False: it
 * has been said what is allowed. */
bool hostroute_table_of(const char *text, unsigned *table);

/* hostroute_message - to add it (RTM_NEWROUTE) or delete it (RTM_DELROUTE).
 * @table  0: main */
void hostroute_message(
    struct rtnl_message *m, uint16_t type, const struct vip *v, unsigned table);

/* hostroute_is - is @h a host route of @v? */
bool hostroute_is(const struct nlmsghdr *h, const struct vip *v);
uint32_t hostroute_in(const struct nlmsghdr *h);

/* hostroute_find - has @v one?  1, with its @table; 0; -errno. */
int hostroute_find(const struct vip *v, unsigned *table);

/* hostroute_set - add or delete it; that it is so already is no error. 0 or -errno. */
int hostroute_set(const struct vip *v, unsigned table, bool there);

#endif
