/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * replay_input.c - logged input, fed in. */
#include "sockmig/core/bigendian.h"
#include "sockmig/core/replay_private.h"

#include <string.h>

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

void
input_inject(struct replay *r, const struct plog_record *rec, struct replay_effect *e)
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

/* The acknowledgement that makes a connection again was an answer to a SYN-ACK of long
 * ago: with what it echoes its TCP would take all that time for a round trip, pace its
 * output by that (bbr) and wait a second and more before it sends again. */
static void
echo(struct replay *r, struct rflow *f, struct replay_effect *e)
{
    if (!f->has_echo)
        return;
    f->has_echo = false;
    if (e->packet != r->buffer)
        memcpy(r->buffer, e->packet, e->size);
    e->packet = r->buffer;
    packet_set_tsecr(r->buffer, e->size, f->echo);
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

enum input_step
input_skip(struct replay *r)
{
    r->stat.skipped++;
    return INPUT_AGAIN;
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
    input_inject(r, rec, e);
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
    echo(r, f, e);
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
        input_inject(r, rec, e);
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
    input_inject(r, rec, e);
    echo(r, f, e);
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
        return input_skip(r);
    if (syn && f->state == R_OPEN && !begins_anew(r, f, pkt))
        return input_skip(r);
    if (syn && f->state == R_OPEN && replay_closed(f))
        return end_the_last_one(r, f, e);
    if (syn && (f->state == R_BORN || replay_closed(f))) {
        born_syn(r, f, pkt);
        return INPUT_AGAIN;
    }
    if (f->full)
        return input_skip(r);
    if (f->state == R_BORN)
        return born_input(r, f, pkt, rec->at_us, now, e);
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
        did = input_skip(r);
    else if (packet_is_tcp(&pkt))
        did = input_tcp(r, rec, &pkt, now, e);
    else
        input_inject(r, rec, e);
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
