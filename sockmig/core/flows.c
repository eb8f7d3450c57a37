/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/core/flows.h"

#include "sockmig/core/digest.h"
#include "sockmig/core/links.h"

#include <string.h>

struct flows {
    struct flowmap map;
    struct flow *entries;
    struct link *links; /* of each: in the list of its state */
    struct list lists[FLOW_CLOSED + 1];
    uint64_t seed, forgotten, stateless;
    uint32_t part;
    uint32_t asking;  /* entries that ask */
    uint32_t cancels; /* and 1 */
};

size_t
flows_size(uint32_t capacity)
{
    return carve_size(sizeof(struct flows)) + flowmap_size(capacity) +
           carve_size(capacity * sizeof(struct flow)) +
           carve_size(capacity * sizeof(struct link));
}

struct flows *
flows_init(void *memory, uint32_t capacity, uint64_t seed, uint32_t part)
{
    uint8_t *at = memory;
    struct flows *f = carve(&at, sizeof *f);

    memset(f, 0, sizeof *f);
    f->seed = seed;
    f->part = part;
    f->cancels = 1;
    flowmap_init(&f->map, carve(&at, flowmap_size(capacity)), capacity, seed);
    f->entries = carve(&at, capacity * sizeof *f->entries);
    memset(f->entries, 0, capacity * sizeof *f->entries);
    f->links = carve(&at, capacity * sizeof *f->links);
    for (int i = 0; i <= FLOW_CLOSED; i++)
        list_init(&f->lists[i]);
    return f;
}

static void
ask(struct flows *f, struct flow *e, bool asks)
{
    f->asking += asks && !e->asks;
    f->asking -= e->asks && !asks;
    e->asks = asks;
}

static void
enlist(struct flows *f, uint32_t i, enum flow_state state)
{
    f->entries[i].state = state;
    list_add(&f->lists[state], f->links, i);
}

static void
unlist(struct flows *f, uint32_t i)
{
    list_remove(&f->lists[f->entries[i].state], f->links, i);
}

static void
become(struct flows *f, struct flow *e, enum flow_state state)
{
    uint32_t i = (uint32_t)(e - f->entries);

    if (e->state == state)
        return;
    unlist(f, i);
    enlist(f, i, state);
}

static void
forget(struct flows *f, uint32_t i)
{
    ask(f, &f->entries[i], false);
    unlist(f, i);
    flowmap_remove(&f->map, i);
}

static void
make_room(struct flows *f)
{
    if (f->lists[FLOW_HALF_OPEN].count > 0) {
        f->forgotten++;
        forget(f, f->lists[FLOW_HALF_OPEN].oldest);
    } else if (f->lists[FLOW_CLOSED].count > 0) {
        forget(f, f->lists[FLOW_CLOSED].oldest);
    }
}

static void
start(struct flow *e, const struct packet *pkt, struct mono now)
{
    e->last = now;
    e->isn = pkt->tcp.seq;
    e->out_next = pkt->tcp.seq;
    e->hole = e->hole_end = pkt->tcp.seq;
    e->fin_in = e->fin_out = e->heard = false;
    e->told = 0;
}

static struct flow *
add(struct flows *f, const struct packet *pkt, struct mono now)
{
    uint32_t i;

    if (f->map.count == f->map.capacity)
        make_room(f);
    i = flowmap_add(&f->map, &pkt->key);
    if (i == FLOWMAP_NONE) {
        f->stateless++;
        return NULL;
    }
    f->entries[i].key = pkt->key;
    start(&f->entries[i], pkt, now);
    enlist(f, i, pkt->tcp.flags & TCP_SYN ? FLOW_HALF_OPEN : FLOW_OPEN);
    return &f->entries[i];
}

static struct flow *
find(struct flows *f, const struct packet *pkt)
{
    uint32_t i = flowmap_find(&f->map, &pkt->key);

    return i == FLOWMAP_NONE ? NULL : &f->entries[i];
}

static void
move_on(struct flows *f, struct flow *e, const struct packet *pkt, struct mono now)
{
    e->last = now;
    if (pkt->tcp.flags & TCP_RST || (e->fin_in && e->fin_out)) {
        ask(f, e, false);
        become(f, e, FLOW_CLOSED);
    }
}

/* Two processors put out what one socket sends: packets overtake each other, and what
 * was passed over is as new as the rest when it comes.  Several holes are one, with
 * what is between them: replay does not mind what is logged twice. */
static void
pass_over(struct flow *flow, uint32_t seq)
{
    if (!seq_after(seq, flow->out_next))
        return;
    if (flow->hole == flow->hole_end)
        flow->hole = flow->out_next;
    flow->hole_end = seq;
}

