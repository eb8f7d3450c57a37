/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/node_private.h"

#include "lib/log.h"
#include "supervisor/setup.h"
#include "supervisor/words.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GROUP "bascule"
#define JOIN_MS 1000 /* for the engine's first status, before the group is joined */

/* The clock is read for each event, not once a turn: a lease is computed from it, and
 * a turn may have waited for the disk. */
static void
step(struct node *node, struct member_event ev)
{
    ev.now = mono_clock();
    member_step(&node->core, &ev, &node->out);
    node_act(node);
    if (node->out.n)
        control_changed(node->control);
}

static void
view_cb(uint64_t view, uint64_t members, uint64_t process_left, void *arg)
{
    step(arg, (struct member_event){ .kind = MEMBER_VIEW,
                  .view = view,
                  .members = members,
                  .process_left = process_left });
}

static void
message_cb(unsigned from, const void *data, size_t size, void *arg)
{
    struct member_event ev = { .kind = MEMBER_MESSAGE };

    if (peer_decode(data, size, from, &ev.msg))
        step(arg, ev);
    else
        log_warn(
            "node %u sends what this version does not understand: the same version "
            "of bascule must run on all nodes",
            from);
}

static void
quorum_cb(bool quorate, uint64_t nodes, void *arg)
{
    step(arg, (struct member_event){
                  .kind = MEMBER_QUORUM, .on = quorate, .members = nodes });
}

static void
device_cb(bool held, void *arg)
{
    step(arg, (struct member_event){ .kind = MEMBER_DEVICE, .on = held });
}

static void
tick_cb(struct loop_timer *timer, void *arg)
{
    (void)timer;
    step(arg, (struct member_event){ .kind = MEMBER_TICK });
}

/* The group is joined when the engine has said how it is: what this node tells the
 * others of itself is true from the first word. */
static void
join_cb(struct loop_timer *timer, void *arg)
{
    struct node *node = arg;
    struct corosync_handler handler = { view_cb, message_cb, quorum_cb, node };

    (void)timer;
    if (!node->corosync)
        node->corosync = corosync_new(node->loop, GROUP, handler);
}

static void
engine_cb(const struct member_event *ev, void *arg)
{
    struct node *node = arg;

    step(node, *ev);
    if (ev->kind == MEMBER_REPORT)
        loop_timer_in_ms(node->join, 0);
}

static void
note_cb(unsigned service, const char *kind, const char *severity, const char *text,
    void *arg)
{
    struct node *node = arg;
    struct journal_row row = { node->self->name, node->conf->services[service].name,
        node->core.services[service].r.epoch, severity, kind, text };

    if (!strcmp(severity, "info"))
        log_info("service %s: %s", row.service, text);
    else
        log_warn("service %s: %s", row.service, text);
    journal_add(node->journal, &row);
    journal_flush(node->journal);
}

static void
changed_cb(void *arg)
{
    struct node *node = arg;

    control_changed(node->control);
}

static uint64_t
active_on(const struct node *node, unsigned id)
{
    uint64_t which = 0;

    for (unsigned i = 0; i < node->core.nservices; i++)
        if (node->core.services[i].state == SERVICE_ACTIVE &&
            node->core.services[i].r.active == id)
            which |= (uint64_t)1 << i;
    return which;
}

/* compare_builds - of node @id with the nodes where services run, and the other way
 * round. */
static void
compare_builds(struct node *node, unsigned id)
{
    char text[BUILDS_TEXT];

    for (unsigned i = 0; i < node->core.nservices; i++) {
        const struct service *s = &node->core.services[i];

        for (unsigned k = 0; k < node->conf->nnodes && s->state == SERVICE_ACTIVE;
             k++) {
            unsigned other = node->conf->nodes[k].id;
            enum builds_news news;

            if (id != s->r.active && id != other)
                continue;
            news = builds_compare(&node->builds, node->conf, i, s->r.active, other,
                poller_reading(node->poller, s->r.active, NULL),
                poller_reading(node->poller, other, NULL), text);
            if (news == BUILDS_DIFFER)
                note_cb(i, "builds-differ", "error", text, node);
            else if (news == BUILDS_SAME)
                note_cb(i, "builds-same", "info", text, node);
        }
    }
}

/* Verdicts of others are shown and planned with; only its own does a node tell. */
static void
poller_cb(unsigned id, void *arg)
{
    struct node *node = arg;
    uint64_t active = active_on(node, id);
    const struct health_view *v = &node->health.nodes[id];

    health_take(
        &node->health, node->conf, id, poller_reading(node->poller, id, NULL), active);
    step(node, (struct member_event){ .kind = MEMBER_LOAD,
                   .service = NO_SERVICE,
                   .node = id,
                   .load = v->load_permille });
    for (unsigned i = 0; i < node->core.nservices; i++)
        if (active >> i & 1)
            step(node, (struct member_event){ .kind = MEMBER_LOAD,
                           .service = i,
                           .load = node->health.services[i].load_permille,
                           .health = node->health.services[i].verdict.health });
    if (id == node->self->id)
        step(node, (struct member_event){
                       .kind = MEMBER_HEALTH, .health = v->verdict.health });
    compare_builds(node, id);
}

