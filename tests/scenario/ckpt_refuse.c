/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ckpt_refuse.c - what cannot be protected is refused by name, what can is not, and the
 * refused process runs on (promise P8): a row per kind; and a checkpoint that is given
 * up loses nothing (P4).  Needs root (77 otherwise). */
#include "lib/loop.h"
#include "sockmig/ckpt/target.h"
#include "sockmig/image_alloc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/rtnetlink.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define SCRATCH_FILE "/tmp/ckpt_refuse.tmp"
#define SCRATCH_KEY 0x7e575e75
#define SCRATCH_FIFO "/tmp/ckpt_refuse.fifo"

static int outside[2]; /* a pipe whose other end the test keeps */

static void
make_pidfd(void)
{
    syscall(SYS_pidfd_open, getpid(), 0);
}

static void
make_userfaultfd(void)
{
    syscall(SYS_userfaultfd, 1);
}

static void
make_io_uring(void)
{
    uint64_t params[64] = { 0 };

    syscall(SYS_io_uring_setup, 4, params);
}

static void
make_group(void)
{
    struct ip_mreqn group = { .imr_multiaddr.s_addr = htonl(0xe0004d01),
        .imr_ifindex = 1 };

    setsockopt(socket(AF_INET, SOCK_DGRAM, 0), IPPROTO_IP, IP_ADD_MEMBERSHIP, &group,
        sizeof group);
}

static void
make_corked(void)
{
    int on = 1;

    setsockopt(socket(AF_INET6, SOCK_DGRAM, 0), IPPROTO_UDP, UDP_CORK, &on, sizeof on);
}

static void
make_raw(void)
{
    int s = socket(AF_INET6, SOCK_RAW, IPPROTO_RAW), on = 1;

    setsockopt(s, IPPROTO_IPV6, 36 /* IPV6_HDRINCL */, &on, sizeof on);
}

static void
make_netlink(void)
{
    socket(AF_NETLINK, SOCK_RAW, 16 /* generic */);
}

static void
make_mptcp(void)
{
    socket(AF_INET, SOCK_STREAM, 262);
}

static void
make_terminal(void)
{
    int master = open("/dev/ptmx", O_RDWR | O_NOCTTY);

    unlockpt(master);
    open(ptsname(master), O_RDWR | O_NOCTTY);
    close(master);
}

static void
make_device(void)
{
    open("/dev/kmsg", O_RDONLY);
}

static void
map_file(int flags, bool keep)
{
    int fd = open(SCRATCH_FILE, O_RDWR | O_CREAT, 0600);

    if (ftruncate(fd, 4096) == 0)
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, flags, fd, 0);
    close(fd);
    if (!keep)
        unlink(SCRATCH_FILE);
}

static void
make_deleted_map(void)
{
    map_file(MAP_PRIVATE, false);
}

static void
make_shared_map(void)
{
    map_file(MAP_SHARED, true);
}

static void
make_shm(void)
{
    int id = shmget(IPC_PRIVATE, 8192, 0600);
    char *p = shmat(id, NULL, 0);

    shmctl(id, IPC_RMID, NULL);
    munmap(p, 4096);
}

static void
make_semaphore(void)
{
    struct sembuf op = { 0, 1, 0 };

    semop(semget(SCRATCH_KEY, 1, IPC_CREAT | 0600), &op, 1);
}

static void
make_queue(void)
{
    struct {
        long type;
    } letter = { 1 };

    msgsnd(msgget(SCRATCH_KEY, IPC_CREAT | 0600), &letter, 0, IPC_NOWAIT);
}

/* Whoever holds the other end is not of the process's kin. */
static void
make_fifo(void)
{
    open(SCRATCH_FIFO, O_WRONLY);
}

static void
make_outside_pipe(void)
{
    dup2(outside[1], 20);
}

static void
make_seccomp(void)
{
    struct {
        uint16_t code;
        uint8_t jt, jf;
        uint32_t k;
    } ask[] = { { 0x20, 0, 0, 0 },  /* the number of the call: */
        { 0x15, 0, 1, SYS_getcpu }, /* of this one, */
        { 6, 0, 0, 0x7fc00000u },   /* ask a listener */
        { 6, 0, 0, 0x7fff0000u } };
    struct {
        uint16_t len;
        void *filter;
    } prog = { 4, ask };

    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
}

static void
make_closed_watch(void)
{
    struct epoll_event ev = { .events = EPOLLIN };
    int set = epoll_create1(0), fd[2], other;

    if (pipe(fd) < 0)
        return;
    other = dup(fd[0]);
    epoll_ctl(set, EPOLL_CTL_ADD, fd[0], &ev);
    close(fd[0]);
    (void)other;
}

