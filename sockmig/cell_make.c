/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/cell_make.h"

#include "lib/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

#define RSEQ_SIGNATURE 0x53053053u

struct report {
    int32_t stage, err;
    pid_t init; /* from the helper: the reaper's pid; stage is -1 then */
};

extern const char reaper_page[], reaper_page_end[];

/* Entered with its own page in rbx: unmaps all else, then waits for children until
 * there is none left. */
__asm__(".pushsection .rodata\n"
        ".globl reaper_page, reaper_page_end\n"
        "reaper_page:\n"
        "  xor %edi, %edi\n"
        "  mov %rbx, %rsi\n"
        "  mov $11, %eax\n" /* munmap, below */
        "  syscall\n"
        "  lea 4096(%rbx), %rdi\n"
        "  mov $0x7ffffffff000, %rsi\n"
        "  sub %rdi, %rsi\n"
        "  mov $11, %eax\n" /* munmap, above */
        "  syscall\n"
        "1:mov $-1, %rdi\n"
        "  xor %esi, %esi\n"
        "  xor %edx, %edx\n"
        "  xor %r10d, %r10d\n"
        "  mov $61, %eax\n" /* wait4 */
        "  syscall\n"
        "  cmp $-10, %rax\n" /* ECHILD */
        "  jne 1b\n"
        "  xor %edi, %edi\n"
        "  mov $231, %eax\n" /* exit_group */
        "  syscall\n"
        "reaper_page_end:\n"
        ".popsection\n");

static long
clone_process(uint64_t flags, pid_t pid)
{
    struct clone_args args = { .flags = flags };

    if (!(flags & CLONE_PARENT)) /* with it the helper's own is used */
        args.exit_signal = SIGCHLD;
    if (pid > 0) {
        args.set_tid = (uint64_t)(uintptr_t)&pid;
        args.set_tid_size = 1;
    }
    return syscall(SYS_clone3, &args, sizeof args);
}

void
cell_fail(int report, enum cell_stage stage, int err)
{
    struct report r = { .stage = (int32_t)stage, .err = err };

    fd_write_all(report, &r, sizeof r);
    _exit(1);
}

static void
be_nobody_special(void)
{
    struct sched_param normal = { 0 };
    cpu_set_t all;

    memset(&all, 0xff, sizeof all);
    sched_setscheduler(0, SCHED_OTHER, &normal);
    sched_setaffinity(0, sizeof all, &all);
}

static void
reaper(const struct cell_plan *plan, int report)
{
    char *page;
    long pid;

    if (!plan->conf->stays)
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (sethostname(plan->conf->name, strlen(plan->conf->name)) < 0 ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
        cell_fail(report, CELL_STAGE_MOUNT, errno);
    pid = clone_process(0, plan->pid);
    if (pid < 0)
        cell_fail(report, CELL_STAGE_PID, errno);
    if (pid == 0) {
        setsid();
        plan->run(plan, report);
        _exit(1);
    }
    be_nobody_special();
    page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        cell_fail(report, CELL_STAGE_NAMESPACES, errno);
    memcpy(page, reaper_page, (size_t)(reaper_page_end - reaper_page));
    close_range(0, ~0u, 0);
    /* the kernel writes there at each preemption */
    syscall(SYS_rseq, (char *)__builtin_thread_pointer() + __rseq_offset, 32, 1,
        RSEQ_SIGNATURE);
    __asm__ volatile("jmp *%0" : : "r"(page), "b"(page) : "memory");
    __builtin_unreachable();
}

static size_t
put_number(char *to, int64_t v)
{
    char digits[24];
    size_t n = 0, at = 0;
    uint64_t u = v < 0 ? (uint64_t)-v : (uint64_t)v;

    do
        digits[n++] = (char)('0' + u % 10);
    while ((u /= 10) > 0);
    if (v < 0)
        to[at++] = '-';
    while (n > 0)
        to[at++] = digits[--n];
    return at;
}

/* One line "clock seconds nanoseconds"; no stdio after a fork. */
static size_t
put_offset(char *to, const char *clock, int64_t ns)
{
    int64_t sec = ns / 1000000000, rest = ns % 1000000000;
    size_t n = strlen(clock);

    if (rest < 0) {
        rest += 1000000000;
        sec--;
    }
    memcpy(to, clock, n);
    n += put_number(to + n, sec);
    to[n++] = ' ';
    n += put_number(to + n, rest);
    to[n++] = '\n';
    return n;
}

static int
make_clocks(const struct cell_plan *plan)
{
    char text[160];
    size_t n = put_offset(text, "monotonic ", plan->monotonic_ns);
    int fd, ret = 0;

    n += put_offset(text + n, "boottime ", plan->boottime_ns);
    if (unshare(CLONE_NEWTIME) < 0)
        return -errno;
    fd = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, n) != (ssize_t)n)
        ret = -errno;
    fd_close(fd);
    return ret;
}

