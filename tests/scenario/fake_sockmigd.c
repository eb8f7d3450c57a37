/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fake_sockmigd.c - a double of sockmigd for tests of the supervisor.
 *
 * It speaks the protocol and keeps the state of one service, but runs nothing: after
 * `start` and `takeover` it says that the other nodes are ready one after the other.
 * Every order is printed on standard output, one line each.  A `start` takes a while,
 * in which its status is the old one, and something older is said to have failed.
 *
 *   fake_sockmigd SOCKET NODE SERVICE OTHER...
 *
 * SIGUSR1: the service "ends".  SIGUSR2: the next takeover is refused. */
#include "lib/ctl.h"
#include "lib/log.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READY_MS 100
#define START_MS 100

struct fake {
    struct loop *loop;
    struct ctl_server *server;
    const char *node, *service;
    char **others;
    unsigned nothers, next;
    struct loop_timer *ready;
    const char *role, *state;
    int64_t epoch, reign; /* newest seen; of what it does now */
    struct jv *set;       /* owned */
    bool clone, refuse;
    struct loop_timer *late;
    struct ctl_conn *late_to; /* borrowed; NULL: nobody waits */
    struct jv *start;         /* owned: asked by .late_to */
};

static struct jv *
event(const struct fake *f, const char *what)
{
    struct jv *j = jv_object();

    jv_set_str(j, "event", what);
    jv_set_str(j, "service", f->service);
    jv_set_int(j, "epoch", f->epoch);
    return j;
}

static void
ready_cb(struct loop_timer *timer, void *arg)
{
    struct fake *f = arg;
    struct jv *j;

    if (strcmp(f->role, "active") || f->next >= f->nothers)
        return;
    j = event(f, "standby");
    jv_set_str(j, "node", f->others[f->next++]);
    jv_set_str(j, "state", "ready");
    ctl_broadcast(f->server, j);
    jv_free(j);
    loop_timer_in_ms(timer, READY_MS);
}

static struct jv *
standbys(const struct fake *f)
{
    struct jv *list = jv_array();

    for (unsigned i = 0; i < f->next; i++) {
        struct jv *s = jv_object();
        bool in_set = false;

        for (size_t k = 0; k < jv_len(f->set); k++)
            in_set |= !strcmp(jv_at_str(f->set, k), f->others[i]);
        jv_set_str(s, "node", f->others[i]);
        jv_set_str(s, "state", "ready");
        jv_set_bool(s, "in_set", in_set);
        jv_push(list, s);
    }
    return list;
}

static void
add_status(const struct fake *f, struct jv *answer)
{
    struct jv *list = jv_array(), *s = jv_object();

    jv_set_str(s, "name", f->service);
    jv_set_str(s, "role", f->role);
    jv_set_str(s, "state", f->state);
    jv_set_int(s, "epoch", f->epoch);
    jv_set_int(s, "reign", f->reign);
    jv_set_bool(s, "protected", true);
    jv_set(s, "standbys", standbys(f));
    jv_push(list, s);
    jv_set_str(answer, "node", f->node);
    jv_set(answer, "services", list);
}

static void
serve(struct fake *f, const char *state)
{
    f->role = "active";
    f->reign = f->epoch;
    f->state = state;
    f->clone = false;
    f->next = 0;
    jv_free(f->set);
    f->set = NULL;
    loop_timer_in_ms(f->ready, READY_MS);
}

static bool
obey(struct fake *f, const char *op, const struct jv *msg)
{
    bool active = !strcmp(f->role, "active");

    if (!strcmp(op, "start"))
        serve(f, "running");
    else if (!strcmp(op, "takeover")) {
        if (f->refuse || !f->clone) {
            f->refuse = false;
            f->role = "none";
            f->state = "idle";
            return false;
        }
        serve(f, "running");
    } else if (!strcmp(op, "resume")) {
        if (!active)
            return false;
        serve(f, "running");
    } else if (!strcmp(op, "follow")) {
        f->role = "standby";
        f->reign = f->epoch;
        f->state = "ready";
        f->clone = true;
    } else if (!strcmp(op, "handover")) {
        if (!active)
            return false;
        f->state = "frozen";
    } else if (!strcmp(op, "set")) {
        jv_free(f->set);
        f->set = jv_copy(jv_get(msg, "nodes"));
    }
    return true;
}

