/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * main.c - sockmigd: the privileged part of a node.
 *
 * One engine per service, each a process of its own, so that the fault of one is not
 * the fault of another.  This process starts and restarts them and passes messages
 * between their control connections and its socket (doc/protocol.md 1.1).  An engine
 * takes its service with it when it ends: its gate vanishes with its namespaces, and
 * the cell's reaper dies with the thread that made it. */
#include "lib/cmdline.h"
#include "lib/conf.h"
#include "lib/ctl.h"
#include "lib/fd.h"
#include "lib/log.h"
#include "sockmig/caps.h"
#include "sockmig/cells.h"
#include "sockmig/engine.h"

#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define RESTART_MS 1000
#define MAX_ASKED 256 /* requests on their way to engines */

struct daemon;

struct child { /* one engine */
    struct daemon *daemon;
    const struct conf_service *service;
    struct ctl_conn *ctl; /* owned; NULL: it does not run */
    struct loop_child *watch;
    struct loop_timer *restart;
    struct jv *status; /* owned: what it last said */
    pid_t pid;
};

struct asked {
    int64_t id;            /* as sent to the engine; 0: free */
    int64_t theirs;        /* as the client named it */
    struct ctl_conn *conn; /* borrowed: cleared when it closes */
    struct child *child;
};

struct daemon {
    struct conf *conf;
    struct loop *loop;
    struct ctl_server *server;
    struct child children[CONF_MAX_SERVICES];
    struct asked asked[MAX_ASKED];
    struct {                  /* the child that looks into the cells */
        struct ctl_conn *ctl; /* owned; NULL: it does not run */
        struct loop_child *watch;
        struct loop_timer *restart;
    } cells;
    const char *run_dir;
    int64_t next_id;
    enum log_level level;
};

static void child_start(struct child *c);
static void tell_cells(struct daemon *d, const struct child *c);

static void
answer_error(struct ctl_conn *conn, int64_t id, const char *text)
{
    struct jv *a = jv_object();

    jv_set_int(a, "id", id);
    jv_set_bool(a, "ok", false);
    jv_set_str(a, "error", text);
    ctl_send(conn, a);
}

/* The engine of @c is gone: whoever waits for it is told, and so is the supervisor. */
static void
child_gone(struct child *c, const char *reason)
{
    struct daemon *d = c->daemon;
    struct jv *ev;

    for (size_t i = 0; i < MAX_ASKED; i++)
        if (d->asked[i].id && d->asked[i].child == c) {
            if (d->asked[i].conn)
                answer_error(d->asked[i].conn, d->asked[i].theirs, reason);
            d->asked[i].id = 0;
        }
    ev = jv_object();
    jv_set_str(ev, "event", "failed");
    jv_set_str(ev, "service", c->service->name);
    jv_set_int(ev, "epoch", jv_int(c->status, "reign", 0));
    jv_set_str(ev, "reason", reason);
    if (c->status)
        ctl_broadcast(d->server, ev);
    jv_free(ev);
    jv_free(c->status);
    c->status = NULL;
    tell_cells(d, c);
}

static void
on_child_exit(struct loop_child *watch, int pid, int status, void *arg)
{
    struct child *c = arg;

    (void)watch;
    loop_child_free(c->watch);
    c->watch = NULL;
    ctl_take_rest(c->ctl); /* that an order was carried out may be its last word */
    ctl_close(c->ctl);
    c->ctl = NULL;
    c->pid = 0;
    log_error("service %s: engine %d ended (%s %d); started again in %d ms",
        c->service->name, pid, WIFSIGNALED(status) ? "signal" : "status",
        WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), RESTART_MS);
    child_gone(c, "the service's engine ended; sockmigd starts it again");
    loop_timer_in_ms(c->restart, RESTART_MS);
}

/* ---- the child that looks into the cells ---- */

static void
tell_cells(struct daemon *d, const struct child *c)
{
    struct jv *msg;

    if (!d->cells.ctl)
        return;
    msg = jv_object();
    jv_set_str(msg, "service", c->service->name);
    jv_set_int(msg, "pid",
        strcmp(jv_str(c->status, "role", ""), "active") == 0
            ? jv_int(c->status, "pid", 0)
            : 0);
    ctl_send(d->cells.ctl, msg);
}

static void
on_cells_exit(struct loop_child *watch, int pid, int status, void *arg)
{
    struct daemon *d = arg;

    (void)pid;
    loop_child_free(watch);
    ctl_close(d->cells.ctl);
    d->cells.ctl = NULL;
    log_warn("what looks into the cells ended with %d; started again in %d ms", status,
        RESTART_MS);
    loop_timer_in_ms(d->cells.restart, RESTART_MS);
}

static void
run_cells(struct daemon *d, int fd)
{
    sigset_t none;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    loop_free(d->loop); /* only one loop of a process hears of children: not this one */
    for (int i = 3; i < 1024; i++)
        if (i != fd)
            close(i);
    prctl(PR_SET_NAME, "sockmig-cells");
    log_init("sockmig-cells", d->level);
    _exit(cells_main(d->conf, d->run_dir, fd));
}

