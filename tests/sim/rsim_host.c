/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * rsim_host.c - the server's host: its TCP. */
#include "tests/sim/rsim_host.h"
#include "sockmig/core/segment.h"

#include <assert.h>
#include <string.h>

#define CWND_RESTORED 4000u
#define RTO_TICKS 60u
#define FIRST_RTO_TICKS 11000u /* longer than any replay waits */
#define ROOM 20u               /* bytes that the application has not read */
#define ROOM_REBUILT 20u

static void
token(struct host *h, const struct sconn *c, enum token_kind kind, uint32_t size)
{
    assert(h->ntokens < RSIM_TOKENS);
    h->tokens[h->ntokens].kind = kind;
    h->tokens[h->ntokens].conn = (uint32_t)(c - h->conns);
    h->tokens[h->ntokens++].size = size;
}

void
host_drop_tokens(struct host *h, uint32_t conn)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < h->ntokens; i++)
        if (h->tokens[i].conn != conn)
            h->tokens[n++] = h->tokens[i];
    h->ntokens = n;
}

void
host_leave(struct host *h, struct sconn *c)
{
    host_drop_tokens(h, (uint32_t)(c - h->conns));
    c->state = S_FREE;
}

uint32_t
host_room(const struct sconn *c)
{
    return ROOM - (c->in_size - c->taken - c->unread);
}

static void
send_segment(struct sconn *c, uint32_t seq, uint32_t size, uint8_t flags,
    rsim_emit *emit, void *arg)
{
    uint8_t p[RSIM_PACKET];
    struct rsim_segment s = { .seq = seq,
        .ack = c->rcv_nxt,
        .flags = flags,
        .size = size,
        .data = size > 0 ? c->out + (seq - c->iss - 1) : NULL };

    if (seq_after(c->rcv_nxt + host_room(c), c->edge))
        c->edge = c->rcv_nxt + host_room(c);
    if (!(flags & TCP_SYN)) /* rounded up, as the kernel does */
        c->edge += (c->edge - c->rcv_nxt) % (1u << RSIM_WSCALE);
    s.window = (uint16_t)(c->edge - c->rcv_nxt);
    if (flags & TCP_SYN) {
        s.mss = 1400;
        s.wscale = RSIM_WSCALE;
        s.tsval = 1000;
    } else
        s.window >>= RSIM_WSCALE;
    c->ack_due = false;
    emit(arg, p, rsim_build(p, &c->key, PACKET_OUT, &s, rsim_chance(50)));
}

static uint32_t
smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

uint32_t
host_segment(const struct sconn *c)
{
    return segment_limit(1400, c->peer_most);
}

void
host_transmit(struct sconn *c, rsim_emit *emit, void *arg)
{
    uint32_t data_end = c->write_seq - c->fin_queued;

    if (c->reset)
        return;
    while (seq_after(c->write_seq, c->snd_nxt)) {
        uint32_t used = c->snd_nxt - c->snd_una, size;
        bool fin;

        if (used >= c->cwnd || !seq_after(c->peer_edge, c->snd_nxt))
            return;
        size = data_end - c->snd_nxt;
        if (c->peer_edge - c->snd_nxt < smaller(size, host_segment(c)))
            return; /* a part of a segment: host_tick() */
        if (size > c->cwnd - used)
            size = c->cwnd - used;
        if (size > c->peer_edge - c->snd_nxt)
            size = c->peer_edge - c->snd_nxt;
        if (size > host_segment(c))
            size = 1 + rsim_below(rsim_chance(30) ? 5600 : 1400) % size;
        fin = c->fin_queued && c->snd_nxt + size == data_end;
        send_segment(
            c, c->snd_nxt, size, (uint8_t)(TCP_ACK | (fin ? TCP_FIN : 0)), emit, arg);
        c->snd_nxt += size + fin;
        c->quiet = 0;
    }
}

static struct sconn *
find(struct host *h, const struct flow_key *key)
{
    for (int i = 0; i < RSIM_SLOTS; i++)
        if (h->conns[i].state != S_FREE && !h->conns[i].reset &&
            memcmp(&h->conns[i].key, key, sizeof *key) == 0)
            return &h->conns[i];
    return NULL;
}