static void
fenced_cb(unsigned id, bool off, const char *text, void *arg)
{
    step(arg, (struct member_event){
                  .kind = MEMBER_FENCED, .node = id, .on = off, .text = text });
}

static void
row_cb(const struct jv *row, void *arg)
{
    struct node *node = arg;

    control_row(node->control, row);
}

static void
init_core(struct node *node)
{
    const struct conf *conf = node->conf;
    struct plan_conf plan = setup_plan(conf);
    struct wish wish;

    journal_recall(node->journal, NULL, &wish);
    member_init(&node->core, node->self->id, setup_nodes(conf), &plan, &wish);
    for (unsigned i = 0; i < conf->nservices; i++) {
        const struct conf_service *cs = &conf->services[i];
        struct placement p = setup_placement(conf, cs);
        struct reign recorded;

        journal_load(node->journal, cs->name, &recorded);
        journal_recall(node->journal, cs->name, &wish);
        member_add(&node->core, peer_service_key(cs->name), &p, conf->lease_ms,
            &recorded, &wish);
    }
    node->core.fencing.can = setup_fenced(conf);
    arbiter_init(
        &node->core.cluster.arbiter, conf_device_decides(conf) ? conf->device_ms : 0);
}

static bool
open_all(struct node *node, const struct node_options *options)
{
    struct engine_handler handler = { engine_cb, note_cb, changed_cb, node };
    static char socket[256];
    char error[JOURNAL_ERROR_LEN];
    int ret;

    node->journal = journal_open(options->state_dir, error);
    if (!node->journal) {
        log_error("journal: %s", error);
        return false;
    }
    journal_on_row(node->journal, row_cb, node);
    init_core(node);
    ret = control_new(node->loop, options->run_dir, node, &node->control);
    if (ret < 0) {
        log_error("%s/basculed.sock: %s%s", options->run_dir, strerror(-ret),
            ret == -EADDRINUSE ? "; another basculed runs" : "");
        return false;
    }
    snprintf(socket, sizeof socket, "%s/sockmigd.sock", options->run_dir);
    node->tick = loop_timer_new(node->loop, tick_cb, node);
    node->join = loop_timer_new(node->loop, join_cb, node);
    node->engine = engine_new(node->loop, socket, node->conf, handler);
    if (options->poller)
        node->poller = poller_new(node->loop, options->poller, options->conf_path,
            node->conf, poller_cb, node);
    if (conf_device_decides(node->conf))
        node->device = device_new(node->loop, node->conf->device_ms, device_cb, node);
    node->fence = fence_new(node->loop, node->conf, fenced_cb, node);
    loop_timer_in_ms(node->join, JOIN_MS);
    return true;
}

struct node *
node_new(struct loop *loop, const struct conf *conf, const struct conf_node *self,
    const struct node_options *options)
{
    struct node *node = calloc(1, sizeof *node);

    if (!node)
        log_fatal("out of memory");
    node->loop = loop;
    node->conf = conf;
    node->self = self;
    health_init(&node->health);
    if (!open_all(node, options)) {
        node_free(node);
        return NULL;
    }
    step(node, (struct member_event){ .kind = MEMBER_TICK });
    return node;
}

void
node_free(struct node *node)
{
    if (!node)
        return;
    poller_free(node->poller);
    device_free(node->device);
    fence_free(node->fence);
    corosync_free(node->corosync);
    engine_free(node->engine);
    control_free(node->control);
    loop_timer_free(node->tick);
    loop_timer_free(node->join);
    if (node->journal)
        journal_on_row(node->journal, NULL, NULL);
    journal_close(node->journal);
    free(node);
}

void
node_ask(struct node *node, const struct node_ask *ask, uint64_t token)
{
    char text[PEER_TEXT];
    struct member_event ev = { .kind = MEMBER_ORDER,
        .service = ask->service,
        .node = ask->node,
        .token = token,
        .text = text };

    snprintf(text, sizeof text, "%.60s\t%.90s", ask->owner, ask->from);
    ev.msg.what = ask->what;
    ev.msg.value = ask->value;
    step(node, ev);
}

int
node_ack(struct node *node, int64_t serial, const char *owner, const char *from)
{
    int ret = journal_ack(node->journal, serial, owner);
    char text[PEER_TEXT + 120];
    struct journal_row row = {
        .node = node->self->name, .severity = "info", .kind = "ack", .text = text
    };

    if (ret < 0)
        return ret;
    snprintf(text, sizeof text, "%s (%s) has seen event %lld", owner, from,
        (long long)serial);
    log_info("%s", text);
    journal_add(node->journal, &row);
    journal_flush(node->journal);
    return 0;
}

const struct member *
node_core(const struct node *node)
{
    return &node->core;
}

const struct conf *
node_conf(const struct node *node)
{
    return node->conf;
}

const struct conf_node *
node_self(const struct node *node)
{
    return node->self;
}

const struct engine *
node_engine(const struct node *node)
{
    return node->engine;
}

const struct poller *
node_poller(const struct node *node)
{
    return node->poller;
}

struct journal *
node_journal(struct node *node)
{
    return node->journal;
}

const struct node_order *
node_orders(const struct node *node)
{
    return node->orders;
}

const struct health_fold *
node_health(const struct node *node)
{
    return &node->health;
}

const struct builds *
node_builds(const struct node *node)
{
    return &node->builds;
}
