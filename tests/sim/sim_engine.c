/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * sim_engine.c - what sockmigd promises, as a model: checkpoints, orders.  Beats and
 * the lease are in sim_beats.c.
 *
 * The state of the protected process is (branch, n): a branch begins whenever gates
 * open in a new epoch, n counts its checkpoints.  What clients have seen is
 * sim->released of sim->branch. */
#include "tests/sim/sim_engine.h"

#include <string.h>

#define REACH_US 400 /* between supervisor and engine of a node */

int64_t
engine_delay(struct sim *s)
{
    return 200 + (int64_t)sim_random(s, 800) + (sim_random(s, 100) ? 0 : 60000);
}

bool
engine_open(const struct sim *s, unsigned node)
{
    const struct sim_engine *e = &s->node[node].engine;

    return e->up && e->serving && !e->frozen && s->now < e->lease_until;
}

static void
tell(struct sim *s, unsigned node, const struct member_event *ev)
{
    if (!s->node[node].engine.connected)
        return;
    sim_push(s, &(struct sim_event){ .at = s->now + REACH_US,
                    .what = SIM_TO_SUPER,
                    .node = node,
                    .gen = s->node[node].gen,
                    .epoch = s->node[node].engine.gen,
                    .word = *ev });
}

static void
answer(struct sim *s, unsigned node, const struct effect *order, bool ok, int64_t age)
{
    tell(s, node,
        &(struct member_event){ .kind = MEMBER_ANSWER,
            .service = 0,
            .answer = { order->op, order->r.epoch, ok, age, ok ? "" : "refused" } });
    if (!ok)
        engine_report_to(s, node);
}

void
engine_report_to(struct sim *s, unsigned node)
{
    const struct sim_engine *e = &s->node[node].engine;
    struct member_event ev = { .kind = MEMBER_REPORT };
    bool freezing = e->frozen && e->order.op == ENGINE_HANDOVER;

    ev.report = (struct engine_report){ .role = e->role,
        .epoch = e->epoch,
        .seen = e->floor,
        .running = e->serving && !e->frozen,
        .frozen = e->frozen && !freezing,
        .busy = e->taking || freezing,
        .clone = e->clone,
        .required = e->required,
        .ready = e->ready };
    tell(s, node, &ev);
}

static void
standby(struct sim *s, unsigned node, unsigned of, bool ready)
{
    struct sim_engine *e = &s->node[node].engine;

    e->ready = ready ? e->ready | node_bit(of) : e->ready & ~node_bit(of);
    tell(s, node,
        &(struct member_event){
            .kind = MEMBER_STANDBY, .epoch = e->epoch, .node = of, .on = ready });
}

static void
clear(struct sim_engine *e)
{
    e->role = ROLE_NONE;
    e->serving = e->frozen = e->taking = e->clone = false;
    e->required = e->ready = 0;
    e->lease_until = 0;
    memset(e->stored, 0, sizeof e->stored);
}

void
engine_boot(struct sim *s, unsigned node)
{
    struct sim_engine *e = &s->node[node].engine;

    *e = (struct sim_engine){ .up = true, .gen = ++s->gens };
    sim_push(s, &(struct sim_event){ .at = s->now + 2000,
                    .what = SIM_ENGINE_TOLD,
                    .node = node,
                    .gen = e->gen });
}

static void
tell_absent(struct sim *s, unsigned node)
{
    struct member_event ev = { .kind = MEMBER_REPORT };

    ev.report.absent = true;
    tell(s, node, &ev);
}

void
engine_restart(struct sim *s, unsigned node)
{
    struct sim_engine *e = &s->node[node].engine, was = *e;
    struct member_event failed = {
        .kind = MEMBER_FAILED, .epoch = was.epoch, .text = "the engine ended"
    };

    *e = (struct sim_engine){ .up = true, .connected = was.connected, .gen = was.gen };
    if (was.taking || (was.frozen && was.order.op == ENGINE_HANDOVER))
        answer(s, node, &was.order, false, -1);
    if (was.set_waits)
        answer(s, node, &was.set, false, -1);
    tell(s, node, &failed);
    if (sim_random(s, 2)) /* or it is back before anybody asks */
        tell_absent(s, node);
    engine_report_to(s, node);
}

