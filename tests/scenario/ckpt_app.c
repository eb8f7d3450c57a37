/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ckpt_app.c - a process that checks itself: every worker keeps an invariant that a
 * tracer's mistake would break.
 *
 *     ckpt_app LOG [churn]      churn: 250 short-lived threads a second
 *     ckpt_app LOG growth       none of it: a mapping grows, once
 *
 * Appends a line to LOG every 100 ms: "count COUNT errors ERRORS". */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define PAGES 4096u
#define PAGE 4096u
#define TIMER_VALUE 4242

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t to_ping = PTHREAD_COND_INITIALIZER;
static pthread_cond_t to_pong = PTHREAD_COND_INITIALIZER;
static long ping, pong;
static bool ponging;
static atomic_long errors, alarms, ticks, mapped, seen_pipe, seen_tcp, flops, slots;
static int pipe_fd[2], tcp_fd[2];
static char *arena;

static void
wrong(const char *what, long have, long want)
{
    errors++;
    fprintf(stderr, "WRONG %s: %ld instead of %ld\n", what, have, want);
}

static void
on_signal(int signo, siginfo_t *info, void *context)
{
    (void)context;
    if (signo == SIGALRM)
        alarms++;
    else if (info->si_value.sival_int != TIMER_VALUE)
        wrong("timer value", info->si_value.sival_int, TIMER_VALUE);
    else
        ticks++;
}

