/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/sim/sim.h"

#include "lib/core/fnv.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define TRACE_SIZE 262144

void
sim_trace(struct sim *s, const char *fmt, ...)
{
    va_list ap;

    if (!s->trace || s->story || s->trace_len > TRACE_SIZE - 512)
        return;
    s->trace_len += (size_t)sprintf(
        s->trace + s->trace_len, "[%6" PRId64 "] ", s->now / 1000);
    va_start(ap, fmt);
    s->trace_len += (size_t)vsnprintf(s->trace + s->trace_len, 400, fmt, ap);
    va_end(ap);
    s->trace[s->trace_len++] = '\n';
    s->trace[s->trace_len] = '\0';
}

void
sim_break(struct sim *s, const char *fmt, ...)
{
    va_list ap;

    if (s->broken[0])
        return;
    va_start(ap, fmt);
    vsnprintf(s->broken, sizeof s->broken, fmt, ap);
    va_end(ap);
    sim_trace(s, "BROKEN %s", s->broken);
}

uint64_t
sim_random(struct sim *s, uint64_t below)
{
    s->random += 0x9e3779b97f4a7c15u; /* splitmix64 */
    uint64_t z = s->random;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (z ^ z >> 31) % below;
}

bool
sim_linked(const struct sim *s, unsigned a, unsigned b)
{
    return s->side[a] == s->side[b];
}

int64_t
sim_local(const struct sim *s, unsigned node, int64_t t)
{
    return t + t * s->node[node].rate_ppm / 1000000;
}

static int64_t
to_true(const struct sim *s, unsigned node, int64_t local)
{
    return (int64_t)((__int128)local * 1000000 / (1000000 + s->node[node].rate_ppm)) +
           1;
}

/* The queue of events: a binary heap by (time, order of making). */

static bool
earlier(const struct sim_event *a, const struct sim_event *b)
{
    return a->at < b->at || (a->at == b->at && a->tie < b->tie);
}

void
sim_push(struct sim *s, const struct sim_event *ev)
{
    unsigned i = s->nheap++;

    if (s->nheap > s->room) {
        s->room = s->room ? 2 * s->room : 256;
        s->heap = realloc(s->heap, s->room * sizeof *s->heap);
        assert(s->heap);
    }
    s->heap[i] = *ev;
    s->heap[i].tie = ++s->tie;
    while (i && earlier(&s->heap[i], &s->heap[(i - 1) / 2])) {
        struct sim_event t = s->heap[i];

        s->heap[i] = s->heap[(i - 1) / 2];
        s->heap[(i - 1) / 2] = t;
        i = (i - 1) / 2;
    }
}

static struct sim_event
pop(struct sim *s)
{
    struct sim_event top = s->heap[0], last = s->heap[--s->nheap];
    unsigned i = 0;

    for (;;) {
        unsigned child = 2 * i + 1;

        if (child >= s->nheap)
            break;
        if (child + 1 < s->nheap && earlier(&s->heap[child + 1], &s->heap[child]))
            child++;
        if (!earlier(&s->heap[child], &last))
            break;
        s->heap[i] = s->heap[child];
        i = child;
    }
    if (s->nheap)
        s->heap[i] = last;
    return top;
}

/* What a supervisor asks for. */

static void
tell_story(struct sim *s, const struct effect *e)
{
    char *at = s->trace + s->trace_len;

    if (e->journal == JOURNAL_STEP)
        s->trace_len += (size_t)sprintf(
            at, "order %s %" PRIu64 "\n", engine_op_name(e->op), e->r.epoch);
    else if (e->service != NO_SERVICE)
        s->trace_len += (size_t)sprintf(at,
            "%s node %u epoch %" PRIu64 " set %" PRIx64 "\n",
            journal_kind_name(e->journal), e->node, e->r.epoch, e->r.set);
    else
        s->trace_len += (size_t)sprintf(
            at, "%s %u\n", journal_kind_name(e->journal), e->node);
}

static void
journal(struct sim *s, unsigned node, const struct effect *e)
{
    struct sim_node *nd = &s->node[node];

    if (s->trace && s->story == node && s->trace_len < TRACE_SIZE - 512)
        tell_story(s, e);
    if (e->journal == JOURNAL_STEP)
        nd->rows[nd->nrows++ % 8] = (struct sim_row){ e->op, e->r.epoch };
    if (e->journal == JOURNAL_CONTEXT_LOST && e->node == node)
        s->lost_contexts++;
    if (e->journal == JOURNAL_ORDER_DONE && e->node == node)
        s->switchovers++;
    if (e->journal == JOURNAL_STEP)
        sim_trace(s, "%u journal step %s epoch %" PRIu64, node, engine_op_name(e->op),
            e->r.epoch);
    else
        sim_trace(s, "%u journal %s node %u epoch %" PRIu64, node,
            journal_kind_name(e->journal), e->node, e->r.epoch);
}

