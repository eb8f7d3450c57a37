/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fnv.h - FNV-1a, 64 bits: tells one state from the next and guards against nobody;
 * what comes from others is authenticated (seal.h).
 *
 * Source: draft-eastlake-fnv.  Of a whole number at a time it is quicker, and not the
 * same as of its bytes.  Pure. */
#ifndef BSC_FNV_H
#define BSC_FNV_H

#include <stddef.h>
#include <stdint.h>

#define FNV_BASIS UINT64_C(0xcbf29ce484222325) /* to begin with */

static inline uint64_t
fnv_mix(uint64_t hash, uint64_t value)
{
    return (hash ^ value) * UINT64_C(0x100000001b3);
}

static inline uint64_t
fnv_bytes(uint64_t hash, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;

    for (size_t i = 0; i < n; i++)
        hash = fnv_mix(hash, p[i]);
    return hash;
}

#endif
