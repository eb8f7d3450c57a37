/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/core/births.h"

#include "sockmig/core/keep.h"
#include "sockmig/core/links.h"

#include <assert.h>
#include <string.h>

#define NONE FLOWMAP_NONE

enum kind { WAITING, HOLED, HALF_OPEN, KINDS }; /* the last is given up first */

struct birth {
    uint32_t first, last; /* blocks of its records; NONE: it has none */
    uint32_t bytes;       /* of them */
    uint32_t syn, server_isn;
    uint32_t top;   /* end of what came, of that with the highest number */
    uint32_t acked; /* HOLED: by the service */
    enum kind kind;
    bool answered;
    bool reset; /* by the client, if that came in time */
};

struct begin {
    uint64_t ordinal; /* of input; 0: it is none */
    uint32_t size, birth;
    uint32_t end; /* sequence number after it */
    bool needed;
};

struct births {
    struct births_conf conf;
    struct flowmap map;
    struct birth *births;
    struct link *links; /* of each: in the list of its kind */
    struct list lists[KINDS];
    uint8_t *blocks;
    uint32_t *next; /* of each block: of its connection's, or of the free ones */
    uint32_t free, nfree;
    struct begin *begins; /* by block: the record that begins in it */
    struct link *order;   /* of those blocks: as they came */
    struct list records;
    uint64_t bytes, evicted, lost;
};

size_t
births_size(const struct births_conf *conf)
{
    return carve_size(sizeof(struct births)) + flowmap_size(conf->flows) +
           carve_size(conf->flows * sizeof(struct birth)) +
           carve_size(conf->flows * sizeof(struct link)) +
           carve_size((size_t)conf->blocks * BIRTHS_BLOCK) +
           carve_size(conf->blocks * sizeof(uint32_t)) +
           carve_size(conf->blocks * sizeof(struct begin)) +
           carve_size(conf->blocks * sizeof(struct link));
}

struct births *
births_init(void *memory, const struct births_conf *conf)
{
    uint8_t *at = memory;
    struct births *b = carve(&at, sizeof *b);

    assert(conf->half_open < conf->flows);
    *b = (struct births){ .conf = *conf, .nfree = conf->blocks };
    flowmap_init(&b->map, carve(&at, flowmap_size(conf->flows)), conf->flows, 0);
    b->births = carve(&at, conf->flows * sizeof *b->births);
    b->links = carve(&at, conf->flows * sizeof *b->links);
    b->blocks = carve(&at, (size_t)conf->blocks * BIRTHS_BLOCK);
    b->next = carve(&at, conf->blocks * sizeof *b->next);
    b->begins = carve(&at, conf->blocks * sizeof *b->begins);
    b->order = carve(&at, conf->blocks * sizeof *b->order);
    for (uint32_t i = 0; i < conf->blocks; i++)
        b->next[i] = i + 1 < conf->blocks ? i + 1 : NONE;
    for (int i = 0; i < KINDS; i++)
        list_init(&b->lists[i]);
    list_init(&b->records);
    return b;
}

static void
become(struct births *b, uint32_t i, enum kind kind)
{
    list_remove(&b->lists[b->births[i].kind], b->links, i);
    b->births[i].kind = kind;
    list_add(&b->lists[kind], b->links, i);
}

static void
forget_record(struct births *b, uint32_t at)
{
    struct begin *r = &b->begins[at];

    if (!r->needed)
        return;
    r->needed = false;
    b->bytes -= r->size;
    list_remove(&b->records, b->order, at);
}

/* The record's last block. */
static uint32_t
last_block(const struct births *b, uint32_t at)
{
    uint32_t more = (b->begins[at].size - 1) / BIRTHS_BLOCK;

    while (more-- > 0)
        at = b->next[at];
    return at;
}