static bool
fills(const struct flow *flow, uint32_t seq, uint32_t end)
{
    return flow->hole != flow->hole_end && seq_after(flow->hole_end, seq) &&
           seq_after(end, flow->hole);
}

/* [@seq, @end) is logged, or in the client's hands and so was. */
static void
fill(struct flow *flow, uint32_t seq, uint32_t end)
{
    if (!fills(flow, seq, end))
        return;
    if (!seq_after(seq, flow->hole))
        flow->hole = seq_after(end, flow->hole_end) ? flow->hole_end : end;
    else if (!seq_after(flow->hole_end, end))
        flow->hole_end = seq;
}

/* What was never put out is no acknowledgement; the kernel drops it. */
static void
hear(struct flow *flow, const struct packet_tcp *tcp)
{
    if ((tcp->flags & (TCP_ACK | TCP_RST)) != TCP_ACK ||
        seq_after(tcp->ack, flow->out_next))
        return;
    if (!flow->heard || seq_after(tcp->ack, flow->acked))
        flow->acked = tcp->ack;
    flow->window = tcp->window;
    flow->heard = true;
    fill(flow, flow->hole, flow->acked);
}

/* True: it comes after a hole, or it may: what it follows may have been dropped. */
static bool
take_in(const struct flows *f, struct flow *flow, const struct packet *pkt)
{
    uint32_t end = packet_seq_end(pkt);

    if (flow->told == 0 || end == pkt->tcp.seq || pkt->tcp.flags & TCP_SYN)
        return false;
    if (flow->told != f->cancels || seq_after(pkt->tcp.seq, flow->in_next))
        return true;
    if (seq_after(end, flow->in_next))
        flow->in_next = end;
    return false;
}

void
flows_cancelled(struct flows *f)
{
    f->cancels++;
}

static void
tell(const struct flows *f, struct flow *flow, const struct packet *pkt)
{
    if (!(pkt->tcp.flags & TCP_ACK))
        return;
    if (flow->told != f->cancels || seq_after(pkt->tcp.ack, flow->in_next))
        flow->in_next = pkt->tcp.ack;
    flow->told = f->cancels;
}

bool
flows_input(struct flows *f, const struct packet *pkt, struct mono now)
{
    struct flow *e;

    if (!packet_is_tcp(pkt))
        return false;
    e = find(f, pkt);
    if (!e) /* it may be from before this reign, and its service has said nothing yet */
        return pkt->payload_size > 0 && !(pkt->tcp.flags & (TCP_SYN | TCP_RST));
    e->fin_in |= pkt->tcp.flags & TCP_FIN;
    /* its first acknowledgement: only who has seen the SYN-ACK knows the number */
    if (e->state == FLOW_HALF_OPEN && pkt->tcp.flags & TCP_ACK &&
        pkt->tcp.ack == e->isn + 1)
        become(f, e, FLOW_OPEN);
    if (e->state == FLOW_OPEN)
        hear(e, &pkt->tcp);
    if (pkt->payload_size > 0 && e->state == FLOW_OPEN)
        ask(f, e, true);
    move_on(f, e, pkt, now);
    return take_in(f, e, pkt);
}

/* The part of @pkt in [@from, @to), sequence numbers. */
static void
describe_data(
    const struct packet *pkt, uint32_t from, uint32_t to, struct plog_output *out)
{
    uint32_t skip = seq_after(from, pkt->tcp.seq) ? from - pkt->tcp.seq : 0;
    uint32_t size = pkt->payload_size;

    if (skip > size)
        skip = size;
    if (seq_after(pkt->tcp.seq + size, to))
        size = to - pkt->tcp.seq;
    out->seq = pkt->tcp.seq + skip;
    out->size = size - skip;
}

/* A SYN with another number than the last one begins a connection anew.  The same one
 * again is logged again as long as it waits: a standby that came since then lacks it.
 */
static bool
output_syn(struct flows *f, struct flow *e, const struct packet *pkt, struct mono now,
    struct plog_output *out)
{
    bool new = !e || e->out_next == e->isn || e->isn != pkt->tcp.seq;

    if (!new && e->state != FLOW_HALF_OPEN)
        return false;
    if (e && new) {
        ask(f, e, false);
        start(e, pkt, now);
        become(f, e, FLOW_HALF_OPEN);
        e->out_next = pkt->tcp.seq + 1;
    }
    plog_describe_syn(pkt, out);
    return true;
}

static void
tell_what_was_heard(const struct flow *flow, struct plog_output *out)
{
    if (!flow->heard)
        return;
    out->options = PLOG_ACKED;
    out->acked = flow->acked;
    out->window = flow->window;
}

