/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * cell.c - a service's processes in their namespaces: who they are, what they have,
 * and that nothing is left of them. */
#include "sockmig/cell.h"
#include "tests/scenario/netlab.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct netlab lab;
static char folder[] = "/tmp/bascule-cell-XXXXXX", log_path[64];
static int failures;

static void
expect(bool ok, const char *claim)
{
    if (ok)
        return;
    failures++;
    printf("FAIL: %s\n", claim);
}

static void
read_text(const char *path, char *to, size_t size)
{
    FILE *f = fopen(path, "r");
    size_t n = f ? fread(to, 1, size - 1, f) : 0;

    to[n] = '\0';
    if (f)
        fclose(f);
}

/* Starts @script and waits until its first line "end" is in the log. */
static pid_t
start(const char *script, pid_t *pid, int expected, char *error)
{
    static const gid_t groups[] = { 65534, 12 };
    char *command[] = { (char *)"sh", (char *)"-c", (char *)(uintptr_t)script, NULL };
    struct cell_conf conf = { .name = "testcell",
        .netns = lab.primary,
        .command = command,
        .uid = 65534,
        .gid = 65534,
        .groups = groups,
        .ngroups = 2,
        .directory = "/tmp",
        .log = log_path };
    pid_t init = 0;
    int ret;

    if (strcmp(script, "none") == 0)
        command[0] = (char *)"/nonexistent/server";
    if (strcmp(script, "nowhere") == 0)
        conf.directory = "/nonexistent";
    ret = cell_start(&conf, &init, pid, error);
    if (ret != expected)
        printf("%d %s\n", ret, error);
    expect(ret == expected, script);
    return init;
}

static bool
wait_for(const char *word, char *text, size_t size)
{
    struct timespec tick = { .tv_nsec = 1000000 };

    for (unsigned i = 0; i < 5000; i++) {
        read_text(log_path, text, size);
        if (strstr(text, word))
            return true;
        nanosleep(&tick, NULL);
    }
    return false;
}

static bool
is_gone(pid_t pid)
{
    struct timespec tick = { .tv_nsec = 1000000 };

    for (unsigned i = 0; i < 2000; i++) {
        if (kill(pid, 0) < 0 && errno == ESRCH)
            return true;
        nanosleep(&tick, NULL);
    }
    return false;
}

static void
looks_right(void)
{
    char text[8192], error[CELL_ERROR_LEN] = "";
    pid_t pid = 0, init;

    init = start(
        "echo pid $$; hostname; readlink /proc/self/fd/0; id; pwd; ls /proc/1/fd;"
        "grep -E '^(CapBnd|CapEff|NoNewPrivs)' /proc/self/status;"
        "ip -o addr show dev eth0; echo fds $(ls /proc/self/fd | wc -l);"
        "cut -d' ' -f41 /proc/self/stat; echo end; exec sleep 1000",
        &pid, 0, error);
    expect(wait_for("\nend\n", text, sizeof text), "the command writes to its log");
    expect(strstr(text, "pid 2\n") != NULL, "it is process 2");
    expect(strstr(text, "testcell\n") != NULL, "the cell is named as the service");
    expect(strstr(text, "/dev/null\n") != NULL, "standard input is empty");
    expect(
        strstr(text, "uid=65534") && strstr(text, "gid=65534") && strstr(text, "12("),
        "it runs as its user with its groups");
    expect(strstr(text, "\n/tmp\n") != NULL, "it runs in its folder");
    expect(strstr(text, "CapBnd:\t0000000000000000") &&
               strstr(text, "CapEff:\t0000000000000000") &&
               strstr(text, "NoNewPrivs:\t1"),
        "it cannot get privileges");
    expect(strstr(text, "10.93.0.100") != NULL, "it is in the given network namespace");
    expect(strstr(text, "fds 4\n") != NULL, "it has no descriptor but 0, 1, 2");
    expect(sched_getscheduler(pid) == SCHED_OTHER, "it is not real-time scheduled");
    cell_kill(init);
    expect(is_gone(pid), "killing the reaper kills the command");
    if (failures)
        printf("%s", text);
}

static void
fails_well(void)
{
    char error[CELL_ERROR_LEN] = "";
    pid_t pid = 0, init;

    init = start("none", &pid, -ENOENT, error);
    expect(init == 0 && pid == 0 && strstr(error, "install it") != NULL,
        "a missing command is named with its cure");
    error[0] = '\0';
    start("nowhere", &pid, -ENOENT, error);
    expect(strstr(error, "/nonexistent") != NULL, "a missing folder is named");
    expect(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD, "nothing is left behind");
}

static void *
starter(void *arg)
{
    char error[CELL_ERROR_LEN];

    start("exec sleep 1000", arg, 0, error);
    return NULL;
}

/* A thread that ends is to its children a parent that dies. */
static void
dies_with_its_engine(void)
{
    pthread_t t;
    pid_t pid = 0;

    pthread_create(&t, NULL, starter, &pid);
    pthread_join(t, NULL);
    expect(pid > 0 && is_gone(pid), "the cell dies with the thread that started it");
}

int
main(void)
{
    struct sched_param high = { .sched_priority = 10 };

    netlab_new(&lab);
    if (!mkdtemp(folder))
        return 1;
    snprintf(log_path, sizeof log_path, "%s/log", folder);
    sched_setscheduler(0, SCHED_FIFO, &high);
    looks_right();
    fails_well();
    dies_with_its_engine();
    unlink(log_path);
    rmdir(folder);
    printf("%s\n", failures ? "FAIL" : "PASS");
    return failures ? 1 : 0;
}
