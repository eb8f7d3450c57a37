/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * netlink_sock.h - a service's netlink socket, to an image and back: routes, kernel
 * events and socket diagnosis, which are the host's and asked for anew.  Source:
 * net/netlink/af_netlink.c. */
#ifndef BSC_NETLINK_SOCK_H
#define BSC_NETLINK_SOCK_H

#include "sockmig/core/image.h"

/* netlink_look - what @sock (a duplicate) is.  NULL, or a static text: what it has that
 * no image can hold.  *waits: it has unread answers, which another kernel would not
 * give again: take the image a little later. */
const char *netlink_look(
    int sock, int protocol, struct image_netlink *out, bool *waits);

/* netlink_restore - in the caller's network namespace.  Its descriptor or -errno. */
int netlink_restore(const struct image_netlink *im, uint32_t type);

#endif
