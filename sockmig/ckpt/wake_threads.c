/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * wake_threads.c - the state of the threads, their credentials.
 *
 * Credentials belong to each thread and go last: everything before wants privilege.
 * Memory is already the image's, which the kernel writes to as soon as it knows the
 * addresses (rseq, robust list). */
#include "sockmig/ckpt/clone_parts.h"

#include "sockmig/ckpt/schedule.h"

#include <asm/prctl.h>
#include <elf.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif
#define NO_AMBIENT (1u << 6) /* SECBIT_NO_CAP_AMBIENT_RAISE */
#define ALL_ONES (~(uint64_t)0)

static void
add_prctl(struct batch *b, const char *name, int option, uint64_t a, uint64_t c)
{
    batch_add(b, name, SYS_prctl, (uint64_t)option, a, c, 0, 0, 0);
}

static void
thread_signals(struct batch *b, const struct image *im, const struct image_thread *t)
{
    for (uint32_t i = 0; i < t->nsignals; i++) {
        int32_t signo;

        memcpy(&signo, t->signals[i].bytes, sizeof signo); /* si_signo comes first */
        if (signo == SIGTRAP)
            continue;
        batch_add(b, "pending signal of a thread", SYS_rt_tgsigqueueinfo,
            (uint64_t)im->process.pid, (uint64_t)t->tid, (uint64_t)signo,
            batch_put(b, &t->signals[i], sizeof t->signals[i]), 0, 0);
    }
}

static void
thread_flags(struct batch *b, const struct image_thread *t)
{
    if (t->timer_slack)
        add_prctl(b, NULL, PR_SET_TIMERSLACK, t->timer_slack, 0);
    if (t->io_flusher)
        add_prctl(b, "PR_SET_IO_FLUSHER", PR_SET_IO_FLUSHER, 1, 0);
    if (t->machine_check != PR_MCE_KILL_DEFAULT)
        add_prctl(b, "PR_MCE_KILL", PR_MCE_KILL, PR_MCE_KILL_SET, t->machine_check);
    if (t->no_tsc)
        add_prctl(b, "PR_SET_TSC", PR_SET_TSC, PR_TSC_SIGSEGV, 0);
    if (t->no_cpuid)
        batch_add(b, "ARCH_SET_CPUID", SYS_arch_prctl, ARCH_SET_CPUID, 0, 0, 0, 0, 0);
}

static void
thread_own(struct batch *b, const struct image *im, const struct image_thread *t)
{
    stack_t stack = { .ss_sp = (void *)(uintptr_t)t->altstack_sp,
        .ss_size = t->altstack_size,
        .ss_flags = (int)t->altstack_flags & ~SS_ONSTACK };

    batch_add(b, "set_tid_address", SYS_set_tid_address, t->clear_tid, 0, 0, 0, 0, 0);
    if (t->rseq_address)
        batch_add(b, "rseq", SYS_rseq, t->rseq_address, t->rseq_size, 0,
            t->rseq_signature, 0, 0);
    if (t->robust_head)
        batch_add(b, "set_robust_list", SYS_set_robust_list, t->robust_head,
            t->robust_len, 0, 0, 0, 0);
    if (!(t->altstack_flags & SS_DISABLE))
        batch_add(b, "sigaltstack", SYS_sigaltstack, batch_put(b, &stack, sizeof stack),
            0, 0, 0, 0, 0);
    thread_flags(b, t);
    add_prctl(b, "name", PR_SET_NAME, batch_put(b, t->comm, sizeof t->comm), 0);
    thread_signals(b, im, t);
}

/* A timer that expired while its signal waited shows no time left: it goes on with its
 * interval. */
static void
process_timers(struct batch *b, const struct image *im)
{
    for (uint64_t i = 0; i < 3; i++) {
        struct image_itimer t = im->process.itimers[i];

        if (t.left_sec == 0 && t.left_usec == 0) {
            t.left_sec = t.interval_sec;
            t.left_usec = t.interval_usec;
        }
        struct itimerval v = { .it_interval = { t.interval_sec, t.interval_usec },
            .it_value = { t.left_sec, t.left_usec } };
        if (t.left_sec != 0 || t.left_usec != 0)
            batch_add(b, "setitimer", SYS_setitimer, i, batch_put(b, &v, sizeof v), 0,
                0, 0, 0);
    }
    for (uint32_t i = 0; i < im->ntimers; i++) {
        const struct image_timer *t = &im->timers[i];
        bool over = t->left.sec == 0 && t->left.nsec == 0;
        const struct image_timespec *left = over ? &t->interval : &t->left;
        struct itimerspec v = { .it_interval = { t->interval.sec, t->interval.nsec },
            .it_value = { left->sec, left->nsec } };

        if (left->sec != 0 || left->nsec != 0)
            batch_add(b, "timer_settime", SYS_timer_settime, (uint64_t)t->id, 0,
                batch_put(b, &v, sizeof v), 0, 0, 0);
    }
}

