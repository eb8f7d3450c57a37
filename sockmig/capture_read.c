/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * capture_read.c - packets are read, both ways, and what they cause is logged. */
#include "sockmig/capture_private.h"

#include "sockmig/core/pace.h"

static struct plog_record
record_of(const struct capture *c, const struct captured *pkt, struct mono now)
{
    return (struct plog_record){ .kind = PLOG_IN,
        .flags = pkt->checksum_pending ? PLOG_UNSUMMED : 0,
        .protocol = pkt->protocol,
        .size = pkt->size,
        .at_us = (uint64_t)now.us,
        .arg = c->in.ordinal + 1,
        .payload = pkt->data };
}

static bool
log_input(struct engine *e, const struct plog_record *rec, uint64_t *lsn)
{
    static const uint8_t zeros[8];
    uint8_t head[PLOG_HEADER];
    struct rmcast_bytes pieces[] = { { head, sizeof head }, { rec->payload, rec->size },
        { zeros, plog_span(rec->size) - PLOG_HEADER - rec->size } };

    plog_head(rec, head);
    return mcast_append(e->capture.mcast, pieces, 3, lsn);
}

static bool
is_datagram(const struct packet *pkt, bool known)
{
    return known && pkt->key.protocol == PACKET_UDP;
}

static void
take_in(const struct captured *q, void *arg)
{
    struct engine *e = arg;
    struct capture *c = &e->capture;
    struct mono now = loop_now(e->loop);
    struct plog_record rec = record_of(c, q, now);
    struct packet pkt;
    uint64_t lsn = 0;
    bool known;

    c->last_in = q->id;
    known = packet_parse(&pkt, PACKET_IN, q->data, q->size);
    if (known && ((c->deaf && replayer_awaits(e, &pkt)) || !replayer_hears(e, &pkt))) {
        nfq_drop(c->in_queue, q->id);
        return;
    }
    if (capture_logs(e) && !log_input(e, &rec, &lsn)) {
        nfq_drop(c->in_queue, q->id); /* the client sends it again */
        c->unlogged++;
        return;
    }
    c->logged = lsn ? lsn : c->logged;
    held_push(&c->in, q->id, lsn, now); /* as large as the queue */
    if (known)
        births_input(c->births, &pkt, &rec, flows_input(c->flows, &pkt, now));
    if (is_datagram(&pkt, known))
        datagrams_in(&c->datagrams);
    overrun_note(&c->overrun, c->in.ordinal, known ? &pkt : NULL);
}

/* False: no room for its records. */
static bool
log_output(struct engine *e, const struct packet *pkt, struct mono now, uint64_t *lsn)
{
    struct capture *c = &e->capture;
    struct plog_output outputs[FLOWS_RECORDS];
    uint8_t records[FLOWS_RECORDS * PLOG_SMALL];
    size_t size = 0;
    unsigned n;

    if (capture_logs(e) && mcast_room(c->mcast) < sizeof records)
        return false;
    n = flows_output(c->flows, pkt, now, outputs, FLOWS_RECORDS);
    if (!capture_logs(e))
        return true;
    for (unsigned i = 0; i < n; i++)
        size += plog_encode_output(
            records + size, (uint64_t)now.us, c->out.ordinal + 1, &outputs[i]);
    return n == 0 || capture_append(e, records, size, lsn);
}

static void
take_out(const struct captured *q, void *arg)
{
    struct engine *e = arg;
    struct capture *c = &e->capture;
    struct mono now = loop_now(e->loop);
    struct packet pkt;
    uint64_t lsn = 0;
    bool known;

    c->last_out = q->id;
    c->queued++;
    if (!replayer_passes(e, q)) {
        capture_swallowed(e, q, now);
        egress_drop(c->out_queue, q->id);
        return;
    }
    known = packet_parse(&pkt, PACKET_OUT, q->data, q->size);
    if (is_datagram(&pkt, known))
        datagrams_out(&c->datagrams);
    if (known && !log_output(e, &pkt, now, &lsn)) {
        egress_drop(c->out_queue, q->id); /* the service's TCP sends it again */
        c->unlogged++;
        return;
    }
    c->logged = lsn ? lsn : c->logged;
    held_push(&c->out, q->id, lsn, now);
    if (known)
        births_output(c->births, &pkt, (uint64_t)now.us, c->out.ordinal);
}

void
capture_swallowed(struct engine *e, const struct captured *packet, struct mono now)
{
    struct packet pkt;

    if (packet_parse(&pkt, PACKET_OUT, packet->data, packet->size))
        births_output(e->capture.births, &pkt, (uint64_t)now.us, 1);
}

/* So that a mark can be told as an ordinal, see capture_mark(). */
static void
drop_anchor(struct capture *c)
{
    if (pthread_mutex_trylock(&c->deliver) != 0)
        return;
    c->anchor = c->out.ordinal;
    c->anchor_id = c->last_out;
    pthread_mutex_unlock(&c->deliver);
}

static void
look_at_events(struct capture *c)
{
    loop_io_events(c->in_io, c->rests || c->deaf ? 0 : LOOP_READ);
    loop_io_events(c->out_io, c->rests || c->waits ? 0 : LOOP_READ);
}

static void
rest(struct capture *c, unsigned us)
{
    bool now = us > 0;

    if (now)
        rest_begin(c->rest, us);
    if (now == c->rests)
        return;
    c->rests = now;
    look_at_events(c);
}

/* Under commit an answer waits for a checkpoint anyway; under replay the engine would
 * take the processor from the service at each of its answers. */
