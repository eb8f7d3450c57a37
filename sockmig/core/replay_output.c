/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * replay_output.c - what the service puts out: compared, and kept to be sent. */
#include "sockmig/core/replay_private.h"

#include <string.h>

/* Kept for the opening.  Lost for want of room is what is oldest; nothing depends on
 * it, the service's TCP has it as well and sends it again in its own time. */
static void
keep(struct replay *r, const struct rflow *f, const struct packet *pkt, uint32_t end)
{
    struct plog_record old, rec = { .kind = PLOG_OUT,
        .arg = (uint64_t)replay_index(r, f) << 32 | end,
        .size = pkt->size,
        .payload = pkt->data };

    if (plog_span(rec.size) > r->sent.size)
        return;
    while (!plog_ring_append_record(&r->sent, &rec))
        plog_read(&r->sent, &r->sent.begin, &old, r->scratch);
}

static bool
acknowledged(const struct rflow *f, uint32_t end)
{
    if (f->state == R_FRESH || f->state == R_DATAGRAMS)
        return false;
    return !seq_after(end, f->acked) ||
           (f->has_logged_ack && !f->many && !seq_after(end, f->logged_ack));
}

/* @f has made it, and it was compared as far as it can be: of one that is reset the
 * rest never comes. */
static uint32_t
compared(const struct replay *r, const struct rflow *f)
{
    bool partly = f->first != FLOWMAP_NONE && f->hashed > 0 &&
                  !r->nodes[f->first].blind;

    return partly ? f->out_next - f->hashed : f->out_next;
}

/* Bytes of @rec from the begin that may leave; UINT32_MAX: all of it. */
static uint32_t
may_send(const struct replay *r, const struct rflow *f, const struct plog_record *rec,
    struct packet *pkt)
{
    uint32_t upto = compared(r, f);

    if (upto == f->out_next ||
        !packet_parse(pkt, PACKET_OUT, rec->payload, rec->size) ||
        !packet_is_tcp(pkt) || pkt->tcp.flags & TCP_RST ||
        !seq_after(packet_seq_end(pkt), upto))
        return UINT32_MAX;
    return seq_after(upto, pkt->tcp.seq) ? upto - pkt->tcp.seq : 0;
}

/* What of @rec may leave, as *e; the rest is kept again.  False: nothing. */
static bool
send_compared(struct replay *r, const struct rflow *f, const struct plog_record *rec,
    struct replay_effect *e)
{
    struct packet pkt;
    uint32_t some = may_send(r, f, rec, &pkt);

    e->packet = rec->payload;
    e->size = rec->size;
    if (some == UINT32_MAX)
        return true;
    e->packet = r->buffer;
    e->size = packet_part(r->buffer, &pkt, 0, some);
    pkt.size = (uint32_t)packet_part(
        r->inject_scratch, &pkt, some, pkt.payload_size - some);
    pkt.data = r->inject_scratch;
    keep(r, f, &pkt, (uint32_t)rec->arg);
    return some > 0;
}

bool
output_send(struct replay *r, struct replay_effect *e)
{
    struct plog_record rec;

    while (r->sent.begin < r->send_end) {
        uint64_t at = r->sent.begin;
        const struct rflow *f;

        if (plog_read(&r->sent, &r->sent.begin, &rec, r->scratch) != PLOG_READ)
            return false;
        f = &r->flows[rec.arg >> 32];
        if (at < f->kept_from || replay_lost(f) || acknowledged(f, (uint32_t)rec.arg))
            continue;
        *e = (struct replay_effect){ .what = REPLAY_SEND,
            .flow = r->map.keys[rec.arg >> 32] };
        if (!send_compared(r, f, &rec, e))
            continue;
        r->stat.sent++;
        return true;
    }
    return false;
}

static bool
finish_node(struct replay *r, struct rflow *f, const struct node *n)
{
    if (n->blind)
        r->stat.uncompared++;
    else if (digest_value(&f->digest) != n->hash) {
        replay_kill(r, f, n->seq, "other bytes than the log has");
        return false;
    } else
        r->stat.compared += n->size;
    node_pop(r, f);
    return true;
}

