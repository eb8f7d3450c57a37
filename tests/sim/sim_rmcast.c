/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/sim/sim_rmcast.h"

#include <string.h>

#define MTU 700 /* several datagrams fit into a ring, many rings into a run */

static unsigned
rnd(struct sim_rmcast *s, unsigned n)
{
    s->random ^= s->random << 13;
    s->random ^= s->random >> 7;
    s->random ^= s->random << 17;
    return (unsigned)(s->random >> 33) % n;
}

static bool
chance(struct sim_rmcast *s, unsigned percent)
{
    return rnd(s, 100) < percent;
}

/* The stream: what belongs at a position is known. */
static uint8_t
byte_at(uint64_t position)
{
    uint64_t x = (position + 1) * 0x9e3779b97f4a7c15u;

    return (uint8_t)(x >> 56);
}

static void
promise(struct sim_rmcast *s, bool kept, const char *what)
{
    if (!kept && !s->broken)
        s->broken = what;
}

void
sim_rmcast_init(struct sim_rmcast *s, uint64_t seed, enum mistake mistake)
{
    struct rmcast_tx_options o = { .payload = 64 + seed % 600,
        .flight = 4096,
        .beat_us = 10000,
        .late_us = 50000,
        .resend_us = 1000 };

    memset(s, 0, sizeof *s);
    s->random = seed * 0x2545f4914f6cdd1du + 88172645463325252u;
    for (int i = 0; i < 8; i++)
        rnd(s, 2);
    s->mistake = mistake;
    s->nodes = 1 + rnd(s, SIM_NODES);
    s->loss = chance(s, 30) ? 0 : rnd(s, 31);
    s->twice = chance(s, 50) ? 0 : rnd(s, 31);
    s->late = chance(s, 50) ? 0 : rnd(s, 31);
    s->now.us = 1000000 + rnd(s, 1000);
    rmcast_tx_init(&s->tx, &o, s->ring, SIM_RING, s->now);
}

/* ---- the network ---- */

static void
put_one(
    struct sim_rmcast *s, unsigned node, bool ack, const uint8_t *bytes, size_t size)
{
    struct flying *f;
    unsigned delay = 20 + rnd(s, 60);

    if (!s->calm && chance(s, s->loss))
        return;
    if (!s->calm && chance(s, s->late))
        delay += rnd(s, chance(s, 10) ? 200000 : 2000);
    if (s->nflying == SIM_FLYING)
        return; /* a switch has no more buffers */
    f = &s->flying[s->nflying++];
    f->at_us = s->now.us + delay;
    f->session = s->standby[node].session;
    f->node = node;
    f->ack = ack;
    f->size = size;
    memcpy(f->bytes, bytes, size);
}

static void
put(struct sim_rmcast *s, unsigned node, bool ack, const uint8_t *bytes, size_t size)
{
    put_one(s, node, ack, bytes, size);
    if (!s->calm && chance(s, s->twice))
        put_one(s, node, ack, bytes, size);
}

static void
send_all(struct sim_rmcast *s)
{
    uint8_t bytes[SIM_DATAGRAM];
    struct rmcast_out out;

    while (rmcast_tx_next(&s->tx, s->now, &out)) {
        struct rmcast_data d = { out.position, out.sent, out.stamp, out.flags, NULL,
            out.size };
        struct writer w = writer_init(bytes, sizeof bytes);

        promise(s, out.counter > s->last_counter, "a counter is used once");
        promise(s, out.to && !(out.to & ~s->tx.present), "to members only");
        s->last_counter = out.counter;
        put_u64(&w, out.counter);
        if (s->mistake == MISTAKE_REPEAT_POSITION && out.position && d.size > 1 &&
            chance(s, 1))
            d.position--;
        rmcast_put_data(&w, &d);
        rmcast_read(s->ring, SIM_RING, out.position, out.size, bytes + w.pos);
        if (s->mistake == MISTAKE_NO_PROBES && (out.flags & RMCAST_PROBE))
            continue;
        for (unsigned i = 0; i < s->nodes; i++)
            if (out.to >> i & 1)
                put(s, i, false, bytes, w.pos + out.size);
    }
}

static void
answer(struct sim_rmcast *s, unsigned node)
{
    struct rmcast_rx *rx = &s->standby[node].rx;
    uint8_t bytes[RMCAST_ACK_MAX];
    struct writer w = writer_init(bytes, sizeof bytes);
    struct rmcast_ack ack;

    if (!rmcast_rx_ack(rx, &ack))
        return;
    if (s->mistake == MISTAKE_ACK_TOP && rx->nislands) {
        ack.have = rx->islands[0].to;
        ack.nmissing = 0;
    }
    rmcast_put_ack(&w, &ack);
    put(s, node, true, bytes, w.pos);
}

