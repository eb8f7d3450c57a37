/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * rsim_server.c - the server: it reads requests, in the order in which they came to the
 * host, and answers them. */
#include "sockmig/core/bigendian.h"
#include "tests/sim/rsim_host.h"

#include <assert.h>
#include <string.h>

static void
answer(struct host *h, struct sconn *c, uint32_t id)
{
    uint32_t at = c->write_seq - c->iss - 1, n = rsim_filler_size(h->counter);
    uint8_t *p = c->out + at;

    if (c->reset) { /* nobody to send it to */
        h->counter++;
        return;
    }
    assert(at + 16 + n <= RSIM_STREAM);
    put_be32(p, id);
    put_be32(p + 4, h->counter);
    put_be32(p + 8, n);
    put_be32(p + 12, 0x42534321);
    for (uint32_t i = 0; i < n; i++)
        p[16 + i] = rsim_filler(h->counter, i);
    c->write_seq += 16 + n;
    h->counter++;
    if (h->wrong && n > 0) {
        p[16] ^= 1;
        h->wrong = false;
        h->wrong_key = c->key;
        h->wrong_seq = c->iss + 1 + at + 16;
    }
}

static bool
has_unread(const struct host *h, const struct sconn *c)
{
    for (uint32_t i = 0; i < h->ntokens; i++)
        if (h->tokens[i].conn == (uint32_t)(c - h->conns) &&
            h->tokens[i].kind == T_DATA)
            return true;
    return c->unread > 0;
}

/* close(): where something is unread, a reset takes the place of the end. */
static void
hang_up(struct host *h, struct sconn *c, rsim_emit *emit, void *arg)
{
    uint8_t p[PACKET_BUILT];
    bool unread = has_unread(h, c);

    host_drop_tokens(h, (uint32_t)(c - h->conns));
    if (c->reset) {
        host_leave(h, c);
        return;
    }
    if (!unread) {
        c->state = S_CLOSED;
        c->write_seq += !c->fin_queued;
        c->fin_queued = true;
    }
    host_transmit(c, emit, arg);
    if (!unread)
        return;
    host_leave(h, c);
    emit(arg, p, packet_rst(p, &c->key, PACKET_OUT, c->snd_nxt, c->rcv_nxt));
}

static void
handle(struct host *h, struct sconn *c, uint32_t size, rsim_emit *emit, void *arg)
{
    c->unread += size; /* a request may come in two pieces */
    while (c->unread >= 8 && c->state == S_ACCEPTED) {
        uint32_t id = be32(c->in + c->taken), what = be32(c->in + c->taken + 4);

        h->done[host_client(&c->key)][id]++;
        answer(h, c, id);
        if (what == RSIM_QUIT && !c->reset) { /* no more answers */
            c->fin_queued = true;
            c->write_seq++;
        }
        c->taken += 8;
        c->unread -= 8;
        if (what == RSIM_HANG_UP)
            hang_up(h, c, emit, arg);
    }
    c->ack_due |= 2 * (c->edge - c->rcv_nxt) <= host_room(c);
}

bool
host_app(struct host *h, rsim_emit *emit, void *arg)
{
    struct sconn *c;
    enum token_kind kind;
    uint32_t size;

    if (h->ntokens == 0)
        return false;
    c = &h->conns[h->tokens[0].conn];
    kind = h->tokens[0].kind;
    size = h->tokens[0].size;
    h->ntokens--;
    memmove(h->tokens, h->tokens + 1, h->ntokens * sizeof h->tokens[0]);
    if (kind == T_ACCEPT)
        c->state = S_ACCEPTED;
    if (kind == T_DATA)
        handle(h, c, size, emit, arg);
    if (kind == T_EOF && !c->fin_queued && !c->reset) {
        c->fin_queued = true;
        c->write_seq++;
    }
    host_transmit(c, emit, arg);
    if (kind == T_EOF && !c->reset)
        c->state = S_CLOSED;
    if (kind == T_RESET)
        c->state = S_FREE;
    return true;
}
