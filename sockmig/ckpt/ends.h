/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ends.h - the ends of a connection, from what BPF reads to what an image has. */
#ifndef BSC_ENDS_H
#define BSC_ENDS_H

#include "sockmig/bpf/tcp_ends.h"

#include <stdint.h>

/* ends_addresses - into @local and @remote, 28 bytes each, zeroed: struct sockaddr_in
 * or _in6.  Their length. */
uint32_t ends_addresses(const struct tcp_ends *e, uint8_t *local, uint8_t *remote);

#endif
