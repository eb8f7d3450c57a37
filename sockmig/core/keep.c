/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/core/keep.h"

#include "sockmig/core/flowmap.h"
#include "sockmig/core/image.h"

#include <assert.h>
#include <string.h>

#define CANCELS 256 /* ranges in one trim; beyond it, dropped input may be kept */

enum conn_state { CONN_BORN, CONN_IN_IMAGE };

struct conn {
    enum conn_state state;
    uint32_t trim;         /* IN_IMAGE: number of the trim whose image had it */
    uint32_t rcv_nxt, syn; /* BORN: without what came after a hole; the client's ISN */
    uint32_t newer, older; /* half open: in the list of those, oldest first */
    uint32_t server_isn;
    bool used, half_open, answered; /* answered: the SYN-ACK is kept */
    bool waits;                     /* BORN: counted in keep.waiting */
    bool holes;                     /* BORN: something came after one */
    bool gone;                      /* BORN: closed, reset or given up */
    bool live;                      /* compacting: its SYN was passed */
};

struct keep {
    struct keep_conf conf;
    struct flowmap map;
    struct conn *conns;
    struct plog_ring ring; /* what is kept */
    uint8_t *spare;        /* compacting goes into it, then they change places */
    uint32_t trim, waiting, half_open, oldest, newest, ngone;
    uint64_t seen; /* records before it, up to .mark, were looked at */
    struct plog_mark mark;
    bool changed; /* something kept may not be needed any more */
    uint64_t evicted, lost, unknown;
    uint64_t newest_at, heard_at; /* the log's last record, its last input */
    uint32_t ncancels;
    struct {
        uint64_t first, last;
    } cancels[CANCELS];
};

size_t
keep_size(const struct keep_conf *conf)
{
    return carve_size(sizeof(struct keep)) + flowmap_size(conf->flows) +
           carve_size(conf->flows * sizeof(struct conn)) + 2 * carve_size(conf->bytes);
}

struct keep *
keep_init(void *memory, const struct keep_conf *conf)
{
    uint8_t *at = memory;
    struct keep *k = carve(&at, sizeof *k);

    assert(conf->half_open < conf->flows);
    memset(k, 0, sizeof *k);
    k->conf = *conf;
    k->oldest = k->newest = FLOWMAP_NONE;
    flowmap_init(&k->map, carve(&at, flowmap_size(conf->flows)), conf->flows, 0);
    k->conns = carve(&at, conf->flows * sizeof *k->conns);
    memset(k->conns, 0, conf->flows * sizeof *k->conns);
    plog_ring_init(&k->ring, carve(&at, conf->bytes), conf->bytes, 0);
    k->spare = carve(&at, conf->bytes);
    return k;
}

static void
list_remove(struct keep *k, struct conn *c)
{
    if (!c->half_open)
        return;
    *(c->older == FLOWMAP_NONE ? &k->oldest : &k->conns[c->older].newer) = c->newer;
    *(c->newer == FLOWMAP_NONE ? &k->newest : &k->conns[c->newer].older) = c->older;
    c->half_open = false;
    k->half_open--;
}

static void
list_add(struct keep *k, struct conn *c)
{
    uint32_t i = (uint32_t)(c - k->conns);

    c->newer = FLOWMAP_NONE;
    c->older = k->newest;
    *(k->newest == FLOWMAP_NONE ? &k->oldest : &k->conns[k->newest].newer) = i;
    k->newest = i;
    c->half_open = true;
    k->half_open++;
}

static void
give_up(struct keep *k, struct conn *c)
{
    if (c->gone)
        return;
    list_remove(k, c);
    c->gone = true;
    k->ngone++;
    k->waiting -= c->waits;
    c->waits = false;
}

static void
end_connection(struct keep *k, struct conn *c)
{
    give_up(k, c);
    k->changed = true;
}

static void
erase(struct keep *k, uint32_t i)
{
    k->ngone -= k->conns[i].gone;
    flowmap_remove(&k->map, i);
    k->conns[i].used = false;
}

static void
evict_oldest(struct keep *k)
{
    uint32_t i = k->oldest;

    give_up(k, &k->conns[i]);
    erase(k, i);
    k->evicted++;
}

