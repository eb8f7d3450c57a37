/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/core/plan.h"

#include "lib/core/fnv.h"
#include "supervisor/core/member.h"

#define PLACEMENT_US 2000000 /* a proposal must hold for so long */
#define BALANCE_US 5000000
#define AGAIN_US 5000000 /* between two tries; doubled up to ... */
#define AGAIN_MAX_US 60000000
#define FORGIVE_AGAIN_US 1000000
#define LOAD_GUESS 100 /* permille, of a service whose load nobody knows */

struct planning { /* one look at all */
    struct member *m;
    struct mono now, wake;
    unsigned mover, moved_to; /* the best move to even out load; .moved_to 0: none */
    struct effects *out;
};

unsigned
plan_planner(const struct member *m)
{
    uint64_t answering = cluster_answering(&m->cluster);

    for (unsigned n = 1; n <= PEER_MAX_NODE && cluster_quorate(&m->cluster); n++)
        if (answering & node_bit(n))
            return n;
    return 0;
}

bool
plan_is_ours(const struct member *m)
{
    return plan_planner(m) == m->cluster.me;
}

static bool
may_move(const struct planning *p, const struct service *s, enum order_why why)
{
    const struct cluster *c = &p->m->cluster;

    return s->state == SERVICE_ACTIVE && !service_outvoted(s) &&
           cluster_answering(c) & node_bit(s->r.active) && !place_unmanaged(s, c) &&
           (why == WHY_DRAIN || !place_frozen(s, c));
}

static uint64_t
targets(const struct planning *p, const struct service *s, enum order_why why)
{
    const struct cluster *c = &p->m->cluster;
    uint64_t nodes = s->r.set & cluster_answering(c) & c->engines & ~s->p.never &
                     ~s->outlook.last & ~node_bit(s->r.active);

    return why == WHY_DRAIN ? nodes : nodes & ~c->wish.w.frozen;
}

static uint64_t
healthy(const struct cluster *c, uint64_t nodes, enum health at_worst)
{
    for (unsigned n = 1; n <= PEER_MAX_NODE; n++)
        if (c->health[n] > at_worst)
            nodes &= ~node_bit(n);
    return nodes;
}

/* no_worse - of @nodes those that are well, or as bad as where @s is now: when all are
 * degraded, the load of the whole cluster for instance, order is kept all the same. */
static uint64_t
no_worse(const struct planning *p, const struct service *s, uint64_t nodes)
{
    enum health here = p->m->cluster.health[s->r.active];

    return healthy(
        &p->m->cluster, nodes, here > HEALTH_UNKNOWN ? here : HEALTH_UNKNOWN);
}

/* @s is to be where it prefers, and would find nothing in the way but services that it
 * is to be apart from. */
static bool
falls_back(const struct planning *p, const struct service *s)
{
    uint64_t nodes = no_worse(p, s, targets(p, s, WHY_FAILBACK));
    uint64_t near = s->outlook.near;

    return s->p.failback && !s->p.balance && nodes & node_bit(s->p.preferred) &&
           (!near || near & node_bit(s->p.preferred));
}

/* Where @s must not be, or not for long: those that it is to be apart from are there,
 * or will fall back to there.  The earlier one in the configuration has the choice. */
static uint64_t
taken(const struct planning *p, const struct service *s)
{
    uint64_t nodes = s->outlook.away;

    for (unsigned i = 0; i < s->index; i++) {
        const struct service *e = &p->m->services[i];

        if (s->p.apart >> i & 1 && may_move(p, e, WHY_FAILBACK) && falls_back(p, e))
            nodes |= node_bit(e->p.preferred);
    }
    return nodes;
}

/* The rules: where this one would send a service, or 0. */

static unsigned
drain(const struct planning *p, struct service *s)
{
    if (!(p->m->cluster.wish.w.drained & node_bit(s->r.active)))
        return 0;
    return place_best(s, &p->m->cluster, targets(p, s, WHY_DRAIN), true);
}

static unsigned
health(const struct planning *p, struct service *s)
{
    const struct cluster *c = &p->m->cluster;
    enum health here = c->health[s->r.active];
    uint64_t nodes = targets(p, s, WHY_HEALTH);
    unsigned to = 0;

    s->prospect.own = false;
    if (here >= HEALTH_DEGRADED)
        to = place_best(s, c,
            healthy(c, nodes, here == HEALTH_FAILED ? HEALTH_DEGRADED : HEALTH_OK),
            true);
    if (to || s->prospect.health < HEALTH_DEGRADED)
        return to;
    /* all nodes may be as bad as this one: the service is ill all the same */
    s->prospect.own = true;
    return place_best(s, c,
        healthy(c, nodes, here > HEALTH_UNKNOWN ? HEALTH_DEGRADED : HEALTH_UNKNOWN),
        true);
}

