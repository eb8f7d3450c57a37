/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * bound.h - sockets that hear one device only. */
#ifndef BSC_BOUND_H
#define BSC_BOUND_H

#include "sockmig/alone/vip.h"

struct bound {
    uint8_t protocol; /* IPPROTO_TCP, IPPROTO_UDP */
    uint16_t port;    /* local */
    unsigned device;
};

/* bound_find - a socket at @v that is bound to another device than @but (an index).
 * 1: there is one; 0: none; -errno. */
int bound_find(const struct vip *v, unsigned but, struct bound *out);

#endif