static void
ignore_message(struct ctl_conn *conn, const struct jv *msg, void *arg)
{
    (void)conn;
    (void)msg;
    (void)arg;
}

/* As with an engine: the connection frees itself, and may end before its process is
 * known to have. */
static void
on_cells_closed(struct ctl_conn *conn, void *arg)
{
    struct daemon *d = arg;

    (void)conn;
    d->cells.ctl = NULL;
}

static void
cells_start(struct daemon *d)
{
    struct ctl_handler handler = { ignore_message, on_cells_closed, d };
    int sv[2];
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv) < 0)
        log_fatal("no socket pair: %s", strerror(errno));
    pid = fork();
    if (pid == 0)
        run_cells(d, sv[1]);
    fd_close(sv[1]);
    if (pid < 0) {
        fd_close(sv[0]);
        loop_timer_in_ms(d->cells.restart, RESTART_MS);
        return;
    }
    d->cells.ctl = ctl_adopt(d->loop, sv[0], handler);
    d->cells.watch = loop_child_new(d->loop, pid, on_cells_exit, d);
    for (unsigned i = 0; i < d->conf->nservices; i++)
        if (d->children[i].status)
            tell_cells(d, &d->children[i]);
}

static void
on_cells_restart(struct loop_timer *timer, void *arg)
{
    (void)timer;
    cells_start(arg);
}

static struct asked *
find_asked(struct daemon *d, const struct child *c, int64_t id)
{
    for (size_t i = 0; i < MAX_ASKED; i++)
        if (d->asked[i].id && d->asked[i].id == id && d->asked[i].child == c)
            return &d->asked[i];
    return NULL;
}

static void
on_child_message(struct ctl_conn *conn, const struct jv *msg, void *arg)
{
    struct child *c = arg;
    struct daemon *d = c->daemon;
    const char *event = jv_str(msg, "event", NULL);
    struct asked *a;
    struct jv *copy;

    (void)conn;
    if (event && strcmp(event, "status") == 0) {
        jv_free(c->status);
        c->status = jv_copy(jv_get(msg, "status"));
        tell_cells(d, c);
        copy = jv_object();
        jv_set_str(copy, "event", "status");
        jv_set_str(copy, "service", c->service->name);
        ctl_broadcast(d->server, copy);
        jv_free(copy);
        return;
    }
    if (event) {
        ctl_broadcast(d->server, msg);
        return;
    }
    a = find_asked(d, c, jv_int(msg, "id", 0));
    if (!a)
        return;
    if (a->conn) {
        copy = jv_copy(msg);
        jv_set_int(copy, "id", a->theirs);
        ctl_send(a->conn, copy);
    }
    a->id = 0;
}

/* The connection frees itself; that the engine ended is told by on_child_exit(). */
static void
on_child_closed(struct ctl_conn *conn, void *arg)
{
    struct child *c = arg;

    (void)conn;
    c->ctl = NULL;
}

static void
run_child(struct child *c, int fd)
{
    struct daemon *d = c->daemon;
    sigset_t none;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int i = 3; i < 1024; i++)
        if (i != fd)
            close(i);
    prctl(PR_SET_NAME, "sockmig-engine");
    log_init("sockmig-engine", d->level);
    _exit(engine_main(d->conf, c->service->name, fd));
}

static void
child_start(struct child *c)
{
    struct daemon *d = c->daemon;
    struct ctl_handler handler = { on_child_message, on_child_closed, c };
    int sv[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv) < 0)
        log_fatal("no socket pair: %s", strerror(errno));
    c->pid = fork();
    if (c->pid == 0)
        run_child(c, sv[1]);
    fd_close(sv[1]);
    if (c->pid < 0) {
        log_error("service %s: no engine: %s", c->service->name, strerror(errno));
        fd_close(sv[0]);
        loop_timer_in_ms(c->restart, RESTART_MS);
        return;
    }
    c->ctl = ctl_adopt(d->loop, sv[0], handler);
    c->watch = loop_child_new(d->loop, c->pid, on_child_exit, c);
}

static void
on_restart(struct loop_timer *timer, void *arg)
{
    (void)timer;
    child_start(arg);
}

static void
answer_status(struct daemon *d, struct ctl_conn *conn, int64_t id)
{
    struct jv *a = jv_object(), *list = jv_array(), *one;

    for (unsigned i = 0; i < d->conf->nservices; i++) {
        const struct child *c = &d->children[i];

        if (c->status) {
            one = jv_copy(c->status);
        } else {
            one = jv_object();
            jv_set_str(one, "name", c->service->name);
            jv_set_str(one, "role", "none");
            jv_set_str(one, "state", "failed");
            jv_set_str(
                one, "last_error", "its engine does not run; see sockmigd's log");
        }
        jv_push(list, one);
    }
    jv_set_int(a, "id", id);
    jv_set_bool(a, "ok", true);
    jv_set_str(a, "node", conf_self(d->conf)->name);
    jv_set(a, "services", list);
    ctl_send(conn, a);
}

