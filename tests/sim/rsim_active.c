/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * rsim_active.c - the protected service: its packets are captured, logged and held, it
 * is checkpointed, and a standby follows, always a bit behind. */
#include "tests/sim/rsim_life.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct rsim_life *life;

static uint8_t scratch[KEEP_SCRATCH];

#define JOINS 1500 /* ticks between them */

/* Also when one seed is run outside of check. */
void
rsim_must_hold(bool holds, const char *what, const char *file, int line)
{
    if (holds)
        return;
    fprintf(stderr, "%s:%d: %s\n", file, line, what);
    abort();
}
struct mono
rsim_now(void)
{
    return (struct mono){ (int64_t)life->tick * 100 };
}

static void
to_log(const void *bytes, size_t size)
{
    must(life->log_end + size <= LOG_BYTES);
    memcpy(life->log + life->log_end, bytes, size);
    life->log_end += size;
}

void
rsim_fly(bool to_server, const uint8_t *data, size_t size)
{
    uint32_t copies = rsim_chance(3) ? 0 : rsim_chance(3) ? 2 : 1;

    while (copies-- > 0 && life->nflying < 1024) {
        struct flying *f = &life->flying[life->nflying++];

        f->due = life->tick + 1 + rsim_below(rsim_chance(10) ? 30 : 4);
        f->to_server = to_server;
        f->p.size = (uint32_t)size;
        memcpy(f->p.data, data, size);
    }
}

void
rsim_from_client(void *arg, const uint8_t *data, size_t size)
{
    (void)arg;
    rsim_fly(true, data, size);
}

void
rsim_watch(void)
{
    struct replay_effect e;

    if (!life->watching)
        return;
    while (replay_next(life->replay, rsim_now(), &e))
        if (e.what != REPLAY_DONE && e.what != REPLAY_STALLED)
            rsim_carry_out(&e);
    life->watching = replay_watching(life->replay) > 0;
}

/* Behind the veth: what the active service puts out is logged and held. */
static void
capture_out(const uint8_t *data, size_t size)
{
    uint8_t rec[PLOG_SMALL];
    struct captured *c = &life->out_packets[(life->out.ordinal + 1) % PACKETS];
    struct plog_output o[PARTS];
    struct packet pkt;
    uint64_t lsn = 0;
    unsigned n;

    must(packet_parse(&pkt, PACKET_OUT, data, size));
    if (life->watching && !replay_output(life->replay, rsim_now(), data, size)) {
        births_output(life->births, &pkt, (uint64_t)rsim_now().us, 1);
        return;
    }
    n = flows_output(life->flows, &pkt, rsim_now(), o, PARTS);
    for (unsigned i = 0; i < n; i++) {
        to_log(rec, plog_encode_output(
                        rec, (uint64_t)rsim_now().us, life->out.ordinal + 1, &o[i]));
        lsn = life->log_end;
    }
    memcpy(c->data, data, size);
    c->size = (uint32_t)size;
    must(held_push(&life->out, (uint32_t)life->out.ordinal + 1, lsn, rsim_now()));
    births_output(life->births, &pkt, (uint64_t)rsim_now().us, life->out.ordinal);
}

static void
capture_overtaken(void)
{
    struct captured p = life->overtaken;

    life->overtaken.size = 0;
    if (p.size > 0)
        capture_out(p.data, p.size);
}

static void
from_active(void *arg, const uint8_t *data, size_t size)
{
    (void)arg;
    if (life->overtaken.size == 0 && rsim_chance(5)) { /* two processors put it out */
        life->overtaken.size = (uint32_t)size;
        memcpy(life->overtaken.data, data, size);
        return;
    }
    capture_out(data, size);
    if (rsim_chance(60))
        capture_overtaken();
}

static void
capture(const struct captured *p)
{
    static const uint8_t zeros[8];
    uint8_t head[PLOG_HEADER];
    struct plog_record rec = { .kind = PLOG_IN,
        .flags = packet_sound(p->data, p->size) ? 0 : PLOG_UNSUMMED,
        .size = p->size,
        .at_us = (uint64_t)rsim_now().us,
        .arg = life->in.ordinal + 1,
        .payload = p->data };
    struct packet pkt;

    if (life->watching && packet_parse(&pkt, PACKET_IN, p->data, p->size) &&
        !replay_input(life->replay, &pkt))
        return;
    plog_head(&rec, head);
    to_log(head, sizeof head);
    to_log(p->data, p->size);
    to_log(zeros, plog_span(p->size) - PLOG_HEADER - p->size);
    life->in_packets[rec.arg % PACKETS] = *p;
    must(held_push(&life->in, (uint32_t)rec.arg, life->log_end, rsim_now()));
    if (packet_parse(&pkt, PACKET_IN, p->data, p->size))
        births_input(
            life->births, &pkt, &rec, flows_input(life->flows, &pkt, rsim_now()));
}

static void
release_input(void)
{
    enum held_policy policy = life->mode == MODE_FEED ? HELD_COMMIT : HELD_REPLAY;
    struct held_stable stable = { .lsn = life->ring.end };
    struct held_batch b;
    uint8_t rec[PLOG_SMALL];

    if (rsim_chance(1)) { /* the limit is over */
        b = held_drop(&life->in);
        if (b.count > 0) {
            flows_cancelled(life->flows);
            births_cancel(life->births, b.first);
            to_log(rec,
                plog_encode_cancel(rec, (uint64_t)rsim_now().us, b.first, b.last, 0));
        }
        return;
    }
    b = held_release(&life->in, held_rule(policy, PACKET_IN), &stable, UINT32_MAX);
    if (b.count == 0)
        return;
    to_log(rec, plog_encode_release(rec, (uint64_t)rsim_now().us, b.last));
    held_answers(&life->out, b.last_lsn);
    for (uint64_t i = b.first; i <= b.last; i++) {
        struct captured *c = &life->in_packets[i % PACKETS];

        packet_complete(c->data, c->size); /* the kernel would know it is right */
        host_input(&life->active, c->data, c->size, from_active, NULL);
    }
}