static struct conn *
find(struct keep *k, const struct flow_key *key)
{
    uint32_t i = flowmap_find(&k->map, key);

    return i == FLOWMAP_NONE ? NULL : &k->conns[i];
}

static void
forget_gone(struct keep *k)
{
    for (uint32_t i = 0; i < k->map.fresh; i++) {
        struct conn *c = &k->conns[i];
        bool stale = c->state == CONN_IN_IMAGE && c->trim != k->trim;

        if (!c->used || (!c->gone && !stale))
            continue;
        k->changed |= stale;
        erase(k, i);
    }
}

static struct conn *
add(struct keep *k, const struct flow_key *key)
{
    uint32_t i = flowmap_add(&k->map, key);

    if (i == FLOWMAP_NONE && k->ngone > 0)
        forget_gone(k);
    else if (i == FLOWMAP_NONE && k->oldest != FLOWMAP_NONE)
        evict_oldest(k);
    if (i == FLOWMAP_NONE)
        i = flowmap_add(&k->map, key);
    if (i == FLOWMAP_NONE)
        return NULL;
    k->conns[i] = (struct conn){ .used = true };
    return &k->conns[i];
}

void
keep_begin(struct keep *k)
{
    k->trim++;
}

/* @guess is right if it has the same key: then nothing need be looked for. */
static struct conn *
find_by(struct keep *k, const struct flow_key *key, uint32_t guess)
{
    if (guess < k->map.fresh && k->conns[guess].used &&
        memcmp(&k->map.keys[guess], key, sizeof *key) == 0)
        return &k->conns[guess];
    return find(k, key);
}

uint32_t
keep_connection(
    struct keep *k, const struct flow_key *key, uint32_t rcv_nxt, uint32_t guess)
{
    struct conn *c = find_by(k, key, guess);

    if (!c && !(c = add(k, key))) {
        k->lost++;
        return FLOWMAP_NONE;
    }
    if (c->state == CONN_BORN && c->waits)
        end_connection(k, c);
    c->state = CONN_IN_IMAGE;
    k->ngone -= c->gone;
    c->gone = false;
    c->trim = k->trim;
    c->rcv_nxt = rcv_nxt;
    return (uint32_t)(c - k->conns);
}

uint32_t
keep_connection_image(struct keep *k, const struct image_tcp *tcp, uint32_t guess)
{
    struct flow_key key;

    return flow_key_tcp(&key, tcp->local, tcp->remote)
               ? keep_connection(k, &key, tcp->rcv_nxt, guess)
               : FLOWMAP_NONE;
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
                   ? find(k, &pkt->key)
                   : NULL;
    return plog_decode_output(rec, &o) ? find(k, &o.flow) : NULL;
}

static bool
cancelled(const struct keep *k, uint64_t ordinal)
{
    for (uint32_t i = 0; i < k->ncancels; i++)
        if (ordinal >= k->cancels[i].first && ordinal <= k->cancels[i].last)
            return true;
    return false;
}

static void
compact(struct keep *k, uint8_t *scratch)
{
    struct plog_ring to;
    struct plog_record rec;
    struct packet pkt;
    uint64_t at = k->ring.begin;

    for (uint32_t i = 0; i < k->map.fresh; i++)
        k->conns[i].live = false;
    plog_ring_init(&to, k->spare, k->ring.size, k->ring.end);
    while (plog_read(&k->ring, &at, &rec, scratch) == PLOG_READ) {
        struct conn *c = conn_of(k, &rec, &pkt);

        if (c && needed(c, &rec, &pkt) &&
            (rec.kind != PLOG_IN || !cancelled(k, rec.arg)))
            plog_ring_append_record(&to, &rec);
    }
    k->spare = k->ring.data;
    k->ring = to;
    k->changed = false;
}

static void
keep_record(
    struct keep *k, struct conn *c, const struct plog_record *rec, uint8_t *scratch)
{
    /* compacting needs scratch, and the record may lie in it */
    uint8_t *spare_scratch = scratch + PLOG_PAYLOAD;

    if (plog_ring_append_record(&k->ring, rec))
        return;
    compact(k, spare_scratch);
    if (plog_ring_append_record(&k->ring, rec))
        return;
    while (k->oldest != FLOWMAP_NONE && &k->conns[k->oldest] != c)
        evict_oldest(k);
    compact(k, spare_scratch);
    if (plog_ring_append_record(&k->ring, rec))
        return;
    k->lost++;
    if (c->state == CONN_BORN)
        end_connection(k, c);
}

