/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/sim/plan_world.h"

#include "lib/core/fnv.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct plan_conf plan = { .balance_us = 20000000, .balance_margin = 100 };

void
world_break(struct world *w, const char *fmt, ...)
{
    va_list ap;

    if (w->broken[0])
        return;
    va_start(ap, fmt);
    vsnprintf(w->broken, sizeof w->broken, fmt, ap);
    va_end(ap);
}

uint64_t
world_random(struct world *w, uint64_t below)
{
    uint64_t z = w->random += 0x9e3779b97f4a7c15u; /* splitmix64 */

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (z ^ z >> 31) % below;
}

static void feed(struct world *w, unsigned node, struct member_event ev);

static uint32_t
key(unsigned service)
{
    return 100 + service;
}

/* Engines. */

static void
take_order(struct world *w, unsigned node, const struct effect *e)
{
    struct world_engine *en = &w->node[node].engine[e->service];

    en->order = *e;
    en->busy = true;
    en->due = w->now + (int64_t)world_random(w, 40) * 1000;
    if (e->op == ENGINE_HANDOVER)
        en->due += 100000;
    if (e->r.epoch > en->seen)
        en->seen = e->r.epoch;
}

static bool
obey(struct world *w, unsigned node, struct world_engine *en)
{
    const struct effect *e = &en->order;

    (void)w;
    switch (e->op) {
    case ENGINE_START:
    case ENGINE_TAKEOVER:
    case ENGINE_RESUME:
        en->active = true;
        en->epoch = e->r.epoch;
        en->ready = 0;
        return true;
    case ENGINE_FOLLOW:
        en->active = false;
        en->follows = e->r.epoch;
        return true;
    case ENGINE_STOP:
        en->active = false;
        return true;
    case ENGINE_POLICY:
        return e->msg.value != 3; /* as if it could not */
    default:
        (void)node;
        return true;
    }
}

static void
run_engine(struct world *w, unsigned node, unsigned service)
{
    struct world_engine *en = &w->node[node].engine[service];
    struct member_event ev = { .kind = MEMBER_ANSWER, .service = service };

    if (en->busy && en->due <= w->now) {
        bool ok = obey(w, node, en);

        en->busy = false;
        ev.answer = (struct engine_answer){ en->order.op, en->order.r.epoch, ok, -1,
            ok ? "" : "cannot" };
        feed(w, node, ev);
    }
    for (unsigned i = 1; i < w->n && en->active; i++) {
        const struct world_node *other = &w->node[i];
        bool ready = i != node && other->up &&
                     other->engine[service].follows == en->epoch &&
                     !other->engine[service].active;

        if (ready == !!(en->ready & node_bit(i)))
            continue;
        en->ready ^= node_bit(i);
        feed(w, node,
            (struct member_event){ .kind = MEMBER_STANDBY,
                .service = service,
                .epoch = en->epoch,
                .node = i,
                .on = ready });
    }
}

static void
tell_engine(struct world *w, unsigned node)
{
    struct member_event ev = { .kind = MEMBER_ENGINE, .on = true };

    feed(w, node, ev);
    for (unsigned i = 0; i < WORLD_SERVICES; i++) {
        struct world_engine *en = &w->node[node].engine[i];

        ev = (struct member_event){ .kind = MEMBER_REPORT, .service = i };
        ev.report = (struct engine_report){ .role = en->active ? ROLE_ACTIVE
                                                               : ROLE_NONE,
            .epoch = en->epoch,
            .seen = en->seen,
            .running = en->active };
        feed(w, node, ev);
    }
}

/* The group. */

static uint64_t
hash_wish(uint64_t h, const struct wish *w)
{
    const uint64_t v[] = { w->version, w->author, w->drained, w->maintained, w->frozen,
        w->held, w->policy, w->interval_ms };

    for (size_t i = 0; i < sizeof v / sizeof v[0]; i++)
        h = fnv_mix(h, v[i]);
    for (unsigned n = 0; n < WORLD_MAX; n++)
        h = fnv_mix(h, w->fails[n]);
    return h;
}

