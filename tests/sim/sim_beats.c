/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * sim_beats.c - beats of the active engine, who answers them, and the lease that their
 * answers are worth. */
#include "tests/sim/sim_engine.h"

void
engine_beat(struct sim *s, const struct sim_event *ev)
{
    struct sim_engine *e = &s->node[ev->node].engine;
    unsigned slot = ++e->beat % 64;

    if (e->role != ROLE_ACTIVE || e->epoch != ev->epoch)
        return;
    e->beat_sent[slot] = s->now;
    e->beat_acks[slot] = 0;
    for (unsigned i = 1; i < s->n; i++)
        if (sim_linked(s, i, ev->node))
            sim_push(s, &(struct sim_event){
                            .at = s->now + (i == ev->node ? 0 : engine_delay(s)),
                            .what = SIM_BEAT_AT,
                            .node = i,
                            .from = ev->node,
                            .gen = s->node[i].engine.gen,
                            .epoch = e->epoch,
                            .n = e->beat });
    engine_later(s, ev->node, SIM_BEAT, SIM_BEAT_MS * 1000);
}

void
engine_on_beat(struct sim *s, const struct sim_event *ev)
{
    struct sim_engine *e = &s->node[ev->node].engine;

    if (!e->floor || ev->epoch < e->floor)
        return;
    e->acked = true;
    e->last_ack = s->now;
    if (sim_linked(s, ev->node, ev->from))
        sim_push(s, &(struct sim_event){
                        .at = s->now + (ev->node == ev->from ? 0 : engine_delay(s)),
                        .what = SIM_ACK_AT,
                        .node = ev->from,
                        .from = ev->node,
                        .gen = s->node[ev->from].engine.gen,
                        .epoch = ev->epoch,
                        .n = ev->n });
}

void
engine_on_ack(struct sim *s, const struct sim_event *ev)
{
    struct sim_node *nd = &s->node[ev->node];
    struct sim_engine *e = &nd->engine;
    unsigned slot = ev->n % 64;
    int64_t until;

    if (e->role != ROLE_ACTIVE || e->epoch != ev->epoch || e->beat - ev->n >= 64)
        return;
    e->beat_acks[slot] |= node_bit(ev->from);
    if (!(e->beat_acks[slot] & node_bit(ev->node)) ||
        ((s->n > 3 || /* one or two need no proof, see sockmig/core/lease.h */
             (s->device.ms && e->required && !s->device.unbound)) &&
            2 * nodes_count(e->beat_acks[slot]) <= s->n - 1))
        return;
    until = e->beat_sent[slot] +
            SIM_LEASE_MS * INT64_C(1000000000) / (1000000 + nd->rate_ppm);
    if (until > e->lease_until)
        e->lease_until = until;
    if (e->taking && s->now < e->lease_until && s->now - e->order_since > 20000)
        engine_open_gates(s, ev->node);
    engine_release(s, ev->node);
}
