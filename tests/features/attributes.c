/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * attributes.c - what belongs to one thread, as that thread sees it. */
#include "tests/features/features.h"
#include "tests/features/wait.h"

#include <linux/ioprio.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static char alternate[65536];

/* An attribute of a thread that is not the leader is looked at by that thread. */
struct helper {
    const char *(*set)(void);
    const char *(*look)(void);
    atomic_long orders, done;
    const char *wrong;
};

static void *
help(void *arg)
{
    struct helper *h = arg;

    h->wrong = h->set();
    h->done = 1;
    for (long n = 1;; nap(1))
        if (h->orders >= n) {
            h->wrong = h->look();
            h->done = ++n;
        }
    return NULL;
}

static const char *
helper_start(struct helper *h)
{
    WANT(start_thread(help, h) && grows(&h->done, 0));
    return h->wrong;
}

static const char *
helper_ask(struct helper *h)
{
    long n = ++h->orders;

    WANT(grows(&h->done, n));
    return h->wrong;
}

#define OF_A_THREAD(name)                                                              \
    static const char *set_up_##name(void)                                             \
    {                                                                                  \
        static struct helper h = { set_##name, look_##name, 0, 0, NULL };              \
        helper_##name = &h;                                                            \
        return helper_start(&h);                                                       \
    }                                                                                  \
    static const char *check_##name(void)                                              \
    {                                                                                  \
        return helper_ask(helper_##name);                                              \
    }

static struct helper *helper_affinity, *helper_nice, *helper_fifo, *helper_batch,
    *helper_ioprio, *helper_slack, *helper_altstack, *helper_mask, *helper_ids,
    *helper_reset;

static const char *
set_affinity(void)
{
    cpu_set_t one;

    CPU_ZERO(&one);
    CPU_SET(1, &one);
    if (sched_setaffinity(0, sizeof one, &one) < 0)
        return "skip: one processor";
    return NULL;
}

static const char *
look_affinity(void)
{
    cpu_set_t now;

    WANT(sched_getaffinity(0, sizeof now, &now) == 0);
    WANT(CPU_COUNT(&now) == 1 && CPU_ISSET(1, &now));
    return NULL;
}

OF_A_THREAD(affinity)

static const char *
set_nice(void)
{
    WANT(setpriority(PRIO_PROCESS, (id_t)gettid(), 7) == 0);
    return NULL;
}

static const char *
look_nice(void)
{
    WANT(getpriority(PRIO_PROCESS, (id_t)gettid()) == 7);
    WANT(getpriority(PRIO_PROCESS, (id_t)getpid()) == 0);
    return NULL;
}

OF_A_THREAD(nice)

static const char *
set_fifo(void)
{
    struct sched_param p = { .sched_priority = 3 };

    WANT(sched_setscheduler(0, SCHED_FIFO, &p) == 0);
    return NULL;
}

static const char *
look_fifo(void)
{
    struct sched_param p;

    WANT(sched_getscheduler(0) == SCHED_FIFO);
    WANT(sched_getparam(0, &p) == 0 && p.sched_priority == 3);
    return NULL;
}

OF_A_THREAD(fifo)

static const char *
set_batch(void)
{
    struct sched_param p = { 0 };

    WANT(sched_setscheduler(0, SCHED_BATCH, &p) == 0);
    return NULL;
}

static const char *
look_batch(void)
{
    WANT(sched_getscheduler(0) == SCHED_BATCH);
    return NULL;
}

OF_A_THREAD(batch)

static const char *
set_reset(void)
{
    struct sched_param p = { .sched_priority = 2 };

    WANT(sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &p) == 0);
    return NULL;
}

static const char *
look_reset(void)
{
    WANT(sched_getscheduler(0) == (SCHED_RR | SCHED_RESET_ON_FORK));
    return NULL;
}

OF_A_THREAD(reset)

static const char *
set_ioprio(void)
{
    WANT(syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0,
             IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, 6)) == 0);
    return NULL;
}

static const char *
look_ioprio(void)
{
    WANT(syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0) ==
         IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, 6));
    return NULL;
}

OF_A_THREAD(ioprio)

static const char *
set_slack(void)
{
    WANT(prctl(PR_SET_TIMERSLACK, 123456) == 0);
    return NULL;
}

static const char *
look_slack(void)
{
    WANT(prctl(PR_GET_TIMERSLACK) == 123456);
    return NULL;
}

OF_A_THREAD(slack)

static const char *
set_altstack(void)
{
    stack_t s = { .ss_sp = alternate, .ss_size = sizeof alternate };

    WANT(sigaltstack(&s, NULL) == 0);
    return NULL;
}

static const char *
look_altstack(void)
{
    stack_t s;

    WANT(sigaltstack(NULL, &s) == 0);
    WANT(s.ss_sp == alternate && s.ss_size == sizeof alternate && s.ss_flags == 0);
    return NULL;
}

OF_A_THREAD(altstack)

static const char *
set_mask(void)
{
    sigset_t s;

    sigemptyset(&s);
    sigaddset(&s, SIGUSR1);
    sigaddset(&s, SIGRTMIN + 5);
    WANT(pthread_sigmask(SIG_SETMASK, &s, NULL) == 0);
    return NULL;
}

static const char *
look_mask(void)
{
    sigset_t s;

    WANT(pthread_sigmask(SIG_SETMASK, NULL, &s) == 0);
    WANT(sigismember(&s, SIGUSR1) && sigismember(&s, SIGRTMIN + 5));
    WANT(!sigismember(&s, SIGUSR2) && !sigismember(&s, SIGINT));
    return NULL;
}

OF_A_THREAD(mask)

static pid_t id_then;

static const char *
set_ids(void)
{
    id_then = gettid();
    return NULL;
}

static const char *
look_ids(void)
{
    WANT(gettid() == id_then && syscall(SYS_gettid) == id_then);
    WANT(tgkill(getpid(), id_then, 0) == 0);
    return NULL;
}

OF_A_THREAD(ids)

static const char *
set_up_deadline(void)
{
    struct {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime, deadline, period;
    } a = { 48, SCHED_DEADLINE, 0, 0, 0, 1000000, 50000000, 50000000 };

    if (syscall(SYS_sched_setattr, 0, &a, 0) < 0)
        return "skip: no deadline scheduling here";
    return NULL;
}

static const struct feature rows[] = {
    { "thread id", NULL, 0, set_up_ids, check_ids, NULL },
    { "alternate signal stack", NULL, 0, set_up_altstack, check_altstack, NULL },
    { "signal mask of a thread", NULL, 0, set_up_mask, check_mask, NULL },
    { "processor affinity of a thread", NULL, 0, set_up_affinity, check_affinity,
        NULL },
    { "nice value of a thread", NULL, 0, set_up_nice, check_nice, NULL },
    { "SCHED_FIFO", NULL, 0, set_up_fifo, check_fifo, NULL },
    { "SCHED_BATCH", NULL, 0, set_up_batch, check_batch, NULL },
    { "SCHED_RR with reset on fork", NULL, 0, set_up_reset, check_reset, NULL },
    { "I/O priority", NULL, 0, set_up_ioprio, check_ioprio, NULL },
    { "timer slack", NULL, 0, set_up_slack, check_slack, NULL },
    { "SCHED_DEADLINE", "deadline", FEATURE_ALONE, set_up_deadline, NULL, NULL },
};

AREA(area_attributes, "Attributes of a thread", rows);