static void
forward(struct daemon *d, struct ctl_conn *conn, const struct jv *msg)
{
    int64_t id = jv_int(msg, "id", 0);
    const char *name = jv_str(msg, "service", "");
    const struct conf_service *s = conf_service(d->conf, name);
    struct child *c = s ? &d->children[s->index] : NULL;
    struct asked *a = NULL;
    struct jv *copy;
    char text[96];

    if (!c) {
        snprintf(text, sizeof text, "no such service: %.40s", name);
        answer_error(conn, id, text);
        return;
    }
    if (!c->ctl) {
        answer_error(conn, id, "the service's engine does not run; see sockmigd's log");
        return;
    }
    for (size_t i = 0; i < MAX_ASKED && !a; i++)
        if (!d->asked[i].id)
            a = &d->asked[i];
    if (!a) {
        answer_error(conn, id, "too many requests wait; try again");
        return;
    }
    *a = (struct asked){ ++d->next_id, id, conn, c };
    copy = jv_copy(msg);
    jv_set_int(copy, "id", a->id);
    ctl_send(c->ctl, copy);
}

static void
on_request(struct ctl_conn *conn, const struct jv *msg, void *arg)
{
    struct daemon *d = arg;
    const char *op = jv_str(msg, "op", "");
    struct jv *a;

    if (strcmp(op, "status") == 0) {
        answer_status(d, conn, jv_int(msg, "id", 0));
    } else if (strcmp(op, "events") == 0) {
        ctl_subscribe(conn);
        a = jv_object();
        jv_set_int(a, "id", jv_int(msg, "id", 0));
        jv_set_bool(a, "ok", true);
        ctl_send(conn, a);
    } else {
        forward(d, conn, msg);
    }
}

static void
on_client_closed(struct ctl_conn *conn, void *arg)
{
    struct daemon *d = arg;

    for (size_t i = 0; i < MAX_ASKED; i++)
        if (d->asked[i].conn == conn)
            d->asked[i].conn = NULL;
}

static void
on_terminate(int signo, void *arg)
{
    struct daemon *d = arg;

    (void)signo;
    loop_stop(d->loop);
}

static const char usage[] =
    "usage: sockmigd [-c FILE] [--run-dir DIR] [-v]\n"
    "\n"
    "The engine of a node: protects the services in bascule.conf.  Needs root.\n"
    "\n"
    "  -c, --config FILE   configuration (default " CONF_PATH ")\n"
    "      --run-dir DIR   where its socket is (default /run/bascule)\n"
    "  -v, --verbose       say more in the log\n"
    "  -h, --help          this text\n"
    "      --version       the version\n";

static void
serve(struct daemon *d, const char *run_dir)
{
    struct ctl_handler handler = { on_request, on_client_closed, d };
    struct group *group = getgrnam("bascule");
    char path[300];
    int ret;

    if (mkdir(run_dir, 0775) == 0 && group) /* the supervisor's socket is there too */
        if (chown(run_dir, 0, group->gr_gid) < 0 || chmod(run_dir, 0775) < 0)
            log_warn("%s: %s", run_dir, strerror(errno));
    snprintf(path, sizeof path, "%s/sockmigd.sock", run_dir);
    ret = ctl_listen(
        d->loop, path, 0660, group ? group->gr_gid : (gid_t)-1, handler, &d->server);
    if (ret < 0)
        log_fatal("cannot listen on %s: %s", path,
            ret == -EADDRINUSE ? "another sockmigd runs" : strerror(-ret));
}

int
main(int argc, char **argv)
{
    const char *run_dir = "/run/bascule";
    struct cmdline line = { .program = "sockmigd",
        .usage = usage,
        .config = CONF_PATH,
        .texts = { { "run-dir", &run_dir } } };
    static struct daemon d;
    char error[CONF_ERROR_LEN];

    cmdline_read(argc, argv, &line);
    log_init("sockmigd", line.level);
    d.level = line.level;
    if (geteuid() != 0)
        log_fatal("must run as root: it makes namespaces and traces services");
    if (!conf_load(line.config, &d.conf, error))
        log_fatal("%s", error);
    if (!conf_self(d.conf))
        log_fatal("%s: no node has this host's name; add one or set the host name",
            line.config);
    if (caps_keep_needed() < 0)
        log_warn("capabilities not needed could not be given up");
    signal(SIGPIPE, SIG_IGN);
    d.loop = loop_new();
    serve(&d, run_dir);
    d.run_dir = run_dir;
    d.cells.restart = loop_timer_new(d.loop, on_cells_restart, &d);
    cells_start(&d);
    loop_signal_new(d.loop, SIGTERM, on_terminate, &d);
    loop_signal_new(d.loop, SIGINT, on_terminate, &d);
    for (unsigned i = 0; i < d.conf->nservices; i++) {
        d.children[i].daemon = &d;
        d.children[i].service = &d.conf->services[i];
        d.children[i].restart = loop_timer_new(d.loop, on_restart, &d.children[i]);
        child_start(&d.children[i]);
    }
    log_info("ready: %u services", d.conf->nservices);
    loop_run(d.loop);
    ctl_server_free(d.server);
    return 0; /* the engines die with their parent, their services with them */
}