static void
process_signals(struct batch *b, const struct image_process *p)
{
    for (uint32_t i = 0; i < p->nsignals; i++) {
        int32_t signo;

        memcpy(&signo, p->signals[i].bytes, sizeof signo);
        if (signo == SIGTRAP)
            continue; /* in leave_mapping() */
        batch_add(b, "pending signal", SYS_rt_sigqueueinfo, (uint64_t)p->pid,
            (uint64_t)signo, batch_put(b, &p->signals[i], sizeof p->signals[i]), 0, 0,
            0);
    }
}

static void
thread_capabilities(struct batch *b, const struct image_process *p)
{
    struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[2];

    for (unsigned i = 0; i < 2; i++)
        data[i] = (struct __user_cap_data_struct){
            .effective = (uint32_t)(p->cap_effective >> 32 * i),
            .permitted = (uint32_t)(p->cap_permitted >> 32 * i),
            .inheritable = (uint32_t)(p->cap_inheritable >> 32 * i)
        };
    batch_add(b, "capset", SYS_capset, batch_put(b, &head, sizeof head),
        batch_put(b, data, sizeof data), 0, 0, 0, 0);
    for (uint64_t cap = 0; cap < 64 && !(p->securebits & NO_AMBIENT); cap++)
        if (p->cap_ambient >> cap & 1)
            batch_add(b, "ambient capability", SYS_prctl, PR_CAP_AMBIENT,
                PR_CAP_AMBIENT_RAISE, cap, 0, 0, 0);
}

/* Wants CAP_SETPCAP, which a change of user takes out of effect; and ambient
 * capabilities may be forbidden after. */
static void
set_securebits(struct batch *b, const struct image_process *p)
{
    struct image_process all = *p;

    all.cap_permitted = all.cap_effective = skeleton_capabilities();
    all.securebits = 0;
    thread_capabilities(b, &all);
    add_prctl(b, "PR_SET_SECUREBITS", PR_SET_SECUREBITS, p->securebits, 0);
}

static void
thread_credentials(struct clone *c, const struct image_process *p)
{
    struct batch *b = &c->batch;

    skeleton_drop_bounding(c, p->cap_bounding);
    batch_add(b, "setgroups", SYS_setgroups, p->ngroups,
        batch_put(b, p->groups, sizeof p->groups), 0, 0, 0, 0);
    batch_add(b, "setresgid", SYS_setresgid, p->gid, p->egid, p->sgid, 0, 0, 0);
    add_prctl(b, "PR_SET_KEEPCAPS", PR_SET_KEEPCAPS, 1, 0);
    batch_add(b, "setresuid", SYS_setresuid, p->uid, p->euid, p->suid, 0, 0, 0);
    add_prctl(b, "PR_SET_KEEPCAPS", PR_SET_KEEPCAPS, 0, 0);
    if (p->securebits)
        set_securebits(b, p);
    batch_add(b, NULL, SYS_setfsgid, p->fsgid, 0, 0, 0, 0, 0);
    batch_add(b, NULL, SYS_setfsuid, p->fsuid, 0, 0, 0, 0, 0);
    thread_capabilities(b, p);
    if (p->no_new_privs)
        add_prctl(b, "PR_SET_NO_NEW_PRIVS", PR_SET_NO_NEW_PRIVS, 1, 0);
}

/* Before the credentials, which may take away the right to; from here on our own calls
 * would be filtered, too. */
int
wake_filters(struct wake *w, const char **what)
{
    struct batch *b = &w->c->batch;
    const uint64_t *code = w->im->code;
    int ret = 0;

    *what = "system call filters cannot be suspended";
    for (unsigned i = 0; w->im->nfilters > 0 && i < w->c->nthreads && ret == 0; i++)
        ret = batch_unfiltered(w->c->threads[i].tid);
    for (uint32_t i = 0; i < w->im->nfilters && ret == 0; i++) {
        const struct image_filter *f = &w->im->filters[i];
        struct sock_fprog program = { .len = (unsigned short)f->length };

        program.filter = (struct sock_filter *)(uintptr_t)batch_put(
            b, code, f->length * sizeof *code);
        code += f->length;
        batch_add(b, "system call filter", SYS_seccomp, SECCOMP_SET_MODE_FILTER,
            SECCOMP_FILTER_FLAG_TSYNC | (f->log ? SECCOMP_FILTER_FLAG_LOG : 0),
            batch_put(b, &program, sizeof program), 0, 0, 0);
    }
    if (ret < 0 || w->im->nfilters == 0)
        return ret;
    ret = batch_run(b, w->c->pid);
    *what = b->failed;
    return ret;
}

