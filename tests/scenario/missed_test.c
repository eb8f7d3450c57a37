/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * missed_test.c - who traces a process has all its threads once they have stopped, also
 * one that was just being made when its maker was seized: that one is not ours by
 * itself, and /proc does not list it yet (without a look after the stop, some of a
 * thousand). */
#include "tests/scenario/claims.h"

#include "lib/loop.h"
#include "sockmig/ckpt/trace.h"

#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define TIMES 2000u /* each way */
#define MADE 4
#define LIMIT_US 5000000

static void *
lives_a_little(void *arg)
{
    usleep(300);
    return arg;
}

static void
make_threads(void)
{
    pthread_t made[MADE];

    for (;;) {
        unsigned n = 0;

        while (n < MADE && pthread_create(&made[n], NULL, lives_a_little, NULL) == 0)
            n++;
        while (n > 0)
            pthread_join(made[--n], NULL);
    }
}

static bool
has(const struct trace *t, pid_t tid)
{
    for (unsigned i = 0; i < t->nthreads; i++)
        if (t->threads[i].tid == tid)
            return true;
    return false;
}

static unsigned
count_missed(const struct trace *t)
{
    unsigned missed = 0;
    struct dirent *e;
    char path[64];
    DIR *dir;

    snprintf(path, sizeof path, "/proc/%d/task", (int)t->pid);
    dir = opendir(path);
    while (dir && (e = readdir(dir)) != NULL)
        missed += atoi(e->d_name) > 0 && !has(t, atoi(e->d_name));
    if (!dir)
        exit(EXIT_FAILURE);
    closedir(dir);
    return missed;
}

static unsigned
look_at(pid_t pid)
{
    static struct trace t;
    unsigned missed;

    if (trace_open(&t, pid) < 0 || trace_stop(&t, LIMIT_US) < 0)
        exit(EXIT_FAILURE);
    missed = count_missed(&t);
    trace_resume(&t);
    trace_close(&t);
    return missed;
}

/* On its only processor, and before it, as an engine may be: a maker then stands still
 * in the middle. */
static void
take_precedence(pid_t pid)
{
    struct sched_param p = { .sched_priority = 10 };
    cpu_set_t one;

    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    sched_setaffinity(pid, sizeof one, &one);
    sched_setaffinity(0, sizeof one, &one);
    sched_setscheduler(0, SCHED_FIFO, &p);
}

static unsigned
look_often(bool precedence)
{
    unsigned missed = 0;
    pid_t pid = fork();

    if (pid == 0)
        make_threads();
    if (precedence)
        take_precedence(pid);
    for (unsigned i = 0; i < TIMES; i++) {
        usleep(200 + (unsigned)random() % 1500);
        missed += look_at(pid);
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    printf("missed %u in %u looks\n", missed, TIMES);
    return missed;
}

int
main(void)
{
    check(look_often(false) == 0, "no thread is missed by one that runs beside it");
    check(look_often(true) == 0, "no thread is missed by one that runs before it");
    return claims_end();
}