static void *
run_ping(void *arg)
{
    (void)arg;
    for (;;) {
        pthread_mutex_lock(&mutex);
        while (ponging)
            pthread_cond_wait(&to_ping, &mutex);
        if (ping != pong)
            wrong("ping", ping, pong);
        ping++;
        ponging = true;
        pthread_cond_signal(&to_pong);
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

static void *
run_pong(void *arg)
{
    (void)arg;
    for (;;) {
        pthread_mutex_lock(&mutex);
        while (!ponging)
            pthread_cond_wait(&to_pong, &mutex);
        pong++;
        ponging = false;
        pthread_cond_signal(&to_ping);
        pthread_mutex_unlock(&mutex);
        if (pong % 64 == 0)
            usleep(100);
    }
    return NULL;
}

/* What a socket says while it is in repair mode: until the guard of an engine that died
 * there acts. */
static bool
in_repair(void)
{
    return errno == EINVAL || errno == EPERM;
}

static void *
run_writer(void *arg)
{
    int fd = *(int *)arg;

    for (long v = 1;; v++) {
        while (write(fd, &v, sizeof v) != sizeof v)
            if (in_repair())
                usleep(500);
            else if (errno != EINTR)
                wrong("write", errno, 0);
        usleep(500);
    }
    return NULL;
}

static void
expect_next(int fd, atomic_long *last, const char *what)
{
    long v;
    ssize_t n = read(fd, &v, sizeof v);

    if (n < 0 && in_repair())
        return;
    if (n != sizeof v)
        wrong(what, -errno, 0);
    else if (v != *last + 1)
        wrong(what, v, *last + 1);
    else
        *last = v;
}

static void
watch(int set, int fd, uint64_t data)
{
    struct epoll_event ev = { .events = EPOLLIN, .data.u64 = data };

    if (epoll_ctl(set, EPOLL_CTL_ADD, fd, &ev) < 0)
        wrong("epoll_ctl", errno, 0);
}

static void *
run_reader(void *arg)
{
    int set = epoll_create1(EPOLL_CLOEXEC), ev = eventfd(0, EFD_NONBLOCK);
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    struct itimerspec each = { { 0, 10000000 }, { 0, 10000000 } };
    uint64_t one = 1, n;

    (void)arg;
    timerfd_settime(timer, 0, &each, NULL);
    watch(set, ev, 0x1111111111111111u);
    watch(set, timer, 0x2222222222222222u);
    watch(set, pipe_fd[0], 0x3333333333333333u);
    watch(set, tcp_fd[0], 0x4444444444444444u);
    for (;;) {
        struct epoll_event out[8];
        int got = epoll_wait(set, out, 8, 1000);

        for (int i = 0; i < got; i++) {
            if (out[i].data.u64 == 0x1111111111111111u)
                n = read(ev, &n, sizeof n) == sizeof n;
            else if (out[i].data.u64 == 0x2222222222222222u)
                n = read(timer, &n, sizeof n) == sizeof n &&
                    write(ev, &one, sizeof one) == sizeof one;
            else if (out[i].data.u64 == 0x3333333333333333u)
                expect_next(pipe_fd[0], &seen_pipe, "pipe");
            else if (out[i].data.u64 == 0x4444444444444444u)
                expect_next(tcp_fd[0], &seen_tcp, "connection");
            else
                wrong("epoll data", (long)out[i].data.u64, 0);
        }
    }
    return NULL;
}

/* Floating point and vector registers across stops. */
static void *
run_vectors(void *arg)
{
    typedef long vec __attribute__((vector_size(32)));

    (void)arg;
    for (long seed = 1;; seed++) {
        vec x = { seed, seed + 1, seed + 2, seed + 3 }, y = x * 3, z = x;
        double d = (double)seed;

        for (int i = 0; i < 20000; i++) {
            z += y;
            d += 1.0;
            __asm__ volatile("" : "+x"(d));
            z -= y;
            d -= 1.0;
        }
        if (z[0] != seed || z[3] != seed + 3 || d != (double)seed)
            wrong("vector", z[0], seed);
        flops++;
        usleep(1000);
    }
    return NULL;
}

/* Pages that carry their own check sums, some of them dropped now and then. */
static void *
run_pages(void *arg)
{
    (void)arg;
    for (uint64_t k = 1;; k++) {
        for (uint64_t j = 0; j < 16; j++) {
            uint64_t i = (k * 2654435761u + j * 977) % PAGES;
            uint64_t *p = (uint64_t *)(void *)(arena + i * PAGE), s = p[0];
            bool empty = s == 0 && p[1] == 0 && p[511] == 0;

            if (!empty && (p[1] != s * 31 || p[511] != s + 5))
                wrong("page", (long)i, 0);
            p[0] = k;
            p[1] = k * 31;
            p[511] = k + 5;
            if (k % 256 == 3 && j == 0)
                madvise(arena + (i + 1) % PAGES * PAGE, PAGE, MADV_DONTNEED);
        }
        slots++;
        if (k % 8 == 0)
            usleep(500);
    }
    return NULL;
}

static void
check_map(long k)
{
    size_t len = PAGE * (1 + (size_t)k % 50);
    char *p = mmap(
        NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    memset(p, (int)k, len);
    usleep(1500);
    p = mremap(p, len, len * 3, MREMAP_MAYMOVE);
    usleep(500);
    for (size_t i = 0; i < len * 3; i += PAGE)
        if (p[i] != (i < len ? (char)k : 0))
            wrong("mremap", p[i], (char)k);
    mprotect(p, PAGE, PROT_NONE); /* with content: it must not get lost */
    usleep(500);
    mprotect(p, PAGE, PROT_READ);
    if (p[0] != (char)k)
        wrong("mprotect", p[0], (char)k);
    munmap(p, len * 3);
}

static void *
run_maps(void *arg)
{
    (void)arg;
    for (long k = 1;; k++) {
        check_map(k);
        mapped++;
    }
    return NULL;
}

/* Memory given back in the ways that allocators know: dropped and made inaccessible;
 * and private copies of a file's pages, dropped. */
static void *
run_drops(void *arg)
{
    size_t len = 64 * PAGE;
    char *p = mmap(
        NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int fd = open("/proc/self/exe", O_RDONLY);
    char *f = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);

    (void)arg;
    for (;;) {
        memset(p, 0x5a, len);
        memset(f, 0x5a, PAGE);
        usleep(10000);
        if (p[len - 1] != 0x5a || f[1] != 0x5a)
            wrong("kept page", p[len - 1], 0x5a);
        madvise(p, len, MADV_DONTNEED);
        madvise(f, PAGE, MADV_DONTNEED);
        mprotect(p, len, PROT_NONE);
        usleep(60000);
        mprotect(p, len, PROT_READ | PROT_WRITE);
        if (p[0] != 0 || p[len - 1] != 0 || f[1] != 'E')
            wrong("dropped page", p[0], 0);
    }
    return NULL;
}

static void *
run_clock(void *arg)
{
    int64_t last = 0;

    (void)arg;
    for (;;) {
        struct timespec ts = { 0, 30000000 }, left;

        while (nanosleep(&ts, &left) < 0)
            ts = left;
        clock_gettime(CLOCK_MONOTONIC, &ts);
        if (ts.tv_sec * 1000000000ll + ts.tv_nsec < last)
            wrong("clock", 0, 1);
        last = ts.tv_sec * 1000000000ll + ts.tv_nsec;
    }
    return NULL;
}

static void *
run_short(void *arg)
{
    return arg;
}

static void
connect_to_self(void)
{
    struct sockaddr_in sa = { .sin_family = AF_INET,
        .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t len = sizeof sa;
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    tcp_fd[1] = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&sa, sizeof sa) < 0 ||
        listen(listener, 4) < 0 ||
        getsockname(listener, (struct sockaddr *)&sa, &len) < 0 ||
        connect(tcp_fd[1], (struct sockaddr *)&sa, len) < 0)
        wrong("connect", errno, 0);
    tcp_fd[0] = accept(listener, NULL, NULL);
}

static void
set_up_signals(void)
{
    struct sigaction sa = { .sa_sigaction = on_signal,
        .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK };
    struct sigevent se = { .sigev_notify = SIGEV_SIGNAL,
        .sigev_signo = SIGRTMIN + 3,
        .sigev_value.sival_int = TIMER_VALUE };
    struct itimerspec each = { { 0, 20000000 }, { 0, 20000000 } };
    struct itimerval slow = { { 0, 50000 }, { 0, 50000 } };
    static char alt[65536];
    stack_t stack = { .ss_sp = alt, .ss_size = sizeof alt };
    sigset_t blocked;
    timer_t timer;

    sigaltstack(&stack, NULL);
    sigaction(SIGRTMIN + 3, &sa, NULL);
    sigaction(SIGALRM, &sa, NULL);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR2);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    raise(SIGUSR2);
    timer_create(CLOCK_MONOTONIC, &se, &timer);
    timer_settime(timer, 0, &each, NULL);
    setitimer(ITIMER_REAL, &slow, NULL);
}

static void
start_workers(void)
{
    static const struct {
        void *(*run)(void *);
        void *arg;
    } workers[] = { { run_ping, NULL }, { run_pong, NULL }, { run_writer, &pipe_fd[1] },
        { run_writer, &tcp_fd[1] }, { run_reader, NULL }, { run_vectors, NULL },
        { run_pages, NULL }, { run_maps, NULL }, { run_drops, NULL },
        { run_clock, NULL } };
    pthread_t t;

    for (size_t i = 0; i < sizeof workers / sizeof workers[0]; i++)
        if (pthread_create(&t, NULL, workers[i].run, workers[i].arg) != 0)
            wrong("pthread_create", errno, 0);
}

static void
check_main(bool churn, long round, long *shared)
{
    sigset_t pending;
    pthread_t t;
    void *result = NULL;

    ++*shared;
    if (*shared != round + 1)
        wrong("shared memory", *shared, round + 1);
    if (sigpending(&pending) < 0 || !sigismember(&pending, SIGUSR2))
        wrong("pending signal", 0, 1);
    if (!churn && round % 25 != 0)
        return;
    if (pthread_create(&t, NULL, run_short, shared) != 0 ||
        pthread_join(t, &result) != 0 || result != shared)
        wrong("short thread", 0, 1);
}

/* From round GROWTH on a mapping has a neighbour like it, which the kernel makes one
 * with it as soon as both are tracked; behind them one that nobody may touch, and one
 * more. All pages are written all the time.  Whoever knows by a mapping's place in the
 * list how it is tracked then misses some. */
static void
run_growth(FILE *log)
{
    enum { PIECE = 128, GROWTH = 100 };
    const size_t piece = PIECE * (size_t)PAGE;
    char *at = mmap(
        NULL, 4 * piece, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    long pages = PIECE;

    mprotect(at, piece, PROT_READ | PROT_WRITE);
    mprotect(at + 3 * piece, piece, PROT_READ | PROT_WRITE);
    for (long round = 0;; round++) {
        if (round == GROWTH)
            mprotect(at + piece, piece, PROT_READ | PROT_WRITE);
        if (round == GROWTH + 50) /* what was touched before would stay by itself */
            pages = 2 * PIECE;
        for (long i = 0; i < pages; i++)
            memcpy(at + i * PAGE, &round, sizeof round);
        for (long i = 0; i < PIECE; i++)
            memcpy(at + 3 * piece + i * PAGE, &round, sizeof round);
        if (round % 25 == 0) {
            fprintf(log, "count %ld errors 0 alarms %ld ticks %ld pipe %ld tcp %ld\n",
                round, round, round, round, round);
            fflush(log);
        }
        nanosleep(&(struct timespec){ 0, 4000000 }, NULL);
    }
}

int
main(int argc, char **argv)
{
    bool churn = argc > 2 && !strcmp(argv[2], "churn");
    FILE *log = argc > 1 ? fopen(argv[1], "a") : NULL;
    long *shared;

    if (!log || pipe(pipe_fd) < 0)
        return 2;
    if (argc > 2 && !strcmp(argv[2], "growth"))
        run_growth(log);
    connect_to_self();
    set_up_signals();
    shared = mmap(
        NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    arena = mmap(NULL, PAGES * (size_t)PAGE, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    start_workers();
    for (long round = 0;; round++) {
        struct timespec ts = { 0, 4000000 }, left;

        while (nanosleep(&ts, &left) < 0)
            ts = left;
        check_main(churn, round, shared);
        if (round % 25 == 0) {
            fprintf(log, "count %ld errors %ld alarms %ld ticks %ld pipe %ld tcp %ld\n",
                round, (long)errors, (long)alarms, (long)ticks, (long)seen_pipe,
                (long)seen_tcp);
            fflush(log);
        }
    }
}
