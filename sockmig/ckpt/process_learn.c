/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * process_learn.c - what only the process itself can tell: its signal actions, how much
 * is left of its timers. */
#include "sockmig/ckpt/process.h"

#include "sockmig/ckpt/place.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#ifndef PR_GET_MDWE
#define PR_GET_MDWE 66
#endif
#ifndef PR_GET_MEMORY_MERGE
#define PR_GET_MEMORY_MERGE 68
#endif

/* Places in the calls' data. */
#define ACTIONS_AT 0u /* 64 * 32 bytes */
#define PDEATH_AT 2048u
#define SUBREAPER_AT 2056u
#define IPC_AT 5120u
#define ITIMERS_AT 2112u /* 3 * 32 bytes */
#define TIMERS_AT 2304u  /* IMAGE_MAX_TIMERS * 32 bytes */

_Static_assert(sizeof(struct image_sigaction) == 32 && sizeof(struct itimerval) == 32 &&
                   sizeof(struct itimerspec) == 32 && sizeof(struct image_itimer) == 32,
    "the image has the kernel's layouts");

static uint64_t
bit(int signo)
{
    return 1ull << (signo - 1);
}

/* A process with an interval timer has, as a rule, a handler for its signal. */
static bool
uses_timers(const struct process *p, const struct image *im)
{
    return im->ntimers > 0 ||
           (p->caught & (bit(SIGALRM) | bit(SIGVTALRM) | bit(SIGPROF))) != 0;
}

static int
timer_tid(const struct trace *t, int tid)
{
    for (unsigned i = 0; i < t->nthreads; i++)
        if (t->threads[i].tid == tid)
            return t->threads[i].cell_tid;
    return 0;
}

/* One entry of /proc/PID/timers:
 *     ID: 0 / signal: 34/0000000000001092 / notify: signal/pid.77 / ClockID: 1 */
static const char *
parse_timer(const char *at, const struct trace *t, struct image_timer *to)
{
    const char *notify = proctext_field(at, "notify:"), *dot, *end, *p;
    uint64_t v = 0;

    *to = (struct image_timer){ .id = (int32_t)proctext_number(at, "ID:", 10, 0) };
    p = proctext_field(at, "signal:");
    if (!notify || !p || !number_at(&p, 10, &v))
        return NULL;
    to->signo = (int32_t)v;
    if (*p++ == '/')
        number_at(&p, 16, &to->value);
    end = notify + strcspn(notify, "\n");
    dot = memchr(notify, '.', (size_t)(end - notify));
    to->notify = !strncmp(notify, "none", 4) ? SIGEV_NONE : SIGEV_SIGNAL;
    if (!strncmp(notify, "signal/tid", 10)) {
        to->notify = SIGEV_THREAD_ID;
        to->tid = timer_tid(t, dot ? atoi(dot + 1) : 0);
    }
    p = proctext_field(end, "ClockID:");
    p = p ? p : proctext_field(end + (*end != '\0'), "ClockID:");
    if (!p)
        return NULL;
    to->clock = atoi(p);
    return proctext_field(p, "ID:") ? proctext_field(p, "ID:") - 4 : NULL;
}

static int
list_timers(struct process *p, struct trace *t, struct proctext *text, struct image *im,
    struct refusals *why)
{
    int ret = proctext_pread(text, p->timers_fd);
    const char *at = ret == 0 && text->size > 0 ? text->data : NULL;

    im->ntimers = 0;
    while (at) {
        if (im->ntimers == IMAGE_MAX_TIMERS) {
            refuse(why, im->process.pid, -1, "report this", "more than %d timers",
                IMAGE_MAX_TIMERS);
            return -EOPNOTSUPP;
        }
        at = parse_timer(at, t, &im->timers[im->ntimers++]);
    }
    return ret;
}

static unsigned
timer_calls(const struct inject *in, const struct image *im, struct inject_call *calls)
{
    unsigned n = 0;

    for (unsigned i = 0; i < 3; i++)
        calls[n++] = (struct inject_call){ .nr = SYS_getitimer,
            .args = { i, inject_data(in, ITIMERS_AT + 32 * i) } };
    for (unsigned i = 0; i < im->ntimers; i++)
        calls[n++] = (struct inject_call){ .nr = SYS_timer_gettime,
            .args = {
                (uint64_t)im->timers[i].id, inject_data(in, TIMERS_AT + 32 * i) } };
    return n;
}

