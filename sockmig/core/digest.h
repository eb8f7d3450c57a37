/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * digest.h - a 64-bit hash of a stream of bytes that may come in any pieces.
 *
 * Output that is made again comes in other segments than at first, so the same bytes
 * in other pieces give the same value.  It tells an accident, it does not keep out an
 * attacker: the log is sealed on the wire.  Pure.  After wyhash (public domain). */
#ifndef BSC_DIGEST_H
#define BSC_DIGEST_H

#include <stddef.h>
#include <stdint.h>

/* mix - both halves of the product, folded: every bit depends on every other. */
static inline uint64_t
mix(uint64_t a, uint64_t b)
{
    __extension__ unsigned __int128 product = (unsigned __int128)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

struct digest {
    uint64_t acc, size;
    uint8_t tail[16]; /* size % 16 bytes not in acc yet */
};

void digest_init(struct digest *d, uint64_t seed);
void digest_add(struct digest *d, const uint8_t *data, size_t size);
uint64_t digest_value(const struct digest *d); /* of all bytes so far */

/* digest_of - the same in one call. */
uint64_t digest_of(uint64_t seed, const uint8_t *data, size_t size);

#endif
