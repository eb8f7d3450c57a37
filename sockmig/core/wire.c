/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/core/wire.h"

#include "sockmig/core/image.h"

void
wire_put_hello(struct writer *w, const struct wire_hello *h)
{
    put_u8(w, WIRE_HELLO);
    put_u32(w, WIRE_VERSION);
    put_u64(w, h->epoch);
    put_u64(w, h->session);
    put_u64(w, h->next);
    put_u64(w, h->log);
}

bool
wire_get_hello(struct reader *r, struct wire_hello *h)
{
    uint8_t kind = get_u8(r);
    uint32_t version = get_u32(r);

    h->epoch = get_u64(r);
    h->session = get_u64(r);
    h->next = get_u64(r);
    h->log = get_u64(r);
    return !r->bad && kind == WIRE_HELLO && version == WIRE_VERSION &&
           reader_left(r) == 0;
}

void
wire_put_head(struct writer *w, const struct wire_head *h)
{
    put_u8(w, (uint8_t)h->kind);
    put_u64(w, h->number);
    put_u64(w, h->image_bytes);
    put_u64(w, h->runs);
    put_u64(w, h->page_bytes);
    put_u64(w, h->parcel_bytes);
    put_u64(w, h->file_bytes);
    put_u64(w, h->mark_in);
    put_u64(w, h->mark_out);
    put_u64(w, h->age_us);
    put_u8(w, (uint8_t)h->policy);
    put_u8(w, h->hurry);
    put_u8(w, h->anew);
}

bool
wire_get_head(struct reader *r, enum wire_kind kind, struct wire_head *h)
{
    uint8_t hurry, anew;

    h->kind = kind;
    h->number = get_u64(r);
    h->image_bytes = get_u64(r);
    h->runs = get_u64(r);
    h->page_bytes = get_u64(r);
    h->parcel_bytes = get_u64(r);
    h->file_bytes = get_u64(r);
    h->mark_in = get_u64(r);
    h->mark_out = get_u64(r);
    h->age_us = get_u64(r);
    h->policy = get_u8(r);
    hurry = get_u8(r);
    h->hurry = hurry == 1;
    anew = get_u8(r);
    h->anew = anew == 1;
    return !r->bad && hurry <= 1 && anew <= 1 && reader_left(r) == 0 &&
           h->image_bytes <= WIRE_MAX_META && h->policy < WIRE_POLICIES &&
           h->age_us <= WIRE_MAX_AGE_US && h->page_bytes % IMAGE_PAGE == 0;
}

void
wire_put_ack(struct writer *w, const struct wire_ack *a)
{
    put_u8(w, WIRE_ACK);
    put_u64(w, a->whole);
    put_u64(w, a->applied);
    put_u8(w, a->ready);
}

bool
wire_get_ack(struct reader *r, struct wire_ack *a)
{
    uint8_t kind = get_u8(r), ready;

    a->whole = get_u64(r);
    a->applied = get_u64(r);
    ready = get_u8(r);
    a->ready = ready == 1;
    return !r->bad && kind == WIRE_ACK && ready <= 1 && reader_left(r) == 0;
}

void
wire_put_beat_head(struct writer *w, const struct wire_beat_head *h)
{
    put_u32(w, WIRE_BEAT_MAGIC);
    put_u16(w, (uint16_t)h->from);
    put_u16(w, (uint16_t)h->to);
    put_u64(w, h->session);
    put_u64(w, h->counter);
}

bool
wire_get_beat_head(struct reader *r, struct wire_beat_head *h)
{
    uint32_t magic = get_u32(r);

    h->from = get_u16(r);
    h->to = get_u16(r);
    h->session = get_u64(r);
    h->counter = get_u64(r);
    return !r->bad && magic == WIRE_BEAT_MAGIC;
}

void
wire_put_beat(struct writer *w, const struct wire_beat *b)
{
    put_u8(w, (uint8_t)b->kind);
    put_u64(w, b->epoch);
    put_u64(w, b->number);
    put_u64(w, b->echo);
}

bool
wire_get_beat(struct reader *r, struct wire_beat *b)
{
    uint8_t kind = get_u8(r);

    b->kind = (enum wire_beat_kind)kind;
    b->epoch = get_u64(r);
    b->number = get_u64(r);
    b->echo = get_u64(r);
    return !r->bad && kind >= WIRE_BEAT && kind < WIRE_BEAT_NKINDS &&
           reader_left(r) == 0;
}
