/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/ckpt/batch.h"

#include "sockmig/ckpt/filters.h"

#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define CODE_ROOM 4096u
#define CALLS_ROOM (BATCH_CALLS * sizeof(struct batch_call))
#define ARGUMENTS (CODE_ROOM + CALLS_ROOM)
#define ARGUMENTS_ROOM (8u << 20)
#define STACK_AT                                                                       \
    3968u /* of the code page: nothing pushes, but it must be an address               \
           */
#define SPARE (1u << 20)
#define SPARES 4u
#define WARM (2u << 20)
#define EVENT_STOP 128 /* PTRACE_EVENT_STOP */
#define OPTIONS                                                                        \
    (PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK |                \
        PTRACE_O_TRACEVFORK | PTRACE_O_EXITKILL)

extern const char batch_code[], batch_code_idle[], batch_code_end[];

__asm__(".pushsection .rodata\n"
        ".globl batch_code, batch_code_idle, batch_code_end\n"
        "batch_code:\n"
        "1:mov (%rbx), %rax\n"
        "  mov 8(%rbx), %rdi\n"
        "  mov 16(%rbx), %rsi\n"
        "  mov 24(%rbx), %rdx\n"
        "  mov 32(%rbx), %r10\n"
        "  mov 40(%rbx), %r8\n"
        "  mov 48(%rbx), %r9\n"
        "  syscall\n"
        "  mov %rax, 56(%rbx)\n"
        "  add $64, %rbx\n"
        "  dec %r12\n"
        "  jnz 1b\n"
        "  int3\n"
        "batch_code_idle:\n"
        "2:mov $34, %eax\n" /* pause */
        "  syscall\n"
        "  jmp 2b\n"
        "batch_code_end:\n"
        ".popsection\n");

int
batch_map(struct batch *b, bool (*is_free)(uint64_t start, uint64_t end, void *arg),
    void *arg)
{
    size_t size = ARGUMENTS + ARGUMENTS_ROOM + SPARES * SPARE;

    /* far from where programs, their heaps and their libraries grow */
    for (uint64_t at = 0x100000000000; at < 0x500000000000; at += 0x10000000000) {
        if (!is_free(at - (1ull << 36), at + (1ull << 36), arg))
            continue;
        b->base = mmap((void *)at, size, PROT_READ | PROT_WRITE | PROT_EXEC,
            MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
        if (b->base != (uint8_t *)at)
            continue;
        b->size = size;
        b->calls = (struct batch_call *)(b->base + CODE_ROOM);
        b->used = 0;
        memcpy(b->base, batch_code, (size_t)(batch_code_end - batch_code));
        memset(b->calls, 0, WARM);
        memset(b->base + ARGUMENTS, 0, WARM);
        return 0;
    }
    b->base = NULL;
    return -ENOMEM;
}

void
batch_unmap(struct batch *b)
{
    if (b->base)
        munmap(b->base, b->size);
    b->base = NULL;
}

uint64_t
batch_idle(const struct batch *b)
{
    return (uint64_t)(uintptr_t)b->base + (uint64_t)(batch_code_idle - batch_code);
}

uint64_t
batch_spare(const struct batch *b, unsigned i)
{
    return (uint64_t)(uintptr_t)b->base + ARGUMENTS + ARGUMENTS_ROOM + i * SPARE;
}

static int
regs_get(pid_t tid, struct user_regs_struct *regs)
{
    struct iovec v = { regs, sizeof *regs };

    return ptrace(PTRACE_GETREGSET, tid, (void *)NT_PRSTATUS, &v) < 0 ? -errno : 0;
}

static int
regs_set(pid_t tid, const struct user_regs_struct *regs)
{
    struct iovec v = { (void *)(uintptr_t)regs, sizeof *regs };

    return ptrace(PTRACE_SETREGSET, tid, (void *)NT_PRSTATUS, &v) < 0 ? -errno : 0;
}

int
batch_wait_stop(pid_t tid)
{
    int status;
    pid_t got;

    do
        got = waitpid(tid, &status, __WALL);
    while (got < 0 && errno == EINTR);
    return got < 0 || !WIFSTOPPED(status) ? -ESRCH : status;
}

int
batch_seize(struct batch *b, pid_t pid)
{
    /* SIGTRAP ends a batch: blocked, the kernel would reset its disposition */
    uint64_t mask = ~(1ull << (SIGTRAP - 1));
    int status, ret;

    if (ptrace(PTRACE_SEIZE, pid, NULL, OPTIONS) < 0 ||
        ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) < 0)
        return -errno;
    status = batch_wait_stop(pid);
    if (status < 0)
        return status;
    ret = regs_get(pid, &b->regs);
    if (ret == 0 && ptrace(PTRACE_SETSIGMASK, pid, 8, &mask) < 0)
        ret = -errno;
    return ret;
}

uint64_t
batch_put(struct batch *b, const void *data, size_t size)
{
    size_t at = b->used;

    if (ARGUMENTS_ROOM - at < size + 64) {
        b->full = true;
        return 0;
    }
    memcpy(b->base + ARGUMENTS + at, data, size);
    b->used = (at + size + 63) & ~(size_t)63;
    return (uint64_t)(uintptr_t)b->base + ARGUMENTS + at;
}

