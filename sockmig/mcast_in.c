/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * mcast_in.c - what comes: the one place where the channel looks at datagrams from
 * outside.  Cheap questions first; nothing is believed before its seal is whole. */
#include "sockmig/mcast_private.h"

#include <errno.h>
#include <netinet/udp.h>
#include <string.h>

#define BATCHES_A_TURN 4

/* Whose it claims to be: where its counters and its key are.  NULL: nobody's here. */
static const struct seal_channel *
claimed(struct mcast *m, const struct rmcast_head *h, struct rmcast_seen **seen)
{
    struct mcast_peer *p = &m->peers[h->from - 1];

    if (m->role == MCAST_ACTIVE && h->kind == RMCAST_ACK &&
        (m->tx.present >> (h->from - 1) & 1) && h->session == p->session &&
        h->cipher == p->in.cipher) {
        *seen = &p->seen;
        return &p->in;
    }
    if (m->role == MCAST_STANDBY && h->kind == RMCAST_DATA && h->from == m->active &&
        h->session == m->active_reign) {
        *seen = &m->seen;
        return m->opens[h->cipher] ? &m->in[h->cipher] : NULL;
    }
    return NULL;
}

static void
take_data(
    struct mcast *m, const struct rmcast_head *h, const uint8_t *body, size_t size)
{
    struct reader r = reader_init(body, size);
    struct rmcast_data data;

    if (rmcast_get_data(&r, &data))
        rmcast_rx_data(&m->rx, h->counter, &data);
    else
        m->stats.malformed++;
}

static void
take_ack(struct mcast *m, const struct rmcast_head *h, const uint8_t *body, size_t size,
    struct mono now)
{
    struct reader r = reader_init(body, size);
    struct rmcast_ack ack;

    if (!rmcast_get_ack(&r, &ack)) {
        m->stats.malformed++;
        return;
    }
    if (ack.flags & RMCAST_NO_AES)
        m->cipher = SEAL_XCHACHA20; /* for the rest of the reign */
    rmcast_tx_acked(&m->tx, h->from - 1, &ack, now);
}

static void
take(struct mcast *m, uint8_t *bytes, size_t size, struct mono now)
{
    struct reader r = reader_init(bytes, size);
    const struct seal_channel *channel;
    struct rmcast_seen *seen;
    struct rmcast_head h;
    uint8_t *body = bytes + RMCAST_HEAD;

    if (!rmcast_get_head(&r, &h) || size < RMCAST_HEAD + SEAL_TAG) {
        m->stats.malformed++;
        return;
    }
    if (h.epoch < m->epoch) {
        m->stats.old_epoch++;
        return;
    }
    channel = h.epoch == m->epoch ? claimed(m, &h, &seen) : NULL;
    if (!channel) {
        m->stats.strangers++;
        return;
    }
    if (rmcast_seen_is(seen, h.counter)) {
        m->stats.replayed++;
        return;
    }
    if (!seal_channel_get(
            channel, h.counter, bytes, RMCAST_HEAD, body, size - RMCAST_HEAD, body)) {
        m->stats.forged++;
        return;
    }
    rmcast_seen_add(seen, h.counter);
    if (h.kind == RMCAST_DATA)
        take_data(m, &h, body, size - RMCAST_HEAD - SEAL_TAG);
    else
        take_ack(m, &h, body, size - RMCAST_HEAD - SEAL_TAG, now);
}

/* The kernel joins datagrams of one size that came together (UDP_GRO). */
static size_t
segment_of(struct msghdr *h, size_t size)
{
    int value;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c))
        if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO) {
            memcpy(&value, CMSG_DATA(c), sizeof value);
            if (value > 0)
                return (size_t)value;
        }
    return size;
}

/* How many messages were there. */
static unsigned
read_batch(struct mcast *m, int fd, struct mono now)
{
    struct mmsghdr messages[MCAST_BATCH];
    struct iovec parts[MCAST_BATCH];
    char control[MCAST_BATCH][CMSG_SPACE(sizeof(int))];
    int n;

    for (unsigned i = 0; i < MCAST_BATCH; i++) {
        parts[i] = (struct iovec){ m->inbox + i * MCAST_MESSAGE, MCAST_MESSAGE };
        messages[i].msg_hdr = (struct msghdr){ .msg_iov = &parts[i],
            .msg_iovlen = 1,
            .msg_control = control[i],
            .msg_controllen = sizeof control[i] };
    }
    n = recvmmsg(fd, messages, MCAST_BATCH, MSG_DONTWAIT, NULL);
    m->stats.calls_in++;
    for (int i = 0; i < n; i++) {
        size_t size = messages[i].msg_len;
        size_t segment = segment_of(&messages[i].msg_hdr, size);
        uint8_t *bytes = parts[i].iov_base;

        for (size_t at = 0; at < size; at += segment)
            take(m, bytes + at, size - at < segment ? size - at : segment, now);
    }
    return n > 0 ? (unsigned)n : 0;
}

void
mcast_readable(struct loop_io *io, int fd, int events, void *arg)
{
    struct mcast *m = arg;
    uint64_t have = m->rx.have;
    struct mono now = loop_now(m->options.loop);

    (void)io;
    (void)events;
    for (int i = 0; i < BATCHES_A_TURN; i++) {
        unsigned n = read_batch(m, fd, now);

        if (m->role == MCAST_STANDBY)
            mcast_answer(m);
        if (n < MCAST_BATCH)
            break;
    }
    if (m->role == MCAST_STANDBY && m->rx.have > have)
        m->options.calls->received(m->options.arg, m->rx.have);
    else if (m->role == MCAST_ACTIVE)
        mcast_pump(m);
}
