/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * outgoing.h - packets of a service that its sockets believe sent, kept until the
 * outside opens and then put on their way past the sockets. */
#ifndef BSC_OUTGOING_H
#define BSC_OUTGOING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct outgoing;

/* outgoing_new - for cell @netns (borrowed for the call); @raw4: a raw IPv4 socket
 * there (IP_HDRINCL), borrowed.  0 and *out, or -errno. */
int outgoing_new(int netns, int raw4, struct outgoing **out);
void outgoing_free(struct outgoing *o); /* NULL is legal */

/* outgoing_add - keep a copy of @packet (IP header on).  What does not fit in 16 MB is
 * left to the sockets' own retransmission. */
void outgoing_add(struct outgoing *o, const uint8_t *packet, size_t size);

/* outgoing_send - send the next, in order, TCP cut to segments that fit the link: a
 * hundred of them, a millisecond's work.  True: there are more, call it again soon. */
bool outgoing_send(struct outgoing *o);
void outgoing_clear(struct outgoing *o);

#endif
