/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/status.h"

#include "supervisor/words.h"

#include <stdio.h>
#include <string.h>

static struct jv *
copy_or_null(const struct jv *j)
{
    return j ? jv_copy(j) : NULL;
}

static struct jv *
names_of(const struct conf *conf, uint64_t set)
{
    struct jv *names = jv_array();

    for (unsigned n = 1; n <= PEER_MAX_NODE; n++)
        if (set & node_bit(n))
            jv_push_str(names, words_node(conf, n));
    return names;
}

static unsigned
active_on(const struct member *m, unsigned node)
{
    unsigned n = 0;

    for (unsigned i = 0; i < m->nservices; i++)
        n += m->services[i].state == SERVICE_ACTIVE && m->services[i].r.active == node;
    return n;
}

static const char *
fence_of(const struct member *m, unsigned id)
{
    static const char *const names[] = { "no", "no", "running", "done", "failed" };

    return m->cluster.fenced & node_bit(id) ? "done" : names[m->fencing.state[id]];
}

static struct jv *
node_object(const struct node *node, const struct conf_node *cn)
{
    const struct cluster *c = &node_core(node)->cluster;
    const struct health_view *view = &node_health(node)->nodes[cn->id];
    bool online = c->members & node_bit(cn->id);
    struct jv *j = jv_object();
    const char *reason = view->reason;

    if (online && c->suspect & node_bit(cn->id))
        reason = "its supervisor does not answer";
    else if (online && !(c->engines & node_bit(cn->id)))
        reason = "its sockmigd cannot be reached";
    else if (!online && !*reason)
        reason = c->process_left & node_bit(cn->id) ? "its supervisor ended"
                                                    : "not in the cluster";
    jv_set_str(j, "name", cn->name);
    jv_set_int(j, "id", cn->id);
    jv_set_str(j, "state", online ? "online" : "offline");
    jv_set_str(j, "health", health_name(online ? c->health[cn->id] : HEALTH_UNKNOWN));
    jv_set_str(j, "reason", reason);
    jv_set_int(j, "score", view->verdict.score);
    jv_set_int(j, "load_permille", view->load_permille);
    jv_set_int(j, "active", active_on(node_core(node), cn->id));
    jv_set_str(j, "fenced", fence_of(node_core(node), cn->id));
    jv_set_bool(j, "maintenance", c->wish.w.maintained & node_bit(cn->id));
    jv_set_bool(j, "frozen", c->wish.w.frozen & node_bit(cn->id));
    jv_set_str(j, "drain",
        !(c->wish.w.drained & node_bit(cn->id))     ? "no"
        : orders_left(node_core(node), cn->id) != 0 ? "draining"
                                                    : "drained");
    return j;
}

static const char *
state_name(const struct service *s, const struct jv *engine)
{
    switch (s->state) {
    case SERVICE_ACTIVE:
        if (engine && !jv_bool(engine, "protected", false))
            return "unprotected";
        return s->r.set ? "protected" : "unprotected";
    case SERVICE_CLAIMED:
    case SERVICE_TAKING:
        return "taking-over";
    case SERVICE_DOWN:
        return s->r.kept ? "taking-over" : "failed";
    default:
        return "stopped";
    }
}

#define REASON_LEN 512

/* What cannot be checkpointed, where it is, and the cure (promise P8). */
static const char *
refusal_of(const struct jv *engine, char *text)
{
    const struct jv *r = jv_at(jv_get(engine, "refusals"), 0);

    snprintf(text, REASON_LEN, "process %d, descriptor %d: %s; %s",
        (int)jv_int(r, "process", 0), (int)jv_int(r, "fd", -1),
        jv_str(r, "what", "it cannot be checkpointed"), jv_str(r, "cure", ""));
    return text;
}

/* One sentence for the operator: why it is not all right, and what to do.  @text:
 * REASON_LEN bytes, where it may be made. */
static const char *
reason_of(const struct node *node, const struct service *s, const struct jv *engine,
    char *text)
{
    const struct cluster *c = &node_core(node)->cluster;

    if (!c->view)
        return "this node is not in the cluster: is corosync running?";
    if (!cluster_quorate(c))
        return "no majority of nodes is here";
    if (s->state == SERVICE_DOWN)
        return s->own.text[0] ? s->own.text : "it failed; the journal says why";
    if (s->state == SERVICE_ACTIVE && !(c->members & node_bit(s->r.active)))
        return "its node left; a standby is about to take over";
    if (s->state == SERVICE_ACTIVE && jv_len(jv_get(engine, "refusals")))
        return refusal_of(engine, text);
    if (s->state == SERVICE_ACTIVE && !strcmp(jv_str(engine, "policy", ""), "cold"))
        return "policy cold: after a failure it is started afresh, connections end";
    if (s->state == SERVICE_ACTIVE && !s->r.set)
        return "no standby is ready yet";
    return "";
}

