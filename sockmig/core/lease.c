/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/core/lease.h"

#include <assert.h>

void
lease_init(struct lease *l, unsigned nodes, int64_t length_us)
{
    assert(nodes >= 1 && nodes <= LEASE_MAX_NODES && length_us > 0);
    *l = (struct lease){ .nodes = nodes, .length_us = length_us, .next = 1 };
}

static void
extend(struct lease *l, struct mono sent)
{
    struct mono until = mono_add_us(sent, l->length_us);

    if (mono_before(l->until, until))
        l->until = until;
}

uint64_t
lease_beat(struct lease *l, struct mono now)
{
    uint64_t number = l->next++;

    l->beats[number % LEASE_BEATS].number = number;
    l->beats[number % LEASE_BEATS].sent = now;
    l->beats[number % LEASE_BEATS].acked = 0;
    if (l->nodes < 2 || (l->nodes == 2 && !l->bound))
        extend(l, now);
    return number;
}

void
lease_acked(struct lease *l, unsigned node, uint64_t number)
{
    unsigned slot = number % LEASE_BEATS, proofs;

    if (node >= LEASE_MAX_NODES || number == 0 || l->beats[slot].number != number)
        return;
    l->beats[slot].acked |= 1u << node;
    proofs = (unsigned)__builtin_popcount(l->beats[slot].acked) + 1; /* and we */
    if (proofs > l->nodes / 2)
        extend(l, l->beats[slot].sent);
}

void
lease_end(struct lease *l)
{
    l->until = (struct mono){ 0 };
    for (unsigned i = 0; i < LEASE_BEATS; i++)
        l->beats[i].number = 0; /* late acknowledgements must not revive it */
}