/* @data begins at sequence number @seq, within node @n or before it.  Bytes used. */
static uint32_t
hash_part(struct replay *r, struct rflow *f, struct node *n, uint32_t seq,
    const uint8_t *data, uint32_t size)
{
    uint32_t left;

    if (seq_after(n->seq, seq)) /* bytes that the log knows nothing of */
        return n->seq - seq < size ? n->seq - seq : size;
    if (f->hashed == 0)
        digest_init(&f->digest, r->conf.seed);
    if (seq - n->seq != f->hashed) {
        n->blind = true;
        f->hashed = seq - n->seq;
    }
    left = n->size - f->hashed;
    if (size > left)
        size = left;
    digest_add(&f->digest, data, size);
    f->hashed += size;
    return size;
}

/* Nodes that were put out as a whole before the image was taken. */
static void
pass_old(struct replay *r, struct rflow *f, uint32_t seq)
{
    while (f->first != FLOWMAP_NONE) {
        const struct node *n = &r->nodes[f->first];
        bool old = n->kind == NODE_DATA && !seq_after(n->seq + n->size, seq);

        old |= n->kind == NODE_FIN && seq_after(seq, n->seq);
        if (!old)
            return;
        r->stat.uncompared++;
        node_pop(r, f);
    }
}

/* New bytes @data at f->out_next, then @fin.  False: it diverged. */
static bool
compare(struct replay *r, struct rflow *f, const uint8_t *data, uint32_t size, bool fin)
{
    uint32_t seq = f->out_next, n;

    while (size > 0 || fin) {
        struct node *node;

        pass_old(r, f, seq);
        if (f->first == FLOWMAP_NONE && !r->expect_ended)
            nodes_load(r);
        if (f->first == FLOWMAP_NONE) {
            if (r->expect_ended)
                return true; /* new output, the log ends before it */
            replay_kill(r, f, seq, "too far ahead of the log to be compared");
            return false;
        }
        node = &r->nodes[f->first];
        if (node->kind == NODE_SYN || node->kind == NODE_RST)
            return true;
        if (node->kind == NODE_FIN && size > 0) {
            replay_kill(r, f, seq, "goes on where the log has its end");
            return false;
        }
        if (size == 0) { /* the FIN */
            if (node->kind != NODE_FIN)
                replay_kill(r, f, seq, "ends where the log goes on");
            else
                node_pop(r, f);
            return node->kind == NODE_FIN;
        }
        n = hash_part(r, f, node, seq, data, size);
        seq += n;
        data += n;
        size -= n;
        if (f->hashed == node->size && !finish_node(r, f, node))
            return false;
    }
    return true;
}

/* What was in flight when the image was taken is put out once more when the clone
 * wakes, and swallowed like all else: who waits for it has nothing to send again, and
 * the service's TCP would wait for its timer.  Once is enough, whatever that does
 * meanwhile. */
static void
output_flight(struct replay *r, struct rflow *f, const struct packet *pkt, uint32_t end)
{
    if (f->flight == f->flight_end || !seq_after(end, f->flight) ||
        seq_after(pkt->tcp.seq, f->flight) || end == pkt->tcp.seq)
        return;
    f->flight = end;
    if (r->phase < PHASE_SEND && !acknowledged(f, end))
        keep(r, f, pkt, end);
}

/* Two processors put out what one socket sends: packets overtake each other, and none
 * comes again before a timer of the service's TCP.  The oldest has to make room. */
static void
keep_early(struct replay *r, const struct rflow *f, const struct packet *pkt)
{
    uint32_t i = r->next_early++ % REPLAY_EARLY;

    r->nearly += r->early[i].size == 0;
    r->early[i].flow = replay_index(r, f);
    r->early[i].size = pkt->size;
    memcpy(r->early_data + (size_t)i * PLOG_PAYLOAD, pkt->data, pkt->size);
}

/* One of @f that came before its time, and is of use now. */
static bool
take_early(struct replay *r, const struct rflow *f, struct packet *pkt)
{
    for (uint32_t i = 0; r->nearly > 0 && i < REPLAY_EARLY; i++) {
        const uint8_t *data = r->early_data + (size_t)i * PLOG_PAYLOAD;

        if (r->early[i].size == 0 || r->early[i].flow != replay_index(r, f) ||
            !packet_parse(pkt, PACKET_OUT, data, r->early[i].size) ||
            seq_after(pkt->tcp.seq, f->out_next))
            continue;
        r->early[i].size = 0;
        r->nearly--;
        return true;
    }
    return false;
}

