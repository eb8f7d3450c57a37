/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * demo_connect.h - a connection of the demo's client.
 *
 * Source: connect(2), getaddrinfo(3). */
#ifndef BSC_DEMO_CONNECT_H
#define BSC_DEMO_CONNECT_H

#include <stdbool.h>
#include <sys/socket.h>

/* demo_address - numeric address @text and @port.  False: one of them is none. */
bool demo_address(
    const char *text, const char *port, struct sockaddr_storage *out, socklen_t *size);

/* demo_connect - to @to within 10 s: a descriptor that does not block, or -errno. */
int demo_connect(const struct sockaddr_storage *to, socklen_t size);

#endif
