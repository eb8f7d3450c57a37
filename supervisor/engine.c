/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/engine.h"

#include "lib/ctl.h"
#include "lib/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_MS 200
#define SWEEP_MS 500
#define READ_MS 1000 /* status is read at least this often, for display */
#define MAX_ORDERS (2 * MEMBER_MAX_SERVICES)

struct asked { /* a request that is not answered yet; id 0: free */
    int64_t id;
    unsigned service;
    enum engine_op op;
    uint64_t epoch;
    struct mono until;
};

struct engine {
    struct loop *loop;
    const char *path;
    const struct conf *conf;
    struct engine_handler handler;
    struct ctl_conn *conn;
    struct loop_timer *retry, *sweep;
    struct asked asked[MAX_ORDERS];
    int64_t last_id, status_id;
    bool known, said; /* the status of this connection was read; the lack of one said */
    bool wanted;      /* the core waits for a report; else a status is for display */
    struct mono read_at;
    struct jv *status; /* owned */
};

static const int64_t patience_ms[ENGINE_NOPS] = { [ENGINE_START] = 20000,
    [ENGINE_TAKEOVER] = 20000,
    [ENGINE_RESUME] = 10000,
    [ENGINE_FENCE] = 3000,
    [ENGINE_FOLLOW] = 10000,
    [ENGINE_SET] = 5000,
    [ENGINE_HANDOVER] = 10000,
    [ENGINE_STOP] = 10000,
    [ENGINE_POLICY] = 10000,
    [ENGINE_INTERVAL] = 5000,
    [ENGINE_CHECKPOINT] = 10000 };

static unsigned
node_id(const struct engine *e, const char *name)
{
    const struct conf_node *node = name ? conf_node(e->conf, name) : NULL;

    return node ? node->id : 0;
}

static const char *
node_name(const struct engine *e, unsigned id)
{
    const struct conf_node *node = conf_node_by_id(e->conf, id);

    return node ? node->name : "";
}

static void
give(struct engine *e, struct member_event ev)
{
    e->handler.event(&ev, e->handler.arg);
}

/* False: the engine is on its way, a later report will tell. */
static bool
report(struct engine *e, const struct conf_service *cs, const struct jv *j)
{
    struct member_event ev = { .kind = MEMBER_REPORT, .service = cs->index };
    static const char *const on_its_way[] = { "starting", "taking-over", "freezing",
        "resuming", "ending" };
    struct engine_report *r = &ev.report;
    const char *role = jv_str(j, "role", "none"), *state = jv_str(j, "state", "idle");
    const struct jv *standbys = jv_get(j, "standbys");

    r->absent = j && !jv_has(j, "epoch"); /* sockmigd is about to start it again */
    r->role = !strcmp(role, "active")    ? ROLE_ACTIVE
              : !strcmp(role, "standby") ? ROLE_STANDBY
                                         : ROLE_NONE;
    r->seen = (uint64_t)jv_int(j, "epoch", 0);
    r->epoch = (uint64_t)jv_int(j, "reign", 0);
    r->running = !strcmp(state, "running");
    r->frozen = !strcmp(state, "frozen");
    for (size_t i = 0; i < sizeof on_its_way / sizeof on_its_way[0]; i++)
        r->busy |= !strcmp(state, on_its_way[i]);
    r->clone = !strcmp(state, "ready");
    for (size_t i = 0; i < jv_len(standbys); i++) {
        const struct jv *s = jv_at(standbys, i);
        unsigned id = node_id(e, jv_str(s, "node", NULL));

        if (!id)
            continue;
        if (jv_bool(s, "in_set", false))
            r->required |= node_bit(id);
        if (!strcmp(jv_str(s, "state", ""), "ready"))
            r->ready |= node_bit(id);
    }
    give(e, ev);
    return !ev.report.busy && !ev.report.absent;
}

/* Until an order that begins something is answered, a status may be of before it: to
 * the core the service would have ended. */
static bool
is_beginning(const struct engine *e, unsigned service)
{
    for (unsigned i = 0; i < MAX_ORDERS; i++)
        if (e->asked[i].id && e->asked[i].service == service &&
            e->asked[i].op <= ENGINE_RESUME)
            return true;
    return false;
}

static void
take_status(struct engine *e, const struct jv *msg)
{
    jv_free(e->status);
    e->status = jv_copy(msg);
    if (!e->known) {
        e->known = true;
        e->said = false;
        log_info("sockmigd: connected");
        give(e, (struct member_event){ .kind = MEMBER_ENGINE, .on = true });
    }
    if (e->wanted) {
        e->wanted = false;
        for (unsigned i = 0; i < e->conf->nservices; i++) /* NULL: it has nothing */
            e->wanted |= is_beginning(e, i) ||
                         !report(e, &e->conf->services[i], engine_status(e, i));
    }
    e->handler.changed(e->handler.arg);
}

