/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * keep_fragments.c - datagrams whose fragments came on both sides of a mark.
 *
 * The kernel's queue of fragments is in no image.  Fed again, those from before the
 * mark meet the others in the clone. */
#include "sockmig/core/keep_private.h"

#define AGE_US 30000000 /* the kernel gives up then, too (ipfrag_time) */

static struct flow_key
key_of(const struct packet *pkt)
{
    struct flow_key key = pkt->key;

    key.local_port = (uint16_t)(pkt->fragment_id >> 16);
    key.remote_port = (uint16_t)pkt->fragment_id;
    return key;
}

static void
forget(struct keep *k, uint32_t i)
{
    flowmap_remove(&k->pieces_map, i);
    k->changed |= k->pieces[i].kept;
    k->pieces[i].used = false;
}

static uint32_t
find_or_add(struct keep *k, const struct flow_key *key, uint64_t at_us)
{
    uint32_t i = flowmap_find(&k->pieces_map, key);

    if (i != FLOWMAP_NONE)
        return i;
    if (k->pieces_map.count == KEEP_PIECES) /* then all places are in use */
        forget(k, k->next_piece++ % KEEP_PIECES);
    i = flowmap_add(&k->pieces_map, key);
    k->pieces[i] = (struct pieces){ .at_us = at_us, .used = true };
    return i;
}

void
pieces_count(struct keep *k, const struct packet *pkt, uint64_t at_us)
{
    struct flow_key key = key_of(pkt);
    uint32_t i = find_or_add(k, &key, at_us), size = pkt->size - pkt->transport;
    struct pieces *p = &k->pieces[i];

    p->have += size;
    if (!pkt->more)
        p->total = pkt->fragment_at + size;
    if (p->total != 0 && p->have >= p->total)
        forget(k, i);
}

bool
pieces_lack(struct keep *k, const struct packet *pkt)
{
    struct flow_key key = key_of(pkt);
    uint32_t i = flowmap_find(&k->pieces_map, &key);

    if (i == FLOWMAP_NONE)
        return false;
    k->pieces[i].kept = true;
    return true;
}

void
pieces_expire(struct keep *k)
{
    for (uint32_t i = 0; k->pieces_map.count > 0 && i < k->pieces_map.fresh; i++)
        if (k->pieces[i].used && k->newest_at > k->pieces[i].at_us + AGE_US)
            forget(k, i);
}