/* Its blocks are free; the one that follows. */
static uint32_t
free_record(struct births *b, uint32_t at)
{
    uint32_t last = last_block(b, at), next = b->next[last];

    forget_record(b, at);
    b->nfree += (b->begins[at].size + BIRTHS_BLOCK - 1) / BIRTHS_BLOCK;
    b->next[last] = b->free;
    b->free = at;
    return next;
}

static void
forget(struct births *b, uint32_t i)
{
    const struct birth *c = &b->births[i];

    for (uint32_t at = c->first; at != NONE;)
        at = free_record(b, at);
    list_remove(&b->lists[c->kind], b->links, i);
    flowmap_remove(&b->map, i);
}

/* For want of room. */
static void
give_up(struct births *b, uint32_t i)
{
    *(b->births[i].kind == HALF_OPEN ? &b->evicted : &b->lost) += 1;
    forget(b, i);
}

/* None that comes before @least in the order of kinds, nor @but.  False: there is no
 * other. */
static bool
forget_oldest(struct births *b, enum kind least, uint32_t but)
{
    for (int kind = KINDS - 1; kind >= (int)least; kind--) {
        uint32_t i = b->lists[kind].oldest;

        if (i != NONE && i == but)
            i = b->links[i].newer;
        if (i == NONE)
            continue;
        give_up(b, i);
        return true;
    }
    return false;
}

/* ---- records ---- */

static uint32_t
add_block(struct births *b, struct birth *c)
{
    uint32_t at = b->free;

    b->free = b->next[at];
    b->nfree--;
    b->next[at] = NONE;
    *(c->first == NONE ? &c->first : &b->next[c->last]) = at;
    c->last = at;
    return at;
}

/* @used bytes of its record are there. */
static uint32_t
append(
    struct births *b, struct birth *c, uint32_t used, const void *data, uint32_t size)
{
    const uint8_t *from = data;

    while (size > 0) {
        uint32_t in = used % BIRTHS_BLOCK, n = BIRTHS_BLOCK - in;

        if (in == 0 && used > 0)
            add_block(b, c);
        n = n < size ? n : size;
        memcpy(b->blocks + (size_t)c->last * BIRTHS_BLOCK + in, from, n);
        used += n;
        from += n;
        size -= n;
    }
    return used;
}

static bool
make_room(struct births *b, uint32_t i, uint32_t span)
{
    const struct birth *c = &b->births[i];

    if (c->kind != HOLED && c->bytes + span > b->conf.flow_bytes)
        return false;
    while (b->nfree < span / BIRTHS_BLOCK + 1)
        if (!forget_oldest(b, c->kind == HOLED ? HOLED : WAITING, i))
            return false;
    return true;
}

/* @end: sequence number after it, if it is input. */
static void
record(struct births *b, uint32_t i, const struct plog_record *rec, uint32_t end)
{
    static const uint8_t zeros[8];
    uint32_t span = plog_span(rec->size), first, used;
    struct birth *c = &b->births[i];
    uint8_t head[PLOG_HEADER];

    if (!make_room(b, i, span)) {
        give_up(b, i);
        return;
    }
    plog_head(rec, head);
    first = add_block(b, c);
    used = append(b, c, 0, head, sizeof head);
    used = append(b, c, used, rec->payload, rec->size);
    append(b, c, used, zeros, span - used);
    b->begins[first] = (struct begin){ .ordinal = rec->kind == PLOG_IN ? rec->arg : 0,
        .size = span,
        .birth = i,
        .end = end,
        .needed = true };
    list_add(&b->records, b->order, first);
    c->bytes += span;
    b->bytes += span;
}

/* ---- packets ---- */

static uint32_t
add(struct births *b, const struct packet *pkt, enum kind kind)
{
    uint32_t i;

    if (kind == HALF_OPEN && b->lists[kind].count >= b->conf.half_open)
        give_up(b, b->lists[kind].oldest);
    else if (b->map.count == b->map.capacity)
        forget_oldest(b, WAITING, NONE);
    i = flowmap_add(&b->map, &pkt->key);
    b->births[i] = (struct birth){ .first = NONE,
        .last = NONE,
        .syn = pkt->tcp.seq,
        .top = packet_seq_end(pkt),
        .kind = kind };
    list_add(&b->lists[kind], b->links, i);
    return i;
}

