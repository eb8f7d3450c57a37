/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/core/flowmap.h"

#include <assert.h>
#include <string.h>

static uint32_t
heads_for(uint32_t capacity)
{
    uint32_t n = 16;

    while (n < capacity && n < 1u << 30)
        n *= 2;
    return n;
}

size_t
flowmap_size(uint32_t capacity)
{
    return carve_size(capacity * sizeof(struct flow_key)) +
           carve_size(capacity * sizeof(uint32_t)) +
           carve_size(heads_for(capacity) * sizeof(uint32_t));
}

void
flowmap_init(struct flowmap *map, void *memory, uint32_t capacity, uint64_t seed)
{
    uint8_t *at = memory;
    uint32_t heads = heads_for(capacity);

    *map = (struct flowmap){
        .capacity = capacity, .mask = heads - 1, .free = FLOWMAP_NONE, .seed = seed
    };
    map->keys = carve(&at, capacity * sizeof *map->keys);
    map->next = carve(&at, capacity * sizeof *map->next);
    map->heads = carve(&at, heads * sizeof *map->heads);
    memset(map->heads, 0xff, heads * sizeof *map->heads);
}

static uint32_t *
head(const struct flowmap *map, const struct flow_key *key)
{
    return &map->heads[flow_key_hash(key, map->seed) & map->mask];
}

uint32_t
flowmap_find(const struct flowmap *map, const struct flow_key *key)
{
    uint32_t i = *head(map, key);

    while (i != FLOWMAP_NONE && memcmp(&map->keys[i], key, sizeof *key) != 0)
        i = map->next[i];
    return i;
}

uint32_t
flowmap_add(struct flowmap *map, const struct flow_key *key)
{
    uint32_t i = map->free, *at = head(map, key);

    if (i != FLOWMAP_NONE)
        map->free = map->next[i];
    else if (map->fresh < map->capacity)
        i = map->fresh++;
    else
        return FLOWMAP_NONE;
    map->keys[i] = *key;
    map->next[i] = *at;
    *at = i;
    map->count++;
    return i;
}

void
flowmap_remove(struct flowmap *map, uint32_t index)
{
    uint32_t *at = head(map, &map->keys[index]);

    while (*at != index) {
        assert(*at != FLOWMAP_NONE);
        at = &map->next[*at];
    }
    *at = map->next[index];
    map->next[index] = map->free;
    map->free = index;
    map->count--;
}
