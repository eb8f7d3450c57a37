/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * status.h - what `bascule status` shows, as JSON.
 * Source: doc/protocol.md 1.2. */
#ifndef BSC_STATUS_H
#define BSC_STATUS_H

#include "supervisor/node.h"

struct jv *status_object(struct node *node); /* new */

/* status_orders - the remembered orders, newest first; only @order if it is not 0. */
struct jv *status_orders(const struct node *node, int64_t order);

#endif
