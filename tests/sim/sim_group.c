/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * sim_group.c - a process group with extended virtual synchrony, as Corosync gives it.
 *
 * A ring is an ordered log; each node reads it with a delay of its own.  When the
 * network is cut, nodes that stay together agree how far they read of the old ring;
 * a message may be read on one side and never on the other, its sender's included
 * in neither but its own. */
#include "tests/sim/sim.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static bool
stalled(const struct sim *s, const struct sim_ring *ring)
{
    for (unsigned a = 1; a < s->n; a++)
        for (unsigned b = 1; b < s->n; b++)
            if (ring->nodes & node_bit(a) && ring->nodes & node_bit(b) &&
                (!sim_linked(s, a, b) || !s->node[a].corosync_up ||
                    s->node[a].ring != s->node[b].ring))
                return true;
    return false;
}

static void
wake(struct sim *s, unsigned node)
{
    struct sim_node *nd = &s->node[node];
    struct sim_ring *ring = &s->ring[nd->ring];

    if (nd->delivering || !nd->corosync_up || nd->cursor >= ring->n)
        return;
    nd->delivering = true;
    sim_push(s, &(struct sim_event){ .at = s->now + 100 + (int64_t)sim_random(s, 500) +
                                           (sim_random(s, 200) ? 0 : 20000),
                    .what = SIM_RING,
                    .node = node,
                    .gen = nd->ring });
}

static void
append(struct sim *s, unsigned r, const struct peermsg *msg)
{
    struct sim_ring *ring = &s->ring[r];

    if (ring->n == ring->room) {
        ring->room = ring->room ? 2 * ring->room : 64;
        ring->log = realloc(ring->log, ring->room * sizeof *ring->log);
        ring->hash = realloc(ring->hash, ring->room * sizeof *ring->hash);
        assert(ring->log && ring->hash);
    }
    ring->hash[ring->n] = 0;
    ring->log[ring->n++] = *msg;
}

void
group_broadcast(struct sim *s, unsigned node, const struct peermsg *msg)
{
    struct peermsg copy;
    uint8_t bytes[PEER_MAX_BYTES];
    size_t size = peer_encode(msg, bytes);
    unsigned r = s->node[node].ring;

    if (!peer_decode(bytes, size, node, &copy)) {
        sim_break(s, "node %u sends what cannot be decoded: %s", node,
            peer_kind_name(msg->kind));
        return;
    }
    append(s, r, &copy);
    for (unsigned i = 1; i < s->n; i++)
        if (s->node[i].ring == r)
            wake(s, i);
}

static void
hand_on(struct sim *s, unsigned node)
{
    struct sim_node *nd = &s->node[node];
    struct sim_ring *ring = &s->ring[nd->ring];
    struct member_event ev = { .kind = MEMBER_MESSAGE, .msg = ring->log[nd->cursor] };

    if (nd->cursor >= ring->read)
        ring->read = nd->cursor + 1;

    ev.view = ring->id; /* for the comparison of records, see sim_feed() */
    ev.epoch = nd->cursor++;
    if (nd->joined && ev.msg.from)
        group_queue(s, node, &ev);
}

void
group_ring(struct sim *s, const struct sim_event *ev)
{
    struct sim_node *nd = &s->node[ev->node];

    if (!nd->corosync_up || ev->gen != nd->ring)
        return;
    nd->delivering = false;
    if (stalled(s, &s->ring[nd->ring]) || nd->cursor >= s->ring[nd->ring].n)
        return; /* of before it slipped */
    hand_on(s, ev->node);
    wake(s, ev->node);
}

void
group_queue(struct sim *s, unsigned node, const struct member_event *ev)
{
    struct sim_node *nd = &s->node[node];

    if (!nd->up)
        return;
    nd->inbox[nd->inbox_pos[1]++ % SIM_INBOX] = *ev;
    assert(nd->inbox_pos[1] - nd->inbox_pos[0] < SIM_INBOX);
    if (!nd->hung)
        group_inbox(s, node);
}

void
group_inbox(struct sim *s, unsigned node)
{
    struct sim_node *nd = &s->node[node];

    while (
        nd->up && !nd->hung && nd->inbox_pos[0] != nd->inbox_pos[1] && !s->broken[0]) {
        struct member_event ev = nd->inbox[nd->inbox_pos[0]++ % SIM_INBOX];

        sim_feed(s, node, &ev);
    }
}

/* What others of the old ring have read, its sender reads there too: at least up to
 * the last such message of a node of @stay. */
static unsigned
own_read(const struct sim *s, unsigned r, uint64_t stay, unsigned cut)
{
    const struct sim_ring *ring = &s->ring[r];

    for (unsigned k = cut; k < ring->n && k < ring->read; k++)
        if (stay & node_bit(ring->log[k].from))
            cut = k + 1;
    return cut;
}

/* How far the nodes of @stay read the log of ring @r that they leave: at least as
 * far as the one ahead. */
