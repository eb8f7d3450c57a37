/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/ckpt/trace_seize.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SEIZE_TRIES 100 /* of 10 ms: a dead engine lets go when its exit is done */

struct trace_thread *
trace_find(struct trace *t, pid_t tid)
{
    for (unsigned i = 0; i < t->nthreads; i++)
        if (t->threads[i].tid == tid)
            return &t->threads[i];
    return NULL;
}

struct trace_thread *
trace_adopt(struct trace *t, pid_t tid, enum trace_state state)
{
    struct trace_thread *th;

    if (t->nthreads == TRACE_MAX_THREADS)
        return NULL;
    th = &t->threads[t->nthreads++];
    *th = (struct trace_thread){ .tid = tid, .state = state };
    return th;
}

pid_t
trace_tracer(pid_t tid)
{
    char path[64], line[128], state = 'X';
    int tracer = 0;
    FILE *f;

    snprintf(path, sizeof path, "/proc/%d/status", (int)tid);
    f = fopen(path, "re");
    if (!f)
        return -1;
    while (fgets(line, sizeof line, f))
        if (sscanf(line, "State: %c", &state) != 1 &&
            sscanf(line, "TracerPid: %d", &tracer) == 1)
            break;
    fclose(f);
    return state == 'Z' || state == 'X' ? -1 : tracer;
}

/* 0; 1: it was ours already, since a thread that we trace has made it; -errno. */
static int
seize(pid_t tid)
{
    for (int i = 0; i < SEIZE_TRIES; i++) {
        pid_t tracer;

        if (ptrace(PTRACE_SEIZE, tid, 0, TRACE_OPTIONS) == 0)
            return 0;
        if (errno != EPERM)
            return -errno;
        tracer = trace_tracer(tid);
        if (tracer == gettid())
            return 1;
        if (tracer < 0) /* EPERM means that, too */
            return -ESRCH;
        usleep(10000);
    }
    return -EBUSY;
}

int
trace_seize(struct trace *t, unsigned *added)
{
    char path[64];
    struct dirent *e;
    DIR *dir;
    int ret = 0;

    *added = 0;
    snprintf(path, sizeof path, "/proc/%d/task", (int)t->pid);
    dir = opendir(path);
    if (!dir)
        return errno == ENOENT ? -ESRCH : -errno;
    while (ret == 0 && (e = readdir(dir)) != NULL) {
        pid_t tid = atoi(e->d_name);

        if (tid <= 0 || trace_find(t, tid))
            continue;
        ret = seize(tid);
        if (ret == 0 && !trace_adopt(t, tid, TRACE_RUNS))
            ret = -E2BIG;
        else if (ret == 0)
            (*added)++;
        else if (ret > 0 || (ret == -ESRCH && tid != t->pid))
            ret = 0; /* its maker's stop tells of it; or it ended meanwhile */
    }
    closedir(dir);
    return ret;
}