static void
make_allowed(void)
{
    struct sockaddr_in sa = { .sin_family = AF_INET };
    struct sockaddr_in6 sa6 = { .sin6_family = AF_INET6 };
    struct epoll_event ev = { .events = EPOLLIN };
    int set = epoll_create1(0), s = socket(AF_INET, SOCK_STREAM, 0), fd[2];
    int six = socket(AF_INET6, SOCK_STREAM, 0);
    sigset_t signals;
    char text[60000] = "";

    sigemptyset(&signals);
    sigaddset(&signals, SIGUSR1);
    bind(s, (struct sockaddr *)&sa, sizeof sa);
    listen(s, 5);
    bind(six, (struct sockaddr *)&sa6, sizeof sa6);
    listen(six, 6);
    epoll_ctl(set, EPOLL_CTL_ADD, s, &ev);
    socket(AF_INET, SOCK_STREAM, 0);
    socket(AF_INET, SOCK_DGRAM, 0);
    bind(socket(AF_INET6, SOCK_DGRAM, 0), (struct sockaddr *)&sa6, sizeof sa6);
    eventfd(7, 0);
    timerfd_create(CLOCK_MONOTONIC, 0);
    signalfd(-1, &signals, 0);
    open("/dev/null", O_RDWR);
    open("/dev/urandom", O_RDONLY);
    open("/", O_RDONLY | O_DIRECTORY);
    dup(set);
    if (pipe(fd) == 0 && write(fd[1], text, sizeof text) < 0)
        _exit(1);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0)
        close(fd[0]);
}

static int asked = -1; /* netlink socket with an answer that nobody reads */

static void
read_answer(int sig)
{
    char text[65536];

    (void)sig;
    while (recv(asked, text, sizeof text, MSG_DONTWAIT) > 0)
        continue;
}

/* A queue, and behind it what no checkpoint can be taken of until SIGUSR1. */
static void
make_given_up(void)
{
    struct {
        struct nlmsghdr head;
        struct rtgenmsg body;
    } dump = { .head = { .nlmsg_len = sizeof dump,
                   .nlmsg_type = RTM_GETLINK,
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP } };
    char text[60000] = "";
    int fd[2];

    if (pipe(fd) < 0 || write(fd[1], text, sizeof text) < 0)
        _exit(1);
    asked = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
    if (send(asked, &dump, sizeof dump, 0) < 0)
        _exit(1);
    signal(SIGUSR1, read_answer);
}

static int connected = -1;

