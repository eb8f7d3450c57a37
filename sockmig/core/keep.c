/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/core/keep_private.h"

#include <assert.h>
#include <string.h>

size_t
keep_size(const struct keep_conf *conf)
{
    return carve_size(sizeof(struct keep)) + flowmap_size(conf->flows) +
           carve_size(conf->flows * sizeof(struct conn)) +
           carve_size(conf->flows * sizeof(struct link)) + flowmap_size(KEEP_PIECES) +
           carve_size(KEEP_PIECES * sizeof(struct pieces)) +
           flowmap_size(KEEP_UNACCEPTED) + 2 * carve_size(conf->bytes);
}

struct keep *
keep_init(void *memory, const struct keep_conf *conf)
{
    uint8_t *at = memory;
    struct keep *k = carve(&at, sizeof *k);

    assert(conf->half_open < conf->flows);
    memset(k, 0, sizeof *k);
    k->conf = *conf;
    list_init(&k->half_open);
    flowmap_init(&k->map, carve(&at, flowmap_size(conf->flows)), conf->flows, 0);
    k->conns = carve(&at, conf->flows * sizeof *k->conns);
    memset(k->conns, 0, conf->flows * sizeof *k->conns);
    k->links = carve(&at, conf->flows * sizeof *k->links);
    flowmap_init(&k->pieces_map, carve(&at, flowmap_size(KEEP_PIECES)), KEEP_PIECES, 0);
    k->pieces = carve(&at, KEEP_PIECES * sizeof *k->pieces);
    memset(k->pieces, 0, KEEP_PIECES * sizeof *k->pieces);
    k->unaccepted_memory = carve(&at, flowmap_size(KEEP_UNACCEPTED));
    flowmap_init(&k->unaccepted, k->unaccepted_memory, KEEP_UNACCEPTED, 0);
    plog_ring_init(&k->ring, carve(&at, conf->bytes), conf->bytes, 0);
    k->spare = carve(&at, conf->bytes);
    return k;
}

/* Whether @c's kept record @rec still is needed. */
static bool
needed(struct conn *c, const struct plog_record *rec, const struct packet *pkt)
{
    if (c->state == CONN_IN_IMAGE)
        return rec->kind == PLOG_IN && !(pkt->tcp.flags & TCP_SYN) &&
               seq_after(packet_seq_end(pkt), c->rcv_nxt);
    if (rec->kind == PLOG_IN && pkt->tcp.flags & TCP_SYN && pkt->tcp.seq == c->syn)
        c->live = true; /* what came before was an earlier connection's */
    return !c->gone && c->live;
}

/* The connection of a kept record, or NULL; @pkt is filled in if it is input. */
static struct conn *
conn_of(struct keep *k, const struct plog_record *rec, struct packet *pkt)
{
    struct plog_output o;

    if (rec->kind == PLOG_IN)
        return packet_parse(pkt, PACKET_IN, rec->payload, rec->size)
                   ? conn_find(k, &pkt->key)
                   : NULL;
    return plog_decode_output(rec, &o) ? conn_find(k, &o.flow) : NULL;
}

bool
keep_cancelled(const struct keep *k, uint64_t ordinal)
{
    for (uint32_t i = 0; i < k->ncancels; i++)
        if (ordinal >= k->cancels[i].first && ordinal <= k->cancels[i].last)
            return true;
    return false;
}

/* While compacting; records in their order. */
static bool
still_needed(struct keep *k, const struct plog_record *rec)
{
    struct packet pkt = { .fragment = false };
    struct conn *c = conn_of(k, rec, &pkt);

    if (rec->kind == PLOG_IN && keep_cancelled(k, rec->arg))
        return false;
    if (rec->kind == PLOG_IN && pkt.fragment)
        return pieces_lack(k, &pkt);
    return c && needed(c, rec, &pkt);
}

static void
compact(struct keep *k, uint8_t *scratch)
{
    struct plog_ring to;
    struct plog_record rec;
    uint64_t at = k->ring.begin;

    for (uint32_t i = 0; i < k->map.fresh; i++)
        k->conns[i].live = false;
    plog_ring_init(&to, k->spare, k->ring.size, k->ring.end);
    while (plog_read(&k->ring, &at, &rec, scratch) == PLOG_READ)
        if (still_needed(k, &rec))
            plog_ring_append_record(&to, &rec);
    k->spare = k->ring.data;
    k->ring = to;
    k->changed = false;
}

/* Compacting needs scratch, and the record may lie in it. */
static bool
append(struct keep *k, const struct plog_record *rec, uint8_t *scratch)
{
    if (plog_ring_append_record(&k->ring, rec))
        return true;
    compact(k, scratch + PLOG_PAYLOAD);
    return plog_ring_append_record(&k->ring, rec);
}

static void
keep_record(
    struct keep *k, struct conn *c, const struct plog_record *rec, uint8_t *scratch)
{
    if (append(k, rec, scratch))
        return;
    while (k->half_open.count > 0 && &k->conns[k->half_open.oldest] != c)
        conn_evict_oldest(k);
    if (append(k, rec, scratch))
        return;
    k->lost++;
    if (c->state == CONN_BORN)
        conn_end(k, c);
}

