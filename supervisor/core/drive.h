/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * drive.h - what this node does next for a service: its word to the others, its order
 * to its engine.
 *
 * At most one own message and one order to the engine are under way; each rule looks
 * at what is, not at how it came about, so a restart or a lost connection needs no
 * rules of its own (promise P6).  Pure.  Design: doc/design/election.md. */
#ifndef BSC_DRIVE_H
#define BSC_DRIVE_H

#include "supervisor/core/service.h"

/* drive_next - say and order what the state calls for.  When to call again at the
 * latest. */
struct mono drive_next(
    struct service *s, const struct cluster *c, struct mono now, struct effects *out);

#endif