static struct jv *
addresses_of(const struct conf_service *cs)
{
    struct jv *list = jv_array();

    for (unsigned i = 0; i < cs->naddresses; i++)
        jv_push_str(list, cs->addresses[i].text);
    return list;
}

/* What the MIB of node @id says of its engine for @s, if that is in @role: a round of
 * the poller old. */
static const struct jv *
polled_engine(
    const struct node *node, const struct service *s, unsigned id, const char *role)
{
    const char *name = node_conf(node)->services[s->index].name;
    const struct jv *reading, *services, *one;

    if (!node_poller(node))
        return NULL;
    reading = poller_reading(node_poller(node), id, NULL);
    services = jv_get(reading, "services");
    for (size_t i = 0; i < jv_len(services); i++) {
        one = jv_at(services, i);
        if (!strcmp(jv_str(one, "name", ""), name) &&
            !strcmp(jv_str(one, "role", ""), role) &&
            (uint64_t)jv_int(one, "epoch", 0) == s->r.epoch)
            return one;
    }
    return NULL;
}

/* Why a standby is not ready is known to its own engine. */
static const char *
standby_reason(const struct node *node, const struct service *s, unsigned id)
{
    const struct jv *engine = id == node_self(node)->id
                                  ? engine_status(node_engine(node), s->index)
                                  : polled_engine(node, s, id, "standby");

    return jv_str(engine, "last_error", "");
}

/* What the engine of the active node says of a standby; elsewhere, what the set says.
 */
static struct jv *
standby_object(const struct node *node, const struct service *s,
    const struct conf_node *cn, const struct jv *engine)
{
    const struct jv *standbys = jv_get(engine, "standbys");
    struct jv *j = jv_object();
    const char *state = s->r.set & node_bit(cn->id) ? "ready" : "down";
    int64_t lag = -1;

    for (size_t i = 0; i < jv_len(standbys); i++)
        if (!strcmp(jv_str(jv_at(standbys, i), "node", ""), cn->name)) {
            state = jv_str(jv_at(standbys, i), "state", state);
            lag = jv_int(jv_at(standbys, i), "lag", -1);
        }
    if (!strcmp(state, "connecting"))
        state = "down";
    jv_set_str(j, "node", cn->name);
    jv_set_str(j, "state", state);
    jv_set_int(j, "lag", lag);
    jv_set_str(j, "reason",
        strcmp(state, "ready") != 0 ? standby_reason(node, s, cn->id) : "");
    return j;
}

static struct jv *
standbys_of(const struct node *node, const struct service *s, const struct jv *engine)
{
    const struct conf *conf = node_conf(node);
    struct jv *list = jv_array();

    for (unsigned i = 0; i < conf->nnodes && s->r.active; i++)
        if (conf->nodes[i].id != s->r.active)
            jv_push(list, standby_object(node, s, &conf->nodes[i], engine));
    return list;
}

static struct jv *
switchover_of(const struct service *s)
{
    struct jv *j;

    if (!s->order.order)
        return NULL;
    j = jv_object();
    jv_set_int(j, "order", (int64_t)s->order.order);
    jv_set_str(j, "step", switchover_step_name(s->order.step));
    jv_set_str(j, "why", order_why_name(s->order.why));
    return j;
}

static struct jv *
service_names(const struct conf *conf, uint64_t which)
{
    struct jv *names = jv_array();

    for (unsigned i = 0; i < conf->nservices; i++)
        if (which >> i & 1)
            jv_push_str(names, conf->services[i].name);
    return names;
}

static struct jv *
placement_of(const struct conf *conf, const struct placement *p)
{
    struct jv *j = jv_object();

    jv_set_str(j, "preferred", p->preferred ? words_node(conf, p->preferred) : NULL);
    jv_set(j, "never", names_of(conf, p->never));
    jv_set(j, "together", service_names(conf, p->together));
    jv_set(j, "apart", service_names(conf, p->apart));
    jv_set_str(j, "failback", p->failback ? "auto" : "none");
    jv_set_int(j, "failback_delay_ms", p->failback_us / 1000);
    jv_set_bool(j, "balance", p->balance);
    jv_set_int(j, "fail_limit", p->fail_limit);
    jv_set_int(j, "hold_off_ms", p->hold_off_us / 1000);
    return j;
}

static struct jv *
fails_of(const struct conf *conf, const struct wish *w)
{
    struct jv *list = jv_array();

    for (unsigned n = 1; n <= PEER_MAX_NODE; n++) {
        struct jv *row;

        if (!w->fails[n])
            continue;
        row = jv_object();
        jv_set_str(row, "node", words_node(conf, n));
        jv_set_int(row, "count", w->fails[n]);
        jv_set_bool(row, "held", w->held & node_bit(n));
        jv_push(list, row);
    }
    return list;
}