void
engine_later(struct sim *s, unsigned node, enum sim_what what, int64_t us)
{
    sim_push(s, &(struct sim_event){ .at = s->now + us,
                    .what = what,
                    .node = node,
                    .gen = s->node[node].engine.gen,
                    .epoch = s->node[node].engine.epoch });
}

void
engine_release(struct sim *s, unsigned node)
{
    struct sim_engine *e = &s->node[node].engine;
    uint64_t stable = e->n;

    for (unsigned i = 1; i < s->n; i++)
        if (e->required & node_bit(i) && e->stored[i] < stable)
            stable = e->stored[i];
    e->stable = stable;
    if (engine_open(s, node) && stable > s->released && e->branch == s->branch)
        s->released = stable;
    if (e->set_waits && stable >= s->released) {
        e->set_waits = false;
        answer(s, node, &e->set, true, -1);
    }
}

/* The gates open for the first time in this epoch: clients may see what the process
 * does from here on, so clones of the old branch are of no use any more. */
void
engine_open_gates(struct sim *s, unsigned node)
{
    struct sim_engine *e = &s->node[node].engine;

    if (e->order.op != ENGINE_START && (e->branch != s->branch || e->n < s->released)) {
        sim_break(s,
            "P3: node %u %s epoch %u with checkpoint %u.%u, released was %u.%u", node,
            engine_op_name(e->order.op), (unsigned)e->epoch, (unsigned)e->branch,
            (unsigned)e->n, (unsigned)s->branch, (unsigned)s->released);
        return;
    }
    if (e->epoch <= s->opened)
        sim_break(s, "P5: node %u serves epoch %u after epoch %u", node,
            (unsigned)e->epoch, (unsigned)s->opened);
    s->opened = e->epoch;
    s->branch = e->branch = ++s->branches;
    s->released = e->n;
    e->taking = false;
    e->serving = true;
    sim_trace(s, "engine of %u serves epoch %u (%s)", node, (unsigned)e->epoch,
        engine_op_name(e->order.op));
    answer(s, node, &e->order, true, -1);
    engine_report_to(s, node); /* to a supervisor that was told "busy" */
    engine_later(s, node, SIM_CHECKPOINT, SIM_CHECKPOINT_MS * 1000);
}

static void
send_checkpoint(struct sim *s, unsigned node)
{
    struct sim_engine *e = &s->node[node].engine;

    for (unsigned i = 1; i < s->n; i++)
        if (i != node && sim_linked(s, i, node))
            sim_push(s, &(struct sim_event){ .at = s->now + 3000 + engine_delay(s),
                            .what = SIM_CLONE_AT,
                            .node = i,
                            .from = node,
                            .gen = s->node[i].engine.gen,
                            .epoch = e->epoch,
                            .branch = e->branch,
                            .n = e->n });
}

static void
on_checkpoint(struct sim *s, const struct sim_event *ev)
{
    struct sim_engine *e = &s->node[ev->node].engine;

    if (e->epoch != ev->epoch || !e->serving)
        return;
    for (unsigned i = 1; i < s->n; i++)
        if (e->ready & node_bit(i) && s->now - e->stored_at[i] > 400000)
            standby(s, ev->node, i, false);
    if (engine_open(s, ev->node) && !e->frozen) {
        e->n++;
        send_checkpoint(s, ev->node);
        engine_release(s, ev->node);
    }
    engine_later(s, ev->node, SIM_CHECKPOINT, SIM_CHECKPOINT_MS * 1000);
}

