/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * rmcast_tx.c - the sender: its ring, its members, what they have. */
#include "sockmig/core/rmcast_timer.h"

#include <assert.h>
#include <string.h>

#define BIT RMCAST_BIT

void
rmcast_tx_init(struct rmcast_tx *tx, const struct rmcast_tx_options *options,
    uint8_t *ring, size_t size, struct mono now)
{
    assert(size && !(size & (size - 1)));
    assert(options->payload >= 64 && options->payload <= 65000);
    assert(options->beat_us > 0 && options->late_us >= 4 * options->beat_us);
    memset(tx, 0, sizeof *tx);
    tx->options = *options;
    tx->ring = ring;
    tx->size = size;
    tx->last_out = tx->ticked = now;
}

uint64_t
rmcast_tx_low(const struct rmcast_tx *tx)
{
    uint64_t low = tx->trimmed;

    rmcast_at_most(&low, tx->stable);
    rmcast_at_most(&low, tx->sent);
    for (unsigned i = 0; i < RMCAST_MAX_NODES; i++)
        if (tx->set & tx->present & BIT(i))
            rmcast_at_most(&low, tx->members[i].acked);
    return low;
}

size_t
rmcast_tx_room(const struct rmcast_tx *tx)
{
    uint64_t used = tx->head - rmcast_tx_low(tx);

    return used < tx->size ? tx->size - (size_t)used : 0;
}

/* Stable advances to what the last of the set has (promises P2, P3). */
static void
settle(struct rmcast_tx *tx)
{
    uint64_t least = tx->head;

    if (tx->set & ~tx->present)
        return; /* somebody is waited for who is not here */
    for (unsigned i = 0; i < RMCAST_MAX_NODES; i++)
        if (tx->set & BIT(i))
            rmcast_at_most(&least, tx->members[i].acked);
    if (least > tx->stable)
        tx->stable = least;
}

static void
write_ring(struct rmcast_tx *tx, const uint8_t *bytes, size_t n)
{
    size_t i = tx->head & (tx->size - 1), first = tx->size - i < n ? tx->size - i : n;

    memcpy(tx->ring + i, bytes, first);
    memcpy(tx->ring, bytes + first, n - first);
    tx->head += n;
}

bool
rmcast_tx_append(struct rmcast_tx *tx, const struct rmcast_bytes *pieces, unsigned n)
{
    size_t total = 0;

    for (unsigned i = 0; i < n; i++)
        total += pieces[i].size;
    if (total > rmcast_tx_room(tx)) {
        tx->stats.refused++;
        return false;
    }
    for (unsigned i = 0; i < n; i++)
        if (pieces[i].size)
            write_ring(tx, pieces[i].data, pieces[i].size);
    if (!tx->present)
        tx->sent = tx->head; /* there is nobody to send it to */
    if (!tx->set)
        settle(tx);
    return true;
}

void
rmcast_tx_flush(struct rmcast_tx *tx)
{
    tx->flushed = tx->head;
    if (!tx->follows || rmcast_answered(tx))
        tx->prompt = tx->head;
    tx->follows = true;
}

void
rmcast_tx_trim(struct rmcast_tx *tx, uint64_t position)
{
    rmcast_at_most(&position, tx->head);
    if (position > tx->trimmed)
        tx->trimmed = position;
}

bool
rmcast_tx_join(struct rmcast_tx *tx, unsigned node, uint64_t from, struct mono now)
{
    struct rmcast_member *m = &tx->members[node];

    assert(node < RMCAST_MAX_NODES);
    if (from < rmcast_kept_from(tx) || from > tx->head)
        return false;
    rmcast_tx_leave(tx, node);
    m->state = tx->set & BIT(node) ? RMCAST_IN_SET : RMCAST_FOLLOWS;
    m->acked = from;
    m->limit = from + tx->size; /* rings are of one size; it will say */
    rmcast_arm(tx, m, now);
    tx->present |= BIT(node);
    rmcast_owe(tx, m, now);
    tx->beat = true; /* it may have all already: let it say so */
    return true;
}

void
rmcast_tx_leave(struct rmcast_tx *tx, unsigned node)
{
    assert(node < RMCAST_MAX_NODES);
    memset(&tx->members[node], 0, sizeof tx->members[node]);
    tx->present &= ~BIT(node);
    tx->asking &= ~BIT(node);
    tx->probing &= ~BIT(node);
    if (!tx->present)
        tx->sent = tx->head;
}

void
rmcast_tx_set(struct rmcast_tx *tx, uint32_t set, struct mono now)
{
    tx->set = set & (BIT(RMCAST_MAX_NODES) - 1);
    for (unsigned i = 0; i < RMCAST_MAX_NODES; i++) {
        struct rmcast_member *m = &tx->members[i];
        bool in = tx->set & BIT(i);

        if (m->state == RMCAST_FOLLOWS && in) { /* time runs from now on */
            rmcast_owe(tx, m, now);
            m->late = false;
            tx->beat = true;
        }
        if (m->state != RMCAST_ABSENT)
            m->state = in ? RMCAST_IN_SET : RMCAST_FOLLOWS;
    }
    settle(tx);
}

