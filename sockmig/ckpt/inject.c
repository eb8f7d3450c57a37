/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/ckpt/inject.h"

#include "lib/loop.h"
#include "sockmig/ckpt/inject_place.h"
#include "sockmig/ckpt/kernel.h"

#include <elf.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef PTRACE_EVENT_STOP
#define PTRACE_EVENT_STOP 128
#endif

#define LIMIT_US 2000000 /* calls that take longer are a bug: they are cut off */
#define MAGIC 0x6863746172637342ull /* "Bscratch" */
#define MAGIC_AT 0
#define FLAG_AT 64
#define CALLS_AT 4096
#define RESULTS_AT (CALLS_AT + INJECT_MAX_CALLS * sizeof(struct inject_call))

extern const uint8_t inject_code[], inject_entry[], inject_slots[], inject_code_end[];

struct slots { /* as at inject_slots */
    uint64_t flags, rsp, mask, rip, rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11,
        r12, r13, r14, r15;
    struct inject_call first;
};

static size_t
inject_code_size(void)
{
    return (size_t)(inject_code_end - inject_code);
}

static int
mem_read(const struct inject *in, uint64_t at, void *to, size_t size)
{
    ssize_t n = pread(in->mem_fd, to, size, (off_t)at);

    return n == (ssize_t)size ? 0 : n < 0 ? -errno : -EFAULT;
}

/* Through /proc/PID/mem: writes what the thread itself may not, as a debugger does. */
static int
mem_write(const struct inject *in, uint64_t at, const void *from, size_t size)
{
    ssize_t n = pwrite(in->mem_fd, from, size, (off_t)at);

    return n == (ssize_t)size ? 0 : n < 0 ? -errno : -EFAULT;
}

static int
regs_get(const struct trace_thread *th, struct user_regs_struct *regs)
{
    struct iovec v = { regs, sizeof *regs };

    return ptrace(PTRACE_GETREGSET, th->tid, (void *)NT_PRSTATUS, &v) < 0 ? -errno : 0;
}

static int
regs_set(const struct trace_thread *th, const struct user_regs_struct *regs)
{
    struct iovec v = { (void *)regs, sizeof *regs };

    return ptrace(PTRACE_SETREGSET, th->tid, (void *)NT_PRSTATUS, &v) < 0 ? -errno : 0;
}

static bool
inside_program(const struct inject *in, const struct user_regs_struct *regs)
{
    return regs->rip >= in->code && regs->rip < in->code + inject_code_size();
}

/* A thread inside a restartable sequence is moved to the sequence's abort handler, as
 * the kernel does when it preempts one: coming back to the middle from elsewhere would
 * break the sequence's promise. */
static int
leave_rseq(
    const struct inject *in, struct trace_thread *th, struct user_regs_struct *regs)
{
    struct kernel_rseq_configuration conf = { 0 };
    struct {
        uint32_t version, flags;
        uint64_t start, post_commit, abort;
    } cs;
    uint64_t at, zero = 0;

    if (ptrace(KERNEL_GET_RSEQ_CONFIGURATION, th->tid, sizeof conf, &conf) < 0 ||
        !conf.pointer || mem_read(in, conf.pointer + 8, &at, sizeof at) < 0 || !at ||
        mem_read(in, at, &cs, sizeof cs) < 0 || regs->rip - cs.start >= cs.post_commit)
        return 0;
    regs->rip = cs.abort;
    if (mem_write(in, conf.pointer + 8, &zero, sizeof zero) < 0)
        return -EIO;
    return regs_set(th, regs);
}

/* What the program restores if it has to: an interrupted system call is made again,
 * which the kernel would have arranged on the way out. */
static struct slots
slots_of(
    const struct user_regs_struct *r, uint64_t mask, const struct inject_call *call)
{
    struct slots s = { r->eflags, r->rsp, mask, r->rip, r->rax, r->rbx, r->rcx, r->rdx,
        r->rsi, r->rdi, r->rbp, r->r8, r->r9, r->r10, r->r11, r->r12, r->r13, r->r14,
        r->r15, { 0 } };
    int64_t result = (int64_t)r->rax;

    if ((int64_t)r->orig_rax >= 0 &&
        (result == -512 || result == -513 || result == -514 || result == -516)) {
        s.rip -= 2; /* the length of the syscall instruction */
        s.rax = r->orig_rax;
    }
    if (call)
        s.first = *call;
    return s;
}

/* Begin: registers first, mask second, so that the engine's death in between leaves a
 * thread that blocks its signals by itself and heals. */
