/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/ckpt/ends.h"

#include <netinet/in.h>
#include <string.h>

static void
address(uint8_t *out, uint16_t family, uint16_t port, const uint8_t *bytes)
{
    struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = port };
    struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = port };

    if (family == AF_INET) {
        memcpy(&four.sin_addr, bytes, sizeof four.sin_addr);
        memcpy(out, &four, sizeof four);
    } else {
        memcpy(&six.sin6_addr, bytes, sizeof six.sin6_addr);
        memcpy(out, &six, sizeof six);
    }
}

uint32_t
ends_addresses(const struct tcp_ends *e, uint8_t *local, uint8_t *remote)
{
    address(local, e->family, e->local_port, e->local);
    address(remote, e->family, e->remote_port, e->remote);
    return e->family == AF_INET ? sizeof(struct sockaddr_in)
                                : sizeof(struct sockaddr_in6);
}
