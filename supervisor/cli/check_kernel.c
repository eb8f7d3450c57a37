/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check_kernel.c - each feature is tried, not looked up: a version number says nothing
 * about a kernel's configuration or a container's filter. */
#include "lib/fd.h"
#include "supervisor/cli/check.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Newer than the headers of Debian 12; include/uapi/linux/fs.h of Linux 6.7. */
struct scan_arg {
    uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
    uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
#define SCAN_IOCTL _IOWR('f', 16, struct scan_arg)
#define SCAN_IS_PRESENT (1u << 3)

#ifndef UFFD_FEATURE_WP_UNPOPULATED
#define UFFD_FEATURE_WP_UNPOPULATED (1 << 13)
#endif
#ifndef UFFD_FEATURE_WP_ASYNC
#define UFFD_FEATURE_WP_ASYNC (1 << 15)
#endif

static int
try_pagemap_scan(void)
{
    struct {
        uint64_t start, end, categories;
    } found[4];
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    struct scan_arg arg = { .size = sizeof arg,
        .start = (uintptr_t)page,
        .end = (uintptr_t)page + 4096,
        .vec = (uintptr_t)found,
        .vec_len = 4,
        .category_anyof_mask = SCAN_IS_PRESENT,
        .return_mask = SCAN_IS_PRESENT };
    int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC), ret = 0;

    if (fd < 0 || page == MAP_FAILED || ioctl(fd, SCAN_IOCTL, &arg) != 1)
        ret = errno ? -errno : -EINVAL;
    fd_close(fd);
    munmap(page, 4096);
    return ret;
}

static int
try_write_protect(void)
{
    struct uffdio_api api = { .api = UFFD_API,
        .features = UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_WP_ASYNC |
                    UFFD_FEATURE_WP_UNPOPULATED };
    int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK), ret = 0;

    if (fd < 0 || ioctl(fd, UFFDIO_API, &api) < 0)
        ret = -errno;
    fd_close(fd);
    return ret;
}

static int
try_tcp_repair(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1, ret = 0;

    if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &on, sizeof on) < 0)
        ret = -errno;
    fd_close(fd);
    return ret;
}

static int
try_ptrace(void)
{
    pid_t pid = fork();
    int ret = 0;

    if (pid < 0)
        return -errno;
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            pause();
    }
    if (ptrace(PTRACE_SEIZE, pid, 0, 0) < 0)
        ret = -errno;
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, __WALL) < 0 && errno == EINTR)
        ;
    return ret;
}

static int
try_pidfd_getfd(void)
{
    int self = (int)syscall(SYS_pidfd_open, getpid(), 0), fd = -1, ret = 0;

    if (self >= 0)
        fd = (int)syscall(SYS_pidfd_getfd, self, STDIN_FILENO, 0);
    /* without a standard input there is nothing to get: that is not the kernel's */
    if (self < 0 || (fd < 0 && errno != EBADF))
        ret = -errno;
    fd_close(fd);
    fd_close(self);
    return ret;
}

/* Without it everything works, later: see cpu-latency in bascule.conf(5). */
static void
check_idle(struct check *c)
{
    static const char what[] = "processor sleep";
    char driver[32] = "";
    int fd = open(
        "/sys/devices/system/cpu/cpuidle/current_driver", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, driver, sizeof driver - 1);

    fd_close(fd);
    if (access("/dev/cpu_dma_latency", W_OK) < 0)
        check_say(c, CHECK_WARN, what,
            "no wish can be told (/dev/cpu_dma_latency: %s): a processor that sleeps "
            "makes each packet later; cpu-latency has no effect",
            strerror(errno));
    else if (n <= 0 || !strncmp(driver, "none", 4))
        check_say(c, CHECK_WARN, what,
            "no cpuidle driver: how deeply processors sleep is not the kernel's to "
            "say, and cpu-latency may have no effect");
    else
        check_say(c, CHECK_OK, what, "can be limited while packets come");
}

/* Programs that the kernel runs for the engine (BPF) are fitted to it by these. */
static void
check_types(struct check *c)
{
    static const char what[] = "kernel's types (BTF)";

    if (access("/sys/kernel/btf/vmlinux", R_OK) < 0)
        check_say(c, CHECK_WARN, what,
            "/sys/kernel/btf/vmlinux: %s: checkpoints take longer, files of state "
            "folders are read whole, and what a service gives back of shared memory "
            "and reads again is not seen; use a kernel with CONFIG_DEBUG_INFO_BTF",
            strerror(errno));
    else
        check_say(c, CHECK_OK, what, "there");
}

void
check_kernel(struct check *c)
{
    static const struct {
        const char *what, *cure;
        int (*try)(void);
    } features[] = {
        { "PAGEMAP_SCAN", "Linux 6.7 or newer", try_pagemap_scan },
        { "userfaultfd WP_ASYNC", "Linux 6.7 or newer with CONFIG_USERFAULTFD",
            try_write_protect },
        { "TCP repair", "CAP_NET_ADMIN", try_tcp_repair },
        { "ptrace", "CAP_SYS_PTRACE, and no security module that forbids it",
            try_ptrace },
        { "pidfd_getfd", "Linux 5.6 or newer", try_pidfd_getfd },
    };

    for (size_t i = 0; i < sizeof features / sizeof features[0]; i++) {
        int ret;

        errno = 0;
        ret = features[i].try();
        if (ret == 0)
            check_say(c, CHECK_OK, features[i].what, "tried, works");
        else
            check_say(c, CHECK_MISSING, features[i].what, "%s; it needs %s",
                strerror(-ret), features[i].cure);
    }
    check_types(c);
    check_idle(c);
}