/* A number that is none of the SYN's begins a connection anew. */
static uint32_t
find(struct births *b, const struct packet *pkt, bool syn)
{
    uint32_t i = flowmap_find(&b->map, &pkt->key);

    if (i == NONE || !syn || b->births[i].syn == pkt->tcp.seq)
        return i;
    forget(b, i);
    return NONE;
}

/* Nothing of it has to be known: what follows says as much. */
static bool
is_idle(const struct birth *c, const struct packet *pkt, bool holed)
{
    if (c->kind == HOLED)
        return !holed;
    return c->kind == WAITING && packet_seq_end(pkt) == pkt->tcp.seq &&
           !(pkt->tcp.flags & TCP_RST);
}

void
births_input(struct births *b, const struct packet *pkt, const struct plog_record *rec,
    bool holed)
{
    bool syn = (pkt->tcp.flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
    uint32_t i, end = packet_seq_end(pkt);
    struct birth *c;

    if (!packet_is_tcp(pkt) || (!syn && !holed && b->map.count == 0))
        return;
    i = find(b, pkt, syn);
    if (i == NONE && (syn || holed))
        i = add(b, pkt, syn ? HALF_OPEN : HOLED);
    if (i == NONE)
        return;
    c = &b->births[i];
    if (is_idle(c, pkt, holed))
        return;
    c->reset |= pkt->tcp.flags & TCP_RST;
    if (end != pkt->tcp.seq && seq_after(end, c->top))
        c->top = end;
    if (c->kind == HALF_OPEN && c->answered && pkt->tcp.flags & TCP_ACK &&
        pkt->tcp.ack == c->server_isn + 1)
        become(b, i, WAITING);
    record(b, i, rec, end);
}

static void
put_syn_ack(struct births *b, uint32_t i, uint32_t isn, const struct plog_record *rec)
{
    struct birth *c = &b->births[i];

    if (c->kind != HALF_OPEN || (c->answered && c->server_isn == isn))
        return;
    c->answered = true;
    c->server_isn = isn;
    record(b, i, rec, c->syn);
}

/* A reset may be the kernel's, to what came after the client's own: whether that came
 * in time is for the standby to find out. */
static void
put_out(struct births *b, uint32_t i, const struct plog_output *o,
    const struct plog_record *rec)
{
    const struct birth *c = &b->births[i];

    if (o->tcp_flags & TCP_SYN)
        put_syn_ack(b, i, o->seq, rec);
    else if (o->tcp_flags & TCP_RST && c->reset)
        record(b, i, rec, c->syn);
    else
        forget(b, i);
}

static void
free_before(struct births *b, struct birth *c, uint32_t ack)
{
    uint32_t last = NONE;

    for (uint32_t at = c->first; at != NONE;) {
        if (seq_after(b->begins[at].end, ack)) {
            last = last_block(b, at);
            at = b->next[last];
            continue;
        }
        c->bytes -= b->begins[at].size;
        at = free_record(b, at);
        *(last == NONE ? &c->first : &b->next[last]) = at;
    }
    c->last = last;
}

/* The service has what is before @ack of connection @i, which it has accepted. */
static void
has_all_before(struct births *b, uint32_t i, uint32_t ack)
{
    struct birth *c = &b->births[i];

    if (!seq_after(c->top, ack)) {
        forget(b, i);
        return;
    }
    if (c->kind == HOLED && c->acked == ack)
        return;
    free_before(b, c, ack);
    c->acked = ack;
    if (c->kind != HOLED)
        become(b, i, HOLED);
}

void
births_output(
    struct births *b, const struct packet *pkt, uint64_t at_us, uint64_t ordinal)
{
    struct plog_output o = { .flow = pkt->key,
        .tcp_flags = pkt->tcp.flags & PLOG_TCP_FLAGS,
        .seq = pkt->tcp.seq };
    uint8_t bytes[PLOG_SMALL];
    struct plog_record rec;
    uint32_t i;

    if (b->map.count == 0 || !packet_is_tcp(pkt))
        return;
    i = flowmap_find(&b->map, &pkt->key);
    if (i == NONE)
        return;
    if (o.tcp_flags & TCP_SYN)
        plog_describe_syn(pkt, &o);
    if (o.tcp_flags & (TCP_SYN | TCP_RST)) {
        plog_record_output(bytes, at_us, ordinal, &o, &rec);
        put_out(b, i, &o, &rec);
    } else if (packet_seq_end(pkt) != pkt->tcp.seq || b->births[i].kind == HOLED) {
        has_all_before(b, i, pkt->tcp.ack);
    }
}

/* What was found by it is in doubt: it is found again. */
void
births_cancel(struct births *b, uint64_t first)
{
    uint32_t at = b->records.newest, older;

    for (; at != NONE; at = older) {
        const struct begin *r = &b->begins[at];

        older = b->order[at].older;
        if (r->ordinal == 0)
            continue;
        if (r->ordinal < first)
            break;
        if (b->births[r->birth].kind == WAITING)
            become(b, r->birth, HALF_OPEN);
        forget_record(b, at);
    }
}

/* A record does not say what the service has acknowledged: no more than has come in
 * order. */
static void
log_output(struct births *b, const struct births_succession *s,
    const struct plog_output *o, const struct plog_record *rec)
{
    uint32_t i = o->flow.protocol == PACKET_TCP ? flowmap_find(&b->map, &o->flow)
                                                : FLOWMAP_NONE;
    uint32_t next;

    if (i == NONE || (!s->made_again && !(o->tcp_flags & TCP_SYN)))
        return;
    if (o->tcp_flags & (TCP_SYN | TCP_RST))
        put_out(b, i, o, rec);
    else if (keep_next(s->keep, &o->flow, &next))
        has_all_before(b, i, next);
    else
        forget(b, i);
}

void
births_log(struct births *b, const struct births_succession *s,
    const struct plog_ring *log, uint8_t *scratch)
{
    uint64_t at = log->begin;
    struct plog_record rec;
    struct plog_output o;
    struct packet pkt;

    while (plog_read(log, &at, &rec, scratch) == PLOG_READ) {
        if (rec.kind == PLOG_IN && !keep_cancelled(s->keep, rec.arg) &&
            packet_parse(&pkt, PACKET_IN, rec.payload, rec.size)) {
            bool holed = keep_hears(s->keep, &pkt);

            rec.arg = s->as;
            births_input(b, &pkt, &rec, holed);
        } else if (rec.kind == PLOG_OUT && b->map.count > 0 &&
                   plog_decode_output(&rec, &o)) {
            log_output(b, s, &o, &rec);
        }
    }
}

void
births_end(struct births *b, const struct flow_key *key)
{
    uint32_t i = flowmap_find(&b->map, key);

    if (i != NONE)
        forget(b, i);
}

struct births_stat
births_stat(const struct births *b)
{
    return (struct births_stat){ .connections = b->map.count,
        .half_open = b->lists[HALF_OPEN].count,
        .evicted = b->evicted,
        .lost = b->lost };
}

size_t
births_bytes(const struct births *b)
{
    return b->bytes;
}

void
births_copy(const struct births *b, uint8_t *out)
{
    for (uint32_t i = b->records.oldest; i != NONE; i = b->order[i].newer) {
        uint32_t left = b->begins[i].size;

        for (uint32_t at = i; left > 0; at = b->next[at]) {
            uint32_t n = left < BIRTHS_BLOCK ? left : BIRTHS_BLOCK;

            memcpy(out, b->blocks + (size_t)at * BIRTHS_BLOCK, n);
            out += n;
            left -= n;
        }
    }
}
