/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * replay_story.h - a short log, letter by letter, and a replay of it: one connection of
 * the image, and datagrams. */
#ifndef BSC_TESTS_REPLAY_STORY_H
#define BSC_TESTS_REPLAY_STORY_H

#include "sockmig/core/digest.h"
#include "sockmig/core/replay.h"
#include "tests/suite.h"

#include <stdlib.h>
#include <string.h>

#define SEED 7u
#define PIECE 10u /* bytes in every packet */
#define SND 500u  /* the image's sequence numbers */
#define RCV 100u

static const struct flow_key tcp = { .version = 4,
    .protocol = PACKET_TCP,
    .local_port = 80,
    .remote_port = 4000,
    .local = { 10, 0, 0, 1 },
    .remote = { 10, 0, 0, 2 } };
static const struct flow_key udp = { .version = 4,
    .protocol = 17,
    .local_port = 53,
    .remote_port = 4000,
    .local = { 10, 0, 0, 1 },
    .remote = { 10, 0, 0, 2 } };

struct story {
    struct plog_ring kept, log;
    uint8_t bytes[1 << 14], none[64];
    uint64_t in, out;
    uint32_t in_seq, out_seq, acked, made, early;
    struct mono now;
    enum replay_mode mode;
    const struct replay_connection *other; /* besides; NULL: none */
    struct replay *replay;
};

static inline size_t
tcp_packet(uint8_t *p, const struct flow_key *key, enum packet_way way, uint32_t seq,
    uint32_t ack, size_t size, char fill)
{
    size_t n = packet_ack(p, key, way, seq, ack, 1000);

    memset(p + n, fill, size);
    n += size;
    p[3] = (uint8_t)n;
    packet_complete(p, n);
    return n;
}

/* IPv4 and eight bytes of @protocol, then @size of payload. */
static inline size_t
other_packet(uint8_t *p, uint8_t protocol, bool to_service, uint16_t offset, char fill)
{
    size_t n = 28 + PIECE;

    memset(p, 0, n);
    p[0] = 0x45;
    p[3] = (uint8_t)n;
    p[6] = (uint8_t)(offset >> 8);
    p[7] = (uint8_t)offset;
    p[8] = 64;
    p[9] = protocol;
    memcpy(p + 12, to_service ? udp.remote : udp.local, 4);
    memcpy(p + 16, to_service ? udp.local : udp.remote, 4);
    p[20] = (uint8_t)((to_service ? udp.remote_port : udp.local_port) >> 8);
    p[21] = (uint8_t)(to_service ? udp.remote_port : udp.local_port);
    p[22] = (uint8_t)((to_service ? udp.local_port : udp.remote_port) >> 8);
    p[23] = (uint8_t)(to_service ? udp.local_port : udp.remote_port);
    p[25] = 8 + PIECE;
    memset(p + 28, fill, PIECE);
    packet_complete(p, n);
    return n;
}

static inline size_t
input(struct story *s, char what, uint8_t *p)
{
    struct flow_key unknown = tcp;
    size_t n;

    switch (what) {
    case 'd': /* data */
        n = tcp_packet(p, &tcp, PACKET_IN, s->in_seq, s->acked, PIECE, 'i');
        s->in_seq += PIECE;
        return n;
    case 'k': /* an acknowledgement of one more piece of output */
        s->acked += PIECE;
        return tcp_packet(p, &tcp, PACKET_IN, s->in_seq, s->acked, 0, 0);
    case 'n': /* the client's end */
        n = tcp_packet(p, &tcp, PACKET_IN, s->in_seq, s->acked, 0, 0);
        p[33] |= TCP_FIN;
        packet_complete(p, n);
        return n;
    case 's': /* it begins anew */
        n = packet_ack(p, &tcp, PACKET_IN, 90000, 0, 1000);
        p[33] = TCP_SYN;
        packet_complete(p, n);
        return n;
    case 'R': /* the client's reset */
        return packet_rst(p, &tcp, PACKET_IN, s->in_seq, s->acked);
    case 'E': /* one before its time */
        return packet_rst(p, &tcp, PACKET_IN, s->in_seq + 5, s->acked);
    case 'x':
        unknown.remote_port++;
        return tcp_packet(p, &unknown, PACKET_IN, 1, 1, PIECE, 'i');
    case 'u':
        return other_packet(p, 17, true, 0, 'i');
    case 'f':
        return other_packet(p, 17, true, 100, 'i');
    case 'i':
        return other_packet(p, 1, true, 0, 0);
    default:
        abort();
    }
}