static void
born(struct keep *k, struct conn *c, const struct packet *pkt,
    const struct plog_record *rec, uint8_t *scratch)
{
    if (c && c->syn == pkt->tcp.seq) { /* once more; or it is gone already */
        if (c->half_open)              /* the first one may turn out to be cancelled */
            keep_record(k, c, rec, scratch);
        return;
    }
    if (c) {
        conn_end(k, c);
        k->ngone--;
        *c = (struct conn){ .used = true };
    } else {
        if (k->half_open.count >= k->conf.half_open)
            conn_evict_oldest(k);
        c = conn_add(k, &pkt->key);
        if (!c) {
            k->lost++;
            return;
        }
    }
    c->syn = pkt->tcp.seq;
    c->rcv_nxt = c->top = c->syn + 1;
    conn_waits(k, c);
    keep_record(k, c, rec, scratch);
}

static void
take_in(struct conn *c, const struct packet *pkt)
{
    uint32_t end = packet_seq_end(pkt);

    if (end != pkt->tcp.seq && seq_after(end, c->top))
        c->top = end;
    if (seq_after(pkt->tcp.seq, c->rcv_nxt))
        c->holes = true;
    else if (seq_after(end, c->rcv_nxt))
        c->rcv_nxt = end;
}

/* What is kept of @c is taken in, in order of its sequence numbers. */
static void
fill_holes(struct keep *k, struct conn *c, uint8_t *scratch)
{
    uint32_t was;

    do {
        uint64_t at = k->ring.begin;
        struct plog_record rec;
        struct packet pkt;

        was = c->rcv_nxt;
        c->holes = false;
        while (plog_read(&k->ring, &at, &rec, scratch) == PLOG_READ)
            if (rec.kind == PLOG_IN && conn_of(k, &rec, &pkt) == c &&
                pkt.tcp.flags & TCP_ACK)
                take_in(c, &pkt);
    } while (c->holes && c->rcv_nxt != was);
}

/* A reset that comes before its time ends nothing: it goes in with the rest. */
static bool
is_reset(struct keep *k, struct conn *c, const struct packet *pkt, uint8_t *scratch)
{
    if (!(pkt->tcp.flags & TCP_RST))
        return false;
    if (c->holes)
        fill_holes(k, c, scratch + PLOG_PAYLOAD); /* the record may lie in scratch */
    return c->half_open || packet_resets(pkt, c->rcv_nxt, c->top);
}

