/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/core/buf.h"

#include <endian.h>
#include <string.h>

struct reader
reader_init(const void *data, size_t size)
{
    return (struct reader){ .data = data, .size = size };
}

const void *
get_bytes(struct reader *r, size_t n)
{
    const void *at;

    if (r->bad || n > r->size - r->pos) {
        r->bad = true;
        return NULL;
    }
    at = r->data + r->pos;
    r->pos += n;
    return at;
}

void
get_copy(struct reader *r, void *to, size_t n)
{
    const void *from = get_bytes(r, n);

    if (from)
        memcpy(to, from, n);
    else
        memset(to, 0, n);
}

/* Inline, so that the size is known and each of these is one move: a datagram of the
 * log has eleven numbers, and byte by byte they took 5 % of its way. */
static inline uint64_t
get_le(struct reader *r, size_t n)
{
    const uint8_t *b = get_bytes(r, n);
    uint64_t v = 0;

    if (b)
        memcpy(&v, b, n);
    return le64toh(v);
}

uint8_t
get_u8(struct reader *r)
{
    return (uint8_t)get_le(r, 1);
}

uint16_t
get_u16(struct reader *r)
{
    return (uint16_t)get_le(r, 2);
}

uint32_t
get_u32(struct reader *r)
{
    return (uint32_t)get_le(r, 4);
}

uint64_t
get_u64(struct reader *r)
{
    return get_le(r, 8);
}

struct writer
writer_init(void *data, size_t size)
{
    return (struct writer){ .data = data, .size = size };
}

void
put_bytes(struct writer *w, const void *data, size_t n)
{
    if (w->bad || n > w->size - w->pos) {
        w->bad = true;
        return;
    }
    if (n)
        memcpy(w->data + w->pos, data, n);
    w->pos += n;
}

static inline void
put_le(struct writer *w, uint64_t v, size_t n)
{
    v = htole64(v);
    put_bytes(w, &v, n);
}

void
put_u8(struct writer *w, uint8_t v)
{
    put_le(w, v, 1);
}

void
put_u16(struct writer *w, uint16_t v)
{
    put_le(w, v, 2);
}

void
put_u32(struct writer *w, uint32_t v)
{
    put_le(w, v, 4);
}

void
put_u64(struct writer *w, uint64_t v)
{
    put_le(w, v, 8);
}
