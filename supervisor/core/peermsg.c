/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/core/peermsg.h"

#include "lib/core/buf.h"

#include <assert.h>
#include <string.h>

#define FORMAT 2 /* of the encoding; a peer with another one is not understood */

uint32_t
peer_service_key(const char *name)
{
    uint32_t h = 2166136261u; /* FNV-1a */

    for (; *name; name++)
        h = (h ^ (uint8_t)*name) * 16777619u;
    return h ? h : 1;
}

static void
put_reign(struct writer *w, const struct reign *r)
{
    put_u64(w, r->epoch);
    put_u32(w, r->version);
    put_u8(w, (uint8_t)r->phase);
    put_u8(w, (uint8_t)r->mode);
    put_u8(w, (uint8_t)r->active);
    put_u8(w, (uint8_t)r->kept);
    put_u8(w, (uint8_t)r->to);
    put_u64(w, r->set);
    put_u8(w, (uint8_t)(r->shut | r->doubt << 1));
    put_u32(w, r->strikes);
    put_u64(w, r->floor);
}

static void
put_wish(struct writer *w, const struct wish *wish)
{
    unsigned n = 0;

    put_u32(w, wish->version);
    put_u8(w, (uint8_t)wish->author);
    put_u64(w, wish->drained);
    put_u64(w, wish->maintained);
    put_u64(w, wish->frozen);
    put_u64(w, wish->held);
    put_u8(w, (uint8_t)wish->policy);
    put_u32(w, wish->interval_ms);
    for (unsigned i = 1; i <= PEER_MAX_NODE; i++)
        n += wish->fails[i] != 0;
    put_u8(w, (uint8_t)n);
    for (unsigned i = 1; i <= PEER_MAX_NODE; i++) {
        if (!wish->fails[i])
            continue;
        put_u8(w, (uint8_t)i);
        put_u8(w, wish->fails[i]);
    }
}

size_t
peer_encode(const struct peermsg *msg, uint8_t *out)
{
    struct writer w = writer_init(out, PEER_MAX_BYTES);
    size_t n = strnlen(msg->text, PEER_TEXT - 1);

    put_u8(&w, FORMAT);
    put_u8(&w, (uint8_t)msg->kind);
    put_u32(&w, msg->service);
    put_u64(&w, msg->view);
    put_reign(&w, &msg->r);
    put_u8(&w, (uint8_t)msg->node);
    put_u64(&w, (uint64_t)msg->age_us);
    put_u32(&w, msg->flags);
    put_u8(&w, (uint8_t)msg->health);
    put_u64(&w, msg->order);
    put_u8(&w, (uint8_t)msg->reason);
    put_u8(&w, (uint8_t)msg->what);
    put_u8(&w, (uint8_t)msg->why);
    put_u32(&w, msg->value);
    put_u8(&w, (uint8_t)n);
    put_bytes(&w, msg->text, n);
    if (msg->kind == PEER_WISH)
        put_wish(&w, &msg->w);
    assert(!w.bad);
    return w.pos;
}

static void
get_reign(struct reader *in, struct reign *r)
{
    uint8_t bits;

    r->epoch = get_u64(in);
    r->version = get_u32(in);
    r->phase = get_u8(in);
    r->mode = get_u8(in);
    r->active = get_u8(in);
    r->kept = get_u8(in);
    r->to = get_u8(in);
    r->set = get_u64(in);
    bits = get_u8(in);
    r->shut = bits & 1;
    r->doubt = bits >> 1 & 1;
    r->strikes = get_u32(in);
    r->floor = get_u64(in);
}

