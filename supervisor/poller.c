/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/poller.h"

#include "lib/fd.h"
#include "lib/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINE_MAX_BYTES 65536
#define AGAIN_MIN_MS 1000
#define AGAIN_MAX_MS 60000

struct reading {
    struct jv *j; /* owned */
    struct mono at;
};

struct poller {
    struct loop *loop;
    const char *program, *conf_path;
    const struct conf *conf;
    void (*changed)(unsigned id, void *arg);
    void *arg;
    pid_t pid; /* 0: not running */
    int fd;
    struct loop_io *io;
    struct loop_child *child;
    struct loop_timer *again;
    int64_t wait_ms;
    char line[LINE_MAX_BYTES];
    size_t len;
    struct reading readings[CONF_MAX_NODES];
};

static void
take_line(struct poller *p, const char *line, size_t n)
{
    struct jv *j = jv_parse(line, n);
    const char *name = jv_str(j, "node", "");

    for (unsigned i = 0; j && i < p->conf->nnodes; i++)
        if (!strcmp(p->conf->nodes[i].name, name)) {
            jv_free(p->readings[i].j);
            p->readings[i] = (struct reading){ j, loop_now(p->loop) };
            p->wait_ms = AGAIN_MIN_MS; /* it works */
            p->changed(p->conf->nodes[i].id, p->arg);
            return;
        }
    jv_free(j);
}

static void
read_cb(struct loop_io *io, int fd, int events, void *arg)
{
    struct poller *p = arg;
    ssize_t n = read(fd, p->line + p->len, sizeof p->line - p->len);
    char *nl;

    (void)events;
    if (n <= 0) {
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        loop_io_events(io, 0); /* its end comes as a child's end */
        return;
    }
    p->len += (size_t)n;
    while ((nl = memchr(p->line, '\n', p->len))) {
        size_t used = (size_t)(nl - p->line) + 1;

        take_line(p, p->line, used - 1);
        memmove(p->line, p->line + used, p->len - used);
        p->len -= used;
    }
    if (p->len == sizeof p->line)
        p->len = 0; /* no line of ours is that long */
}

static void
stop_reading(struct poller *p)
{
    loop_io_free(p->io);
    p->io = NULL;
    fd_close(p->fd);
    p->fd = -1;
    p->len = 0;
}

static void
ended_cb(struct loop_child *child, int pid, int status, void *arg)
{
    struct poller *p = arg;

    (void)pid;
    loop_child_free(child);
    p->child = NULL;
    p->pid = 0;
    stop_reading(p);
    log_warn("poller: ended with status %d; started again in %d s", status,
        (int)(p->wait_ms / 1000));
    loop_timer_in_ms(p->again, p->wait_ms);
    p->wait_ms = p->wait_ms * 2 > AGAIN_MAX_MS ? AGAIN_MAX_MS : p->wait_ms * 2;
}

static void
run_child(const struct poller *p, int out)
{
    sigset_t none;

    prctl(PR_SET_PDEATHSIG, SIGTERM);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    dup2(out, STDIN_FILENO); /* its end tells the poller that we are gone */
    dup2(out, STDOUT_FILENO);
    execl(p->program, p->program, "-c", p->conf_path, (char *)NULL);
    log_error("poller: cannot run %s: %s", p->program, strerror(errno));
    _exit(127);
}

static void
start_cb(struct loop_timer *timer, void *arg)
{
    struct poller *p = arg;
    int fds[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0) {
        loop_timer_in_ms(timer, p->wait_ms);
        return;
    }
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    p->pid = fork();
    if (p->pid == 0)
        run_child(p, fds[1]);
    fd_close(fds[1]);
    p->fd = fds[0];
    if (p->pid < 0) {
        p->pid = 0;
        stop_reading(p);
        loop_timer_in_ms(timer, p->wait_ms);
        return;
    }
    p->io = loop_io_new(p->loop, p->fd, LOOP_READ, read_cb, p);
    p->child = loop_child_new(p->loop, p->pid, ended_cb, p);
}

const struct jv *
poller_reading(const struct poller *p, unsigned id, int64_t *age_ms)
{
    for (unsigned i = 0; i < p->conf->nnodes; i++) {
        const struct reading *r = &p->readings[i];

        if (p->conf->nodes[i].id != id || !r->j)
            continue;
        if (age_ms)
            *age_ms = mono_us_between(r->at, loop_now(p->loop)) / 1000;
        return r->j;
    }
    return NULL;
}

struct poller *
poller_new(struct loop *loop, const char *program, const char *conf_path,
    const struct conf *conf, void (*changed)(unsigned id, void *arg), void *arg)
{
    struct poller *p = calloc(1, sizeof *p);

    if (!p)
        log_fatal("poller: out of memory");
    p->loop = loop;
    p->program = program;
    p->conf_path = conf_path;
    p->conf = conf;
    p->changed = changed;
    p->arg = arg;
    p->fd = -1;
    p->wait_ms = AGAIN_MIN_MS;
    p->again = loop_timer_new(loop, start_cb, p);
    loop_timer_in_ms(p->again, 0);
    return p;
}

void
poller_free(struct poller *p)
{
    if (!p)
        return;
    if (p->pid)
        kill(p->pid, SIGTERM);
    loop_child_free(p->child);
    stop_reading(p);
    loop_timer_free(p->again);
    for (unsigned i = 0; i < CONF_MAX_NODES; i++)
        jv_free(p->readings[i].j);
    free(p);
}
