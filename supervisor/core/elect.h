/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * elect.h - may a service be claimed, by whom, in which mode, and who goes first.
 *
 * Everything but elect_delay_ms() is a function of what all members agree on, so
 * that a claim is valid on all of them or on none.  Pure. */
#ifndef BSC_ELECT_H
#define BSC_ELECT_H

#include "supervisor/core/service.h"

/* elect_claimable - nobody serves, or who serves is gone or outvoted. */
bool elect_claimable(const struct service *s, const struct cluster *c);

/* elect_mode - how @node would become active.  False: it must not. */
bool elect_mode(const struct service *s, const struct cluster *c, unsigned node,
    enum peer_mode *mode);

/* elect_valid - a CLAIM that was delivered. */
bool elect_valid(
    const struct service *s, const struct cluster *c, const struct peermsg *msg);

/* elect_delay_ms - how long this node waits before it claims; the best candidate
 * does not wait for the others.  -1: it is no candidate. */
int64_t elect_delay_ms(const struct service *s, const struct cluster *c);

#endif
