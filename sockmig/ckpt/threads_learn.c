/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * threads_learn.c - what only a thread itself can tell. */
#include "sockmig/ckpt/threads.h"

#include "sockmig/ckpt/kernel.h"
#include "sockmig/ckpt/place.h"
#include "sockmig/filehash.h"

#include <asm/prctl.h>
#include <errno.h>
#include <linux/kcmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef PR_GET_IO_FLUSHER
#define PR_GET_IO_FLUSHER 58
#endif

/* Places in the calls' data. */
#define ALTSTACK_AT 64
#define TSC_AT 128
#define LDT_AT 192

enum {
    CALL_TID,
    CALL_STACK,
    CALL_SLACK,
    CALL_FLUSHER,
    CALL_CHECK,
    CALL_TSC,
    CALL_CPUID,
    CALL_LDT,
    NCALLS
};

#define OFTEN 3 /* looks soon after each other, then one every */
#define SELDOM_MS 10000
#define SELDOM_AT_ONCE 8 /* threads in one pause */

static struct mono
next_look(unsigned looks, struct mono now)
{
    static const int64_t after_ms[OFTEN] = { 50, 1000, SELDOM_MS };

    return mono_add_ms(now, looks < OFTEN ? after_ms[looks] : SELDOM_MS);
}

static int
refuse_thread(struct refusals *why, const struct trace_thread *th, const char *cure,
    const char *what)
{
    refuse(why, th->cell_tid, -1, cure, "%s", what);
    return -EOPNOTSUPP;
}

uint64_t
threads_leader_hash(const char *status)
{
    static const char *const lines[] = { "Uid:", "Gid:", "Groups:", "CapInh:",
        "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:", "NoNewPrivs:" };
    char text[2048];
    size_t used = 0;

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        const char *at = proctext_field(status, lines[i]);
        size_t n = at ? strcspn(at, "\n") : 0;

        if (n > sizeof text - used)
            n = sizeof text - used;
        memcpy(text + used, at ? at : "", n);
        used += n;
    }
    return filehash_bytes(text, used);
}

/* Credentials, folders and descriptors are the process's in an image.  A change of
 * credentials takes glibc one thread after the other, so one look is not enough. */
static int
compare_with_leader(struct trace *t, struct trace_thread *th, struct proctext *text,
    struct refusals *why)
{
    bool was = th->strange;
    char one[16], other[40];

    if (proctext_read(text, "/proc/%d/task/%d/status", (int)t->pid, (int)th->tid) < 0)
        return -ESRCH;
    if (!th->cell_tid)
        th->cell_tid = proctext_last_id(text->data);
    if (!th->cell_tid)
        return -ESRCH;
    if (threads_refuse_strict(text->data, th->cell_tid, why) < 0)
        return -EOPNOTSUPP;
    if (th->tid == t->pid)
        return 0;
    snprintf(one, sizeof one, "%d", (int)t->pid);
    snprintf(other, sizeof other, "%d/task/%d", (int)t->pid, (int)th->tid);
    if (!place_same(one, other))
        return refuse_thread(why, th, "let its threads share their namespaces",
            "thread has a namespace of its own");
    if (syscall(SYS_kcmp, t->pid, th->tid, KCMP_FILES, 0, 0) != 0 ||
        syscall(SYS_kcmp, t->pid, th->tid, KCMP_FS, 0, 0) != 0)
        return refuse_thread(why, th, "let its threads share descriptors and folders",
            "thread has descriptors or folders of its own (unshare)");
    if (proctext_number(text->data, "Seccomp_filters:", 10, 0) != t->nfilters)
        return refuse_thread(why, th,
            "filter all its threads (SECCOMP_FILTER_FLAG_TSYNC)",
            "thread has system call filters (seccomp) of its own");
    th->strange = threads_leader_hash(text->data) != t->leader;
    if (th->strange && was)
        return refuse_thread(why, th, "give all its threads the same credentials",
            "thread has credentials of its own");
    return 0;
}

