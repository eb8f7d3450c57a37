/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/ckpt/trace.h"

#include "lib/fd.h"
#include "lib/loop.h"
#include "sockmig/ckpt/filters.h"
#include "sockmig/ckpt/hurry.h"
#include "sockmig/ckpt/trace_child.h"
#include "sockmig/ckpt/trace_seize.h"
#include "sockmig/reserve.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef PTRACE_EVENT_STOP
#define PTRACE_EVENT_STOP 128
#endif

#define SLICE_MS 2 /* longest time a SIGCHLD taken by another thread costs */
#define LOOK_MS 100
#define ALONE_LIMIT_US 2000000

static void
forget(struct trace *t, struct trace_thread *th)
{
    *th = t->threads[--t->nthreads];
}

/* Once only: it may have stopped already, unseen, and would stop a second time then,
 * when it is let run for a call. */
static void
ask(struct trace_thread *th)
{
    if (!th->asked)
        ptrace(PTRACE_INTERRUPT, th->tid, 0, 0);
    th->asked = true;
}

/* Let @th go on with @sig; while all are being stopped, interrupt it again first: the
 * trap that brought us here has cleared the pending interrupt. */
static void
go_on(struct trace *t, struct trace_thread *th, int sig)
{
    if (t->stopping)
        ask(th);
    ptrace(PTRACE_CONT, th->tid, 0, (void *)(long)sig);
    th->state = TRACE_RUNS;
}

static bool
is_thread_of(const struct trace *t, pid_t tid)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/%d/task/%d", (int)t->pid, (int)tid);
    return access(path, F_OK) == 0;
}

static void
on_new_task(struct trace *t, struct trace_thread *th)
{
    unsigned long tid = 0;
    pid_t parent = th->tid;

    if (ptrace(PTRACE_GETEVENTMSG, th->tid, 0, &tid) == 0 && tid > 0) {
        /* clone() without CLONE_THREAD raises the same event */
        if (is_thread_of(t, (pid_t)tid)) {
            if (!trace_find(t, (pid_t)tid))
                trace_adopt(t, (pid_t)tid, TRACE_NEW);
        } else {
            trace_child_add(t, (pid_t)tid, true);
        }
    }
    th = trace_find(t, parent);
    if (th)
        go_on(t, th, 0);
}

static void
on_stop(struct trace *t, struct trace_thread *th, int sig)
{
    th->job_stop = sig != SIGTRAP;
    if (t->stopping) {
        th->state = TRACE_STOPPED;
    } else if (th->job_stop) {
        ptrace(PTRACE_LISTEN, th->tid, 0, 0);
        th->state = TRACE_LISTENS;
    } else {
        go_on(t, th, 0);
    }
}

static void
on_wait(struct trace *t, struct trace_thread *th, int status)
{
    if (WIFEXITED(status) || WIFSIGNALED(status)) {
        if (th->tid == t->pid) {
            t->ended = true;
            t->status = status;
        }
        forget(t, th);
        return;
    }
    th->asked = false; /* any trap clears it */
    switch (status >> 16) {
    case PTRACE_EVENT_CLONE:
    case PTRACE_EVENT_FORK:
    case PTRACE_EVENT_VFORK:
        on_new_task(t, th);
        break;
    case PTRACE_EVENT_STOP:
        on_stop(t, th, WSTOPSIG(status));
        break;
    case PTRACE_EVENT_EXEC:
        t->execed = true;
        go_on(t, th, 0);
        break;
    default: /* a signal on its way to the thread */
        go_on(t, th, (status >> 16) ? 0 : WSTOPSIG(status));
    }
}

/* Answer what has stopped; true if something had.  Backwards: forget() moves the last
 * thread into a gap. */
