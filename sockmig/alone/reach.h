/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * reach.h - a connection to another host, from an address that stays on this one. */
#ifndef BSC_REACH_H
#define BSC_REACH_H

#include "sockmig/alone/vip.h"

#include <stddef.h>

#define REACH_PORT 4780 /* where none is written */

/* reach_host - to "HOST", "HOST:PORT" or "[HOST]:PORT", not from one of @vips, which
 * are about to leave this host.  A descriptor, or -errno and @error: -EINVAL, what is
 * to be written; -EHOSTUNREACH, there is no such name; -EADDRNOTAVAIL, this host has no
 * other address; -ETIMEDOUT, -ECONNREFUSED and the like, nobody listens there. */
int reach_host(
    const char *host, const struct vip *vips, unsigned nvips, char *error, size_t size);

#endif