static void
take_ack(struct sim_rmcast *s, const struct flying *f)
{
    struct reader r = reader_init(f->bytes, f->size);
    struct rmcast_ack ack;

    if (!rmcast_get_ack(&r, &ack)) {
        promise(s, false, "an ack is well formed");
        return;
    }
    /* The shell's session keys do this. */
    if (f->session != s->standby[f->node].session && s->mistake != MISTAKE_OLD_LIFE)
        return;
    rmcast_tx_acked(&s->tx, f->node, &ack, s->now);
    for (unsigned i = 0; s->mistake == MISTAKE_ONE_FOR_ALL && i < s->nodes; i++)
        if (ack.have > s->tx.members[i].acked)
            rmcast_tx_acked(&s->tx, i, &ack, s->now);
}

static void
take_data(struct sim_rmcast *s, const struct flying *f)
{
    struct sim_node *n = &s->standby[f->node];
    struct reader r = reader_init(f->bytes, f->size);
    uint64_t counter = get_u64(&r), low = n->rx.low;
    struct rmcast_data d;

    if (!rmcast_get_data(&r, &d)) {
        promise(s, s->mistake == MISTAKE_REPEAT_POSITION, "data are well formed");
        return;
    }
    if (!n->alive || f->session != n->session || rmcast_seen_is(&n->seen, counter))
        return;
    rmcast_seen_add(&n->seen, counter);
    if (s->mistake == MISTAKE_GREEDY)
        n->rx.low += SIM_RING;
    rmcast_rx_data(&n->rx, counter, &d);
    n->rx.low = low;
}

static void
deliver(struct sim_rmcast *s)
{
    for (unsigned i = 0; i < s->nflying;) {
        struct flying f;

        if (s->flying[i].at_us > s->now.us) {
            i++;
            continue;
        }
        f = s->flying[i];
        s->flying[i] = s->flying[--s->nflying];
        if (f.ack)
            take_ack(s, &f);
        else
            take_data(s, &f);
    }
    for (unsigned i = 0; i < s->nodes; i++)
        if (s->standby[i].alive)
            answer(s, i);
}

/* ---- what happens in a cluster ---- */

static void
append(struct sim_rmcast *s)
{
    uint8_t bytes[900];
    struct rmcast_bytes pieces[2];
    size_t n = 1 + rnd(s, chance(s, 30) ? 900 : 90), room = rmcast_tx_room(&s->tx);
    uint64_t head = s->tx.head;

    for (size_t i = 0; i < n; i++)
        bytes[i] = byte_at(head + i);
    pieces[0] = (struct rmcast_bytes){ bytes, n / 3 };
    pieces[1] = (struct rmcast_bytes){ bytes + n / 3, n - n / 3 };
    if (rmcast_tx_append(&s->tx, pieces, 2))
        promise(s, n <= room && s->tx.head == head + n, "appended within its room");
    else
        promise(s, n > room && s->tx.head == head, "refused: nothing changed");
}

static void
join(struct sim_rmcast *s, unsigned i)
{
    struct sim_node *n = &s->standby[i];
    uint64_t from = s->tx.trimmed; /* of the checkpoint it was seeded with */

    if (!rmcast_tx_join(&s->tx, i, from, s->now))
        return;
    memset(n->ring, 0xee, sizeof n->ring);
    rmcast_rx_init(&n->rx, n->ring, SIM_RING, from);
    rmcast_seen_init(&n->seen);
    n->session++;
    n->checked = from;
    n->alive = true;
    n->late = false;
    s->rejoins++;
}

static void
trim(struct sim_rmcast *s)
{
    uint64_t to = s->tx.stable;

    if (to > s->tx.trimmed)
        to = s->tx.trimmed + rnd(s, (unsigned)(to - s->tx.trimmed) + 1);
    rmcast_tx_trim(&s->tx, to);
}

static void
strike(struct sim_rmcast *s)
{
    unsigned i = rnd(s, s->nodes);

    switch (rnd(s, 5)) {
    case 0:
        s->standby[i].alive = false;
        s->crashes++;
        break;
    case 1:
        if (!s->standby[i].alive) { /* noticed by its stream, or not yet */
            if (chance(s, 50))
                rmcast_tx_leave(&s->tx, i);
        } else if (!(s->tx.present >> i & 1)) {
            join(s, i);
        }
        break;
    case 2:
        if (!s->standby[i].alive)
            join(s, i);
        break;
    case 3:
        rmcast_tx_set(&s->tx, s->tx.set & ~(1u << i), s->now);
        break;
    default:
        if (chance(s, 20))
            s->now.us += rnd(s, 100000); /* the sender's process stood still */
    }
}

static void
act(struct sim_rmcast *s)
{
    if (chance(s, 60))
        append(s);
    if (chance(s, 50))
        rmcast_tx_flush(&s->tx);
    if (chance(s, 10))
        trim(s);
    if (chance(s, 2))
        strike(s);
    for (unsigned i = 0; i < s->nodes; i++) /* a checkpoint is whole over there */
        if (s->standby[i].alive && chance(s, 5))
            rmcast_rx_trim(&s->standby[i].rx, s->tx.trimmed);
}

/* ---- promises ---- */

