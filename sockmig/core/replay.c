/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/core/image.h"
#include "sockmig/core/replay_private.h"
#include "sockmig/core/segment.h"

#include <assert.h>
#include <string.h>

size_t
replay_size(const struct replay_sizes *s)
{
    return carve_size(sizeof(struct replay)) + flowmap_size(s->flows) +
           carve_size(s->flows * sizeof(struct rflow)) +
           carve_size(s->outputs * sizeof(struct node)) + carve_size(s->bytes) +
           (3 + REPLAY_EARLY) * carve_size(PLOG_PAYLOAD);
}

struct replay *
replay_init(void *memory, const struct replay_sizes *s)
{
    uint8_t *at = memory;
    struct replay *r = carve(&at, sizeof *r);

    memset(r, 0, sizeof *r);
    r->sizes = *s;
    flowmap_init(&r->map, carve(&at, flowmap_size(s->flows)), s->flows, 0);
    r->flows = carve(&at, s->flows * sizeof *r->flows);
    r->nodes = carve(&at, s->outputs * sizeof *r->nodes);
    plog_ring_init(&r->sent, carve(&at, s->bytes), s->bytes, 0);
    r->scratch = carve(&at, PLOG_PAYLOAD);
    r->inject_scratch = carve(&at, PLOG_PAYLOAD);
    r->buffer = carve(&at, PLOG_PAYLOAD);
    r->early_data = carve(&at, REPLAY_EARLY * PLOG_PAYLOAD);
    r->free_node = r->unmet_first = r->blocked = r->starved = r->relapsed =
        FLOWMAP_NONE;
    r->report_first = r->report_last = FLOWMAP_NONE;
    return r;
}

struct rflow *
replay_find(const struct replay *r, const struct flow_key *key)
{
    uint32_t i = flowmap_find(&r->map, key);

    return i == FLOWMAP_NONE ? NULL : &r->flows[i];
}

struct rflow *
replay_add(struct replay *r, const struct flow_key *key, enum rstate state)
{
    uint32_t i = flowmap_add(&r->map, key);

    if (i == FLOWMAP_NONE) {
        r->stat.skipped++;
        return NULL;
    }
    r->flows[i] = (struct rflow){ .state = state,
        .segment = 1,
        .first = FLOWMAP_NONE,
        .last = FLOWMAP_NONE,
        .to_report = FLOWMAP_NONE };
    return &r->flows[i];
}

bool
replay_connection(struct replay *r, const struct replay_connection *c)
{
    struct rflow *f = replay_find(r, &c->key);

    if (!f)
        f = replay_add(r, &c->key, R_OPEN);
    if (!f)
        return false;
    f->out_next = f->need = f->flight_end = c->snd_nxt;
    f->acked = f->flight = c->snd_una;
    f->in_next = f->in_top = c->rcv_nxt;
    f->fin_in = c->fin_in;
    f->fin_out = c->fin_out;
    f->window = f->told_window = c->window;
    f->segment = c->segment;
    f->window_most = c->window_most;
    f->snd_wscale = c->snd_wscale;
    f->has_edge = c->has_edge;
    f->edge = c->edge;
    f->rcv_wscale = c->rcv_wscale;
    return true;
}

/* TCP states that have sent a FIN once all data are out; that have got one. */
static bool
sends_fin(uint32_t state)
{
    return state == 4 || state == 5 || state == 9 || state == 11;
}

static bool
has_fin(uint32_t state)
{
    return state == 8 || state == 9 || state == 11;
}

bool
replay_connection_image(const struct image_tcp *tcp, struct replay_connection *c)
{
    unsigned scale = tcp->snd_wscale & 15;
    uint32_t most = tcp->has_window ? tcp->max_window : 0;
    bool fin = sends_fin(tcp->state);

    if (!flow_key_tcp(&c->key, tcp->local, tcp->remote))
        return false;
    c->snd_una = tcp->write_seq - tcp->outq - (fin && tcp->state != 5);
    /* a FIN behind data that were never sent was not sent either */
    c->snd_nxt = tcp->write_seq - tcp->unsent - (fin && tcp->unsent > 0);
    c->rcv_nxt = tcp->rcv_nxt;
    c->fin_in = has_fin(tcp->state);
    c->fin_out = fin && tcp->unsent == 0;
    c->window = replay_sayable(tcp->snd_wnd >> scale);
    c->segment = replay_said(segment_limit(tcp->mss, most), scale);
    c->window_most = replay_sayable(
        (most > tcp->snd_wnd ? most : tcp->snd_wnd) >> scale);
    c->snd_wscale = (uint8_t)scale;
    c->has_edge = tcp->has_window;
    c->edge = tcp->rcv_wup + tcp->rcv_wnd;
    c->rcv_wscale = tcp->rcv_wscale & 15;
    return true;
}

