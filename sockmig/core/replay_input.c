/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * replay_input.c - logged input, fed in; connections that no image has, made again. */
#include "sockmig/core/bigendian.h"
#include "sockmig/core/replay_private.h"
#include "sockmig/core/segment.h"

#include <string.h>

#define AGE_MAX_US (1000000ll * 86400 * 365)

enum { LEAST_MSS = 536, LEAST_MSS_V6 = 1220 }; /* what the kernel's helper takes */

void
input_cancel(struct replay *r, uint64_t first, uint64_t last)
{
    /* Without room it is injected: client input all the same, only not delivered then.
     */
    if (r->ncancels == REPLAY_CANCELS)
        return;
    r->cancels[r->ncancels].first = first;
    r->cancels[r->ncancels++].last = last;
}

/* Ordinals only grow: ranges before @ordinal are done with. */
static bool
cancelled(struct replay *r, uint64_t ordinal)
{
    uint32_t done = 0;

    while (done < r->ncancels && r->cancels[done].last < ordinal)
        done++;
    r->ncancels -= done;
    if (done > 0)
        memmove(r->cancels, r->cancels + done, r->ncancels * sizeof r->cancels[0]);
    return r->ncancels > 0 && r->cancels[0].first <= ordinal;
}

/* The packet with its checksum complete. */
static void
inject(struct replay *r, const struct plog_record *rec, struct replay_effect *e)
{
    *e = (struct replay_effect){ .what = REPLAY_INJECT,
        .packet = rec->payload,
        .size = rec->size,
        .ordinal = rec->arg };
    if (rec->flags & PLOG_UNSUMMED) {
        memcpy(r->buffer, rec->payload, rec->size);
        packet_complete(r->buffer, rec->size);
        e->packet = r->buffer;
    }
    r->stat.injected++;
}

void
input_synthetic(struct replay *r, struct rflow *f, uint32_t ack, uint16_t window,
    struct replay_effect *e)
{
    const struct flow_key *key = &r->map.keys[replay_index(r, f)];

    *e = (struct replay_effect){
        .what = REPLAY_INJECT, .packet = r->buffer, .flow = *key
    };
    e->size = packet_ack(r->buffer, key, PACKET_IN, f->in_next, ack, window);
    f->acked = ack;
    f->told_window = window;
    r->stat.synthetic++;
}

static void
take_syn(struct replay *r, struct rflow *f, const struct packet *pkt)
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

/* The packet itself comes with the next step, the connection is open then. */
static void
rebuild(struct replay *r, struct rflow *f, const struct packet *pkt, struct mono now,
    struct replay_effect *e)
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
    r->stat.rebuilt++;
}