static void
attach_filter(int sig)
{
    struct sock_filter all = { .code = BPF_RET | BPF_K, .k = 0xffff };
    struct sock_fprog program = { .len = 1, .filter = &all };

    (void)sig;
    setsockopt(connected, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
    send(connected, "", 1, 0);
}

/* A connection that can be protected until SIGUSR1. */
static void
make_connected(void)
{
    struct sockaddr_in sa = { .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
    socklen_t n = sizeof sa;
    int s = socket(AF_INET, SOCK_STREAM, 0);

    if (ioctl(s, SIOCSIFFLAGS, &lo) < 0 || bind(s, (struct sockaddr *)&sa, n) < 0 ||
        listen(s, 1) < 0 || getsockname(s, (struct sockaddr *)&sa, &n) < 0)
        _exit(1);
    connected = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(connected, (struct sockaddr *)&sa, n) < 0 || accept(s, NULL, NULL) < 0)
        _exit(1);
    signal(SIGUSR1, attach_filter);
}

static const struct {
    const char *claim; /* the refusal contains it; NULL: nothing is refused */
    void (*make)(void);
} rows[] = {
    { NULL, make_allowed },
    { "pidfd", make_pidfd },
    { "userfaultfd", make_userfaultfd },
    { "io_uring", make_io_uring },
    { "multicast group", make_group },
    { "UDP_CORK", make_corked },
    { "raw", make_raw },
    { "netlink", make_netlink },
    { "multipath", make_mptcp },
    { "terminal", make_terminal },
    { "device", make_device },
    { "mapped file is deleted", make_deleted_map },
    { "shared and writable", make_shared_map },
    { "System V", make_shm },
    { "queues that are the host's", make_semaphore },
    { "queues that are the host's", make_queue },
    { "named pipe", make_fifo },
    { "another process", make_outside_pipe },
    { "seccomp", make_seccomp },
    { "closed descriptor", make_closed_watch },
};

static pid_t
start(void (*make)(void))
{
    int ready[2];
    char c;
    pid_t pid;

    if (pipe(ready) < 0)
        return -1;
    pid = fork();
    if (pid != 0) {
        close(ready[1]);
        if (read(ready[0], &c, 1) != 0) /* until it has closed its end */
            pid = -1;
        close(ready[0]);
        return pid;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(open("/dev/null", O_RDWR), 0);
    dup2(0, 1);
    dup2(0, 2);
    if (make != make_outside_pipe)
        close(outside[1]);
    dup2(ready[1], 100);
    for (int fd = 3; fd < 100; fd++)
        if (make != make_outside_pipe || fd != outside[1])
            close(fd);
    make();
    syscall(SYS_close_range, 100, ~0u, 0);
    for (;;)
        pause();
}

static bool
is_named(const struct refusals *why, const char *claim)
{
    for (unsigned i = 0; i < why->n && i < REFUSALS_MAX; i++)
        if (strstr(why->v[i].what, claim) && why->v[i].cure[0])
            return true;
    return false;
}

struct shot { /* a checkpoint and what it needs */
    struct image im;
    struct pages pages;
    struct parcels parcels;
    struct refusals why;
};

static bool
shot_open(struct shot *s)
{
    return image_alloc(&s->im) == 0 && pages_init(&s->pages, 1u << 30, 0) == 0 &&
           parcels_init(&s->parcels, 1u << 20) == 0;
}

static void
shot_close(struct shot *s)
{
    image_release(&s->im);
    pages_fini(&s->pages);
    parcels_fini(&s->parcels);
}

static int
shoot(struct shot *s, struct target *t)
{
    struct target_timing timing;
    struct target_request req = { .stop_limit_ms = 1000 };

    pages_reset(&s->pages);
    parcels_reset(&s->parcels);
    return target_checkpoint(t, &req, &s->im, &s->pages, &s->parcels, &timing, &s->why);
}

/* What is allowed must make a sound image, twice the same. */
static bool
image_is_sound(struct target *t)
{
    struct shot s = { 0 };
    bool ok = shot_open(&s);

    for (int i = 0; ok && i < 2; i++) {
        ok = shoot(&s, t) == 0 && !image_check(&s.im) && s.im.nitems == 1;
        /* the queue of the pipe travels once, since it does not change */
        ok = ok && (i == 0 ? s.parcels.size > 60000 : s.parcels.size == 0);
    }
    shot_close(&s);
    return ok;
}

/* The first checkpoint comes to nothing; the next one has the queue nevertheless. */
static bool
given_up_loses_nothing(void)
{
    struct target *t = NULL;
    struct refusals why;
    struct shot s = { 0 };
    pid_t pid = start(make_given_up);
    bool ok = shot_open(&s) && target_attach(pid, &t, &why) == 0 &&
              shoot(&s, t) == -EAGAIN;

    kill(pid, SIGUSR1);
    for (int i = 0, ret = -EAGAIN; ok && ret != 0; i++) {
        target_serve(t, mono_add_ms(mono_clock(), 10), -1);
        ret = shoot(&s, t);
        ok = ret == 0 || (ret == -EAGAIN && i < 500);
    }
    ok = ok && s.parcels.size > 60000;
    target_detach(t);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    shot_close(&s);
    return ok;
}

/* What a connection is told when it has long been known shows when it moves. */
static bool
refused_later(void)
{
    struct target *t = NULL;
    struct refusals why;
    struct shot s = { 0 };
    pid_t pid = start(make_connected);
    bool ok = shot_open(&s) && target_attach(pid, &t, &why) == 0;

    for (int i = 0; ok && i < 5; i++) {
        ok = shoot(&s, t) == 0 && s.im.ntcps == 2;
        target_serve(t, mono_add_ms(mono_clock(), 10), -1);
    }
    kill(pid, SIGUSR1);
    target_serve(t, mono_add_ms(mono_clock(), 100), -1);
    ok = ok && shoot(&s, t) == -EOPNOTSUPP && is_named(&s.why, "filter");
    target_detach(t);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    shot_close(&s);
    return ok;
}

static bool
row_holds(size_t i)
{
    struct target *t = NULL;
    struct refusals why;
    pid_t pid = start(rows[i].make);
    int ret = target_attach(pid, &t, &why), status;
    bool ok;

    if (rows[i].claim)
        ok = ret < 0 && is_named(&why, rows[i].claim);
    else
        ok = ret == 0 && image_is_sound(t);
    if (!ok)
        for (unsigned k = 0; k < why.n && k < REFUSALS_MAX; k++)
            printf("  said: descriptor %d: %s\n", why.v[k].fd, why.v[k].what);
    target_detach(ret == 0 ? t : NULL);
    ok = ok && waitpid(pid, &status, WNOHANG) == 0; /* it runs on */
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    unlink(SCRATCH_FILE);
    return ok;
}

int
main(void)
{
    int failed = 0, reader;
    bool whole, later;

    if (geteuid() != 0 || unshare(CLONE_NEWNET) < 0 || pipe(outside) < 0) {
        printf("skipped: needs root\n");
        return 77;
    }
    unlink(SCRATCH_FIFO);
    mkfifo(SCRATCH_FIFO, 0600);
    reader = open(SCRATCH_FIFO, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool ok = row_holds(i);

        printf("%s: %s\n", rows[i].claim ? rows[i].claim : "what is allowed",
            ok ? "ok" : "FAILED");
        failed += !ok;
    }
    close(reader);
    unlink(SCRATCH_FIFO);
    semctl(semget(SCRATCH_KEY, 0, 0), 0, IPC_RMID);
    msgctl(msgget(SCRATCH_KEY, 0), IPC_RMID, NULL);
    whole = given_up_loses_nothing();
    printf("a checkpoint that is given up: %s\n", whole ? "ok" : "FAILED");
    later = refused_later();
    printf("an option that is set later: %s\n", later ? "ok" : "FAILED");
    return failed || !whole || !later ? 1 : 0;
}