static void
compare(struct world *w, unsigned node, unsigned at)
{
    const struct member *m = &w->node[node].core;
    uint64_t h = hash_wish(FNV_BASIS, &m->cluster.wish.w);

    if (!m->cluster.ready)
        return;
    h = fnv_mix(h, m->cluster.orders);
    for (unsigned i = 0; i < m->nservices; i++) {
        const struct service *s = &m->services[i];
        const uint64_t v[] = { s->state, s->r.epoch, s->r.version, s->r.active,
            s->r.set, s->r.floor, s->errand.order };

        for (size_t k = 0; k < sizeof v / sizeof v[0]; k++)
            h = fnv_mix(h, v[k]);
        h = hash_wish(h, &s->wish.w);
    }
    h |= 1;
    if (!w->hash[at])
        w->hash[at] = h;
    else if (w->hash[at] != h)
        world_break(w, "agreement: node %u is of another mind after %s of node %u",
            node, peer_kind_name(w->log[at].kind), w->log[at].from);
}

static void
say(struct world *w, unsigned node, const struct peermsg *msg)
{
    uint8_t bytes[PEER_MAX_BYTES];
    size_t n = peer_encode(msg, bytes);

    assert(w->nlog < WORLD_LOG);
    if (!peer_decode(bytes, n, node, &w->log[w->nlog]))
        world_break(w, "node %u sends what cannot be decoded", node);
    w->hash[w->nlog++] = 0;
}

static void
carry_out(struct world *w, unsigned node, const struct effects *out)
{
    struct world_node *nd = &w->node[node];

    for (unsigned i = 0; i < out->n; i++) {
        const struct effect *e = &out->v[i];

        if (e->what == DO_PERSIST)
            nd->disk[e->service] = e->r;
        else if (e->what == DO_KEEP)
            nd->wishes[e->service == NO_SERVICE ? WORLD_SERVICES : e->service] =
                e->msg.w;
        else if (e->what == DO_BROADCAST)
            say(w, node, &e->msg);
        else if (e->what == DO_ENGINE)
            take_order(w, node, e);
        else if (e->what == DO_ARM)
            nd->tick = e->at.us;
    }
}

static void
feed(struct world *w, unsigned node, struct member_event ev)
{
    static struct effects out; /* one at a time; large */

    if (w->broken[0])
        return;
    ev.now = (struct mono){ w->now };
    if (w->mutant && w->mutant->before)
        w->mutant->before(&w->node[node].core, &ev);
    member_step(&w->node[node].core, &ev, &out);
    if (w->mutant && w->mutant->after)
        w->mutant->after(&w->node[node].core, &out);
    world_check(w, node, &out);
    carry_out(w, node, &out);
}

static void
deliver(struct world *w, unsigned node)
{
    struct world_node *nd = &w->node[node];

    while (nd->up && nd->cursor < w->nlog && !w->broken[0]) {
        unsigned at = nd->cursor++;

        feed(w, node,
            (struct member_event){ .kind = MEMBER_MESSAGE, .msg = w->log[at] });
        compare(w, node, at);
    }
}

/* All members have read everything of the old membership; the log begins anew. */
static void
change_view(struct world *w)
{
    struct member_event ev = { .kind = MEMBER_VIEW, .view = ++w->views };
    unsigned old = 0; /* one who was there before */

    for (unsigned round = 0; round < 3; round++)
        for (unsigned i = 1; i < w->n; i++)
            if (w->node[i].core.cluster.view == w->view)
                deliver(w, i);
    for (unsigned i = 1; i < w->n; i++)
        if (w->node[i].up && w->node[i].core.cluster.view == w->view)
            old = i;
    for (unsigned i = 1; i < w->n && old; i++)
        if (w->node[i].up && w->node[i].core.cluster.view != w->view)
            w->node[i].marks = w->node[old].marks;
    w->view = ev.view;
    w->nlog = 0;
    for (unsigned i = 1; i < w->n; i++)
        ev.members |= w->node[i].up ? node_bit(i) : 0;
    for (unsigned i = 1; i < w->n; i++)
        if (w->node[i].up) {
            w->node[i].cursor = 0;
            feed(w, i, ev);
            feed(w, i,
                (struct member_event){
                    .kind = MEMBER_QUORUM, .on = true, .members = ev.members });
        }
}