/* Of two that do not fit the one that comes later in the configuration moves. */
static uint64_t
earlier(const struct planning *p, const struct service *s, uint64_t which)
{
    uint64_t nodes = 0;

    for (unsigned i = 0; i < s->index; i++)
        if (which >> i & 1 && p->m->services[i].state == SERVICE_ACTIVE)
            nodes |= node_bit(p->m->services[i].r.active);
    return nodes;
}

static unsigned
placement(const struct planning *p, struct service *s)
{
    uint64_t nodes = targets(p, s, WHY_PLACEMENT), here = node_bit(s->r.active);
    uint64_t near = earlier(p, s, s->p.together), away = taken(p, s);
    bool leaves = (earlier(p, s, s->p.apart) | (away & ~s->outlook.away)) & here;

    nodes = no_worse(p, s, nodes);
    if (s->p.never & here)
        return place_best(s, &p->m->cluster, nodes, true);
    if (leaves)
        return place_best(s, &p->m->cluster, nodes & ~away, true);
    if (near && !(near & here))
        return place_best(s, &p->m->cluster, nodes & near & ~away, true);
    return 0;
}

static unsigned
failback(const struct planning *p, struct service *s)
{
    if (!falls_back(p, s) || taken(p, s) & node_bit(s->p.preferred))
        return 0;
    return s->p.preferred;
}

static unsigned
balance(const struct planning *p, struct service *s)
{
    return p->moved_to && p->mover == s->index ? p->moved_to : 0;
}

/* clang-format off */
static const struct {
    enum order_why why;
    unsigned (*where)(const struct planning *, struct service *);
} rules[] = { /* the first that wants to move it */
    { WHY_DRAIN,     drain },
    { WHY_HEALTH,    health },
    { WHY_PLACEMENT, placement },
    { WHY_FAILBACK,  failback },
    { WHY_BALANCE,   balance },
};
/* clang-format on */

static int64_t
load_of(const struct service *s)
{
    if (s->p.load)
        return s->p.load;
    return s->prospect.load >= 0 ? s->prospect.load : LOAD_GUESS;
}

static int64_t
size(int64_t v)
{
    return v < 0 ? -v : v;
}

/* What moving @s to @to takes off the difference between the two nodes. */
static int64_t
gain(const int64_t *load, const struct service *s, unsigned to)
{
    int64_t d = load[s->r.active] - load[to];

    return d - size(d - 2 * load_of(s));
}

static void
find_mover(struct planning *p)
{
    struct member *m = p->m;
    int64_t load[PEER_MAX_NODE + 1] = { 0 }, best = m->plan.conf.balance_margin;

    for (unsigned i = 0; i < m->nservices; i++)
        if (m->services[i].state == SERVICE_ACTIVE)
            load[m->services[i].r.active] += load_of(&m->services[i]);
    for (unsigned i = 0; i < m->nservices; i++) {
        const struct service *s = &m->services[i];
        uint64_t nodes = healthy(
                             &m->cluster, targets(p, s, WHY_BALANCE), HEALTH_UNKNOWN) &
                         ~taken(p, s);

        if (!s->p.balance || s->p.together || !may_move(p, s, WHY_BALANCE))
            continue;
        for (unsigned n = 1; n <= PEER_MAX_NODE; n++) {
            if (!(nodes & node_bit(n)) || gain(load, s, n) < best ||
                gain(load, s, n) <= 0)
                continue;
            best = gain(load, s, n) + 1; /* of equal ones the first */
            p->mover = i;
            p->moved_to = n;
        }
    }
}

static bool
due(struct planning *p, struct mono at)
{
    if (!mono_before(p->now, at))
        return true;
    if (mono_before(at, p->wake))
        p->wake = at;
    return false;
}

/* What would be proposed for @s, and since when. */
static void
look(struct planning *p, struct service *s)
{
    struct prospect *pr = &s->prospect;
    enum order_why why = WHY_OPERATOR;
    unsigned to = 0;

    for (size_t i = 0; i < sizeof rules / sizeof rules[0] && !to; i++) {
        why = rules[i].why;
        to = may_move(p, s, why) ? rules[i].where(p, s) : 0;
    }
    if (!to)
        why = WHY_OPERATOR;
    if (why == pr->why && to == pr->to)
        return;
    pr->why = why;
    pr->to = to;
    pr->since = p->now;
    if (!to)
        pr->tries = 0;
}

