/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/core/switchover.h"

#include "supervisor/core/service.h"

#include <string.h>

/* The standbys to choose from when the operator leaves it to us. */
static uint64_t
able(const struct service *s, const struct cluster *c)
{
    return s->r.set & cluster_answering(c) & c->engines & ~s->p.never &
           ~c->wish.w.maintained & ~node_bit(s->r.active);
}

static enum order_reason
check_target(const struct service *s, const struct cluster *c, unsigned to)
{
    if (to == s->r.active)
        return ORDER_SAME_NODE;
    if (!to)
        return ORDER_NO_STANDBY;
    if (s->p.never & node_bit(to))
        return ORDER_NEVER;
    if (!(s->r.set & node_bit(to)))
        return ORDER_NOT_IN_SET;
    if (!(cluster_answering(c) & c->engines & node_bit(to)))
        return ORDER_TARGET_SILENT;
    if (c->wish.w.maintained & node_bit(to))
        return ORDER_TARGET_MAINTENANCE;
    return ORDER_OK;
}

enum order_reason
switchover_check(
    const struct service *s, const struct cluster *c, enum order_why why, unsigned *to)
{
    if (!cluster_quorate(c))
        return ORDER_NO_QUORUM;
    if (s->order.order)
        return ORDER_RUNNING;
    if (s->r.phase != SERVICE_ACTIVE || service_outvoted(s) ||
        !(c->members & node_bit(s->r.active)))
        return ORDER_NOT_ACTIVE;
    if (c->suspect & node_bit(s->r.active))
        return ORDER_SILENT;
    if (place_unmanaged(s, c))
        return ORDER_MAINTENANCE;
    if (why > WHY_DRAIN && place_frozen(s, c))
        return ORDER_FROZEN;
    if (why == WHY_DRAIN && !(c->wish.w.drained & node_bit(s->r.active)))
        return ORDER_UNDONE; /* it was resumed in the meantime */
    if (!*to)
        *to = place_best(s, c, able(s, c), false);
    return check_target(s, c, *to);
}

enum order_reason
switchover_forecast(const struct service *s, const struct cluster *c, unsigned *to,
    enum place_rule *rule)
{
    enum order_reason reason;

    *to = 0;
    reason = switchover_check(s, c, WHY_OPERATOR, to);
    *rule = reason == ORDER_OK ? place_why(s, c, able(s, c), *to, false) : PLACE_ONLY;
    return reason;
}

static struct effect *
tell(const struct switchover *sw, unsigned service, struct effects *out)
{
    struct effect *e = effects_add(out, DO_ORDER, service);

    e->order = sw->order;
    e->node = sw->to;
    e->step = sw->step;
    e->msg.why = sw->why;
    return e;
}

void
switchover_take(struct service *s, struct cluster *c, const struct peermsg *msg,
    struct effects *out)
{
    unsigned to = msg->node;
    enum order_reason reason = switchover_check(s, c, msg->why, &to);
    uint64_t token = msg->from == c->me ? msg->order : 0;
    struct switchover asked = { ++c->orders, s->r.active, to, STEP_ORDERED, msg->why };
    struct effect *e;

    if (reason == ORDER_OK) {
        s->order = asked;
        e = effects_journal(out, JOURNAL_ORDER, s->index, to);
        e->order = asked.order;
        e->r.epoch = s->r.epoch;
        e->msg = *msg;
        if (msg->why == WHY_HEALTH && msg->value) /* its own health, not the node's */
            place_count_failure(s, msg->from, s->r.active, out);
    } else
        asked.step = STEP_FAILED;
    e = tell(&asked, s->index, out);
    e->reason = reason;
    e->token = token;
    memcpy(e->msg.text, msg->text, PEER_TEXT); /* who, as the client gave it */
}

void
switchover_step(struct switchover *sw, enum switchover_step step, unsigned service,
    struct effects *out)
{
    if (!sw->order)
        return;
    sw->step = step;
    tell(sw, service, out);
}

void
switchover_end(struct switchover *sw, enum order_reason reason, const char *text,
    unsigned service, uint64_t epoch, struct effects *out)
{
    struct effect *e;

    if (!sw->order)
        return;
    sw->step = reason == ORDER_OK ? STEP_DONE : STEP_FAILED;
    e = effects_journal(out,
        reason == ORDER_OK ? JOURNAL_ORDER_DONE : JOURNAL_ORDER_FAILED, service,
        sw->to);
    e->order = sw->order;
    e->reason = reason;
    e->r.epoch = epoch;
    e->msg.why = sw->why;
    if (text)
        memcpy(e->msg.text, text, PEER_TEXT);
    e = tell(sw, service, out);
    e->reason = reason;
    if (text)
        memcpy(e->msg.text, text, PEER_TEXT);
    *sw = (struct switchover){ 0 };
}

const char *
switchover_step_name(enum switchover_step step)
{
    static const char *const names[] = { "none", "ordered", "handover", "takeover",
        "done", "failed" };

    _Static_assert(sizeof names / sizeof names[0] == STEP_N, "a name for each");
    return names[step];
}