static unsigned
action_calls(const struct inject *in, struct inject_call *calls)
{
    unsigned n = 0;

    calls[n++] = (struct inject_call){ .nr = SYS_prctl, .args = { PR_GET_DUMPABLE } };
    calls[n++] = (struct inject_call){ .nr = SYS_prctl, .args = { PR_GET_SECUREBITS } };
    /* the order is that of take_actions() */
    calls[n++] = (struct inject_call){ .nr = SYS_personality, .args = { 0xffffffff } };
    calls[n++] = (struct inject_call){ .nr = SYS_prctl, .args = { PR_GET_MDWE } };
    calls[n++] = (struct inject_call){ .nr = SYS_prctl,
        .args = { PR_GET_MEMORY_MERGE } };
    calls[n++] = (struct inject_call){ .nr = SYS_brk };
    calls[n++] = (struct inject_call){ .nr = SYS_shmctl,
        .args = { 0, SHM_INFO, inject_data(in, IPC_AT) } };
    calls[n++] = (struct inject_call){ .nr = SYS_prctl,
        .args = { PR_GET_PDEATHSIG, inject_data(in, PDEATH_AT) } };
    calls[n++] = (struct inject_call){ .nr = SYS_prctl,
        .args = { PR_GET_CHILD_SUBREAPER, inject_data(in, SUBREAPER_AT) } };
    for (unsigned i = 1; i <= 64; i++)
        if (i != SIGKILL && i != SIGSTOP)
            calls[n++] = (struct inject_call){ .nr = SYS_rt_sigaction,
                .args = { i, 0, inject_data(in, ACTIONS_AT + 32 * (i - 1)), 8 } };
    return n;
}

static int
take_timers(struct inject *in, struct image *im)
{
    struct itimerval itimers[3];
    struct itimerspec spec;
    int ret = inject_get(in, ITIMERS_AT, itimers, sizeof itimers);

    for (int i = 0; i < 3 && ret == 0; i++)
        im->process.itimers[i] = (struct image_itimer){ itimers[i].it_value.tv_sec,
            itimers[i].it_value.tv_usec, itimers[i].it_interval.tv_sec,
            itimers[i].it_interval.tv_usec };
    for (uint32_t i = 0; i < im->ntimers && ret == 0; i++) {
        struct image_timer *t = &im->timers[i];

        ret = inject_get(in, TIMERS_AT + 32 * i, &spec, sizeof spec);
        t->left = (struct image_timespec){ spec.it_value.tv_sec,
            spec.it_value.tv_nsec };
        t->interval = (struct image_timespec){ spec.it_interval.tv_sec,
            spec.it_interval.tv_nsec };
    }
    return ret;
}

/* @first: where the results of action_calls() begin. */
static int
take_actions(struct process *p, struct inject *in, unsigned first, struct image *im)
{
    struct image_process *to = &im->process;
    struct shm_info shm = { 0 };
    int32_t value = 0;
    int ret = inject_get(in, ACTIONS_AT, to->actions, sizeof to->actions);

    to->dumpable = (uint32_t)in->results[first];
    to->securebits = (uint32_t)in->results[first + 1];
    to->personality = (uint32_t)in->results[first + 2];
    to->never_exec_written = in->results[first + 3] > 0
                                 ? (uint32_t)in->results[first + 3]
                                 : 0;
    to->merge = in->results[first + 4] == 1;
    p->brk = (uint64_t)in->results[first + 5];
    if (ret == 0 && place_own_ipc(p->pid)) { /* what is there can only be its own */
        ret = inject_get(in, IPC_AT, &shm, sizeof shm);
        p->segments = (unsigned)shm.used_ids;
    }
    if (ret == 0)
        ret = inject_get(in, PDEATH_AT, &value, sizeof value);
    to->parent_death_signal = value;
    if (ret == 0)
        ret = inject_get(in, SUBREAPER_AT, &value, sizeof value);
    to->child_subreaper = value != 0;
    memset(&to->actions[SIGKILL - 1], 0, sizeof to->actions[0]);
    memset(&to->actions[SIGSTOP - 1], 0, sizeof to->actions[0]);
    return ret;
}

static struct mono
next_look(unsigned looks, struct mono now)
{
    static const int64_t after_ms[] = { 50, 1000, 10000 };
    const unsigned last = sizeof after_ms / sizeof after_ms[0] - 1;

    return mono_add_ms(now, after_ms[looks < last ? looks : last]);
}

int
process_learn(struct process *p, struct trace *t, struct inject *in,
    struct proctext *text, struct image *im, struct mono now, struct refusals *why)
{
    struct inject_call calls[INJECT_MAX_CALLS];
    bool actions = process_changed(p, text) || !mono_before(now, p->next_look);
    uint64_t caught = proctext_number(text->data, "SigCgt:", 16, 0);
    uint64_t ignored = proctext_number(text->data, "SigIgn:", 16, 0);
    pid_t parent = (pid_t)proctext_number(text->data, "PPid:", 10, 0);
    unsigned ntimers, n;
    int ret = list_timers(p, t, text, im, why);

    p->caught = caught;
    p->ignored = ignored;
    if (ret == 0 && actions)
        ret = place_check(p->pid, im->process.pid, parent, why);
    if (ret < 0 || (!actions && !uses_timers(p, im)))
        return ret;
    n = ntimers = timer_calls(in, im, calls);
    if (actions)
        n += action_calls(in, calls + n);
    ret = inject_run(in, &t->threads[0], calls, n, NULL, NULL);
    if (ret == 0)
        ret = take_timers(in, im);
    if (ret == 0 && actions) {
        ret = take_actions(p, in, ntimers, im);
        p->next_look = next_look(p->looks++, now);
    }
    return ret;
}
