/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * orders_private.h - what orders.c (orders taken), orders_set.c (the order `set`),
 * orders_notes.c (results of the threads) and orders_answer.c share. */
#ifndef BSC_ORDERS_PRIVATE_H
#define BSC_ORDERS_PRIVATE_H

#include "sockmig/engine.h"

/* order_answer - the order @id went well; @fields is taken, NULL: none. */
void order_answer(struct engine *e, int64_t id, struct jv *fields);

/* order_answer_no - it did not, and @text says why and what to do; @stale: because a
 * newer epoch was seen (promise P5). */
void order_answer_no(struct engine *e, int64_t id, bool stale, const char *text);

/* order_state - the engine is in @state from now on; logged once, with @why. */
void order_state(struct engine *e, enum role_state state, const char *why);

/* order_done, order_failed - the order under way ended, in @state; answered.  @fields
 * is taken, NULL: none. */
void order_done(struct engine *e, enum role_state state, struct jv *fields);
void order_failed(struct engine *e, enum role_state state, const char *text);

/* order_trace - tell the tracer's thread to do @what. */
void order_trace(struct engine *e, enum trace_note what);

/* order_end_service - remove what runs or is cloned here; MAIN_ENDED tells when it is
 * gone. */
void order_end_service(struct engine *e);

/* order_shut_cold - a handover under policy cold: nothing is handed over. */
void order_shut_cold(struct engine *e);

/* order_set - take the order `set`.  order_set_progress - answer it once every standby
 * of the new set has all that was ever released: until then none that was just added
 * may be elected (promise P3). */
void order_set(struct engine *e, const struct jv *msg);
void order_set_progress(struct engine *e);

#endif