void
sim_arm(struct sim *s, unsigned node, struct mono at)
{
    struct sim_node *nd = &s->node[node];

    if (at.us > INT64_MAX / 2)
        return;
    nd->tick_at = to_true(s, node, at.us);
    if (nd->tick_at <= s->now)
        nd->tick_at = s->now + 1;
    sim_push(
        s, &(struct sim_event){
               .at = nd->tick_at, .what = SIM_TICK, .node = node, .gen = nd->gen });
}

static void
cut_sharply(struct sim *s, unsigned node, enum peer_kind kind)
{
    if (kind != PEER_TAKING && kind != PEER_SET && kind != PEER_HANDOVER &&
        kind != PEER_ACTIVE && kind != PEER_CLAIM)
        return;
    if (!sim_random(s, kind == PEER_TAKING ? 2 : 6))
        sim_push(s, &(struct sim_event){ .at = s->now + (int64_t)sim_random(s, 3000),
                        .what = SIM_SHARP,
                        .node = node });
}

static void
carry_out(struct sim *s, unsigned node, const struct effects *out)
{
    struct sim_node *nd = &s->node[node];

    for (unsigned i = 0; i < out->n; i++) {
        const struct effect *e = &out->v[i];

        switch (e->what) {
        case DO_PERSIST:
            nd->disk = e->r;
            break;
        case DO_JOURNAL:
            journal(s, node, e);
            break;
        case DO_BROADCAST:
            if (e->msg.kind != PEER_BEAT && e->msg.kind != PEER_SYNC &&
                e->msg.kind != PEER_SYNC_END)
                sim_trace(s, "%u says %s %" PRIu64 ".%u", node,
                    peer_kind_name(e->msg.kind), e->msg.r.epoch, e->msg.r.version);
            group_broadcast(s, node, &e->msg);
            if (s->sharp)
                cut_sharply(s, node, e->msg.kind);
            break;
        case DO_ENGINE:
            engine_check_record(s, node, e);
            sim_trace(s, "%u orders %s %" PRIu64 " set %" PRIx64, node,
                engine_op_name(e->op), e->r.epoch, e->r.set);
            sim_push(s, &(struct sim_event){ .at = s->now + 400,
                            .what = SIM_ORDER,
                            .node = node,
                            .gen = nd->engine.gen,
                            .order = *e });
            break;
        case DO_ASK:
            engine_report_to(s, node);
            break;
        case DO_ARM:
            sim_arm(s, node, e->at);
            break;
        case DO_KEEP:
            nd->wishes[e->service != NO_SERVICE] = e->msg.w;
            break;
        case DO_FENCE:
            sim_fence(s, node, e->node);
            break;
        case DO_ORDER:
        case DO_NKINDS:
            break;
        }
    }
}

static uint64_t
wish_hash(const struct wish *w, uint64_t h)
{
    const uint64_t fields[] = { w->version, w->author, w->drained, w->maintained,
        w->frozen, w->held, w->policy, w->interval_ms };

    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        h = fnv_mix(h, fields[i]);
    for (unsigned n = 1; n < SIM_MAX; n++)
        h = fnv_mix(h, w->fails[n]);
    return h;
}

static uint64_t
record_hash(const struct service *v, const struct cluster *c)
{
    uint64_t h = FNV_BASIS;
    const uint64_t fields[] = { v->state, v->r.epoch, v->r.version, v->r.phase,
        v->r.mode, v->r.active, v->r.kept, v->r.to, v->r.set, v->r.shut, v->r.doubt,
        v->r.strikes, v->r.floor, v->claim.epoch, v->claim.node, v->claim.mode,
        v->stopped, v->confirmed, c->synced, c->suspect, c->engines, c->quorums,
        c->orders, v->order.step < STEP_TAKEOVER ? v->order.order : 0,
        v->errand.order };

    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        h = fnv_mix(h, fields[i]);
    return wish_hash(&v->wish.w, wish_hash(&c->wish.w, h)) | 1;
}

/* After an entry of the log has been taken in, the record is the same on every node
 * that has read so far: compared by a hash per entry.  On one that slipped from the
 * next round on; until then it has merged less. */
static void
compare(struct sim *s, unsigned node, const struct member_event *ev)
{
    struct member *m = &s->node[node].core;
    struct sim_ring *ring = &s->ring[ev->view - 1];
    uint64_t h = record_hash(&m->services[0], &m->cluster);

    if (!m->cluster.ready || m->cluster.view != ev->view ||
        (m->cluster.view == s->node[node].slipped && !m->cluster.round))
        return;
    if (!ring->hash[ev->epoch])
        ring->hash[ev->epoch] = h;
    else if (ring->hash[ev->epoch] != h)
        sim_break(s, "agreement: node %u has another record after %s of node %u", node,
            peer_kind_name(ev->msg.kind), ev->msg.from);
}