static void
set_wishes(struct jv *j, const struct conf *conf, const struct service *s)
{
    jv_set_bool(j, "maintenance", s->wish.w.maintained & 1);
    jv_set_bool(j, "frozen", s->wish.w.frozen & 1);
    jv_set_int(j, "interval_ms", s->wish.w.interval_ms);
    jv_set(j, "placement", placement_of(conf, &s->p));
    jv_set(j, "fails", fails_of(conf, &s->wish.w));
}

static void
set_health(struct jv *j, const struct service *s, const struct health_view *view)
{
    bool here = s->state == SERVICE_ACTIVE && view->node == s->r.active;

    jv_set_str(j, "health", health_name(here ? view->verdict.health : HEALTH_UNKNOWN));
    jv_set_str(j, "health_reason", here ? view->reason : "");
    jv_set_int(j, "load_permille", here ? view->load_permille : -1);
}

static struct jv *
forecast_of(const struct node *node, const struct service *s)
{
    struct jv *j = jv_object();
    const char *why,
        *to = words_forecast(node_conf(node), s, &node_core(node)->cluster, &why);

    jv_set_str(j, "node", to);
    jv_set_str(j, "why", why);
    return j;
}

static struct jv *
builds_object(const struct node *node, unsigned index)
{
    const struct builds *b = node_builds(node);
    struct jv *j = jv_object();

    jv_set_str(
        j, "like", b->like[index] ? words_node(node_conf(node), b->like[index]) : NULL);
    jv_set(j, "differ", names_of(node_conf(node), b->differ[index]));
    return j;
}

static struct jv *
service_object(const struct node *node, unsigned index)
{
    const struct conf_service *cs = &node_conf(node)->services[index];
    const struct service *s = &node_core(node)->services[index];
    bool serving = s->state == SERVICE_ACTIVE || s->state == SERVICE_TAKING;
    const struct jv *local = engine_status(node_engine(node), index);
    const struct jv *engine = s->r.active == node_self(node)->id
                                  ? local
                                  : polled_engine(node, s, s->r.active, "active");
    struct jv *j = jv_object();
    char reason[REASON_LEN];

    jv_set_str(j, "name", cs->name);
    jv_set_str(j, "state", state_name(s, engine));
    jv_set_str(j, "active", serving ? words_node(node_conf(node), s->r.active) : NULL);
    jv_set_int(j, "epoch", (int64_t)s->r.epoch);
    jv_set_str(j, "policy", jv_str(local, "policy", conf_policy_name(cs->policy)));
    jv_set_int(j, "connections", jv_int(engine, "connections", 0));
    jv_set_int(j, "last_blackout_ms", jv_int(engine, "last_blackout_ms", 0));
    jv_set_int(
        j, "last_pause_us", jv_int(jv_get(engine, "checkpoint"), "last_pause_us", 0));
    jv_set(j, "addresses", addresses_of(cs));
    jv_set_str(j, "reason", reason_of(node, s, engine, reason));
    jv_set(j, "set", names_of(node_conf(node), s->r.set));
    jv_set(j, "switchover", switchover_of(s));
    jv_set(j, "next", forecast_of(node, s));
    jv_set(j, "checkpoint", copy_or_null(jv_get(engine, "checkpoint")));
    jv_set(j, "gate", copy_or_null(jv_get(engine, "gate")));
    jv_set(j, "stream", copy_or_null(jv_get(local, "stream")));
    jv_set_str(j, "last_error", jv_str(engine, "last_error", ""));
    set_wishes(j, node_conf(node), s);
    set_health(j, s, &node_health(node)->services[index]);
    jv_set(j, "standbys", standbys_of(node, s, engine));
    jv_set(j, "builds", builds_object(node, index));
    return j;
}

static struct jv *
poller_object(const struct node *node)
{
    const struct conf *conf = node_conf(node);
    struct jv *j = jv_object(), *list = jv_array();

    for (unsigned i = 0; i < conf->nnodes && node_poller(node); i++) {
        int64_t age_ms = -1;
        const struct jv *reading = poller_reading(
            node_poller(node), conf->nodes[i].id, &age_ms);
        struct jv *row = jv_object();

        jv_set_str(row, "name", conf->nodes[i].name);
        jv_set_bool(row, "answers", jv_bool(reading, "answers", false));
        jv_set_int(row, "age_ms", age_ms);
        jv_push(list, row);
    }
    jv_set(j, "nodes", list);
    return j;
}

