/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * tcp_dead.h - a connection that is over, of which its process has not read all: what
 * came before the reset, or the FIN, and the error that says how it ended.
 *
 * Made again it is another one, to ourselves by the loopback, that ended in the same
 * way: no other leaves bytes behind it.  Its own addresses are not kept; getpeername()
 * of a closed one fails, getsockname() gives the loopback's.
 *
 * Source: net/ipv4/tcp_input.c, tcp_reset(); net/ipv4/tcp.c, tcp_recvmsg_locked(). */
#ifndef BSC_TCP_DEAD_H
#define BSC_TCP_DEAD_H

#include <stdint.h>

/* tcp_dead_error - the error that waits in closed socket @sock, and goes on waiting; 0:
 * none.  Where it cannot be read (tcp_read.h), any is ECONNRESET. */
uint32_t tcp_dead_error(int sock);

/* tcp_dead_restore - in the caller's network namespace, whose loopback is up.
 *
 * @family    AF_INET or AF_INET6
 * @nonblock  SOCK_NONBLOCK or 0
 * @bytes     @size of them, unread
 * @error     what waits; one that is not 0 or EPIPE becomes ECONNRESET
 *
 * Its descriptor, or -errno; *step gets the name of the step that failed. */
int tcp_dead_restore(int family, int nonblock, const uint8_t *bytes, uint32_t size,
    uint32_t error, const char **step);

#endif
