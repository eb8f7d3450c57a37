/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/core/known.h"

#include "lib/core/buf.h"

#include <string.h>

#define LINE 64u
#define LINES (KNOWN_PAGE / LINE)

static const uint8_t zeroes[KNOWN_PAGE];

void
known_init(struct known *k, uint8_t *pages)
{
    k->pages = pages;
    known_forget(k);
}

void
known_forget(struct known *k)
{
    memset(k->keys, 0, sizeof k->keys);
}

/* Never 0: bit 0 is set.  Two pages with one key would be coded as differences to each
 * other, which is as right. */
static uint64_t
key_of(struct known_page which)
{
    return which.address ^ (uint64_t)which.process << 47 ^ 1;
}

static unsigned
place_of(uint64_t key)
{
    return (unsigned)(key * 0x9e3779b97f4a7c15ull >> 52);
}

/* Where the page is kept; NULL: it is not.  *before: what it was. */
static uint8_t *
look_up(struct known *k, struct known_page which, const uint8_t **before)
{
    uint64_t key = key_of(which);
    unsigned place = place_of(key);
    uint8_t *at = k->pages + (size_t)place * KNOWN_PAGE;

    *before = k->keys[place] == key ? at : zeroes;
    if (!which.kept)
        return NULL;
    k->keys[place] = key;
    return at;
}

static bool
is_same(const uint8_t *a, const uint8_t *b)
{
    uint64_t x[LINE / 8], y[LINE / 8], other = 0;

    memcpy(x, a, sizeof x);
    memcpy(y, b, sizeof y);
    for (unsigned i = 0; i < LINE / 8; i++)
        other |= x[i] ^ y[i];
    return other == 0;
}

size_t
known_code(struct known *k, struct known_page which, const uint8_t *page, uint8_t *out)
{
    const uint8_t *before;
    uint8_t *at = look_up(k, which, &before);
    struct writer w = writer_init(out, KNOWN_CODED);
    uint64_t bits = 0;

    for (unsigned i = 0; i < LINES; i++)
        if (!is_same(page + i * LINE, before + i * LINE))
            bits |= UINT64_C(1) << i;
    put_u64(&w, bits);
    for (unsigned i = 0; i < LINES; i++)
        if (bits >> i & 1)
            put_bytes(&w, page + i * LINE, LINE);
    if (at)
        memcpy(at, page, KNOWN_PAGE);
    return w.pos;
}

size_t
known_decode(struct known *k, struct known_page which, const uint8_t *in, size_t size,
    uint8_t *page)
{
    struct reader r = reader_init(in, size);
    uint64_t bits = get_u64(&r);
    const uint8_t *before;
    uint8_t *at;

    if (r.bad || reader_left(&r) < (size_t)__builtin_popcountll(bits) * LINE)
        return 0;
    at = look_up(k, which, &before);
    for (unsigned i = 0; i < LINES; i++)
        if (bits >> i & 1)
            get_copy(&r, page + i * LINE, LINE);
        else
            memcpy(page + i * LINE, before + i * LINE, LINE);
    if (at)
        memcpy(at, page, KNOWN_PAGE);
    return r.pos;
}
