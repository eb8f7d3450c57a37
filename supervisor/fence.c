/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/fence.h"

#include "lib/fd.h"
#include "lib/log.h"
#include "lib/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_LEVEL 9
#define INPUT_MAX 8192 /* below what a pipe takes without a reader */

struct attempt { /* at one node; .id 0: free */
    struct fence *owner;
    unsigned id, level, next; /* next: fence to try, in the file's order */
    const struct conf_fence *now;
    pid_t pid;  /* and number of its process group; 0: none runs */
    int errors; /* its standard error; -1: none */
    struct loop_child *child;
    struct loop_timer *timer;
    bool late;
    char text[160];
};

struct fence {
    struct loop *loop;
    const struct conf *conf;
    void (*ended)(unsigned id, bool off, const char *text, void *arg);
    void *arg;
    struct attempt attempts[CONF_MAX_NODES];
};

static void try_next(struct attempt *a);

static void
end_attempt(struct attempt *a, bool off)
{
    struct fence *f = a->owner;
    unsigned id = a->id;

    a->id = 0;
    f->ended(id, off, a->text, f->arg);
}

static void
read_errors(struct attempt *a)
{
    char text[sizeof a->text];
    ssize_t n = read(a->errors, text, sizeof text - 1);

    text[n > 0 ? n : 0] = '\0';
    text[strcspn(text, "\r\n")] = '\0';
    snprintf(a->text, sizeof a->text, "%.31s: %.120s", a->now->name,
        a->late   ? "it did not end in time"
        : text[0] ? text
                  : "no reason given");
    fd_close(a->errors);
    a->errors = -1;
}

static void
ended_cb(struct loop_child *child, int pid, int status, void *arg)
{
    struct attempt *a = arg;
    bool off = WIFEXITED(status) && WEXITSTATUS(status) == 0 && !a->late;

    loop_child_free(child);
    a->child = NULL;
    kill(-pid, SIGKILL); /* what it has left behind */
    a->pid = 0;
    loop_timer_stop(a->timer);
    read_errors(a);
    log_info("fence %s: agent ended with status %d%s", a->now->name, status,
        a->late ? ", killed: too late" : "");
    if (off)
        snprintf(a->text, sizeof a->text, "%s", a->now->name);
    if (off)
        end_attempt(a, true);
    else
        try_next(a);
}

static void
late_cb(struct loop_timer *timer, void *arg)
{
    struct attempt *a = arg;

    (void)timer;
    if (!a->pid) { /* its first one, see fence_start() */
        try_next(a);
        return;
    }
    a->late = true;
    kill(-a->pid, SIGKILL);
}

/* What the agent reads; false: @a->text says why it cannot be run. */
static bool
write_input(struct attempt *a, char *text)
{
    const struct conf_fence *c = a->now;
    char secret[512], error[SECRET_ERROR_LEN];
    const struct conf_node *node = conf_node_by_id(a->owner->conf, a->id);
    size_t n = (size_t)snprintf(
        text, INPUT_MAX, "action=off\nnodename=%s\n", node->name);

    for (unsigned i = 0; i < c->noptions; i++)
        n += (size_t)snprintf(text + n, INPUT_MAX - n, "%s\n", c->options[i]);
    if (!c->secret_file[0])
        return true;
    if (!secret_line(c->secret_file, secret, sizeof secret, error)) {
        snprintf(a->text, sizeof a->text, "%.150s", error);
        return false;
    }
    snprintf(text + n, INPUT_MAX - n, "%s=%s\n", c->secret_option, secret);
    explicit_bzero(secret, sizeof secret);
    return true;
}

static void
run_agent(const char *path, int in, int errors)
{
    sigset_t none;

    setpgid(0, 0);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    dup2(in, STDIN_FILENO);
    dup2(errors, STDOUT_FILENO); /* some complain there */
    dup2(errors, STDERR_FILENO);
    execl(path, path, (char *)NULL);
    dprintf(STDERR_FILENO, "cannot run %s: %s\n", path, strerror(errno));
    _exit(127);
}

static int
start(struct attempt *a, const char *input)
{
    int in[2], err[2];

    if (pipe2(in, O_CLOEXEC) < 0)
        return -errno;
    if (pipe2(err, O_CLOEXEC | O_NONBLOCK) < 0) {
        fd_close(in[0]);
        fd_close(in[1]);
        return -errno;
    }
    a->pid = fork();
    if (a->pid == 0)
        run_agent(a->now->agent, in[0], err[1]);
    if (a->pid > 0) {
        setpgid(a->pid, a->pid); /* whoever of the two comes first */
        fd_write_all(in[1], input, strlen(input));
    }
    fd_close(in[0]);
    fd_close(in[1]);
    fd_close(err[1]);
    a->errors = err[0];
    if (a->pid > 0)
        return 0;
    a->pid = 0;
    return -EAGAIN;
}

static const struct conf_fence *
find_next(struct attempt *a)
{
    const struct conf *conf = a->owner->conf;
    const char *name = conf_node_by_id(conf, a->id)->name;

    for (; a->level <= MAX_LEVEL; a->level++, a->next = 0)
        for (; a->next < conf->nfences; a->next++) {
            const struct conf_fence *c = &conf->fences[a->next];

            if (c->level != a->level || strcmp(c->node, name) != 0)
                continue;
            a->next++;
            return c;
        }
    return NULL;
}

static void
try_next(struct attempt *a)
{
    char input[INPUT_MAX];
    int ret;

    for (a->now = find_next(a); a->now; a->now = find_next(a)) {
        if (!write_input(a, input)) {
            log_error("fence %s: %s", a->now->name, a->text);
            continue;
        }
        a->late = false;
        ret = start(a, input);
        explicit_bzero(input, sizeof input);
        if (ret == 0)
            break;
        snprintf(a->text, sizeof a->text, "%.31s: %s", a->now->name, strerror(-ret));
    }
    if (!a->now) {
        end_attempt(a, false);
        return;
    }
    log_info("fence %s: %s is run for node %s, level %u", a->now->name, a->now->agent,
        a->now->node, a->now->level);
    a->child = loop_child_new(a->owner->loop, a->pid, ended_cb, a);
    loop_timer_in_ms(a->timer, a->now->timeout_s * INT64_C(1000));
}

void
fence_start(struct fence *f, unsigned id)
{
    struct attempt *a = f->attempts;

    while (a->id && a < f->attempts + CONF_MAX_NODES - 1)
        a++; /* one a node: there is room */
    a->owner = f;
    a->id = id;
    a->level = 1;
    a->next = 0;
    snprintf(a->text, sizeof a->text, "no fence is configured for it");
    if (!a->timer)
        a->timer = loop_timer_new(f->loop, late_cb, a);
    loop_timer_in_ms(a->timer, 0); /* not from within the caller's own step */
}

struct fence *
fence_new(struct loop *loop, const struct conf *conf,
    void (*ended)(unsigned id, bool off, const char *text, void *arg), void *arg)
{
    struct fence *f = calloc(1, sizeof *f);

    if (!f)
        log_fatal("fence: out of memory");
    f->loop = loop;
    f->conf = conf;
    f->ended = ended;
    f->arg = arg;
    return f;
}

void
fence_free(struct fence *f)
{
    if (!f)
        return;
    for (unsigned i = 0; i < CONF_MAX_NODES; i++) {
        struct attempt *a = &f->attempts[i];

        if (a->pid) {
            kill(-a->pid, SIGKILL);
            fd_close(a->errors);
        }
        loop_child_free(a->child);
        loop_timer_free(a->timer);
    }
    free(f);
}