static void
order(struct fake *f, const char *op, const struct jv *msg, struct jv *answer)
{
    int64_t epoch = jv_int(msg, "epoch", 0);
    bool ok = epoch >= f->epoch;
    char *nodes = jv_text(jv_get(msg, "nodes"), false);

    if (!ok)
        jv_set_bool(answer, "stale", true);
    else {
        f->epoch = epoch;
        ok = obey(f, op, msg);
    }
    printf("%s %s epoch %" PRId64 "%s%s%s\n", f->node, op, epoch,
        jv_has(msg, "nodes") ? " " : "", jv_has(msg, "nodes") ? nodes : "",
        ok ? "" : " refused");
    fflush(stdout);
    free(nodes);
    jv_set_bool(answer, "ok", ok);
    if (!ok)
        jv_set_str(answer, "error", "the double refuses");
    if (!strcmp(op, "fence"))
        jv_set_int(answer, "last_ack_age_ms", 0);
}

static void
obey_and_answer(struct fake *f, struct ctl_conn *conn, const struct jv *msg)
{
    const char *op = jv_str(msg, "op", "");
    struct jv *answer = jv_object();

    jv_set_int(answer, "id", jv_int(msg, "id", 0));
    jv_set_bool(answer, "ok", true);
    if (!strcmp(op, "events"))
        ctl_subscribe(conn);
    else if (!strcmp(op, "status"))
        add_status(f, answer);
    else
        order(f, op, msg, answer);
    ctl_send(conn, answer);
}

static void
late_cb(struct loop_timer *timer, void *arg)
{
    struct fake *f = arg;

    (void)timer;
    if (f->late_to)
        obey_and_answer(f, f->late_to, f->start);
    f->late_to = NULL;
}

static void
start_late(struct fake *f, struct ctl_conn *conn, const struct jv *msg)
{
    struct jv *old = event(f, "failed"); /* makes the supervisor read the status */

    jv_set_int(old, "epoch", jv_int(msg, "epoch", 0) - 1);
    jv_set_str(old, "reason", "what was there before ended");
    ctl_broadcast(f->server, old);
    jv_free(old);
    jv_free(f->start);
    f->start = jv_copy(msg);
    f->late_to = conn;
    loop_timer_in_ms(f->late, START_MS);
}

static void
message_cb(struct ctl_conn *conn, const struct jv *msg, void *arg)
{
    struct fake *f = arg;

    if (!strcmp(jv_str(msg, "op", ""), "start"))
        start_late(f, conn, msg);
    else
        obey_and_answer(f, conn, msg);
}

static void
closed_cb(struct ctl_conn *conn, void *arg)
{
    struct fake *f = arg;

    if (conn == f->late_to)
        f->late_to = NULL;
}

static void
end_cb(int signo, void *arg)
{
    struct fake *f = arg;
    struct jv *j = event(f, "failed");

    (void)signo;
    f->role = "none";
    f->state = "failed";
    jv_set_str(j, "reason", "the double was told to end");
    ctl_broadcast(f->server, j);
    jv_free(j);
}

static void
refuse_cb(int signo, void *arg)
{
    (void)signo;
    ((struct fake *)arg)->refuse = true;
}

int
main(int argc, char **argv)
{
    struct fake f = { .role = "none", .state = "idle" };
    struct ctl_handler handler = { message_cb, closed_cb, &f };

    if (argc < 4)
        return 2;
    log_init("fake_sockmigd", LOG_LEVEL_INFO);
    f.loop = loop_new();
    f.node = argv[2];
    f.service = argv[3];
    f.others = argv + 4;
    f.nothers = (unsigned)argc - 4;
    f.ready = loop_timer_new(f.loop, ready_cb, &f);
    f.late = loop_timer_new(f.loop, late_cb, &f);
    if (ctl_listen(f.loop, argv[1], 0666, (gid_t)-1, handler, &f.server) < 0)
        log_fatal("cannot listen on %s", argv[1]);
    loop_signal_new(f.loop, SIGUSR1, end_cb, &f);
    loop_signal_new(f.loop, SIGUSR2, refuse_cb, &f);
    loop_run(f.loop);
    return 0;
}