static int
take(struct trace_thread *th, struct inject *in, struct refusals *why)
{
    const int64_t *r = in->results;
    stack_t ss;
    int32_t tsc = PR_TSC_ENABLE;
    int ret = inject_get(in, 0, &th->clear_tid, sizeof th->clear_tid);

    if (ret == 0)
        ret = inject_get(in, ALTSTACK_AT, &ss, sizeof ss);
    if (ret == 0)
        ret = inject_get(in, TSC_AT, &tsc, sizeof tsc);
    if (ret < 0)
        return ret;
    th->altstack_sp = (uint64_t)(uintptr_t)ss.ss_sp;
    th->altstack_size = ss.ss_size;
    th->altstack_flags = (uint32_t)ss.ss_flags;
    th->timer_slack = r[CALL_SLACK] > 0 ? (uint64_t)r[CALL_SLACK] : 0;
    th->io_flusher = r[CALL_FLUSHER] == 1;
    th->machine_check = r[CALL_CHECK] == PR_MCE_KILL_EARLY ||
                                r[CALL_CHECK] == PR_MCE_KILL_LATE
                            ? (uint32_t)r[CALL_CHECK]
                            : PR_MCE_KILL_DEFAULT;
    th->no_tsc = r[CALL_TSC] == 0 && tsc == PR_TSC_SIGSEGV;
    th->no_cpuid = r[CALL_CPUID] == 0;
    if (r[CALL_LDT] > 0)
        return refuse_thread(why, th, "run the service without 16- or 32-bit code",
            "process has a local descriptor table");
    return 0;
}

static int
learn(struct trace *t, struct trace_thread *th, struct inject *in,
    struct proctext *text, struct refusals *why)
{
    const struct inject_call calls[NCALLS] = {
        [CALL_TID] = { .nr = SYS_prctl,
            .args = { KERNEL_GET_TID_ADDRESS, inject_data(in, 0) } },
        [CALL_STACK] = { .nr = SYS_sigaltstack,
            .args = { 0, inject_data(in, ALTSTACK_AT) } },
        [CALL_SLACK] = { .nr = SYS_prctl, .args = { PR_GET_TIMERSLACK } },
        [CALL_FLUSHER] = { .nr = SYS_prctl, .args = { PR_GET_IO_FLUSHER } },
        [CALL_CHECK] = { .nr = SYS_prctl, .args = { PR_MCE_KILL_GET } },
        [CALL_TSC] = { .nr = SYS_prctl,
            .args = { PR_GET_TSC, inject_data(in, TSC_AT) } },
        [CALL_CPUID] = { .nr = SYS_arch_prctl, .args = { ARCH_GET_CPUID } },
        [CALL_LDT] = { .nr = SYS_modify_ldt,
            .args = { 0, inject_data(in, LDT_AT), 64 } },
    };
    int ret = compare_with_leader(t, th, text, why);

    if (ret == 0)
        ret = inject_run(in, th, calls, NCALLS, NULL, NULL);
    if (ret < 0)
        return ret;
    if (in->results[CALL_TID] < 0) {
        refuse(why, th->cell_tid, -1, "use a kernel with CONFIG_CHECKPOINT_RESTORE",
            "thread state cannot be read: %s", strerror((int)-in->results[CALL_TID]));
        return -EOPNOTSUPP;
    }
    ret = take(th, in, why);
    if (ret == 0)
        threads_name(t, th, text);
    return ret;
}

int
threads_learn(struct trace *t, struct inject *in, struct proctext *text,
    struct mono now, bool again, struct refusals *why)
{
    unsigned seldom = 0;
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
        if (th->looks > OFTEN && !again && ++seldom > SELDOM_AT_ONCE)
            continue; /* in the next pause */
        ret = learn(t, th, in, text, why);
        th->next_look = next_look(th->looks++, now);
    }
    return ret;
}