static struct sconn *
add(struct host *h, const struct packet *pkt, uint32_t iss, enum sconn_state state)
{
    struct sconn *c = h->conns;

    while (c->state != S_FREE)
        assert(++c < h->conns + RSIM_SLOTS);
    *c = (struct sconn){ .state = state,
        .key = pkt->key,
        .irs = pkt->tcp.seq,
        .rcv_nxt = pkt->tcp.seq + 1,
        .iss = iss,
        .snd_una = iss + 1,
        .snd_nxt = iss + 1,
        .write_seq = iss + 1,
        .edge = pkt->tcp.seq + 1 + ROOM,
        .peer_edge = iss + 1 + pkt->tcp.window,
        .peer_most = pkt->tcp.window,
        .cwnd = 8000 };
    return c;
}

static void
reset_out(const struct packet *pkt, rsim_emit *emit, void *arg)
{
    uint8_t p[PACKET_BUILT];

    if (!(pkt->tcp.flags & TCP_RST))
        emit(arg, p, packet_rst(p, &pkt->key, PACKET_OUT, pkt->tcp.ack, pkt->tcp.seq));
}

static bool
take_in_order(struct host *h, struct sconn *c, uint32_t seq, const uint8_t *data,
    uint32_t size, bool fin)
{
    uint32_t skip = c->rcv_nxt - seq;

    if (seq_after(seq, c->rcv_nxt) || !seq_after(seq + size + fin, c->rcv_nxt))
        return false;
    size -= skip;
    if (size > 0) {
        assert(c->in_size + size <= sizeof c->in);
        memcpy(c->in + c->in_size, data + skip, size);
        c->in_size += size;
        c->rcv_nxt += size;
        h->got[host_client(&c->key)] = c->in_size / 8;
        token(h, c, T_DATA, size);
    }
    if (fin && !c->fin_rcvd) {
        c->rcv_nxt++;
        c->fin_rcvd = true;
        token(h, c, T_EOF, 0);
    }
    c->ack_due = true;
    return true;
}

static bool
has_early(const struct sconn *c, uint32_t seq, uint32_t size, bool fin)
{
    for (uint32_t i = 0; i < c->nooo; i++)
        if (c->ooo[i].seq == seq && c->ooo[i].size == size && c->ooo[i].fin == fin)
            return true;
    return false;
}

static void
take_data(struct host *h, struct sconn *c, const struct packet *pkt)
{
    uint32_t seq = pkt->tcp.seq, size = pkt->payload_size;
    bool fin = pkt->tcp.flags & TCP_FIN, more = true;

    if (size == 0 && !fin)
        return;
    c->ack_due = true;
    if (seq_after(seq + size, c->edge)) {
        h->overran = true;
        return;
    }
    if (seq_after(seq, c->rcv_nxt) && !has_early(c, seq, size, fin)) {
        assert(c->nooo < RSIM_OOO);
        c->ooo[c->nooo].seq = seq;
        c->ooo[c->nooo].size = size;
        c->ooo[c->nooo].fin = fin;
        memcpy(c->ooo[c->nooo++].data, pkt->payload, size);
    }
    take_in_order(h, c, seq, pkt->payload, size, fin);
    while (more) {
        more = false;
        for (uint32_t i = 0; i < c->nooo; i++)
            more |= take_in_order(
                h, c, c->ooo[i].seq, c->ooo[i].data, c->ooo[i].size, c->ooo[i].fin);
    }
    for (uint32_t i = 0; i < c->nooo;)
        if (!seq_after(c->ooo[i].seq + c->ooo[i].size + c->ooo[i].fin, c->rcv_nxt))
            c->ooo[i] = c->ooo[--c->nooo];
        else
            i++;
}

/* The number of its entry in the kernel's map, or -1. */
static int
entry_of(const struct host *h, const struct packet *pkt)
{
    for (int i = 0; i < RSIM_CONNS; i++)
        if (h->requests[i].used &&
            memcmp(&h->requests[i].request.key, &pkt->key, sizeof pkt->key) == 0)
            return i;
    return -1;
}

