/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/scenario/ckpt_targets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PORT 7391
#define REDIS "/usr/bin/redis-server"
#define BENCHMARK "/usr/bin/redis-benchmark"

static const struct app apps[] = { { "app", false, NULL }, { "churn", false, "churn" },
    { "growth", false, "growth" }, { "redis", true, NULL },
    { "redis-load", true, "load" }, { "redis-save", true, "save" },
    { "redis-rest", true, "1000" }, { "redis-crowd", true, "9000" } };

const struct app *
app_find(const char *name)
{
    for (size_t i = 0; i < sizeof apps / sizeof apps[0]; i++)
        if (!strcmp(apps[i].name, name))
            return &apps[i];
    return NULL;
}

bool
apps_prepare(void)
{
    struct ifreq ifr = { .ifr_name = "lo" };
    int s;

    if (geteuid() != 0 || unshare(CLONE_NEWNET) < 0) {
        printf("skipped: taking checkpoints needs root\n");
        return false;
    }
    s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ifr.ifr_flags = IFF_UP;
    ioctl(s, SIOCSIFFLAGS, &ifr);
    close(s);
    return true;
}

/* Start @argv with nothing open but /dev/null; its errors go to @log. */
static pid_t
start(const char *const *argv, const char *log)
{
    pid_t pid = fork();
    int null, err;

    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setsid();
    null = open("/dev/null", O_RDWR);
    err = log ? open(log, O_WRONLY | O_CREAT | O_APPEND, 0600) : null;
    dup2(null, 0);
    dup2(err, 1);
    dup2(err, 2);
    syscall(SYS_close_range, 3, ~0u, 0);
    execv(argv[0], (char *const *)argv);
    _exit(127);
}

/* A short conversation with redis: true if the answer begins with @want. */
static bool
ask_redis(const char *order, const char *want)
{
    struct sockaddr_in sa = { .sin_family = AF_INET,
        .sin_port = htons(PORT),
        .sin_addr = { htonl(INADDR_LOOPBACK) } };
    struct timeval limit = { 20, 0 };
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char answer[512] = "";
    bool ok;

    setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ok = connect(s, (struct sockaddr *)&sa, sizeof sa) == 0 &&
         write(s, order, strlen(order)) == (ssize_t)strlen(order) &&
         read(s, answer, sizeof answer - 1) > 0 && strstr(answer, want) != NULL;
    close(s);
    return ok;
}

static bool
wait_for_redis(void)
{
    for (int i = 0; i < 500; i++) {
        struct timespec ts = { 0, 10000000 };

        if (ask_redis("PING\r\n", "PONG"))
            return true;
        nanosleep(&ts, NULL);
    }
    return false;
}

/* Connections that say one word and then rest, as long as this process lives. */
static bool
rest_at_redis(int n)
{
    const struct rlimit limit = { 20000, 20000 };
    struct sockaddr_in sa = { .sin_family = AF_INET,
        .sin_port = htons(PORT),
        .sin_addr = { htonl(INADDR_LOOPBACK) } };
    char pong[7];

    setrlimit(RLIMIT_NOFILE, &limit);
    for (int i = 0; i < n; i++) {
        int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (connect(s, (struct sockaddr *)&sa, sizeof sa) < 0 ||
            write(s, "PING\r\n", 6) != 6 ||
            recv(s, pong, sizeof pong, MSG_WAITALL) != sizeof pong)
            return false;
    }
    return true;
}

static int
start_redis(const struct app *app, struct app_state *st)
{
    int rest = app->argument ? atoi(app->argument) : 0;
    char port[8];
    const char *argv[] = { REDIS, "--port", port, "--bind", "127.0.0.1", "--save", "",
        "--enable-debug-command", "yes", "--dir", "/tmp", "--dbfilename",
        "ckpt_loop.rdb", NULL };
    const char *load[] = { BENCHMARK, "-p", port, "-c", "20", "-n", "100000000", "-r",
        "100000", "-d", "900", "-t", "set", "-q", NULL };

    if (access(REDIS, X_OK) < 0 || access(BENCHMARK, X_OK) < 0)
        return 77;
    snprintf(port, sizeof port, "%d", PORT);
    st->pid = start(argv, NULL);
    if (!wait_for_redis() || !ask_redis("DEBUG POPULATE 100000 key 900\r\n", "OK"))
        return 1;
    if (rest > 0)
        return rest_at_redis(rest) ? 0 : 1;
    if (app->argument)
        st->load = start(load, NULL);
    return 0;
}

