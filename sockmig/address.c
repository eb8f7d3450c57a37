/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

bool
address_of_engine(const struct conf *conf, const struct conf_service *service,
    const struct conf_node *node, struct sockaddr_storage *out, socklen_t *size)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
    uint16_t port = htons((uint16_t)(conf->port + service->index));

    *out = (struct sockaddr_storage){ 0 };
    if (inet_pton(AF_INET, node->address, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = port;
        *size = sizeof *v4;
        return true;
    }
    if (inet_pton(AF_INET6, node->address, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = port;
        *size = sizeof *v6;
        return true;
    }
    return false;
}
