/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * catcher.h - what comes in for connections that are nobody's at the moment.
 *
 * The silence drops it, and a peer would wait for its retransmission timer, 200 ms at
 * least; so a copy is taken before, to be given to the sockets where they are made
 * again.  TCP only. */
#ifndef BSC_CATCHER_H
#define BSC_CATCHER_H

#include "sockmig/alone/silence.h"

#include <stddef.h>

struct catcher {
    int fd;          /* owned; -1: none */
    uint8_t *packet; /* owned */
};

/* catcher_open - in the caller's network namespace; it catches from now on.
 * 0 or -errno.  catcher_close: also of one that was not opened, with .fd -1. */
int catcher_open(struct catcher *c);
void catcher_close(struct catcher *c);

/* catcher_next - the next packet for an end in @s, complete, in c->packet.
 * Its size; 0: no more at the moment. */
size_t catcher_next(struct catcher *c, const struct silence *s);

#endif
