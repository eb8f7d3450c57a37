/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * answers.h - the SYN-ACKs of half-open connections after a takeover, sent again until
 * each client has answered: the kernel of this node knows nothing of them.
 *
 * As the kernel does with its own (net/ipv4/inet_connection_sock.c,
 * reqsk_timer_handler()): after 1 s, and then each time twice as long, five times. */
#ifndef BSC_ANSWERS_H
#define BSC_ANSWERS_H

#include "sockmig/core/packet.h"
#include "sockmig/outgoing.h"
#include "sockmig/reqsk.h"

#include "lib/core/mono.h"

struct answers;

struct answers *answers_new(void); /* for the life of the engine; NULL: no memory */

/* answers_add - @packet (a SYN-ACK, IP header on) is to be sent again while @key waits
 * in the map.  Without memory for it, it is not: the client's patience decides. */
void answers_add(
    struct answers *a, const struct reqsk_key *key, const uint8_t *packet, size_t size);

/* answers_sent - all were sent at @now for the first time. */
void answers_sent(struct answers *a, struct mono now);

/* answers_look - what is due and still waits in @r goes to @out.  True: something did.
 */
bool answers_look(
    struct answers *a, struct mono now, const struct reqsk *r, struct outgoing *out);
void answers_clear(struct answers *a);

#endif
