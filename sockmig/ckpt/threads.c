/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/ckpt/threads.h"

#include "sockmig/ckpt/kernel.h"

#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <unistd.h>

#define USER_CS 0x33 /* 64-bit code segment */
#define ALTSTACK_AT 64

_Static_assert(
    sizeof(struct user_regs_struct) == sizeof((struct image_thread *)0)->regs,
    "the image holds struct user_regs_struct");

static void
read_name(const struct trace *t, struct trace_thread *th, struct proctext *text)
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
        read_name(t, &t->threads[i], text);
}

static struct mono
next_look(unsigned looks, struct mono now)
{
    static const int64_t after_ms[] = { 50, 1000, 10000 };

    return looks < sizeof after_ms / sizeof after_ms[0]
               ? mono_add_ms(now, after_ms[looks])
               : (struct mono){ INT64_MAX };
}

static int
learn(struct trace *t, struct trace_thread *th, struct inject *in,
    struct proctext *text, struct refusals *why)
{
    const struct inject_call calls[2] = {
        { .nr = SYS_prctl, .args = { KERNEL_GET_TID_ADDRESS, inject_data(in, 0) } },
        { .nr = SYS_sigaltstack, .args = { 0, inject_data(in, ALTSTACK_AT) } },
    };
    stack_t ss;
    int ret = inject_run(in, th, calls, 2, NULL, NULL);

    if (ret < 0)
        return ret;
    if (in->results[0] < 0) {
        refuse(why, th->cell_tid, -1, "use a kernel with CONFIG_CHECKPOINT_RESTORE",
            "thread state cannot be read: %s", strerror((int)-in->results[0]));
        return -EOPNOTSUPP;
    }
    ret = inject_get(in, 0, &th->clear_tid, sizeof th->clear_tid);
    if (ret == 0)
        ret = inject_get(in, ALTSTACK_AT, &ss, sizeof ss);
    if (ret < 0)
        return ret;
    th->altstack_sp = (uint64_t)(uintptr_t)ss.ss_sp;
    th->altstack_size = ss.ss_size;
    th->altstack_flags = (uint32_t)ss.ss_flags;
    if (!th->cell_tid &&
        proctext_read(text, "/proc/%d/task/%d/status", (int)t->pid, (int)th->tid) == 0)
        th->cell_tid = proctext_last_id(text->data);
    read_name(t, th, text);
    return th->cell_tid ? 0 : -ESRCH;
}

int
threads_learn(struct trace *t, struct inject *in, struct proctext *text,
    struct mono now, bool again, struct refusals *why)
{
    int ret = 0;

    if (t->nthreads > IMAGE_MAX_THREADS) {
        refuse(why, 0, -1, "lower its number of threads", "%u threads, at most %d",
            t->nthreads, IMAGE_MAX_THREADS);
        return -EOPNOTSUPP;
    }
    for (unsigned i = 0; i < t->nthreads && ret == 0; i++) {
        struct trace_thread *th = &t->threads[i];

        if (th->looks > 0 && !again && mono_before(now, th->next_look))
            continue;
        ret = learn(t, th, in, text, why);
        th->next_look = next_look(th->looks++, now);
    }
    return ret;
}

static int
peek_signals(
    const struct trace_thread *th, struct image_thread *to, struct refusals *why)
{
    struct __ptrace_peeksiginfo_args args = { .nr = 16 };
    struct __ptrace_peeksiginfo_args more = { .off = 16, .nr = 1 };
    siginfo_t rest;
    long n = ptrace(PTRACE_PEEKSIGINFO, th->tid, &args, to->signals);

    if (n < 0)
        return -errno;
    to->nsignals = (uint32_t)n;
    if (n == 16 && ptrace(PTRACE_PEEKSIGINFO, th->tid, &more, &rest) > 0) {
        refuse(why, th->cell_tid, -1, "wait until the thread has taken its signals",
            "more than 16 pending signals");
        return -EOPNOTSUPP;
    }
    return 0;
}

static int
read_thread(
    const struct trace_thread *th, struct image_thread *to, struct refusals *why)
{
    struct iovec regs = { to->regs, sizeof to->regs };
    struct iovec xstate = { to->xstate, sizeof to->xstate };
    struct kernel_rseq_configuration rseq = { 0 };
    const struct user_regs_struct *r = (const struct user_regs_struct *)to->regs;
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
    memcpy(to->comm, th->comm, sizeof to->comm);
    return peek_signals(th, to, why);
}

int
threads_read(struct trace *t, struct image *im, struct refusals *why)
{
    uint32_t n = 1;

    for (unsigned i = 0; i < t->nthreads; i++) {
        const struct trace_thread *th = &t->threads[i];
        int ret = read_thread(
            th, th->tid == t->pid ? &im->threads[0] : &im->threads[n++], why);

        if (ret < 0)
            return ret;
    }
    im->nthreads = n;
    return n == t->nthreads ? 0 : -ESRCH; /* the leader has gone */
}
