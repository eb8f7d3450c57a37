/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/core/plog.h"

#include "lib/core/buf.h"

#include <assert.h>
#include <string.h>

void
plog_head(const struct plog_record *rec, uint8_t out[PLOG_HEADER])
{
    struct writer w = writer_init(out, PLOG_HEADER);

    put_u32(&w, rec->size);
    put_u8(&w, rec->kind);
    put_u8(&w, rec->flags);
    put_u16(&w, rec->protocol);
    put_u64(&w, rec->at_us);
    put_u64(&w, rec->arg);
}

size_t
plog_encode(const struct plog_record *rec, uint8_t *out, size_t size)
{
    uint32_t span = plog_span(rec->size);

    if (rec->size > PLOG_PAYLOAD || span > size)
        return 0;
    plog_head(rec, out);
    if (rec->size > 0)
        memcpy(out + PLOG_HEADER, rec->payload, rec->size);
    memset(out + PLOG_HEADER + rec->size, 0, span - PLOG_HEADER - rec->size);
    return span;
}

size_t
plog_encode_release(uint8_t *out, uint64_t at_us, uint64_t ordinal)
{
    struct plog_record rec = { .kind = PLOG_RELEASE, .at_us = at_us, .arg = ordinal };

    return plog_encode(&rec, out, PLOG_SMALL);
}

size_t
plog_encode_cancel(
    uint8_t *out, uint64_t at_us, uint64_t first, uint64_t last, uint8_t flags)
{
    uint8_t payload[8];
    struct writer w = writer_init(payload, sizeof payload);
    struct plog_record rec = { .kind = PLOG_CANCEL,
        .flags = flags,
        .at_us = at_us,
        .arg = first,
        .size = sizeof payload,
        .payload = payload };

    put_u64(&w, last);
    return plog_encode(&rec, out, PLOG_SMALL);
}

size_t
plog_encode_mark(uint8_t *out, uint64_t at_us, const struct plog_mark *mark)
{
    uint8_t payload[16];
    struct writer w = writer_init(payload, sizeof payload);
    struct plog_record rec = { .kind = PLOG_MARK,
        .at_us = at_us,
        .arg = mark->number,
        .size = sizeof payload,
        .payload = payload };

    put_u64(&w, mark->in);
    put_u64(&w, mark->out);
    return plog_encode(&rec, out, PLOG_SMALL);
}

static bool
is_syn(const struct plog_output *o)
{
    return o->tcp_flags & TCP_SYN;
}

void
plog_describe_syn(const struct packet *pkt, struct plog_output *out)
{
    const struct packet_tcp *tcp = &pkt->tcp;

    *out = (struct plog_output){ .flow = pkt->key,
        .tcp_flags = tcp->flags & PLOG_TCP_FLAGS,
        .seq = tcp->seq,
        .ack = tcp->ack,
        .tsval = tcp->tsval,
        .tsecr = tcp->tsecr,
        .window = tcp->window,
        .mss = tcp->mss,
        .wscale = tcp->wscale == PACKET_NO_WSCALE ? 0 : tcp->wscale,
        .options = (uint8_t)((tcp->sack ? PLOG_SACK : 0) |
                             (tcp->timestamps ? PLOG_TIMESTAMPS : 0) |
                             (tcp->wscale == PACKET_NO_WSCALE ? 0 : PLOG_WSCALE) |
                             (tcp->flags & TCP_ECE ? PLOG_ECN : 0)) };
}

void
plog_record_output(uint8_t payload[PLOG_SMALL], uint64_t at_us, uint64_t ordinal,
    const struct plog_output *o, struct plog_record *rec)
{
    struct writer w = writer_init(payload, PLOG_SMALL - PLOG_HEADER);
    const struct flow_key *key = &o->flow;
    size_t address = key->version == 4 ? 4 : 16;

    *rec = (struct plog_record){ .kind = PLOG_OUT,
        .protocol = key->version == 4 ? 0x0800 : 0x86dd,
        .at_us = at_us,
        .arg = ordinal,
        .payload = payload };

    put_u8(&w, key->version);
    put_u8(&w, key->protocol);
    put_u8(&w, o->tcp_flags);
    put_u8(&w, o->options);
    put_u16(&w, key->local_port);
    put_u16(&w, key->remote_port);
    put_u32(&w, o->seq);
    put_u32(&w, o->size);
    put_u64(&w, o->hash);
    put_bytes(&w, key->local, address);
    put_bytes(&w, key->remote, address);
    if (is_syn(o)) {
        put_u32(&w, o->ack);
        put_u32(&w, o->tsval);
        put_u32(&w, o->tsecr);
        put_u16(&w, o->mss);
        put_u8(&w, o->wscale);
        put_u8(&w, 0);
        put_u16(&w, o->window);
        put_u16(&w, 0);
    } else if (o->options & PLOG_ACKED) {
        put_u32(&w, o->acked);
        put_u16(&w, o->window);
        put_u16(&w, 0);
    }
    assert(!w.bad);
    rec->size = (uint32_t)w.pos;
}

