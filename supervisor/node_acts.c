/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * node_acts.c - effects of the core become acts. */
#include "supervisor/node_private.h"

#include "lib/fault.h"
#include "lib/log.h"
#include "supervisor/words.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *
service_name(const struct node *node, unsigned service)
{
    return service == NO_SERVICE ? NULL : node->conf->services[service].name;
}

static int64_t
wall_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void
write_row(struct node *node, const struct effect *e)
{
    char text[WORDS_LEN];
    const char *severity = words_journal(node->conf, e, text);
    const char *service = service_name(node, e->service);
    struct journal_row row = { words_node(node->conf, e->node), service, e->r.epoch,
        severity, journal_kind_name(e->journal), text };

    if (!e->node)
        row.node = NULL;
    if (e->journal == JOURNAL_STEP) /* many; the log of the engine has them too */
        log_debug("service %s: epoch %llu: %s", service, (unsigned long long)e->r.epoch,
            text);
    else if (service && !strcmp(severity, "info"))
        log_info("service %s: epoch %llu: %s", service, (unsigned long long)e->r.epoch,
            text);
    else if (service)
        log_warn("service %s: epoch %llu: %s", service, (unsigned long long)e->r.epoch,
            text);
    else
        log_info("%s", text);
    journal_add(node->journal, &row);
}

/* ill - what is not well where the service of @msg is, as the poller read it here. */
static const char *
ill(const struct node *node, const struct peermsg *msg)
{
    for (unsigned i = 0; i < node->core.nservices; i++) {
        const struct service *s = &node->core.services[i];

        if (s->key == msg->service && msg->why == WHY_HEALTH)
            return msg->value ? node->health.services[i].reason
                              : node->health.nodes[s->r.active].reason;
    }
    return "";
}

static void
broadcast(struct node *node, const struct peermsg *msg)
{
    uint8_t bytes[PEER_MAX_BYTES];
    struct peermsg said = *msg;

    if (msg->kind == PEER_ORDER && msg->why != WHY_OPERATOR)
        words_why(node->conf, &node->core, msg, ill(node, msg), said.text);
    corosync_broadcast(node->corosync, bytes, peer_encode(&said, bytes));
}

static struct node_order *
find_order(struct node *node, const struct effect *e)
{
    struct node_order *o;

    for (unsigned i = 0; i < NODE_ORDERS; i++)
        if (node->orders[i].order == e->order)
            return &node->orders[i];
    o = &node->orders[node->norders++ % NODE_ORDERS];
    *o = (struct node_order){
        .order = e->order, .service = e->service, .started_ms = wall_ms()
    };
    o->what = e->msg.what;
    o->why = e->msg.why;
    o->value = e->msg.value;
    words_split(e->msg.text, o->owner, o->from);
    return o;
}

void
node_refused(struct node *node, const char *service, const char *owner, const char *why)
{
    char text[WORDS_LEN];
    struct journal_row row = { node->self->name, service, 0, "warn", "order-refused",
        text };

    snprintf(text, sizeof text, "an order of %s is refused: %s", owner, why);
    log_warn("%s%s%s", service ? service : "", service ? ": " : "", text);
    journal_add(node->journal, &row);
    journal_flush(node->journal);
}

/* An order that was refused at once has no number, unless it reached the group. */
static void
take_order(struct node *node, const struct effect *e)
{
    char text[WORDS_LEN], owner[PEER_TEXT], from[PEER_TEXT];
    bool ended = e->step == STEP_DONE || e->step == STEP_FAILED;
    struct node_order *o;

    words_order(node->conf, e, text);
    control_answer(
        node->control, e->token, e->step == STEP_FAILED ? 0 : e->order, text);
    words_split(e->msg.text, owner, from);
    if (e->token && e->step == STEP_FAILED)
        node_refused(node, service_name(node, e->service), owner, text);
    if (!e->order || e->reason == ORDER_RUNNING)
        return;
    o = find_order(node, e);
    o->to = e->node;
    o->step = e->step;
    o->finished_ms = ended ? wall_ms() : 0;
    snprintf(o->text, sizeof o->text, "%s", text);
}

/* Where a test may end this program: around each act that others can see. */
static void
at_step(const struct effect *e, const char *when)
{
    if (e->what == DO_BROADCAST)
        FAULT_POINT("say-%s-%s", peer_kind_name(e->msg.kind), when);
    if (e->what == DO_ENGINE)
        FAULT_POINT("order-%s-%s", engine_op_name(e->op), when);
    (void)when;
}

/* The one place where effects become acts.  Rows and records are made durable before
 * the next thing that others can see (promise P6). */
void
node_act(struct node *node)
{
    const struct effects *out = &node->out;

    for (unsigned i = 0; i < out->n; i++) {
        const struct effect *e = &out->v[i];

        if (e->what == DO_BROADCAST || e->what == DO_ENGINE || e->what == DO_FENCE) {
            at_step(e, "unrecorded");
            journal_flush(node->journal);
            at_step(e, "recorded");
        }
        switch (e->what) {
        case DO_PERSIST:
            journal_store(node->journal, service_name(node, e->service), &e->r);
            break;
        case DO_JOURNAL:
            write_row(node, e);
            break;
        case DO_BROADCAST:
            broadcast(node, &e->msg);
            break;
        case DO_ENGINE:
            engine_order(node->engine, e);
            break;
        case DO_ASK:
            engine_ask(node->engine);
            break;
        case DO_ARM:
            if (e->at.us == INT64_MAX)
                loop_timer_stop(node->tick);
            else
                loop_timer_at(node->tick, e->at);
            break;
        case DO_ORDER:
            take_order(node, e);
            break;
        case DO_FENCE:
            fence_start(node->fence, e->node);
            break;
        case DO_KEEP:
            journal_keep(node->journal, service_name(node, e->service), &e->msg.w);
            break;
        case DO_NKINDS:
            break;
        }
        at_step(e, "done");
    }
    journal_flush(node->journal);
}
