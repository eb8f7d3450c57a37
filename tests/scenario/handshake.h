/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * handshake.h - a client's handshake with the service's address, seen on the wire. */
#ifndef BSC_TEST_HANDSHAKE_H
#define BSC_TEST_HANDSHAKE_H

#include "sockmig/reqsk.h"
#include "tests/scenario/netlab.h"

#include <stddef.h>
#include <sys/socket.h>

#define HANDSHAKE_DATA "hello" /* the client's first bytes */

struct packet_seen { /* an IP packet, its TCP checksum complete */
    uint8_t bytes[256];
    size_t size;
};

struct handshake {
    struct reqsk_key key;
    struct reqsk_attributes attributes;
    struct packet_seen syn, syn_ack, ack, data;
};

/* handshake_make - a client connects and sends HANDSHAKE_DATA.
 *
 * Its socket; or -1: no connection within 3 s, or not all four packets were seen.  The
 * server's data acknowledgement is of no interest: who wants the first data to be
 * retransmitted must unplug the server. */
int handshake_make(
    const struct netlab *lab, int family, uint16_t port, struct handshake *h);

/* handshake_shift - @p with its sequence number @by bytes on.  handshake_flags - with
 * TCP flags @flags, and @by bytes on. */
void handshake_shift(const struct packet_seen *p, uint32_t by, struct packet_seen *out);
void handshake_flags(
    const struct packet_seen *p, uint8_t flags, uint32_t by, struct packet_seen *out);

#endif
