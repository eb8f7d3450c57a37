/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * killed_test.c - a traced process that is killed has ended for who traces it, also one
 * that was just making a thread: the thread that it makes is ours, and nobody has
 * told of it (one of 750). */
#include "tests/scenario/claims.h"

#include "lib/loop.h"
#include "sockmig/ckpt/trace.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define TIMES 1500u
#define PATIENCE_US 5000000

static void *
nothing(void *arg)
{
    return arg;
}

/* Until it is killed. */
static void
make_threads(int ready)
{
    pthread_attr_t detached;
    pthread_t thread;

    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    if (write(ready, "", 1) != 1)
        return;
    for (;;)
        pthread_create(&thread, &detached, nothing, NULL);
}

static pid_t
begin(void)
{
    int ready[2];
    char byte;
    pid_t pid;

    if (pipe(ready) < 0)
        exit(EXIT_FAILURE);
    pid = fork();
    if (pid == 0) {
        make_threads(ready[1]);
        _exit(1);
    }
    close(ready[1]);
    if (pid < 0 || read(ready[0], &byte, 1) != 1)
        exit(EXIT_FAILURE);
    close(ready[0]);
    return pid;
}

/* False: it has not ended. */
static bool
ends(unsigned after_us)
{
    static struct trace t;
    pid_t pid = begin();
    struct mono killed;
    bool ended;

    if (trace_open(&t, pid) < 0)
        exit(EXIT_FAILURE);
    trace_serve(&t, mono_add_us(mono_clock(), after_us), -1);
    kill(pid, SIGKILL);
    killed = mono_clock();
    while (!t.ended && mono_us_between(killed, mono_clock()) < PATIENCE_US)
        trace_serve(&t, mono_add_ms(mono_clock(), 10), -1);
    ended = t.ended;
    trace_close(&t);
    return ended;
}

int
main(void)
{
    unsigned ended = 0;

    for (unsigned i = 0; i < TIMES; i++)
        ended += ends(300 + i * 7 % 3000);
    check(ended == TIMES, "each has ended");
    return claims_end();
}