static void
check_standby(struct sim_rmcast *s, struct sim_node *n)
{
    const struct rmcast_rx *rx = &n->rx;
    uint64_t at = rx->have;

    if (n->checked < rx->low)
        n->checked = rx->low; /* skipped: a checkpoint holds it */
    promise(s, rx->have <= s->tx.head && rx->low <= rx->have, "only what was sent");
    promise(s, rx->have - rx->low <= SIM_RING, "the log fits into its ring");
    for (; n->checked < rx->have; n->checked++)
        promise(s, n->ring[n->checked & (SIM_RING - 1)] == byte_at(n->checked),
            "the log is a prefix of what was sent");
    for (unsigned i = 0; i < rx->nislands; i++) {
        promise(s, rx->islands[i].from > at && rx->islands[i].from < rx->islands[i].to,
            "islands are in order and apart");
        at = rx->islands[i].to;
    }
    promise(s, at <= rx->low + SIM_RING, "nothing beyond the window");
    if (chance(s, 1))
        n->checked = rx->low; /* and nothing has overwritten it since */
}

static void
check(struct sim_rmcast *s)
{
    const struct rmcast_tx *tx = &s->tx;
    bool moved = tx->stable > s->last_stable;

    promise(s, tx->stable >= s->last_stable && tx->stable <= tx->head, "stable grows");
    promise(s, tx->head - rmcast_tx_low(tx) <= SIM_RING || !rmcast_tx_room(tx),
        "the ring keeps what is not stable");
    s->last_stable = tx->stable;
    for (unsigned i = 0; i < s->nodes; i++) {
        struct sim_node *n = &s->standby[i];

        if (n->alive)
            check_standby(s, n);
        if (!(tx->set >> i & 1))
            continue;
        promise(
            s, !moved || (tx->present >> i & 1), "stable waits for who is not here");
        if (n->alive)
            promise(s, !moved || n->rx.have >= tx->stable,
                "what is stable is on every standby of the set");
    }
}

static void
heed_notes(struct sim_rmcast *s)
{
    struct rmcast_note note;

    while (rmcast_tx_note(&s->tx, s->now, &note)) {
        struct sim_node *n = &s->standby[note.node];

        check(s); /* before the set changes */
        if (note.kind == RMCAST_LATE) {
            promise(s, !n->late, "late is said once");
            n->late = true;
            s->lates++;
            if (chance(s, 60)) /* the view is agreed: sooner or later */
                rmcast_tx_set(&s->tx, s->tx.set & ~(1u << note.node), s->now);
        } else if (note.kind == RMCAST_CAUGHT_UP) {
            n->late = false;
            if (s->calm || chance(s, 70))
                rmcast_tx_set(&s->tx, s->tx.set | 1u << note.node, s->now);
        } else {
            rmcast_tx_leave(&s->tx, note.node);
            n->alive = false;
        }
    }
}

static void
step(struct sim_rmcast *s)
{
    struct mono due = rmcast_tx_due(&s->tx);
    int64_t next = s->now.us + 1 + rnd(s, 400);

    if (due.us < next)
        next = due.us;
    for (unsigned i = 0; i < s->nflying; i++)
        if (s->flying[i].at_us < next)
            next = s->flying[i].at_us;
    if (next > s->now.us)
        s->now.us = next;
    else
        s->now.us++;
    deliver(s);
    heed_notes(s);
    check(s);
    act(s);
    send_all(s);
    check(s);
}

void
sim_rmcast_run(struct sim_rmcast *s, unsigned steps)
{
    for (unsigned i = 0; i < s->nodes; i++)
        join(s, i);
    rmcast_tx_set(&s->tx, (1u << s->nodes) - 1, s->now);
    for (unsigned i = 0; i < steps && !s->broken; i++)
        step(s);
}

static bool
all_arrived(const struct sim_rmcast *s)
{
    for (unsigned i = 0; i < s->nodes; i++)
        if (s->standby[i].rx.have != s->tx.head)
            return false;
    return s->tx.stable == s->tx.head;
}

void
sim_rmcast_heal(struct sim_rmcast *s)
{
    int64_t end = s->now.us + 1000000;

    s->calm = true;
    rmcast_tx_set(&s->tx, 0, s->now);
    check(s);
    heed_notes(s); /* who was left behind by the last act is seeded anew as well */
    for (unsigned i = 0; i < s->nodes; i++)
        if (!s->standby[i].alive || !(s->tx.present >> i & 1) || s->tx.members[i].lost)
            join(s, i);
    rmcast_tx_set(&s->tx, (1u << s->nodes) - 1, s->now);
    while (!s->broken && s->now.us < end) {
        struct mono due = rmcast_tx_due(&s->tx);

        s->now.us = due.us < s->now.us + 50 ? due.us : s->now.us + 50;
        rmcast_tx_flush(&s->tx);
        for (unsigned i = 0; i < s->nodes; i++) /* or its window stays shut */
            rmcast_rx_trim(&s->standby[i].rx, s->tx.trimmed);
        deliver(s);
        heed_notes(s);
        send_all(s);
        check(s);
        if (all_arrived(s))
            return;
        s->now.us++;
    }
    promise(s, false, "after the network healed everything arrives");
}
