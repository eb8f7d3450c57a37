/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * signals.c - actions, pending signals. */
#include "tests/features/features.h"
#include "tests/features/wait.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t caught;

static void
on_signal(int signo, siginfo_t *info, void *context)
{
    (void)context;
    (void)info;
    caught = signo;
}

static const char *
set_up_actions(void)
{
    struct sigaction a = { .sa_flags = SA_SIGINFO | SA_RESTART | SA_NODEFER };

    a.sa_sigaction = on_signal;
    sigaddset(&a.sa_mask, SIGUSR2);
    WANT(sigaction(SIGWINCH, &a, NULL) == 0);
    a.sa_handler = SIG_IGN;
    a.sa_flags = 0;
    WANT(sigaction(SIGTTOU, &a, NULL) == 0);
    return NULL;
}

static const char *
check_actions(void)
{
    struct sigaction a;

    WANT(sigaction(SIGWINCH, NULL, &a) == 0 && a.sa_sigaction == on_signal);
    WANT((a.sa_flags & (SA_SIGINFO | SA_RESTART | SA_NODEFER)) ==
         (SA_SIGINFO | SA_RESTART | SA_NODEFER));
    WANT(sigismember(&a.sa_mask, SIGUSR2) && !sigismember(&a.sa_mask, SIGUSR1));
    WANT(sigaction(SIGTTOU, NULL, &a) == 0 && a.sa_handler == SIG_IGN);
    caught = 0;
    WANT(raise(SIGWINCH) == 0 && caught == SIGWINCH);
    return NULL;
}

/* Blocked and sent: it waits, with its value. */
static void
block(int signo)
{
    sigset_t s;

    sigemptyset(&s);
    sigaddset(&s, signo);
    pthread_sigmask(SIG_BLOCK, &s, NULL);
}

static int
take(int signo, siginfo_t *info)
{
    struct timespec none = { 0, 0 };
    sigset_t s;

    sigemptyset(&s);
    sigaddset(&s, signo);
    return sigtimedwait(&s, info, &none);
}

#define QUEUED (SIGRTMIN + 3)

static const char *
set_up_queue(void)
{
    block(QUEUED);
    for (int i = 1; i <= 3; i++)
        WANT(sigqueue(getpid(), QUEUED, (union sigval){ .sival_int = i * 1000 }) == 0);
    return NULL;
}

static const char *
check_queue(void)
{
    siginfo_t info;

    for (int i = 1; i <= 3; i++) {
        WANT(take(QUEUED, &info) == QUEUED);
        WANT(info.si_value.sival_int == i * 1000 && info.si_code == SI_QUEUE);
        WANT(info.si_pid == getpid() && info.si_uid == getuid());
    }
    WANT(take(QUEUED, &info) < 0);
    return set_up_queue();
}

static const char *
set_up_pending(void)
{
    block(SIGURG);
    WANT(kill(getpid(), SIGURG) == 0);
    return NULL;
}

static const char *
check_pending(void)
{
    siginfo_t info;

    WANT(take(SIGURG, &info) == SIGURG && info.si_code == SI_USER);
    WANT(take(SIGURG, &info) < 0);
    return set_up_pending();
}

static const char *
set_up_own(void)
{
    block(SIGIO);
    WANT(syscall(SYS_tgkill, getpid(), gettid(), SIGIO) == 0);
    return NULL;
}

/* For this thread, not for the process. */
static const char *
check_own(void)
{
    char path[64], text[2048] = "";
    siginfo_t info;
    int fd;

    snprintf(path, sizeof path, "/proc/thread-self/status");
    fd = open(path, O_RDONLY);
    WANT(fd >= 0 && read(fd, text, sizeof text - 1) > 0 && close(fd) == 0);
    WANT(strstr(text, "SigPnd:\t0000000010000000"));
    WANT(take(SIGIO, &info) == SIGIO);
    /* glibc makes SI_USER of SI_TKILL */
    WANT(info.si_code == SI_USER && info.si_pid == getpid());
    return set_up_own();
}

/* A thread inside a handler, on its alternate stack, when it is taken. */
static char stack[65536];
static atomic_long in_handler, leave_handler, left_handler, handler_errors;

static void
on_long_signal(int signo)
{
    char here;

    (void)signo;
    if (&here < stack || &here >= stack + sizeof stack)
        handler_errors++;
    in_handler++;
    while (!leave_handler)
        nap(1);
}

