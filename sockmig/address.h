/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * address.h - where the engine of a service on a node is found in the cluster network.
 */
#ifndef BSC_ADDRESS_H
#define BSC_ADDRESS_H

#include "lib/conf.h"

#include <sys/socket.h>

/* address_of_engine - address and port (TCP and UDP:
 * port + 2 * index) of @service's engine on @node.
 * False if the node's address is not numeric. */
bool address_of_engine(const struct conf *conf, const struct conf_service *service,
    const struct conf_node *node, struct sockaddr_storage *out, socklen_t *size);

/* address_of_mcast - address and UDP port of its part of the multicast channel: the
 * port after that. */
bool address_of_mcast(const struct conf *conf, const struct conf_service *service,
    const struct conf_node *node, struct sockaddr_storage *out, socklen_t *size);

#endif
