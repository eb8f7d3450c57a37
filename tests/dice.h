/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * dice.h - numbers that look like chance and are the same for the same seed
 * (xorshift64, Marsaglia 2003), for tests. */
#ifndef BSC_DICE_H
#define BSC_DICE_H

#include <stdint.h>

/* dice - one of 0..@n - 1.  *seed: not 0. */
static inline uint32_t
dice(uint64_t *seed, uint32_t n)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return (uint32_t)(*seed >> 32) % n;
}

#endif
