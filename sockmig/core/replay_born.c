/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * replay_born.c - connections that no image has: made again by the first packet behind
 * their handshake, or completed after the opening. */
#include "sockmig/core/replay_private.h"
#include "sockmig/core/segment.h"

#define AGE_MAX_US (1000000ll * 86400 * 365)
#define ROUND_TRIP_MOST_MS 1000

enum { LEAST_MSS = 536, LEAST_MSS_V6 = 1220 }; /* what the kernel's helper takes */

void
born_syn(struct replay *r, struct rflow *f, const struct packet *pkt)
{
    if (f->have_syn && f->syn.seq == pkt->tcp.seq)
        return;
    f->state = R_BORN;
    f->have_syn = true;
    /* an answer that the gate has passed is this one's only if it says so */
    f->have_answer = f->have_answer && f->answer.ack == pkt->tcp.seq + 1;
    f->fin_in = f->fin_out = false;
    f->syn = pkt->tcp;
    f->syn_at = r->inject;
    f->kept_from = r->sent.end;
    f->in_next = f->in_top = pkt->tcp.seq + 1;
}

/* What the service's clock would show by now, so that it never steps back for the
 * client, and a margin. */
static uint32_t
service_clock(const struct replay *r, const struct rflow *f, struct mono now)
{
    int64_t age = (int64_t)(r->newest_at - f->answered_us);

    if (r->newest_at < f->answered_us || age < 0 || age > AGE_MAX_US)
        age = 0; /* no clock of one node says so */
    age += r->conf.silent_us + (now.us - r->start_us);
    return f->answer.tsval + (uint32_t)(age / 1000) + TIMESTAMP_MARGIN_MS;
}

static void
describe(const struct replay *r, const struct rflow *f, uint32_t tsval, struct mono now,
    struct replay_request *q)
{
    const struct flow_key *key = &r->map.keys[replay_index(r, f)];
    uint16_t least = key->version == 4 ? LEAST_MSS : LEAST_MSS_V6;
    uint8_t options = f->answer.options;

    *q = (struct replay_request){ .key = *key,
        .client_isn = f->syn.seq,
        .server_isn = f->answer.seq,
        .mss = f->syn.mss > least ? f->syn.mss : least,
        .sack = f->syn.sack && options & PLOG_SACK,
        .ecn = options & PLOG_ECN,
        .wscale = f->syn.wscale != PACKET_NO_WSCALE && options & PLOG_WSCALE,
        .timestamps = f->syn.timestamps && options & PLOG_TIMESTAMPS };
    if (q->wscale) {
        q->snd_wscale = f->syn.wscale;
        q->rcv_wscale = f->answer.wscale;
    }
    if (q->timestamps) {
        q->rcv_tsval = tsval;
        q->rcv_tsecr = service_clock(r, f, now);
    }
}

/* Between the SYN-ACK and the first of its client, at @at_us. */
static uint32_t
round_trip_ms(const struct rflow *f, uint64_t at_us)
{
    uint64_t ms = at_us > f->answered_us ? (at_us - f->answered_us) / 1000 : 0;

    return ms < ROUND_TRIP_MOST_MS ? (uint32_t)ms : ROUND_TRIP_MOST_MS;
}

/* The packet itself, which came @at_us, comes with the next step, the connection is
 * open then. */
static void
rebuild(struct replay *r, struct rflow *f, const struct packet *pkt, uint64_t at_us,
    struct mono now, struct replay_effect *e)
{
    uint32_t isn = f->answer.seq;

    *e = (struct replay_effect){ .what = REPLAY_REBUILD, .flow = pkt->key };
    describe(
        r, f, pkt->tcp.timestamps ? pkt->tcp.tsval : f->syn.tsval, now, &e->request);
    nodes_drop_to_syn(r, f, isn);
    f->state = R_OPEN;
    f->out_next = f->acked = f->need = isn + 1;
    f->in_next = f->in_top = f->syn.seq + 1;
    f->window_most = 0;
    replay_heard(f, pkt->tcp.window);
    f->told_window = f->window;
    f->output_us = now.us;
    f->owes_ack = pkt->tcp.seq != f->in_next || pkt->tcp.ack != f->acked;
    f->rcv_wscale = e->request.wscale ? e->request.rcv_wscale & 15 : 0;
    f->snd_wscale = e->request.wscale ? e->request.snd_wscale & 15 : 0;
    f->segment = replay_said(
        segment_limit(e->request.mss, (uint32_t)f->window << f->snd_wscale),
        f->snd_wscale);
    f->has_edge = f->parted = f->full = false;
    f->has_echo = e->request.timestamps && pkt->tcp.timestamps;
    f->echo = e->request.rcv_tsecr - round_trip_ms(f, at_us);
    r->stat.rebuilt++;
}

