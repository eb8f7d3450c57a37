/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * rsim_clients.c - the clients: what they send, and the check of what they get. */
#include "sockmig/core/bigendian.h"
#include "tests/sim/rsim.h"

#include <string.h>

#define RETRANSMIT_TICKS 50u

void
clients_init(struct clients *c)
{
    memset(c, 0, sizeof *c);
    for (uint32_t i = 0; i < RSIM_CONNS; i++) {
        struct cconn *k = &c->conns[i];

        k->key = (struct flow_key){ .version = rsim_chance(50) ? 4 : 6,
            .protocol = PACKET_TCP,
            .local_port = 7000,
            .remote_port = (uint16_t)(40000 + i),
            .local = { 10, 77, 1, 100 },
            .remote = { 10, 77, 0, (uint8_t)i } };
        k->iss = k->snd_una = k->snd_nxt = rsim_random();
        k->nrequests = 1 + rsim_below(RSIM_REQUESTS);
        k->quit = rsim_chance(30);
        k->start = rsim_below(600);
        k->eager = rsim_chance(25);
        k->room = rsim_chance(25) ? 800 + rsim_below(4000) : 0;
        k->hasty = rsim_chance(10);
        k->hang = rsim_chance(15) ? rsim_below(k->nrequests) : UINT32_MAX;
        k->abort_at = rsim_chance(10) ? rsim_below(1200) : UINT32_MAX;
    }
}

static uint16_t
tell_window(struct cconn *k, uint8_t flags)
{
    uint32_t window = k->room - k->held;

    if (k->room == 0 || flags & TCP_RST)
        return 60000;
    if (flags & TCP_SYN)
        return (uint16_t)k->room;
    window &= ~((1u << RSIM_CLIENT_WSCALE) - 1);
    if (seq_after(k->rcv_nxt + window, k->own_edge))
        k->own_edge = k->rcv_nxt + window;
    return (uint16_t)((k->own_edge - k->rcv_nxt) >> RSIM_CLIENT_WSCALE);
}

static void
send_segment(struct cconn *k, uint32_t seq, const uint8_t *data, uint32_t size,
    uint8_t flags, rsim_emit *emit, void *arg)
{
    uint8_t p[256];
    struct rsim_segment s = { .seq = seq,
        .ack = flags & TCP_ACK ? k->rcv_nxt : 0,
        .flags = flags,
        .size = size,
        .data = data,
        .tsval = 500,
        .mss = 1400,
        .wscale = RSIM_CLIENT_WSCALE,
        .window = tell_window(k, flags) };

    k->ack_due = false;
    emit(arg, p, rsim_build(p, &k->key, PACKET_IN, &s, rsim_chance(50)));
}

/* The stream of requests, byte by byte: id, whether it is the last with quit. */
static void
request_bytes(const struct cconn *k, uint32_t seq, uint8_t *out, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++) {
        uint32_t at = seq + i - k->iss - 1, id = at / 8;
        uint8_t whole[8];

        put_be32(whole, id);
        put_be32(whole + 4, id == k->hang                       ? RSIM_HANG_UP
                            : k->quit && id == k->nrequests - 1 ? RSIM_QUIT
                                                                : 0);
        out[i] = whole[at % 8];
    }
}

static void
send_requests(struct cconn *k, uint32_t from, rsim_emit *emit, void *arg)
{
    uint8_t data[64];

    while (seq_after(k->snd_nxt, from)) {
        uint32_t size = 1 + rsim_below(20);
        uint32_t left = k->snd_nxt - from - (k->state == C_CLOSING);
        bool fin;

        if (size > left)
            size = left;
        fin = k->state == C_CLOSING && size == left;
        request_bytes(k, from, data, size);
        send_segment(
            k, from, data, size, (uint8_t)(TCP_ACK | (fin ? TCP_FIN : 0)), emit, arg);
        from += size + fin;
    }
}

static void
ask(struct cconn *k, rsim_emit *emit, void *arg)
{
    uint32_t from = k->snd_nxt;

    if (k->asked == k->nrequests || k->asked - k->answered >= 4 ||
        seq_after(from + 8, k->edge))
        return;
    k->asked++;
    k->snd_nxt += 8;
    send_requests(k, from, emit, arg);
}