/* What ckpt_app said last. */
struct said {
    long count, alarms, ticks, pipe, tcp; /* as far as its workers got */
};

static struct said
read_log(const struct app_state *st, long *errors)
{
    FILE *f = fopen(st->log, "r");
    char line[256];
    struct said s = { 0 };

    *errors = 0;
    while (f && fgets(line, sizeof line, f)) {
        if (!strncmp(line, "WRONG", 5))
            ++*errors;
        else if (sscanf(line,
                     "count %ld errors %ld alarms %ld ticks %ld pipe %ld tcp %ld",
                     &s.count, errors, &s.alarms, &s.ticks, &s.pipe, &s.tcp) < 1)
            ++*errors;
    }
    if (f)
        fclose(f);
    return s;
}

/* Every worker got on. */
static bool
is_beyond(const struct said *now, const struct said *then)
{
    return now->count >= then->count + 100 && now->alarms > then->alarms &&
           now->ticks > then->ticks && now->pipe > then->pipe && now->tcp > then->tcp;
}

static int
start_self_checking(const struct app *app, struct app_state *st)
{
    const char *dir = getenv("top_builddir");
    char path[512];
    const char *argv[] = { path, st->log, app->argument, NULL };
    long errors;

    snprintf(path, sizeof path, "%s/tests/scenario/ckpt_app", dir ? dir : ".");
    snprintf(st->log, sizeof st->log, "/tmp/ckpt_loop.%d.log", (int)getpid());
    unlink(st->log);
    st->pid = start(argv, st->log);
    for (int i = 0; i < 500; i++) {
        struct timespec ts = { 0, 10000000 };

        if (read_log(st, &errors).count >= 25)
            return 0;
        nanosleep(&ts, NULL);
    }
    return 1;
}

int
app_start(const struct app *app, struct app_state *st)
{
    memset(st, 0, sizeof *st);
    return app->redis ? start_redis(app, st) : start_self_checking(app, st);
}

void
app_halfway(const struct app *app, struct app_state *st)
{
    (void)st;
    /* its answer is not waited for: we are its tracer, it may stand still */
    if (app->argument && !strcmp(app->argument, "save") && fork() == 0) {
        ask_redis("BGSAVE\r\n", "+");
        _exit(0);
    }
}

bool
app_lives(const struct app *app, struct app_state *st)
{
    int status;

    if (waitpid(st->pid, &status, WNOHANG) == 0)
        return true;
    fprintf(stderr, "%s ended with %s %d\n", app->name,
        WIFSIGNALED(status) ? "signal" : "status",
        WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    return false;
}

/* It must get on from where it was, within 10 s, and have found no error. */
int
app_check(const struct app *app, struct app_state *st)
{
    struct said begin, now;
    long errors;

    if (app->redis)
        return wait_for_redis() ? 0 : 1;
    begin = read_log(st, &errors);
    for (int i = 0; i < 1000; i++) {
        struct timespec ts = { 0, 10000000 };

        now = read_log(st, &errors);
        if (errors > 0) {
            fprintf(
                stderr, "%s found %ld errors, see %s\n", app->name, errors, st->log);
            return 1;
        }
        if (is_beyond(&now, &begin))
            return 0;
        nanosleep(&ts, NULL);
    }
    fprintf(stderr,
        "%s stands still: count %ld, then %ld; pipe %ld, then %ld; "
        "tcp %ld, then %ld\n",
        app->name, begin.count, now.count, begin.pipe, now.pipe, begin.tcp, now.tcp);
    return 1;
}

void
app_stop(const struct app *app, struct app_state *st)
{
    long errors;

    if (st->load > 0) {
        kill(st->load, SIGKILL);
        waitpid(st->load, NULL, 0);
    }
    if (st->pid > 0) {
        kill(st->pid, SIGKILL);
        waitpid(st->pid, NULL, 0);
    }
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
    if (app->redis)
        unlink("/tmp/ckpt_loop.rdb");
    else if (read_log(st, &errors).count > 0 && errors == 0)
        unlink(st->log);
}
