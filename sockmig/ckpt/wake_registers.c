/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * wake_registers.c - the last of a clone before it runs: our code and memory go, what
 * its threads were at comes. */
#include "sockmig/ckpt/clone_parts.h"

#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define ERESTARTSYS 512
#define ERESTARTNOHAND 514
#define ERESTART_RESTARTBLOCK 516
#define SYSCALL_SIZE 2
#define ALL_ONES (~(uint64_t)0)

/* One that waits, blocked: sent to @tid, 0: to the process. */
static int
queue_trap(struct wake *w, const struct image_siginfo *info, int32_t tid)
{
    struct batch *b = &w->c->batch;
    uint64_t pid = (uint64_t)w->im->process.pid, at;
    int32_t signo;

    memcpy(&signo, info->bytes, sizeof signo);
    if (signo != SIGTRAP)
        return 0;
    at = batch_put(b, info, sizeof *info);
    if (tid > 0)
        return batch_single(b, w->c->pid, w->c->vdso_syscall, SYS_rt_tgsigqueueinfo,
            (const uint64_t[6]){ pid, (uint64_t)tid, SIGTRAP, at, 0, 0 });
    return batch_single(b, w->c->pid, w->c->vdso_syscall, SYS_rt_sigqueueinfo,
        (const uint64_t[6]){ pid, SIGTRAP, at, 0, 0, 0 });
}

static int
queue_traps(struct wake *w)
{
    const struct image_process *p = &w->im->process;
    const struct image_thread *leader = &w->im->threads[0];
    uint64_t all = ALL_ONES;
    int ret = ptrace(PTRACE_SETSIGMASK, w->c->pid, 8, &all) < 0 ? -errno : 0;

    for (uint32_t i = 0; i < p->nsignals && ret == 0; i++)
        ret = queue_trap(w, &p->signals[i], 0);
    for (uint32_t i = 0; i < leader->nsignals && ret == 0; i++)
        ret = queue_trap(w, &leader->signals[i], leader->tid);
    return ret;
}

static bool
has_trap(const struct image_siginfo *signals, uint32_t n)
{
    int32_t signo = 0;

    for (uint32_t i = 0; i < n && signo != SIGTRAP; i++)
        memcpy(&signo, signals[i].bytes, sizeof signo);
    return signo == SIGTRAP;
}

/* Does the service ignore SIGTRAP or has it waiting?  It gets that after our last trap,
 * which the kernel would have taken for it. */
static bool
is_trap_its_own(const struct image *im)
{
    const struct image_process *p = &im->process;
    const struct image_thread *leader = &im->threads[0];

    return p->actions[SIGTRAP - 1].handler == (uintptr_t)SIG_IGN ||
           has_trap(p->signals, p->nsignals) ||
           has_trap(leader->signals, leader->nsignals);
}

static int
give_traps(struct wake *w)
{
    struct batch *b = &w->c->batch;
    const struct image_sigaction *trap = &w->im->process.actions[SIGTRAP - 1];
    uint64_t action[6] = { SIGTRAP, batch_put(b, trap, sizeof *trap), 0, 8, 0, 0 };
    int ret = queue_traps(w);

    if (ret == 0 && trap->handler == (uintptr_t)SIG_IGN)
        ret = batch_single(b, w->c->pid, w->c->vdso_syscall, SYS_rt_sigaction, action);
    return ret;
}

/* The last calls go through the vdso, which stays: no code of ours after the mapping is
 * gone. */
static int
leave_mapping(struct wake *w, bool quietly)
{
    struct batch *b = &w->c->batch;
    uint64_t unmap[6] = { (uint64_t)(uintptr_t)b->base, b->size, 0, 0, 0, 0 };
    int ret = quietly ? give_traps(w) : 0;

    if (ret < 0)
        return ret;
    return quietly ? batch_single(b, w->c->pid, w->c->vdso_syscall, SYS_munmap, unmap)
                   : batch_last(b, w->c->pid, w->c->vdso_syscall, SYS_munmap, unmap);
}