static bool
poll_once(struct trace *t)
{
    bool any = trace_child_poll(t);

    for (unsigned i = t->nthreads; i-- > 0;) {
        struct trace_thread *th = &t->threads[i];
        int status;
        pid_t r;

        r = waitpid(th->tid, &status, __WALL | WNOHANG);
        if (r == 0)
            continue;
        any = true;
        if (r > 0)
            on_wait(t, th, status);
        else if (errno == ECHILD)
            forget(t, th);
    }
    if (t->nthreads == 0)
        t->ended = true;
    return any;
}

static void
drain_signals(const struct trace *t)
{
    struct signalfd_siginfo info;

    while (read(t->signal_fd, &info, sizeof info) > 0)
        ;
}

int
trace_open(struct trace *t, pid_t pid)
{
    sigset_t set;
    unsigned added;
    int ret;

    *t = (struct trace){ .pid = pid, .kin = t->kin, .signal_fd = -1, .status = -1 };
    t->threads = reserve(TRACE_MAX_THREADS * sizeof *t->threads);
    if (!t->threads)
        return -ENOMEM;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    t->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    ret = t->signal_fd < 0 ? -errno : 0;
    do
        ret = ret < 0 ? ret : trace_seize(t, &added);
    while (ret == 0 && added > 0);
    if (ret == 0)
        trace_child_find(t);
    else
        trace_close(t);
    return ret;
}

void
trace_close(struct trace *t)
{
    if (t->threads && !t->ended && t->nthreads > 0)
        trace_stop(t, 1000000);
    for (unsigned i = 0; i < t->nthreads; i++)
        ptrace(PTRACE_DETACH, t->threads[i].tid, 0, 0);
    t->nthreads = 0;
    trace_child_fini(t);
    fd_close(t->signal_fd);
    t->signal_fd = -1;
    reserve_end(t->threads, TRACE_MAX_THREADS * sizeof *t->threads);
    t->threads = NULL;
}

static bool
all_stopped(const struct trace *t)
{
    for (unsigned i = 0; i < t->nthreads; i++)
        if (t->threads[i].state != TRACE_STOPPED)
            return false;
    return true;
}

void
trace_ask(struct trace *t)
{
    for (unsigned i = 0; !t->stopping && i < t->nthreads; i++)
        if (t->threads[i].state == TRACE_RUNS || t->threads[i].state == TRACE_LISTENS)
            ask(&t->threads[i]);
    t->stopping = true;
}

/* Never spin: in real time that keeps the very thread from stopping. */
static void
wait_a_while(const struct trace *t, int64_t us)
{
    struct pollfd pfd = { .fd = t->signal_fd, .events = POLLIN };
    struct timespec ts = { 0, us * 1000 };

    ppoll(&pfd, 1, &ts, NULL);
}

static int
await_stops(struct trace *t, int64_t limit_us)
{
    struct mono start = mono_clock();
    bool hurried = false;

    for (;;) {
        int64_t waited;
        bool any;

        drain_signals(t); /* first: what comes after it wakes us below */
        any = poll_once(t);
        if (t->ended)
            return -ESRCH;
        if (all_stopped(t))
            return 0;
        waited = mono_us_between(start, mono_clock());
        if (waited > limit_us)
            return -EAGAIN;
        if (!hurried && waited >= HURRY_AFTER_US) {
            hurry_begin(t);
            hurried = true;
        }
        if (!any)
            wait_a_while(t, hurried ? 1000 : HURRY_AFTER_US);
    }
}

/* A thread that was being made when its maker was seized is not ours by itself, and
 * /proc may not have listed it, nor such a child.  Who has stopped makes none.  1:
 * there was a thread; 0; -errno. */
static int
seize_missed(struct trace *t)
{
    unsigned added;
    int ret = trace_seize(t, &added);

    t->complete = ret == 0 && added == 0;
    t->stopping = t->complete;
    if (t->complete)
        trace_child_find(t);
    return ret < 0 ? ret : !t->complete;
}

int
trace_stop(struct trace *t, int64_t limit_us)
{
    int ret;

    do {
        trace_ask(t);
        ret = await_stops(t, limit_us);
        if (ret == 0 && !t->complete)
            ret = seize_missed(t);
    } while (ret > 0);
    hurry_end(t);
    if (ret == -EAGAIN)
        trace_resume(t);
    return ret;
}

