/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/core/errand.h"

#include "supervisor/core/service.h"

#include <string.h>

static bool
is_served(const struct service *s)
{
    return s->r.phase == SERVICE_ACTIVE && !service_outvoted(s);
}

enum order_reason
errand_check(
    const struct service *s, const struct cluster *c, const struct peermsg *msg)
{
    if (s->errand.order)
        return ORDER_RUNNING;
    if (is_served(s) && c->suspect & node_bit(s->r.active))
        return ORDER_SILENT;
    if (msg->what == WHAT_CHECKPOINT && !is_served(s))
        return ORDER_NOT_ACTIVE;
    if (msg->what == WHAT_POLICY && s->wish.w.policy == msg->value + 1)
        return ORDER_ALREADY;
    if (msg->what == WHAT_INTERVAL && s->wish.w.interval_ms == msg->value)
        return ORDER_ALREADY;
    return ORDER_OK;
}

bool
errand_take(
    struct service *s, const struct peermsg *msg, uint64_t order, struct effects *out)
{
    struct wish *w = &s->wish.w;
    unsigned old = msg->what == WHAT_POLICY ? w->policy : w->interval_ms;

    if (msg->what == WHAT_POLICY)
        w->policy = msg->value + 1;
    else if (msg->what == WHAT_INTERVAL)
        w->interval_ms = msg->value;
    if (msg->what != WHAT_CHECKPOINT)
        wish_changed(&s->wish, msg->from, s->index, out);
    if (!is_served(s))
        return true;
    s->errand = (struct errand){ order, msg->what, msg->value, old };
    return false;
}

static void
go_back(struct service *s, unsigned author, struct effects *out)
{
    if (s->errand.what == WHAT_POLICY)
        s->wish.w.policy = s->errand.old;
    else if (s->errand.what == WHAT_INTERVAL)
        s->wish.w.interval_ms = s->errand.old;
    else
        return;
    wish_changed(&s->wish, author, s->index, out);
}

void
errand_end(struct service *s, enum order_reason reason, const char *text,
    unsigned author, struct effects *out)
{
    struct errand was = s->errand;
    bool ok = reason == ORDER_OK;
    struct effect *e[2];

    if (!was.order)
        return;
    for (int i = 0; i < 2; i++) {
        e[i] = i ? effects_add(out, DO_ORDER, s->index)
                 : effects_journal(out, ok ? JOURNAL_ORDER_DONE : JOURNAL_ORDER_FAILED,
                       s->index, s->r.active);
        e[i]->order = was.order;
        e[i]->r.epoch = s->r.epoch;
        e[i]->step = ok ? STEP_DONE : STEP_FAILED;
        e[i]->reason = reason;
        e[i]->msg.what = was.what;
        e[i]->msg.value = was.value;
        if (text)
            memcpy(e[i]->msg.text, text, PEER_TEXT);
    }
    if (reason == ORDER_REFUSED)
        go_back(s, author, out);
    s->errand = (struct errand){ 0 };
}

static bool
is_ours(const struct service *s, const struct cluster *c)
{
    return s->errand.order && s->r.active == c->me &&
           s->own.errand_asked == s->errand.order;
}

void
errand_say(struct service *s, const struct cluster *c, struct effects *out)
{
    struct conduct *own = &s->own;
    struct peermsg *msg;

    if (!is_ours(s, c) || !own->errand_over)
        return;
    msg = service_say(s, PEER_ORDER_DONE, out);
    msg->order = s->errand.order;
    msg->reason = own->errand_ok ? ORDER_OK : ORDER_REFUSED;
    memcpy(msg->text, own->errand_text, PEER_TEXT);
    own->errand_over = false;
}

static void
ask_engine(struct service *s, const struct cluster *c, enum engine_op op,
    unsigned value, struct effects *out)
{
    struct effect *e[2] = { effects_journal(out, JOURNAL_STEP, s->index, c->me),
        effects_add(out, DO_ENGINE, s->index) };

    for (int i = 0; i < 2; i++) {
        e[i]->op = op;
        e[i]->r.epoch = s->r.epoch;
        e[i]->order = s->errand.order;
        e[i]->msg.value = value;
    }
    s->own.busy = true;
    s->own.op = op;
    s->own.op_epoch = s->r.epoch;
    s->own.op_value = value;
}

/* Its engine has a part in the reign that the record speaks of. */
static bool
takes_part(const struct service *s, const struct cluster *c)
{
    const struct conduct *own = &s->own;

    if (s->state != SERVICE_ACTIVE || own->fenced > s->r.epoch)
        return false;
    return s->r.active == c->me ? own->ordered == s->r.epoch && own->holds
                                : own->followed == s->r.epoch;
}

static void
begin(struct service *s, const struct cluster *c)
{
    struct conduct *own = &s->own;

    if (!s->errand.order || s->r.active != c->me ||
        own->errand_asked == s->errand.order)
        return;
    own->errand_asked = s->errand.order;
    own->errand_over = own->errand_ok = false;
    memset(own->errand_text, 0, PEER_TEXT);
}

void
errand_order(struct service *s, const struct cluster *c, struct effects *out)
{
    struct conduct *own = &s->own;
    const struct wish *w = &s->wish.w;
    bool fresh = s->errand.order && own->errand_asked != s->errand.order;

    if (!takes_part(s, c))
        return;
    begin(s, c);
    if (own->told_policy != w->policy)
        ask_engine(s, c, ENGINE_POLICY, w->policy, out);
    else if (own->told_ms != w->interval_ms)
        ask_engine(s, c, ENGINE_INTERVAL, w->interval_ms, out);
    else if (is_ours(s, c) && s->errand.what == WHAT_CHECKPOINT && fresh)
        ask_engine(s, c, ENGINE_CHECKPOINT, 0, out);
    else if (is_ours(s, c) && s->errand.what != WHAT_CHECKPOINT && fresh)
        own->errand_over = own->errand_ok = true; /* it was told already */
}

static bool
is_about(const struct errand *errand, enum engine_op op)
{
    static const enum engine_op ops[WHAT_N] = { [WHAT_POLICY] = ENGINE_POLICY,
        [WHAT_INTERVAL] = ENGINE_INTERVAL,
        [WHAT_CHECKPOINT] = ENGINE_CHECKPOINT };

    return errand->order && ops[errand->what] == op;
}

void
errand_answer(struct service *s, enum engine_op op, bool ok, const char *text)
{
    struct conduct *own = &s->own;

    if (op == ENGINE_POLICY) /* a refused one is not asked for again and again */
        own->told_policy = own->op_value;
    else if (op == ENGINE_INTERVAL)
        own->told_ms = own->op_value;
    if (!is_about(&s->errand, op) || own->errand_asked != s->errand.order)
        return;
    own->errand_over = true;
    own->errand_ok = ok;
    if (!ok && text)
        memcpy(own->errand_text, text, strnlen(text, PEER_TEXT - 1));
}
