/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * events.c - epoll, eventfd, timerfd, signalfd, inotify. */
#include "tests/features/features.h"
#include "tests/features/wait.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static int count, semaphore;
static uint64_t counted;

static void
step_count(void)
{
    uint64_t one = 1;

    counted += write(count, &one, sizeof one) == sizeof one;
}

static const char *
set_up_count(void)
{
    count = eventfd(7, EFD_NONBLOCK);
    semaphore = eventfd(3, EFD_NONBLOCK | EFD_SEMAPHORE);
    WANT(count >= 0 && semaphore >= 0);
    counted = 7;
    return NULL;
}

static const char *
check_count(void)
{
    uint64_t v, three = 3;

    WANT(read(count, &v, sizeof v) == sizeof v && v == counted);
    counted = 0;
    for (int i = 0; i < 3; i++)
        WANT(read(semaphore, &v, sizeof v) == sizeof v && v == 1);
    WANT(read(semaphore, &v, sizeof v) < 0 && errno == EAGAIN);
    WANT(write(semaphore, &three, sizeof three) == sizeof three);
    return NULL;
}

static int periodic, once, expired, absolute;

static const char *
set_up_timers(void)
{
    struct itimerspec often = { { 0, 5000000 }, { 0, 5000000 } };
    struct itimerspec late = { { 0, 0 }, { 600, 0 } }, soon = { { 0, 0 }, { 0, 1 } };
    struct itimerspec at = { { 0, 0 }, { 0, 0 } };

    periodic = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    once = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK);
    expired = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    absolute = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);
    clock_gettime(CLOCK_REALTIME, &at.it_value);
    at.it_value.tv_sec += 900;
    WANT(timerfd_settime(periodic, 0, &often, NULL) == 0);
    WANT(timerfd_settime(once, 0, &late, NULL) == 0);
    WANT(timerfd_settime(expired, 0, &soon, NULL) == 0);
    WANT(timerfd_settime(absolute, TFD_TIMER_ABSTIME, &at, NULL) == 0);
    nap(2);
    return NULL;
}

static const char *
check_timers(void)
{
    struct itimerspec t, soon = { { 0, 0 }, { 0, 1 } };
    uint64_t n;

    WANT(timerfd_gettime(once, &t) == 0 && t.it_value.tv_sec > 500);
    WANT(timerfd_gettime(absolute, &t) == 0);
    WANT(t.it_value.tv_sec > 800 && t.it_value.tv_sec <= 900);
    WANT(read(expired, &n, sizeof n) == sizeof n && n == 1);
    WANT(read(expired, &n, sizeof n) < 0 && errno == EAGAIN);
    WANT(timerfd_settime(expired, 0, &soon, NULL) == 0);
    while (read(periodic, &n, sizeof n) == sizeof n)
        ;
    nap(20);
    WANT(read(periodic, &n, sizeof n) == sizeof n && n > 0 && n < 1000);
    return NULL;
}

static int signals;

static const char *
set_up_signals(void)
{
    sigset_t s;

    sigemptyset(&s);
    sigaddset(&s, SIGRTMIN + 12);
    WANT(sigprocmask(SIG_BLOCK, &s, NULL) == 0);
    signals = signalfd(-1, &s, SFD_NONBLOCK | SFD_CLOEXEC);
    WANT(signals >= 0);
    for (int i = 1; i < 4; i++)
        WANT(sigqueue(getpid(), SIGRTMIN + 12, (union sigval){ .sival_int = i }) == 0);
    return NULL;
}

static const char *
check_signals(void)
{
    struct signalfd_siginfo info;

    for (int i = 1; i < 4; i++) {
        WANT(read(signals, &info, sizeof info) == sizeof info);
        WANT(info.ssi_signo == (uint32_t)SIGRTMIN + 12 && info.ssi_int == i);
    }
    WANT(read(signals, &info, sizeof info) < 0 && errno == EAGAIN);
    WANT(close(signals) == 0);
    return set_up_signals();
}

static int set, watched[2];

