/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * flowmap.h - from a flow key to a small number, the index of the caller's own entry.
 *
 * Chained hash table of fixed capacity in the caller's memory.  Pure. */
#ifndef BSC_FLOWMAP_H
#define BSC_FLOWMAP_H

#include "sockmig/core/packet.h"

#define FLOWMAP_NONE UINT32_MAX

struct flowmap {
    struct flow_key *keys; /* all in the caller's memory */
    uint32_t *next, *heads;
    uint32_t capacity, mask, count;
    uint32_t fresh,
        free; /* indices never used yet start at fresh; list of freed ones */
    uint64_t seed;
};

size_t flowmap_size(uint32_t capacity);

/* flowmap_init - empty.  @memory: flowmap_size() bytes, aligned to 8. */
void flowmap_init(struct flowmap *map, void *memory, uint32_t capacity, uint64_t seed);

/* flowmap_find - FLOWMAP_NONE if there is none.
 * flowmap_add - a key that is not in it; the lowest index is 0.  FLOWMAP_NONE: full. */
uint32_t flowmap_find(const struct flowmap *map, const struct flow_key *key);
uint32_t flowmap_add(struct flowmap *map, const struct flow_key *key);
void flowmap_remove(struct flowmap *map, uint32_t index);

/* carve - the next @size bytes of *memory, which moves on; aligned to 16 if it was. */
#define CARVE_ALIGN 16u
static inline size_t
carve_size(size_t size)
{
    return (size + CARVE_ALIGN - 1) & ~(size_t)(CARVE_ALIGN - 1);
}

static inline void *
carve(uint8_t **memory, size_t size)
{
    uint8_t *at = *memory;

    *memory += carve_size(size);
    return at;
}

#endif
