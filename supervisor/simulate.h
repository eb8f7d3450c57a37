/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * simulate.h - answers to "what would happen if", from a copy of the cores. */
#ifndef BSC_SIMULATE_H
#define BSC_SIMULATE_H

#include "lib/jv.h"
#include "supervisor/node.h"

/* simulate - the answer's fields, into @reply; the question is in @msg: "fail" or
 * "drain" with a node's name, or "conf" with the path of a configuration. NULL, or what
 * is wrong with the question; it is valid until the next call. */
const char *simulate(const struct node *node, const struct jv *msg, struct jv *reply);

#endif
