/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * sim_faults.c - what can go wrong, and be ordered. */
#include "tests/sim/sim.h"

#include <inttypes.h>

#define KEY 77 /* of the one service */

static void
reform_in(struct sim *s, int64_t ms)
{
    sim_push(s, &(struct sim_event){ .at = s->now + ms * 1000, .what = SIM_REFORM });
}

void
sim_super_crash(struct sim *s, unsigned node)
{
    if (!s->node[node].up)
        return;
    sim_trace(s, "== supervisor of %u crashes", node);
    s->node[node].up = s->node[node].hung = false;
    s->node[node].gen = ++s->gens;
    s->node[node].engine.connected = false;
    reform_in(s, 30);
}

void
sim_super_start(struct sim *s, unsigned node)
{
    static const struct placement p = { .fail_limit = 3, .hold_off_us = 3000000 };
    static const struct plan_conf plan = { .balance_us = 1000000 };
    struct sim_node *nd = &s->node[node];

    if (nd->up || !nd->corosync_up)
        return;
    sim_trace(s, "== supervisor of %u starts", node);
    nd->up = true;
    nd->joined = false;
    nd->inbox_pos[0] = nd->inbox_pos[1] = 0;
    member_init(&nd->core, node, node_bit(s->n) - 2, &plan, &nd->wishes[0]);
    member_add(&nd->core, KEY, &p, SIM_LEASE_MS, &nd->disk, &nd->wishes[1]);
    arbiter_init(&nd->core.cluster.arbiter, s->device.ms);
    s->device.believes[node] = false;
    nd->core.fencing.can = s->fencing ? node_bit(s->n) - 2 : 0;
    if (nd->engine.up)
        sim_push(s, &(struct sim_event){ .at = s->now + 1000,
                        .what = SIM_ENGINE_TOLD,
                        .node = node,
                        .gen = nd->engine.gen });
    sim_arm(s, node, (struct mono){ sim_local(s, node, s->now + 1000) });
    reform_in(s, 10);
}

void
sim_crash(struct sim *s, unsigned node)
{
    struct sim_node *nd = &s->node[node];

    if (!nd->corosync_up)
        return;
    sim_trace(s, "== node %u crashes", node);
    nd->up = nd->hung = nd->corosync_up = nd->engine.up = nd->engine.connected = false;
    nd->gen = ++s->gens;
    reform_in(s, 250 + (int64_t)sim_random(s, 200));
}

void
sim_boot(struct sim *s, unsigned node)
{
    struct sim_node *nd = &s->node[node];

    if (nd->corosync_up)
        return;
    sim_trace(s, "== node %u boots", node);
    nd->corosync_up = true;
    nd->ring = 0; /* of nobody */
    nd->cursor = s->ring[0].n;
    engine_boot(s, node);
    sim_super_start(s, node);
}

void
sim_engine_crash(struct sim *s, unsigned node)
{
    struct sim_engine *e = &s->node[node].engine;

    if (!e->up)
        return;
    sim_trace(s, "== engine of %u crashes", node);
    e->up = e->connected = false;
    e->gen = ++s->gens;
    sim_engine_told(s, node);
    sim_push(
        s, &(struct sim_event){ .at = s->now + 5000 + (int64_t)sim_random(s, 300000),
               .what = SIM_ENGINE_UP,
               .node = node });
}

void
sim_engine_restart(struct sim *s, unsigned node)
{
    if (!s->node[node].engine.up)
        return;
    sim_trace(s, "== engine of %u crashes, sockmigd does not", node);
    engine_restart(s, node);
}

void
sim_disconnect(struct sim *s, unsigned node)
{
    struct sim_engine *e = &s->node[node].engine;

    if (!e->connected)
        return;
    sim_trace(s, "== engine of %u cannot be reached", node);
    e->connected = false;
    group_queue(s, node, &(struct member_event){ .kind = MEMBER_ENGINE });
    sim_push(
        s, &(struct sim_event){ .at = s->now + 5000 + (int64_t)sim_random(s, 600000),
               .what = SIM_ENGINE_TOLD,
               .node = node,
               .gen = e->gen });
}