static struct gather_seen
look(const struct engine *e)
{
    const struct capture *c = &e->capture;
    uint64_t stable = mcast_stable(c->mcast);
    bool gathers = c->policy <= CONF_REPLAY && e->commit.set != 0;

    return (struct gather_seen){ .in = c->in.ordinal,
        .out = c->out.ordinal,
        .crowd = gathers && c->crowd >= GATHER_CROWD ? c->crowd : 0,
        .complete = c->policy == CONF_COMMIT && capture_is_complete(e),
        .brief = c->policy == CONF_REPLAY,
        .cut = c->settled,
        .unstable = c->logged > stable ? c->logged - stable : 0 };
}

static bool
read_in(struct engine *e)
{
    return nfq_read(e->capture.in_queue, take_in, e) > 0;
}

static void
read_out(struct engine *e)
{
    if (egress_read(e->capture.out_queue, take_out, e) > 0)
        drop_anchor(&e->capture);
}

void
capture_read_in(struct engine *e)
{
    while (read_in(e))
        continue;
}

/* Until it is over nothing is read: see have_read(). */
static bool
in_round(const struct engine *e)
{
    const struct capture *c = &e->capture;
    uint64_t stable = mcast_stable(c->mcast);
    uint64_t flushed = mcast_flushed(c->mcast);
    uint64_t unstable = flushed > stable ? flushed - stable : 0;

    return c->policy == CONF_REPLAY && e->commit.set != 0 &&
           gather_round(unstable, c->in.count + c->out.count);
}

/* How long to rest before the queues are read again; 0: until they have something. */
static unsigned
act(struct engine *e)
{
    struct capture *c = &e->capture;
    struct gather_seen seen = look(e);
    enum gather_turn turn = gather_turn(&c->gather, &seen);

    c->settled = false;
    replayer_watch(e);
    if (turn == GATHER_REST) {
        capture_pass(e); /* but the log is not sent for so few */
        return c->gather.rest_us;
    }
    if (turn == GATHER_GO && seen.brief) /* who was answered may ask again */
        c->crowd = pace_crowd(c->crowd,
            flows_asking(c->flows) + c->out.count + datagrams_asking(&c->datagrams));
    capture_go(e);
    return in_round(e) ? GATHER_ROUND_US : 0;
}

static void
read_both(struct engine *e)
{
    if (!e->capture.deaf)
        read_in(e);
    if (!e->capture.waits && !replayer_runs(e))
        read_out(e);
}

/* Rests in place, until @us are over or the round is back.  How much of it is left, as
 * another thread has a note for the loop. */
static unsigned
stay(struct engine *e, unsigned us)
{
    struct capture *c = &e->capture;
    const int fds[REST_FDS] = { mcast_fd(c->mcast), queue_fd(e->notes) };
    struct mono until = mono_add_us(loop_now(e->loop), us);
    int64_t left = us;

    while (left > 0 && !c->settled) {
        unsigned ready = rest_here(fds, REST_FDS, left);

        c->stays = true;
        if (ready & 1)
            mcast_listen(c->mcast);
        c->stays = false;
        left = mono_us_between(loop_now(e->loop), until);
        if (ready & 2)
            return left > 0 && !c->settled ? (unsigned)left : 1;
    }
    return 0;
}

/* Under replay what ends a rest is an acknowledgement or the time: to return to the
 * loop for it, and to tell epoll twice not to look at the queues and to look again, was
 * a fifth of the engine's time.  The loop has its turn after HERE_US. */
#define HERE_US 3000

static void
have_read(struct engine *e)
{
    struct capture *c = &e->capture;
    struct mono until = mono_add_us(loop_now(e->loop), HERE_US);
    unsigned us = act(e);

    while (us > 0 && c->policy == CONF_REPLAY &&
           mono_us_between(loop_now(e->loop), until) > us) {
        us = stay(e, us);
        if (us > 0)
            break;
        read_both(e);
        us = act(e);
    }
    rest(c, us);
}

void
capture_on_in(struct loop_io *io, int fd, int events, void *arg)
{
    struct engine *e = arg;

    (void)io;
    (void)fd;
    (void)events;
    read_in(e);
    have_read(e);
}

void
capture_on_out(struct loop_io *io, int fd, int events, void *arg)
{
    struct engine *e = arg;

    (void)io;
    (void)fd;
    (void)events;
    if (replayer_runs(e)) {
        replayer_turn(e);
        return;
    }
    read_out(e);
    have_read(e);
}

/* What a mark has found is not told by the descriptor any more.  In a rest it waits for
 * the end of that, as all does. */
void
capture_read_on(struct engine *e)
{
    struct capture *c = &e->capture;

    if (c->rests || c->waits || replayer_runs(e) || !egress_unread(c->out_queue))
        return;
    read_out(e);
    have_read(e);
}

void
capture_on_rested(void *arg)
{
    struct engine *e = arg;

    read_both(e);
    have_read(e);
}

/* The channel is in the middle of its turn: to read the queues is the loop's, or
 * stay()'s. */
void
capture_settled(struct engine *e)
{
    struct capture *c = &e->capture;
    bool ends = c->policy == CONF_REPLAY && !in_round(e);

    c->settled = ends && (c->stays || c->rests);
    if (!c->settled)
        capture_go(e);
    else if (!c->stays)
        rest_begin(c->rest, 1);
}

void
capture_wait(struct engine *e)
{
    e->capture.waits = true;
    look_at_events(&e->capture);
}

void
capture_look(struct engine *e)
{
    e->capture.waits = false;
    look_at_events(&e->capture);
}

void
capture_deafen(struct engine *e)
{
    e->capture.deaf = true;
    replayer_shut(e, true);
    look_at_events(&e->capture);
}

void
capture_hear(struct engine *e)
{
    struct capture *c = &e->capture;

    if (!c->deaf)
        return;
    capture_read_in(e);
    c->deaf = false;
    replayer_shut(e, false);
    look_at_events(c);
}
