/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * status.c - what an engine tells about itself (doc/protocol.md 1.1). */
#include "sockmig/engine.h"

static const char *
role_name(const struct engine *e)
{
    switch (e->role.state) {
    case ROLE_STARTING:
    case ROLE_RUNNING:
    case ROLE_FREEZING:
    case ROLE_FROZEN:
    case ROLE_RESUMING:
    case ROLE_WAKING:
        return "active";
    case ROLE_FOLLOWING:
        return "standby";
    default:
        return "none";
    }
}

static bool
standby_ready(struct engine *e)
{
    if (e->capture.wanted == CONF_COLD)
        return e->receiver != NULL;
    return e->clone_ready && *tracer_applied(e->tracer) > 0;
}

/* The state as operators know it: a standby is seeding until its clone is whole. */
static const char *
state_name(struct engine *e)
{
    if (e->role.state == ROLE_FOLLOWING)
        return standby_ready(e) ? "ready" : "seeding";
    return role_state_name(e->role.state);
}

static struct jv *
gate_object(struct engine *e)
{
    struct jv *g = jv_object();
    struct gate_counters c;
    struct egress_stat q = egress_stat(e->capture.out_queue);
    struct nfq_stat in = { 0 };

    gate_counters(e->gate, &c);
    nfq_stat(e->capture.in_queue, &in);
    jv_set_bool(g, "open", e->open && lease_held(&e->lease, mono_clock()));
    jv_set_int(g, "held", q.held);
    jv_set_int(g, "queued", (int64_t)e->capture.queued);
    jv_set_int(g, "released", (int64_t)e->capture.released);
    jv_set_int(g, "dropped", (int64_t)(q.dropped + c.dropped_out));
    jv_set_int(g, "held_in", in.held);
    jv_set_int(g, "delivered", (int64_t)e->capture.delivered);
    jv_set_int(g, "dropped_in", (int64_t)in.dropped + in.user_dropped);
    jv_set_int(g, "unlogged", (int64_t)e->capture.unlogged);
    jv_set_int(g, "overrun", (int64_t)e->capture.overran);
    jv_set_int(g, "passed_in", (int64_t)c.passed_in);
    jv_set_int(g, "passed_out", (int64_t)c.passed_out);
    jv_set_int(g, "fenced_in", (int64_t)c.fenced_in);
    jv_set_int(g, "fenced_out", (int64_t)c.fenced_out);
    return g;
}

static struct jv *
lease_object(const struct engine *e)
{
    struct jv *l = jv_object();
    struct mono now = mono_clock();
    bool held = lease_held(&e->lease, now);

    jv_set_bool(l, "held", held);
    jv_set_int(
        l, "remaining_ms", held ? mono_us_between(now, e->lease.until) / 1000 : 0);
    jv_set_int(l, "refreshed", (int64_t)e->lease_refreshed);
    jv_set_int(l, "lost", (int64_t)e->lease_lost);
    return l;
}

static struct jv *
checkpoint_object(struct engine *e, const struct tracer_stats *s)
{
    struct jv *c = jv_object();

    jv_set_int(c, "count", (int64_t)s->count);
    jv_set_int(c, "number", (int64_t)s->number);
    jv_set_int(c, "last_pause_us", s->last.pause);
    jv_set_int(c, "max_pause_us", s->max_pause_us);
    jv_set_int(c, "last_bytes", (int64_t)shipper_last_bytes(e->shipper));
    jv_set_int(c, "last_pages", (int64_t)s->last_pages);
    jv_set_int(c, "interval_ms", tracer_interval_ms(e->tracer));
    jv_set_int(c, "spacing_ms", e->service->spacing_ms);
    jv_set_int(c, "age_ms",
        s->last_at.us ? mono_us_between(s->last_at, mono_clock()) / 1000 : -1);
    jv_set_int(c, "stable", (int64_t)e->commit.stable);
    jv_set_int(c, "stop_us", s->last.stop);
    jv_set_int(c, "sockets_us", s->last.sockets);
    jv_set_int(c, "scan_us", s->last.scan);
    jv_set_int(c, "read_us", s->last.read);
    if (e->files) {
        struct jv *f = jv_object();

        jv_set_int(f, "count", (int64_t)s->files.files);
        jv_set_int(f, "bytes", (int64_t)s->files.bytes);
        jv_set_int(f, "shipped_bytes", (int64_t)s->file_bytes);
        jv_set_int(f, "all_shipped_bytes", (int64_t)s->all_file_bytes);
        jv_set_int(f, "hashed_bytes", (int64_t)s->files.hashed_bytes);
        jv_set_int(f, "took_us", s->files.took_us);
        jv_set(c, "files", f);
    }
    return c;
}

