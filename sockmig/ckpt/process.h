/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * process.h - what a process has beside its threads, memory and descriptors, to an
 * image.  What is read when: doc/design/checkpoint.md. */
#ifndef BSC_PROCESS_H
#define BSC_PROCESS_H

#include "sockmig/ckpt/inject.h"
#include "sockmig/ckpt/proctext.h"
#include "sockmig/refusal.h"

struct process {
    pid_t pid;
    int status_fd, timers_fd; /* owned: /proc/PID/status, timers */
    int64_t monotonic_offset_ns, boottime_offset_ns; /* of its time namespace */
    uint64_t caught, ignored; /* signal sets when the actions were read */
    uint64_t brk;             /* end of the heap then, exactly */
    unsigned segments; /* System V shared memory in an IPC namespace of its own */
    unsigned looks;    /* times the actions were read */
    struct mono next_look;
};

int process_open(struct process *p, pid_t pid); /* 0, -ESRCH or other -errno */
void process_close(struct process *p);

/* process_learn - read what needs injection, where it is due: signal actions and the
 * like when signal sets changed, timers while the process uses any.  To be called
 * after process_read() and threads_learn(), before memory is scanned.
 *
 * *changed: the signal sets had changed.  0; -EOPNOTSUPP with @why; other -errno. */
int process_learn(struct process *p, struct trace *t, struct inject *in,
    struct proctext *text, struct image *im, struct mono now, struct refusals *why);

/* process_changed - the signal sets differ from when the actions were read. */
bool process_changed(const struct process *p, const struct proctext *status);

/* process_read - credentials, limits, folder, clocks, pending signals, children into
 * im->process; everything that /proc and ptrace tell about a stopped process.
 * @text has the status file afterwards.  Same outcomes. */
int process_read(struct process *p, struct trace *t, struct proctext *text,
    struct image *im, struct refusals *why);

/* process_read_once - program, auxiliary vector, memory layout: they stay. */
int process_read_once(
    struct process *p, struct proctext *text, struct image *im, struct refusals *why);

#endif