static void
send_request(struct engine *e, const char *op, struct jv *request)
{
    jv_set_str(request, "op", op);
    jv_set_int(request, "id", ++e->last_id);
    ctl_send(e->conn, request);
}

static void
read_status(struct engine *e)
{
    if (!e->conn)
        return;
    send_request(e, "status", jv_object());
    e->status_id = e->last_id;
    e->read_at = loop_now(e->loop);
}

void
engine_ask(struct engine *e)
{
    e->wanted = true;
    read_status(e);
}

static void
give_answer(
    struct engine *e, const struct asked *a, bool ok, int64_t age_us, const char *text)
{
    struct member_event ev = { .kind = MEMBER_ANSWER, .service = a->service };

    ev.answer = (struct engine_answer){ a->op, a->epoch, ok, age_us, text };
    if (!ok)
        log_warn("service %s: sockmigd refuses %s of epoch %llu: %s",
            e->conf->services[a->service].name, engine_op_name(a->op),
            (unsigned long long)a->epoch, text);
    give(e, ev);
    if (!ok)
        engine_ask(e);
}

static void
take_answer(struct engine *e, const struct jv *msg, int64_t id)
{
    for (unsigned i = 0; i < MAX_ORDERS; i++) {
        struct asked a = e->asked[i];
        int64_t age_ms = jv_int(msg, "last_ack_age_ms", -1);

        if (a.id != id)
            continue;
        e->asked[i].id = 0;
        give_answer(e, &a, jv_bool(msg, "ok", false), age_ms < 0 ? -1 : age_ms * 1000,
            jv_str(msg, "error", "no reason given"));
        if (e->wanted)
            read_status(e);
        return;
    }
}

static void
note_lease(struct engine *e, unsigned index, bool held)
{
    e->handler.note(index, "lease", held ? "info" : "warn",
        held ? "holds the lease"
             : "lost the lease: its gates are shut until a majority "
               "of nodes answers again",
        e->handler.arg);
}

static void
note_refusals(struct engine *e, unsigned index, const struct jv *refusals)
{
    for (size_t i = 0; i < jv_len(refusals); i++) {
        const struct jv *r = jv_at(refusals, i);
        char text[512];

        snprintf(text, sizeof text, "process %d, descriptor %d: %s; %s",
            (int)jv_int(r, "process", 0), (int)jv_int(r, "fd", -1),
            jv_str(r, "what", "?"), jv_str(r, "cure", ""));
        e->handler.note(index, "unprotected", "warn", text, e->handler.arg);
    }
}

static void
take_event(struct engine *e, const struct jv *msg, const char *what)
{
    const struct conf_service *cs = conf_service(e->conf, jv_str(msg, "service", ""));
    struct member_event ev = { .epoch = (uint64_t)jv_int(msg, "epoch", 0) };

    if (!strcmp(what, "status"))
        read_status(e);
    if (!cs)
        return;
    ev.service = cs->index;
    if (!strcmp(what, "standby")) {
        ev.kind = MEMBER_STANDBY;
        ev.node = node_id(e, jv_str(msg, "node", NULL));
        ev.on = !strcmp(jv_str(msg, "state", ""), "ready");
        give(e, ev);
    } else if (!strcmp(what, "failed")) {
        ev.kind = MEMBER_FAILED;
        ev.text = jv_str(msg, "reason", "the service ended");
        give(e, ev);
        engine_ask(e); /* if its engine ended, a clone is gone, and has to come anew */
    } else if (!strcmp(what, "lease"))
        note_lease(e, cs->index, jv_bool(msg, "held", false));
    else if (!strcmp(what, "unprotected"))
        note_refusals(e, cs->index, jv_get(msg, "refusals"));
    else if (!strcmp(what, "note"))
        e->handler.note(cs->index, jv_str(msg, "kind", "note"),
            jv_str(msg, "severity", "info"), jv_str(msg, "text", ""), e->handler.arg);
    else if (!strcmp(what, "protected"))
        e->handler.note(cs->index, "protected", "info", "is protected", e->handler.arg);
}

static void
message_cb(struct ctl_conn *conn, const struct jv *msg, void *arg)
{
    struct engine *e = arg;
    int64_t id = jv_int(msg, "id", 0);

    (void)conn;
    if (jv_has(msg, "event"))
        take_event(e, msg, jv_str(msg, "event", ""));
    else if (id && id == e->status_id)
        take_status(e, msg);
    else if (id)
        take_answer(e, msg, id);
}

static void
closed_cb(struct ctl_conn *conn, void *arg)
{
    struct engine *e = arg;

    (void)conn;
    e->conn = NULL;
    memset(e->asked, 0, sizeof e->asked);
    jv_free(e->status);
    e->status = NULL;
    loop_timer_in_ms(e->retry, RETRY_MS);
    if (!e->known)
        return;
    e->known = false;
    log_error("sockmigd: connection lost; trying again");
    give(e, (struct member_event){ .kind = MEMBER_ENGINE, .on = false });
    e->handler.changed(e->handler.arg);
}