static bool
is_ripe(struct planning *p, const struct service *s)
{
    const struct prospect *pr = &s->prospect;
    const struct plan *plan = &p->m->plan;
    int64_t wait_us[WHY_N] = { [WHY_PLACEMENT] = PLACEMENT_US,
        [WHY_FAILBACK] = s->p.failback_us,
        [WHY_BALANCE] = BALANCE_US };
    bool ripe = due(p, mono_add_us(pr->since, wait_us[pr->why])) &&
                due(p, pr->not_before);

    if (ripe && pr->why == WHY_BALANCE)
        return due(p, mono_add_us(plan->balanced_at, plan->conf.balance_us));
    return ripe;
}

static void
propose(struct planning *p, struct service *s)
{
    struct prospect *pr = &s->prospect;
    struct peermsg *msg = &effects_add(p->out, DO_BROADCAST, s->index)->msg;
    int64_t again = AGAIN_US << (pr->tries < 4 ? pr->tries : 4);

    msg->kind = PEER_ORDER;
    msg->service = s->key;
    msg->what = WHAT_SWITCHOVER;
    msg->why = pr->why;
    msg->node = pr->to;
    msg->value = pr->why == WHY_HEALTH && pr->own;
    pr->tries++;
    pr->not_before = mono_add_us(p->now, again < AGAIN_MAX_US ? again : AGAIN_MAX_US);
    p->m->plan.asked = true;
}

static bool
is_quiet(const struct member *m)
{
    for (unsigned i = 0; i < m->nservices; i++) {
        const struct service *s = &m->services[i];

        if (s->order.order || s->state == SERVICE_TAKING || s->state == SERVICE_CLAIMED)
            return false;
    }
    return true;
}

static void
forgive(struct planning *p, struct service *s)
{
    struct prospect *pr = &s->prospect;
    uint64_t h = FNV_BASIS;
    unsigned any = 0;

    for (unsigned n = 1; n <= PEER_MAX_NODE; n++) {
        h = fnv_mix(h, s->wish.w.fails[n]);
        any |= s->wish.w.fails[n];
    }
    if (h != pr->fails_hash)
        pr->fails_since = p->now;
    pr->fails_hash = h;
    if (!any || !due(p, mono_add_us(pr->fails_since, s->p.hold_off_us)) ||
        !plan_is_ours(p->m))
        return;
    for (unsigned n = 1; n <= PEER_MAX_NODE; n++)
        if (s->wish.w.fails[n]) {
            struct peermsg *msg = &effects_add(p->out, DO_BROADCAST, s->index)->msg;

            msg->kind = PEER_FORGIVE;
            msg->service = s->key;
            msg->node = n;
            msg->value = s->wish.w.fails[n];
        }
    pr->fails_since = mono_add_us(p->now, FORGIVE_AGAIN_US - s->p.hold_off_us);
}

struct mono
plan_next(struct member *m, struct mono now, struct effects *out)
{
    struct planning p = { m, now, { INT64_MAX }, 0, 0, out };

    if (!cluster_quorate(&m->cluster))
        return p.wake;
    if (!m->plan.balanced) { /* by those before us, perhaps just now */
        m->plan.balanced = true;
        m->plan.balanced_at = now;
    }
    find_mover(&p);
    for (unsigned i = 0; i < m->nservices; i++) {
        look(&p, &m->services[i]);
        forgive(&p, &m->services[i]);
    }
    if (m->plan.asked || !plan_is_ours(m) || !is_quiet(m))
        return p.wake;
    for (int why = WHY_DRAIN; why < WHY_N; why++)
        for (unsigned i = 0; i < m->nservices; i++) {
            struct service *s = &m->services[i];

            if ((int)s->prospect.why != why || !is_ripe(&p, s))
                continue;
            propose(&p, s);
            return p.wake;
        }
    return p.wake;
}

void
plan_heard(struct member *m, const struct peermsg *msg, struct mono now)
{
    if (msg->why == WHY_OPERATOR)
        return;
    if (msg->from == m->cluster.me)
        m->plan.asked = false;
    if (msg->why == WHY_BALANCE) {
        m->plan.balanced = true;
        m->plan.balanced_at = now;
    }
}