/* Other numbers are not those of the first acknowledgement, from which it would take
 * them. */
static bool
is_dropped(const struct host *h, const struct packet *pkt)
{
    int i = entry_of(h, pkt);
    bool ack = !(pkt->tcp.flags & TCP_RST);

    return i >= 0 &&
           (pkt->tcp.seq != h->requests[i].request.client_isn + 1 ||
               (ack && pkt->tcp.ack != h->requests[i].request.server_isn + 1));
}

bool
host_hears(const struct host *h, const uint8_t *data, size_t size)
{
    struct packet pkt;

    return packet_parse(&pkt, PACKET_IN, data, size) && !is_dropped(h, &pkt);
}

/* What the kernel's helper does with a packet that has an entry in its map. */
static struct sconn *
rebuilt(struct host *h, const struct packet *pkt)
{
    int i = entry_of(h, pkt);
    struct packet syn = *pkt;
    struct sconn *c;

    if (i < 0)
        return NULL;
    h->requests[i].used = false;
    if (pkt->tcp.flags & TCP_RST)
        return NULL;
    syn.tcp.seq--;
    c = add(h, &syn, pkt->tcp.ack - 1, S_WAITING);
    c->cwnd = CWND_RESTORED;
    c->edge = c->rcv_nxt + ROOM_REBUILT;
    c->rebuilt = c->timeless = true;
    token(h, c, T_ACCEPT, 0);
    return c;
}

static uint32_t
top_of(const struct sconn *c)
{
    uint32_t top = c->rcv_nxt;

    for (uint32_t i = 0; i < c->nooo; i++)
        if (seq_after(c->ooo[i].seq + c->ooo[i].size + c->ooo[i].fin, top))
            top = c->ooo[i].seq + c->ooo[i].size + c->ooo[i].fin;
    return top;
}

/* As in Linux: what came is read, accepted first if need be; then the error is. */
static void
was_reset(struct host *h, struct sconn *c)
{
    if (c->state == S_CLOSED) {
        host_leave(h, c);
        return;
    }
    c->reset = true;
    c->nooo = 0;
    token(h, c, T_RESET, 0);
}

static void
hear_window(struct sconn *c, uint32_t ack, uint32_t window)
{
    if (seq_after(ack + window, c->peer_edge))
        c->peer_edge = ack + window;
    if (window > c->peer_most)
        c->peer_most = window;
}

static void
established(struct host *h, struct sconn *c, const struct packet *pkt, rsim_emit *emit,
    void *arg)
{
    if (pkt->tcp.flags & TCP_RST) {
        if (packet_resets(pkt, c->rcv_nxt, top_of(c)))
            was_reset(h, c);
        else if (rsim_chance(50)) /* a challenge (RFC 5961), but not too many */
            send_segment(c, c->snd_nxt, 0, TCP_ACK, emit, arg);
        return;
    }
    if (pkt->tcp.flags & TCP_SYN || !(pkt->tcp.flags & TCP_ACK))
        return;
    if (c->state == S_CLOSED && pkt->payload_size > 0 &&
        seq_after(packet_seq_end(pkt), c->rcv_nxt)) { /* nobody will read it */
        host_leave(h, c);
        reset_out(pkt, emit, arg);
        return;
    }
    if (seq_after(pkt->tcp.ack, c->snd_nxt)) {
        h->refused++; /* RFC 9293, 3.10.7.4: acknowledged and dropped */
        return;
    }
    if (!seq_after(c->snd_una, pkt->tcp.ack)) /* an older one says nothing */
        hear_window(c, pkt->tcp.ack, (uint32_t)pkt->tcp.window << RSIM_CLIENT_WSCALE);
    if (seq_after(pkt->tcp.ack, c->snd_una)) {
        c->cwnd += c->cwnd < 20000 ? pkt->tcp.ack - c->snd_una : 0;
        c->snd_una = pkt->tcp.ack;
        c->quiet = 0;
        c->timeless = false;
    }
    take_data(h, c, pkt);
    host_transmit(c, emit, arg);
    if (c->ack_due && rsim_chance(60))
        send_segment(c, c->snd_nxt, 0, TCP_ACK, emit, arg);
}