static void
look_at_input(struct keep *k, const struct plog_record *rec, uint8_t *scratch)
{
    struct packet pkt;
    struct conn *c;
    bool syn;

    if (!packet_parse(&pkt, PACKET_IN, rec->payload, rec->size))
        return;
    if (pkt.fragment && pieces_lack(k, &pkt))
        k->lost += !append(k, rec, scratch);
    if (!packet_is_tcp(&pkt))
        return;
    syn = (pkt.tcp.flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
    c = conn_find(k, &pkt.key);
    if (c && c->state == CONN_IN_IMAGE) {
        if (syn)
            c->syn = pkt.tcp.seq;
        if (needed(c, rec, &pkt))
            keep_record(k, c, rec, scratch);
        return;
    }
    if (syn) {
        born(k, c, &pkt, rec, scratch);
        return;
    }
    if (!c || c->gone || c->reset)
        return;
    if (is_reset(k, c, &pkt, scratch)) {
        if (c->half_open) {
            conn_end(k, c);
            return;
        }
        c->reset = true;
    }
    take_in(c, &pkt);
    if (c->answered && pkt.tcp.ack == c->server_isn + 1)
        conn_acknowledged(k, c);
    keep_record(k, c, rec, scratch);
}

static void
look_at_output(struct keep *k, const struct plog_record *rec, uint8_t *scratch)
{
    struct plog_output o;
    struct conn *c;

    if (!plog_decode_output(rec, &o) || o.flow.protocol != PACKET_TCP)
        return;
    c = conn_find(k, &o.flow);
    if (!c || c->state == CONN_IN_IMAGE || c->gone)
        return;
    if (c->reset && o.tcp_flags & TCP_RST)
        return; /* the kernel's, to what came after the reset */
    if (!(o.tcp_flags & TCP_SYN)) {
        conn_end(k, c); /* somebody wrote to it, so it was accepted, and as it is
                                 in no image it is closed */
        return;
    }
    if (!c->half_open || (c->answered && c->server_isn == o.seq))
        return; /* that of an old SYN that came after its reset; or its own once more */
    c->answered = true;
    c->server_isn = o.seq;
    keep_record(k, c, rec, scratch);
}

bool
keep_births(struct keep *k, const struct plog_ring *records, uint8_t *scratch)
{
    uint64_t at = records->begin;
    struct plog_record rec;
    enum plog_read got;

    while ((got = plog_read(records, &at, &rec, scratch)) == PLOG_READ)
        if (rec.kind == PLOG_IN)
            look_at_input(k, &rec, scratch);
        else if (rec.kind == PLOG_OUT)
            look_at_output(k, &rec, scratch);
        else
            return false;
    return got == PLOG_END && at == records->end;
}

static bool
before_mark(const struct plog_record *rec, const struct plog_mark *mark)
{
    if (rec->kind == PLOG_IN)
        return rec->arg <= mark->in;
    if (rec->kind == PLOG_OUT)
        return rec->arg <= mark->out;
    if (rec->kind == PLOG_RELEASE)
        return rec->arg <= mark->in;
    if (rec->kind == PLOG_MARK)
        return rec->arg <= mark->number;
    return true;
}

/* What was dropped by us never reached the service: the client sends it again, and then
 * it is in the log again, at its place.  Of datagrams nothing is kept. */
static void
find_cancels(struct keep *k, const struct plog_ring *ring, uint8_t *scratch)
{
    uint64_t at = ring->begin, last;
    struct plog_record rec;

    k->ncancels = 0;
    while (plog_read(ring, &at, &rec, scratch) == PLOG_READ) {
        if (rec.kind != PLOG_CANCEL || rec.flags & PLOG_OVERRUN ||
            k->ncancels == KEEP_CANCELS || !plog_decode_cancel(&rec, &last))
            continue;
        k->cancels[k->ncancels].first = rec.arg;
        k->cancels[k->ncancels++].last = last;
    }
}

/* Before @mark, and not looked at in an earlier trim. */
static bool
concerns(const struct keep *k, uint64_t at, const struct plog_record *rec,
    const struct plog_mark *mark)
{
    return before_mark(rec, mark) && (at >= k->seen || !before_mark(rec, &k->mark));
}

static void
find_pieces(struct keep *k, const struct plog_ring *ring, const struct plog_mark *mark,
    uint8_t *scratch)
{
    uint64_t at = ring->begin, was;
    struct plog_record rec;
    struct packet pkt;

    while (was = at, plog_read(ring, &at, &rec, scratch) == PLOG_READ)
        if (rec.kind == PLOG_IN && concerns(k, was, &rec, mark) &&
            packet_may_be_fragment(rec.payload, rec.size) &&
            !keep_cancelled(k, rec.arg) &&
            packet_parse(&pkt, PACKET_IN, rec.payload, rec.size) && pkt.fragment)
            pieces_count(k, &pkt, rec.at_us);
}

static void
look_at(struct keep *k, uint64_t at, const struct plog_record *rec,
    const struct plog_mark *mark, uint8_t *scratch)
{
    if (!concerns(k, at, rec, mark))
        return;
    if (rec->kind == PLOG_IN && !keep_cancelled(k, rec->arg))
        look_at_input(k, rec, scratch);
    else if (rec->kind == PLOG_OUT)
        look_at_output(k, rec, scratch);
    else if (rec->kind > PLOG_MARK)
        k->unknown++;
}

/* A CANCEL is needed as long as the input it cancels may be; of records after the mark
 * none is looked past. */
static bool
forgettable(const struct plog_record *rec, const struct plog_mark *mark)
{
    uint64_t last;

    if (rec->kind == PLOG_CANCEL && plog_decode_cancel(rec, &last))
        return last <= mark->in;
    return before_mark(rec, mark);
}

bool
keep_trim(struct keep *k, struct plog_ring *ring, const struct plog_mark *mark,
    uint8_t *scratch)
{
    uint64_t at = ring->begin, begin = at, was;
    struct plog_record rec;
    enum plog_read got;
    bool whole = true;

    find_cancels(k, ring, scratch);
    find_pieces(k, ring, mark, scratch);
    pieces_expire(k);
    k->changed |= k->ncancels > 0; /* of what was kept before that came, too */
    conns_retire(k);
    while (was = at, (got = plog_read(ring, &at, &rec, scratch)) == PLOG_READ) {
        look_at(k, was, &rec, mark, scratch);
        if (rec.at_us > k->newest_at)
            k->newest_at = rec.at_us;
        if (rec.kind == PLOG_IN && rec.at_us > k->heard_at)
            k->heard_at = rec.at_us;
        whole = whole && forgettable(&rec, mark);
        if (whole)
            begin = at;
    }
    k->seen = was;
    k->mark = *mark;
    ring->begin = begin;
    conns_end_accepted(k);
    conns_forget(k);
    if (k->ring.end > k->ring.begin &&
        (k->changed || k->ring.end - k->ring.begin > k->ring.size / 2))
        compact(k, scratch);
    return got != PLOG_BAD;
}

const struct plog_ring *
keep_records(const struct keep *k)
{
    return &k->ring;
}

struct keep_stat
keep_stat(const struct keep *k)
{
    return (struct keep_stat){ .waiting = k->waiting,
        .half_open = k->half_open.count,
        .bytes = k->ring.end - k->ring.begin,
        .evicted = k->evicted,
        .lost = k->lost,
        .unknown = k->unknown,
        .deaf_us = k->newest_at - k->heard_at };
}
