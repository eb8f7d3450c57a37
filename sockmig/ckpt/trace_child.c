/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * trace_child.c - processes that the target forked: let go at once, remembered while
 * their parent may wait for them. */
#include "sockmig/ckpt/trace_child.h"

#include "lib/fd.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define STATUS_SIZE 8192
#define EXIT_SIGNAL_FIELD 38 /* of /proc/PID/stat, proc_pid_stat(5) */

static int
cell_id(pid_t pid)
{
    char path[64], text[STATUS_SIZE], *at, *end;

    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    if (file_read(path, text, sizeof text) < 0)
        return 0;
    at = strstr(text, "\nNSpid:");
    end = at ? strchr(at + 1, '\n') : NULL;
    if (!end)
        return 0;
    *end = '\0';
    at = strrchr(at, '\t');
    return at ? atoi(at + 1) : 0;
}

static int
exit_signal(pid_t pid)
{
    char path[64], text[STATUS_SIZE], *at;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    if (file_read(path, text, sizeof text) < 0)
        return SIGCHLD;
    at = strrchr(text, ')');
    for (int field = 2; at && field < EXIT_SIGNAL_FIELD; field++)
        at = strchr(at + 1, ' ');
    return at ? atoi(at + 1) : SIGCHLD;
}

void
trace_child_add(struct trace *t, pid_t pid, bool attached)
{
    struct trace_child *c = &t->children[t->nchildren];
    int status;

    for (unsigned i = 0; i < t->nchildren; i++)
        if (t->children[i].pid == pid) { /* listed before its birth was told */
            t->children[i].attached |= attached;
            return;
        }
    t->births++;
    if (t->nchildren == IMAGE_MAX_CHILDREN) {
        t->lost_children += !t->kin;
        if (attached && waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status))
            ptrace(PTRACE_DETACH, pid, 0, 0);
        return;
    }
    *c = (struct trace_child){ .pid = pid, .attached = attached };
    c->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    c->image = (struct image_child){ cell_id(pid), exit_signal(pid) };
    t->nchildren++;
}

bool
trace_child_poll(struct trace *t)
{
    bool any = false;
    int status;

    for (unsigned i = 0; i < t->nchildren; i++) {
        struct trace_child *c = &t->children[i];
        pid_t r = c->attached ? waitpid(c->pid, &status, __WALL | WNOHANG) : 0;

        if (r == 0)
            continue;
        any = true;
        c->attached = false;
        if (r > 0 && WIFSTOPPED(status))
            ptrace(PTRACE_DETACH, c->pid, 0, 0);
    }
    return any;
}

static bool
is_kin(const struct trace *t, pid_t pid)
{
    for (unsigned i = 0; t->kin && i < t->kin->n; i++)
        if (t->kin->pids[i] == pid)
            return true;
    return false;
}

void
trace_children(struct trace *t)
{
    for (unsigned i = t->nchildren; i-- > 0;) {
        struct trace_child *c = &t->children[i];

        if (!c->attached && is_kin(t, c->pid)) {
            fd_close(c->pidfd);
            *c = t->children[--t->nchildren];
            continue;
        }
        if (c->pidfd >= 0 && syscall(SYS_pidfd_send_signal, c->pidfd, 0, NULL, 0) == 0)
            continue; /* lives, or its parent has not waited for it yet */
        if (c->pidfd >= 0 && errno != ESRCH)
            continue;
        fd_close(c->pidfd);
        *c = t->children[--t->nchildren];
    }
    if (t->nchildren == 0)
        t->lost_children = 0;
}

static void
add_listed(struct trace *t, pid_t tid)
{
    char path[96], text[STATUS_SIZE];
    char *at = text, *end;

    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)t->pid, (int)tid);
    if (file_read(path, text, sizeof text) < 0)
        return;
    for (long pid = strtol(at, &end, 10); end != at; pid = strtol(at, &end, 10)) {
        trace_child_add(t, (pid_t)pid, false);
        at = end;
    }
}

void
trace_child_find(struct trace *t)
{
    for (unsigned i = 0; i < t->nthreads; i++)
        add_listed(t, t->threads[i].tid);
}

void
trace_child_fini(struct trace *t)
{
    int status;

    for (unsigned i = 0; i < t->nchildren; i++) {
        struct trace_child *c = &t->children[i];

        if (c->attached && waitpid(c->pid, &status, __WALL) == c->pid &&
            WIFSTOPPED(status))
            ptrace(PTRACE_DETACH, c->pid, 0, 0);
        fd_close(c->pidfd);
    }
    t->nchildren = 0;
}
