/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/ckpt/threads.h"

#include "sockmig/ckpt/kernel.h"
#include "sockmig/ckpt/schedule.h"

#include <elf.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <unistd.h>

#define ERESTART_RESTARTBLOCK 516
#define ERESTARTNOHAND 514
#define SYSCALL_SIZE 2 /* of the instruction */
#define USER_CS 0x33   /* 64-bit code segment */
#ifndef SCHED_DEADLINE
#define SCHED_DEADLINE 6
#endif

_Static_assert(
    sizeof(struct user_regs_struct) == sizeof((struct image_thread *)0)->regs,
    "the image holds struct user_regs_struct");

void
threads_name(const struct trace *t, struct trace_thread *th, struct proctext *text)
{
    size_t n;

    if (proctext_read(text, "/proc/%d/task/%d/comm", (int)t->pid, (int)th->tid) < 0)
        return;
    n = strcspn(text->data, "\n");
    n = n < sizeof th->comm - 1 ? n : sizeof th->comm - 1;
    memset(th->comm, 0, sizeof th->comm);
    memcpy(th->comm, text->data, n);
}

void
threads_names(struct trace *t, struct proctext *text)
{
    for (unsigned i = 0; i < t->nthreads; i++)
        threads_name(t, &t->threads[i], text);
}

static int
peek_signals(const struct trace_thread *th, bool is_leader, struct image_thread *to,
    struct refusals *why)
{
    struct __ptrace_peeksiginfo_args args = { .nr = 16 };
    struct __ptrace_peeksiginfo_args more = { .off = 16, .nr = 1 };
    siginfo_t rest;
    long n = ptrace(PTRACE_PEEKSIGINFO, th->tid, &args, to->signals);

    if (n < 0)
        return -errno;
    to->nsignals = (uint32_t)n;
    for (long i = 0; i < n; i++) {
        int32_t signo;

        memcpy(&signo, to->signals[i].bytes, sizeof signo);
        if (signo == SIGTRAP && !is_leader) {
            refuse(why, th->cell_tid, -1, "end the debugger inside the service",
                "SIGTRAP is pending for a thread");
            return -EOPNOTSUPP;
        }
    }
    if (n == 16 && ptrace(PTRACE_PEEKSIGINFO, th->tid, &more, &rest) > 0) {
        refuse(why, th->cell_tid, -1, "wait until the thread has taken its signals",
            "more than 16 pending signals");
        return -EOPNOTSUPP;
    }
    return 0;
}

/* Its calls go to a handler of its own, so ours would too. */
static int
refuse_dispatch(const struct trace_thread *th, struct refusals *why)
{
    struct kernel_user_dispatch d = { 0 };

    if (ptrace(KERNEL_GET_USER_DISPATCH, th->tid, sizeof d, &d) < 0 || d.mode == 0)
        return 0;
    refuse(why, th->cell_tid, -1, "run the service without the emulator that uses it",
        "thread has syscall user dispatch");
    return -EOPNOTSUPP;
}

static int
read_schedule(
    const struct trace_thread *th, struct image_thread *to, struct refusals *why)
{
    int ret = schedule_read(th->tid, &to->schedule);

    if (ret < 0 || to->schedule.policy != SCHED_DEADLINE)
        return ret;
    refuse(why, th->cell_tid, -1, "use SCHED_FIFO or SCHED_RR",
        "thread has deadline scheduling");
    return -EOPNOTSUPP;
}

/* A call that was interrupted goes on as restart_syscall(), by notes of the kernel that
 * a clone has not: there it must be the call itself again.  Which one it was is seen in
 * the code: "mov $NR, %eax; syscall".  A thread that was let go a moment ago may stand
 * before that instruction once more. */
static void
name_restarted(const struct trace_thread *th, struct user_regs_struct *r)
{
    bool due = r->rax == SYS_restart_syscall;
    bool interrupted = r->orig_rax == SYS_restart_syscall &&
                       (int64_t)r->rax == -ERESTART_RESTARTBLOCK;
    uint8_t code[7];
    uint32_t nr;
    uint64_t after = due ? r->rip + SYSCALL_SIZE : r->rip;
    struct iovec here = { code, sizeof code };
    struct iovec there = { (void *)(uintptr_t)(after - sizeof code), sizeof code };

    if ((!due && !interrupted) ||
        process_vm_readv(th->tid, &here, 1, &there, 1, 0) != (ssize_t)sizeof code ||
        code[0] != 0xb8 || code[5] != 0x0f || code[6] != 0x05)
        return;
    memcpy(&nr, code + 1, sizeof nr);
    if (nr != SYS_poll && nr != SYS_nanosleep && nr != SYS_clock_nanosleep &&
        nr != SYS_futex)
        return;
    if (due)
        r->rax = nr;
    else
        r->orig_rax = nr;
}

/* The kernel ends a call that waits for a semaphore when its thread is stopped.  This
 * one, without a time limit, is made again: here, too, if no handler runs. */
