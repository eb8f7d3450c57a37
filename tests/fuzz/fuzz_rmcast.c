/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fuzz_rmcast.c - the multicast channel's parsers, and its sender and receiver behind
 * them, against damaged and invented datagrams whose seal would be whole: a node of
 * ours gone mad.  Nothing is read or written out of bounds, nothing becomes stable that
 * was not acknowledged. */
#include "sockmig/core/rmcast.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 300000u
#define RING 4096u
#define GUARD 64u

static uint64_t state = 88172645463325252u;
static uint8_t sent_ring[RING], got_ring[RING + 2 * GUARD];
static struct rmcast_tx tx;
static struct rmcast_rx rx;

static unsigned
rnd(unsigned n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)(state >> 33) % n;
}

static void
must(bool ok, const char *what)
{
    if (ok)
        return;
    printf("FAIL: %s\n", what);
    exit(1);
}

/* Numbers near to those that matter. */
static uint64_t
number(uint64_t near)
{
    switch (rnd(6)) {
    case 0:
        return UINT64_MAX - rnd(3);
    case 1:
        return (uint64_t)rnd(UINT32_MAX) << 32 | rnd(UINT32_MAX);
    default:
        return near + rnd(2 * RING) - rnd(2 * RING);
    }
}

static size_t
invent_data(uint8_t *out, size_t room)
{
    struct rmcast_data d = { .position = rnd(4) ? rx.have + rnd(300) : number(rx.have),
        .stamp = rnd(1000),
        .size = rnd(700) };
    struct writer w = writer_init(out, room);

    d.sent = rnd(4) ? d.position + d.size + rnd(100) : number(rx.have);
    d.flags = rnd(3);
    rmcast_put_data(&w, &d);
    for (size_t i = 0; i < d.size; i++)
        put_u8(&w, (uint8_t)rnd(256));
    return w.pos;
}

static size_t
invent_ack(uint8_t *out, size_t room)
{
    struct rmcast_member *m = &tx.members[1 + rnd(2)];
    struct rmcast_ack a = { .have = rnd(4) ? m->acked + rnd(400) : number(m->acked) };
    struct writer w = writer_init(out, room);
    uint64_t at = a.have;

    a.limit = rnd(4) ? a.have + rnd(RING) : number(a.have);
    a.echo = rnd(4) ? m->echo + rnd(3) : number(tx.counter);
    a.stamp = rnd(UINT32_MAX);
    a.flags = rnd(2);
    a.nmissing = rnd(RMCAST_RANGES + 1);
    for (unsigned i = 0; i < a.nmissing; i++) {
        a.missing[i].from = at + rnd(50);
        a.missing[i].to = at = rnd(8) ? a.missing[i].from + 1 + rnd(900) : number(at);
        at++;
    }
    rmcast_put_ack(&w, &a);
    return w.pos;
}

static size_t
damage(uint8_t *bytes, size_t size)
{
    for (unsigned n = rnd(3); n > 0 && size > 0; n--)
        bytes[rnd((unsigned)size)] ^= (uint8_t)(1u << rnd(8));
    return size && rnd(10) == 0 ? rnd((unsigned)size) : size;
}

static void
check_rx(void)
{
    uint64_t at = rx.have;

    must(rx.low <= rx.have && rx.have - rx.low <= RING, "the log fits into its ring");
    must(rx.nislands <= RMCAST_ISLANDS, "islands are bounded");
    for (unsigned i = 0; i < rx.nislands; i++) {
        must(rx.islands[i].from > at && rx.islands[i].to > rx.islands[i].from,
            "islands are in order");
        at = rx.islands[i].to;
    }
    must(at - rx.low <= RING, "nothing beyond the window");
    for (unsigned i = 0; i < GUARD; i++)
        must(
            got_ring[i] == 0xaa && got_ring[GUARD + RING + i] == 0xaa, "out of bounds");
}

