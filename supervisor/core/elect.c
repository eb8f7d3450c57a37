/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/core/elect.h"

#include <stddef.h>

#define START_GRACE_MS 2000   /* a node with the context may still be on its way */
#define PROCESS_GRACE_MS 5000 /* a supervisor that ended is started again */
#define TURN_MS 300    /* the next candidate waits this long for the one before */
#define STRIKES_FREE 2 /* failures in a row that cost no waiting */
#define STRIKE_MS 2000
#define STRIKE_MAX_MS 30000

static bool
has(uint64_t nodes, unsigned node)
{
    return node && nodes & node_bit(node);
}

static uint64_t
able(const struct cluster *c)
{
    return cluster_answering(c) & c->engines;
}

/* Hands off: nothing is started or taken over, but what has only been stopped to be
 * moved, or only outvoted, goes on. */
static bool
is_left_alone(const struct service *s, const struct cluster *c, enum peer_mode mode)
{
    return place_unmanaged(s, c) && mode != MODE_RESUME &&
           !(s->r.phase == SERVICE_DOWN && s->r.kept);
}

/* What only the quorum device decided against may still serve.  Its lease has surely
 * run out if it had to ask us for it: as long as its engine requires our clone, and it
 * does if the record has us in the set (doc/design/device.md). */
static bool
is_over(const struct service *s, const struct cluster *c, enum peer_mode mode)
{
    return !has(cluster_given_up(c), s->r.active) || s->r.shut ||
           s->r.phase == SERVICE_IDLE || mode == MODE_TAKEOVER;
}

bool
elect_claimable(const struct service *s, const struct cluster *c)
{
    if (!cluster_quorate(c))
        return false;
    switch (s->state) {
    case SERVICE_IDLE:
    case SERVICE_DOWN:
        return true;
    case SERVICE_CLAIMED:
        return !has(able(c), s->claim.node);
    case SERVICE_TAKING:
        return !has(able(c), s->r.active) || service_outvoted(s);
    case SERVICE_ACTIVE:
        return !has(c->members, s->r.active) || service_outvoted(s);
    default:
        return false;
    }
}

/* It still has the process itself: of a handover, or because only its reign was
 * outvoted while it was away. */
static bool
may_resume(const struct service *s, unsigned node)
{
    if (s->r.doubt)
        return false;
    return node == s->r.kept ||
           (s->r.phase == SERVICE_ACTIVE && node == s->r.active && service_outvoted(s));
}

static bool
may_take_over(const struct service *s, unsigned node)
{
    return !s->r.doubt && has(s->r.set, node);
}

static bool
context_is_near(const struct service *s, const struct cluster *c)
{
    for (unsigned n = 1; n <= PEER_MAX_NODE; n++)
        if (has(able(c), n) && (may_resume(s, n) || (may_take_over(s, n) &&
                                                        !has(c->wish.w.maintained, n))))
            return true;
    return false;
}

bool
elect_mode(const struct service *s, const struct cluster *c, unsigned node,
    enum peer_mode *mode)
{
    if (!has(able(c), node))
        return false;
    if (may_resume(s, node))
        *mode = MODE_RESUME;
    else if (may_take_over(s, node))
        *mode = MODE_TAKEOVER;
    else if (!context_is_near(s, c))
        *mode = MODE_START;
    else
        return false;
    if (*mode != MODE_RESUME && has(c->wish.w.maintained, node))
        return false;
    return is_over(s, c, *mode) && !is_left_alone(s, c, *mode);
}

bool
elect_valid(const struct service *s, const struct cluster *c, const struct peermsg *msg)
{
    enum peer_mode mode;

    return msg->node == msg->from && msg->r.epoch == s->r.floor + 1 &&
           elect_claimable(s, c) && elect_mode(s, c, msg->from, &mode) &&
           mode == msg->r.mode;
}

/* Whether @a goes before @b; both are candidates. */
static bool
before(const struct service *s, const struct cluster *c, unsigned a, unsigned b)
{
    enum peer_mode ma = MODE_START, mb = MODE_START;

    elect_mode(s, c, a, &ma);
    elect_mode(s, c, b, &mb);
    if ((a == s->r.to) != (b == s->r.to) && ma != MODE_START && mb != MODE_START)
        return a == s->r.to;
    if (ma != mb)
        return ma > mb; /* resume, takeover, start */
    return place_better(s, c, a, b, true);
}

static int64_t
larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t
grace_ms(const struct service *s, const struct cluster *c, enum peer_mode mode)
{
    unsigned extra = s->r.strikes > STRIKES_FREE ? s->r.strikes - STRIKES_FREE : 0;
    int64_t ms = 0;

    if (s->state == SERVICE_ACTIVE && has(c->process_left, s->r.active))
        ms = PROCESS_GRACE_MS;
    if (s->state == SERVICE_TAKING && has(c->members | c->process_left, s->r.active))
        ms = PROCESS_GRACE_MS;
    if (mode == MODE_START && able(c) != c->all)
        ms = larger(ms, START_GRACE_MS);
    /* A clone that ends again and again runs out of standbys, and then is started. */
    if (extra && mode == MODE_START)
        ms = larger(
            ms, extra * STRIKE_MS > STRIKE_MAX_MS ? STRIKE_MAX_MS : extra * STRIKE_MS);
    return ms;
}

int64_t
elect_delay_ms(const struct service *s, const struct cluster *c)
{
    enum peer_mode mode, other;
    int64_t turns = 0;

    if (!elect_claimable(s, c) || !elect_mode(s, c, c->me, &mode) ||
        (has(s->p.never, c->me) && mode != MODE_RESUME))
        return -1;
    for (unsigned n = 1; n <= PEER_MAX_NODE; n++)
        if (n != c->me && !has(s->p.never, n) && elect_mode(s, c, n, &other) &&
            before(s, c, n, c->me))
            turns++;
    return grace_ms(s, c, mode) + turns * TURN_MS;
}
