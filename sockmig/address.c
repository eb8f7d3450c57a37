/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

/* Two ports a service; @which of them. */
static bool
address_of(const struct conf *conf, const struct conf_service *service, unsigned which,
    const struct conf_node *node, struct sockaddr_storage *out, socklen_t *size)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
    uint16_t port = htons((uint16_t)(conf->port + 2 * service->index + which));

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

bool
address_of_engine(const struct conf *conf, const struct conf_service *service,
    const struct conf_node *node, struct sockaddr_storage *out, socklen_t *size)
{
    return address_of(conf, service, 0, node, out, size);
}

bool
address_of_mcast(const struct conf *conf, const struct conf_service *service,
    const struct conf_node *node, struct sockaddr_storage *out, socklen_t *size)
{
    return address_of(conf, service, 1, node, out, size);
}