static bool
get_wish(struct reader *in, struct wish *wish)
{
    unsigned n, before = 0;

    wish->version = get_u32(in);
    wish->author = get_u8(in);
    wish->drained = get_u64(in);
    wish->maintained = get_u64(in);
    wish->frozen = get_u64(in);
    wish->held = get_u64(in);
    wish->policy = get_u8(in);
    wish->interval_ms = get_u32(in);
    n = get_u8(in);
    for (unsigned i = 0; i < n && !in->bad; i++) {
        unsigned node = get_u8(in);
        uint8_t count = get_u8(in);

        if (node <= before || node > PEER_MAX_NODE || !count)
            return false;
        wish->fails[node] = count;
        before = node;
    }
    return wish->author <= PEER_MAX_NODE;
}

static bool
in_range(const struct peermsg *m)
{
    return m->kind < PEER_NKINDS && m->r.phase < SERVICE_NSTATES &&
           m->r.phase != SERVICE_CLAIMED && m->r.mode < MODE_NMODES &&
           m->r.active <= PEER_MAX_NODE && m->r.kept <= PEER_MAX_NODE &&
           m->r.to <= PEER_MAX_NODE && m->node <= PEER_MAX_NODE &&
           m->health < HEALTH_N && m->age_us >= -1 && !(m->r.set & 1) &&
           m->what < WHAT_N && m->why < WHY_N;
}

bool
peer_decode(const void *data, size_t size, unsigned from, struct peermsg *msg)
{
    struct reader in = reader_init(data, size);
    struct peermsg m = { .from = from };
    size_t n;

    if (from < 1 || from > PEER_MAX_NODE || get_u8(&in) != FORMAT)
        return false;
    m.kind = get_u8(&in);
    m.service = get_u32(&in);
    m.view = get_u64(&in);
    get_reign(&in, &m.r);
    m.node = get_u8(&in);
    m.age_us = (int64_t)get_u64(&in);
    m.flags = get_u32(&in);
    m.health = get_u8(&in);
    m.order = get_u64(&in);
    m.reason = get_u8(&in);
    m.what = get_u8(&in);
    m.why = get_u8(&in);
    m.value = get_u32(&in);
    n = get_u8(&in);
    if (n >= PEER_TEXT)
        return false;
    get_copy(&in, m.text, n);
    if (!in.bad && m.kind == PEER_WISH && !get_wish(&in, &m.w))
        return false;
    if (in.bad || reader_left(&in) || !in_range(&m))
        return false;
    *msg = m;
    return true;
}

const char *
peer_kind_name(enum peer_kind kind)
{
    static const char *const names[] = { "beat", "sync", "sync-end", "suspect", "claim",
        "stopped", "taking", "confirm", "active", "failed", "handover", "set", "lost",
        "steady", "order", "step", "order-done", "wish", "fenced", "forgive", "anew" };

    _Static_assert(sizeof names / sizeof names[0] == PEER_NKINDS, "a name for each");
    return names[kind];
}

const char *
peer_mode_name(enum peer_mode mode)
{
    static const char *const names[] = { "start", "takeover", "resume" };

    _Static_assert(sizeof names / sizeof names[0] == MODE_NMODES, "a name for each");
    return names[mode];
}

const char *
service_state_name(enum service_state state)
{
    static const char *const names[] = { "idle", "claimed", "taking", "active",
        "down" };

    _Static_assert(
        sizeof names / sizeof names[0] == SERVICE_NSTATES, "a name for each");
    return names[state];
}

const char *
health_name(enum health health)
{
    static const char *const names[] = { "ok", "unknown", "degraded", "failed" };

    _Static_assert(sizeof names / sizeof names[0] == HEALTH_N, "a name for each");
    return names[health];
}

const char *
order_what_name(enum order_what what)
{
    static const char *const names[] = { "switchover", "drain", "resume", "maintenance",
        "freeze", "policy", "interval", "checkpoint", "clear" };

    _Static_assert(sizeof names / sizeof names[0] == WHAT_N, "a name for each");
    return names[what];
}

const char *
order_why_name(enum order_why why)
{
    static const char *const names[] = { "operator", "drain", "health", "placement",
        "failback", "balance" };

    _Static_assert(sizeof names / sizeof names[0] == WHY_N, "a name for each");
    return names[why];
}