static const char *
set_up_epoll(void)
{
    struct epoll_event ev = { .events = EPOLLIN, .data.u64 = 0xabcdef0123456789 };

    set = epoll_create1(EPOLL_CLOEXEC);
    WANT(pipe(watched) == 0);
    WANT(epoll_ctl(set, EPOLL_CTL_ADD, watched[0], &ev) == 0);
    WANT(write(watched[1], "x", 1) == 1);
    return NULL;
}

static const char *
check_epoll(void)
{
    struct epoll_event ev = { 0 };
    char c;

    WANT(epoll_wait(set, &ev, 1, 0) == 1 && ev.data.u64 == 0xabcdef0123456789);
    WANT(ev.events == EPOLLIN);
    WANT(read(watched[0], &c, 1) == 1 && epoll_wait(set, &ev, 1, 0) == 0);
    WANT(write(watched[1], "x", 1) == 1);
    WANT(fcntl(set, F_GETFD) == FD_CLOEXEC);
    return NULL;
}

/* Edge-triggered and one-shot: an armed one reports, one that reported does not. */
static int edge_set, edge[2], shot[2];

static const char *
set_up_edge(void)
{
    struct epoll_event ev = { .events = EPOLLIN | EPOLLET, .data.u64 = 1 };
    struct epoll_event one = { .events = EPOLLIN | EPOLLONESHOT, .data.u64 = 2 };

    edge_set = epoll_create1(0);
    WANT(pipe(edge) == 0 && pipe(shot) == 0);
    WANT(epoll_ctl(edge_set, EPOLL_CTL_ADD, edge[0], &ev) == 0);
    WANT(epoll_ctl(edge_set, EPOLL_CTL_ADD, shot[0], &one) == 0);
    WANT(write(shot[1], "s", 1) == 1);
    WANT(epoll_wait(edge_set, &ev, 1, 0) == 1 && ev.data.u64 == 2);
    return NULL;
}

static const char *
check_edge(void)
{
    struct epoll_event ev[4];
    char c;

    WANT(epoll_wait(edge_set, ev, 4, 0) == 0); /* the shot was fired */
    WANT(write(edge[1], "e", 1) == 1);
    WANT(epoll_wait(edge_set, ev, 4, 0) == 1 && ev[0].data.u64 == 1);
    WANT(epoll_wait(edge_set, ev, 4, 0) == 0);
    WANT(read(edge[0], &c, 1) == 1);
    return NULL;
}

static int outer, inner, core[2];

static const char *
set_up_nested(void)
{
    struct epoll_event ev = { .events = EPOLLIN, .data.u64 = 5 };

    outer = epoll_create1(0);
    inner = epoll_create1(0);
    WANT(pipe(core) == 0 && epoll_ctl(outer, EPOLL_CTL_ADD, inner, &ev) == 0);
    ev.data.u64 = 6;
    WANT(epoll_ctl(inner, EPOLL_CTL_ADD, core[0], &ev) == 0);
    WANT(write(core[1], "x", 1) == 1);
    return NULL;
}

static const char *
check_nested(void)
{
    struct epoll_event ev;

    WANT(epoll_wait(outer, &ev, 1, 0) == 1 && ev.data.u64 == 5);
    WANT(epoll_wait(inner, &ev, 1, 0) == 1 && ev.data.u64 == 6);
    return NULL;
}

static atomic_long woken;
static int wait_set, waits;

static void *
wait_in_epoll(void *arg)
{
    struct epoll_event ev;
    uint64_t v;

    (void)arg;
    for (;;)
        if (epoll_wait(wait_set, &ev, 1, -1) == 1 && read(waits, &v, sizeof v) > 0)
            woken++;
    return NULL;
}

static const char *
set_up_waiting(void)
{
    struct epoll_event ev = { .events = EPOLLIN };
    pthread_t t;

    wait_set = epoll_create1(0);
    waits = eventfd(0, EFD_NONBLOCK);
    WANT(epoll_ctl(wait_set, EPOLL_CTL_ADD, waits, &ev) == 0);
    WANT(pthread_create(&t, NULL, wait_in_epoll, NULL) == 0);
    return NULL;
}