/* Is all output loaded that stands before the input that comes next? */
static bool
is_foreseen(const struct replay *r)
{
    return r->expect_ended || r->expect.in_log > r->inject.in_log ||
           (r->expect.in_log == r->inject.in_log && r->expect.at > r->inject.at);
}

/* Does @ack acknowledge what this connection has never put out? */
static bool
is_strange(const struct replay *r, const struct rflow *f, uint32_t ack)
{
    uint32_t end = f->answer.seq + 1;

    for (uint32_t i = f->first; i != FLOWMAP_NONE; i = r->nodes[i].next) {
        const struct node *n = &r->nodes[i];

        if ((n->kind == NODE_DATA || n->kind == NODE_FIN) &&
            seq_after(n->seq + n->size, end))
            end = n->seq + n->size;
        if (n->kind == NODE_FIN)
            end++;
    }
    return seq_after(f->answer.seq + 1, ack) ||
           (r->conf.mode == REPLAY_COMPARE && is_foreseen(r) && seq_after(ack, end));
}

enum input_step
born_input(struct replay *r, struct rflow *f, const struct packet *pkt, uint64_t at_us,
    struct mono now, struct replay_effect *e)
{
    if (pkt->tcp.flags & TCP_RST)
        f->have_syn = false;
    if (!f->have_syn || !(pkt->tcp.flags & TCP_ACK))
        return input_skip(r);
    if (!f->have_answer && r->conf.mode == REPLAY_FEED)
        return input_skip(r); /* no answer left: it is of one that is over */
    if (!f->have_answer) {
        replay_kill(r, f, f->syn.seq, "its SYN-ACK is not in the log");
        return input_skip(r);
    }
    if (is_strange(r, f, pkt->tcp.ack))
        return input_skip(r); /* of one that was there before */
    rebuild(r, f, pkt, at_us, now, e);
    return INPUT_EFFECT;
}

/* A SYN that nobody has answered: the service answers it now. */
static bool
inject_syn(struct replay *r, struct rflow *f, struct replay_effect *e)
{
    struct cursor at = f->syn_at;
    struct plog_record rec;

    if (!replay_read(r, &at, &rec, r->inject_scratch) || rec.kind != PLOG_IN)
        return false;
    f->state = R_FRESH;
    input_inject(r, &rec, e);
    return true;
}

/* The SYN-ACK once more: the client may lack it, and must not get another one. */
static void
answer_again(
    struct replay *r, const struct rflow *f, struct mono now, struct replay_effect *e)
{
    const struct plog_output *o = &f->answer;
    struct packet_tcp tcp = { .seq = o->seq,
        .ack = o->ack,
        .window = o->window,
        .mss = o->mss,
        .sack = o->options & PLOG_SACK,
        .timestamps = o->options & PLOG_TIMESTAMPS,
        .wscale = o->options & PLOG_WSCALE ? o->wscale : PACKET_NO_WSCALE,
        .tsval = service_clock(r, f, now),
        .tsecr = o->tsecr };

    *e = (struct replay_effect){ .what = REPLAY_SEND,
        .packet = r->buffer,
        .flow = r->map.keys[replay_index(r, f)] };
    e->size = packet_synack(r->buffer, &e->flow, &tcp);
    r->stat.sent++;
}

bool
born_end(struct replay *r, struct rflow *f, struct mono now, struct replay_effect *e)
{
    if (f->state != R_BORN || !f->have_syn)
        return false;
    if (!f->have_answer)
        return inject_syn(r, f, e);
    if (f->told) {
        f->told = false;
        answer_again(r, f, now, e);
        return true;
    }
    f->told = true;
    *e = (struct replay_effect){ .what = REPLAY_HALF_OPEN,
        .flow = r->map.keys[replay_index(r, f)] };
    describe(r, f, f->syn.tsval, now, &e->request);
    r->stat.half_open++;
    return true;
}
