/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * boost_test.c - which threads of a family run in real time while it is boosted, and
 * that all have their own scheduling afterwards. */
#include "sockmig/boost.h"
#include "tests/scenario/claims.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define NICE 5

/* Process, its second thread, its child, its nice child; the child's child is made when
 * it is told to. */
enum { LEADER, THREAD, CHILD, NICE_CHILD, LATE, MEMBERS };

struct family {
    pid_t ids[MEMBERS];
    int say[2], told[2]; /* to the child, and from all */
};

static void
tell(const struct family *f, int who, pid_t id)
{
    int words[2] = { who, id };

    if (write(f->told[1], words, sizeof words) < 0)
        _exit(1);
}

static void *
thread(void *arg)
{
    tell(arg, THREAD, gettid());
    pause();
    return NULL;
}

static pid_t
born(void)
{
    pid_t pid = fork();

    if (pid == 0)
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    return pid;
}

static void
child(struct family *f)
{
    char c;

    tell(f, CHILD, getpid());
    if (read(f->say[0], &c, 1) == 1 && born() == 0) {
        tell(f, LATE, getpid());
        pause();
    }
    pause();
}

static void
leader(struct family *f)
{
    pthread_t t;

    if (born() == 0)
        child(f);
    if (born() == 0) {
        setpriority(PRIO_PROCESS, 0, NICE);
        tell(f, NICE_CHILD, getpid());
        pause();
    }
    pthread_create(&t, NULL, thread, f);
    tell(f, LEADER, getpid());
    pause();
}

static void
hear(struct family *f, unsigned n)
{
    int words[2];

    while (n-- > 0 && read(f->told[0], words, sizeof words) == sizeof words)
        f->ids[words[0]] = words[1];
}

static bool
real_time(const struct family *f, int who)
{
    return (sched_getscheduler(f->ids[who]) & ~SCHED_RESET_ON_FORK) == SCHED_RR;
}

static void
claims(struct family *f, struct boost *b)
{
    hear(f, 4);
    boost_begin(b, f->ids[LEADER]);
    check(real_time(f, LEADER) && real_time(f, THREAD), "all threads of the process");
    check(real_time(f, CHILD), "its descendants, too");
    check(!real_time(f, NICE_CHILD), "who chose its scheduling keeps it");
    if (write(f->say[1], "", 1) == 1)
        hear(f, 1);
    check(f->ids[LATE] && sched_getscheduler(f->ids[LATE]) == SCHED_OTHER,
        "who is born meanwhile is as if there were no boost");
    boost_end(b);
    for (int i = 0; i < MEMBERS; i++)
        check(sched_getscheduler(f->ids[i]) == SCHED_OTHER &&
                  getpriority(PRIO_PROCESS, (id_t)f->ids[i]) ==
                      (i == NICE_CHILD ? NICE : 0),
            "afterwards each has its own");
}

static bool
may_be_raised(void)
{
    struct sched_param p = { .sched_priority = 1 };
    bool may = sched_setscheduler(0, SCHED_RR, &p) == 0;

    p.sched_priority = 0;
    sched_setscheduler(0, SCHED_OTHER, &p);
    return may;
}

int
main(void)
{
    struct family f = { 0 };
    struct boost b = { 0 };
    pid_t pid;

    setpriority(PRIO_PROCESS, 0, 0); /* make may have been called nicely */
    if (!may_be_raised() || getpriority(PRIO_PROCESS, 0) != 0) {
        printf("skipped: no real time for this user (%s)\n", strerror(errno));
        return 77;
    }
    if (pipe(f.say) < 0 || pipe(f.told) < 0)
        return EXIT_FAILURE;
    pid = born();
    if (pid == 0)
        leader(&f);
    alarm(20);
    claims(&f, &b);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return claims_end();
}