static void
helper(const struct cell_plan *plan, int report)
{
    struct report r = { .stage = -1 };
    sigset_t none;
    long pid;
    int ret;

    sigemptyset(&none);
    for (int s = 1; s < NSIG; s++)
        signal(s, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (setns(plan->conf->netns, CLONE_NEWNET) < 0)
        cell_fail(report, CELL_STAGE_NETNS, errno);
    if (plan->own_clocks && (ret = make_clocks(plan)) < 0)
        cell_fail(report, CELL_STAGE_CLOCKS, -ret);
    pid = clone_process(
        CLONE_PARENT | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS, 0);
    if (pid < 0)
        cell_fail(report, CELL_STAGE_NAMESPACES, errno);
    if (pid == 0)
        reaper(plan, report);
    r.init = (pid_t)pid;
    fd_write_all(report, &r, sizeof r);
    _exit(0);
}

static void
explain(const struct cell_plan *plan, const struct report *r, char *error)
{
    static const char *const what[CELL_STAGE_NSTAGES] = {
        [CELL_STAGE_NETNS] = "cannot join its network namespace",
        [CELL_STAGE_CLOCKS] = "cannot set its clocks (CONFIG_TIME_NS, CAP_SYS_TIME)",
        [CELL_STAGE_NAMESPACES] = "cannot make its namespaces (CAP_SYS_ADMIN)",
        [CELL_STAGE_MOUNT] = "cannot mount its own /proc",
        [CELL_STAGE_PID] = "cannot make its first process (CAP_CHECKPOINT_RESTORE)",
        [CELL_STAGE_LOG] = "cannot append to its log: create the folder of",
        [CELL_STAGE_USER] = "cannot become its user",
        [CELL_STAGE_DIRECTORY] =
            "cannot enter its folder (create it, or let its user in)",
        [CELL_STAGE_EXEC] = "cannot run the command: install it or correct its path:",
        [CELL_STAGE_STUB] = "cannot prepare the clone",
    };
    const char *object = "";

    if (r->stage == CELL_STAGE_LOG)
        object = plan->conf->log;
    else if (r->stage == CELL_STAGE_DIRECTORY)
        object = plan->conf->directory;
    else if (r->stage == CELL_STAGE_EXEC)
        object = plan->conf->command[0];
    snprintf(error, CELL_ERROR_LEN, "%s: %s %s: %s", plan->conf->name,
        r->stage >= 0 && r->stage < CELL_STAGE_NSTAGES ? what[r->stage] : "cell",
        object, strerror(r->err));
}

static pid_t
first_child(pid_t init)
{
    char path[64], text[64];

    snprintf(path, sizeof path, "/proc/%d/task/%d/children", init, init);
    return file_read(path, text, sizeof text) > 0 ? atoi(text) : 0;
}

int
cell_make(const struct cell_plan *plan, pid_t *init, pid_t *pid, char *error)
{
    int ends[2] = { -1, -1 }, ret = 0;
    struct report r;
    pid_t child;

    *init = *pid = 0;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    child = fork();
    if (child == 0) {
        close(ends[0]);
        helper(plan, ends[1]);
    }
    if (child < 0)
        ret = -errno;
    fd_close(ends[1]);
    /* to the end: all copies of the other side are closed when it has succeeded */
    while (child > 0 && fd_read_all(ends[0], &r, sizeof r) == 0) {
        if (r.stage < 0) {
            *init = r.init;
        } else if (ret == 0) {
            ret = -r.err;
            explain(plan, &r, error);
        }
    }
    fd_close(ends[0]);
    if (child > 0)
        waitpid(child, NULL, 0);
    if (ret == 0) {
        *pid = first_child(*init);
        ret = *pid > 0 ? 0 : -ESRCH;
        if (ret < 0)
            /* as engine.c says it of one that was seen to end */
            snprintf(error, CELL_ERROR_LEN,
                "the service's process ended by itself, at once; see %s",
                plan->conf->log ? plan->conf->log : "its log");
    }
    if (ret < 0) {
        cell_kill(*init);
        *init = *pid = 0;
    }
    return ret;
}
