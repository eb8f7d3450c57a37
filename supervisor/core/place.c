/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/core/place.h"

#include "supervisor/core/service.h"

#define WHOLE 1u      /* bit 0 of a mask of wishes: the cluster, or the service */
#define LOAD_STEP 250 /* permille: smaller differences of load do not count */

static uint64_t
where_they_are(const struct service *services, unsigned n, uint64_t which)
{
    uint64_t nodes = 0;

    for (unsigned i = 0; i < n; i++)
        if (which >> i & 1 && (services[i].r.phase == SERVICE_ACTIVE ||
                                  services[i].r.phase == SERVICE_TAKING))
            nodes |= node_bit(services[i].r.active);
    return nodes;
}

void
place_look(struct service *services, unsigned n, const struct cluster *c)
{
    const struct wish *all = &c->wish.w;

    for (unsigned i = 0; i < n; i++) {
        struct service *s = &services[i];

        s->outlook.last = all->drained | (all->maintained & ~(uint64_t)WHOLE) |
                          s->wish.w.held;
        s->outlook.near = where_they_are(services, n, s->p.together);
        s->outlook.away = where_they_are(services, n, s->p.apart);
    }
}

static bool
in(uint64_t nodes, unsigned node)
{
    return nodes & node_bit(node);
}

/* The rule that decides; *@first: for @a. */
static enum place_rule
compare(const struct service *s, const struct cluster *c, unsigned a, unsigned b,
    bool loads, bool *first)
{
    const struct outlook *o = &s->outlook;

    *first = in(o->last, b);
    if (in(o->last, a) != in(o->last, b))
        return PLACE_RESORT;
    *first = c->health[a] < c->health[b];
    if (c->health[a] != c->health[b])
        return PLACE_HEALTH;
    *first = in(o->away, b);
    if (in(o->away, a) != in(o->away, b))
        return PLACE_APART;
    *first = in(o->near, a);
    if (in(o->near, a) != in(o->near, b))
        return PLACE_TOGETHER;
    *first = a == s->p.preferred;
    if ((a == s->p.preferred) != (b == s->p.preferred))
        return PLACE_PREFERRED;
    *first = c->load[a] < c->load[b];
    if (loads && c->load[a] / LOAD_STEP != c->load[b] / LOAD_STEP)
        return PLACE_LOAD;
    *first = a < b;
    return PLACE_NUMBER;
}

bool
place_better(const struct service *s, const struct cluster *c, unsigned a, unsigned b,
    bool loads)
{
    bool first;

    compare(s, c, a, b, loads, &first);
    return first;
}

unsigned
place_best(const struct service *s, const struct cluster *c, uint64_t nodes, bool loads)
{
    unsigned best = 0;

    for (unsigned n = 1; n <= PEER_MAX_NODE; n++)
        if (in(nodes, n) && (!best || place_better(s, c, n, best, loads)))
            best = n;
    return best;
}

enum place_rule
place_why(const struct service *s, const struct cluster *c, uint64_t nodes,
    unsigned best, bool loads)
{
    unsigned next = place_best(s, c, nodes & ~node_bit(best), loads);
    bool first;

    return next ? compare(s, c, best, next, loads, &first) : PLACE_ONLY;
}

static bool
marked(uint64_t of_service, uint64_t of_cluster, unsigned active)
{
    return of_service & WHOLE || of_cluster & WHOLE ||
           (active && in(of_cluster, active));
}

bool
place_unmanaged(const struct service *s, const struct cluster *c)
{
    return marked(s->wish.w.maintained, c->wish.w.maintained, s->r.active);
}

bool
place_frozen(const struct service *s, const struct cluster *c)
{
    return marked(s->wish.w.frozen, c->wish.w.frozen, s->r.active);
}

void
place_count_failure(
    struct service *s, unsigned author, unsigned node, struct effects *out)
{
    bool held = wish_failed(&s->wish.w, node, s->p.fail_limit);

    if (held)
        effects_journal(out, JOURNAL_HELD, s->index, node)->r = s->r;
    wish_changed(&s->wish, author, s->index, out);
}
