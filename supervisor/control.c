/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/control.h"

#include "lib/ctl.h"
#include "lib/log.h"
#include "supervisor/simulate.h"
#include "supervisor/status.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPACING_MS 200   /* between two status events */
#define PATIENCE_MS 3000 /* for an order to come back from the group */
#define MAX_WAITING 32

struct waiting { /* a client that waits for its order's number; token 0: free */
    uint64_t token;
    struct ctl_conn *conn;
    int64_t id;
    struct mono until;
};

struct control {
    struct loop *loop;
    struct node *node;
    struct ctl_server *server;
    struct loop_timer *news, *sweep;
    bool news_due;
    struct waiting waiting[MAX_WAITING];
    uint64_t last_token;
};

static struct jv *
answer(int64_t id, bool ok)
{
    struct jv *j = jv_object();

    jv_set_int(j, "id", id);
    jv_set_bool(j, "ok", ok);
    return j;
}

static void
refuse(struct ctl_conn *conn, int64_t id, const char *why)
{
    struct jv *j = answer(id, false);

    jv_set_str(j, "error", why);
    ctl_send(conn, j);
}

void
control_answer(struct control *c, uint64_t token, uint64_t order, const char *text)
{
    for (unsigned i = 0; c && i < MAX_WAITING; i++) {
        struct waiting *w = &c->waiting[i];
        struct jv *j;

        if (!token || w->token != token)
            continue;
        w->token = 0;
        if (!order) {
            refuse(w->conn, w->id, text);
            return;
        }
        j = answer(w->id, true);
        jv_set_int(j, "order", (int64_t)order);
        ctl_send(w->conn, j);
        return;
    }
}

static void
on_status(struct control *c, struct ctl_conn *conn, const struct jv *msg, int64_t id)
{
    struct jv *j = answer(id, true);

    (void)msg;
    jv_set(j, "status", status_object(c->node));
    ctl_send(conn, j);
}

static void
on_events(struct control *c, struct ctl_conn *conn, const struct jv *msg, int64_t id)
{
    (void)c;
    (void)msg;
    ctl_subscribe(conn);
    ctl_send(conn, answer(id, true));
}

static void
on_journal(struct control *c, struct ctl_conn *conn, const struct jv *msg, int64_t id)
{
    struct jv *j = answer(id, true);

    jv_set(j, "rows",
        journal_rows(node_journal(c->node), jv_int(msg, "after", -1),
            jv_int(msg, "limit", 100)));
    ctl_send(conn, j);
}

static void
on_orders(struct control *c, struct ctl_conn *conn, const struct jv *msg, int64_t id)
{
    struct jv *j = answer(id, true);

    jv_set(j, "orders", status_orders(c->node, jv_int(msg, "order", 0)));
    ctl_send(conn, j);
}

static void
owner_name(const struct ctl_conn *conn, char *text, size_t size)
{
    uid_t uid = ctl_peer_uid(conn);
    const struct passwd *pw = uid == (uid_t)-1 ? NULL : getpwuid(uid);

    if (pw)
        snprintf(text, size, "%s", pw->pw_name);
    else
        snprintf(text, size, "uid %d", (int)uid);
}

/* What an order speaks of, by its names in @msg.  NULL, or what is wrong; valid until
 * the next call. */
static const char *
read_names(const struct conf *conf, const struct jv *msg, struct node_ask *ask)
{
    static char why[128];
    const char *node = jv_str(msg, "node", NULL),
               *service = jv_str(msg, "service", NULL);
    const struct conf_node *cn = node ? conf_node(conf, node) : NULL;
    const struct conf_service *cs = service ? conf_service(conf, service) : NULL;

    ask->service = cs ? cs->index : NO_SERVICE;
    ask->node = cn ? cn->id : 0;
    if (service && !cs)
        snprintf(why, sizeof why, "no such service: \"%.40s\"; see: bascule services",
            service);
    else if (node && !cn)
        snprintf(why, sizeof why, "no such node: \"%.40s\"; see: bascule nodes", node);
    else
        return NULL;
    return why;
}

