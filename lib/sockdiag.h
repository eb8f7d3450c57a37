/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * sockdiag.h - the TCP and UDP sockets of the network namespace that the caller is in,
 * by netlink: one pass, however many there are.
 *
 * Source: sock_diag(7) */
#ifndef BSC_SOCKDIAG_H
#define BSC_SOCKDIAG_H

#include <stdbool.h>
#include <stdint.h>

enum sockdiag_state { /* as in the kernel; those that are named somewhere */
    SOCKDIAG_ESTABLISHED = 1,
    SOCKDIAG_SYN_RECV = 3,
    SOCKDIAG_TIME_WAIT = 6,
    SOCKDIAG_LISTEN = 10
};

struct sockdiag_socket {
    unsigned family, state; /* AF_INET, AF_INET6; enum sockdiag_state */
    uint8_t local[16], remote[16];
    uint16_t local_port, remote_port;
    uint32_t unread, unsent; /* octets; of UDP: memory that they take */
    uint32_t receive_left;   /* of UDP: memory for more that come in */
    /* of sockets that have more than a name, if asked for; else 0 */
    uint64_t received, acked; /* octets */
    uint32_t idle_ms;         /* since data came or left */
    uint32_t rtt_us, retransmits;
};

/* sockdiag_tcp - call @each for every TCP socket over IPv4, then over IPv6.
 *
 * @states   bit mask, 1 << state
 * @details  what only the socket itself knows is asked for too
 * @each     its @socket is borrowed for the call
 *
 * 0 or -errno; @each was then called for some of them. */
int sockdiag_tcp(uint32_t states, bool details,
    void (*each)(const struct sockdiag_socket *socket, void *arg), void *arg);

/* sockdiag_udp - the same for UDP.  -ENOENT: this kernel does not tell. */
int sockdiag_udp(
    void (*each)(const struct sockdiag_socket *socket, void *arg), void *arg);

#endif