static void
set_fencing(struct jv *j, const struct node *node)
{
    const struct member *m = node_core(node);
    bool device = m->cluster.arbiter.timeout_ms != 0;
    bool suffices = device || fencing_suffices(&m->fencing, &m->cluster);

    jv_set_str(j, "fencing",
        !m->fencing.can ? (suffices ? "none" : "refused")
        : suffices      ? "ready"
                        : "refused");
    jv_set_str(
        j, "device", device ? arbiter_state_name(m->cluster.arbiter.state) : "none");
    jv_set_bool(j, "device_votes", m->cluster.arbiter.held);
    jv_set_bool(j, "automatic", suffices && nodes_count(m->cluster.all) > 1);
    jv_set_str(j, "automatic_reason",
        suffices ? ""
                 : "two nodes: without a fence section for each there is no automatic "
                   "takeover; add a third node, fences, or a quorum device");
}

struct jv *
status_object(struct node *node)
{
    const struct conf *conf = node_conf(node);
    struct jv *j = jv_object(), *nodes = jv_array(), *services = jv_array();

    jv_set_str(j, "cluster", conf->cluster);
    jv_set_str(j, "node", node_self(node)->name);
    jv_set_bool(j, "quorate", cluster_quorate(&node_core(node)->cluster));
    jv_set_bool(j, "engine", engine_connected(node_engine(node)));
    jv_set_str(j, "journal_error", journal_error(node_journal(node)));
    jv_set_bool(j, "maintenance", node_core(node)->cluster.wish.w.maintained & 1);
    jv_set_bool(j, "frozen", node_core(node)->cluster.wish.w.frozen & 1);
    set_fencing(j, node);
    jv_set_str(j, "planner",
        plan_planner(node_core(node)) ? words_node(conf, plan_planner(node_core(node)))
                                      : NULL);
    for (unsigned i = 0; i < conf->nnodes; i++)
        jv_push(nodes, node_object(node, &conf->nodes[i]));
    for (unsigned i = 0; i < conf->nservices; i++)
        jv_push(services, service_object(node, i));
    jv_set(j, "nodes", nodes);
    jv_set(j, "services", services);
    jv_set(j, "poller", poller_object(node));
    return j;
}

/* What a drain waits for: how many services, and why one of them does not move. */
static void
set_left(struct jv *j, const struct node *node, unsigned from)
{
    const struct member *core = node_core(node);
    char text[256];
    int n = snprintf(text, sizeof text, "services left: %u", orders_left(core, from));

    for (unsigned i = 0; i < core->nservices; i++) {
        const struct service *s = &core->services[i];
        const char *why;

        if (s->r.active != from || s->order.order ||
            words_forecast(node_conf(node), s, &core->cluster, &why))
            continue;
        snprintf(text + n, sizeof text - (size_t)n, "; %s: %s",
            node_conf(node)->services[i].name, why);
        break;
    }
    jv_set_str(j, "text", text);
}

static struct jv *
order_object(const struct node *node, const struct node_order *o)
{
    struct jv *j = jv_object();
    char value[VALUE_LEN];

    jv_set_int(j, "order", (int64_t)o->order);
    words_value(o->what, o->value, value);
    jv_set_str(j, "kind", order_what_name(o->what));
    jv_set_str(j, "why", order_why_name(o->why));
    jv_set_str(j, "service",
        o->service == NO_SERVICE ? NULL : node_conf(node)->services[o->service].name);
    jv_set_str(j, "node", o->to ? words_node(node_conf(node), o->to) : NULL);
    jv_set_str(j, "value", value);
    jv_set_str(j, "owner", o->owner);
    jv_set_str(j, "from", o->from);
    jv_set_str(j, "state",
        o->step == STEP_DONE     ? "done"
        : o->step == STEP_FAILED ? "failed"
                                 : "running");
    jv_set_int(j, "started_ms", o->started_ms);
    jv_set_int(j, "finished_ms", o->finished_ms);
    jv_set_str(j, "text", o->text);
    if (o->what == WHAT_DRAIN && o->step != STEP_DONE && o->step != STEP_FAILED)
        set_left(j, node, o->to);
    return j;
}

struct jv *
status_orders(const struct node *node, int64_t order)
{
    const struct node_order *orders = node_orders(node);
    struct jv *list = jv_array();
    uint64_t below = UINT64_MAX;

    for (unsigned n = 0; n < NODE_ORDERS; n++) {
        const struct node_order *next = NULL;

        for (unsigned i = 0; i < NODE_ORDERS; i++)
            if (orders[i].order && orders[i].order < below &&
                (!next || orders[i].order > next->order))
                next = &orders[i];
        if (!next)
            break;
        below = next->order;
        if (!order || (uint64_t)order == next->order)
            jv_push(list, order_object(node, next));
    }
    return list;
}
