/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * control.h - basculed.sock: status, journal, orders, events.
 * Source: doc/protocol.md 1.2. */
#ifndef BSC_CONTROL_H
#define BSC_CONTROL_H

#include "supervisor/node.h"

struct control;

/* control_new - serve @run_dir/basculed.sock.  0 and *out, or -errno. */
int control_new(struct loop *loop, const char *run_dir, struct node *node,
    struct control **out);
void control_free(struct control *c); /* NULL is legal */

/* control_answer - the order asked for with @token was accepted as @order, or not
 * (0): @text says why. */
void control_answer(struct control *c, uint64_t token, uint64_t order, const char *text);

void control_row(struct control *c, const struct jv *row); /* to who listens */
void control_changed(struct control *c); /* status has news: says so, not too often */

#endif
