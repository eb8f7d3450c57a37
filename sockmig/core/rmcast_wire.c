/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/core/rmcast_wire.h"

#include <string.h>

void
rmcast_put_head(struct writer *w, const struct rmcast_head *h)
{
    put_u32(w, RMCAST_MAGIC);
    put_u8(w, RMCAST_VERSION);
    put_u8(w, (uint8_t)h->kind);
    put_u8(w, (uint8_t)h->cipher);
    put_u8(w, (uint8_t)h->from);
    put_u64(w, h->epoch);
    put_u64(w, h->session);
    put_u64(w, h->counter);
}

bool
rmcast_get_head(struct reader *r, struct rmcast_head *h)
{
    uint32_t magic = get_u32(r);
    unsigned version = get_u8(r);
    struct rmcast_head got = { .kind = get_u8(r) };

    got.cipher = get_u8(r);
    got.from = get_u8(r);
    got.epoch = get_u64(r);
    got.session = get_u64(r);
    got.counter = get_u64(r);
    if (r->bad || magic != RMCAST_MAGIC || version != RMCAST_VERSION ||
        got.kind < RMCAST_DATA || got.kind >= RMCAST_NKINDS || got.cipher > 1 ||
        got.from < 1 || got.from > RMCAST_MAX_NODES || got.counter == 0)
        return false;
    *h = got;
    return true;
}

void
rmcast_put_data(struct writer *w, const struct rmcast_data *d)
{
    put_u64(w, d->position);
    put_u64(w, d->sent);
    put_u32(w, d->stamp);
    put_u32(w, d->flags & 0xff); /* and three bytes of 0 */
}

bool
rmcast_get_data(struct reader *r, struct rmcast_data *d)
{
    struct rmcast_data got = { .position = get_u64(r) };

    got.sent = get_u64(r);
    got.stamp = get_u32(r);
    got.flags = get_u32(r);
    got.size = reader_left(r);
    if (r->bad || (got.flags & ~(unsigned)RMCAST_PROBE) || got.position > got.sent ||
        got.size > got.sent - got.position)
        return false;
    if (got.size)
        got.bytes = get_bytes(r, got.size);
    *d = got;
    return true;
}

void
rmcast_put_ack(struct writer *w, const struct rmcast_ack *a)
{
    put_u64(w, a->have);
    put_u64(w, a->limit);
    put_u64(w, a->echo);
    put_u32(w, a->stamp);
    put_u8(w, (uint8_t)a->flags);
    put_u8(w, (uint8_t)a->nmissing);
    put_u16(w, 0);
    for (unsigned i = 0; i < a->nmissing; i++) {
        put_u64(w, a->missing[i].from);
        put_u64(w, a->missing[i].to);
    }
}

bool
rmcast_get_ack(struct reader *r, struct rmcast_ack *a)
{
    struct rmcast_ack got = { .have = get_u64(r) };
    uint64_t from;
    unsigned zero;

    got.limit = get_u64(r);
    got.echo = get_u64(r);
    got.stamp = get_u32(r);
    got.flags = get_u8(r);
    got.nmissing = get_u8(r);
    zero = get_u16(r);
    if (r->bad || zero || (got.flags & ~(unsigned)RMCAST_NO_AES) ||
        got.nmissing > RMCAST_RANGES || reader_left(r) != 16 * got.nmissing ||
        got.limit < got.have)
        return false;
    from = got.have;
    for (unsigned i = 0; i < got.nmissing; i++) {
        struct rmcast_range *m = &got.missing[i];

        m->from = get_u64(r);
        m->to = get_u64(r);
        if (m->from < from || m->from >= m->to || m->to == UINT64_MAX)
            return false;
        from = m->to + 1; /* what touches would be one range */
    }
    *a = got;
    return true;
}

void
rmcast_seen_init(struct rmcast_seen *s)
{
    memset(s, 0, sizeof *s);
}

bool
rmcast_seen_is(const struct rmcast_seen *s, uint64_t counter)
{
    if (counter > s->highest)
        return false;
    if (s->highest - counter >= RMCAST_SEEN_WINDOW)
        return true;
    return s->bits[counter / 64 % RMCAST_SEEN_WORDS] >> counter % 64 & 1;
}

void
rmcast_seen_add(struct rmcast_seen *s, uint64_t counter)
{
    uint64_t word = s->highest / 64;

    if (counter > s->highest) { /* words entered anew hold bits of a turn before */
        if (counter / 64 - word > RMCAST_SEEN_WORDS)
            word = counter / 64 - RMCAST_SEEN_WORDS;
        while (word < counter / 64)
            s->bits[++word % RMCAST_SEEN_WORDS] = 0;
        s->highest = counter;
    }
    s->bits[counter / 64 % RMCAST_SEEN_WORDS] |= UINT64_C(1) << counter % 64;
}