/* Of what was put out before only the part that fills a hole. */
static bool
output_old(
    struct flow *flow, const struct packet *pkt, uint32_t end, struct plog_output *out)
{
    if (!fills(flow, pkt->tcp.seq, end))
        return false;
    describe_data(pkt, flow->hole, flow->hole_end, out);
    out->tcp_flags = 0;
    tell_what_was_heard(flow, out);
    fill(flow, pkt->tcp.seq, end);
    return true;
}

static bool
output_new(struct flows *f, struct flow *e, const struct packet *pkt, uint32_t end,
    struct mono now, struct plog_output *out)
{
    struct flow *flow = e;
    bool whole = fills(flow, pkt->tcp.seq, end);

    describe_data(pkt, whole ? flow->hole : flow->out_next, end, out);
    tell_what_was_heard(flow, out);
    fill(flow, pkt->tcp.seq, end);
    if (seq_after(end, flow->out_next)) {
        pass_over(flow, pkt->tcp.seq);
        flow->out_next = end;
    }
    ask(f, e, false);
    flow->fin_out |= pkt->tcp.flags & TCP_FIN;
    move_on(f, e, pkt, now);
    return true;
}

static bool
output_tcp(
    struct flows *f, const struct packet *pkt, struct mono now, struct plog_output *out)
{

    struct flow *e = find(f, pkt);
    uint32_t end = packet_seq_end(pkt);

    if (!e &&
        !(pkt->tcp.flags & TCP_RST)) /* one for a stray packet has no connection */
        e = add(f, pkt, now);
    *out = (struct plog_output){ .flow = pkt->key,
        .tcp_flags = pkt->tcp.flags & PLOG_TCP_FLAGS };
    if (pkt->tcp.flags & TCP_SYN)
        return output_syn(f, e, pkt, now, out);
    if (e)
        tell(f, e, pkt);
    if (end == pkt->tcp.seq && !(pkt->tcp.flags & TCP_RST))
        return false;
    if (!e) {
        describe_data(pkt, pkt->tcp.seq, end, out);
        return true;
    }
    return seq_after(end, e->out_next) || pkt->tcp.flags & TCP_RST
               ? output_new(f, e, pkt, end, now, out)
               : output_old(e, pkt, end, out);
}

/* What @out says of @pkt as a whole is told in parts with a digest each: a clone that
 * has put out a part only of what was one packet can be compared up to there. */
static unsigned
parts(const struct flows *f, const struct packet *pkt, struct plog_output *out,
    unsigned max)
{
    const uint8_t *data = pkt->payload + (out->seq - pkt->tcp.seq);
    unsigned n = 1;

    for (; out->size > f->part && n < max; n++, out++) {
        out[1] = out[0];
        out[0].size = f->part;
        out[0].hash = digest_of(f->seed, data, f->part);
        out[0].tcp_flags = 0; /* the end goes with the last byte */
        out[1].seq += f->part;
        out[1].size -= f->part;
        data += f->part;
    }
    out->hash = digest_of(f->seed, data, out->size);
    return n;
}

unsigned
flows_output(struct flows *f, const struct packet *pkt, struct mono now,
    struct plog_output *out, unsigned max)
{
    if (packet_is_tcp(pkt)) {
        if (!output_tcp(f, pkt, now, out))
            return 0;
        return pkt->tcp.flags & TCP_SYN ? 1 : parts(f, pkt, out, max);
    }
    if (pkt->key.protocol != PACKET_UDP)
        return 0;
    *out = (struct plog_output){ .flow = pkt->key,
        .size = pkt->payload_size,
        .hash = digest_of(f->seed, pkt->payload, pkt->payload_size) };
    return 1;
}

static void
expire(struct flows *f, enum flow_state state, struct mono now)
{
    const struct list *l = &f->lists[state];

    while (l->count > 0 && mono_us_between(f->entries[l->oldest].last, now) >
                               FLOWS_CLOSED_MS * (int64_t)1000)
        forget(f, l->oldest);
}

void
flows_tick(struct flows *f, struct mono now)
{
    expire(f, FLOW_HALF_OPEN, now);
    expire(f, FLOW_CLOSED, now);
}

uint32_t
flows_asking(const struct flows *f)
{
    return f->asking;
}

struct flows_stat
flows_stat(const struct flows *f)
{
    return (struct flows_stat){ .half_open = f->lists[FLOW_HALF_OPEN].count,
        .open = f->lists[FLOW_OPEN].count,
        .closed = f->lists[FLOW_CLOSED].count,
        .forgotten = f->forgotten,
        .stateless = f->stateless };
}
