/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/mcast_private.h"

#include "lib/fd.h"
#include "lib/log.h"
#include "sockmig/address.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define FLIGHT (2u << 20) /* well below what a receiver's socket holds */
#define RESEND_US 1000

static void
set_timer(struct mcast *m, struct mono due)
{
    if (due.us == INT64_MAX || !mono_before(due, m->timer_at))
        return; /* an earlier call finds out that there is nothing to do yet */
    m->timer_at = due;
    loop_timer_at(m->timer, due);
}

static void
tell(struct mcast *m, struct mono now)
{
    const struct mcast_calls *calls = m->options.calls;
    struct rmcast_note note;

    while (m->role == MCAST_ACTIVE && rmcast_tx_note(&m->tx, now, &note)) {
        unsigned id = note.node + 1;

        if (note.kind == RMCAST_LATE)
            calls->late(m->options.arg, id);
        else if (note.kind == RMCAST_CAUGHT_UP)
            calls->caught_up(m->options.arg, id);
        else
            calls->lost(m->options.arg, id);
    }
    if (m->role == MCAST_ACTIVE && m->tx.stable > m->told_stable) {
        m->told_stable = m->tx.stable;
        calls->stable(m->options.arg, m->told_stable);
    }
}

/* Callbacks may append, flush, join: that is done when they have returned. */
void
mcast_pump(struct mcast *m)
{
    m->again = true;
    if (m->busy)
        return;
    m->busy = true;
    while (m->again && m->role == MCAST_ACTIVE) {
        struct mono now = loop_now(m->options.loop);

        m->again = false;
        mcast_send(m, now);
        tell(m, now);
    }
    m->busy = false;
    if (m->role == MCAST_ACTIVE)
        set_timer(m, rmcast_tx_due(&m->tx));
}

static void
on_timer(struct loop_timer *timer, void *arg)
{
    struct mcast *m = arg;

    (void)timer;
    m->timer_at.us = INT64_MAX;
    if (m->role == MCAST_ACTIVE)
        mcast_pump(m);
}

static void
unmap(uint8_t *p, size_t size)
{
    if (p)
        munmap(p, size);
}

void
mcast_close(struct mcast *m)
{
    if (!m)
        return;
    loop_io_free(m->io);
    loop_io_free(m->group_io);
    loop_timer_free(m->timer);
    fd_close(m->fd);
    fd_close(m->group_fd);
    unmap(m->sent_ring, m->ring_bytes);
    unmap(m->received_ring, m->ring_bytes);
    unmap(m->arena, MCAST_RUNS * MCAST_MESSAGE);
    unmap(m->inbox, MCAST_BATCH * MCAST_MESSAGE);
    free(m);
}

int
mcast_open(const struct mcast_options *options, struct mcast **out, char *error)
{
    struct mcast *m = aligned_alloc(64, (sizeof *m + 63) & ~(size_t)63);
    int ret;

    if (!m)
        log_fatal("multicast channel: out of memory");
    memset(m, 0, sizeof *m);
    m->options = *options;
    m->fd = m->group_fd = -1;
    m->gso = true;
    m->timer_at.us = INT64_MAX;
    m->ring_bytes = options->ring_bytes ? options->ring_bytes
                                        : (size_t)options->service->log_mib << 20;
    ret = mcast_memory(m, error);
    if (ret == 0)
        ret = mcast_sockets(m, error);
    if (ret < 0) {
        mcast_close(m);
        return ret;
    }
    for (unsigned i = 0; i < options->conf->nnodes; i++) {
        const struct conf_node *node = &options->conf->nodes[i];
        struct mcast_address *a;

        if (node->id > CONF_MAX_NODES)
            continue; /* has no place in a set */
        a = &m->peers[node->id - 1].address;
        if (!address_of_mcast(options->conf, options->service, node, &a->sa, &a->size))
            a->size = 0;
    }
    rmcast_rx_init(&m->rx, m->received_ring, m->ring_bytes, 0);
    m->timer = loop_timer_new(options->loop, on_timer, m);
    m->io = loop_io_new(options->loop, m->fd, LOOP_READ, mcast_readable, m);
    if (m->group_fd >= 0)
        m->group_io = loop_io_new(
            options->loop, m->group_fd, LOOP_READ, mcast_readable, m);
    *out = m;
    return 0;
}

void
mcast_rest(struct mcast *m)
{
    m->role = MCAST_REST;
    loop_timer_stop(m->timer);
    m->timer_at.us = INT64_MAX;
}

/* ---- active ---- */

void
mcast_reign(struct mcast *m, uint64_t epoch, uint64_t session)
{
    const struct rmcast_tx_options o = { .payload = m->payload,
        .flight = FLIGHT < m->ring_bytes / 2 ? FLIGHT : m->ring_bytes / 2,
        .beat_us = m->options.conf->behind_ms * 1000 / 5,
        .late_us = m->options.conf->behind_ms * 1000,
        .resend_us = RESEND_US };

    assert(epoch != m->epoch || session != m->reign); /* a nonce is used once */
    mcast_rest(m);
    m->role = MCAST_ACTIVE;
    m->epoch = epoch;
    m->reign = session;
    m->told_stable = 0;
    m->cipher = !m->options.no_aes && seal_has_aes() ? SEAL_AES256 : SEAL_XCHACHA20;
    for (int c = 0; c < SEAL_NCIPHERS; c++)
        seal_channel_init(&m->out[c], m->options.secret, (enum seal_cipher)c, "mcast",
            m->options.self->id, 0, m->options.service->name, epoch, session);
    rmcast_tx_init(&m->tx, &o, m->sent_ring, m->ring_bytes, loop_now(m->options.loop));
}

