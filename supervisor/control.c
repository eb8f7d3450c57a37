/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/control.h"

#include "lib/ctl.h"
#include "lib/log.h"
#include "supervisor/status.h"

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

static void
on_switchover(
    struct control *c, struct ctl_conn *conn, const struct jv *msg, int64_t id)
{
    const char *name = jv_str(msg, "node", NULL);
    const struct conf_service *cs = conf_service(
        node_conf(c->node), jv_str(msg, "service", ""));
    const struct conf_node *to = name ? conf_node(node_conf(c->node), name) : NULL;
    struct waiting *w = NULL;
    char owner[PEER_TEXT], why[128] = "";

    owner_name(conn, owner, sizeof owner);
    for (unsigned i = 0; i < MAX_WAITING && !w; i++)
        if (!c->waiting[i].token)
            w = &c->waiting[i];
    if (!cs) {
        snprintf(why, sizeof why, "no such service: \"%.40s\"; see: bascule services",
            jv_str(msg, "service", ""));
    } else if (name && !to) {
        snprintf(why, sizeof why, "no such node: \"%.40s\"; see: bascule nodes", name);
    } else if (!w) {
        snprintf(why, sizeof why, "too many orders wait for an answer; try again");
    }
    if (why[0]) {
        node_refused(c->node, cs ? cs->name : NULL, owner, why);
        refuse(conn, id, why);
        return;
    }
    *w = (struct waiting){ ++c->last_token, conn, id,
        mono_add_ms(loop_now(c->loop), PATIENCE_MS) };
    loop_timer_in_ms(c->sweep, PATIENCE_MS + 10);
    node_switchover(c->node, cs->index, to ? to->id : 0, c->last_token,
        jv_str(msg, "owner", owner));
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

static const struct {
    const char *op;
    void (*act)(struct control *, struct ctl_conn *, const struct jv *, int64_t id);
} ops[] = {
    { "status", on_status },
    { "events", on_events },
    { "journal", on_journal },
    { "orders", on_orders },
    { "switchover", on_switchover },
    { "refused", on_refused },
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
    refuse(conn, id, "unknown op; known: status, events, journal, orders, switchover");
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