static const char *
check_waiting(void)
{
    long before = woken;
    uint64_t one = 1;

    WANT(write(waits, &one, sizeof one) == sizeof one);
    for (int i = 0; i < 1000 && woken == before; i++)
        nap(5);
    WANT(woken == before + 1);
    return NULL;
}

static const char *
set_up_closed_watch(void)
{
    struct epoll_event ev = { .events = EPOLLIN };
    int fd[2], s = epoll_create1(0);

    WANT(pipe(fd) == 0 && dup(fd[0]) >= 0);
    WANT(epoll_ctl(s, EPOLL_CTL_ADD, fd[0], &ev) == 0 && close(fd[0]) == 0);
    return NULL;
}

static int notices, watch_folder, watch_file;

static bool
is_told(int wd, uint32_t mask)
{
    char buffer[4096] __attribute__((aligned(8)));
    const struct inotify_event *e = (const void *)buffer;
    ssize_t n = read(notices, buffer, sizeof buffer);

    return n > 0 && e->wd == wd && (e->mask & mask);
}

static const char *
set_up_inotify(void)
{
    int fd = open("watched.file", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    WANT(fd >= 0 && close(fd) == 0);
    notices = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    watch_folder = inotify_add_watch(notices, "/usr/share", IN_CREATE);
    WANT(inotify_rm_watch(notices, watch_folder) == 0); /* numbers have a hole */
    WANT(is_told(watch_folder, IN_IGNORED));
    watch_folder = inotify_add_watch(notices, ".", IN_MOVED_TO | IN_ONLYDIR);
    watch_file = inotify_add_watch(notices, "watched.file", IN_MODIFY);
    WANT(watch_folder == 2 && watch_file == 3);
    return NULL;
}

static const char *
check_inotify(void)
{
    int fd = open("watched.file", O_RDWR | O_APPEND | O_CLOEXEC), other;
    char c;

    WANT(read(notices, &c, 1) < 0); /* nothing was told yet */
    WANT(fcntl(notices, F_GETFL) & O_NONBLOCK && fcntl(notices, F_GETFD) == FD_CLOEXEC);
    WANT(write(fd, "x", 1) == 1 && close(fd) == 0 && is_told(watch_file, IN_MODIFY));
    other = open("source.file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    WANT(close(other) == 0 && rename("source.file", "target.file") == 0);
    WANT(is_told(watch_folder, IN_MOVED_TO));
    return NULL;
}

/* Notices that nobody has read are lost: the service is told so by an overflow. */
static const char *
set_up_unread(void)
{
    int fd, n = inotify_init1(IN_NONBLOCK);

    WANT(inotify_add_watch(n, ".", IN_CREATE) == 1);
    fd = open("unread.file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    WANT(fd >= 0 && close(fd) == 0 && unlink("unread.file") == 0);
    return NULL;
}

static const char *
set_up_fanotify(void)
{
    int fd = (int)syscall(SYS_fanotify_init, 0, O_RDONLY);

    if (fd < 0)
        return "skip: no fanotify";
    return NULL;
}

static const struct feature rows[] = {
    { "eventfd, also as a semaphore", NULL, 0, set_up_count, check_count, step_count },
    { "timerfd: periodic, once, expired, absolute", NULL, 0, set_up_timers,
        check_timers, NULL },
    { "signalfd with queued signals", NULL, 0, set_up_signals, check_signals, NULL },
    { "epoll", NULL, 0, set_up_epoll, check_epoll, NULL },
    { "epoll, edge-triggered and one-shot", NULL, 0, set_up_edge, check_edge, NULL },
    { "epoll in epoll", NULL, 0, set_up_nested, check_nested, NULL },
    { "thread waiting in epoll", NULL, 0, set_up_waiting, check_waiting, NULL },
    { "epoll that watches a closed descriptor", "closed descriptor", FEATURE_ALONE,
        set_up_closed_watch, NULL, NULL },
    { "inotify", NULL, 0, set_up_inotify, check_inotify, NULL },
    { "inotify with unread notices", "unread notices", FEATURE_ALONE, set_up_unread,
        NULL, NULL },
    { "fanotify", "fanotify", FEATURE_ALONE, set_up_fanotify, NULL, NULL },
};

AREA(area_events, "Events", rows);