static int
go_on_waiting(const struct trace_thread *th, struct user_regs_struct *r)
{
    struct iovec regs = { r, sizeof *r };

    if ((int64_t)r->rax != -EINTR ||
        (r->orig_rax != SYS_semop && (r->orig_rax != SYS_semtimedop || r->r10 != 0)))
        return 0;
    r->rax = (uint64_t)-ERESTARTNOHAND;
    return ptrace(PTRACE_SETREGSET, th->tid, (void *)NT_PRSTATUS, &regs) < 0 ? -errno
                                                                             : 0;
}

static int
read_thread(
    const struct trace_thread *th, struct image_thread *to, struct refusals *why)
{
    struct iovec regs = { to->regs, sizeof to->regs };
    struct iovec xstate = { to->xstate, sizeof to->xstate };
    struct kernel_rseq_configuration rseq = { 0 };
    struct user_regs_struct *r = (struct user_regs_struct *)to->regs;
    void *head = NULL;
    size_t len = 0;

    if (ptrace(PTRACE_GETREGSET, th->tid, (void *)NT_PRSTATUS, &regs) < 0 ||
        ptrace(PTRACE_GETREGSET, th->tid, (void *)NT_X86_XSTATE, &xstate) < 0 ||
        ptrace(PTRACE_GETSIGMASK, th->tid, 8, &to->sigmask) < 0 ||
        ptrace(KERNEL_GET_RSEQ_CONFIGURATION, th->tid, sizeof rseq, &rseq) < 0 ||
        syscall(SYS_get_robust_list, th->tid, &head, &len) < 0)
        return -errno;
    if (r->cs != USER_CS) {
        refuse(why, th->cell_tid, -1, "use a 64-bit build", "thread runs 32-bit code");
        return -EOPNOTSUPP;
    }
    name_restarted(th, r);
    to->tid = th->cell_tid;
    to->xstate_len = (uint32_t)xstate.iov_len;
    to->rseq_address = rseq.pointer;
    to->rseq_size = rseq.size;
    to->rseq_signature = rseq.signature;
    to->robust_head = (uint64_t)(uintptr_t)head;
    to->robust_len = len;
    to->clear_tid = th->clear_tid;
    to->altstack_sp = th->altstack_sp;
    to->altstack_size = th->altstack_size;
    to->altstack_flags = th->altstack_flags;
    to->timer_slack = th->timer_slack;
    to->io_flusher = th->io_flusher;
    to->machine_check = th->machine_check;
    to->no_tsc = th->no_tsc;
    to->no_cpuid = th->no_cpuid;
    memcpy(to->comm, th->comm, sizeof to->comm);
    if (go_on_waiting(th, r) < 0)
        return -errno;
    return refuse_dispatch(th, why);
}

int
threads_refuse_strict(const char *status, int cell_tid, struct refusals *why)
{
    if (proctext_number(status, "Seccomp:", 10, 0) != 1)
        return 0;
    refuse(why, cell_tid, -1, "disable system call filtering in the service",
        "thread is in strict seccomp mode");
    return -EOPNOTSUPP;
}

static int
learn_filters(struct trace *t, const char *status, struct refusals *why)
{
    t->filtered = proctext_number(status, "Seccomp:", 10, 0) == 2;
    if (!t->filtered)
        return 0;
    if (trace_filters(t->pid, true) == 0 && trace_filters(t->pid, false) == 0)
        return 0;
    refuse(why, proctext_last_id(status), -1,
        "run sockmig as root, without filters of its own, on a kernel with "
        "CONFIG_CHECKPOINT_RESTORE",
        "system call filter (seccomp) that cannot be suspended");
    return -EOPNOTSUPP;
}

int
threads_may_inject(struct trace *t, struct proctext *text, struct refusals *why)
{
    int ret = refuse_dispatch(&t->threads[0], why);

    if (ret == 0 && proctext_read(text, "/proc/%d/status", (int)t->pid) < 0)
        ret = -ESRCH;
    if (ret == 0)
        ret = threads_refuse_strict(text->data, proctext_last_id(text->data), why);
    if (ret == 0)
        ret = learn_filters(t, text->data, why);
    return ret;
}

int
threads_read(struct trace *t, struct image *im, struct refusals *why)
{
    uint32_t n = 1;

    for (unsigned i = 0; i < t->nthreads; i++) {
        const struct trace_thread *th = &t->threads[i];
        struct image_thread *to = th->tid == t->pid ? &im->threads[0]
                                                    : &im->threads[n++];
        int ret = read_thread(th, to, why);

        if (ret == 0)
            ret = peek_signals(th, th->tid == t->pid, to, why);
        if (ret == 0)
            ret = read_schedule(th, to, why);
        if (ret < 0)
            return ret;
    }
    im->nthreads = n;
    return n == t->nthreads ? 0 : -ESRCH; /* the leader has gone */
}
