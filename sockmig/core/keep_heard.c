/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * keep_heard.c - how far each connection has come in the log after the last mark. */
#include "sockmig/core/keep_private.h"

/* One with another number begins a connection anew; in an image the first one's is not
 * known, but an old one is before all that came since. */
static bool
is_new(const struct conn *c, uint32_t syn)
{
    return c->state == CONN_BORN ? c->syn != syn : seq_after(syn + 1, c->rcv_nxt);
}

static void
hear_syn(struct keep *k, const struct packet *pkt)
{
    struct conn *c = conn_find(k, &pkt->key);

    if (c && !is_new(c, pkt->tcp.seq))
        return;
    if (!c && !(c = conn_add(k, &pkt->key)))
        return;
    c->state = CONN_BORN;
    c->syn = pkt->tcp.seq;
    c->rcv_nxt = pkt->tcp.seq + 1;
}

bool
keep_hears(struct keep *k, const struct packet *pkt)
{
    uint32_t end = packet_seq_end(pkt);
    struct conn *c;

    if (!packet_is_tcp(pkt) || end == pkt->tcp.seq)
        return false;
    if (pkt->tcp.flags & TCP_SYN) {
        hear_syn(k, pkt);
        return false;
    }
    c = conn_find(k, &pkt->key);
    if (!c)
        return false;
    if (seq_after(pkt->tcp.seq, c->rcv_nxt))
        return true;
    if (seq_after(end, c->rcv_nxt))
        c->rcv_nxt = end;
    return false;
}

bool
keep_next(const struct keep *k, const struct flow_key *key, uint32_t *next)
{
    uint32_t i = flowmap_find(&k->map, key);

    if (i != FLOWMAP_NONE)
        *next = k->conns[i].rcv_nxt;
    return i != FLOWMAP_NONE;
}