/* What the kernel tells who waits in connect() when it is over; 1: it is not.  By the
 * socket's state alone: that somebody waits for it is not in the image. */
static int64_t
connected(const struct image *im, int fd)
{
    const struct image_fd *f = image_fd_find(im, fd);

    if (f && f->kind == IMAGE_FD_TCP)
        return 0;
    return f && f->kind == IMAGE_FD_TCP_DEAD && f->u.dead.error > 0
               ? -(int64_t)f->u.dead.error
               : 1;
}

/* Who was interrupted in connect() makes the call again, also where the answer has come
 * meanwhile.  There the kernel knows that it was not told yet; a clone's socket would
 * say that it is connected already. */
static void
finish_connect(const struct image *im, struct user_regs_struct *r)
{
    bool interrupted = (int64_t)r->rax == -ERESTARTSYS, due = r->rax == SYS_connect;
    int64_t result;

    if (r->orig_rax != SYS_connect || (!interrupted && !due))
        return;
    result = connected(im, (int)r->rdi);
    if (result > 0)
        return;
    if (due)
        r->rip += SYSCALL_SIZE;
    r->rax = (uint64_t)result;
    r->orig_rax = ALL_ONES; /* no call to restart */
}

/* A call that would be restarted from the kernel's own notes has none here: it is made
 * anew, with its full timeout. */
static int
set_registers(pid_t tid, const struct image *im, const struct image_thread *t)
{
    struct user_regs_struct regs;
    struct iovec r = { &regs, sizeof regs };
    struct iovec x = { (void *)(uintptr_t)t->xstate, t->xstate_len };

    memcpy(&regs, t->regs, sizeof regs);
    if ((int64_t)regs.orig_rax >= 0 && (int64_t)regs.rax == -ERESTART_RESTARTBLOCK)
        regs.rax = (uint64_t)-ERESTARTNOHAND;
    finish_connect(im, &regs);
    if (ptrace(PTRACE_SETREGSET, tid, (void *)NT_X86_XSTATE, &x) < 0 ||
        ptrace(PTRACE_SETREGSET, tid, (void *)NT_PRSTATUS, &r) < 0 ||
        ptrace(PTRACE_SETSIGMASK, tid, 8, &t->sigmask) < 0)
        return -errno;
    return 0;
}

/* At the exit of a call the kernel does not look whether a call is to be restarted; in
 * a stop for signals it does.  All signals are blocked on the way there, or one of the
 * service's would come in between. */
static int
stop_for_signals(pid_t tid, const struct image *im, const struct image_thread *t)
{
    uint64_t all = ALL_ONES;
    int ret = set_registers(tid, im, t), status;

    if (ret < 0)
        return ret;
    if (ptrace(PTRACE_SETSIGMASK, tid, 8, &all) < 0 ||
        ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) < 0 ||
        ptrace(PTRACE_CONT, tid, NULL, NULL) < 0)
        return -errno;
    status = batch_wait_stop(tid);
    if (status < 0)
        return status;
    if (status >> 16 != 128 /* PTRACE_EVENT_STOP */)
        return -EPROTO;
    return ptrace(PTRACE_SETSIGMASK, tid, 8, &t->sigmask) < 0 ? -errno : 0;
}

int
wake_registers(struct wake *w, const char **what)
{
    bool quietly = is_trap_its_own(w->im);
    int ret = leave_mapping(w, quietly);

    *what = "registers";
    for (uint32_t i = 0; i < w->im->nthreads && ret == 0; i++) {
        pid_t tid = wake_thread(w->c, w->im->threads[i].tid);

        ret = i == 0 && quietly ? stop_for_signals(tid, w->im, &w->im->threads[i])
                                : set_registers(tid, w->im, &w->im->threads[i]);
    }
    return ret;
}