void
sim_service_fail(struct sim *s, unsigned node)
{
    struct sim_engine *e = &s->node[node].engine;

    if (!e->serving)
        return;
    sim_trace(s, "== the service ends on %u", node);
    engine_end_order(s, node);
    e->serving = e->frozen = e->taking = false;
    e->role = ROLE_NONE;
    if (e->connected)
        sim_push(s, &(struct sim_event){ .at = s->now + 400,
                        .what = SIM_TO_SUPER,
                        .node = node,
                        .gen = s->node[node].gen,
                        .epoch = e->gen,
                        .word = { .kind = MEMBER_FAILED,
                            .epoch = e->epoch,
                            .text = "the service ended" } });
}

void
sim_hang(struct sim *s, unsigned node, bool hung)
{
    if (!s->node[node].up || s->node[node].hung == hung)
        return;
    sim_trace(s, "== supervisor of %u %s", node, hung ? "hangs" : "goes on");
    s->node[node].hung = hung;
    if (!hung)
        group_inbox(s, node);
}

void
sim_cut(struct sim *s, uint64_t nodes)
{
    sim_trace(s, "== network: %" PRIx64 " cut off", nodes);
    for (unsigned i = 1; i < s->n; i++)
        s->side[i] = nodes & node_bit(i) ? 1 : 0;
    reform_in(s, 150 + (int64_t)sim_random(s, 300));
}

void
sim_switchover(struct sim *s, unsigned at, unsigned to)
{
    sim_trace(s, "== at %u: switch over to %u", at, to);
    group_queue(s, at,
        &(struct member_event){
            .kind = MEMBER_ORDER, .node = to, .token = 1, .text = "operator" });
}

void
sim_order(
    struct sim *s, unsigned at, enum order_what what, unsigned node, uint32_t value)
{
    struct member_event ev = { .kind = MEMBER_ORDER, .token = 1, .text = "operator" };

    sim_trace(s, "== at %u: %s %u, %u", at, order_what_name(what), node, value);
    ev.msg.what = what;
    ev.msg.value = value;
    ev.node = node;
    ev.service = what == WHAT_DRAIN || what == WHAT_RESUME ||
                         (node && (what == WHAT_MAINTENANCE || what == WHAT_FREEZE))
                     ? NO_SERVICE
                     : 0;
    group_queue(s, at, &ev);
}

void
sim_fence(struct sim *s, unsigned by, unsigned node)
{
    sim_trace(s, "== %u fences %u", by, node);
    sim_push(
        s, &(struct sim_event){ .at = s->now + 20000 + (int64_t)sim_random(s, 400000),
               .what = SIM_FENCE,
               .node = by,
               .from = node,
               .gen = s->node[by].gen });
}

/* The power is off before anybody is told so; one agent in four does not succeed. */
void
sim_fence_ends(struct sim *s, unsigned by, unsigned node)
{
    bool ok = sim_random(s, 4);

    if (ok && !s->no_power)
        sim_crash(s, node);
    group_queue(s, by,
        &(struct member_event){
            .kind = MEMBER_FENCED, .node = node, .on = ok, .text = "agent" });
}

static void
take_back(struct sim *s)
{
    s->sharp = false;
    sim_run_ms(s, 10);
    sim_cut(s, 0);
    for (unsigned i = 1; i < s->n; i++) {
        s->node[i].engine.refuse = false;
        sim_device_cut(s, i, false);
        sim_hang(s, i, false);
        sim_boot(s, i);
        sim_super_start(s, i);
    }
}

/* The engine that serves goes by what operators wish, whoever told it to the last one.
 */
static bool
knows_wish(const struct sim *s, unsigned node)
{
    const struct wish *w = &s->node[node].core.services[0].wish.w;
    const struct sim_engine *e = &s->node[node].engine;

    return e->policy == w->policy && e->interval_ms == w->interval_ms;
}

void
sim_heal(struct sim *s, void (*operate)(unsigned at))
{
    uint64_t all = node_bit(s->n) - 2;

    take_back(s);
    for (unsigned i = 0; i < 600 && !s->broken[0]; i++) {
        unsigned at = 1 + i % (s->n - 1), serving;

        sim_run_ms(s, 100);
        if (operate)
            operate(at);
        if (s->fencing)
            sim_boot(s, at); /* what was fenced is switched on again */
        serving = sim_serving(s);
        if (serving && sim_set(s) == (all & ~node_bit(serving)) &&
            knows_wish(s, serving))
            return;
    }
    sim_break(s, "live: healed for a minute, active %u, set %x%s", sim_serving(s),
        (unsigned)sim_set(s),
        sim_serving(s) && !knows_wish(s, sim_serving(s)) ? ", not as wished" : "");
}