static void
one_data(void)
{
    uint8_t bytes[1024], exact[1024];
    size_t size = damage(bytes, invent_data(bytes, sizeof bytes));
    uint8_t *copy = malloc(size ? size : 1); /* the sanitizer sees its end */
    struct reader r = reader_init(copy, size);
    struct rmcast_data d = { .position = 42 };
    struct rmcast_ack ack;

    memcpy(copy, bytes, size);
    if (rmcast_get_data(&r, &d)) {
        must(d.size <= size && d.position + d.size <= d.sent, "sizes are checked");
        rmcast_rx_data(&rx, number(rx.echo), &d);
    } else {
        must(d.position == 42, "a refusal leaves the output alone");
    }
    if (rmcast_rx_ack(&rx, &ack)) {
        struct writer w = writer_init(exact, sizeof exact);
        struct rmcast_ack again;

        rmcast_put_ack(&w, &ack);
        r = reader_init(exact, w.pos);
        must(rmcast_get_ack(&r, &again), "an own ack is well formed");
    }
    if (rnd(20) == 0)
        rmcast_rx_trim(
            &rx, rx.have - (rx.have > 50 ? rnd(50) : 0) + (rnd(9) ? 0 : rnd(900)));
    check_rx();
    free(copy);
    if (rx.have > UINT64_MAX / 2) /* it was led to the end of all positions */
        rmcast_rx_init(&rx, got_ring + GUARD, RING, rnd(1000));
}

static void
one_ack(struct mono now)
{
    uint8_t bytes[1024];
    size_t size = damage(bytes, invent_ack(bytes, sizeof bytes));
    struct rmcast_bytes piece = { bytes, rnd(300) };
    struct reader r = reader_init(bytes, size);
    struct rmcast_ack a = { .have = 42 };
    struct rmcast_out out;
    struct rmcast_note note;
    unsigned n = 0;

    if (rmcast_get_ack(&r, &a))
        rmcast_tx_acked(&tx, rnd(4) ? 1 + rnd(2) : rnd(RMCAST_MAX_NODES), &a, now);
    else
        must(a.have == 42, "a refusal leaves the output alone");
    rmcast_tx_append(&tx, &piece, 1);
    rmcast_tx_flush(&tx);
    while (rmcast_tx_next(&tx, now, &out)) {
        must(out.position + out.size <= tx.sent && out.size <= tx.options.payload &&
                 (!out.size || out.position + RING >= tx.head),
            "only what is in the ring is sent");
        must(++n < 1000, "one ack does not make endless repairs");
    }
    while (rmcast_tx_note(&tx, now, &note))
        must(++n < 2000, "notes end");
    must(tx.stable <= tx.sent && tx.members[1].acked <= tx.sent &&
             tx.stable <= tx.members[1].acked && tx.stable <= tx.members[2].acked,
        "stable is what the set has acknowledged");
    rmcast_tx_trim(&tx, tx.stable);
}

static void
one_head(void)
{
    struct rmcast_head h = { RMCAST_ACK, 1, 1 + rnd(16), rnd(9), rnd(9), 1 + rnd(9) },
                       got;
    uint8_t bytes[RMCAST_HEAD];
    struct writer w = writer_init(bytes, sizeof bytes);
    struct reader r;

    rmcast_put_head(&w, &h);
    r = reader_init(bytes, damage(bytes, sizeof bytes));
    if (rmcast_get_head(&r, &got))
        must(got.from >= 1 && got.from <= RMCAST_MAX_NODES && got.cipher <= 1 &&
                 (got.kind == RMCAST_DATA || got.kind == RMCAST_ACK),
            "a head is checked");
}

int
main(void)
{
    const struct rmcast_tx_options o = { 200, 1500, 10000, 50000, 1000 };
    struct mono now = { 1000000 };

    memset(got_ring, 0xaa, sizeof got_ring);
    rmcast_tx_init(&tx, &o, sent_ring, RING, now);
    rmcast_rx_init(&rx, got_ring + GUARD, RING, 0);
    rmcast_tx_join(&tx, 1, 0, now);
    rmcast_tx_join(&tx, 2, 0, now);
    rmcast_tx_set(&tx, 6, now);
    for (unsigned i = 0; i < ROUNDS; i++) {
        one_head();
        one_data();
        now.us += rnd(3000);
        one_ack(now);
    }
    printf("%lu stored, %lu acks, stable %lu\n", rx.stats.datagrams, tx.stats.acks,
        tx.stable);
    must(rx.stats.datagrams > ROUNDS / 100 && tx.stats.acks > ROUNDS / 1000 &&
             tx.stable > RING,
        "the inventions are too wild to get anywhere");
    printf("%lu nonsense, %lu outdated, %lu out of window; %lu repairs\n",
        tx.stats.nonsense, tx.stats.outdated, rx.stats.out_of_window, tx.stats.repairs);
    return 0;
}