static void
connect_cb(struct loop_timer *timer, void *arg)
{
    struct engine *e = arg;
    struct ctl_handler handler = { message_cb, closed_cb, e };
    int ret = ctl_connect(e->loop, e->path, handler, &e->conn);

    if (ret < 0) {
        if (!e->said)
            log_error(
                "sockmigd: cannot connect to %s: %s; is sockmigd running?  Trying "
                "again",
                e->path, strerror(-ret));
        e->said = true;
        loop_timer_in_ms(timer, RETRY_MS);
        return;
    }
    send_request(e, "events", jv_object());
    engine_ask(e);
}

static void
sweep_cb(struct loop_timer *timer, void *arg)
{
    struct engine *e = arg;
    struct mono now = loop_now(e->loop);

    for (unsigned i = 0; i < MAX_ORDERS; i++) {
        struct asked a = e->asked[i];

        if (!a.id || mono_before(now, a.until))
            continue;
        e->asked[i].id = 0;
        give_answer(e, &a, false, -1, "sockmigd did not answer in time");
    }
    if (e->known && mono_us_between(e->read_at, now) > READ_MS * 1000)
        read_status(e);
    loop_timer_in_ms(timer, SWEEP_MS);
}

static struct jv *
node_names(const struct engine *e, uint64_t set)
{
    struct jv *names = jv_array();

    for (unsigned n = 1; n <= PEER_MAX_NODE; n++)
        if (set & node_bit(n))
            jv_push_str(names, node_name(e, n));
    return names;
}

/* Wishes that are 0 mean: as configured. */
static void
add_wish(const struct conf_service *cs, const struct effect *effect, struct jv *request)
{
    unsigned value = effect->msg.value;

    if (effect->op == ENGINE_POLICY)
        jv_set_str(request, "policy",
            conf_policy_name(value ? (enum conf_policy)(value - 1) : cs->policy));
    if (effect->op == ENGINE_INTERVAL)
        jv_set_int(request, "ms", value ? value : cs->interval_ms);
}

void
engine_order(struct engine *e, const struct effect *effect)
{
    struct jv *request;
    struct asked *a = NULL;

    for (unsigned i = 0; i < MAX_ORDERS && !a; i++)
        if (!e->asked[i].id)
            a = &e->asked[i];
    if (!e->conn || !a)
        return; /* the core hears that the engine is gone */
    request = jv_object();
    jv_set_str(request, "service", e->conf->services[effect->service].name);
    jv_set_int(request, "epoch", (int64_t)effect->r.epoch);
    if (effect->op == ENGINE_FOLLOW)
        jv_set_str(request, "active", node_name(e, effect->node));
    if (effect->op == ENGINE_TAKEOVER)
        jv_set_str(request, "from", node_name(e, effect->node));
    if (effect->op == ENGINE_HANDOVER)
        jv_set_str(request, "to", node_name(e, effect->node));
    if (effect->op == ENGINE_SET)
        jv_set(request, "nodes", node_names(e, effect->r.set));
    add_wish(&e->conf->services[effect->service], effect, request);
    *a = (struct asked){ e->last_id + 1, effect->service, effect->op, effect->r.epoch,
        mono_add_ms(loop_now(e->loop), patience_ms[effect->op]) };
    send_request(e, engine_op_name(effect->op), request);
}

const struct jv *
engine_status(const struct engine *e, unsigned index)
{
    const struct jv *services = jv_get(e->status, "services");

    for (size_t i = 0; i < jv_len(services); i++)
        if (!strcmp(
                jv_str(jv_at(services, i), "name", ""), e->conf->services[index].name))
            return jv_at(services, i);
    return NULL;
}

bool
engine_connected(const struct engine *e)
{
    return e->known;
}

struct engine *
engine_new(struct loop *loop, const char *path, const struct conf *conf,
    struct engine_handler handler)
{
    struct engine *e = calloc(1, sizeof *e);

    if (!e)
        log_fatal("sockmigd: out of memory");
    e->loop = loop;
    e->path = path;
    e->conf = conf;
    e->handler = handler;
    e->retry = loop_timer_new(loop, connect_cb, e);
    e->sweep = loop_timer_new(loop, sweep_cb, e);
    loop_timer_in_ms(e->retry, 0);
    loop_timer_in_ms(e->sweep, SWEEP_MS);
    return e;
}

void
engine_free(struct engine *e)
{
    if (!e)
        return;
    ctl_close(e->conn);
    loop_timer_free(e->retry);
    loop_timer_free(e->sweep);
    jv_free(e->status);
    free(e);
}
