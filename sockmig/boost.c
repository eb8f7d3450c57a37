/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Source: sched(7). */
#include "sockmig/boost.h"

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#define DEPTH 8 /* generations of processes */
#define RAISED (SCHED_RR | SCHED_RESET_ON_FORK)

static bool
is_plain(pid_t tid)
{
    errno = 0;
    return sched_getscheduler(tid) == SCHED_OTHER &&
           getpriority(PRIO_PROCESS, (id_t)tid) == 0 && errno == 0;
}

static void
raise_one(struct boost *b, pid_t tid)
{
    struct sched_param p = { .sched_priority = sched_get_priority_min(SCHED_RR) };

    if (b->n < BOOST_THREADS && is_plain(tid) &&
        sched_setscheduler(tid, RAISED, &p) == 0)
        b->threads[b->n++] = tid;
}

static void raise_process(struct boost *b, pid_t pid, unsigned depth);

static void
raise_children(struct boost *b, pid_t pid, pid_t tid, unsigned depth)
{
    char path[64];
    FILE *f;
    int child;

    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)tid);
    f = fopen(path, "re");
    if (!f)
        return;
    while (fscanf(f, "%d", &child) == 1)
        raise_process(b, child, depth + 1);
    fclose(f);
}

static void
raise_process(struct boost *b, pid_t pid, unsigned depth)
{
    const struct dirent *d;
    char path[64];
    DIR *tasks;

    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    tasks = depth < DEPTH ? opendir(path) : NULL;
    if (!tasks)
        return;
    while ((d = readdir(tasks))) {
        pid_t tid = (pid_t)atoi(d->d_name);

        if (tid <= 0)
            continue;
        raise_one(b, tid);
        raise_children(b, pid, tid, depth);
    }
    closedir(tasks);
}

void
boost_begin(struct boost *b, pid_t pid)
{
    b->n = 0;
    raise_process(b, pid, 0);
}

/* An id may be somebody else's by now: only what still is as it was made here. */
void
boost_end(struct boost *b)
{
    struct sched_param p = { .sched_priority = 0 };

    for (unsigned i = 0; i < b->n; i++)
        if (sched_getscheduler(b->threads[i]) == RAISED)
            sched_setscheduler(b->threads[i], SCHED_OTHER, &p);
    b->n = 0;
}
