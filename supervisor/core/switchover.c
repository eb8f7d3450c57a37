/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/core/switchover.h"

#include <string.h>

/* The standby to choose when the operator leaves it to us, or 0. */
static unsigned
best_standby(const struct cluster *c, const struct reign *r, unsigned preferred)
{
    uint64_t able = r->set & cluster_answering(c) & c->engines & ~node_bit(r->active);
    unsigned best = 0;

    for (unsigned n = 1; n <= PEER_MAX_NODE; n++) {
        if (!(able & node_bit(n)))
            continue;
        if (!best || c->health[n] < c->health[best] ||
            (c->health[n] == c->health[best] && n == preferred))
            best = n;
    }
    return best;
}

enum order_reason
switchover_check(const struct switchover *sw, const struct cluster *c,
    const struct reign *r, bool outvoted, unsigned preferred, unsigned *to)
{
    if (!cluster_quorate(c))
        return ORDER_NO_QUORUM;
    if (sw->order)
        return ORDER_RUNNING;
    if (r->phase != SERVICE_ACTIVE || outvoted || !(c->members & node_bit(r->active)))
        return ORDER_NOT_ACTIVE;
    if (c->suspect & node_bit(r->active))
        return ORDER_SILENT;
    if (*to == r->active)
        return ORDER_SAME_NODE;
    if (!*to)
        *to = best_standby(c, r, preferred);
    if (!*to)
        return ORDER_NO_STANDBY;
    if (!(r->set & node_bit(*to)))
        return ORDER_NOT_IN_SET;
    if (!(cluster_answering(c) & c->engines & node_bit(*to)))
        return ORDER_TARGET_SILENT;
    return ORDER_OK;
}

static struct effect *
tell(const struct switchover *sw, unsigned service, struct effects *out)
{
    struct effect *e = effects_add(out, DO_ORDER, service);

    e->order = sw->order;
    e->node = sw->to;
    e->step = sw->step;
    return e;
}

void
switchover_take(struct switchover *sw, struct cluster *c, const struct peermsg *msg,
    const struct reign *r, bool outvoted, unsigned preferred, unsigned service,
    struct effects *out)
{
    unsigned to = msg->node;
    enum order_reason reason = switchover_check(sw, c, r, outvoted, preferred, &to);
    uint64_t token = msg->from == c->me ? msg->order : 0;
    struct switchover asked = { ++c->orders, r->active, to, STEP_ORDERED };
    struct effect *e;

    if (reason == ORDER_OK) {
        *sw = asked;
        e = effects_journal(out, JOURNAL_ORDER, service, to);
        e->order = asked.order;
        e->r.epoch = r->epoch;
    } else
        asked.step = STEP_FAILED;
    e = tell(&asked, service, out);
    e->reason = reason;
    e->token = token;
    memcpy(e->msg.text, msg->text, PEER_TEXT); /* the owner, as the client gave it */
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
        reason == ORDER_OK ? JOURNAL_ORDER_DONE : JOURNAL_ORDER_FAILED, service, sw->to);
    e->order = sw->order;
    e->reason = reason;
    e->r.epoch = epoch;
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
