/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * births_story.h - an active node that captures what a string of letters says, and what
 * it then has for a standby that joins. */
#ifndef BSC_BIRTHS_STORY_H
#define BSC_BIRTHS_STORY_H

#include "sockmig/core/births.h"
#include "sockmig/core/flows.h"
#include "sockmig/core/keep.h"
#include "tests/suite.h"
#include "tests/unit/sample_packet.h"

#include <stdlib.h>
#include <string.h>

static uint8_t scratch[KEEP_SCRATCH];

/* An active node, and a log with the same records. */
struct node {
    void *memory, *flows_memory; /* owned, as .bytes */
    struct births *births;
    struct flows *flows;
    uint64_t in, out; /* ordinals */
    uint8_t *bytes;   /* of: */
    struct plog_ring log;
};

static inline struct node
node(struct births_conf conf)
{
    struct node n = { .memory = malloc(births_size(&conf)),
        .flows_memory = malloc(flows_size(8)),
        .bytes = malloc(1 << 20) };

    n.births = births_init(n.memory, &conf);
    n.flows = flows_init(n.flows_memory, 8, 7, FLOWS_PART);
    plog_ring_init(&n.log, n.bytes, 1 << 20, 0);
    return n;
}

static inline void
end(struct node *n)
{
    free(n->memory);
    free(n->flows_memory);
    free(n->bytes);
}

static inline void
capture_in(struct node *n, const uint8_t *p, size_t size)
{
    struct plog_record rec = {
        .kind = PLOG_IN, .arg = ++n->in, .size = (uint32_t)size, .payload = p
    };
    struct mono now = { 1 };
    struct packet pkt;

    ck_assert(packet_parse(&pkt, PACKET_IN, p, size));
    plog_ring_append_record(&n->log, &rec);
    births_input(n->births, &pkt, &rec, flows_input(n->flows, &pkt, now));
}

static inline void
capture_out(struct node *n, const uint8_t *p, size_t size)
{
    uint8_t record[PLOG_SMALL];
    struct mono now = { 1 };
    struct plog_output o;
    struct packet pkt;

    ck_assert(packet_parse(&pkt, PACKET_OUT, p, size));
    n->out++;
    if (flows_output(n->flows, &pkt, now, &o, 1))
        plog_ring_append(&n->log, record, plog_encode_output(record, 1, n->out, &o));
    births_output(n->births, &pkt, 1, n->out);
}

/* A step by its letter: small ones of the client, large ones of the service. */
static inline void
step(struct node *n, char what)
{
    static const struct {
        char what;
        uint32_t seq, ack;
        uint8_t flags;
        uint32_t size;
    } steps[] = {
        { 's', 99, 0, TCP_SYN, 0 },
        { 't', 799, 0, TCP_SYN, 0 },
        { 'a', 100, 501, TCP_ACK, 0 },
        { 'd', 100, 501, TCP_ACK, 10 },
        { 'e', 110, 501, TCP_ACK, 10 }, /* after d */
        { 'f', 120, 501, TCP_ACK, 10 }, /* after e */
        { 'r', 110, 0, TCP_RST, 0 },
        { 'S', 500, 100, TCP_SYN | TCP_ACK, 0 },
        { 'T', 900, 800, TCP_SYN | TCP_ACK, 0 },
        { 'A', 501, 100, TCP_ACK, 0 },
        { 'D', 501, 110, TCP_ACK, 5 },
        { 'B', 501, 110, TCP_ACK, 0 },
        { 'E', 501, 120, TCP_ACK, 0 },
        { 'G', 501, 130, TCP_ACK, 0 },
        { 'F', 501, 110, TCP_ACK | TCP_FIN, 0 },
        { 'R', 501, 0, TCP_RST, 0 },
    };
    uint8_t p[200];

    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        enum packet_way way = what >= 'a' ? PACKET_IN : PACKET_OUT;
        size_t size;

        if (steps[i].what != what)
            continue;
        size = sample_segment(p, &sample_flow, way, steps[i].seq, steps[i].ack,
            steps[i].flags, steps[i].size);
        (way == PACKET_IN ? capture_in : capture_out)(n, p, size);
        return;
    }
    ck_assert_int_eq(what, 'X'); /* the newest input was dropped */
    plog_ring_append(&n->log, p, plog_encode_cancel(p, 1, n->in, n->in, 0));
    flows_cancelled(n->flows);
    births_cancel(n->births, n->in);
}

static inline void
story(struct node *n, const char *steps)
{
    for (const char *s = steps; *s; s++)
        step(n, *s);
}

/* What is given to a standby, as a ring over @bytes of 64 KB. */
static inline struct plog_ring
given(const struct births *b, uint8_t *bytes)
{
    struct plog_ring ring;

    plog_ring_init(&ring, bytes, 1 << 16, 0);
    ring.end = births_bytes(b);
    ck_assert(ring.end <= ring.size);
    births_copy(b, bytes);
    return ring;
}

/* Its records as letters: those of the steps, O for output. */
static inline void
spell(const struct plog_ring *ring, char *out)
{
    uint64_t at = ring->begin;
    struct plog_record rec;
    struct packet pkt;

    while (plog_read(ring, &at, &rec, scratch) == PLOG_READ) {
        if (rec.kind != PLOG_IN) {
            *out++ = 'O';
            continue;
        }
        ck_assert(packet_parse(&pkt, PACKET_IN, rec.payload, rec.size));
        *out++ = pkt.tcp.flags & TCP_SYN   ? (pkt.tcp.seq == 99 ? 's' : 't')
                 : pkt.tcp.flags & TCP_RST ? 'r'
                 : pkt.payload_size == 0   ? 'a'
                                           : (char)('d' + (pkt.tcp.seq - 100) / 10);
    }
    *out = '\0';
    ck_assert_uint_eq(at, ring->end);
}

static inline void
has(const struct node *n, const char *claim, const char *steps, const char *expected)
{
    static uint8_t bytes[1 << 16];
    struct plog_ring ring = given(n->births, bytes);
    char found[32];

    spell(&ring, found);
    ck_assert_msg(strcmp(found, expected) == 0, "%s: %s has \"%s\", not \"%s\"", claim,
        steps, found, expected);
}

#endif