size_t
plog_encode_output(
    uint8_t *out, uint64_t at_us, uint64_t ordinal, const struct plog_output *o)
{
    uint8_t payload[PLOG_SMALL];
    struct plog_record rec;

    plog_record_output(payload, at_us, ordinal, o, &rec);
    return plog_encode(&rec, out, PLOG_SMALL);
}

bool
plog_decode_cancel(const struct plog_record *rec, uint64_t *last)
{
    struct reader r = reader_init(rec->payload, rec->size);

    *last = get_u64(&r);
    return !r.bad && *last >= rec->arg;
}

bool
plog_decode_mark(const struct plog_record *rec, struct plog_mark *out)
{
    struct reader r = reader_init(rec->payload, rec->size);

    out->number = rec->arg;
    out->in = get_u64(&r);
    out->out = get_u64(&r);
    return !r.bad;
}

bool
plog_decode_output(const struct plog_record *rec, struct plog_output *out)
{
    struct reader r = reader_init(rec->payload, rec->size);
    struct flow_key *key = &out->flow;
    size_t address;

    memset(out, 0, sizeof *out);
    key->version = get_u8(&r);
    key->protocol = get_u8(&r);
    out->tcp_flags = get_u8(&r);
    out->options = get_u8(&r);
    key->local_port = get_u16(&r);
    key->remote_port = get_u16(&r);
    out->seq = get_u32(&r);
    out->size = get_u32(&r);
    out->hash = get_u64(&r);
    address = key->version == 4 ? 4 : 16;
    get_copy(&r, key->local, address);
    get_copy(&r, key->remote, address);
    if (is_syn(out)) {
        out->ack = get_u32(&r);
        out->tsval = get_u32(&r);
        out->tsecr = get_u32(&r);
        out->mss = get_u16(&r);
        out->wscale = get_u8(&r);
        get_u8(&r);
        out->window = get_u16(&r);
        get_u16(&r);
    } else if (out->options & PLOG_ACKED) {
        out->acked = get_u32(&r);
        out->window = get_u16(&r);
    }
    return !r.bad && (key->version == 4 || key->version == 6) &&
           out->size <= PACKET_MAX;
}

void
plog_ring_init(struct plog_ring *ring, uint8_t *data, uint64_t size, uint64_t at)
{
    assert(size > 0 && (size & (size - 1)) == 0);
    *ring = (struct plog_ring){ .data = data, .size = size, .begin = at, .end = at };
}

static uint64_t
room(const struct plog_ring *ring)
{
    return ring->size - (ring->end - ring->begin);
}

/* No check of room: the caller made it. */
static void
put(struct plog_ring *ring, const void *data, uint64_t size)
{
    uint64_t at = ring->end & (ring->size - 1), first = ring->size - at;

    if (size == 0)
        return;
    if (first > size)
        first = size;
    memcpy(ring->data + at, data, first);
    memcpy(ring->data, (const uint8_t *)data + first, size - first);
    ring->end += size;
}

bool
plog_ring_append(struct plog_ring *ring, const void *data, uint64_t size)
{
    if (size > room(ring))
        return false;
    put(ring, data, size);
    return true;
}

bool
plog_ring_append_record(struct plog_ring *ring, const struct plog_record *rec)
{
    static const uint8_t zeros[8];
    uint8_t head[PLOG_HEADER];
    uint32_t span = plog_span(rec->size);

    if (rec->size > PLOG_PAYLOAD || span > room(ring))
        return false;
    plog_head(rec, head);
    put(ring, head, sizeof head);
    put(ring, rec->payload, rec->size);
    put(ring, zeros, span - PLOG_HEADER - rec->size);
    return true;
}

/* In place, or copied to @scratch where it wraps. */
static const uint8_t *
contiguous(
    const struct plog_ring *ring, uint64_t position, uint32_t size, uint8_t *scratch)
{
    uint64_t at = position & (ring->size - 1), first = ring->size - at;

    if (first >= size)
        return ring->data + at;
    memcpy(scratch, ring->data + at, first);
    memcpy(scratch + first, ring->data, size - first);
    return scratch;
}

enum plog_read
plog_read(const struct plog_ring *ring, uint64_t *at, struct plog_record *rec,
    uint8_t *scratch)
{
    uint64_t left = ring->end - *at;
    uint8_t head[PLOG_HEADER];
    struct reader r;

    assert(*at >= ring->begin && *at <= ring->end);
    if (left < PLOG_HEADER)
        return PLOG_END;
    r = reader_init(contiguous(ring, *at, PLOG_HEADER, head), PLOG_HEADER);
    rec->size = get_u32(&r);
    rec->kind = get_u8(&r);
    rec->flags = get_u8(&r);
    rec->protocol = get_u16(&r);
    rec->at_us = get_u64(&r);
    rec->arg = get_u64(&r);
    if (rec->size > PLOG_PAYLOAD || rec->kind == 0 ||
        (rec->kind == PLOG_IN && rec->arg == 0) || plog_span(rec->size) > ring->size)
        return PLOG_BAD;
    if (left < plog_span(rec->size))
        return PLOG_END;
    rec->payload = contiguous(ring, *at + PLOG_HEADER, rec->size, scratch);
    *at += plog_span(rec->size);
    return PLOG_READ;
}