static void
leave(struct sim *s, unsigned r, uint64_t stay, unsigned into)
{
    struct sim_ring *ring = &s->ring[r];
    unsigned cut = 0, end = ring->n;

    for (unsigned i = 1; i < s->n; i++)
        if (stay & node_bit(i) && s->node[i].cursor > cut)
            cut = s->node[i].cursor;
    if (!(ring->nodes & ~stay)) /* all go on together: a supervisor came or went */
        cut = end;
    else
        cut += (unsigned)sim_random(s, end - cut + 1);
    cut = own_read(s, r, stay, cut);
    for (unsigned i = 1; i < s->n; i++)
        while (stay & node_bit(i) && s->node[i].cursor < cut)
            hand_on(s, i);
    for (unsigned k = cut; k < s->ring[r].n; k++) {
        struct peermsg msg = s->ring[r].log[k];

        if (!(stay & node_bit(msg.from)) || !s->node[msg.from].up)
            continue;
        append(s, into, &msg);
        s->ring[r].log[k].from = 0; /* it never was on the wire of the old ring */
    }
}

static void
form(struct sim *s, uint64_t nodes, uint64_t members)
{
    struct sim_ring *ring = &s->ring[s->nrings];
    struct member_event ev = { .kind = MEMBER_VIEW,
        .view = s->nrings + 1,
        .members = members,
        .process_left = nodes & ~members };
    uint64_t left = nodes;

    assert(s->nrings < SIM_RINGS);
    *ring = (struct sim_ring){ .id = ev.view, .nodes = nodes, .members = members };
    for (unsigned i = 1; i < s->n; i++) {
        unsigned old = s->node[i].ring;
        uint64_t stay = 0;

        if (!(left & node_bit(i)))
            continue;
        for (unsigned j = i; j < s->n; j++)
            if (left & node_bit(j) && s->node[j].ring == old)
                stay |= node_bit(j);
        leave(s, old, stay, s->nrings);
        left &= ~stay;
    }
    for (unsigned i = 1; i < s->n; i++)
        if (nodes & node_bit(i)) {
            s->node[i].ring = s->nrings;
            s->node[i].cursor = 0;
            s->node[i].delivering = false;
            s->node[i].joined = members & node_bit(i);
            if (members & node_bit(i))
                group_queue(s, i, &ev);
            sim_push(s,
                &(struct sim_event){ .at = s->now + 500 + (int64_t)sim_random(s, 4000),
                    .what = SIM_QUORUM,
                    .node = i });
        }
    s->nrings++;
    for (unsigned i = 1; i < s->n; i++)
        if (nodes & node_bit(i))
            wake(s, i);
}

void
group_reform(struct sim *s)
{
    uint64_t done = 0;

    for (unsigned i = 1; i < s->n; i++) {
        uint64_t nodes = 0, members = 0;
        bool fresh = false;
        struct sim_ring *ring = &s->ring[s->node[i].ring];

        if (done & node_bit(i) || !s->node[i].corosync_up)
            continue;
        for (unsigned j = 1; j < s->n; j++) {
            if (!s->node[j].corosync_up || !sim_linked(s, i, j))
                continue;
            nodes |= node_bit(j);
            if (s->node[j].up)
                members |= node_bit(j);
            fresh |= s->node[j].up && !s->node[j].joined;
        }
        done |= nodes;
        if (ring->nodes != nodes || ring->members != members || fresh ||
            stalled(s, ring))
            form(s, nodes, members);
    }
}

/* Corosync's flaw: where rings fail while they are being formed, one that was alone for
 * a moment is shown that, and the others never hear of it. */
void
group_slip(struct sim *s, unsigned node)
{
    struct sim_node *nd = &s->node[node];
    unsigned of = nd->ring;

    if (!nd->up || !nd->joined || stalled(s, &s->ring[of]) ||
        s->ring[of].nodes == node_bit(node))
        return;
    sim_trace(s, "== %u is alone, the others do not hear of it", node);
    form(s, node_bit(node), node_bit(node));
    sim_push(
        s, &(struct sim_event){ .at = s->now + 2000 + (int64_t)sim_random(s, 300000),
               .what = SIM_SLIPPED,
               .node = node,
               .from = of,
               .gen = nd->ring });
}

/* It comes back to what the others think it never left, and reads on where they are. */
void
group_slipped(struct sim *s, const struct sim_event *ev)
{
    struct sim_node *nd = &s->node[ev->node];
    struct sim_ring *ring = &s->ring[ev->from];
    unsigned at = 0;

    if (nd->ring != ev->gen || !nd->joined)
        return;
    for (unsigned i = 1; i < s->n; i++) {
        if (i == ev->node || !(ring->nodes & node_bit(i)))
            continue;
        if (s->node[i].ring != ev->from || !s->node[i].corosync_up ||
            !sim_linked(s, i, ev->node))
            return; /* a new ring of all is coming */
        at = s->node[i].cursor > at ? s->node[i].cursor : at;
    }
    leave(s, nd->ring, node_bit(ev->node), ev->from);
    nd->ring = ev->from;
    nd->cursor = at;
    nd->delivering = false;
    nd->slipped = ring->id;
    sim_trace(s, "== %u is back", ev->node);
    group_queue(s, ev->node,
        &(struct member_event){ .kind = MEMBER_VIEW,
            .view = ring->id,
            .members = ring->members,
            .process_left = ring->nodes & ~ring->members });
    sim_push(s, &(struct sim_event){ .at = s->now + 500 + (int64_t)sim_random(s, 4000),
                    .what = SIM_QUORUM,
                    .node = ev->node });
    for (unsigned i = 1; i < s->n; i++)
        if (ring->nodes & node_bit(i))
            wake(s, i);
}