static void
release_output(void)
{
    enum held_policy policy = life->mode == MODE_FEED ? HELD_COMMIT : HELD_REPLAY;
    struct held_stable stable = {
        .lsn = life->ring.end, .mark = life->applied.id, .has_mark = life->have_image
    };
    struct held_batch b = held_release(
        &life->out, held_rule(policy, PACKET_OUT), &stable, UINT32_MAX);

    for (uint64_t i = b.first; b.count > 0 && i <= b.last; i++)
        rsim_fly(false, life->out_packets[i % PACKETS].data,
            life->out_packets[i % PACKETS].size);
}

static void
take_checkpoint(void)
{
    uint8_t rec[PLOG_SMALL];

    if (life->pending || !rsim_chance(3) || !host_imageable(&life->active))
        return;
    life->next.image = life->active;
    life->next.mark = (struct plog_mark){ ++life->number,
        life->in.ordinal - life->in.count, life->out.ordinal };
    life->next.id = (uint32_t)life->out.ordinal;
    to_log(rec, plog_encode_mark(rec, (uint64_t)rsim_now().us, &life->next.mark));
    life->pending = true;
    life->apply_at = life->tick + rsim_below(60);
}

void
rsim_trim(void)
{
    keep_begin(life->keep);
    for (int i = 0; i < RSIM_SLOTS; i++) {
        const struct sconn *c = &life->applied.image.conns[i];

        if (host_has(c))
            life->places[i] = keep_connection(
                life->keep, &c->key, c->rcv_nxt, life->places[i]);
        if (c->state == S_WAITING && c->reset)
            keep_unaccepted(life->keep, &c->key);
    }
    must(keep_births(life->keep, &life->given, scratch));
    life->given.begin = life->given.end;
    must(keep_trim(life->keep, &life->ring, &life->applied.mark, scratch));
}

/* One that has nothing yet comes instead of the one that there is. */
static void
standby_joins(void)
{
    rsim_new_standby();
    life->given.end = births_bytes(life->births);
    must(life->given.end <= life->given.size);
    births_copy(life->births, life->given.data);
    life->joined++;
}

static void
standby(void)
{
    uint64_t left = life->log_end - life->ring.end, n;

    if (left > 0 && rsim_chance(60)) {
        n = 1 + rsim_below((uint32_t)left);
        must(plog_ring_append(&life->ring, life->log + life->ring.end, n));
    }
    if (life->pending && life->tick >= life->apply_at) {
        life->applied = life->next;
        life->pending = false;
        life->have_image = true;
        rsim_trim();
    }
}

static void
network(void)
{
    for (uint32_t i = 0; i < life->nflying;) {
        struct flying *f = &life->flying[i];
        struct captured p;
        bool to_server = f->to_server;

        if (f->due > life->tick) {
            i++;
            continue;
        }
        p.size = f->p.size;
        memcpy(p.data, f->p.data, p.size);
        *f = life->flying[--life->nflying];
        if (to_server && host_hears(&life->active, p.data, p.size))
            capture(&p);
        else if (!to_server)
            clients_input(&life->clients, p.data, p.size, rsim_from_client, NULL);
    }
}

/* Those that are not held in the kernel's map any more. */
static void
end_grace(void)
{
    if (life->opened > 0 && life->tick == life->opened + RSIM_GRACE)
        memset(life->active.requests, 0, sizeof life->active.requests);
}

void
rsim_reign(void)
{
    life->active = life->clone;
    life->server = &life->active;
    life->emit = from_active;
    life->watching = true;
    life->active.overran = false;
    flows_init(life->flows, FLOWS, 42, PART);
    held_init(&life->in, life->in_slots, PACKETS);
    held_init(&life->out, life->out_slots, PACKETS);
    life->in.ordinal = 1; /* what the log before had has it: capture_succeed() */
    life->overtaken.size = 0;
    for (uint32_t i = 0; i < life->nswallowed; i++)
        capture_out(life->swallowed[i].data, life->swallowed[i].size);
    life->nswallowed = 0;
    standby_joins();
    rsim_watch();
}

void
rsim_protected_life(uint32_t crash_at)
{
    while (!life->broken && (life->tick < crash_at || !life->have_image)) {
        life->tick++;
        end_grace();
        network();
        release_input();
        if (rsim_chance(life->pace))
            host_app(&life->active, from_active, NULL);
        host_tick(&life->active, from_active, NULL);
        capture_overtaken();
        rsim_watch();
        take_checkpoint();
        if (rsim_below(JOINS) == 0)
            standby_joins();
        standby();
        release_output();
        clients_tick(&life->clients, life->tick, rsim_from_client, NULL);
    }
    life->overran = life->overran || (life->again > 0 && life->active.overran);
    for (uint32_t i = 0; i < RSIM_CONNS; i++)
        if (life->got[i] < life->active.got[i])
            life->got[i] = life->active.got[i];
}