pid_t
wake_thread(const struct clone *c, int32_t in_cell)
{
    for (unsigned i = 0; i < c->nthreads; i++)
        if (c->threads[i].in_cell == in_cell)
            return c->threads[i].tid;
    return -1;
}

/* What a change of credentials resets.  For dumpable, which all threads share, the last
 * of them has the last word. */
static void
after_credentials(struct batch *b, const struct image_process *p, bool is_leader)
{
    if (p->dumpable <= 1)
        add_prctl(b, "PR_SET_DUMPABLE", PR_SET_DUMPABLE, p->dumpable, 0);
    if (is_leader && p->parent_death_signal)
        add_prctl(b, "PR_SET_PDEATHSIG", PR_SET_PDEATHSIG,
            (uint64_t)p->parent_death_signal, 0);
}

static void
add_thread(struct clone *c, const struct image *im, uint32_t i)
{
    struct batch *b = &c->batch;

    thread_own(b, im, &im->threads[i]);
    if (i == 0) {
        process_signals(b, &im->process);
        process_timers(b, im);
    }
    thread_credentials(c, &im->process);
    after_credentials(b, &im->process, i == 0);
}

/* As many threads at a time as the table holds calls for; each works off its own part
 * at the same time, the leader first what earlier steps have added. */
int
wake_threads(struct wake *w, const char **what)
{
    enum { CALLS_PER_THREAD = 512, AT_ONCE = 64 };
    struct batch *b = &w->c->batch;
    int ret = batch_room(b, w->c->pid, CALLS_PER_THREAD * AT_ONCE);

    *what = b->failed;
    for (uint32_t first = 0; first < w->im->nthreads && ret == 0; first += AT_ONCE) {
        uint32_t end = first + AT_ONCE < w->im->nthreads ? first + AT_ONCE
                                                         : w->im->nthreads;
        unsigned begins[AT_ONCE + 1];

        for (uint32_t i = first; i < end; i++) {
            begins[i - first] = i == 0 ? 0 : b->ncalls;
            add_thread(w->c, w->im, i);
        }
        begins[end - first] = b->ncalls;
        for (uint32_t i = first; i < end && ret == 0 && !b->full; i++)
            ret = batch_start(b, wake_thread(w->c, w->im->threads[i].tid),
                begins[i - first], begins[i - first + 1] - begins[i - first]);
        for (uint32_t i = first; i < end && ret == 0 && !b->full; i++)
            ret = batch_wait(b, wake_thread(w->c, w->im->threads[i].tid));
        *what = "threads";
        if (ret == 0) {
            ret = batch_finish(b);
            *what = b->failed;
        }
    }
    return ret;
}

/* The engine's real-time priority was good to get here, it is not the service's. */
static void
schedule_thread(struct wake *w, pid_t tid, const struct image_thread *t)
{
    struct image_schedule s = { 0 };
    const char *what = "";
    int ret;

    memset(s.cpus, 0xff, sizeof s.cpus);
    ret = schedule_apply(tid, t ? &t->schedule : &s, &what);
    if (ret < 0 && t)
        refuse(w->why, t->tid, -1, "give the engine CAP_SYS_NICE, this host processors",
            "%s of a thread could not be set: %s", what, strerror(-ret));
}

static const struct image_thread *
image_thread_of(const struct image *im, int32_t in_cell)
{
    for (uint32_t i = 0; i < im->nthreads; i++)
        if (im->threads[i].tid == in_cell)
            return &im->threads[i];
    return NULL;
}

int
wake_detach(struct wake *w, const char **what)
{
    int ret = 0;

    *what = "detach";
    for (unsigned i = w->c->nthreads; i-- > 0 && ret == 0;) {
        pid_t tid = w->c->threads[i].tid;

        schedule_thread(w, tid, image_thread_of(w->im, w->c->threads[i].in_cell));
        if (ptrace(PTRACE_DETACH, tid, NULL, NULL) < 0)
            ret = -errno;
    }
    return ret;
}
