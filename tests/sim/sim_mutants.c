/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * sim_mutants.c - mistakes planted in supervisors.  Each pokes the state of the cores
 * as the mistake would. */
#include "tests/sim/sim.h"

static void
no_lease_wait(struct member *m, struct member_event *ev)
{
    m->services[0].own.lease_over = ev->now;
}

static void
no_fence(struct member *m, struct member_event *ev)
{
    struct service *v = &m->services[0];

    (void)ev;
    if (v->state == SERVICE_CLAIMED)
        v->own.fenced = v->claim.epoch;
}

static void
no_votes(struct member *m, struct member_event *ev)
{
    (void)ev;
    if (m->services[0].claim.epoch)
        m->services[0].stopped = m->cluster.all;
}

static void
forgotten_ages(struct member *m, struct member_event *ev)
{
    (void)m;
    if (ev->kind == MEMBER_MESSAGE && ev->msg.kind == PEER_STOPPED)
        ev->msg.age_us = -1;
}

static void
stale_claims(struct member *m, struct member_event *ev)
{
    if (ev->kind == MEMBER_MESSAGE && ev->msg.kind == PEER_CLAIM &&
        ev->msg.r.epoch <= m->services[0].r.floor) {
        m->services[0].r.floor = ev->msg.r.epoch - 1;
        m->services[0].own.voted = 0;
    }
    if (m->services[0].state == SERVICE_CLAIMED)
        m->services[0].own.fenced = m->services[0].claim.epoch;
}

static void
outside_the_set(struct member *m, struct member_event *ev)
{
    if (ev->kind == MEMBER_MESSAGE && m->services[0].r.phase == SERVICE_DOWN)
        m->services[0].r.set = m->cluster.all;
}

static void
doubt_ignored(struct member *m, struct member_event *ev)
{
    (void)ev;
    if (m->services[0].state != SERVICE_TAKING)
        m->services[0].r.doubt = false;
    if (!(m->cluster.members & node_bit(m->services[0].r.active)))
        m->services[0].r.doubt = false;
}

static void
added_too_early(struct member *m, struct member_event *ev)
{
    (void)ev;
    if (m->services[0].own.adding)
        m->services[0].own.required |= m->services[0].own.adding;
}

/* ... and the engine hears of it never: the mistake of the order of two steps is seen
 * only when the second does not come. */
static void
engine_not_told(struct member *m, struct effects *out)
{
    (void)m;
    for (unsigned i = 0; i < out->n; i++)
        if (out->v[i].what == DO_ENGINE && out->v[i].op == ENGINE_SET)
            out->v[i].r.set = 0;
}

static void
shrunk_too_early(struct member *m, struct member_event *ev)
{
    (void)ev;
    if (m->services[0].state == SERVICE_ACTIVE)
        m->services[0].confirmed = m->cluster.all;
}

static void
not_required_first(struct member *m, struct effects *out)
{
    for (unsigned i = 0; i < out->n; i++) {
        static unsigned delayed;
        struct peermsg *msg = &out->v[i].msg;
        struct effect *e;

        if (out->v[i].what != DO_BROADCAST || msg->kind != PEER_SET ||
            !(m->services[0].r.set & ~msg->r.set))
            continue;
        e = effects_add(out, DO_ENGINE, 0);
        e->op = ENGINE_SET;
        e->r.epoch = msg->r.epoch;
        e->r.set = msg->r.set;
        if (++delayed % 32) /* the agreement takes its time */
            msg->kind = PEER_CONFIRM;
        return;
    }
}

static void
served_unconfirmed(struct member *m, struct member_event *ev)
{
    (void)ev;
    if (m->services[0].state == SERVICE_TAKING)
        m->services[0].confirmed = m->cluster.all;
}

static void
quorum_ignored(struct member *m, struct member_event *ev)
{
    (void)ev;
    if (m->cluster.members)
        m->cluster.all = m->cluster.members;
    m->cluster.quorums = ~(uint64_t)0;
}

static void
shut_is_guessed(struct member *m, struct effects *out)
{
    (void)m;
    for (unsigned i = 0; i < out->n; i++)
        if (out->v[i].what == DO_BROADCAST && out->v[i].msg.kind == PEER_FAILED)
            out->v[i].msg.r.shut = true;
}

static void
handed_too_early(struct member *m, struct member_event *ev)
{
    struct conduct *own = &m->services[0].own;

    (void)ev;
    if (own->busy && own->op == ENGINE_HANDOVER)
        own->handed = own->op_epoch;
}

static void
forgets_records(struct member *m, struct effects *out)
{
    (void)m;
    for (unsigned i = 0; i < out->n; i++)
        if (out->v[i].what == DO_PERSIST)
            out->v[i].r = (struct reign){ 0 };
}

static void
restart_forgets(struct member *m, struct member_event *ev)
{
    if (ev->kind == MEMBER_REPORT && ev->report.seen < m->services[0].r.epoch)
        m->services[0].own.ordered = 0;
}

static void
journal_after(struct member *m, struct effects *out)
{
    (void)m;
    for (unsigned i = 0; i + 1 < out->n; i++)
        if (out->v[i].what == DO_JOURNAL && out->v[i + 1].what == DO_ENGINE) {
            struct effect e = out->v[i];

            out->v[i] = out->v[i + 1];
            out->v[i + 1] = e;
        }
}

static void
fenced_at_once(struct member *m, struct member_event *ev)
{
    (void)ev;
    if (m->cluster.ready)
        m->cluster.fenced = m->cluster.all & ~m->cluster.members;
}

static void
fences_though_never_met(struct member *m, struct member_event *ev)
{
    (void)ev;
    m->fencing.met = m->cluster.all;
}

const struct sim_mutant sim_pair_mutants[SIM_PAIR_MUTANTS] = {
    { "the agent says yes and the node is not off", NULL, NULL, 0 },
    { "thought to be off before the agent says so", fenced_at_once, NULL, 0 },
    { "who boots alone fences the other", fences_though_never_met, NULL, 0 },
};

const struct sim_mutant sim_mutants[SIM_MUTANTS] = {
    { "no waiting for the lease", no_lease_wait, NULL, 0 },
    { "a vote without a fence", no_fence, NULL, 0 },
    { "no votes needed", no_votes, NULL, 0 },
    { "votes without the age of the last acknowledgement", forgotten_ages, NULL, 0 },
    { "stale claims are accepted", stale_claims, NULL, 0 },
    { "elected outside the set", outside_the_set, NULL, 0 },
    { "a reign that may have served is ignored", doubt_ignored, NULL, 0 },
    { "in the set before the engine requires it", added_too_early, engine_not_told, 0 },
    { "not required any more before it is agreed", NULL, not_required_first, 4400 },
    { "not required any more before a majority knows", shrunk_too_early, NULL, 17800 },
    { "served before a majority knows", served_unconfirmed, NULL, 11400 },
    { "quorum ignored", quorum_ignored, NULL, 0 },
    { "gates called shut that may be open", NULL, shut_is_guessed, 0 },
    { "handed over before the engine has stopped", handed_too_early, NULL, 1400 },
    { "records are not durable", NULL, forgets_records, 0 },
    { "a restarted supervisor thinks it never ordered", restart_forgets, NULL, 700 },
    { "the journal is written after the act", NULL, journal_after, 0 },
};
