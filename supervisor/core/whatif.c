/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/core/whatif.h"

#include "supervisor/core/elect.h"

#define LONG_US INT64_C(200000000000) /* longer than any delay of the planner */

static struct whatif_move *
add(struct whatif *out, const struct service *s, unsigned to)
{
    static struct whatif_move lost; /* more than anybody reads */
    struct whatif_move *move = out->n < WHATIF_MAX ? &out->moves[out->n++] : &lost;

    *move = (struct whatif_move){ .service = s->index, .from = s->r.active, .to = to };
    return move;
}

/* Who would claim first: each node asks itself how long it would wait. */
static unsigned
winner(const struct service *s, const struct cluster *c, enum peer_mode *mode)
{
    struct cluster as = *c;
    int64_t best_ms = -1;
    unsigned best = 0;

    for (unsigned n = 1; n <= PEER_MAX_NODE; n++) {
        int64_t ms;

        if (!(c->members & node_bit(n)))
            continue;
        as.me = n;
        ms = elect_delay_ms(s, &as);
        if (ms < 0 || (best && ms >= best_ms))
            continue;
        best = n;
        best_ms = ms;
    }
    if (best)
        elect_mode(s, c, best, mode);
    return best;
}

static void
moved(struct service *s, unsigned to, uint64_t members)
{
    s->r.set = (s->r.set | node_bit(s->r.active)) & members & ~node_bit(to);
    s->r.active = to;
    s->r.phase = s->state = SERVICE_ACTIVE;
    s->r.doubt = false;
    s->r.kept = 0;
    s->r.floor = ++s->r.epoch;
}

static void
elect(struct member *m, struct service *s, struct whatif *out)
{
    enum peer_mode mode = MODE_START;
    unsigned to = winner(s, &m->cluster, &mode);

    add(out, s, to)->mode = mode;
    if (to)
        moved(s, to, m->cluster.members);
    else
        s->r.phase = s->state = SERVICE_DOWN;
    place_look(m->services, m->nservices, &m->cluster);
}

static const struct peermsg *
proposal(const struct effects *out)
{
    for (unsigned i = 0; i < out->n; i++)
        if (out->v[i].what == DO_BROADCAST && out->v[i].msg.kind == PEER_ORDER)
            return &out->v[i].msg;
    return NULL;
}

static bool
plan_one(struct member *m, struct mono now, struct whatif *out)
{
    static struct effects effects; /* one at a time; large */
    const struct peermsg *msg;

    effects.n = 0;
    m->plan.asked = false;
    m->cluster.me = plan_planner(m); /* as the planner would see it */
    plan_next(m, now, &effects);
    msg = proposal(&effects);
    for (unsigned i = 0; msg && i < m->nservices; i++) {
        struct service *s = &m->services[i];
        struct whatif_move *move;

        if (s->key != msg->service)
            continue;
        move = add(out, s, msg->node);
        move->planned = true;
        move->why = msg->why;
        plan_heard(m, msg, now);
        moved(s, msg->node, m->cluster.members);
    }
    place_look(m->services, m->nservices, &m->cluster);
    return msg;
}

static void
plan_all(struct member *m, struct mono now, struct whatif *out)
{
    unsigned idle = 0, limit = 4 * m->nservices + 4;

    if (!out->quorate)
        return;
    for (unsigned i = 0; i < limit && idle < 2; i++) {
        now = mono_add_us(now, LONG_US);
        idle = plan_one(m, now, out) ? 0 : idle + 1; /* what is new must ripen */
    }
    out->endless = idle < 2;
}

static void
begin(struct member *m, struct whatif *out)
{
    out->n = 0;
    out->endless = false;
    out->quorate = cluster_quorate(&m->cluster);
    out->by = out->quorate ? WHATIF_MAJORITY : WHATIF_NOBODY;
    place_look(m->services, m->nservices, &m->cluster);
}

/* One of two nodes is no majority: what else lets it decide counts as done, if it can
 * be expected to work. */
static void
decide_alone(struct member *m, unsigned lost, struct whatif *out)
{
    const struct arbiter *a = &m->cluster.arbiter;
    bool device = a->timeout_ms != 0;

    if (out->quorate || nodes_count(m->cluster.all) != 2 ||
        (device ? a->state != ARBITER_TOGETHER
                : !fencing_suffices(&m->fencing, &m->cluster)))
        return;
    m->cluster.fenced |= node_bit(lost);
    out->quorate = cluster_quorate(&m->cluster);
    if (out->quorate)
        out->by = device ? WHATIF_DEVICE : WHATIF_FENCE;
}

const char *
whatif_by_name(enum whatif_by by)
{
    static const char *const names[] = { "none", "majority", "fence", "device" };

    return names[by];
}

void
whatif_fail(struct member *m, unsigned node, struct mono now, struct whatif *out)
{
    struct cluster *c = &m->cluster;
    uint64_t left = ~node_bit(node);

    c->members &= left;
    c->synced &= left;
    c->engines &= left;
    c->process_left &= left;
    begin(m, out);
    decide_alone(m, node, out);
    for (unsigned i = 0; i < m->nservices; i++) {
        struct service *s = &m->services[i];

        if (s->r.active == node && s->r.phase == SERVICE_ACTIVE)
            elect(m, s, out);
        else
            s->r.set &= left;
    }
    plan_all(m, now, out);
}

void
whatif_drain(struct member *m, unsigned node, struct mono now, struct whatif *out)
{
    m->cluster.wish.w.drained |= node_bit(node);
    begin(m, out);
    plan_all(m, now, out);
}

void
whatif_settle(struct member *m, struct mono now, struct whatif *out)
{
    begin(m, out);
    for (unsigned i = 0; i < m->nservices && out->quorate; i++)
        if (m->services[i].state == SERVICE_IDLE)
            elect(m, &m->services[i], out);
    plan_all(m, now, out);
}