bool
mcast_append(
    struct mcast *m, const struct rmcast_bytes *pieces, unsigned n, uint64_t *lsn)
{
    if (m->role != MCAST_ACTIVE || !rmcast_tx_append(&m->tx, pieces, n))
        return false;
    *lsn = m->tx.head;
    return true;
}

size_t
mcast_room(const struct mcast *m)
{
    return m->role == MCAST_ACTIVE ? rmcast_tx_room(&m->tx) : 0;
}

void
mcast_flush(struct mcast *m)
{
    if (m->role != MCAST_ACTIVE)
        return;
    rmcast_tx_flush(&m->tx);
    mcast_pump(m);
}

void
mcast_trim(struct mcast *m, uint64_t position)
{
    if (m->role == MCAST_ACTIVE)
        rmcast_tx_trim(&m->tx, position);
}

bool
mcast_join(struct mcast *m, unsigned node, uint64_t session, uint64_t from)
{
    struct mcast_peer *p;

    if (m->role != MCAST_ACTIVE || node < 1 || node > CONF_MAX_NODES ||
        node == m->options.self->id || !m->peers[node - 1].address.size ||
        !rmcast_tx_join(&m->tx, node - 1, from, loop_now(m->options.loop)))
        return false;
    p = &m->peers[node - 1];
    p->session = session;
    rmcast_seen_init(&p->seen);
    seal_channel_init(&p->in, m->options.secret, SEAL_XCHACHA20, "mcack", node,
        m->options.self->id, m->options.service->name, m->epoch, session);
    mcast_pump(m);
    return true;
}

void
mcast_leave(struct mcast *m, unsigned node)
{
    if (m->role == MCAST_ACTIVE && node >= 1 && node <= CONF_MAX_NODES)
        rmcast_tx_leave(&m->tx, node - 1);
}

void
mcast_set(struct mcast *m, uint32_t set)
{
    if (m->role != MCAST_ACTIVE)
        return;
    rmcast_tx_set(&m->tx, set, loop_now(m->options.loop));
    mcast_pump(m);
}

bool
mcast_covered(const struct mcast *m, uint32_t set, uint64_t position)
{
    return m->role == MCAST_ACTIVE && rmcast_tx_covered(&m->tx, set, position);
}

int
mcast_fd(const struct mcast *m)
{
    return m->fd;
}

void
mcast_listen(struct mcast *m)
{
    mcast_readable(m->io, m->fd, LOOP_READ, m);
}

uint64_t
mcast_stable(const struct mcast *m)
{
    return m->tx.stable;
}

uint64_t
mcast_flushed(const struct mcast *m)
{
    return m->tx.flushed;
}

uint64_t
mcast_head(const struct mcast *m)
{
    return m->tx.head;
}

/* ---- standby ---- */

void
mcast_follow(struct mcast *m, unsigned active, uint64_t epoch, uint64_t reign,
    uint64_t session, uint64_t from)
{
    assert(active >= 1 && active <= CONF_MAX_NODES);
    assert(epoch != m->epoch || session != m->session); /* a nonce is used once */
    mcast_rest(m);
    m->role = MCAST_STANDBY;
    m->active = active;
    m->epoch = epoch;
    m->active_reign = reign;
    m->session = session;
    m->ack_counter = 0;
    rmcast_seen_init(&m->seen);
    for (int c = 0; c < SEAL_NCIPHERS; c++)
        m->opens[c] = (c != SEAL_AES256 || !m->options.no_aes) &&
                      seal_channel_init(&m->in[c], m->options.secret,
                          (enum seal_cipher)c, "mcast", active, 0,
                          m->options.service->name, epoch, reign);
    seal_channel_init(&m->ack, m->options.secret, SEAL_XCHACHA20, "mcack",
        m->options.self->id, active, m->options.service->name, epoch, session);
    rmcast_rx_init(&m->rx, m->received_ring, m->ring_bytes, from);
}

void
mcast_forget(struct mcast *m, uint64_t position)
{
    rmcast_rx_trim(&m->rx, position);
    if (m->role == MCAST_STANDBY)
        mcast_answer(m);
}

/* ---- both ---- */

struct mcast_log
mcast_log_sent(const struct mcast *m)
{
    return (struct mcast_log){ m->sent_ring, m->ring_bytes, rmcast_tx_low(&m->tx),
        m->tx.head };
}

struct mcast_log
mcast_log_received(const struct mcast *m)
{
    return (struct mcast_log){ m->received_ring, m->ring_bytes, m->rx.low, m->rx.have };
}

void
mcast_stats(const struct mcast *m, struct mcast_stats *out)
{
    *out = m->stats;
    out->tx = m->tx.stats;
    out->rx = m->rx.stats;
    out->aes = m->cipher == SEAL_AES256;
}

bool
mcast_member(const struct mcast *m, unsigned node, struct mcast_member *out)
{
    const struct rmcast_member *r;

    if (m->role != MCAST_ACTIVE || node < 1 || node > RMCAST_MAX_NODES ||
        m->tx.members[node - 1].state == RMCAST_ABSENT)
        return false;
    r = &m->tx.members[node - 1];
    *out = (struct mcast_member){ r->state, r->acked, r->srtt_us, r->late };
    return true;
}