void
host_input(struct host *h, const uint8_t *data, size_t size, rsim_emit *emit, void *arg)
{
    struct packet pkt;
    struct sconn *c;

    if (!packet_sound(data, size) || !packet_parse(&pkt, PACKET_IN, data, size))
        return;
    c = find(h, &pkt.key);
    if (!c && is_dropped(h, &pkt))
        return;
    if (!c)
        c = rebuilt(h, &pkt);
    if (!c && pkt.tcp.flags == TCP_SYN)
        c = add(h, &pkt, rsim_random(), S_HALF_OPEN);
    if (!c) {
        reset_out(&pkt, emit, arg);
        return;
    }
    if (c->state == S_HALF_OPEN) {
        if (pkt.tcp.flags & TCP_RST)
            c->state = S_FREE;
        else if (pkt.tcp.flags & TCP_SYN)
            send_segment(c, c->iss, 0, TCP_SYN | TCP_ACK, emit, arg);
        else if (pkt.tcp.ack != c->iss + 1)
            reset_out(&pkt, emit, arg);
        if (pkt.tcp.flags & (TCP_SYN | TCP_RST) || pkt.tcp.ack != c->iss + 1)
            return;
        c->state = S_WAITING;
        token(h, c, T_ACCEPT, 0);
    }
    established(h, c, &pkt, emit, arg);
}

/* The window is shut; or too small for what goes as one, then it is filled. */
static void
probe(struct sconn *c, rsim_emit *emit, void *arg)
{
    uint32_t size = c->write_seq - c->fin_queued - c->snd_nxt;

    if (!seq_after(c->peer_edge, c->snd_nxt) || size == 0) {
        send_segment(c, c->snd_una - 1, 0, TCP_ACK, emit, arg);
        return;
    }
    size = smaller(size, c->peer_edge - c->snd_nxt);
    send_segment(c, c->snd_nxt, size, TCP_ACK, emit, arg);
    c->snd_nxt += size;
}

void
host_tick(struct host *h, rsim_emit *emit, void *arg)
{
    for (int i = 0; i < RSIM_SLOTS; i++) {
        struct sconn *c = &h->conns[i];
        uint32_t size;

        if (c->state < S_WAITING || c->reset)
            continue;
        if (c->ack_due && rsim_chance(20))
            send_segment(c, c->snd_nxt, 0, TCP_ACK, emit, arg);
        if (++c->quiet < (c->timeless ? FIRST_RTO_TICKS : RTO_TICKS) ||
            c->snd_una == c->write_seq)
            continue;
        c->quiet = 0;
        if (c->snd_una == c->snd_nxt) {
            probe(c, emit, arg);
            continue;
        }
        size = c->snd_nxt - c->snd_una;
        if (c->fin_queued && c->snd_nxt == c->write_seq)
            size--;
        size = smaller(size, host_segment(c));
        c->cwnd = host_segment(c);
        send_segment(
            c, c->snd_una, size, size == 0 ? TCP_ACK | TCP_FIN : TCP_ACK, emit, arg);
    }
}

bool
host_has(const struct sconn *c)
{
    return !c->reset && (c->state == S_ACCEPTED ||
                            (c->state == S_CLOSED && c->snd_una != c->write_seq));
}

bool
host_imageable(const struct host *h)
{
    bool waiting = false;

    for (uint32_t i = 0; i < h->ntokens; i++) {
        if (h->conns[h->tokens[i].conn].state == S_WAITING)
            waiting = true;
        else if (waiting)
            return false;
    }
    return true;
}

void
host_restore(struct host *h, const struct host *image)
{
    *h = *image;
    memset(h->requests, 0, sizeof h->requests);
    for (uint32_t i = 0; i < RSIM_SLOTS; i++) {
        struct sconn *c = &h->conns[i];

        c->nooo = 0; /* TCP_REPAIR has no place for these */
        c->cwnd = CWND_RESTORED;
        c->timeless = rsim_chance(30); /* its peer has no timestamps */
        if (!host_has(c) && !(c->state == S_ACCEPTED && c->reset))
            host_leave(h, c);
    }
}