static void
on_clone(struct sim *s, const struct sim_event *ev)
{
    struct sim_engine *e = &s->node[ev->node].engine;

    if (e->role != ROLE_STANDBY || e->epoch != ev->epoch || e->follows != ev->from ||
        !sim_linked(s, ev->node, ev->from))
        return;
    if (e->clone && e->clone_branch == ev->branch && e->clone_n > ev->n)
        return;
    e->clone = true;
    e->clone_branch = ev->branch;
    e->clone_n = ev->n;
    sim_push(s, &(struct sim_event){ .at = s->now + engine_delay(s),
                    .what = SIM_STORED_AT,
                    .node = ev->from,
                    .from = ev->node,
                    .gen = s->node[ev->from].engine.gen,
                    .epoch = ev->epoch,
                    .n = ev->n });
}

static void
on_stored(struct sim *s, const struct sim_event *ev)
{
    struct sim_engine *e = &s->node[ev->node].engine;

    if (e->role != ROLE_ACTIVE || e->epoch != ev->epoch)
        return;
    if (ev->n > e->stored[ev->from])
        e->stored[ev->from] = ev->n;
    e->stored_at[ev->from] = s->now;
    if (!(e->ready & node_bit(ev->from)))
        standby(s, ev->node, ev->from, true);
    engine_release(s, ev->node);
}

static void
reign(struct sim *s, unsigned node, const struct effect *order)
{
    struct sim_engine *e = &s->node[node].engine;

    e->epoch = order->r.epoch;
    e->role = ROLE_ACTIVE;
    e->taking = true;
    e->frozen = e->serving = false;
    e->required = e->ready = 0;
    e->lease_until = 0;
    memset(e->stored, 0, sizeof e->stored);
    e->order = *order;
    e->order_since = s->now;
    engine_later(s, node, SIM_BEAT, 0);
    engine_later(s, node, SIM_PROGRESS, 500000);
}

static void
begin(struct sim *s, unsigned node, const struct effect *order)
{
    struct sim_engine *e = &s->node[node].engine;
    bool had_clone = e->clone;
    uint64_t branch = e->clone_branch, n = e->clone_n;

    if (s->owner[order->r.epoch % 4096] && s->owner[order->r.epoch % 4096] != node)
        sim_break(s, "P5: nodes %u and %u are both ordered to serve epoch %u",
            s->owner[order->r.epoch % 4096], node, (unsigned)order->r.epoch);
    s->owner[order->r.epoch % 4096] = node;
    if (e->refuse || (order->op == ENGINE_START && e->role == ROLE_ACTIVE) ||
        (order->op == ENGINE_TAKEOVER && !had_clone) ||
        (order->op == ENGINE_RESUME && e->role != ROLE_ACTIVE)) {
        e->refuse = false;
        clear(e);
        answer(s, node, order, false, -1);
        return;
    }
    if (order->op != ENGINE_RESUME)
        clear(e);
    if (order->op == ENGINE_TAKEOVER) {
        e->branch = branch;
        e->n = n;
        s->takeovers++;
    } else if (order->op == ENGINE_START) {
        e->branch = e->n = 0;
        s->starts++;
    }
    reign(s, node, order);
}

static void
hand_over(struct sim *s, unsigned node, const struct effect *order)
{
    struct sim_engine *e = &s->node[node].engine;

    if (e->role != ROLE_ACTIVE || !engine_open(s, node)) {
        answer(s, node, order, false, -1);
        return;
    }
    e->n++;
    e->frozen = true;
    e->order = *order;
    e->order_since = s->now;
    send_checkpoint(s, node);
    engine_later(s, node, SIM_PROGRESS, 2000);
}

static void
on_progress(struct sim *s, const struct sim_event *ev)
{
    struct sim_engine *e = &s->node[ev->node].engine;

    if (e->set_waits && s->now - e->set_since >= 500000) {
        e->set_waits = false;
        answer(s, ev->node, &e->set, false, -1);
    }
    if (e->epoch != ev->epoch || e->role != ROLE_ACTIVE)
        return;
    if (e->taking && s->now - e->order_since >= 500000) {
        clear(e);
        answer(s, ev->node, &e->order, false, -1);
    } else if (e->frozen && e->order.op == ENGINE_HANDOVER) {
        engine_release(s, ev->node);
        if (e->stable == e->n) {
            e->order.op = ENGINE_NOPS;
            answer(s, ev->node,
                &(struct effect){ .op = ENGINE_HANDOVER, .r.epoch = e->epoch }, true,
                -1);
            engine_report_to(s, ev->node); /* one that heard "busy" asks again */
        } else if (s->now - e->order_since > 300000) {
            e->frozen = false;
            answer(s, ev->node, &e->order, false, -1);
        } else
            engine_later(s, ev->node, SIM_PROGRESS, 2000);
    }
}

