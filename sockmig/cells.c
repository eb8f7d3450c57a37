/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/cells.h"

#include "lib/ctl.h"
#include "lib/fd.h"
#include "lib/log.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_JOBS 8
#define MAX_PROBE_OUTPUT 8192
#define MAX_PIECE 32768 /* a line of connections is shorter by far */
#define CONNECTIONS_MS 5000

struct server;

struct job { /* a process that looks into a cell; .pid 0: free */
    struct server *server;
    struct ctl_conn *conn; /* borrowed: cleared when it closes */
    int64_t id;
    bool probe;
    pid_t pid;
    int out, status;
    bool ended, closed;
    struct loop_io *io;
    struct loop_child *child;
    struct loop_timer *limit;
    char *text; /* owned */
    size_t n, max;
};

struct server {
    const struct conf *conf;
    struct loop *loop;
    pid_t pids[CONF_MAX_SERVICES];
    struct job jobs[MAX_JOBS];
};

static void
refuse(struct ctl_conn *conn, int64_t id, const char *why)
{
    struct jv *a = jv_object();

    jv_set_int(a, "id", id);
    jv_set_bool(a, "ok", false);
    jv_set_str(a, "error", why);
    ctl_send(conn, a);
}

/* ---- a job ends ---- */

static void
answer(struct job *j)
{
    bool ok = j->probe || j->status == 0;
    struct jv *a = jv_object();

    jv_set_int(a, "id", j->id);
    jv_set_bool(a, "ok", ok);
    if (j->probe) {
        jv_set_int(a, "status", WIFEXITED(j->status) ? WEXITSTATUS(j->status) : -1);
        jv_set_str(a, "output", j->text);
    } else if (!ok) {
        jv_set_str(a, "error", "the cell cannot be looked into: did it end?");
    }
    ctl_send(j->conn, a);
}

/* give_pieces - what was read of the list is passed on line by line. */
static void
give_pieces(struct job *j)
{
    char *end;

    while ((end = memchr(j->text, '\n', j->n))) {
        size_t size = (size_t)(end - j->text);
        struct jv *list = j->conn ? jv_parse(j->text, size) : NULL;

        if (list) {
            struct jv *a = jv_object();

            jv_set_int(a, "id", j->id);
            jv_set_bool(a, "ok", true);
            jv_set_bool(a, "more", true);
            jv_set(a, "connections", list);
            ctl_send(j->conn, a);
        }
        j->n -= size + 1;
        memmove(j->text, end + 1, j->n + 1);
    }
}

/* It is over when the process ended and its pipe did: both come as events. */
static void
over(struct job *j)
{
    if (!j->ended || !j->closed)
        return;
    if (j->conn)
        answer(j);
    loop_timer_free(j->limit);
    free(j->text);
    *j = (struct job){ .server = j->server };
}

static void
close_out(struct job *j)
{
    loop_io_free(j->io);
    fd_close(j->out);
    j->io = NULL;
    j->out = -1;
    j->closed = true;
}

static void
on_output(struct loop_io *io, int fd, int events, void *arg)
{
    struct job *j = arg;
    char dropped[4096];
    bool full = j->n + 1 >= j->max;
    ssize_t n = full ? read(fd, dropped, sizeof dropped)
                     : read(fd, j->text + j->n, j->max - 1 - j->n);

    (void)io;
    (void)events;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0 && !full)
        j->n += (size_t)n;
    j->text[j->n] = '\0';
    if (!j->probe)
        give_pieces(j);
    if (n > 0)
        return;
    close_out(j);
    over(j);
}

static void
on_exit_of(struct loop_child *child, int pid, int status, void *arg)
{
    struct job *j = arg;

    loop_child_free(child);
    j->child = NULL;
    j->status = status;
    j->ended = true;
    kill(-pid, SIGKILL); /* what it left behind holds the pipe */
    over(j);
}

static void
on_limit(struct loop_timer *timer, void *arg)
{
    struct job *j = arg;

    (void)timer;
    kill(-j->pid, SIGKILL);
}

/* ---- and begins ---- */

static void
run(struct job *j, const struct conf_service *s, const struct conf_probe *p, int out)
{
    pid_t cell = j->server->pids[s->index];
    sigset_t none;
    int null;

    setpgid(0, 0);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int sig = 1; sig < NSIG; sig++)
        signal(sig, SIG_DFL);
    null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
        _exit(3);
    close_range(3, ~0u, 0);
    _exit(p ? cells_probe(s, p, cell) : cells_connections(cell, 1));
}