/* What is behind the first fragment has no ports, and other bytes where they were. */
static inline void
describe_rest(struct plog_output *o)
{
    struct packet pkt;
    uint8_t p[200];

    ck_assert(packet_parse(&pkt, PACKET_OUT, p, other_packet(p, 17, false, 100, 'o')));
    o->flow = pkt.key;
    o->size = pkt.payload_size;
    o->hash = digest_of(SEED, pkt.payload, pkt.payload_size);
}

/* A letter of the log: input as above; r its release, c its cancelling; O or V: output
 * of the connection or of the datagrams (v: another one), F: the rest of what the
 * datagram before began; L: output with the connection's end; T: the service's reset
 * behind the next piece; l: it had no room for the input. */
static inline void
logged(struct story *s, char what)
{
    bool piece = what == 'O' || what == 'L';
    struct plog_output o = {
        .flow = piece ? tcp : udp, .tcp_flags = what == 'L' ? TCP_FIN : 0, .size = PIECE
    };
    struct plog_record rec = { .kind = PLOG_IN, .protocol = 0x0800 };
    uint8_t p[200], bytes[PIECE], small[PLOG_SMALL];

    if (what == 'r') {
        plog_ring_append(&s->log, small, plog_encode_release(small, 1, s->in));
    } else if (what == 'c') {
        plog_ring_append(&s->log, small, plog_encode_cancel(small, 1, s->in, s->in, 0));
        s->in_seq -= PIECE;
    } else if (what == 'l') {
        plog_ring_append(
            &s->log, small, plog_encode_cancel(small, 1, s->in, s->in, PLOG_OVERRUN));
    } else if (what == 'T') {
        o = (struct plog_output){
            .flow = tcp, .seq = s->out_seq + PIECE, .tcp_flags = TCP_RST
        };
        plog_ring_append(&s->log, small, plog_encode_output(small, 1, ++s->out, &o));
    } else if (piece || strchr("VvF", what)) {
        memset(bytes, what == 'v' ? 'w' : 'o', sizeof bytes);
        o.hash = digest_of(SEED, bytes, sizeof bytes);
        if (what == 'F')
            describe_rest(&o);
        o.seq = piece ? s->out_seq : 0;
        s->out_seq += piece ? PIECE : 0;
        plog_ring_append(&s->log, small, plog_encode_output(small, 1, ++s->out, &o));
    } else {
        rec.payload = p;
        rec.size = (uint32_t)input(s, what, p);
        rec.arg = ++s->in;
        ck_assert(plog_ring_append_record(&s->log, &rec));
    }
}

static inline void
begin_with(struct story *s, const struct replay_sizes *sizes,
    const struct replay_connection *c, int64_t outage_us)
{
    const struct replay_conf conf = { .mode = s->mode,
        .kept = &s->kept,
        .log = &s->log,
        .seed = SEED,
        .outage_us = outage_us,
        .stall_us = 1000000,
        .lost_max = 4 };
    const char *why = "";

    s->replay = replay_init(malloc(replay_size(sizes)), sizes);
    ck_assert(replay_connection(s->replay, c));
    ck_assert(!s->other || replay_connection(s->replay, s->other));
    ck_assert_msg(replay_start(s->replay, &conf, s->now, &why), "%s", why);
}

static inline void
begin_after(
    struct story *s, const struct replay_sizes *sizes, uint32_t una, int64_t outage_us)
{
    const struct replay_connection c = {
        .key = tcp, .snd_una = una, .snd_nxt = SND, .rcv_nxt = RCV, .window = 1000
    };

    begin_with(s, sizes, &c, outage_us);
}

static inline void
begin(struct story *s, const struct replay_sizes *sizes, uint32_t una)
{
    begin_after(s, sizes, una, 1000000);
}

#endif
