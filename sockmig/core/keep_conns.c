/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * keep_conns.c - the connections that a standby's log knows. */
#include "sockmig/core/image.h"
#include "sockmig/core/keep_private.h"

#include <string.h>

#define REMEMBERED 2 /* trims: the log may be one behind */

void
conn_acknowledged(struct keep *k, struct conn *c)
{
    if (!c->half_open)
        return;
    list_remove(&k->half_open, k->links, (uint32_t)(c - k->conns));
    c->half_open = false;
}

void
conn_waits(struct keep *k, struct conn *c)
{
    list_add(&k->half_open, k->links, (uint32_t)(c - k->conns));
    c->half_open = true;
    c->waits = true;
    k->waiting++;
}

static void
give_up(struct keep *k, struct conn *c)
{
    if (c->gone)
        return;
    conn_acknowledged(k, c);
    c->gone = true;
    c->trim = k->trim;
    k->ngone++;
    k->waiting -= c->waits;
    c->waits = false;
}

void
conn_end(struct keep *k, struct conn *c)
{
    give_up(k, c);
    k->changed = true;
}

static void
erase(struct keep *k, uint32_t i)
{
    k->ngone -= k->conns[i].gone;
    flowmap_remove(&k->map, i);
    k->conns[i].used = false;
}

void
conn_evict_oldest(struct keep *k)
{
    uint32_t i = k->half_open.oldest;

    give_up(k, &k->conns[i]);
    erase(k, i);
    k->evicted++;
}

struct conn *
conn_find(struct keep *k, const struct flow_key *key)
{
    uint32_t i = flowmap_find(&k->map, key);

    return i == FLOWMAP_NONE ? NULL : &k->conns[i];
}

static void
forget_gone(struct keep *k, uint32_t least)
{
    for (uint32_t i = 0; i < k->map.fresh; i++)
        if (k->conns[i].used && k->conns[i].gone && k->trim - k->conns[i].trim >= least)
            erase(k, i);
}

void
conns_forget(struct keep *k)
{
    forget_gone(k, REMEMBERED);
}

void
conns_retire(struct keep *k)
{
    for (uint32_t i = 0; i < k->map.fresh; i++) {
        struct conn *c = &k->conns[i];

        if (!c->used || c->state != CONN_IN_IMAGE || c->trim == k->trim)
            continue;
        c->state = CONN_BORN;
        conn_end(k, c);
    }
}

struct conn *
conn_add(struct keep *k, const struct flow_key *key)
{
    uint32_t i = flowmap_add(&k->map, key);

    if (i == FLOWMAP_NONE && k->ngone > 0)
        forget_gone(k, 0);
    else if (i == FLOWMAP_NONE && k->half_open.count > 0)
        conn_evict_oldest(k);
    if (i == FLOWMAP_NONE)
        i = flowmap_add(&k->map, key);
    if (i == FLOWMAP_NONE)
        return NULL;
    k->conns[i] = (struct conn){ .used = true };
    return &k->conns[i];
}

void
keep_begin(struct keep *k)
{
    k->trim++;
    if (k->unaccepted.count > 0)
        flowmap_init(&k->unaccepted, k->unaccepted_memory, KEEP_UNACCEPTED, 0);
}

void
keep_unaccepted(struct keep *k, const struct flow_key *key)
{
    if (flowmap_find(&k->unaccepted, key) == FLOWMAP_NONE &&
        flowmap_add(&k->unaccepted, key) == FLOWMAP_NONE)
        k->lost++;
}

/* What the service has read of them, or closed unread, it did before the mark. */
void
conns_end_accepted(struct keep *k)
{
    for (uint32_t i = 0; i < k->map.fresh; i++) {
        struct conn *c = &k->conns[i];

        if (c->used && c->reset && !c->gone &&
            flowmap_find(&k->unaccepted, &k->map.keys[i]) == FLOWMAP_NONE)
            conn_end(k, c);
    }
}

/* @guess is right if it has the same key: then nothing need be looked for. */
static struct conn *
find_by(struct keep *k, const struct flow_key *key, uint32_t guess)
{
    if (guess < k->map.fresh && k->conns[guess].used &&
        memcmp(&k->map.keys[guess], key, sizeof *key) == 0)
        return &k->conns[guess];
    return conn_find(k, key);
}

uint32_t
keep_connection(
    struct keep *k, const struct flow_key *key, uint32_t rcv_nxt, uint32_t guess)
{
    struct conn *c = find_by(k, key, guess);

    if (!c && !(c = conn_add(k, key))) {
        k->lost++;
        return FLOWMAP_NONE;
    }
    if (c->state == CONN_BORN && c->waits)
        conn_end(k, c);
    c->state = CONN_IN_IMAGE;
    k->ngone -= c->gone;
    c->gone = false;
    c->trim = k->trim;
    c->rcv_nxt = rcv_nxt;
    return (uint32_t)(c - k->conns);
}

uint32_t
keep_connection_image(struct keep *k, const struct image_tcp *tcp, uint32_t guess)
{
    struct flow_key key;

    return flow_key_tcp(&key, tcp->local, tcp->remote)
               ? keep_connection(k, &key, tcp->rcv_nxt, guess)
               : FLOWMAP_NONE;
}

void
keep_unaccepted_image(struct keep *k, const struct image *im)
{
    for (uint32_t i = 0; i < im->nunaccepted; i++) {
        struct flow_key key;

        if (flow_key_tcp(&key, im->unaccepted[i].local, im->unaccepted[i].remote))
            keep_unaccepted(k, &key);
    }
}