bool
replay_read(const struct replay *r, struct cursor *cur, struct plog_record *rec,
    uint8_t *scratch)
{
    const struct plog_mark *mark = &r->conf.mark;

    if (!cur->in_log) {
        if (plog_read(r->conf.kept, &cur->at, rec, scratch) == PLOG_READ)
            return true;
        *cur = (struct cursor){ true, r->conf.log->begin };
    }
    while (plog_read(r->conf.log, &cur->at, rec, scratch) == PLOG_READ)
        if ((rec->kind != PLOG_IN || rec->arg > mark->in) &&
            (rec->kind != PLOG_OUT || rec->arg > mark->out))
            return true;
    return false;
}

/* What the log as a whole tells of an input packet's connection. */
static void
foresee_input(struct replay *r, const struct plog_record *rec)
{
    struct packet pkt;
    struct rflow *f;

    if (!packet_parse(&pkt, PACKET_IN, rec->payload, rec->size) || !packet_is_tcp(&pkt))
        return;
    f = replay_find(r, &pkt.key);
    if ((pkt.tcp.flags & (TCP_SYN | TCP_ACK)) == TCP_SYN) {
        if (!f)
            f = replay_add(r, &pkt.key, R_BORN);
        else
            f->many |= f->state == R_OPEN || f->syn.seq != pkt.tcp.seq;
        if (f && f->state == R_BORN)
            f->syn = pkt.tcp;
        return;
    }
    if (!f || !(pkt.tcp.flags & TCP_ACK))
        return;
    if (!f->has_logged_ack || seq_after(pkt.tcp.ack, f->logged_ack))
        f->logged_ack = pkt.tcp.ack;
    f->has_logged_ack = true;
}

/* How far its client has its output: there is no record of mere acknowledgements. */
static void
foresee_output(struct replay *r, const struct plog_record *rec)
{
    struct plog_output o;
    struct rflow *f;

    if (!plog_decode_output(rec, &o) || o.flow.protocol != PACKET_TCP ||
        o.tcp_flags & TCP_SYN || !(o.options & PLOG_ACKED) ||
        !(f = replay_find(r, &o.flow)))
        return;
    if (!f->has_logged_ack || seq_after(o.acked, f->logged_ack))
        f->logged_ack = o.acked;
    f->has_logged_ack = true;
}

static bool
sound(const struct plog_ring *ring, uint64_t at, struct plog_record *rec, uint8_t *buf)
{
    enum plog_read got;

    while ((got = plog_read(ring, &at, rec, buf)) == PLOG_READ)
        ;
    return got == PLOG_END;
}

bool
replay_start(
    struct replay *r, const struct replay_conf *conf, struct mono now, const char **why)
{
    struct cursor cur = { false, conf->kept->begin };
    struct plog_record rec;

    r->conf = *conf;
    r->stall_us = conf->stall_us;
    *why = "the log is malformed";
    if (!sound(conf->kept, conf->kept->begin, &rec, r->scratch) ||
        !sound(conf->log, conf->log->begin, &rec, r->scratch))
        return false;
    r->expect = r->gate = r->inject = cur;
    while (replay_read(r, &cur, &rec, r->scratch)) {
        if (rec.at_us > r->newest_at)
            r->newest_at = rec.at_us;
        if (rec.kind == PLOG_IN)
            foresee_input(r, &rec);
        else if (rec.kind == PLOG_OUT)
            foresee_output(r, &rec);
        else if (rec.kind > PLOG_MARK)
            r->stat.unknown++;
    }
    r->start_us = r->progress_us = now.us;
    return true;
}

static bool
walk_born(struct replay *r, struct mono now, struct replay_effect *e)
{
    while (r->walk < r->map.fresh) {
        struct rflow *f = &r->flows[r->walk];
        bool effect = born_end(r, f, now, e);

        r->walk += !f->told; /* else its SYN-ACK follows */
        if (effect)
            return true;
    }
    r->phase = PHASE_SEND;
    r->send_end = r->sent.end;
    return false;
}

/* A client that has sent into the void waits for its timer, twice as long each time.
 * Each nudge takes one doubling back; more of them do no harm, but all are in the way
 * of the opening. */
#define FIRST_TIMER_US 100000 /* no client's is shorter; Linux: 200 ms */
#define NUDGES_MAX 5

static uint32_t
nudges_due(const struct replay *r, struct mono now)
{
    int64_t outage = r->conf.outage_us + now.us - r->start_us;
    uint32_t n = 0;

    for (int64_t timer = FIRST_TIMER_US; outage >= timer && n < NUDGES_MAX;
         timer *= 2) {
        outage -= timer;
        n++;
    }
    return n;
}