static const char *
read_value(const struct jv *msg, struct node_ask *ask)
{
    const char *policy = jv_str(msg, "policy", "");
    int64_t ms = jv_int(msg, "ms", -1);

    if (ask->what == WHAT_MAINTENANCE || ask->what == WHAT_FREEZE)
        ask->value = jv_bool(msg, "on", true);
    if (ask->what == WHAT_INTERVAL && ms != 0 && (ms < 5 || ms > 60000))
        return "ms must be 5 to 60000, or 0: as configured";
    if (ask->what == WHAT_INTERVAL)
        ask->value = (uint32_t)ms;
    if (ask->what != WHAT_POLICY)
        return NULL;
    for (uint32_t p = 0; p < CONF_NPOLICIES; p++)
        if (!strcmp(policy, conf_policy_name((enum conf_policy)p))) {
            ask->value = p;
            return NULL;
        }
    return "no such policy; known: commit, replay, warm, cold";
}

/* Under cold no checkpoint is taken, and replicated folders would grow old. */
static const char *
check_policy(const struct conf *conf, const struct node_ask *ask)
{
    if (ask->what != WHAT_POLICY || ask->value != CONF_COLD ||
        ask->service >= conf->nservices || conf->services[ask->service].nstate == 0 ||
        conf->services[ask->service].storage == CONF_STORAGE_SHARED)
        return NULL;
    return "it has state folders, which come with checkpoints, and policy cold takes "
           "none; use warm";
}

static const char *
check_names(const struct node_ask *ask)
{
    bool service = ask->service != NO_SERVICE;

    switch (ask->what) {
    case WHAT_DRAIN:
    case WHAT_RESUME:
        return ask->node && !service ? NULL : "name a node, and no service";
    case WHAT_MAINTENANCE:
    case WHAT_FREEZE:
        return ask->node && service
                   ? "name a node or a service; neither means the cluster"
                   : NULL;
    default:
        return service ? NULL : "name a service; see: bascule services";
    }
}

static void
on_order(struct control *c, struct ctl_conn *conn, const struct jv *msg, int64_t id,
    enum order_what what)
{
    struct node_ask ask = { .what = what, .from = jv_str(msg, "from", "local") };
    const char *wrong = read_names(node_conf(c->node), msg, &ask);
    struct waiting *w = NULL;
    char owner[PEER_TEXT];

    for (unsigned i = 0; i < MAX_WAITING && !w; i++)
        if (!c->waiting[i].token)
            w = &c->waiting[i];
    if (!wrong)
        wrong = read_value(msg, &ask);
    if (!wrong)
        wrong = check_names(&ask);
    if (!wrong)
        wrong = check_policy(node_conf(c->node), &ask);
    if (!wrong && !w)
        wrong = "too many orders wait for an answer; try again";
    owner_name(conn, owner, sizeof owner);
    ask.owner = jv_str(msg, "owner", owner);
    if (wrong) {
        node_refused(c->node,
            ask.service == NO_SERVICE ? NULL
                                      : node_conf(c->node)->services[ask.service].name,
            ask.owner, wrong);
        refuse(conn, id, wrong);
        return;
    }
    *w = (struct waiting){ ++c->last_token, conn, id,
        mono_add_ms(loop_now(c->loop), PATIENCE_MS) };
    loop_timer_in_ms(c->sweep, PATIENCE_MS + 10);
    node_ask(c->node, &ask, c->last_token);
}

static void
on_ack(struct control *c, struct ctl_conn *conn, const struct jv *msg, int64_t id)
{
    char owner[PEER_TEXT];
    struct jv *j;
    int ret;

    owner_name(conn, owner, sizeof owner);
    ret = node_ack(c->node, jv_int(msg, "serial", -1), jv_str(msg, "owner", owner),
        jv_str(msg, "from", "local"));
    if (ret < 0) {
        refuse(conn, id,
            ret == -ENOENT
                ? "no such event in this node's journal; see: bascule journal"
            : ret == -EALREADY ? "it has been acknowledged already"
                               : "the journal cannot be written; see: bascule status");
        return;
    }
    j = answer(id, true);
    jv_set_int(j, "order", 0);
    ctl_send(conn, j);
}