void
batch_add(struct batch *b, const char *name, long nr, uint64_t a0, uint64_t a1,
    uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
    if (b->ncalls == BATCH_CALLS) {
        b->full = true;
        return;
    }
    b->calls[b->ncalls] = (struct batch_call){ (uint64_t)nr, { a0, a1, a2, a3, a4, a5 },
        -ENOSYS };
    b->names[b->ncalls++] = name;
}

int
batch_start(struct batch *b, pid_t tid, unsigned first, unsigned count)
{
    struct user_regs_struct regs = b->regs;
    int ret;

    regs.rip = (uint64_t)(uintptr_t)b->base;
    regs.rsp = (uint64_t)(uintptr_t)b->base + STACK_AT;
    regs.rbx = (uint64_t)(uintptr_t)&b->calls[first];
    regs.r12 = count;
    regs.rax = 0;
    regs.orig_rax = (uint64_t)-1; /* no system call to restart */
    ret = regs_set(tid, &regs);
    if (ret == 0 && ptrace(PTRACE_CONT, tid, NULL, NULL) < 0)
        ret = -errno;
    return ret;
}

/* Threads and children stop before their first instruction, and stay so. */
static int
adopt(struct batch *b, pid_t tid)
{
    unsigned long born = 0;

    if (ptrace(PTRACE_GETEVENTMSG, tid, NULL, &born) < 0)
        return -errno;
    if (b->nborn < BATCH_BORN)
        b->born[b->nborn++] = (pid_t)born;
    if (batch_wait_stop((pid_t)born) < 0)
        return -ESRCH;
    return ptrace(PTRACE_CONT, tid, NULL, NULL) < 0 ? -errno : 0;
}

int
batch_wait(struct batch *b, pid_t tid)
{
    for (;;) {
        int status = batch_wait_stop(tid), event = status >> 16, ret;

        if (status < 0)
            return status;
        if (event == 0 && WSTOPSIG(status) == SIGTRAP)
            return 0;
        if (event == 0) /* nothing but a fault gets through the mask */
            return -EFAULT;
        if (event == EVENT_STOP)
            ret = ptrace(PTRACE_CONT, tid, NULL, NULL) < 0 ? -errno : 0;
        else
            ret = adopt(b, tid);
        if (ret < 0)
            return ret;
    }
}

int
batch_finish(struct batch *b)
{
    int ret = b->full ? -ENOSPC : 0;

    b->failed = b->full ? "room for system calls" : NULL;
    for (unsigned i = 0; i < b->ncalls && ret == 0; i++) {
        int64_t result = b->calls[i].result;

        if (b->names[i] && result < 0 && result > -4096) {
            b->failed = b->names[i];
            ret = (int)result;
        }
    }
    b->ncalls = 0;
    b->used = 0;
    b->full = false;
    return ret;
}

int
batch_run(struct batch *b, pid_t tid)
{
    int ret = 0;

    if (b->ncalls > 0 && !b->full) {
        ret = batch_start(b, tid, 0, b->ncalls);
        if (ret == 0)
            ret = batch_wait(b, tid);
    }
    if (ret < 0) {
        b->ncalls = 0;
        b->used = 0;
        b->failed = "stub";
        return ret;
    }
    return batch_finish(b);
}

int
batch_room(struct batch *b, pid_t tid, unsigned calls)
{
    return b->full || BATCH_CALLS - b->ncalls >= calls ? 0 : batch_run(b, tid);
}

static int
set_call(const struct batch *b, pid_t tid, uint64_t rip, long nr, const uint64_t *args)
{
    struct user_regs_struct regs = b->regs;

    regs.rip = rip;
    regs.rax = (uint64_t)nr;
    regs.orig_rax = (uint64_t)-1;
    regs.rdi = args[0];
    regs.rsi = args[1];
    regs.rdx = args[2];
    regs.r10 = args[3];
    regs.r8 = args[4];
    regs.r9 = args[5];
    return regs_set(tid, &regs);
}

static int
result_of(pid_t tid)
{
    struct user_regs_struct regs;
    int ret = regs_get(tid, &regs);

    if (ret == 0 && (int64_t)regs.rax < 0 && (int64_t)regs.rax > -4096)
        ret = (int)(int64_t)regs.rax;
    return ret;
}

static int
go_on(pid_t tid, enum __ptrace_request how)
{
    return ptrace(how, tid, NULL, NULL) < 0 ? -errno : batch_wait_stop(tid);
}

int
batch_single(struct batch *b, pid_t tid, uint64_t rip, long nr, const uint64_t *args)
{
    int ret = set_call(b, tid, rip, nr, args);

    for (unsigned stops = 0; stops < 2 && ret == 0; stops++) { /* entry and exit */
        int status = go_on(tid, PTRACE_SYSCALL);

        if (status < 0)
            return status;
        if (WSTOPSIG(status) != (SIGTRAP | 0x80))
            return -EPROTO;
    }
    return ret == 0 ? result_of(tid) : ret;
}

int
batch_last(struct batch *b, pid_t tid, uint64_t rip, long nr, const uint64_t *args)
{
    int ret = set_call(b, tid, rip, nr, args), status;

    if (ret < 0)
        return ret;
    status = go_on(tid, PTRACE_SINGLESTEP);
    if (status < 0)
        return status;
    if (status >> 8 != SIGTRAP) /* another signal, or an event */
        return -EPROTO;
    return result_of(tid);
}

int
batch_unfiltered(pid_t tid)
{
    return filters_suspend(tid, OPTIONS, true);
}
