/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/scenario/refuse_kinds.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/rtnetlink.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
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
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

int outside[2];

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

void
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

void
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

void
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

const struct kind kinds[] = {
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
const size_t nkinds = sizeof kinds / sizeof kinds[0];
