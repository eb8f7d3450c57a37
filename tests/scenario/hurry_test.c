/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * hurry_test.c - threads whose processor somebody in real time keeps busy are stopped
 * all the same, and have their own scheduling when they are. */
#include "sockmig/ckpt/trace.h"
#include "tests/scenario/claims.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define LIMIT_US 100000 /* a hog leaves 50 ms of each second */
#define TIMES 5

static void
pin(int cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    sched_setaffinity(0, sizeof set, &set);
}

static void *
thread(void *arg)
{
    pause();
    return arg;
}

/* A process of two threads that sleep. */
static pid_t
sleeper(int cpu)
{
    pid_t pid = fork();
    pthread_t t;

    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    pin(cpu);
    pthread_create(&t, NULL, thread, NULL);
    for (;;)
        pause();
}

static pid_t
hog(int cpu)
{
    const struct sched_param low = { .sched_priority = 1 };
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    pin(cpu);
    alarm(10);
    if (sched_setscheduler(0, SCHED_FIFO, &low) < 0)
        _exit(1);
    for (;;)
        ;
}

static bool
all_plain(const struct trace *t)
{
    for (unsigned i = 0; i < t->nthreads; i++)
        if (sched_getscheduler(t->threads[i].tid) != SCHED_OTHER)
            return false;
    return true;
}

int
main(void)
{
    const struct sched_param engine = { .sched_priority = 20 };
    struct trace t = { .kin = NULL };
    unsigned stopped = 0, plain = 0;
    int cpu = sched_getcpu();
    pid_t target = sleeper(cpu), busy;

    if (sched_setscheduler(0, SCHED_FIFO, &engine) < 0) {
        printf("skipped: no real time here: %s\n", strerror(errno));
        return 77;
    }
    usleep(100000);
    check(trace_open(&t, target) == 0 && t.nthreads == 2, "two threads are traced");
    busy = hog(cpu);
    usleep(20000);
    for (int i = 0; i < TIMES; i++) {
        stopped += trace_stop(&t, LIMIT_US) == 0;
        plain += all_plain(&t);
        trace_resume(&t);
        plain += all_plain(&t);
    }
    check(stopped == TIMES, "they stop although they get no processor");
    check(plain == 2 * TIMES, "none of them is in real time after that");
    kill(busy, SIGKILL);
    kill(target, SIGKILL);
    return claims_end();
}
