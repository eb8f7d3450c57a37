/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * trace.h - the threads of a process under ptrace: seized, stopped, resumed, their
 * stops answered.
 *
 *     seize ──► RUNS ── interrupt ──► STOPPED ── resume ──► RUNS
 *                └─ job control stop ──► LISTENS ── interrupt ──► STOPPED
 *     clone ──► NEW ── its first stop ──► RUNS, or STOPPED while all are being stopped
 *
 * Any ptrace trap clears a pending PTRACE_INTERRUPT: a thread that traps for another
 * reason while it is being stopped is interrupted anew before it goes on.
 *
 * Children by fork are detached at once and remembered until their parent has waited
 * for them.  Source: ptrace(2); kernel/ptrace.c, kernel/signal.c (ptrace_stop). */
#ifndef BSC_TRACE_H
#define BSC_TRACE_H

#include "lib/core/mono.h"
#include "sockmig/core/image.h"

#include <stdbool.h>
#include <sys/types.h>

#define TRACE_MAX_THREADS 32768 /* more than an image holds: all must be stopped */

enum trace_state { TRACE_NEW, TRACE_RUNS, TRACE_LISTENS, TRACE_STOPPED };

struct trace_thread {
    pid_t tid; /* as the engine sees it */
    enum trace_state state;
    bool asked;    /* to stop, and no stop has been reported since */
    bool hurried;  /* raised until it has stopped, see hurry.h */
    bool job_stop; /* stopped inside a job control stop: LISTEN to resume */
    /* What threads.c keeps between checkpoints; zero for a new thread. */
    int32_t cell_tid;
    uint64_t clear_tid, altstack_sp, altstack_size;
    uint64_t timer_slack;
    uint32_t altstack_flags, looks; /* times these were read by injection */
    uint32_t io_flusher, machine_check, no_tsc, no_cpuid;
    bool strange; /* at its last look it was not as the leader is */
    struct mono next_look;
    char comm[16];
};

struct trace_child {
    pid_t pid; /* as the engine sees it */
    int pidfd; /* owned */
    bool attached;
    struct image_child image;
};

/* Processes that are taken together: what they share among themselves is not lost. */
struct trace_kin {
    const pid_t *pids; /* borrowed */
    unsigned n;
    bool in_cell; /* of a service: no files go along, and a gate is before it */
};

struct trace {
    pid_t pid;
    const struct trace_kin *kin;  /* borrowed; NULL: it is taken alone */
    struct trace_thread *threads; /* owned mapping */
    unsigned nthreads;
    struct trace_child children[IMAGE_MAX_CHILDREN];
    unsigned nchildren, lost_children; /* lost: beyond the table */
    unsigned births;                   /* of children, ever */
    int signal_fd;                     /* owned: readable when SIGCHLD is pending */
    uint64_t leader; /* hash of what all threads must have as the leader has it */
    uint64_t nfilters;
    bool filtered; /* it has system call filters: they rest while it makes our calls */
    bool complete; /* none is missed that was being made when all were seized */
    bool stopping, ended, execed;
    struct mono looked; /* whether it has ended without a word */
    int status;         /* of wait(2) once ended; -1: unknown */
};

/* trace_open - seize all threads of @pid; they run on.  One that is just being made may
 * be missed until trace_stop().  @t: zero but for .kin.  Blocks SIGCHLD in the calling
 * thread; it should be blocked in all others too, or stops are answered up to 2 ms
 * later.
 *
 * 0; -ESRCH: gone; -EBUSY: traced by another; -EPERM; other -errno. */
int trace_open(struct trace *t, pid_t pid);

/* trace_close - detach from all threads, which run on. */
void trace_close(struct trace *t);

/* trace_ask - ask all threads to stop, ahead of trace_stop(), so that several processes
 * do so side by side. */
void trace_ask(struct trace *t);

/* trace_stop - stop all threads; the first time also those that trace_open() missed.
 * 0; -EAGAIN: not within @limit_us, all run again; -ESRCH: the process ended; the first
 * time also errors of trace_open(). */
int trace_stop(struct trace *t, int64_t limit_us);
void trace_resume(struct trace *t);

/* trace_serve - answer stops until @until or until @wake_fd (-1: none) is readable.
 * 0 or -ESRCH. */
int trace_serve(struct trace *t, struct mono until, int wake_fd);

/* trace_filters - let the stopped thread @tid make calls without its system call
 * filters, or with them again.  0 or -errno. */
int trace_filters(pid_t tid, bool suspended);

/* trace_wait_stop - wait until @th, which was let run alone (PTRACE_CONT), is at an
 * interrupt stop again.  0; -ESRCH; -EIO: not within two seconds. */
int trace_wait_stop(struct trace *t, struct trace_thread *th);

/* trace_children - forget those that have been waited for, and those that are kin. */
void trace_children(struct trace *t);

/* trace_answer - answer what has stopped by now.  0 or -ESRCH. */
int trace_answer(struct trace *t);

/* trace_exit_kill - stopped process @pid is killed if its tracer ends from now on, and
 * nothing else of it is reported; or all is as before.  0 or -errno. */
int trace_exit_kill(pid_t pid, bool on);

#endif
