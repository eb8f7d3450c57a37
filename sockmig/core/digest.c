/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/core/digest.h"

#include <string.h>

static const uint64_t odd[3] = { 0xa0761d6478bd642f, 0xe7037ed1a0b428db,
    0x8ebc6af09c88c6e3 };

static uint64_t
load(const uint8_t *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

static uint64_t
block(uint64_t acc, const uint8_t *p)
{
    return mix(load(p) ^ odd[1] ^ acc, load(p + 8) ^ odd[2]);
}

void
digest_init(struct digest *d, uint64_t seed)
{
    d->acc = mix(seed ^ odd[0], odd[1]);
    d->size = 0;
}

void
digest_add(struct digest *d, const uint8_t *data, size_t size)
{
    size_t have = d->size % sizeof d->tail, part;

    d->size += size;
    if (have > 0) {
        part = sizeof d->tail - have < size ? sizeof d->tail - have : size;
        memcpy(d->tail + have, data, part);
        if (have + part < sizeof d->tail)
            return;
        d->acc = block(d->acc, d->tail);
        data += part;
        size -= part;
    }
    for (; size >= sizeof d->tail; size -= sizeof d->tail, data += sizeof d->tail)
        d->acc = block(d->acc, data);
    if (size > 0)
        memcpy(d->tail, data, size);
}

uint64_t
digest_value(const struct digest *d)
{
    uint8_t last[sizeof d->tail] = { 0 };
    size_t have = d->size % sizeof d->tail;

    memcpy(last, d->tail, have);
    return mix(block(d->acc, last) ^ odd[0], d->size ^ odd[1]);
}

uint64_t
digest_of(uint64_t seed, const uint8_t *data, size_t size)
{
    struct digest d;

    digest_init(&d, seed);
    digest_add(&d, data, size);
    return digest_value(&d);
}
