/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * threads.c - registers, and threads at work: waiting, beginning, ending. */
#include "tests/features/features.h"
#include "tests/features/wait.h"

#include <asm/prctl.h>
#include <fenv.h>
#include <linux/prctl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* General and vector registers hold their values over a loop without memory. */
static atomic_long spins, spin_errors;

static void *
spin(void *arg)
{
    (void)arg;
    for (;;) {
        uint64_t a = 0x1122334455667788, b = 0, n = 200000;
        double x = 1.5, y = 0;

        __asm__ volatile("mov %[a], %%r12\n mov %[a], %%r15\n movq %[x], %%xmm15\n"
                         "1: add $1, %%r15\n sub $1, %%r15\n dec %[n]\n jnz 1b\n"
                         "mov %%r12, %[b]\n xor %%r15, %[b]\n movq %%xmm15, %[y]\n"
                         : [b] "=&r"(b), [y] "=&x"(y), [n] "+r"(n)
                         : [a] "r"(a), [x] "x"(x)
                         : "r12", "r15", "xmm15", "cc");
        if (b != 0 || y != x)
            spin_errors++;
        spins++;
    }
    return NULL;
}

static const char *
set_up_spin(void)
{
    WANT(start_thread(spin, NULL));
    return NULL;
}

static const char *
check_spin(void)
{
    WANT(grows(&spins, spins));
    WANT(spin_errors == 0);
    return NULL;
}

static const char *
set_up_rounding(void)
{
    WANT(fesetround(FE_UPWARD) == 0);
    return NULL;
}

static const char *
check_rounding(void)
{
    volatile double one = 1, three = 3;
    uint32_t mxcsr;
    uint16_t control;

    __asm__ volatile("stmxcsr %0\n fnstcw %1" : "=m"(mxcsr), "=m"(control));
    WANT((mxcsr >> 13 & 3) == 2 && (control >> 10 & 3) == 2);
    WANT(one / three * three > 1);
    return NULL;
}

static const char *
set_up_gs(void)
{
    static uint64_t there = 77;

    WANT(syscall(SYS_arch_prctl, ARCH_SET_GS, &there) == 0);
    return NULL;
}

static const char *
check_gs(void)
{
    uint64_t v;

    __asm__ volatile("mov %%gs:0, %0" : "=r"(v));
    WANT(v == 77);
    return NULL;
}

/* Many threads, each with its own data. */
#define MANY 24
static _Thread_local long own;
static atomic_long many_turns[MANY], many_errors;

static void *
one_of_many(void *arg)
{
    long number = (long)(intptr_t)arg;
    char name[16] = "many-", now[16];

    own = number;
    name[5] = (char)('a' + number);
    prctl(PR_SET_NAME, name);
    for (;; nap(2)) {
        prctl(PR_GET_NAME, now);
        if (own != number || strcmp(name, now) != 0)
            many_errors++;
        many_turns[number]++;
    }
    return NULL;
}

static const char *
set_up_many(void)
{
    for (intptr_t i = 0; i < MANY; i++)
        WANT(start_thread(one_of_many, (void *)i));
    return NULL;
}

static const char *
check_many(void)
{
    for (int i = 0; i < MANY; i++)
        WANT(grows(&many_turns[i], many_turns[i]));
    WANT(many_errors == 0);
    return NULL;
}

/* A thread waits for ever in a futex; another wakes it after the takeover. */
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t opened = PTHREAD_COND_INITIALIZER;
static atomic_long entries, passes;

static void *
wait_at_gate(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&gate);
    for (;;) {
        long seen = entries;

        while (entries == seen)
            pthread_cond_wait(&opened, &gate);
        passes++;
    }
    return NULL;
}

static const char *
set_up_futex(void)
{
    WANT(start_thread(wait_at_gate, NULL));
    nap(5);
    return NULL;
}

static const char *
check_futex(void)
{
    long before = passes;

    pthread_mutex_lock(&gate);
    entries++;
    pthread_cond_signal(&opened);
    pthread_mutex_unlock(&gate);
    WANT(grows(&passes, before));
    return NULL;
}

/* The kernel marks the mutex of a thread that ends: it has the list's address. */
static pthread_mutex_t robust;
static atomic_long robust_held, robust_let_go;

static void *
hold_robust(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&robust);
    for (robust_held = 1; !robust_let_go; nap(1))
        ;
    return NULL; /* with the mutex locked */
}

static const char *
set_up_robust(void)
{
    pthread_mutexattr_t attr;

    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&robust, &attr);
    robust_held = robust_let_go = 0;
    WANT(start_thread(hold_robust, NULL));
    WANT(grows(&robust_held, 0));
    return NULL;
}

static const char *
check_robust(void)
{
    struct timespec limit;

    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += 5;
    robust_let_go = 1;
    WANT(pthread_mutex_timedlock(&robust, &limit) == EOWNERDEAD);
    pthread_mutex_consistent(&robust);
    pthread_mutex_unlock(&robust);
    return set_up_robust();
}

static char alternate[65536];

/* The id of a thread is cleared at its end: join() waits for that. */
static pthread_t joined;
static atomic_long join_go;

static void *
end_when_told(void *arg)
{
    while (!join_go)
        nap(1);
    return arg;
}

static const char *
set_up_join(void)
{
    join_go = 0;
    WANT(pthread_create(&joined, NULL, end_when_told, alternate) == 0);
    return NULL;
}

