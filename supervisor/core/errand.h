/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * errand.h - orders that are done when the engine of the active node says so: policy,
 * interval, checkpoint.
 *
 * Policy and interval are wishes of the service: every node tells its own engine
 * (drive.c), now and after each connect, so that they outlive the reign.  Pure. */
#ifndef BSC_ERRAND_H
#define BSC_ERRAND_H

#include "supervisor/core/switchover.h"

struct errand { /* the running one of a service; .order 0: none */
    uint64_t order;
    enum order_what what;
    uint32_t value;
    unsigned old; /* wish to go back to if the engine refuses */
};

/* errand_check - may this order begin? */
enum order_reason errand_check(
    const struct service *s, const struct cluster *c, const struct peermsg *msg);

/* errand_take - it was delivered, numbered and may begin.  True: it is done already,
 * because nobody is active; the wish is kept for who will be. */
bool errand_take(
    struct service *s, const struct peermsg *msg, uint64_t order, struct effects *out);

/* errand_end - ORDER_OK: done; ORDER_REFUSED: the wish goes back, by a message of
 * @author; else it came to nothing, the wish holds.  Nothing if none runs. */
void errand_end(struct service *s, enum order_reason reason, const char *text,
    unsigned author, struct effects *out);

/* errand_say - if the running one is over on this node's engine: tell the others. */
void errand_say(struct service *s, const struct cluster *c, struct effects *out);

/* errand_order - tell this node's engine what is wished and it has not been told. */
void errand_order(struct service *s, const struct cluster *c, struct effects *out);

/* errand_answer - the engine has answered @op, one of these three. */
void errand_answer(struct service *s, enum engine_op op, bool ok, const char *text);

#endif