static struct job *
free_job(struct server *server)
{
    for (unsigned i = 0; i < MAX_JOBS; i++)
        if (!server->jobs[i].pid)
            return &server->jobs[i];
    return NULL;
}

/* start - look into the cell of @s: run @p there, or (NULL) list the connections. */
static void
start(struct server *server, struct ctl_conn *conn, int64_t id,
    const struct conf_service *s, const struct conf_probe *p)
{
    struct job *j = free_job(server);
    int ends[2];

    if (!server->pids[s->index]) {
        refuse(conn, id, "the service does not run on this node");
        return;
    }
    if (!j || pipe2(ends, O_CLOEXEC) < 0) {
        refuse(conn, id, "too many requests at one time; try again");
        return;
    }
    *j = (struct job){ .server = server,
        .conn = conn,
        .id = id,
        .probe = p != NULL,
        .out = ends[0],
        .max = p ? MAX_PROBE_OUTPUT : MAX_PIECE };
    j->text = calloc(1, j->max);
    j->pid = j->text ? fork() : -1;
    if (j->pid == 0)
        run(j, s, p, ends[1]);
    fd_close(ends[1]);
    if (j->pid < 0) {
        refuse(conn, id, strerror(errno));
        fd_close(ends[0]);
        free(j->text);
        *j = (struct job){ .server = server };
        return;
    }
    setpgid(j->pid, j->pid);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    j->io = loop_io_new(server->loop, ends[0], LOOP_READ, on_output, j);
    j->child = loop_child_new(server->loop, j->pid, on_exit_of, j);
    j->limit = loop_timer_new(server->loop, on_limit, j);
    loop_timer_in_ms(j->limit, p ? p->timeout_ms : CONNECTIONS_MS);
}

/* Who may connect may name a probe of the configuration, and no command. */
static void
on_request(struct ctl_conn *conn, const struct jv *msg, void *arg)
{
    struct server *server = arg;
    const char *op = jv_str(msg, "op", "");
    int64_t id = jv_int(msg, "id", 0);
    const struct conf_probe *p = conf_probe(server->conf, jv_str(msg, "probe", ""));
    const struct conf_service *s = conf_service(
        server->conf, p ? p->service : jv_str(msg, "service", ""));

    if (strcmp(op, "connections") == 0 && s)
        start(server, conn, id, s, NULL);
    else if (strcmp(op, "connections") == 0)
        refuse(conn, id, "no such service in bascule.conf");
    else if (strcmp(op, "probe") != 0)
        refuse(conn, id, "unknown op; known: connections, probe");
    else if (!p)
        refuse(conn, id, "no such probe section in bascule.conf");
    else if (p->place != CONF_IN_CELL)
        refuse(conn, id, "the probe's place is not the cell");
    else
        start(server, conn, id, s, p);
}

static void
on_client_closed(struct ctl_conn *conn, void *arg)
{
    struct server *server = arg;

    for (unsigned i = 0; i < MAX_JOBS; i++)
        if (server->jobs[i].conn == conn)
            server->jobs[i].conn = NULL;
}

static void
on_news(struct ctl_conn *conn, const struct jv *msg, void *arg)
{
    struct server *server = arg;
    const struct conf_service *s = conf_service(
        server->conf, jv_str(msg, "service", ""));

    (void)conn;
    if (s)
        server->pids[s->index] = (pid_t)jv_int(msg, "pid", 0);
}

static void
on_parent_gone(struct ctl_conn *conn, void *arg)
{
    struct server *server = arg;

    (void)conn;
    loop_stop(server->loop);
}

int
cells_main(const struct conf *conf, const char *run_dir, int ctl_fd)
{
    static struct server server;
    struct ctl_handler clients = { on_request, on_client_closed, &server };
    struct ctl_handler parent = { on_news, on_parent_gone, &server };
    struct group *group = getgrnam("bascule");
    struct ctl_server *listening;
    char path[300];
    int ret;

    server.conf = conf;
    server.loop = loop_new();
    for (unsigned i = 0; i < MAX_JOBS; i++)
        server.jobs[i].server = &server;
    snprintf(path, sizeof path, "%s/cells.sock", run_dir);
    ret = ctl_listen(server.loop, path, 0660, group ? group->gr_gid : (gid_t)-1,
        clients, &listening);
    if (ret < 0) {
        log_error("cannot listen on %s: %s", path, strerror(-ret));
        return 1;
    }
    ctl_adopt(server.loop, ctl_fd, parent);
    loop_run(server.loop);
    for (unsigned i = 0; i < MAX_JOBS; i++)
        if (server.jobs[i].pid)
            kill(-server.jobs[i].pid, SIGKILL);
    ctl_server_free(listening);
    return 0;
}
