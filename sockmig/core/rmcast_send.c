/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * rmcast_send.c - the sender: what has to leave, and when. */
#include "sockmig/core/rmcast_timer.h"

#include <string.h>

#define BIT RMCAST_BIT
#define MAX_BACKOFF 4

/* Source: RFC 6298 section 2; no timer is so long that a standby is given up before
 * it was asked again. */
static int64_t
resend_after(const struct rmcast_tx *tx, const struct rmcast_member *m)
{
    int64_t us = m->srtt_us + 4 * m->rttvar_us, most = tx->options.late_us / 2;

    if (us < tx->options.resend_us)
        us = tx->options.resend_us;
    us <<= m->backoff;
    return us < most ? us : most;
}

void
rmcast_arm(const struct rmcast_tx *tx, struct rmcast_member *m, struct mono now)
{
    if (m->acked >= tx->sent)
        return;
    m->armed = true;
    m->armed_at = now;
    m->armed_upto = tx->sent;
    m->resend_at = mono_add_us(now, resend_after(tx, m));
}

void
rmcast_owe(const struct rmcast_tx *tx, struct rmcast_member *m, struct mono now)
{
    m->owes = true;
    m->due_position = tx->sent;
    m->due_counter = tx->counter;
    m->late_at = mono_add_us(now, tx->options.late_us);
}

/* While this process stood still nobody could answer: that is not their fault. */
static void
notice_pause(struct rmcast_tx *tx, struct mono now)
{
    if (mono_us_between(tx->ticked, now) < tx->options.late_us / 2)
        return;
    for (unsigned i = 0; i < RMCAST_MAX_NODES; i++)
        if (tx->members[i].owes)
            tx->members[i].late_at = mono_add_us(now, tx->options.late_us);
}

static void
tick(struct rmcast_tx *tx, struct mono now)
{
    notice_pause(tx, now);
    tx->ticked = now;
    for (unsigned i = 0; i < RMCAST_MAX_NODES; i++) {
        struct rmcast_member *m = &tx->members[i];

        if (!m->armed || m->lost || mono_before(now, m->resend_at))
            continue;
        tx->probing |= BIT(i);
        if (m->backoff < MAX_BACKOFF)
            m->backoff++;
    }
    if (!mono_before(now, mono_add_us(tx->last_out, tx->options.beat_us)))
        tx->beat = true;
}

static void
fill(struct rmcast_tx *tx, struct rmcast_out *out, uint64_t position, size_t size,
    struct mono now)
{
    out->counter = ++tx->counter;
    out->position = position;
    out->size = size;
    out->sent = tx->sent;
    out->stamp = (uint32_t)now.us;
    out->flags = 0;
}

/* The first thing that @node has asked for, and with it all others who ask for the
 * same: what several lost is sent once to all of them. */
static bool
repair(struct rmcast_tx *tx, unsigned node, struct mono now, struct rmcast_out *out)
{
    struct rmcast_range want = tx->members[node].wanted[0];

    if (want.from < rmcast_kept_from(tx)) {
        tx->asking &= ~BIT(node); /* it will be noted as lost */
        return false;
    }
    rmcast_at_most(&want.to, want.from + tx->options.payload);
    fill(tx, out, want.from, want.to - want.from, now);
    out->to = 0;
    for (unsigned i = node; i < RMCAST_MAX_NODES; i++) {
        struct rmcast_member *m = &tx->members[i];

        if (!(tx->asking & BIT(i)) || m->wanted[0].from < want.from ||
            m->wanted[0].from >= want.to)
            continue;
        out->to |= BIT(i);
        m->repaired = want.to;
        m->repair_counter = out->counter;
        m->wanted[0].from = want.to;
        if (m->wanted[0].from < m->wanted[0].to)
            continue;
        memmove(&m->wanted[0], &m->wanted[1], --m->nwanted * sizeof m->wanted[0]);
        if (!m->nwanted)
            tx->asking &= ~BIT(i);
    }
    tx->stats.repairs++;
    return true;
}

/* Ask @node what it lacks, with the first thing that it does. */
static bool
probe(struct rmcast_tx *tx, unsigned node, struct mono now, struct rmcast_out *out)
{
    struct rmcast_member *m = &tx->members[node];
    uint64_t upto = m->armed_upto, end = m->acked + tx->options.payload;

    tx->probing &= ~BIT(node);
    if (!m->armed || m->acked < rmcast_kept_from(tx))
        return false;
    rmcast_arm(tx, m, now);
    rmcast_at_most(&end, upto);
    fill(tx, out, m->acked, end - m->acked, now);
    out->sent = upto; /* what left since may be on its way */
    out->to = BIT(node);
    out->flags = RMCAST_PROBE;
    tx->stats.probes++;
    return true;
}

