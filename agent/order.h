/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * order.h - an order given by SET as a message to basculed (doc/protocol.md 1.2). */
#ifndef BSC_AGENT_ORDER_H
#define BSC_AGENT_ORDER_H

#include "agent/core/desk.h"
#include "lib/jv.h"

/* order_message - new value, without an id. */
struct jv *order_message(const struct desk_given *given);

/* order_refusal - new value, without an id: that a SET is answered with @error because
 * of binding @at, for the journal. */
struct jv *order_refusal(
    const struct desk_request *r, enum set_error error, uint32_t at);

/* order_text - for the log: what, about whom, by whom; static, until the next call. */
const char *order_text(const struct desk_given *given);

#endif