static void
answered(struct clients *c, struct cconn *k)
{
    if (c->seen[k->counter] && !c->lenient)
        c->broken = "one number was given twice";
    c->seen[k->counter] = true;
    k->answered++;
    k->parsed = k->filled = 0;
}

static void
take_byte(struct clients *c, struct cconn *k, uint8_t byte)
{
    if (k->parsed < 16) {
        k->part[k->parsed++] = byte;
        if (k->parsed < 16)
            return;
        k->counter = be32(k->part + 4) % RSIM_COUNTERS;
        k->filler = be32(k->part + 8);
        if (be32(k->part) != k->answered || be32(k->part + 12) != 0x42534321 ||
            k->answered >= k->asked || k->filler != rsim_filler_size(k->counter))
            c->broken = "not the answer to this request";
    } else if (byte != rsim_filler(k->counter, k->filled++)) {
        c->broken = "a wrong byte";
    }
    if (k->filled == k->filler)
        answered(c, k);
}

static void
take_stream(struct clients *c, struct cconn *k, const struct packet *pkt)
{
    uint32_t skip = k->rcv_nxt - pkt->tcp.seq;

    if (seq_after(pkt->tcp.seq, k->rcv_nxt) ||
        !seq_after(packet_seq_end(pkt), k->rcv_nxt)) {
        k->ack_due |= packet_seq_end(pkt) != k->rcv_nxt || pkt->payload_size > 0;
        return;
    }
    if (k->room > 0 && seq_after(pkt->tcp.seq + pkt->payload_size, k->own_edge)) {
        k->ack_due = true;
        return;
    }
    for (uint32_t i = skip; i < pkt->payload_size && !c->broken; i++)
        take_byte(c, k, pkt->payload[i]);
    k->held += packet_seq_end(pkt) - k->rcv_nxt;
    k->rcv_nxt = packet_seq_end(pkt);
    k->fin_rcvd |= pkt->tcp.flags & TCP_FIN;
    k->ack_due = true;
}

static bool
has_ended(const struct cconn *k)
{
    return k->state == C_CLOSING && k->answered == k->nrequests;
}

static void
take_reset(struct cconn *k, const struct packet *pkt)
{
    if (k->state == C_SYN_SENT || pkt->tcp.seq != k->rcv_nxt)
        return;
    k->state = has_ended(k) || k->asked > k->hang ? C_DONE : C_RESET;
}

void
clients_input(
    struct clients *c, const uint8_t *data, size_t size, rsim_emit *emit, void *arg)
{
    struct packet pkt;
    struct cconn *k;

    if (!packet_parse(&pkt, PACKET_OUT, data, size) || !packet_is_tcp(&pkt))
        return;
    k = &c->conns[pkt.key.remote_port - 40000];
    if (k->state == C_ABORTED && !(pkt.tcp.flags & TCP_RST))
        send_segment(k, pkt.tcp.ack, NULL, 0, TCP_RST, emit, arg);
    if (k->state == C_IDLE || k->state >= C_DONE)
        return;
    if (pkt.tcp.flags & TCP_RST) {
        take_reset(k, &pkt);
        return;
    }
    if (pkt.tcp.flags & TCP_SYN) {
        if (k->state == C_SYN_SENT && pkt.tcp.ack == k->iss + 1) {
            k->state = C_OPEN;
            k->irs = pkt.tcp.seq;
            k->rcv_nxt = pkt.tcp.seq + 1;
            k->own_edge = k->rcv_nxt + k->room;
            k->snd_una = k->snd_nxt = k->iss + 1;
            k->edge = pkt.tcp.ack + pkt.tcp.window;
        }
        if (pkt.tcp.seq == k->irs)
            send_segment(k, k->snd_nxt, NULL, 0, TCP_ACK, emit, arg);
        return;
    }
    if (k->state == C_SYN_SENT)
        return;
    if (seq_after(pkt.tcp.ack, k->snd_una) && !seq_after(pkt.tcp.ack, k->snd_nxt)) {
        k->snd_una = pkt.tcp.ack;
        k->quiet = 0;
    }
    if (seq_after(pkt.tcp.ack + ((uint32_t)pkt.tcp.window << RSIM_WSCALE), k->edge))
        k->edge = pkt.tcp.ack + ((uint32_t)pkt.tcp.window << RSIM_WSCALE);
    take_stream(c, k, &pkt);
    if (k->ack_due && rsim_chance(50))
        send_segment(k, k->snd_nxt, NULL, 0, TCP_ACK, emit, arg);
}

