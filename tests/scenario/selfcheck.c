/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * selfcheck.c - a program that watches its own world: threads, locks, clocks, timers,
 * signals, descriptors, registers and memory, all the time.
 *
 * Started in a cell and moved between hosts by the scenarios.  Writes "beat N" twenty
 * times a second, and "ERROR ..." for whatever is not as it was. */
#include <errno.h>
#include <fcntl.h>
#include <immintrin.h>
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
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096u
#define ARENA_PAGES 4096u
#define TIMER_SIGNAL (SIGRTMIN + 3)
#define TIMER_VALUE 4242
#define CHECK(ok, ...)                                                                 \
    do {                                                                               \
        if (!(ok)) {                                                                   \
            printf("ERROR " __VA_ARGS__);                                              \
            printf(" (errno %d)\n", errno);                                            \
            fflush(stdout);                                                            \
        }                                                                              \
    } while (0)

enum { FROM_EVENTFD = 0x11111111, FROM_TIMERFD = 0x22222222, FROM_PIPE = 0x33333333 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER, robust;
static pthread_cond_t to_ping = PTHREAD_COND_INITIALIZER,
                      to_pong = PTHREAD_COND_INITIALIZER;
static long ping, pong, turn;
static int pipe_ends[2];
static uint8_t *arena, *shared;
static bool given_back[ARENA_PAGES];

/* What must go on: a thread or timer that stands still is an error, too. */
enum work {
    W_PING,
    W_PIPE,
    W_EVENT,
    W_TIMERFD,
    W_AVX,
    W_MEMORY,
    W_MAPS,
    W_SLEEP,
    W_CLOCK,
    W_TIMER,
    W_ALARM,
    NWORKS
};
static atomic_long done[NWORKS];

static void
nap(long us)
{
    struct timespec t = { .tv_nsec = us * 1000 };

    while (nanosleep(&t, &t) < 0 && errno == EINTR)
        ;
}

static void
on_signal(int signo, siginfo_t *info, void *context)
{
    int saved = errno;

    (void)context;
    if (signo == TIMER_SIGNAL) {
        done[W_TIMER]++;
        if (info->si_value.sival_int != TIMER_VALUE)
            _exit(3);
    } else if (signo == SIGALRM) {
        done[W_ALARM]++;
    }
    errno = saved;
}

static void *
run_ping(void *arg)
{
    for (;;) {
        pthread_mutex_lock(&lock);
        while (turn != 0)
            pthread_cond_wait(&to_ping, &lock);
        CHECK(ping == pong, "ping %ld pong %ld", ping, pong);
        ping++;
        turn = 1;
        done[W_PING]++;
        pthread_cond_signal(&to_pong);
        pthread_mutex_unlock(&lock);
    }
    return arg;
}

static void *
run_pong(void *arg)
{
    for (;;) {
        pthread_mutex_lock(&lock);
        while (turn != 1)
            pthread_cond_wait(&to_pong, &lock);
        pong++;
        CHECK(ping == pong, "pong %ld ping %ld", pong, ping);
        turn = 0;
        pthread_cond_signal(&to_ping);
        pthread_mutex_unlock(&lock);
        if ((pong & 15) == 0)
            nap(200);
    }
    return arg;
}

static void *
run_writer(void *arg)
{
    for (long v = 1;; v++) {
        ssize_t n;

        do
            n = write(pipe_ends[1], &v, sizeof v);
        while (n < 0 && errno == EINTR);
        CHECK(n == sizeof v, "write to the pipe");
        nap(500);
    }
    return arg;
}

static void
watch(int set, int fd, uint64_t from)
{
    struct epoll_event e = { .events = EPOLLIN, .data.u64 = from };

    CHECK(epoll_ctl(set, EPOLL_CTL_ADD, fd, &e) == 0, "epoll_ctl");
}

static void
on_event(const struct epoll_event *e, int event, int timer, long *expected)
{
    uint64_t count = 0, one = 1;
    long v = 0;

    switch (e->data.u64) {
    case FROM_EVENTFD:
        if (read(event, &count, sizeof count) == sizeof count)
            done[W_EVENT] += (long)count;
        break;
    case FROM_TIMERFD:
        if (read(timer, &count, sizeof count) == sizeof count)
            done[W_TIMERFD] += (long)count;
        CHECK(write(event, &one, sizeof one) == sizeof one, "write to the eventfd");
        break;
    case FROM_PIPE:
        CHECK(read(pipe_ends[0], &v, sizeof v) == sizeof v, "read from the pipe");
        CHECK(v == *expected, "pipe gave %ld, expected %ld", v, *expected);
        *expected = v + 1;
        done[W_PIPE]++;
        break;
    default:
        CHECK(false, "epoll gave data %llx", (unsigned long long)e->data.u64);
    }
}

static void *
run_epoll(void *arg)
{
    struct itimerspec each = { { 0, 10000000 }, { 0, 10000000 } };
    int set = epoll_create1(EPOLL_CLOEXEC), event = eventfd(0, EFD_NONBLOCK);
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    long expected = 1;

    timerfd_settime(timer, 0, &each, NULL);
    watch(set, event, FROM_EVENTFD);
    watch(set, timer, FROM_TIMERFD);
    watch(set, pipe_ends[0], FROM_PIPE);
    for (;;) {
        struct epoll_event events[8];
        int n = epoll_wait(set, events, 8, 1000);

        CHECK(n >= 0 || errno == EINTR, "epoll_wait");
        for (int i = 0; i < n; i++)
            on_event(&events[i], event, timer, &expected);
    }
    return arg;
}

__attribute__((target("avx2"))) static void
avx_round(long seed)
{
    __m256i x = _mm256_set1_epi64x(seed), y = _mm256_set1_epi64x(seed * 3), z = x;

    for (int i = 0; i < 200000; i++) {
        z = _mm256_add_epi64(z, y);
        __asm__ volatile("" : "+x"(z));
        z = _mm256_sub_epi64(z, y);
        __asm__ volatile("" : "+x"(z));
    }
    CHECK(_mm256_extract_epi64(z, 0) == seed && _mm256_extract_epi64(z, 3) == seed,
        "vector registers");
}

static void *
run_avx(void *arg)
{
    for (long seed = 1;; seed++) {
        if (__builtin_cpu_supports("avx2"))
            avx_round(seed);
        done[W_AVX]++;
        nap(300);
    }
    return arg;
}

/* Each page holds a number in three places, or zeroes if it was given back. */
static void
touch_page(size_t page, uint64_t k)
{
    uint64_t *p = (uint64_t *)(arena + page * PAGE), s = p[0];

    CHECK((p[1] == s * 31 && p[511] == s + 5) || (s == 0 && p[1] == 0 && p[511] == 0),
        "page %zu of the arena", page);
    CHECK(!given_back[page] || s == 0, "page %zu is back with %lu", page, s);
    given_back[page] = false;
    p[0] = k;
    p[1] = k * 31;
    p[511] = k + 5;
}

static void
give_back(size_t page)
{
    madvise(arena + page * PAGE, PAGE, MADV_DONTNEED);
    given_back[page] = true;
}

static void *
run_memory(void *arg)
{
    for (uint64_t k = 1;; k++) {
        for (uint64_t j = 0; j < 16; j++)
            touch_page((k * 2654435761u + j * 977) % ARENA_PAGES, k);
        if ((k & 15) == 3)
            give_back(k * 31 % ARENA_PAGES);
        done[W_MEMORY]++;
        if ((k & 7) == 0)
            nap(300);
    }
    return arg;
}

static void
map_round(long k)
{
    size_t size = PAGE * (size_t)(1 + k % 50);
    char *p = mmap(
        NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    memset(p, (int)k, size);
    nap(1500);
    for (size_t i = 0; i < size; i += PAGE)
        CHECK(p[i] == (char)k, "mapping");
    p = mremap(p, size, size * 3, MREMAP_MAYMOVE);
    nap(500);
    for (size_t i = 0; i < size * 3; i += PAGE)
        CHECK(p[i] == (i < size ? (char)k : 0), "moved mapping, at %zu", i);
    mprotect(p, PAGE, PROT_READ);
    nap(300);
    CHECK(p[0] == (char)k, "read-only page");
    munmap(p, size * 3);
}

static void *
run_maps(void *arg)
{
    static char *kept[16];

    for (long k = 1;; k++) {
        size_t size = 200000 + (size_t)(k % 1000);
        char **slot = &kept[k & 15];

        map_round(k);
        CHECK(!*slot || (*slot)[199999] == 1, "heap block");
        free(*slot);
        *slot = malloc(size);
        memset(*slot, 1, size);
        done[W_MAPS]++;
    }
    return arg;
}

static void *
run_sleep(void *arg)
{
    for (;;) {
        nap(30000);
        done[W_SLEEP]++;
    }
    return arg;
}

static void *
run_clock(void *arg)
{
    struct timespec last = { 0 }, now;

    for (;;) {
        for (int i = 0; i < 5000; i++) {
            clock_gettime(CLOCK_MONOTONIC, &now);
            CHECK(now.tv_sec > last.tv_sec ||
                      (now.tv_sec == last.tv_sec && now.tv_nsec >= last.tv_nsec),
                "clock went back by %ld s", (long)(last.tv_sec - now.tv_sec));
            last = now;
        }
        done[W_CLOCK]++;
        nap(1000);
    }
    return arg;
}

static void *
run_short(void *arg)
{
    return (char *)arg + 1;
}

static void
set_up_signals(void)
{
    static char stack[65536];
    struct sigaction action = { .sa_sigaction = on_signal,
        .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK };
    stack_t alternate = { .ss_sp = stack, .ss_size = sizeof stack };
    struct itimerval alarm = { { 0, 50000 }, { 0, 50000 } };
    struct itimerspec each = { { 0, 20000000 }, { 0, 20000000 } };
    struct sigevent event = { .sigev_notify = SIGEV_SIGNAL,
        .sigev_signo = TIMER_SIGNAL,
        .sigev_value.sival_int = TIMER_VALUE };
    timer_t unused, timer;
    sigset_t blocked;

    sigaltstack(&alternate, NULL);
    sigaction(TIMER_SIGNAL, &action, NULL);
    sigaction(SIGALRM, &action, NULL);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR2);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    raise(SIGUSR2); /* stays pending for ever */
    timer_create(CLOCK_MONOTONIC, &event, &unused);
    timer_create(CLOCK_MONOTONIC, &event, &timer);
    timer_delete(unused); /* the number of the other one is not the first */
    timer_settime(timer, 0, &each, NULL);
    setitimer(ITIMER_REAL, &alarm, NULL);
}

static void
start_threads(void)
{
    static void *(*const runs[])(void *) = { run_ping, run_pong, run_writer, run_epoll,
        run_avx, run_memory, run_maps, run_sleep, run_clock };

    for (unsigned i = 0; i < sizeof runs / sizeof runs[0]; i++) {
        pthread_t t;
        char name[16];

        CHECK(pthread_create(&t, NULL, runs[i], NULL) == 0, "pthread_create");
        snprintf(name, sizeof name, "worker%u", i);
        pthread_setname_np(t, name);
    }
}

static void
check_myself(pid_t pid, pid_t tid, long n)
{
    sigset_t pending;
    pthread_t t;
    void *result = NULL;
    char c = 0;

    CHECK(syscall(SYS_getpid) == pid && syscall(SYS_gettid) == tid, "process number");
    CHECK(sigpending(&pending) == 0 && sigismember(&pending, SIGUSR2),
        "pending signal lost");
    CHECK(*(long *)shared == n, "shared memory %ld, expected %ld", *(long *)shared, n);
    *(long *)shared = n + 1;
    CHECK(pthread_mutex_trylock(&robust) == EBUSY, "robust lock lost");
    CHECK(pthread_create(&t, NULL, run_short, &c) == 0, "pthread_create");
    CHECK(pthread_join(t, &result) == 0 && result == &c + 1, "pthread_join");
    CHECK(getuid() == geteuid() && getuid() == getgid(), "user");
}

int
main(void)
{
    pthread_mutexattr_t attributes;
    long before[NWORKS] = { 0 };
    pid_t pid = getpid(), tid = gettid();

    setvbuf(stdout, NULL, _IOLBF, 0);
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&robust, &attributes);
    pthread_mutex_lock(&robust);
    shared = mmap(
        NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    arena = mmap(NULL, (size_t)ARENA_PAGES * PAGE, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pipe(pipe_ends) < 0)
        return 1;
    set_up_signals();
    start_threads();
    for (long n = 0;; n++) {
        nap(50000);
        check_myself(pid, tid, n);
        if (n % 40 == 39) /* two seconds */
            for (int w = 0; w < NWORKS; w++) {
                CHECK(done[w] > before[w], "work %d stands still at %ld", w, before[w]);
                before[w] = done[w];
            }
        printf("beat %ld\n", n);
    }
}
