/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/simulate.h"

#include "supervisor/core/whatif.h"
#include "supervisor/setup.h"
#include "supervisor/words.h"

#include <stdio.h>
#include <string.h>

/* Large, and one question at a time. */
static struct member copy;
static struct whatif what;

static const char *
how(const struct whatif_move *move)
{
    if (move->planned)
        return "switchover";
    return move->to ? peer_mode_name(move->mode) : "none";
}

static void
explain(const struct conf *conf, const struct whatif_move *move, char text[WORDS_LEN])
{
    const char *to = words_node(conf, move->to);

    if (move->planned)
        snprintf(text, WORDS_LEN, "moves from %s to %s: %s",
            words_node(conf, move->from), to, order_why_name(move->why));
    else if (!move->to)
        snprintf(text, WORDS_LEN, "nobody can or may serve it: it stays down");
    else if (move->mode == MODE_START && move->from)
        snprintf(text, WORDS_LEN,
            "starts afresh on %s, its context is lost: no usable clone is left", to);
    else if (move->mode == MODE_START)
        snprintf(text, WORDS_LEN, "starts on %s", to);
    else
        snprintf(text, WORDS_LEN, "is taken over by %s, connections are kept", to);
}

static void
put_moves(const struct conf *conf, struct jv *reply)
{
    struct jv *list = jv_array();

    for (unsigned i = 0; i < what.n; i++) {
        const struct whatif_move *move = &what.moves[i];
        struct jv *j = jv_object();
        char text[WORDS_LEN];

        explain(conf, move, text);
        jv_set_str(j, "service", conf->services[move->service].name);
        jv_set_str(j, "from", move->from ? words_node(conf, move->from) : NULL);
        jv_set_str(j, "to", move->to ? words_node(conf, move->to) : NULL);
        jv_set_str(j, "how", how(move));
        jv_set_str(j, "why", move->planned ? order_why_name(move->why) : "failure");
        jv_set_str(j, "text", text);
        jv_push(list, j);
    }
    jv_set_bool(reply, "quorate", what.quorate);
    jv_set_str(reply, "decided_by", whatif_by_name(what.by));
    jv_set_bool(reply, "endless", what.endless);
    jv_set(reply, "moves", list);
}

static struct jv *
where_they_are(const struct conf *conf)
{
    struct jv *list = jv_array();

    for (unsigned i = 0; i < copy.nservices; i++) {
        const struct service *s = &copy.services[i];
        struct jv *j = jv_object();

        jv_set_str(j, "service", conf->services[i].name);
        jv_set_str(j, "active",
            s->state == SERVICE_ACTIVE ? words_node(conf, s->r.active) : NULL);
        jv_push(list, j);
    }
    return list;
}

/* The services of another configuration, with what is known of those that are there. */
static void
configure(const struct node *node, const struct conf *conf)
{
    const struct member *now = node_core(node);
    struct plan_conf plan = setup_plan(conf);

    copy.nservices = 0;
    copy.plan.conf = plan;
    copy.cluster.all = setup_nodes(conf);
    for (unsigned i = 0; i < conf->nservices; i++) {
        const struct conf_service *cs = &conf->services[i];
        const struct conf_service *old = conf_service(node_conf(node), cs->name);
        struct placement p = setup_placement(conf, cs);
        struct service *s = &copy.services[i];
        static const struct reign none;
        static const struct wish no_wish;

        member_add(
            &copy, peer_service_key(cs->name), &p, conf->lease_ms, &none, &no_wish);
        if (!old)
            continue;
        *s = now->services[old->index];
        s->index = i;
        s->p = p;
    }
}

static const char *
with_conf(const struct node *node, const char *path, struct jv *reply)
{
    static char error[CONF_ERROR_LEN];
    struct jv *gone = jv_array();
    struct conf *conf;

    if (!conf_load(path, &conf, error)) {
        jv_free(gone);
        return error;
    }
    configure(node, conf);
    whatif_settle(&copy, mono_clock(), &what);
    put_moves(conf, reply);
    jv_set(reply, "services", where_they_are(conf));
    for (unsigned i = 0; i < node_conf(node)->nservices; i++)
        if (!conf_service(conf, node_conf(node)->services[i].name))
            jv_push_str(gone, node_conf(node)->services[i].name);
    jv_set(reply, "gone", gone);
    conf_free(conf);
    return NULL;
}

const char *
simulate(const struct node *node, const struct jv *msg, struct jv *reply)
{
    const char *fail = jv_str(msg, "fail", NULL), *path = jv_str(msg, "conf", NULL);
    const char *name = fail ? fail : jv_str(msg, "drain", NULL);
    const struct conf_node *cn = name ? conf_node(node_conf(node), name) : NULL;

    copy = *node_core(node);
    if (!cluster_quorate(&copy.cluster))
        return "no majority of nodes is here: nothing would be decided";
    if (path)
        return with_conf(node, path, reply);
    if (!cn)
        return "name a node to fail or drain, or a configuration; see: bascule nodes";
    if (fail)
        whatif_fail(&copy, cn->id, mono_clock(), &what);
    else
        whatif_drain(&copy, cn->id, mono_clock(), &what);
    put_moves(node_conf(node), reply);
    jv_set(reply, "services", where_they_are(node_conf(node)));
    return NULL;
}
