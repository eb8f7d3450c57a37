/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * link.h - client side of a control socket for a loop of its own: one JSON object a
 * line (doc/protocol.md).
 *
 * The agent cannot use lib/ctl.h: the SNMP library opens and closes descriptors behind
 * an event loop's back, so that the agent collects all of them anew for each poll(). */
#ifndef BSC_AGENT_LINK_H
#define BSC_AGENT_LINK_H

#include "lib/jv.h"

struct link;

/* link_new - not connected; @path is copied.  @most: bytes to read in a turn, about; 0:
 * all there are. */
struct link *link_new(const char *path, size_t most);
void link_free(struct link *link); /* NULL is legal */

/* link_open - connect now.  0, or -errno: nobody listens. */
int link_open(struct link *link);
void link_close(struct link *link);

int link_fd(const struct link *link);       /* -1: not connected */
short link_events(const struct link *link); /* for poll() */

/* link_send - @msg is taken.  What the socket does not take is kept; a peer that
 * leaves too much unread is disconnected. */
void link_send(struct link *link, struct jv *taken);

/* link_turn - read and write what can be, without waiting; @message gets each object
 * (borrowed for the call).  Afterwards link_fd() is -1 if the connection ended. */
void link_turn(
    struct link *link, void (*message)(const struct jv *msg, void *arg), void *arg);

#endif