void
sim_feed(struct sim *s, unsigned node, const struct member_event *ev)
{
    struct sim_node *nd = &s->node[node];
    struct member_event in = *ev;
    struct reign was = nd->core.services[0].r;
    const struct service *v = &nd->core.services[0];
    static struct effects out; /* one at a time; large */

    in.now = (struct mono){ sim_local(s, node, s->now) };
    if (s->mutant && s->mutant->before)
        s->mutant->before(&nd->core, &in);
    member_step(&nd->core, &in, &out);
    if (s->mutant && s->mutant->after)
        s->mutant->after(&nd->core, &out);
    s->steps++;
    if (was.floor > v->own.durable.floor)
        sim_break(s, "floor of node %u went back", node);
    if (ev->kind == MEMBER_MESSAGE && ev->msg.kind != PEER_BEAT)
        sim_trace(s,
            "  %u <- %s of %u: %s %" PRIu64 ".%u set %" PRIx64 " floor %" PRIu64, node,
            peer_kind_name(ev->msg.kind), ev->msg.from, service_state_name(v->state),
            v->r.epoch, v->r.version, v->r.set, v->r.floor);
    if (ev->kind == MEMBER_MESSAGE && !s->mutant)
        compare(s, node, ev);
    carry_out(s, node, &out);
}

static void
check(struct sim *s)
{
    unsigned open = 0;

    for (unsigned i = 1; i < s->n; i++) {
        if (!engine_open(s, i))
            continue;
        if (open)
            sim_break(s, "P1: gates of %u (epoch %u) and %u (epoch %u) are open", open,
                (unsigned)s->node[open].engine.epoch, i,
                (unsigned)s->node[i].engine.epoch);
        open = i;
    }
}

void
sim_engine_told(struct sim *s, unsigned node)
{
    struct sim_node *nd = &s->node[node];

    nd->engine.connected = nd->engine.up;
    group_queue(
        s, node, &(struct member_event){ .kind = MEMBER_ENGINE, .on = nd->engine.up });
    if (nd->engine.up)
        engine_report_to(s, node);
}

static void
handle(struct sim *s, const struct sim_event *ev)
{
    struct sim_node *nd = &s->node[ev->node];
    struct member_event in = { 0 };

    switch (ev->what) {
    case SIM_TICK:
        if (!nd->up || ev->gen != nd->gen || ev->at != nd->tick_at)
            break;
        in.kind = MEMBER_TICK;
        group_queue(s, ev->node, &in);
        break;
    case SIM_RING:
        group_ring(s, ev);
        break;
    case SIM_REFORM:
        group_reform(s);
        break;
    case SIM_SLIPPED:
        group_slipped(s, ev);
        break;
    case SIM_QUORUM:
        in.kind = MEMBER_QUORUM;
        in.members = s->ring[nd->ring].nodes;
        in.on = 2 * nodes_count(s->ring[nd->ring].nodes) > s->n - 1;
        group_queue(s, ev->node, &in);
        break;
    case SIM_TO_SUPER:
        if (ev->gen == nd->gen && ev->epoch == nd->engine.gen)
            group_queue(s, ev->node, &ev->word);
        break;
    case SIM_ENGINE_UP:
        if (nd->corosync_up && !nd->engine.up)
            engine_boot(s, ev->node);
        break;
    case SIM_FENCE:
        if (nd->up && ev->gen == nd->gen)
            sim_fence_ends(s, ev->node, ev->from);
        break;
    case SIM_DEVICE:
        device_event(s);
        break;
    case SIM_SHARP:
        sim_cut(s, node_bit(ev->node));
        break;
    case SIM_ENGINE_TOLD:
        if (nd->engine.gen == ev->gen)
            sim_engine_told(s, ev->node);
        break;
    default:
        engine_event(s, ev);
    }
}

void
sim_run_ms(struct sim *s, int64_t ms)
{
    int64_t end = s->now + ms * 1000;

    while (s->nheap && s->heap[0].at <= end && !s->broken[0]) {
        struct sim_event ev = pop(s);

        s->now = ev.at;
        handle(s, &ev);
        check(s);
    }
    if (!s->broken[0])
        s->now = end;
}

unsigned
sim_serving(const struct sim *s)
{
    for (unsigned i = 1; i < s->n; i++)
        if (engine_open(s, i))
            return i;
    return 0;
}

uint64_t
sim_set(const struct sim *s)
{
    unsigned node = sim_serving(s);

    return node ? s->node[node].core.services[0].r.set : 0;
}

void
sim_init(struct sim *s, unsigned nodes, uint64_t seed)
{
    assert(nodes + 1 <= SIM_MAX);
    *s = (struct sim){ .n = nodes + 1, .seed = seed, .random = seed, .nrings = 1 };
    for (unsigned i = 1; i < s->n; i++) {
        s->node[i].inbox = calloc(SIM_INBOX, sizeof *s->node[i].inbox);
        assert(s->node[i].inbox);
        s->node[i].rate_ppm = (int64_t)sim_random(s, 20001) - 10000;
        sim_boot(s, i);
    }
}

void
sim_keep_trace(struct sim *s)
{
    s->trace = calloc(1, TRACE_SIZE);
    assert(s->trace);
}

void
sim_fini(struct sim *s)
{
    for (unsigned i = 0; i < s->nrings; i++) {
        free(s->ring[i].log);
        free(s->ring[i].hash);
    }
    for (unsigned i = 1; i < s->n; i++)
        free(s->node[i].inbox);
    free(s->heap);
    free(s->trace);
}