static struct jv *
standbys_array(const struct engine *e)
{
    struct jv *list = jv_array();

    for (unsigned i = 0; i < CONF_MAX_NODES; i++) {
        const struct peer *p = &e->peers[i];
        struct mcast_member log;
        struct jv *one;

        if (!p->node)
            continue;
        one = jv_object();
        jv_set_str(one, "node", p->node->name);
        jv_set_str(one, "state", peer_state_name(p->state));
        jv_set_bool(one, "in_set", e->commit.set & 1u << i);
        jv_set_int(one, "acked", (int64_t)p->whole);
        jv_set_int(one, "lag",
            p->state == PEER_READY ? (int64_t)(e->commit.taken - p->whole) : -1);
        if (mcast_member(e->capture.mcast, p->node->id, &log))
            jv_set_int(one, "log", (int64_t)log.acked);
        jv_push(list, one);
    }
    return list;
}

static struct jv *
clone_object(struct engine *e, const struct tracer_stats *s)
{
    const struct conf_node *from = conf_node_by_id(e->conf, e->active);
    struct jv *c = jv_object();

    jv_set_int(c, "checkpoint", (int64_t)*tracer_applied(e->tracer));
    jv_set_int(c, "age_ms",
        s->clone_at.us ? mono_us_between(s->clone_at, mono_clock()) / 1000 : -1);
    jv_set_int(c, "bytes", (int64_t)e->received_bytes);
    if (e->files) {
        struct filestore_stat f;

        filestore_stat(e->files, &f);
        jv_set_int(c, "staged_bytes", (int64_t)f.staged_bytes);
    }
    jv_set_str(c, "from", from ? from->name : NULL);
    return c;
}

static struct jv *
stream_object(struct engine *e)
{
    struct jv *s = jv_object();

    jv_set_int(s, "sent_bytes", (int64_t)shipper_sent_bytes(e->shipper));
    jv_set_int(s, "received_bytes", (int64_t)e->received_bytes);
    jv_set_int(s, "forged", (int64_t)e->forged);
    jv_set_int(s, "malformed", (int64_t)e->malformed);
    jv_set_int(s, "stale", (int64_t)e->stale);
    return s;
}

