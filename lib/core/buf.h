/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * buf.h - the one bounded reader and writer that everything from outside passes.
 *
 * Both work on the caller's storage and never touch a byte beyond it.  The first
 * overrun sets .bad, and every later call does nothing: check .bad once, at the
 * end.  Integers are little-endian.  Pure. */
#ifndef BSC_BUF_H
#define BSC_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reader {
    const uint8_t *data; /* borrowed */
    size_t size, pos;
    bool bad; /* an earlier get went beyond the end, or was refused */
};

struct writer {
    uint8_t *data; /* borrowed */
    size_t size, pos;
    bool bad; /* an earlier put did not fit */
};

struct reader reader_init(const void *data, size_t size);
uint8_t get_u8(struct reader *r); /* 0 once bad, as all getters */
uint16_t get_u16(struct reader *r);
uint32_t get_u32(struct reader *r);
uint64_t get_u64(struct reader *r);

/* get_bytes - @n bytes in place.  NULL (and .bad) if fewer are left. */
const void *get_bytes(struct reader *r, size_t n);

/* get_copy - @n bytes into @to; @to is zeroed if fewer are left. */
void get_copy(struct reader *r, void *to, size_t n);

static inline size_t
reader_left(const struct reader *r)
{
    return r->bad ? 0 : r->size - r->pos;
}

struct writer writer_init(void *data, size_t size);
void put_u8(struct writer *w, uint8_t v);
void put_u16(struct writer *w, uint16_t v);
void put_u32(struct writer *w, uint32_t v);
void put_u64(struct writer *w, uint64_t v);
void put_bytes(struct writer *w, const void *data, size_t n);

#endif