static void
output_data(struct replay *r, struct rflow *f, struct packet *pkt, struct mono now)
{
    uint32_t end = packet_seq_end(pkt), skip = f->out_next - pkt->tcp.seq;
    bool fin = pkt->tcp.flags & TCP_FIN;

    if (seq_after(pkt->tcp.ack, f->in_next))
        f->in_next = pkt->tcp.ack; /* holes that were filled */
    if (seq_after(pkt->tcp.seq, f->out_next)) {
        if (end != pkt->tcp.seq)
            keep_early(r, f, pkt);
        return;
    }
    if (!seq_after(end, f->out_next)) {
        output_flight(r, f, pkt, end);
        return;
    }
    if (r->conf.mode == REPLAY_COMPARE &&
        !compare(r, f, pkt->payload + skip, pkt->payload_size - skip, fin))
        return;
    f->out_next = end;
    f->insists = 0;
    f->fin_out |= fin;
    f->output_us = now.us;
    replay_progress(r, now);
    if (f->unmet && !seq_after(f->need, end))
        unmet_remove(r, f);
    if ((r->phase < PHASE_SEND || replay_watched(f)) && !acknowledged(f, end))
        keep(r, f, pkt, end);
    if (r->phase == PHASE_DONE)
        r->send_end = r->sent.end;
}

/* What the service has closed is reset by its kernel when more comes in. */
static bool
expects_reset(const struct replay *r, const struct rflow *f)
{
    uint32_t i = f->first;

    while (i != FLOWMAP_NONE && r->nodes[i].kind != NODE_RST &&
           r->nodes[i].kind != NODE_FIN)
        i = r->nodes[i].next;
    return i != FLOWMAP_NONE || f->first == FLOWMAP_NONE;
}

static void
output_reset(struct replay *r, struct rflow *f, const struct packet *pkt)
{
    bool was_closed = replay_closed(f);

    r->stat.resets++;
    if (f->state != R_OPEN || was_closed)
        return;
    if (r->phase == PHASE_DONE) { /* the client speaks for itself now */
        r->watching -= replay_watched(f);
        nodes_drop(r, f);
        return;
    }
    if (!expects_reset(r, f)) {
        replay_kill(r, f, f->out_next, "the service reset it, unlike before");
        return;
    }
    f->fin_in = f->fin_out = true;
    unmet_remove(r, f);
    if (r->phase < PHASE_SEND)
        keep(r, f, pkt, f->acked + 1); /* always sent */
}

static void
output_lost(struct replay *r, struct rflow *f, const struct packet *pkt)
{
    uint32_t end = packet_seq_end(pkt);

    if (pkt->tcp.flags & TCP_RST)
        return;
    if (seq_after(end, f->out_next))
        f->out_next = end;
    if (seq_after(pkt->tcp.ack, f->in_next))
        f->in_next = pkt->tcp.ack;
    if (r->phase == PHASE_DONE && f->reset && !(pkt->tcp.flags & TCP_SYN))
        r->relapsed = replay_index(r, f);
}

static void
output_tcp(struct replay *r, struct packet *pkt, struct mono now)
{
    struct rflow *f = replay_find(r, &pkt->key);

    if (!f)
        return;
    if (r->phase == PHASE_LOG)
        window_told(r, f, pkt, now);
    if (replay_lost(f))
        output_lost(r, f, pkt);
    else if (pkt->tcp.flags & TCP_RST)
        output_reset(r, f, pkt);
    else if (f->state == R_FRESH && pkt->tcp.flags & TCP_SYN && r->phase < PHASE_SEND)
        keep(r, f, pkt, packet_seq_end(pkt));
    else if (f->state == R_OPEN && !(pkt->tcp.flags & TCP_SYN))
        do
            output_data(r, f, pkt, now);
        while (f->state == R_OPEN && take_early(r, f, pkt));
}

/* Two processors put out what one socket sends, and later fragments of all clients of a
 * host count as one flow: an answer may be so many places from where it was. */
#define OVERTAKEN 16