static struct jv *
log_object(struct engine *e)
{
    struct jv *l = jv_object();
    struct mcast_stats s;

    mcast_stats(e->capture.mcast, &s);
    if (e->role.state == ROLE_FOLLOWING) {
        struct mcast_log log = mcast_log_received(e->capture.mcast);
        struct keep_stat keep = follower_stat(e->follower);

        jv_set_int(l, "lsn", (int64_t)log.end);
        jv_set_int(l, "bytes", (int64_t)(log.end - log.low));
        jv_set_int(l, "kept_connections", keep.waiting);
        jv_set_int(l, "half_open", keep.half_open);
        jv_set_int(l, "evicted", (int64_t)keep.evicted);
        jv_set_int(l, "lost", (int64_t)keep.lost);
    } else {
        struct mcast_log log = mcast_log_sent(e->capture.mcast);
        struct births_stat births = births_stat(e->capture.births);

        jv_set_int(l, "lsn", (int64_t)mcast_head(e->capture.mcast));
        jv_set_int(l, "bytes", (int64_t)(log.end - log.low));
        jv_set_int(l, "stable", (int64_t)mcast_stable(e->capture.mcast));
        jv_set_int(l, "kept_connections", births.connections);
        jv_set_int(l, "half_open", births.half_open);
        jv_set_int(l, "evicted", (int64_t)births.evicted);
        jv_set_int(l, "lost", (int64_t)births.lost);
    }
    jv_set_int(l, "datagrams", (int64_t)(s.tx.datagrams + s.rx.datagrams));
    jv_set_int(l, "repairs", (int64_t)s.tx.repairs);
    jv_set_int(l, "duplicates", (int64_t)s.rx.duplicates);
    jv_set_int(l, "out_of_window", (int64_t)s.rx.out_of_window);
    jv_set_int(l, "refused", (int64_t)s.tx.refused);
    jv_set_int(l, "forged", (int64_t)s.forged);
    jv_set_int(l, "replayed", (int64_t)s.replayed);
    jv_set_int(l, "old_epoch", (int64_t)s.old_epoch);
    jv_set_int(l, "malformed", (int64_t)s.malformed);
    return l;
}

/* The last takeover here, if this reign or an older one began with one. */
static struct jv *
takeover_object(const struct engine *e)
{
    struct jv *t;

    if (!e->last_wake.timing.total)
        return NULL;
    t = jv_object();
    jv_set_int(t, "epoch", (int64_t)e->last_wake_epoch);
    jv_set_int(t, "connections", e->last_wake.connections);
    jv_set_int(t, "lost", e->last_wake.lost);
    jv_set(t, "phases", orders_phases(&e->last_wake.timing));
    return t;
}

struct jv *
status_refusals(const struct refusals *why)
{
    struct jv *list = jv_array();

    for (unsigned i = 0; i < why->n && i < REFUSALS_MAX; i++) {
        struct jv *one = jv_object();

        jv_set_int(one, "process", why->v[i].pid);
        jv_set_int(one, "fd", why->v[i].fd);
        jv_set_str(one, "what", why->v[i].what);
        jv_set_str(one, "cure", why->v[i].cure);
        jv_push(list, one);
    }
    return list;
}

struct jv *
status_object(struct engine *e)
{
    struct jv *s = jv_object();
    struct tracer_stats stats;

    tracer_stats(e->tracer, &stats);
    jv_set_str(s, "name", e->service->name);
    jv_set_str(s, "role", role_name(e));
    jv_set_str(s, "state", state_name(e));
    jv_set_int(s, "epoch", (int64_t)e->role.seen);
    jv_set_int(s, "reign", (int64_t)e->role.own);
    jv_set_str(s, "policy", conf_policy_name(e->capture.wanted));
    jv_set_int(s, "pid", e->pid);
    jv_set_bool(s, "awake", e->idle.limited);
    jv_set_int(s, "connections", stats.connections);
    jv_set_bool(s, "protected", e->protected_now && e->commit.set != 0);
    jv_set_str(s, "last_error", e->last_error[0] ? e->last_error : NULL);
    jv_set_int(s, "last_blackout_ms", e->last_blackout_ms);
    jv_set(s, "gate", gate_object(e));
    jv_set(s, "lease", lease_object(e));
    jv_set(s, "checkpoint", checkpoint_object(e, &stats));
    if (e->role.state == ROLE_FOLLOWING)
        jv_set(s, "clone", clone_object(e, &stats));
    else
        jv_set(s, "standbys", standbys_array(e));
    jv_set(s, "log", log_object(e));
    jv_set(s, "replay", replayer_status(e));
    jv_set(s, "takeover", takeover_object(e));
    jv_set(s, "stream", stream_object(e));
    jv_set(s, "refusals", status_refusals(&e->refusals));
    return s;
}