void
world_crash(struct world *w, unsigned node)
{
    if (!w->node[node].up)
        return;
    w->node[node].up = false;
    memset(w->node[node].engine, 0, sizeof w->node[node].engine);
    change_view(w);
}

void
world_boot(struct world *w, unsigned node)
{
    struct world_node *nd = &w->node[node];
    static const int loads[] = WORLD_LOADS;

    if (nd->up)
        return;
    nd->up = true;
    nd->tick = 0;
    member_init(
        &nd->core, node, node_bit(w->n) - 2, &plan, &nd->wishes[WORLD_SERVICES]);
    for (unsigned i = 0; i < WORLD_SERVICES; i++)
        member_add(&nd->core, key(i), &w->p[i], 200, &nd->disk[i], &nd->wishes[i]);
    tell_engine(w, node);
    for (unsigned i = 0; i < WORLD_SERVICES; i++)
        feed(w, node,
            (struct member_event){ .kind = MEMBER_LOAD,
                .service = i,
                .load = loads[i],
                .health = HEALTH_OK });
    feed(w, node,
        (struct member_event){ .kind = MEMBER_HEALTH, .health = w->health[node] });
    change_view(w);
}

void
world_fail(struct world *w, unsigned service)
{
    unsigned node = world_active(w, service);
    struct world_engine *en = &w->node[node].engine[service];

    if (!node || !en->active)
        return;
    en->active = false;
    feed(w, node,
        (struct member_event){ .kind = MEMBER_FAILED,
            .service = service,
            .epoch = en->epoch,
            .text = "ended" });
}

void
world_health(struct world *w, unsigned node, enum health health)
{
    w->health[node] = health;
    if (w->node[node].up)
        feed(w, node, (struct member_event){ .kind = MEMBER_HEALTH, .health = health });
}

void
world_order(struct world *w, enum order_what what, unsigned service, unsigned node,
    uint32_t value)
{
    struct member_event ev = { .kind = MEMBER_ORDER, .text = "tester\there" };

    ev.service = service;
    ev.node = node;
    ev.token = 1;
    ev.msg.what = what;
    ev.msg.value = value;
    for (unsigned i = 1; i < w->n; i++)
        if (w->node[i].up) {
            feed(w, i, ev);
            return;
        }
}

const struct member *
world_member(const struct world *w)
{
    for (unsigned i = 1; i < w->n; i++)
        if (w->node[i].up)
            return &w->node[i].core;
    return NULL;
}

unsigned
world_active(const struct world *w, unsigned service)
{
    const struct member *m = world_member(w);

    return m && m->services[service].state == SERVICE_ACTIVE
               ? m->services[service].r.active
               : 0;
}

void
world_run_ms(struct world *w, int64_t ms)
{
    int64_t end = w->now + ms * 1000;

    for (; w->now < end && !w->broken[0]; w->now += WORLD_STEP_MS * 1000)
        for (unsigned i = 1; i < w->n; i++) {
            if (!w->node[i].up)
                continue;
            if (world_random(w, 8)) /* or it is late */
                deliver(w, i);
            for (unsigned k = 0; k < WORLD_SERVICES; k++)
                run_engine(w, i, k);
            if (w->node[i].tick <= w->now)
                feed(w, i, (struct member_event){ .kind = MEMBER_TICK });
        }
}

void
world_init(struct world *w, unsigned nodes, uint64_t seed)
{
    struct peermsg *log = w->log;
    uint64_t *hash = w->hash;

    *w = (struct world){ .n = nodes + 1, .random = seed, .balanced = INT64_MIN };
    w->log = log ? log : calloc(WORLD_LOG, sizeof *w->log);
    w->hash = hash ? hash : calloc(WORLD_LOG, sizeof *w->hash);
    assert(w->log && w->hash);
    for (unsigned i = 0; i < WORLD_SERVICES; i++)
        w->p[i] = (struct placement){ .fail_limit = 3, .hold_off_us = 15000000 };
}

void
world_fini(struct world *w)
{
    free(w->log);
    free(w->hash);
    w->log = NULL;
    w->hash = NULL;
}