static bool
walk_nudge(struct replay *r, struct mono now, struct replay_effect *e)
{
    uint32_t due = nudges_due(r, now);

    while (r->walk < r->map.fresh && due > 0) {
        const struct rflow *f = &r->flows[r->walk];

        if (f->state != R_OPEN || f->fin_in || r->nudges >= due) {
            r->walk++;
            r->nudges = 0;
            continue;
        }
        r->nudges++;
        *e = (struct replay_effect){
            .what = REPLAY_SEND, .packet = r->buffer, .flow = r->map.keys[r->walk]
        };
        e->size = packet_unreachable(r->buffer, &e->flow, f->in_next);
        return true;
    }
    r->phase = PHASE_LAST_WORDS;
    r->walk = 0;
    return false;
}

/* A client had no room when it was last heard.  That it has room now it says once, and
 * may have said while nobody heard it: a segment that it has already makes it say so
 * again.  The service's TCP would ask after 3 s, and not at all where takeovers come
 * sooner.  Likewise what it has of output that is watched: by that the service goes on.
 * For the numbers alone; but one that owes an acknowledgement takes it for new, and its
 * window for the service's. */
static void
ask_for_word(struct replay *r, const struct rflow *f, struct replay_effect *e)
{
    const struct flow_key *key = &r->map.keys[replay_index(r, f)];

    *e = (struct replay_effect){
        .what = REPLAY_SEND, .packet = r->buffer, .flow = *key
    };
    e->size = packet_ack(r->buffer, key, PACKET_OUT, replay_client_expects(f) - 1,
        f->in_next, window_of(f));
    r->stat.sent++;
}

static bool
is_asked(const struct rflow *f)
{
    return f->state == R_OPEN && !replay_closed(f) &&
           (f->window < f->segment || replay_watched(f));
}

static bool
walk_last_words(struct replay *r, struct replay_effect *e)
{
    while (r->walk < r->map.fresh) {
        struct rflow *f = &r->flows[r->walk];

        if (replay_lost(f)) {
            r->walk += f->reset;
            lost_reset(r, f, e);
            return true;
        }
        r->walk++;
        if (is_asked(f)) {
            ask_for_word(r, f, e);
            return true;
        }
    }
    r->phase = PHASE_DONE;
    *e = (struct replay_effect){ .what = REPLAY_DONE };
    return true;
}

/* One step in the log.  True: *effect tells whether *e is one. */
static bool
step(struct replay *r, struct mono now, struct replay_effect *e, bool *effect)
{
    *effect = false;
    nodes_load(r);
    if (r->injecting) {
        switch (input_step(r, now, e)) {
        case INPUT_EFFECT:
            *effect = true;
            return true;
        case INPUT_AGAIN:
            return true;
        case INPUT_BLOCKED:
            return gate_blocked(r, now, e, effect);
        case INPUT_MET:
            r->injecting = false;
            return true;
        }
    }
    if (gate_step(r))
        return true;
    if (r->unmet_count > 0)
        return gate_blocked(r, now, e, effect);
    r->phase = PHASE_BORN;
    return true;
}

bool
replay_next(struct replay *r, struct mono now, struct replay_effect *e)
{
    bool effect = false;

    if (r->phase == PHASE_GONE)
        return false;
    if (lost_look(r, now, e))
        return true;
    if (r->phase == PHASE_DONE && r->starved != FLOWMAP_NONE) {
        struct rflow *f = &r->flows[r->starved];

        r->starved = FLOWMAP_NONE;
        if (gate_acknowledges(r, f, e))
            return true;
    }
    if (r->phase == PHASE_DONE && output_send(r, e))
        return true;
    while (r->phase == PHASE_LOG) {
        if (!step(r, now, e, &effect))
            return false;
        if (effect)
            return true;
        if (lost_look(r, now, e))
            return true;
    }
    if (r->phase == PHASE_BORN && walk_born(r, now, e))
        return true;
    if (r->phase == PHASE_SEND) {
        if (output_send(r, e))
            return true;
        r->phase = PHASE_NUDGE;
        r->walk = r->nudges = 0;
    }
    if (r->phase == PHASE_NUDGE && walk_nudge(r, now, e))
        return true;
    return r->phase == PHASE_LAST_WORDS && walk_last_words(r, e);
}

int64_t
replay_wait_us(const struct replay *r, struct mono now)
{
    int64_t left = r->progress_us + r->allow_us + r->stall_us - now.us;

    if (r->phase != PHASE_LOG || left < 0)
        return 0;
    return left < STARVE_US ? left : STARVE_US;
}

uint32_t
replay_watching(const struct replay *r)
{
    return r->watching + r->lost;
}

struct replay_stat
replay_stat(const struct replay *r)
{
    struct replay_stat s = r->stat;

    s.position = r->gate.in_log ? r->gate.at : 0;
    return s;
}