static void
sent_to_all(struct rmcast_tx *tx, struct mono now, struct rmcast_out *out)
{
    out->to = tx->present;
    tx->last_out = now;
    for (unsigned i = 0; i < RMCAST_MAX_NODES; i++) {
        struct rmcast_member *m = &tx->members[i];

        if (!(tx->present & BIT(i)))
            continue;
        if (!m->armed)
            rmcast_arm(tx, m, now);
        else if (m->armed_at.us == now.us)
            m->armed_upto = tx->sent;
        if (!m->owes)
            rmcast_owe(tx, m, now);
    }
}

/* Whether @end may be sent: the set keeps up, and has room for it. */
static bool
may_send(const struct rmcast_tx *tx, uint64_t end)
{
    for (unsigned i = 0; i < RMCAST_MAX_NODES; i++) {
        const struct rmcast_member *m = &tx->members[i];

        if (!(tx->set & tx->present & BIT(i)))
            continue;
        if (end > m->limit ||
            (end > m->acked + tx->options.flight && tx->sent > m->acked))
            return false;
    }
    return true;
}

bool
rmcast_answered(const struct rmcast_tx *tx)
{
    for (unsigned i = 0; i < RMCAST_MAX_NODES; i++)
        if ((tx->set & tx->present & BIT(i)) && tx->members[i].acked < tx->sent)
            return false;
    return true;
}

/* A short datagram waits until what left before it is stable: stable is in order, so it
 * could not be so earlier, and what comes meanwhile goes with it.  One that is alone is
 * never delayed, nor is the end of what was flushed when nothing else was under way:
 * it goes with the full ones before it.  Many at a time share datagrams,
 * acknowledgements and verdicts.
 * Source: RFC 896, with the log in the place of a connection. */
static bool
must_fill(const struct rmcast_tx *tx)
{
    if (tx->sent >= tx->flushed)
        return true; /* nobody is in a hurry */
    return tx->head > tx->prompt && !rmcast_answered(tx);
}

static bool
send_new(struct rmcast_tx *tx, struct mono now, struct rmcast_out *out)
{
    uint64_t end = tx->sent + tx->options.payload;

    if (end > tx->head && must_fill(tx))
        return false;
    rmcast_at_most(&end, tx->head);
    if (end == tx->sent || !may_send(tx, end))
        return false;
    if (tx->sent >= tx->flushed && rmcast_answered(tx))
        tx->follows = false;
    fill(tx, out, tx->sent, end - tx->sent, now);
    out->sent = tx->sent = end;
    tx->stats.datagrams++;
    tx->stats.bytes += out->size;
    sent_to_all(tx, now, out);
    return true;
}

bool
rmcast_tx_next(struct rmcast_tx *tx, struct mono now, struct rmcast_out *out)
{
    if (now.us != tx->ticked.us)
        tick(tx, now);
    if (!tx->present)
        return false;
    for (unsigned i = 0; tx->asking && i < RMCAST_MAX_NODES; i++)
        if ((tx->asking & BIT(i)) && repair(tx, i, now, out))
            return true;
    for (unsigned i = 0; tx->probing && i < RMCAST_MAX_NODES; i++)
        if ((tx->probing & BIT(i)) && probe(tx, i, now, out))
            return true;
    if (send_new(tx, now, out)) {
        tx->beat = false;
        return true;
    }
    if (!tx->beat)
        return false;
    tx->beat = false;
    fill(tx, out, tx->sent, 0, now);
    out->flags = RMCAST_PROBE;
    tx->stats.beats++;
    sent_to_all(tx, now, out);
    return true;
}

static void
no_later(struct mono *due, struct mono at)
{
    if (mono_before(at, *due))
        *due = at;
}

struct mono
rmcast_tx_due(const struct rmcast_tx *tx)
{
    struct mono due = { INT64_MAX };

    if (!tx->present)
        return due;
    no_later(&due, mono_add_us(tx->last_out, tx->options.beat_us));
    for (unsigned i = 0; i < RMCAST_MAX_NODES; i++) {
        const struct rmcast_member *m = &tx->members[i];

        if (m->state == RMCAST_ABSENT || m->lost)
            continue;
        if (m->armed)
            no_later(&due, m->resend_at);
        if (m->owes && !m->late && (m->caught_up || m->state == RMCAST_IN_SET))
            no_later(&due, m->late_at);
    }
    return due;
}