/* That it has room the server may have said while nobody heard it. */
static void
ask_for_window(struct cconn *k, rsim_emit *emit, void *arg)
{
    uint8_t old;

    if (k->asked == k->nrequests || k->snd_una == k->iss + 1 ||
        !seq_after(k->snd_nxt + 8, k->edge))
        return;
    request_bytes(k, k->snd_una - 1, &old, 1);
    send_segment(k, k->snd_una - 1, &old, 1, TCP_ACK, emit, arg);
}

/* That there is room again it says once. */
static void
read_some(struct cconn *k, rsim_emit *emit, void *arg)
{
    uint32_t was = k->own_edge - k->rcv_nxt, n;

    if (k->held == 0 || (k->room > 0 && !rsim_chance(5)))
        return;
    n = k->room > 0 ? 1 + rsim_below(k->held) : k->held;
    k->held -= n;
    if (k->room > 0 && was < k->room / 4 && k->room - k->held >= k->room / 2)
        send_segment(k, k->snd_nxt, NULL, 0, TCP_ACK, emit, arg);
}

static void
go_on(struct cconn *k, uint32_t now, rsim_emit *emit, void *arg)
{
    if (k->state > C_SYN_SENT)
        read_some(k, emit, arg);
    if (k->state == C_OPEN && rsim_chance(10))
        ask(k, emit, arg);
    if (k->state == C_OPEN &&
        (k->answered == k->nrequests || (k->eager && k->asked == k->nrequests) ||
            (k->fin_rcvd && k->asked > k->hang))) {
        k->state = C_CLOSING;
        k->snd_nxt++;
        send_requests(k, k->snd_nxt - 1, emit, arg);
    }
    if (k->state == C_CLOSING && k->fin_rcvd && k->snd_una == k->snd_nxt)
        k->state = has_ended(k) || k->asked > k->hang ? C_DONE : C_RESET;
    if (k->ack_due && rsim_chance(20))
        send_segment(k, k->snd_nxt, NULL, 0, TCP_ACK, emit, arg);
    if (++k->quiet >= RETRANSMIT_TICKS) {
        k->quiet = 0;
        if (k->state == C_SYN_SENT)
            send_segment(k, k->iss, NULL, 0, TCP_SYN, emit, arg);
        else if (k->snd_una != k->snd_nxt)
            send_requests(k, k->snd_una, emit, arg);
        else
            ask_for_window(k, emit, arg);
    }
    if ((now >= k->abort_at || (k->hasty && k->asked > 0)) && k->state == C_OPEN) {
        send_segment(k, k->snd_nxt, NULL, 0, TCP_RST | TCP_ACK, emit, arg);
        k->state = C_ABORTED;
    }
}

void
clients_tick(struct clients *c, uint32_t now, rsim_emit *emit, void *arg)
{
    for (int i = 0; i < RSIM_CONNS; i++) {
        struct cconn *k = &c->conns[i];

        if (k->state == C_IDLE && now >= k->start) {
            k->state = C_SYN_SENT;
            send_segment(k, k->iss, NULL, 0, TCP_SYN, emit, arg);
        } else if (k->state > C_IDLE && k->state < C_DONE) {
            go_on(k, now, emit, arg);
        }
    }
}

bool
clients_finished(const struct clients *c)
{
    for (int i = 0; i < RSIM_CONNS; i++) {
        const struct cconn *k = &c->conns[i];
        /* The service has closed it: nobody makes its FIN or RST again if that was
         * lost. */
        bool only_fin = (has_ended(k) || k->asked > k->hang) &&
                        k->snd_una == k->snd_nxt;

        if (k->state < C_DONE && !only_fin)
            return false;
    }
    return true;
}
