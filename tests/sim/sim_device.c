/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * sim_device.c - a quorum device, as corosync-qnetd is one for two nodes that are
 * apart.
 *
 * It gives its vote to one at a time and remembers nothing.  When a node's connection
 * breaks the device notices within 1.2 time-outs and may give the vote to the other;
 * the node notices within 1.6 and until then believes that it has it still. */
#include "tests/sim/sim.h"

#define LOOK_US 20000

static void
tell(struct sim *s, unsigned node, bool held)
{
    struct sim_device *d = &s->device;

    if (d->believes[node] == held || !s->node[node].up)
        return;
    sim_trace(s, "device: %u %s its vote", node, held ? "has" : "has not");
    d->believes[node] = held;
    group_queue(s, node, &(struct member_event){ .kind = MEMBER_DEVICE, .on = held });
}

static bool
is_alone(const struct sim *s, unsigned node)
{
    return s->ring[s->node[node].ring].nodes == node_bit(node);
}

/* The connection of one node, as the device and as the node see it. */
static void
look_at(struct sim *s, unsigned node)
{
    struct sim_device *d = &s->device;
    bool gone = d->cut[node] || !s->node[node].corosync_up;
    int64_t us = d->ms * INT64_C(1000);

    if (gone && !d->gone[node]) {
        d->drop_at[node] = s->now + (int64_t)sim_random(s, (uint64_t)us * 6 / 5);
        d->believes_to[node] = s->now + (int64_t)sim_random(s, (uint64_t)us * 8 / 5);
    }
    d->gone[node] = gone;
    if (gone && s->now >= d->drop_at[node])
        d->dropped[node] = true;
    if (!gone && d->dropped[node]) { /* it connects anew */
        d->dropped[node] = false;
        tell(s, node, false);
    }
    if (d->holder == node && (d->dropped[node] || !is_alone(s, node)))
        d->holder = 0;
    if ((gone && s->now >= d->believes_to[node]) || !is_alone(s, node))
        tell(s, node, false);
    if (d->holder == node && !gone)
        tell(s, node, true);
}

void
device_event(struct sim *s)
{
    struct sim_device *d = &s->device;
    unsigned node = 1 + (unsigned)sim_random(s, s->n - 1);

    for (unsigned i = 1; i < s->n; i++)
        look_at(s, i);
    if (d->whims && d->holder && !d->gone[d->holder] && !sim_random(s, 200)) {
        tell(s, d->holder, false); /* and the node knows first */
        d->holder = 0;
    }
    if (!d->holder && !d->gone[node] && !d->dropped[node] && is_alone(s, node) &&
        !sim_random(s, 4))
        d->holder = node;
    sim_push(s, &(struct sim_event){ .at = s->now + LOOK_US, .what = SIM_DEVICE });
}

void
sim_device_start(struct sim *s, unsigned ms)
{
    s->device.ms = ms;
    for (unsigned i = 1; i < s->n; i++)
        arbiter_init(&s->node[i].core.cluster.arbiter, ms);
    sim_push(s, &(struct sim_event){ .at = s->now + LOOK_US, .what = SIM_DEVICE });
}

void
sim_device_cut(struct sim *s, unsigned node, bool cut)
{
    sim_trace(s, "== device: %s %u", cut ? "cut from" : "reaches", node);
    s->device.cut[node] = cut;
}