static const char *
check_join(void)
{
    struct timespec limit;
    void *result;

    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += 5;
    join_go = 1;
    WANT(pthread_timedjoin_np(joined, &result, &limit) == 0 && result == alternate);
    return set_up_join();
}

static const char *
set_up_rseq(void)
{
    WANT(__rseq_size > 0);
    return NULL;
}

static const char *
check_rseq(void)
{
    const volatile struct rseq *r =
        (const volatile struct rseq *)((char *)__builtin_thread_pointer() +
                                       __rseq_offset);
    cpu_set_t was, one;

    sched_getaffinity(0, sizeof was, &was);
    for (unsigned cpu = 0; cpu < 2; cpu++) {
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        if (!CPU_ISSET(cpu, &was))
            continue;
        WANT(sched_setaffinity(0, sizeof one, &one) == 0);
        WANT(r->cpu_id == cpu); /* the kernel writes it */
    }
    WANT(sched_setaffinity(0, sizeof was, &was) == 0);
    return NULL;
}

/* One call that sleeps over the takeover, and ends after it. */
static atomic_long naps, interrupted_naps;

static void *
sleep_long(void *arg)
{
    struct timespec t = { 0, 150000000 };

    (void)arg;
    for (;; naps++)
        if (clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL) != 0)
            interrupted_naps++;
    return NULL;
}

static const char *
set_up_sleep(void)
{
    WANT(start_thread(sleep_long, NULL));
    return NULL;
}

static const char *
check_sleep(void)
{
    WANT(grows(&naps, naps + 1) && interrupted_naps == 0);
    return NULL;
}

/* Calls without a limit that many programs do not expect to be interrupted. */
static int polled[2];
static atomic_long polls, interrupted_polls;

static void *
poll_for_ever(void *arg)
{
    struct pollfd pfd = { .fd = polled[0], .events = POLLIN };
    char c;

    (void)arg;
    for (;;)
        if (poll(&pfd, 1, -1) < 0)
            interrupted_polls++;
        else if (read(polled[0], &c, 1) == 1)
            polls++;
    return NULL;
}

static const char *
set_up_poll(void)
{
    WANT(pipe(polled) == 0 && start_thread(poll_for_ever, NULL));
    return NULL;
}

static const char *
check_poll(void)
{
    long before = polls;

    WANT(write(polled[1], "x", 1) == 1 && grows(&polls, before));
    WANT(interrupted_polls == 0);
    return NULL;
}

static const char *
set_up_new_thread(void)
{
    return NULL;
}

static const char *
check_new_thread(void)
{
    pthread_t t;

    join_go = 1;
    WANT(pthread_create(&t, NULL, end_when_told, NULL) == 0);
    WANT(pthread_join(t, NULL) == 0);
    return NULL;
}

static const char *
set_up_user_dispatch(void)
{
    static char selector;

    WANT(prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, 0, ~0ul >> 1,
             &selector) == 0);
    return NULL;
}

static const char *
set_up_no_tsc(void)
{
    WANT(prctl(PR_SET_TSC, PR_TSC_SIGSEGV) == 0);
    return NULL;
}

static const char *
check_no_tsc(void)
{
    int now = 0;

    WANT(prctl(PR_GET_TSC, &now) == 0 && now == PR_TSC_SIGSEGV);
    return NULL;
}

static const char *
set_up_ioperm(void)
{
    if (syscall(SYS_ioperm, 0x80, 1, 1) < 0)
        return "skip: no ioperm";
    return NULL;
}

static const char *
set_up_ldt(void)
{
    struct {
        unsigned entry, base, limit, flags;
    } e = { 0, 0, 0xfffff, 0x51 };

    if (syscall(SYS_modify_ldt, 1, &e, sizeof e) < 0)
        return "skip: no modify_ldt";
    return NULL;
}

static const struct feature rows[] = {
    { "general and vector registers", NULL, 0, set_up_spin, check_spin, NULL },
    { "rounding mode (MXCSR, x87)", NULL, FEATURE_ALONE, set_up_rounding,
        check_rounding, NULL },
    { "gs base", NULL, 0, set_up_gs, check_gs, NULL },
    { "24 threads with names and thread-local data", NULL, 0, set_up_many, check_many,
        NULL },
    { "thread waiting in a futex", NULL, 0, set_up_futex, check_futex, NULL },
    { "thread in a sleep, not interrupted", NULL, 0, set_up_sleep, check_sleep, NULL },
    { "thread in poll(), not interrupted", NULL, 0, set_up_poll, check_poll, NULL },
    { "robust mutex of a thread that ends", NULL, 0, set_up_robust, check_robust,
        NULL },
    { "joining a thread", NULL, 0, set_up_join, check_join, NULL },
    { "making a thread", NULL, 0, set_up_new_thread, check_new_thread, NULL },
    { "restartable sequences (rseq)", NULL, 0, set_up_rseq, check_rseq, NULL },
    { "syscall user dispatch", "user dispatch", FEATURE_ALONE, set_up_user_dispatch,
        NULL, NULL },
    { "time stamp counter forbidden (PR_SET_TSC)", NULL, FEATURE_ALONE, set_up_no_tsc,
        check_no_tsc, NULL },
    { "I/O ports (ioperm)", "I/O ports", FEATURE_ALONE, set_up_ioperm, NULL, NULL },
    { "local descriptor table (modify_ldt)", "descriptor table", FEATURE_ALONE,
        set_up_ldt, NULL, NULL },
};

AREA(area_threads, "Threads", rows);