static void
born(struct keep *k, struct conn *c, const struct packet *pkt,
    const struct plog_record *rec, uint8_t *scratch)
{
    if (c && c->syn == pkt->tcp.seq)
        return; /* its SYN once more; or it is gone already */
    if (c) {
        end_connection(k, c);
        k->ngone--;
        *c = (struct conn){ .used = true };
    } else {
        if (k->half_open >= k->conf.half_open)
            evict_oldest(k);
        c = add(k, &pkt->key);
        if (!c) {
            k->lost++;
            return;
        }
    }
    c->syn = pkt->tcp.seq;
    c->rcv_nxt = c->syn + 1;
    c->waits = true;
    k->waiting++;
    list_add(k, c);
    keep_record(k, c, rec, scratch);
}

static void
take_in(struct conn *c, const struct packet *pkt)
{
    uint32_t end = packet_seq_end(pkt);

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

/* A reset that comes before its time ends nothing (RFC 5961): it goes in with the rest.
 */
static bool
is_reset(struct keep *k, struct conn *c, const struct packet *pkt, uint8_t *scratch)
{
    if (!(pkt->tcp.flags & TCP_RST))
        return false;
    if (c->holes)
        fill_holes(k, c, scratch + PLOG_PAYLOAD); /* the record may lie in scratch */
    return c->half_open || pkt->tcp.seq == c->rcv_nxt;
}

static void
look_at_input(struct keep *k, const struct plog_record *rec, uint8_t *scratch)
{
    struct packet pkt;
    struct conn *c;

    if (!packet_parse(&pkt, PACKET_IN, rec->payload, rec->size) || !packet_is_tcp(&pkt))
        return;
    c = find(k, &pkt.key);
    if (c && c->state == CONN_IN_IMAGE) {
        if (needed(c, rec, &pkt))
            keep_record(k, c, rec, scratch);
        return;
    }
    if ((pkt.tcp.flags & (TCP_SYN | TCP_ACK)) == TCP_SYN) {
        born(k, c, &pkt, rec, scratch);
        return;
    }
    if (!c || c->gone)
        return;
    if (is_reset(k, c, &pkt, scratch)) {
        end_connection(k, c);
        return;
    }
    take_in(c, &pkt);
    if (c->answered && pkt.tcp.ack == c->server_isn + 1)
        list_remove(k, c);
    keep_record(k, c, rec, scratch);
}

static void
look_at_output(struct keep *k, const struct plog_record *rec, uint8_t *scratch)
{
    struct plog_output o;
    struct conn *c;

    if (!plog_decode_output(rec, &o) || o.flow.protocol != PACKET_TCP)
        return;
    c = find(k, &o.flow);
    if (!c || c->state == CONN_IN_IMAGE || c->gone)
        return;
    if (!(o.tcp_flags & TCP_SYN)) {
        end_connection(k, c); /* somebody wrote to it, so it was accepted, and as it is
                                 in no image it is closed */
        return;
    }
    if (c->answered && c->server_isn == o.seq)
        return; /* its SYN-ACK once more */
    c->answered = true;
    c->server_isn = o.seq;
    keep_record(k, c, rec, scratch);
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
            k->ncancels == CANCELS || !plog_decode_cancel(&rec, &last))
            continue;
        k->cancels[k->ncancels].first = rec.arg;
        k->cancels[k->ncancels++].last = last;
    }
}

static void
look_at(struct keep *k, uint64_t at, const struct plog_record *rec,
    const struct plog_mark *mark, uint8_t *scratch)
{
    if (!before_mark(rec, mark) || (at < k->seen && before_mark(rec, &k->mark)))
        return;
    if (rec->kind == PLOG_IN && !cancelled(k, rec->arg))
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
    k->changed |= k->ncancels > 0; /* of what was kept before that came, too */
    forget_gone(k); /* the connections of the image before: a new one may follow */
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
    forget_gone(k);
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
        .half_open = k->half_open,
        .bytes = k->ring.end - k->ring.begin,
        .evicted = k->evicted,
        .lost = k->lost,
        .unknown = k->unknown,
        .deaf_us = k->newest_at - k->heard_at };
}