static int
start(struct inject *in, struct trace_thread *th, const struct user_regs_struct *orig,
    uint64_t mask, const struct inject_call *first, unsigned n)
{
    struct slots slots = slots_of(orig, mask, first);
    struct user_regs_struct regs = *orig;
    uint64_t all = ~0ull, slots_at = in->code + (uint64_t)(inject_slots - inject_code);
    int ret;

    ret = mem_write(in, slots_at, &slots, sizeof slots);
    if (ret < 0)
        return ret;
    regs.rip = in->code + (uint64_t)(inject_entry - inject_code);
    regs.rbx = first ? slots_at + offsetof(struct slots, first)
                     : in->scratch + CALLS_AT;
    regs.r12 = n;
    regs.r13 = first ? 0 : in->scratch + FLAG_AT;
    regs.rax = 0;
    regs.orig_rax = ~0ull;
    ret = regs_set(th, &regs);
    if (ret == 0 && ptrace(PTRACE_SETSIGMASK, th->tid, 8, &all) < 0)
        ret = -errno;
    if (ret == 0 && ptrace(PTRACE_CONT, th->tid, 0, 0) < 0)
        ret = -errno;
    th->state = TRACE_RUNS;
    return ret;
}

/* End the call in which the thread sleeps: it goes on with the next one. */
static int
wake(struct inject *in, struct trace_thread *th)
{
    int ret;

    ptrace(PTRACE_INTERRUPT, th->tid, 0, 0);
    ret = trace_wait_stop(in->trace, th);
    if (ret == 0 && ptrace(PTRACE_CONT, th->tid, 0, 0) < 0)
        ret = -errno;
    if (ret == 0)
        th->state = TRACE_RUNS;
    return ret;
}

/* Take over: stop the thread in its sleep and give it back what it had.  If it healed
 * itself before, its context is its own already. */
static int
finish(struct inject *in, struct trace_thread *th, const struct user_regs_struct *orig,
    uint64_t mask)
{
    struct user_regs_struct now;
    int ret;

    ptrace(PTRACE_INTERRUPT, th->tid, 0, 0);
    ret = trace_wait_stop(in->trace, th);
    if (ret == 0)
        ret = regs_get(th, &now);
    if (ret < 0 || !inside_program(in, &now))
        return ret;
    ret = regs_set(th, orig);
    if (ret == 0 && ptrace(PTRACE_SETSIGMASK, th->tid, 8, &mask) < 0)
        ret = -errno;
    return ret;
}

/* The calls that map and unmap the scratch memory have no flag there: one is done when
 * the memory can be read, the other when it cannot. */
static bool
is_done(struct inject *in, const struct inject_call *first)
{
    uint64_t flag = 0;

    if (first)
        return (mem_read(in, in->scratch, &flag, sizeof flag) == 0) ==
               (first->nr == SYS_mmap);
    return mem_read(in, in->scratch + FLAG_AT, &flag, sizeof flag) == 0 && flag == 1;
}

/* Looking again and again in real time would keep the thread from the processor that it
 * needs: the longer it takes, the longer the pause. */
static void
pause_since(struct mono begin)
{
    int64_t us = mono_us_between(begin, mono_clock()) / 8;
    struct timespec pause = { 0, (us < 10 ? 10 : us > 2000 ? 2000 : us) * 1000 };

    nanosleep(&pause, NULL);
}

/* A process that was stopped (SIGSTOP) when it was seized traps once more on its way,
 * and so does whoever was asked to stop a second time: it would stand there, and the
 * service with it, until the limit, and again at the next checkpoint. */
static void
pass_stop(const struct trace_thread *th)
{
    int status;

    if (waitpid(th->tid, &status, __WALL | WNOHANG) == th->tid && WIFSTOPPED(status) &&
        (th->job_stop || status >> 16 == PTRACE_EVENT_STOP))
        ptrace(PTRACE_CONT, th->tid, 0, 0);
}

static int
run(struct inject *in, struct trace_thread *th, const struct inject_call *first,
    unsigned n, bool (*meanwhile)(void *), void *arg)
{
    struct user_regs_struct orig;
    struct mono begin;
    uint64_t mask;
    bool done = false;
    int ret, ended;

    if (in->trace->execed) /* program and memory were the old one's */
        return -ESRCH;
    ret = regs_get(th, &orig);
    if (ret == 0 && ptrace(PTRACE_GETSIGMASK, th->tid, 8, &mask) < 0)
        ret = -errno;
    if (ret == 0)
        ret = leave_rseq(in, th, &orig);
    if (ret == 0 && in->trace->filtered)
        ret = trace_filters(th->tid, true);
    if (ret == 0)
        ret = start(in, th, &orig, mask, first, n);
    if (ret < 0)
        return ret;
    begin = mono_clock();
    while (!done && mono_us_between(begin, mono_clock()) < LIMIT_US) {
        if (meanwhile && meanwhile(arg) && wake(in, th) < 0)
            return -ESRCH;
        done = is_done(in, first);
        if (!done) {
            pass_stop(th);
            pause_since(begin);
        }
    }
    ended = finish(in, th, &orig, mask);
    if (ended == 0 && in->trace->filtered)
        ended = trace_filters(th->tid, false);
    return ended < 0 ? ended : done ? 0 : -EIO;
}