void
engine_end_order(struct sim *s, unsigned node)
{
    struct sim_engine *e = &s->node[node].engine;

    if (e->frozen && e->order.op == ENGINE_HANDOVER)
        answer(s, node, &e->order, false, -1);
}

static void
follow(struct sim *s, unsigned node, const struct effect *order)
{
    struct sim_engine *e = &s->node[node].engine;

    if (e->role != ROLE_STANDBY || e->epoch != order->r.epoch ||
        e->follows != order->node)
        clear(e);
    e->role = ROLE_STANDBY;
    e->epoch = order->r.epoch;
    e->follows = order->node;
    answer(s, node, order, true, -1);
}

void
engine_check_record(struct sim *s, unsigned node, const struct effect *order)
{
    const struct sim_node *nd = &s->node[node];

    if (order->op == ENGINE_FENCE || order->op == ENGINE_FOLLOW ||
        order->op == ENGINE_SET)
        return;
    for (unsigned i = 0; i < 8; i++)
        if (nd->rows[i].op == order->op && nd->rows[i].epoch == order->r.epoch)
            return;
    sim_break(s, "P6: node %u orders %s of epoch %u, and the journal knows nothing",
        node, engine_op_name(order->op), (unsigned)order->r.epoch);
}

static void
on_order(struct sim *s, const struct sim_event *ev)
{
    struct sim_engine *e = &s->node[ev->node].engine;
    const struct effect *order = &ev->order;
    int64_t age;

    if (!e->connected)
        return;
    if (order->r.epoch < e->floor) {
        answer(s, ev->node, order, false, -1);
        return;
    }
    e->floor = order->r.epoch;
    switch (order->op) {
    case ENGINE_FENCE:
        age = sim_local(s, ev->node, s->now) - sim_local(s, ev->node, e->last_ack);
        answer(s, ev->node, order, true, e->acked ? age : -1);
        break;
    case ENGINE_FOLLOW:
        follow(s, ev->node, order);
        break;
    case ENGINE_SET:
        e->required = order->r.set;
        e->set = *order;
        e->set_waits = true;
        e->set_since = s->now;
        engine_later(s, ev->node, SIM_PROGRESS, 500000);
        engine_release(s, ev->node);
        break;
    case ENGINE_STOP:
        clear(e);
        answer(s, ev->node, order, true, -1);
        break;
    case ENGINE_HANDOVER:
        hand_over(s, ev->node, order);
        break;
    case ENGINE_POLICY:
    case ENGINE_INTERVAL:
        *(order->op == ENGINE_POLICY ? &e->policy : &e->interval_ms) = order->msg.value;
        /* fallthrough */
    case ENGINE_CHECKPOINT:
        answer(s, ev->node, order, sim_random(s, 8), -1);
        break;
    default:
        begin(s, ev->node, order);
    }
}

void
engine_event(struct sim *s, const struct sim_event *ev)
{
    if (!s->node[ev->node].engine.up || ev->gen != s->node[ev->node].engine.gen)
        return;
    switch (ev->what) {
    case SIM_ORDER:
        on_order(s, ev);
        break;
    case SIM_BEAT:
        engine_beat(s, ev);
        break;
    case SIM_BEAT_AT:
        engine_on_beat(s, ev);
        break;
    case SIM_ACK_AT:
        engine_on_ack(s, ev);
        break;
    case SIM_CHECKPOINT:
        on_checkpoint(s, ev);
        break;
    case SIM_CLONE_AT:
        on_clone(s, ev);
        break;
    case SIM_STORED_AT:
        on_stored(s, ev);
        break;
    case SIM_PROGRESS:
        on_progress(s, ev);
        break;
    default:
        break;
    }
}
