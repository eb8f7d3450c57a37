/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * orders_answer.c - answers to orders, and the change of state that an order ends with.
 */
#include "sockmig/orders_private.h"

#include "lib/log.h"

void
order_answer(struct engine *e, int64_t id, struct jv *fields)
{
    struct jv *a = fields ? fields : jv_object();

    jv_set_int(a, "id", id);
    jv_set_bool(a, "ok", true);
    engine_changed(e);
    engine_say(e, a);
}

void
order_answer_no(struct engine *e, int64_t id, bool stale, const char *text)
{
    struct jv *a = jv_object();

    jv_set_int(a, "id", id);
    jv_set_bool(a, "ok", false);
    if (stale)
        jv_set_bool(a, "stale", true);
    jv_set_str(a, "error", text);
    engine_changed(e);
    engine_say(e, a);
}

void
order_state(struct engine *e, enum role_state state, const char *why)
{
    if (e->role.state == state)
        return;
    log_info("service %s: %s -> %s: %s, epoch %llu", e->service->name,
        role_state_name(e->role.state), role_state_name(state), why,
        (unsigned long long)e->role.own);
    e->role.state = state;
    engine_changed(e);
}

void
order_done(struct engine *e, enum role_state state, struct jv *fields)
{
    order_state(e, state, role_order_name(e->order.order));
    e->order.running = false;
    engine_release(e); /* what waited for it to run */
    order_answer(e, e->order.id, fields);
}

void
order_failed(struct engine *e, enum role_state state, const char *text)
{
    engine_error(e, "%s: %s", role_order_name(e->order.order), text);
    order_state(e, state, "order failed");
    e->order.running = false;
    order_answer_no(e, e->order.id, false, text);
}
