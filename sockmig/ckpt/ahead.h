/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ahead.h - sockets of a clone's connections, made before the takeover.
 *
 * In repair mode nothing gets in or out of them.  Of every connection there is one that
 * is prepared (tcp_prepare()); of those that rest for a while the whole connection, of
 * which only the clock of its timestamps is set at the takeover.  doc/design/sockets.md
 */
#ifndef BSC_AHEAD_H
#define BSC_AHEAD_H

#include "sockmig/core/image.h"

#include <stdbool.h>

struct ahead;
struct clone;

/* ahead_turn - make a few of them for @im, in the clone's network namespace; @whole:
 * whole connections, too, which only one clone may have of a connection.  @tun: as in
 * struct tcp_parts.  To be called until it is false: then all are made, or as many as
 * one round may. */
bool ahead_turn(struct clone *c, const struct image *im, bool whole, int tun);

/* ahead_sweep - close what does not fit @im, or make it fit.  Before the first
 * connection is made: one that has ended may have been where another is now. */
void ahead_sweep(struct clone *c, const struct image *im);

/* ahead_take - a socket for connection @t of descriptor @f, which the caller owns then;
 * -1: none.  *prepared: what it was prepared for; *whole: it is @t but for its age. */
int ahead_take(struct clone *c, const struct image_fd *f, const struct image_tcp *t,
    struct image_tcp *prepared, bool *whole);

void ahead_drop(struct clone *c); /* closes all, silently */

#endif