static enum input_step
skip(struct replay *r)
{
    r->stat.skipped++;
    return INPUT_AGAIN;
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

static enum input_step
input_to_born(struct replay *r, struct rflow *f, const struct packet *pkt,
    struct mono now, struct replay_effect *e)
{
    if (pkt->tcp.flags & TCP_RST)
        f->have_syn = false;
    if (!f->have_syn || !(pkt->tcp.flags & TCP_ACK))
        return skip(r);
    if (!f->have_answer && r->conf.mode == REPLAY_FEED)
        return skip(r); /* no answer left: it is of one that is over */
    if (!f->have_answer) {
        replay_kill(r, f, f->syn.seq, "its SYN-ACK is not in the log");
        return skip(r);
    }
    if (is_strange(r, f, pkt->tcp.ack))
        return skip(r); /* of one that was there before */
    rebuild(r, f, pkt, now, e);
    return INPUT_EFFECT;
}

static void
went_in(struct rflow *f, const struct packet *pkt)
{
    const struct packet_tcp *tcp = &pkt->tcp;
    uint32_t end = packet_seq_end(pkt);

    if (!seq_after(f->acked, tcp->ack)) /* else what it says is old to its TCP */
        f->told_window = tcp->window;
    replay_heard(f, tcp->window);
    if (packet_resets(pkt, f->in_next, f->in_top))
        f->fin_in = f->fin_out = true;
    if (tcp->flags & TCP_ACK && seq_after(tcp->ack, f->acked))
        f->acked = tcp->ack;
    if (end != tcp->seq && seq_after(end, f->in_top))
        f->in_top = end;
    if (!seq_after(tcp->seq, f->in_next) && seq_after(end, f->in_next))
        f->in_next = end;
    if (tcp->flags & TCP_FIN)
        f->fin_in = true;
}

/* Until output up to @ack is made; or, @full, until the service has read. */
static enum input_step
blocked(struct replay *r, const struct rflow *f, uint32_t ack, bool full)
{
    r->blocked = replay_index(r, f);
    r->blocked_ack = ack;
    r->blocked_full = full;
    return INPUT_BLOCKED;
}

/* It will be reset, so the service may forget all that it has put out: acknowledged,
 * for what the log acknowledges may be more than was made. */
static enum input_step
input_to_doomed(struct replay *r, struct rflow *f, const struct packet *pkt,
    const struct plog_record *rec, struct mono now, struct replay_effect *e)
{
    uint32_t at = pkt->transport + 8;

    if (window_room(r, f, pkt, 0, now) < packet_seq_end(pkt) - pkt->tcp.seq)
        return blocked(r, f, f->acked, true);
    inject(r, rec, e);
    memmove(r->buffer, rec->payload, rec->size);
    put_be32(r->buffer + at, f->out_next);
    packet_complete(r->buffer, rec->size);
    e->packet = r->buffer;
    went_in(f, pkt);
    f->acked = f->out_next;
    return INPUT_EFFECT;
}

/* What the service has room for, of a packet that does not go in as it is. */
static enum input_step
input_part(struct replay *r, struct rflow *f, const struct packet *pkt,
    const struct plog_record *rec, uint32_t room, struct replay_effect *e)
{
    uint32_t skip = f->parted ? f->in_next - pkt->tcp.seq : 0;

    if (room > pkt->payload_size - skip) /* the end comes with it */
        room = pkt->payload_size - skip;
    f->parted = skip + room < pkt->payload_size;
    *e = (struct replay_effect){ .what = REPLAY_INJECT,
        .packet = r->buffer,
        .size = packet_part(r->buffer, pkt, skip, room),
        .ordinal = f->parted ? 0 : rec->arg };
    r->stat.injected += !f->parted;
    if (f->parted)
        f->in_next = pkt->tcp.seq + skip + room;
    else
        went_in(f, pkt);
    return INPUT_EFFECT;
}

static enum input_step
input_to_open(struct replay *r, struct rflow *f, const struct packet *pkt,
    const struct plog_record *rec, struct mono now, struct replay_effect *e)
{
    uint32_t skip = f->parted ? f->in_next - pkt->tcp.seq : 0;
    uint32_t left = packet_seq_end(pkt) - pkt->tcp.seq - skip;
    uint32_t room = window_room(r, f, pkt, skip, now);

    if (replay_closed(f)) {
        /* perhaps earlier than at first: nothing that is waited for comes of it */
        inject(r, rec, e);
        return INPUT_EFFECT;
    }
    if (f->owes_ack) {
        f->owes_ack = false;
        input_synthetic(r, f, f->acked, f->window, e);
        return INPUT_EFFECT;
    }
    if (pkt->tcp.flags & TCP_ACK && seq_after(pkt->tcp.ack, f->out_next) &&
        f->state == R_OPEN)
        return blocked(r, f, pkt->tcp.ack, false);
    if (room == 0 && left > 0)
        return blocked(r, f, f->acked, true);
    if (skip > 0 || room < left)
        return input_part(r, f, pkt, rec, room, e);
    inject(r, rec, e);
    went_in(f, pkt);
    if (pkt->tcp.flags & TCP_RST && replay_closed(f))
        unmet_remove(r, f); /* nobody is there to write to */
    return INPUT_EFFECT;
}

/* The one before may be in TIME_WAIT.  The kernel takes a SYN then, but a connection is
 * made again by its first acknowledgement, which would not get past that: a reset ends
 * it (RFC 1337), and says nothing to anybody if there is none. */
static enum input_step
end_the_last_one(struct replay *r, struct rflow *f, struct replay_effect *e)
{
    reset_service(r, f, e);
    f->state = R_BORN;
    f->have_syn = false;
    return INPUT_EFFECT;
}

/* Or is @syn that of @f once more?  A network may repeat it, and what @f has in flight
 * would be lost with it.  It is older than what has come; of one that is not known to
 * be @f's own an answer in the log says that it was new all the same. */
static bool
begins_anew(const struct replay *r, const struct rflow *f, const struct packet *syn)
{
    uint32_t i = f->first;

    if (f->have_syn && f->syn.seq == syn->tcp.seq)
        return false;
    while (i != FLOWMAP_NONE && r->nodes[i].kind != NODE_SYN)
        i = r->nodes[i].next;
    return i != FLOWMAP_NONE || seq_after(syn->tcp.seq, f->in_next);
}

static enum input_step
input_tcp(struct replay *r, const struct plog_record *rec, const struct packet *pkt,
    struct mono now, struct replay_effect *e)
{
    bool syn = (pkt->tcp.flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
    struct rflow *f = replay_find(r, &pkt->key);

    if (!f || f->state == R_DEAD)
        return skip(r);
    if (syn && f->state == R_OPEN && !begins_anew(r, f, pkt))
        return skip(r);
    if (syn && f->state == R_OPEN && replay_closed(f))
        return end_the_last_one(r, f, e);
    if (syn && (f->state == R_BORN || replay_closed(f))) {
        take_syn(r, f, pkt);
        return INPUT_AGAIN;
    }
    if (f->full)
        return skip(r);
    if (f->state == R_BORN)
        return input_to_born(r, f, pkt, now, e);
    if (f->state == R_DOOMED)
        return input_to_doomed(r, f, pkt, rec, now, e);
    return input_to_open(r, f, pkt, rec, now, e);
}

/* REBUILD and what a connection owes come before the packet that brought them: the
 * cursor then stays. */
static enum input_step
input_packet(struct replay *r, const struct plog_record *rec, struct cursor next,
    struct mono now, struct replay_effect *e)
{
    enum input_step did = INPUT_EFFECT;
    struct packet pkt;

    if (cancelled(r, rec->arg) ||
        !packet_parse(&pkt, PACKET_IN, rec->payload, rec->size))
        did = skip(r);
    else if (packet_is_tcp(&pkt))
        did = input_tcp(r, rec, &pkt, now, e);
    else
        inject(r, rec, e);
    if (did == INPUT_BLOCKED)
        return did;
    r->blocked = FLOWMAP_NONE;
    if (did == INPUT_AGAIN || (e->what == REPLAY_INJECT && e->ordinal != 0))
        r->inject = next;
    replay_progress(r, now);
    return did;
}

enum input_step
input_step(struct replay *r, struct mono now, struct replay_effect *e)
{
    struct cursor next = r->inject;
    struct plog_record rec;

    while (replay_read(r, &next, &rec, r->inject_scratch)) {
        if (next.in_log && (next.at > r->gate.at || !r->gate.in_log))
            return INPUT_MET; /* nothing is injected that the gate has not passed */
        if (rec.kind == PLOG_IN && next.in_log && rec.arg > r->goal)
            return INPUT_MET;
        if (rec.kind == PLOG_IN)
            return input_packet(r, &rec, next, now, e);
        r->inject = next;
    }
    return INPUT_MET;
}

bool
replay_input(struct replay *r, const struct packet *pkt)
{
    const struct packet_tcp *tcp = &pkt->tcp;
    struct rflow *f = packet_is_tcp(pkt) ? replay_find(r, &pkt->key) : NULL;

    if (r->phase == PHASE_DONE && f && f->state == R_DEAD && tcp->flags & TCP_SYN)
        f->state = R_FRESH; /* its client begins anew */
    if (r->phase != PHASE_DONE || !f || f->state != R_OPEN || replay_closed(f) ||
        !replay_watched(f) || (tcp->flags & (TCP_ACK | TCP_RST)) != TCP_ACK)
        return true;
    if (!seq_after(tcp->ack, f->out_next)) {
        if (seq_after(tcp->ack, f->acked))
            f->acked = tcp->ack;
        return true;
    }
    if (f->many || !f->has_logged_ack || seq_after(tcp->ack, f->logged_ack))
        f->logged_ack = tcp->ack;
    f->has_logged_ack = true;
    f->many = false;
    r->starved = replay_index(r, f);
    return false;
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
    inject(r, &rec, e);
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
input_born(struct replay *r, struct rflow *f, struct mono now, struct replay_effect *e)
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
