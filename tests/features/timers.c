/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * timers.c - timers and clocks. */
#include "tests/features/features.h"
#include "tests/features/wait.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static bool
ticks_grow(volatile sig_atomic_t *v)
{
    sig_atomic_t from = *v;

    for (int i = 0; i < 1000 && *v <= from; i++)
        nap(5);
    return *v > from;
}

static volatile sig_atomic_t ticks[65], values_wrong;

static void
on_tick(int signo, siginfo_t *info, void *context)
{
    (void)context;
    ticks[signo]++;
    if (info->si_code == SI_TIMER && info->si_value.sival_int != signo * 11)
        values_wrong++;
}

static bool catch (int signo)
{
    struct sigaction a = { .sa_flags = SA_SIGINFO | SA_RESTART };

    a.sa_sigaction = on_tick;
    return sigaction(signo, &a, NULL) == 0;
}

static const char *
itimer(int which, int signo)
{
    struct itimerval t = { { 0, 7000 }, { 0, 7000 } };

    WANT(catch (signo) && setitimer((enum __itimer_which)which, &t, NULL) == 0);
    return NULL;
}

static const char *
itimer_goes_on(int which, int signo)
{
    struct itimerval t;
    sig_atomic_t from;

    WANT(getitimer((enum __itimer_which)which, &t) == 0);
    WANT(t.it_interval.tv_usec >= 7000 && t.it_interval.tv_usec < 12000);
    if (which == ITIMER_REAL) {
        WANT(ticks_grow(&ticks[signo]));
        return NULL;
    }
    from = ticks[signo]; /* those that count processor time have to be given some */
    for (long i = 0; i < 5000000000 && ticks[signo] <= from; i++)
        __asm__ volatile("");
    WANT(ticks[signo] > from);
    return NULL;
}

static const char *
set_up_real(void)
{
    return itimer(ITIMER_REAL, SIGALRM);
}

static const char *
check_real(void)
{
    return itimer_goes_on(ITIMER_REAL, SIGALRM);
}

static const char *
set_up_virtual(void)
{
    return itimer(ITIMER_VIRTUAL, SIGVTALRM);
}

static const char *
check_virtual(void)
{
    return itimer_goes_on(ITIMER_VIRTUAL, SIGVTALRM);
}

static const char *
set_up_prof(void)
{
    return itimer(ITIMER_PROF, SIGPROF);
}

static const char *
check_prof(void)
{
    return itimer_goes_on(ITIMER_PROF, SIGPROF);
}

/* Set long ago, far ahead. */
static const char *
set_up_alarm(void)
{
    signal(SIGALRM, SIG_DFL);
    alarm(1000);
    return NULL;
}

static const char *
check_alarm(void)
{
    struct itimerval t;

    WANT(getitimer(ITIMER_REAL, &t) == 0);
    WANT(t.it_value.tv_sec > 900 && t.it_value.tv_sec <= 1000);
    return NULL;
}

static timer_t periodic, once, silent, of_thread, cpu, absolute;

static const char *
make_timer(timer_t *timer, clockid_t clock, int notify, int signo, long ms, bool again)
{
    struct sigevent e = { .sigev_notify = notify, .sigev_signo = signo };
    struct itimerspec t = { .it_value = { ms / 1000, ms % 1000 * 1000000 } };

    e.sigev_value.sival_int = signo * 11;
    if (notify == SIGEV_THREAD_ID)
        e._sigev_un._tid = gettid();
    if (again)
        t.it_interval = t.it_value;
    WANT(notify == SIGEV_NONE || catch (signo));
    WANT(timer_create(clock, &e, timer) == 0);
    WANT(timer_settime(*timer, 0, &t, NULL) == 0);
    return NULL;
}

static const char *
set_up_periodic(void)
{
    return make_timer(&periodic, CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGRTMIN + 8, 6, true);
}

static const char *
check_periodic(void)
{
    WANT(ticks_grow(&ticks[SIGRTMIN + 8]) && values_wrong == 0);
    WANT(timer_getoverrun(periodic) >= 0);
    return NULL;
}

static const char *
set_up_once(void)
{
    return make_timer(
        &once, CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGRTMIN + 9, 500000, false);
}

static const char *
check_once(void)
{
    struct itimerspec t;

    WANT(timer_gettime(once, &t) == 0);
    WANT(t.it_value.tv_sec > 400 && t.it_value.tv_sec <= 500 &&
         t.it_interval.tv_sec == 0);
    return NULL;
}

static const char *
set_up_silent(void)
{
    return make_timer(&silent, CLOCK_REALTIME, SIGEV_NONE, 0, 300000, false);
}

static const char *
check_silent(void)
{
    struct itimerspec t;

    WANT(timer_gettime(silent, &t) == 0);
    WANT(t.it_value.tv_sec > 200 && t.it_value.tv_sec <= 300);
    return NULL;
}

static const char *
set_up_of_thread(void)
{
    return make_timer(
        &of_thread, CLOCK_MONOTONIC, SIGEV_THREAD_ID, SIGRTMIN + 10, 6, true);
}

static const char *
check_of_thread(void)
{
    WANT(ticks_grow(&ticks[SIGRTMIN + 10]));
    return NULL;
}