static bool
take_datagram(struct replay *r, struct rflow *f, const struct packet *pkt)
{
    uint64_t hash = digest_of(r->conf.seed, pkt->payload, pkt->payload_size);
    uint32_t before = FLOWMAP_NONE, i = f->first;

    for (unsigned n = 0; n < OVERTAKEN && i != FLOWMAP_NONE; n++) {
        if (r->nodes[i].size == pkt->payload_size && r->nodes[i].hash == hash) {
            node_take(r, f, before);
            return true;
        }
        before = i;
        i = r->nodes[i].next;
    }
    return false;
}

/* There is no connection to reset: what differs is counted.  What the log has may have
 * reached the client and is not sent again. */
static void
output_datagram(struct replay *r, const struct packet *pkt, struct mono now)
{
    struct rflow *f;

    nodes_load(r); /* the service may be faster than the first step in the log */
    f = replay_find(r, &pkt->key);
    if (!f)
        f = replay_add(r, &pkt->key, R_DATAGRAMS);
    if (!f || f->state != R_DATAGRAMS || r->phase >= PHASE_SEND)
        return;
    replay_progress(r, now);
    if (f->first == FLOWMAP_NONE) {
        keep(r, f, pkt, 0);
        return;
    }
    if (!take_datagram(r, f, pkt)) {
        r->stat.datagrams++;
        node_pop(r, f);
    }
    f->made++;
    if (f->unmet && (int32_t)(f->need - f->made) <= 0)
        unmet_remove(r, f);
}

/* What of @pkt was compared, up to @upto; the rest is not shown again. */
static void
keep_begin(
    struct replay *r, const struct rflow *f, const struct packet *pkt, uint32_t upto)
{
    struct packet begin = *pkt;

    begin.data = r->inject_scratch;
    begin.size = (uint32_t)packet_part(r->inject_scratch, pkt, 0, upto - pkt->tcp.seq);
    keep(r, f, &begin, upto);
    r->send_end = r->sent.end;
}

/* Of one that is watched what was new @before was kept, and leaves by output_send().
 * Sent again, its begin leaves if that was compared.  That its TCP sends again what
 * cannot be compared yet, and again, says that no more fits into a window, nor will: it
 * has to go then, or nothing would any more. */
static bool
was_sent(struct replay *r, struct rflow *f, const struct packet *pkt, uint32_t before)
{
    uint32_t end = packet_seq_end(pkt), upto = compared(r, f);

    if (!replay_watched(f) || end == pkt->tcp.seq)
        return true;
    if (seq_after(end, before))
        return false;
    if (!seq_after(end, upto))
        return true;
    if (seq_after(upto, pkt->tcp.seq)) {
        keep_begin(r, f, pkt, upto);
        return false;
    }
    if (++f->insists <= REPLAY_INSISTS)
        return false;
    r->stat.insisted++;
    return true;
}

/* Of a connection that is lost nothing but resets: the one that said so may have been
 * lost on its way. */
static bool
may_leave(struct replay *r, struct rflow *f, const struct packet *pkt, uint32_t before)
{
    if (!f || f->state == R_DATAGRAMS)
        return true;
    if (replay_lost(f))
        return f->state == R_DEAD && packet_is_tcp(pkt) && pkt->tcp.flags & TCP_RST;
    return was_sent(r, f, pkt, before);
}

bool
replay_output(struct replay *r, struct mono now, const uint8_t *data, size_t size)
{
    struct packet pkt;
    struct rflow *f;
    uint32_t before;

    if (r->phase < PHASE_DONE)
        r->stat.swallowed++;
    if (r->phase == PHASE_GONE || !packet_parse(&pkt, PACKET_OUT, data, size))
        return r->phase == PHASE_DONE;
    f = replay_find(r, &pkt.key);
    before = f ? f->out_next : 0;
    if (packet_is_tcp(&pkt))
        output_tcp(r, &pkt, now);
    else if (pkt.key.protocol == PACKET_UDP)
        output_datagram(r, &pkt, now);
    f = replay_find(r, &pkt.key);
    if (r->phase == PHASE_DONE && f && f->excused)
        r->starved = replay_index(r, f);
    return r->phase == PHASE_DONE && may_leave(r, f, &pkt, before);
}