int
inject_run(struct inject *in, struct trace_thread *th, const struct inject_call *calls,
    unsigned n, bool (*meanwhile)(void *), void *arg)
{
    struct inject_call here[INJECT_MAX_CALLS];
    uint64_t zero = 0;
    int ret;

    if (n > INJECT_MAX_CALLS || !in->scratch)
        return -EINVAL;
    memcpy(here, calls, n * sizeof *calls);
    for (unsigned i = 0; i < n; i++)
        if (!here[i].result_at)
            here[i].result_at = in->scratch + RESULTS_AT + i * sizeof in->results[0];
    ret = mem_write(in, in->scratch + FLAG_AT, &zero, sizeof zero);
    if (ret == 0)
        ret = mem_write(in, in->scratch + CALLS_AT, here, n * sizeof *here);
    if (ret == 0)
        ret = run(in, th, NULL, n, meanwhile, arg);
    if (ret == 0)
        ret = mem_read(
            in, in->scratch + RESULTS_AT, in->results, n * sizeof in->results[0]);
    return ret;
}

uint64_t
inject_data(const struct inject *in, size_t offset)
{
    return in->scratch + INJECT_DATA + offset;
}

int
inject_get(const struct inject *in, size_t offset, void *to, size_t size)
{
    return mem_read(in, inject_data(in, offset), to, size);
}

int
inject_put(const struct inject *in, size_t offset, const void *from, size_t size)
{
    return mem_write(in, inject_data(in, offset), from, size);
}

uint64_t
inject_call_address(const struct inject *in, unsigned i, size_t offset)
{
    return in->scratch + CALLS_AT + i * sizeof(struct inject_call) + offset;
}

/* No thread may be in the program: a dead engine's thread heals itself in 200 ms. */
static int
wait_until_left(struct inject *in)
{
    for (int tries = 0; tries < 10; tries++) {
        struct user_regs_struct regs;
        bool inside = false;
        int ret;

        for (unsigned i = 0; i < in->trace->nthreads && !inside; i++)
            inside = regs_get(&in->trace->threads[i], &regs) == 0 &&
                     inside_program(in, &regs);
        if (!inside)
            return 0;
        trace_resume(in->trace);
        ret = trace_serve(in->trace, mono_add_ms(mono_clock(), 100), -1);
        if (ret == 0)
            ret = trace_stop(in->trace, 1000000);
        if (ret < 0)
            return ret;
    }
    return -EBUSY;
}

static int
map_scratch(struct inject *in, const uint64_t (*avoid)[2], size_t navoid)
{
    const struct inject_call map = { .nr = SYS_mmap,
        .args = { 0, INJECT_SCRATCH, PROT_READ | PROT_WRITE,
            MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, ~0ull, 0 } };
    struct inject_call call = map, keep = { .nr = SYS_madvise };
    struct trace_thread *leader = &in->trace->threads[0];
    uint64_t magic = 0;
    int ret;

    in->scratch = inject_place_scratch(avoid, navoid, in->mem_fd, MAGIC);
    if (mem_read(in, in->scratch, &magic, sizeof magic) == 0 && magic == MAGIC)
        return 0; /* a dead engine's */
    call.args[0] = in->scratch;
    ret = run(in, leader, &call, 1, NULL, NULL);
    magic = MAGIC;
    if (ret == 0)
        ret = mem_write(in, in->scratch, &magic, sizeof magic);
    if (ret < 0) {
        in->scratch = 0;
        return ret;
    }
    /* children need no copy; and it keeps neighbours from merging with it */
    keep.args[0] = in->scratch;
    keep.args[1] = INJECT_SCRATCH;
    keep.args[2] = MADV_DONTFORK;
    return inject_run(in, leader, &keep, 1, NULL, NULL);
}

int
inject_open(struct inject *in, struct trace *trace, int mem_fd,
    const uint64_t (*avoid)[2], size_t navoid)
{
    size_t size = inject_code_size();
    int ret;

    *in = (struct inject){ .trace = trace, .mem_fd = mem_fd };
    in->saved = malloc(size);
    if (!in->saved)
        return -ENOMEM;
    ret = inject_place_code(trace->pid, mem_fd, inject_code, size, &in->code);
    if (ret == 0)
        ret = wait_until_left(in);
    if (ret == 0)
        ret = mem_read(in, in->code, in->saved, size);
    if (ret == 0 && !memcmp(in->saved, inject_code, 8))
        memset(in->saved, 0, size); /* a dead engine's: before it were zeroes */
    if (ret == 0)
        ret = mem_write(in, in->code, inject_code, size);
    if (ret == 0)
        ret = map_scratch(in, avoid, navoid);
    if (ret < 0)
        inject_close(in);
    return ret;
}

void
inject_close(struct inject *in)
{
    struct inject_call unmap = { .nr = SYS_munmap };
    struct user_regs_struct regs;
    bool inside = false;

    if (in->scratch && in->trace->nthreads > 0) {
        unmap.args[0] = in->scratch;
        unmap.args[1] = INJECT_SCRATCH;
        run(in, &in->trace->threads[0], &unmap, 1, NULL, NULL);
    }
    for (unsigned i = 0; i < in->trace->nthreads; i++)
        inside |= regs_get(&in->trace->threads[i], &regs) == 0 &&
                  inside_program(in, &regs);
    if (in->code && in->saved && !inside && !in->trace->execed)
        mem_write(in, in->code, in->saved, inject_code_size());
    free(in->saved);
    *in = (struct inject){ 0 };
}
