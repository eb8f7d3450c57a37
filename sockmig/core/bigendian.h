/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * bigendian.h - integers as network headers have them, at any alignment.  No bounds:
 * the caller has checked them. */
#ifndef BSC_BIGENDIAN_H
#define BSC_BIGENDIAN_H

#include <stdint.h>

static inline uint16_t
be16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t
be32(const uint8_t *p)
{
    return (uint32_t)be16(p) << 16 | be16(p + 2);
}

static inline void
put_be16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static inline void
put_be32(uint8_t *p, uint32_t v)
{
    put_be16(p, v >> 16);
    put_be16(p + 2, v & 0xffff);
}

#endif