static void *
run_handler(void *arg)
{
    struct sigaction a = { .sa_handler = on_long_signal, .sa_flags = SA_ONSTACK };
    stack_t s = { .ss_sp = stack, .ss_size = sizeof stack };
    sigset_t others;

    (void)arg;
    sigfillset(&others);
    sigdelset(&others, SIGPWR);
    pthread_sigmask(SIG_BLOCK, &others, NULL);
    sigaltstack(&s, NULL);
    sigaction(SIGPWR, &a, NULL);
    for (;; nap(1)) {
        syscall(SYS_tgkill, getpid(), gettid(), SIGPWR);
        left_handler++;
    }
    return NULL;
}

static const char *
set_up_handler(void)
{
    pthread_t t;

    WANT(pthread_create(&t, NULL, run_handler, NULL) == 0);
    for (int i = 0; i < 1000 && !in_handler; i++)
        nap(5);
    WANT(in_handler == 1);
    return NULL;
}

static const char *
check_handler(void)
{
    long left = left_handler, entered = in_handler;

    leave_handler = 1;
    for (int i = 0; i < 1000 && (left_handler == left || in_handler == entered); i++)
        nap(5);
    WANT(left_handler > left && in_handler > entered);
    leave_handler = 0;
    for (int i = 0; i < 1000 && in_handler == left_handler; i++)
        nap(5);
    WANT(in_handler == left_handler + 1); /* inside again */
    WANT(handler_errors == 0);
    return NULL;
}

/* Waits in sigtimedwait() over the takeover. */
static atomic_long waited;

static void *
wait_for_signal(void *arg)
{
    sigset_t s;

    (void)arg;
    sigemptyset(&s);
    sigaddset(&s, SIGRTMIN + 6);
    for (;;)
        if (sigwaitinfo(&s, NULL) == SIGRTMIN + 6)
            waited++;
    return NULL;
}

static const char *
set_up_wait(void)
{
    pthread_t t;

    block(SIGRTMIN + 6);
    WANT(pthread_create(&t, NULL, wait_for_signal, NULL) == 0);
    return NULL;
}

static const char *
check_wait(void)
{
    long before = waited;

    WANT(kill(getpid(), SIGRTMIN + 6) == 0);
    for (int i = 0; i < 1000 && waited == before; i++)
        nap(5);
    WANT(waited == before + 1);
    return NULL;
}

static const char *
set_up_trap(void)
{
    WANT(signal(SIGTRAP, SIG_IGN) != SIG_ERR);
    return NULL;
}

static const char *
check_trap(void)
{
    struct sigaction a;

    WANT(sigaction(SIGTRAP, NULL, &a) == 0 && a.sa_handler == SIG_IGN);
    WANT(raise(SIGTRAP) == 0);
    return NULL;
}

static const char *
set_up_blocked_trap(void)
{
    block(SIGTRAP);
    WANT(kill(getpid(), SIGTRAP) == 0);
    return NULL;
}

static const char *
check_blocked_trap(void)
{
    siginfo_t info;

    WANT(take(SIGTRAP, &info) == SIGTRAP && info.si_code == SI_USER);
    return set_up_blocked_trap();
}

static const char *
set_up_many(void)
{
    block(SIGRTMIN + 7);
    for (int i = 0; i < 100; i++)
        WANT(kill(getpid(), SIGRTMIN + 7) == 0);
    return NULL;
}

static const struct feature rows[] = {
    { "signal actions, with flags and masks", NULL, 0, set_up_actions, check_actions,
        NULL },
    { "queued real-time signals with values", NULL, 0, set_up_queue, check_queue,
        NULL },
    { "pending signal of the process", NULL, 0, set_up_pending, check_pending, NULL },
    { "pending signal of a thread", NULL, 0, set_up_own, check_own, NULL },
    { "thread inside a handler on its alternate stack", NULL, 0, set_up_handler,
        check_handler, NULL },
    { "thread waiting for a signal", NULL, 0, set_up_wait, check_wait, NULL },
    { "SIGTRAP ignored", NULL, FEATURE_ALONE, set_up_trap, check_trap, NULL },
    { "SIGTRAP blocked and pending", NULL, FEATURE_ALONE, set_up_blocked_trap,
        check_blocked_trap, NULL },
    { "more than 64 pending signals", "pending signals", FEATURE_ALONE, set_up_many,
        NULL, NULL },
};

AREA(area_signals, "Signals", rows);
