/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * plan_mutants.c - mistakes planted in placement, wishes and orders. */
#include "tests/sim/plan_world.h"

static void
maintenance_unseen(struct member *m, struct member_event *ev)
{
    (void)ev;
    for (unsigned i = 0; i < m->nservices; i++)
        m->services[i].wish.w.maintained = 0;
}

static void
never_unseen(struct member *m, struct member_event *ev)
{
    (void)ev;
    for (unsigned i = 0; i < m->nservices; i++)
        m->services[i].p.never = 0;
}

static void
frozen_unseen(struct member *m, struct member_event *ev)
{
    (void)ev;
    m->cluster.wish.w.frozen = 0;
    for (unsigned i = 0; i < m->nservices; i++)
        m->services[i].wish.w.frozen = 0;
}

static void
drained_chosen(struct member *m, struct effects *out)
{
    for (unsigned i = 0; i < out->n; i++) {
        struct peermsg *msg = &out->v[i].msg;
        uint64_t drained = m->cluster.wish.w.drained & m->services[0].r.set;

        if (out->v[i].what != DO_BROADCAST || msg->kind != PEER_ORDER ||
            msg->why == WHY_OPERATOR)
            continue;
        for (unsigned n = 1; n < WORLD_MAX; n++)
            if (drained & node_bit(n) && msg->service == m->services[0].key)
                msg->node = n;
    }
}

static void
impatient(struct member *m, struct member_event *ev)
{
    (void)ev;
    m->plan.balanced_at.us = 0;
    m->plan.conf.balance_margin = 1;
}

static void
why_forgotten(struct member *m, struct member_event *ev)
{
    (void)m;
    if (ev->kind == MEMBER_MESSAGE && ev->msg.kind == PEER_ORDER &&
        ev->msg.why != WHY_OPERATOR)
        ev->msg.why = WHY_DRAIN;
}

static void
wishes_lost(struct member *m, struct effects *out)
{
    (void)m;
    for (unsigned i = 0; i < out->n; i++)
        if (out->v[i].what == DO_BROADCAST && out->v[i].msg.kind == PEER_WISH &&
            out->v[i].msg.w.version > 2)
            out->v[i].msg.w.version = 1;
}

static void
hasty_journal(struct member *m, struct effects *out)
{
    (void)m;
    for (unsigned i = 0; i + 1 < out->n; i++)
        if (out->v[i].what == DO_JOURNAL && out->v[i + 1].what == DO_KEEP) {
            struct effect e = out->v[i];

            out->v[i] = out->v[i + 1];
            out->v[i + 1] = e;
        }
}

static void
never_forgives(struct member *m, struct member_event *ev)
{
    (void)m;
    if (ev->kind == MEMBER_MESSAGE && ev->msg.kind == PEER_FORGIVE)
        ev->msg.value = 255;
}

static void
own_numbers(struct member *m, struct member_event *ev)
{
    (void)ev;
    if (m->cluster.own_orders > m->cluster.orders)
        m->cluster.orders = m->cluster.own_orders + 1;
}

const struct world_mutant world_mutants[WORLD_MUTANTS] = {
    { "maintenance of a service is not seen", maintenance_unseen, NULL },
    { "never is not seen", never_unseen, NULL },
    { "frozen is not seen", frozen_unseen, NULL },
    { "a drained node is chosen", NULL, drained_chosen },
    { "no limit to how often load is evened out", impatient, NULL },
    { "the reason of a move is forgotten", why_forgotten, NULL },
    { "wishes are lost at a change of membership", NULL, wishes_lost },
    { "a wish is kept before it is in the journal", NULL, hasty_journal },
    { "failures are never forgotten", never_forgives, NULL },
    { "each numbers orders for itself", own_numbers, NULL },
};
