/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * mcast_out.c - what leaves: datagrams are sealed side by side, so that one message
 * with UDP_SEGMENT carries up to 64 of them (Linux Documentation: udp(7)). */
#include "sockmig/mcast_private.h"

#include "lib/log.h"
#include "sockmig/address.h"

#include <errno.h>
#include <netinet/udp.h>
#include <string.h>

#define MOST_MESSAGES (MCAST_RUNS * CONF_MAX_NODES)

struct batch {
    struct mmsghdr messages[MOST_MESSAGES];
    struct iovec parts[MOST_MESSAGES];
    char control[MOST_MESSAGES][CMSG_SPACE(sizeof(uint16_t))];
    unsigned n;
};

static void
add_message(struct batch *b, const struct mcast_address *to, uint8_t *bytes,
    size_t size, size_t segment)
{
    struct msghdr *h = &b->messages[b->n].msg_hdr;
    struct cmsghdr *c;
    uint16_t value = (uint16_t)segment;

    b->parts[b->n] = (struct iovec){ bytes, size };
    *h = (struct msghdr){ .msg_name = (void *)&to->sa,
        .msg_namelen = to->size,
        .msg_iov = &b->parts[b->n],
        .msg_iovlen = 1 };
    if (size > segment) {
        h->msg_control = b->control[b->n];
        h->msg_controllen = sizeof b->control[b->n];
        c = CMSG_FIRSTHDR(h);
        c->cmsg_level = SOL_UDP;
        c->cmsg_type = UDP_SEGMENT;
        c->cmsg_len = CMSG_LEN(sizeof value);
        memcpy(CMSG_DATA(c), &value, sizeof value);
    }
    b->n++;
}

/* One after the other: the device can not cut them. */
static void
send_singly(struct mcast *m, const struct msghdr *h, size_t segment)
{
    uint8_t *bytes = h->msg_iov->iov_base;

    for (size_t at = 0; at < h->msg_iov->iov_len; at += segment) {
        size_t left = h->msg_iov->iov_len - at;

        m->stats.calls_out++;
        if (sendto(m->fd, bytes + at, left < segment ? left : segment, MSG_DONTWAIT,
                h->msg_name, h->msg_namelen) < 0)
            m->stats.send_failures++;
    }
}

/* What can not be sent is as good as lost in the network: it will be repaired. */
static void
send_batch(struct mcast *m, struct batch *b)
{
    unsigned at = 0;

    while (at < b->n) {
        int n = sendmmsg(m->fd, b->messages + at, b->n - at, MSG_DONTWAIT);
        const struct msghdr *h = &b->messages[at].msg_hdr;

        m->stats.calls_out++;
        if (n > 0) {
            at += (unsigned)n;
            continue;
        }
        if (errno == EINTR)
            continue;
        if (h->msg_controllen && (errno == EIO || errno == EINVAL)) {
            uint16_t segment;

            memcpy(&segment, CMSG_DATA(CMSG_FIRSTHDR(h)), sizeof segment);
            if (m->gso)
                log_info("multicast channel: no segmentation on this device: %s",
                    strerror(errno));
            m->gso = false;
            send_singly(m, h, segment);
        } else {
            m->stats.send_failures++;
        }
        at++;
    }
}

static void
send_runs(struct mcast *m)
{
    static struct batch b; /* one thread; too large for its stack */

    b.n = 0;
    for (unsigned i = 0; i < m->nruns; i++) {
        struct mcast_run *r = &m->runs[i];

        if (m->group_fd >= 0 && __builtin_popcount(r->to) > 1) {
            add_message(&b, &m->group, r->bytes, r->size, r->segment);
            continue;
        }
        for (unsigned k = 0; k < CONF_MAX_NODES; k++)
            if (r->to >> k & 1)
                add_message(&b, &m->peers[k].address, r->bytes, r->size, r->segment);
    }
    m->nruns = 0;
    send_batch(m, &b);
}

/* Where the next datagram of @size bytes to @to goes. */
static struct mcast_run *
room_for(struct mcast *m, size_t size, uint32_t to)
{
    struct mcast_run *r = m->nruns ? &m->runs[m->nruns - 1] : NULL;

    if (r && m->gso && r->to == to && !r->closed && size <= r->segment &&
        r->count < MCAST_RUN_SEGMENTS && r->size + size <= MCAST_RUN_BYTES)
        return r;
    if (m->nruns == MCAST_RUNS)
        send_runs(m);
    r = &m->runs[m->nruns++];
    r->size = r->count = 0;
    r->segment = size;
    r->to = to;
    r->closed = false;
    return r;
}

static void
seal_one(struct mcast *m, const struct rmcast_out *out)
{
    /* A probe can be opened by who has no AES, and so be answered: I have none. */
    enum seal_cipher cipher = out->flags & RMCAST_PROBE ? SEAL_XCHACHA20 : m->cipher;
    struct rmcast_head head = { RMCAST_DATA, cipher, m->options.self->id, m->epoch,
        m->reign, out->counter };
    struct rmcast_data data = { out->position, out->sent, out->stamp, out->flags, NULL,
        out->size };
    size_t size = out->size + MCAST_OVERHEAD;
    struct mcast_run *r = room_for(m, size, out->to);
    uint8_t *at = r->bytes + r->size;
    struct writer w = writer_init(at, RMCAST_HEAD + RMCAST_DATA_BODY);

    rmcast_put_head(&w, &head);
    rmcast_put_data(&w, &data);
    rmcast_read(m->sent_ring, m->ring_bytes, out->position, out->size,
        at + RMCAST_HEAD + RMCAST_DATA_BODY);
    seal_channel_put(&m->out[cipher], out->counter, at, RMCAST_HEAD, at + RMCAST_HEAD,
        RMCAST_DATA_BODY + out->size, at + RMCAST_HEAD);
    r->size += size;
    r->count++;
    r->closed = size < r->segment;
}

void
mcast_send(struct mcast *m, struct mono now)
{
    struct rmcast_out out;

    while (rmcast_tx_next(&m->tx, now, &out))
        seal_one(m, &out);
    if (m->nruns)
        send_runs(m);
}

void
mcast_answer(struct mcast *m)
{
    struct rmcast_head head = { RMCAST_ACK, SEAL_XCHACHA20, m->options.self->id,
        m->epoch, m->session, 0 };
    uint8_t out[RMCAST_HEAD + RMCAST_ACK_MAX + SEAL_TAG];
    struct writer w = writer_init(out, RMCAST_HEAD + RMCAST_ACK_MAX);
    const struct mcast_address *to = &m->peers[m->active - 1].address;
    struct rmcast_ack ack;

    if (!rmcast_rx_ack(&m->rx, &ack))
        return;
    if (!m->opens[SEAL_AES256])
        ack.flags |= RMCAST_NO_AES;
    head.cipher = m->ack.cipher;
    head.counter = ++m->ack_counter;
    rmcast_put_head(&w, &head);
    rmcast_put_ack(&w, &ack);
    seal_channel_put(&m->ack, head.counter, out, RMCAST_HEAD, out + RMCAST_HEAD,
        w.pos - RMCAST_HEAD, out + RMCAST_HEAD);
    m->stats.calls_out++;
    if (sendto(m->fd, out, w.pos + SEAL_TAG, MSG_DONTWAIT,
            (const struct sockaddr *)&to->sa, to->size) < 0)
        m->stats.send_failures++;
}