void
trace_resume(struct trace *t)
{
    t->stopping = false;
    for (unsigned i = t->nthreads; i-- > 0;) {
        struct trace_thread *th = &t->threads[i];

        if (th->state != TRACE_STOPPED)
            continue;
        ptrace(th->job_stop ? PTRACE_LISTEN : PTRACE_CONT, th->tid, 0, 0);
        th->state = th->job_stop ? TRACE_LISTENS : TRACE_RUNS;
    }
}

int
trace_answer(struct trace *t)
{
    drain_signals(t);
    while (!t->ended && poll_once(t))
        ;
    return t->ended ? -ESRCH : 0;
}

/* Who is killed while it makes a thread does not tell of it.  That one is ours all the
 * same, and as long as nobody waits for it the process has not ended. */
static void
reap_untold(struct trace *t)
{
    char path[64];
    struct dirent *e;
    DIR *dir;

    snprintf(path, sizeof path, "/proc/%d/task", (int)t->pid);
    dir = opendir(path);
    while (dir && (e = readdir(dir)) != NULL) {
        pid_t tid = atoi(e->d_name);
        siginfo_t info;

        if (tid > 0 && !trace_find(t, tid))
            waitid(P_PID, (id_t)tid, &info, WEXITED | WNOHANG | __WALL);
    }
    if (dir)
        closedir(dir);
}

static void
look_for_end(struct trace *t)
{
    struct mono now = mono_clock();

    if (mono_us_between(t->looked, now) < LOOK_MS * 1000)
        return;
    t->looked = now;
    if (trace_tracer(t->pid) < 0)
        reap_untold(t);
}

int
trace_serve(struct trace *t, struct mono until, int wake_fd)
{
    struct pollfd pfd[2] = { { .fd = t->signal_fd, .events = POLLIN },
        { .fd = wake_fd, .events = POLLIN } };

    for (;;) {
        int64_t left;
        struct timespec ts;

        look_for_end(t);
        if (trace_answer(t) < 0)
            return -ESRCH;
        left = mono_us_between(mono_clock(), until);
        if (left <= 0 || (pfd[1].revents & (POLLIN | POLLHUP | POLLERR)))
            return 0;
        left = left < SLICE_MS * 1000 ? left : SLICE_MS * 1000;
        ts = (struct timespec){ 0, left * 1000 };
        ppoll(pfd, 2, &ts, NULL);
    }
}

static int
await_one(struct trace *t, struct trace_thread *th)
{
    struct mono start = mono_clock();
    pid_t tid = th->tid;

    for (;;) {
        int64_t waited;
        int status, r;

        drain_signals(t);
        r = waitpid(tid, &status, __WALL | WNOHANG);
        waited = mono_us_between(start, mono_clock());
        if (r < 0)
            return -ESRCH;
        if (r == 0 && waited >= ALONE_LIMIT_US)
            return -EIO;
        if (r == 0 && waited >= HURRY_AFTER_US)
            hurry_one(th);
        if (r == 0) {
            wait_a_while(t, waited < HURRY_AFTER_US ? HURRY_AFTER_US : 1000);
            continue;
        }
        on_wait(t, th, status);
        th = trace_find(t, tid);
        if (!th || t->ended)
            return -ESRCH;
        if (th->state == TRACE_STOPPED)
            return 0;
    }
}

int
trace_wait_stop(struct trace *t, struct trace_thread *th)
{
    int ret = await_one(t, th);

    hurry_end(t);
    return ret;
}

int
trace_filters(pid_t tid, bool suspended)
{
    return filters_suspend(tid, TRACE_OPTIONS, suspended);
}

int
trace_exit_kill(pid_t pid, bool on)
{
    long options = on ? PTRACE_O_EXITKILL : TRACE_OPTIONS;

    return ptrace(PTRACE_SETOPTIONS, pid, 0, options) < 0 ? -errno : 0;
}
