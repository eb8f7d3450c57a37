/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Source: sched(7). */
#include "sockmig/boost.h"

#include "sockmig/ckpt/tree.h"

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

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

static void
raise_process(struct boost *b, pid_t pid)
{
    const struct dirent *d;
    char path[64];
    DIR *tasks;

    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    tasks = opendir(path);
    while (tasks && (d = readdir(tasks)) != NULL)
        if (d->d_name[0] != '.')
            raise_one(b, (pid_t)atoi(d->d_name));
    if (tasks)
        closedir(tasks);
}

void
boost_begin(struct boost *b, pid_t pid)
{
    struct tree family;
    int ret = tree_find(&family, pid);

    b->n = 0;
    for (unsigned i = 0; i < family.n && ret == 0; i++)
        raise_process(b, family.pids[i]);
    tree_close(&family);
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
