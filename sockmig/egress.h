/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * egress.h - what a cell puts out, read from a TUN device of the cell, kept here until
 * it may go, and then written into one of the gate.
 *
 * A queue of netfilter holds packets in the kernel; here they are in memory of ours, so
 * that they leave without one (doc/design/gate.md says what that saves).  Fail closed:
 * what is here goes with the process; what finds no room is dropped and counted.
 *
 * The main thread owns it; egress_mark() is any thread's. */
#ifndef BSC_EGRESS_H
#define BSC_EGRESS_H

#include "sockmig/captured.h"

#define EGRESS_PACKETS 65536u /* held at a time */

struct egress;

/* egress_new - of two TUN devices made by egress_tun(), that of the cell and that of
 * the gate: they are the caller's in any case, and stay open as long as it lives. 0 and
 * *out, or -errno. */
int egress_new(int cell, int gate, struct egress **out);
void egress_free(struct egress *e);    /* what is held is dropped; NULL is legal */
int egress_fd(const struct egress *e); /* readable: egress_read() */

/* egress_tun - make the TUN device @name, whose index is OUTLET_INDEX, in the calling
 * thread's namespace.  0 or -errno; *fd is the caller's in any case, -1: none. */
int egress_tun(const char *name, int *fd);

/* egress_read - all that waits; @cb for each packet.  Packets read, or -errno (0:
 * nothing waited).  At most 4096 a call, then the loop gets its turn: egress_fd() stays
 * readable, or egress_unread() true. */
int egress_read(struct egress *e, captured_cb *cb, void *arg);

/* egress_mark - the id of the newest packet that the cell has put out by now. */
uint32_t egress_mark(struct egress *e);

/* egress_unread - egress_mark() has found some that egress_read() has not told yet:
 * their descriptor is not readable any more. */
bool egress_unread(struct egress *e);

/* egress_accept_upto - all that is held with an id up to @id goes, in order.
 * egress_drop - one does not.  egress_drop_upto - nor do these. */
void egress_accept_upto(struct egress *e, uint32_t id);
void egress_drop(struct egress *e, uint32_t id);
void egress_drop_upto(struct egress *e, uint32_t id);

struct egress_stat {
    uint32_t held;
    uint64_t dropped; /* no room here; or the gate refused it */
};
struct egress_stat egress_stat(struct egress *e);

#endif