bool
rmcast_tx_covered(const struct rmcast_tx *tx, uint32_t set, uint64_t position)
{
    for (unsigned i = 0; i < RMCAST_MAX_NODES; i++)
        if ((set & BIT(i)) &&
            (!(tx->present & BIT(i)) || tx->members[i].acked < position))
            return false;
    return !(set >> RMCAST_MAX_NODES);
}

/* Source: RFC 6298 section 2; the stamp tells repeated datagrams apart, so that every
 * answer may be measured. */
static void
measure(struct rmcast_member *m, uint32_t stamp, struct mono now)
{
    int64_t rtt = (int32_t)((uint32_t)now.us - stamp), off;

    if (rtt < 0)
        return;
    rtt += rtt == 0; /* 0 is "not measured" */
    if (!m->srtt_us) {
        m->srtt_us = rtt;
        m->rttvar_us = rtt / 2;
        return;
    }
    off = rtt > m->srtt_us ? rtt - m->srtt_us : m->srtt_us - rtt;
    m->rttvar_us += (off - m->rttvar_us) / 4;
    m->srtt_us += (rtt - m->srtt_us) / 8;
    m->srtt_us += m->srtt_us == 0;
}

/* What it asks for, less what is on its way to it already.  A repair is still on its
 * way until the node has received something that left later. */
static void
take_requests(struct rmcast_tx *tx, unsigned node, const struct rmcast_ack *ack)
{
    struct rmcast_member *m = &tx->members[node];

    if (ack->echo > m->repair_counter)
        m->repaired = 0;
    m->nwanted = 0;
    for (unsigned i = 0; i < ack->nmissing; i++) {
        struct rmcast_range r = ack->missing[i];

        rmcast_at_most(&r.to, tx->sent);
        rmcast_at_most(&r.to, m->acked + tx->options.flight);
        if (r.from < m->repaired)
            r.from = m->repaired;
        if (r.from < r.to)
            m->wanted[m->nwanted++] = r;
    }
    tx->asking &= ~BIT(node);
    if (m->nwanted) {
        tx->asking |= BIT(node);
        tx->stats.requests++;
    }
}

static void
pay(struct rmcast_tx *tx, struct rmcast_member *m, struct mono now)
{
    if (!m->owes || m->acked < m->due_position || m->echo < m->due_counter)
        return;
    m->owes = false;
    if (!m->caught_up) {
        m->caught_up = m->say_caught_up = true;
        m->late = false;
    }
    if (m->acked < tx->sent)
        rmcast_owe(tx, m, now);
}

/* What was trimmed at the receiver by other means counts as had there, also before it
 * was sent. */
void
rmcast_tx_acked(
    struct rmcast_tx *tx, unsigned node, const struct rmcast_ack *ack, struct mono now)
{
    struct rmcast_member *m = &tx->members[node];
    uint64_t have = ack->have;

    assert(node < RMCAST_MAX_NODES);
    if (!(tx->present & BIT(node)) || ack->echo > tx->counter ||
        (have > tx->head && have > m->acked)) {
        tx->stats.nonsense++;
        return;
    }
    if (have > m->acked && have > tx->sent)
        have = tx->sent > m->acked ? tx->sent : m->acked;
    if (have < m->acked || ack->echo < m->echo) {
        tx->stats.outdated++;
        return;
    }
    tx->stats.acks++;
    if (ack->echo > m->echo)
        measure(m, ack->stamp, now);
    m->echo = ack->echo;
    m->limit = ack->limit;
    if (have > m->acked) {
        m->acked = have;
        m->backoff = 0;
        m->armed = false;
        rmcast_arm(tx, m, now);
        settle(tx);
    }
    take_requests(tx, node, ack);
    pay(tx, m, now);
}

bool
rmcast_tx_note(struct rmcast_tx *tx, struct mono now, struct rmcast_note *note)
{
    for (unsigned i = 0; i < RMCAST_MAX_NODES; i++) {
        struct rmcast_member *m = &tx->members[i];

        note->node = i;
        if (m->state == RMCAST_ABSENT || m->lost)
            continue;
        if (m->acked < rmcast_kept_from(tx)) {
            m->lost = true;
            note->kind = RMCAST_LOST;
            return true;
        }
        if (m->owes && !m->late && !mono_before(now, m->late_at) &&
            (m->caught_up || m->state == RMCAST_IN_SET)) {
            m->late = true;
            m->caught_up = m->say_caught_up = false;
            rmcast_owe(tx, m, now);
            tx->stats.lates++;
            note->kind = RMCAST_LATE;
            return true;
        }
        if (m->say_caught_up) {
            m->say_caught_up = false;
            note->kind = RMCAST_CAUGHT_UP;
            return true;
        }
    }
    return false;
}
