/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * replay_nodes.c - the outputs that the log has, loaded ahead, per connection. */
#include "sockmig/core/replay_private.h"

static uint32_t
new_node(struct replay *r)
{
    uint32_t i = r->free_node;

    if (i != FLOWMAP_NONE)
        r->free_node = r->nodes[i].next;
    else
        i = r->fresh_node++;
    r->node_count++;
    return i;
}

static void
append(struct replay *r, struct rflow *f, const struct node *what)
{
    uint32_t i = new_node(r);

    r->nodes[i] = *what;
    r->nodes[i].next = FLOWMAP_NONE;
    r->watching += f->excused && f->first == FLOWMAP_NONE;
    *(f->first == FLOWMAP_NONE ? &f->first : &r->nodes[f->last].next) = i;
    f->last = i;
}

static bool
comes_after(const struct node *n, uint32_t seq)
{
    return (n->kind == NODE_DATA || n->kind == NODE_FIN || n->kind == NODE_RST) &&
           seq_after(n->seq, seq);
}

/* The node behind which one at @seq belongs: of those of the newest connection the last
 * that does not come after it; FLOWMAP_NONE: before the first. */
static uint32_t
place(const struct replay *r, const struct rflow *f, uint32_t seq)
{
    uint32_t behind = FLOWMAP_NONE, i = f->first, before = FLOWMAP_NONE;
    bool found = false;

    for (; i != FLOWMAP_NONE; before = i, i = r->nodes[i].next) {
        if (!comes_after(&r->nodes[i], seq)) {
            found = false;
        } else if (!found) {
            found = true;
            behind = before;
        }
    }
    return behind;
}

/* What was overtaken before it was logged goes to its place.  Where the comparison of
 * what follows it has begun, it has none. */
static void
add_data(struct replay *r, struct rflow *f, const struct node *data)
{
    uint32_t behind, i;

    if (f->first == FLOWMAP_NONE || !comes_after(&r->nodes[f->last], data->seq)) {
        append(r, f, data);
        return;
    }
    behind = place(r, f, data->seq);
    if (behind == FLOWMAP_NONE && f->hashed > 0) {
        r->stat.uncompared++;
        return;
    }
    i = new_node(r);
    r->nodes[i] = *data;
    r->nodes[i].next = behind == FLOWMAP_NONE ? f->first : r->nodes[behind].next;
    *(behind == FLOWMAP_NONE ? &f->first : &r->nodes[behind].next) = i;
}

void
node_pop(struct replay *r, struct rflow *f)
{
    uint32_t i = f->first;

    f->first = r->nodes[i].next;
    f->hashed = 0;
    r->nodes[i].next = r->free_node;
    r->free_node = i;
    r->node_count--;
    if (f->excused && f->first == FLOWMAP_NONE)
        r->watching--;
}

void
node_take(struct replay *r, struct rflow *f, uint32_t before)
{
    uint32_t i;

    if (before == FLOWMAP_NONE) {
        node_pop(r, f);
        return;
    }
    i = r->nodes[before].next;
    r->nodes[before].next = r->nodes[i].next;
    if (f->last == i)
        f->last = before;
    r->nodes[i].next = r->free_node;
    r->free_node = i;
    r->node_count--;
}

void
nodes_drop(struct replay *r, struct rflow *f)
{
    f->excused = false; /* the caller has counted */
    while (f->first != FLOWMAP_NONE)
        node_pop(r, f);
}

void
nodes_drop_to_syn(struct replay *r, struct rflow *f, uint32_t isn)
{
    uint32_t i = f->first;

    while (
        i != FLOWMAP_NONE && (r->nodes[i].kind != NODE_SYN || r->nodes[i].seq != isn))
        i = r->nodes[i].next;
    if (i == FLOWMAP_NONE)
        return; /* it was kept from before the mark: none of the nodes is older */
    while (f->first != i)
        node_pop(r, f);
    while (f->first != FLOWMAP_NONE && r->nodes[f->first].kind == NODE_SYN &&
           r->nodes[f->first].seq == isn)
        node_pop(r, f); /* it was sent more than once */
}

static void
load_tcp(struct replay *r, struct rflow *f, const struct plog_output *o)
{
    struct node data = {
        .kind = NODE_DATA, .seq = o->seq, .size = o->size, .hash = o->hash
    };
    struct node mark = { .seq = o->seq + o->size };

    if (o->tcp_flags & TCP_SYN) {
        if (f->state == R_OPEN && f->have_answer && f->answer.seq == o->seq)
            return; /* once more, while its acknowledgement was on its way */
        data.kind = NODE_SYN;
        append(r, f, &data);
        return;
    }
    if (o->size > 0)
        add_data(r, f, &data);
    if (o->tcp_flags & (TCP_FIN | TCP_RST)) {
        mark.kind = o->tcp_flags & TCP_RST ? NODE_RST : NODE_FIN;
        append(r, f, &mark);
    }
}

static void
load(struct replay *r, const struct plog_record *rec)
{
    struct plog_output o;
    struct rflow *f;

    if (!plog_decode_output(rec, &o))
        return;
    f = replay_find(r, &o.flow);
    if (o.flow.protocol == PACKET_TCP) {
        if (f && !replay_lost(f))
            load_tcp(r, f, &o);
        return;
    }
    if (!f)
        f = replay_add(r, &o.flow, R_DATAGRAMS);
    if (f)
        append(r, f,
            &(struct node){ .kind = NODE_DATAGRAM, .size = o.size, .hash = o.hash });
}

/* Kept records are older than the image: what was put out then is not compared. */
void
nodes_load(struct replay *r)
{
    struct plog_record rec;
    struct cursor cur = r->expect;

    if (r->conf.mode != REPLAY_COMPARE)
        return;
    while (r->node_count + 2 <= r->sizes.outputs && !r->expect_ended) {
        r->expect_ended = !replay_read(r, &cur, &rec, r->scratch);
        r->expect = cur;
        if (!r->expect_ended && cur.in_log && rec.kind == PLOG_OUT)
            load(r, &rec);
    }
}