static const char *
set_up_cpu(void)
{
    return make_timer(
        &cpu, CLOCK_PROCESS_CPUTIME_ID, SIGEV_SIGNAL, SIGRTMIN + 11, 20, true);
}

static const char *
check_cpu(void)
{
    sig_atomic_t before = ticks[SIGRTMIN + 11];

    for (int i = 0; i < 2000 && ticks[SIGRTMIN + 11] == before; i++)
        for (int k = 0; k < 1000000; k++)
            __asm__ volatile("");
    WANT(ticks[SIGRTMIN + 11] > before);
    return NULL;
}

static const char *
set_up_absolute(void)
{
    struct sigevent e = { .sigev_notify = SIGEV_NONE };
    struct itimerspec t = { 0 };

    WANT(timer_create(CLOCK_REALTIME, &e, &absolute) == 0);
    clock_gettime(CLOCK_REALTIME, &t.it_value);
    t.it_value.tv_sec += 700;
    WANT(timer_settime(absolute, TIMER_ABSTIME, &t, NULL) == 0);
    return NULL;
}

static const char *
check_absolute(void)
{
    struct itimerspec t;

    WANT(timer_gettime(absolute, &t) == 0);
    WANT(t.it_value.tv_sec > 600 && t.it_value.tv_sec <= 700);
    return NULL;
}

/* Ids with holes: deleted ones do not come back. */
static timer_t holes[6];

static const char *
set_up_holes(void)
{
    for (int i = 0; i < 6; i++)
        WANT(!make_timer(&holes[i], CLOCK_MONOTONIC, SIGEV_NONE, 0, 9000000, false));
    for (int i = 0; i < 6; i += 2)
        WANT(timer_delete(holes[i]) == 0);
    return NULL;
}

static const char *
check_holes(void)
{
    struct itimerspec t;

    for (int i = 0; i < 6; i++)
        WANT(
            (syscall(SYS_timer_gettime, (int)(long)holes[i], &t) == 0) == (i % 2 == 1));
    return NULL;
}

static struct timespec mono_seen, boot_seen, real_seen;

static const char *
set_up_clocks(void)
{
    clock_gettime(CLOCK_MONOTONIC, &mono_seen);
    clock_gettime(CLOCK_BOOTTIME, &boot_seen);
    clock_gettime(CLOCK_REALTIME, &real_seen);
    return NULL;
}

static const char *
goes_on(clockid_t clock, struct timespec *seen)
{
    struct timespec now, raw;

    clock_gettime(clock, &now);
    syscall(SYS_clock_gettime, clock, &raw);
    WANT(now.tv_sec > seen->tv_sec ||
         (now.tv_sec == seen->tv_sec && now.tv_nsec >= seen->tv_nsec));
    WANT(now.tv_sec - seen->tv_sec < 60);
    WANT(raw.tv_sec - now.tv_sec <= 1); /* the vdso says what the kernel says */
    *seen = now;
    return NULL;
}

static const char *
check_clocks(void)
{
    const char *wrong = goes_on(CLOCK_MONOTONIC, &mono_seen);

    wrong = wrong ? wrong : goes_on(CLOCK_BOOTTIME, &boot_seen);
    return wrong ? wrong : goes_on(CLOCK_REALTIME, &real_seen);
}

static void
step_clocks(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    mono_seen = now;
}

static const char *
set_up_many(void)
{
    timer_t t;

    for (int i = 0; i < 100; i++)
        WANT(!make_timer(&t, CLOCK_MONOTONIC, SIGEV_NONE, 0, 9000000, false));
    return NULL;
}

static const struct feature rows[] = {
    { "interval timer ITIMER_REAL", NULL, 0, set_up_real, check_real, NULL },
    { "interval timer ITIMER_VIRTUAL", NULL, 0, set_up_virtual, check_virtual, NULL },
    { "interval timer ITIMER_PROF", NULL, 0, set_up_prof, check_prof, NULL },
    { "alarm() without a handler", NULL, FEATURE_ALONE, set_up_alarm, check_alarm,
        NULL },
    { "POSIX timer, periodic, with a value", NULL, 0, set_up_periodic, check_periodic,
        NULL },
    { "POSIX timer, once", NULL, 0, set_up_once, check_once, NULL },
    { "POSIX timer that only counts (SIGEV_NONE)", NULL, 0, set_up_silent, check_silent,
        NULL },
    { "POSIX timer for a thread (SIGEV_THREAD_ID)", NULL, 0, set_up_of_thread,
        check_of_thread, NULL },
    { "POSIX timer of processor time", NULL, 0, set_up_cpu, check_cpu, NULL },
    { "POSIX timer at an absolute time", NULL, 0, set_up_absolute, check_absolute,
        NULL },
    { "POSIX timer ids with holes", NULL, 0, set_up_holes, check_holes, NULL },
    { "monotonic, boot and real time go on", NULL, 0, set_up_clocks, check_clocks,
        step_clocks },
    { "more than 64 POSIX timers", "timers", FEATURE_ALONE, set_up_many, NULL, NULL },
};

AREA(area_timers, "Timers and clocks", rows);