/* What another program refused in our place, for the journal. */
static void
on_refused(struct control *c, struct ctl_conn *conn, const struct jv *msg, int64_t id)
{
    const struct conf_service *cs = conf_service(
        node_conf(c->node), jv_str(msg, "service", ""));
    char owner[PEER_TEXT];

    owner_name(conn, owner, sizeof owner);
    node_refused(c->node, cs ? cs->name : NULL, jv_str(msg, "owner", owner),
        jv_str(msg, "text", "no reason given"));
    ctl_send(conn, answer(id, true));
}

static void
on_simulate(struct control *c, struct ctl_conn *conn, const struct jv *msg, int64_t id)
{
    struct jv *j = answer(id, true);
    const char *wrong = simulate(c->node, msg, j);

    if (wrong) {
        jv_free(j);
        refuse(conn, id, wrong);
    } else
        ctl_send(conn, j);
}

static const struct {
    const char *op;
    void (*act)(struct control *, struct ctl_conn *, const struct jv *, int64_t id);
} ops[] = {
    { "status", on_status },
    { "events", on_events },
    { "journal", on_journal },
    { "orders", on_orders },
    { "refused", on_refused },
    { "ack", on_ack },
    { "simulate", on_simulate },
};

static void
message_cb(struct ctl_conn *conn, const struct jv *msg, void *arg)
{
    const char *op = jv_str(msg, "op", "");
    int64_t id = jv_int(msg, "id", 0);

    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++)
        if (!strcmp(ops[i].op, op)) {
            ops[i].act(arg, conn, msg, id);
            return;
        }
    for (int what = 0; what < WHAT_N; what++)
        if (!strcmp(order_what_name((enum order_what)what), op)) {
            on_order(arg, conn, msg, id, (enum order_what)what);
            return;
        }
    refuse(conn, id,
        "unknown op; known: status, events, journal, orders, ack, simulate, "
        "switchover, drain, "
        "resume, maintenance, freeze, policy, interval, checkpoint, clear");
}

static void
closed_cb(struct ctl_conn *conn, void *arg)
{
    struct control *c = arg;

    for (unsigned i = 0; i < MAX_WAITING; i++)
        if (c->waiting[i].conn == conn)
            c->waiting[i].token = 0;
}

static void
sweep_cb(struct loop_timer *timer, void *arg)
{
    struct control *c = arg;
    struct mono now = loop_now(c->loop);

    (void)timer;
    for (unsigned i = 0; i < MAX_WAITING; i++)
        if (c->waiting[i].token && mono_before(c->waiting[i].until, now))
            control_answer(c, c->waiting[i].token, 0,
                "the group of supervisors does not answer: is corosync running?");
}

static void
news_cb(struct loop_timer *timer, void *arg)
{
    struct control *c = arg;
    struct jv *j;

    (void)timer;
    c->news_due = false;
    j = jv_object();
    jv_set_str(j, "event", "status");
    ctl_broadcast(c->server, j);
    jv_free(j);
}

void
control_changed(struct control *c)
{
    if (!c || c->news_due)
        return;
    c->news_due = true;
    loop_timer_in_ms(c->news, SPACING_MS);
}

void
control_row(struct control *c, const struct jv *row)
{
    struct jv *j;

    if (!c)
        return;
    j = jv_copy(row);
    jv_set_str(j, "event", "journal");
    ctl_broadcast(c->server, j);
    jv_free(j);
}

int
control_new(
    struct loop *loop, const char *run_dir, struct node *node, struct control **out)
{
    struct control *c = calloc(1, sizeof *c);
    struct ctl_handler handler = { message_cb, closed_cb, c };
    char path[256];
    int ret;

    if (!c)
        log_fatal("control socket: out of memory");
    snprintf(path, sizeof path, "%s/basculed.sock", run_dir);
    c->loop = loop;
    c->node = node;
    ret = ctl_listen(loop, path, 0660, (gid_t)-1, handler, &c->server);
    if (ret < 0) {
        free(c);
        return ret;
    }
    c->news = loop_timer_new(loop, news_cb, c);
    c->sweep = loop_timer_new(loop, sweep_cb, c);
    *out = c;
    return 0;
}

void
control_free(struct control *c)
{
    if (!c)
        return;
    ctl_server_free(c->server);
    loop_timer_free(c->news);
    loop_timer_free(c->sweep);
    free(c);
}
