/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/cell.h"

#include "lib/fd.h"
#include "sockmig/cell_make.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* What the engine got for itself is not the service's: real-time priority, pinned
 * processors, exemption from the out-of-memory killer. */
static void
shed_the_engine(void)
{
    struct sched_param normal = { 0 };
    cpu_set_t all;
    int fd;

    memset(&all, 0xff, sizeof all);
    sched_setscheduler(0, SCHED_OTHER, &normal);
    sched_setaffinity(0, sizeof all, &all);
    fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd >= 0 && write(fd, "0", 1) < 0)
        errno = 0; /* a wish only */
    umask(022);
}

/* Raw system calls: glibc's would stop all threads of a process that was copied. */
static int
become(const struct cell_conf *conf)
{
    for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
        if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
            return -errno;
    if (syscall(SYS_setgroups, conf->ngroups, conf->groups) < 0 ||
        syscall(SYS_setresgid, conf->gid, conf->gid, conf->gid) < 0 ||
        syscall(SYS_setresuid, conf->uid, conf->uid, conf->uid) < 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -errno;
    return 0;
}

static void
run_command(const struct cell_plan *plan, int report)
{
    static char *const environment[] = {
        (char *)"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        (char *)"LANG=C.UTF-8", NULL
    };
    const struct cell_conf *conf = plan->conf;
    int null, log, ret;

    null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    log = open(conf->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (null < 0 || log < 0)
        cell_fail(report, CELL_STAGE_LOG, errno);
    report = fcntl(report, F_DUPFD_CLOEXEC, 3); /* out of the way of what comes */
    null = fcntl(null, F_DUPFD_CLOEXEC, 3);
    log = fcntl(log, F_DUPFD_CLOEXEC, 3);
    if (dup2(null, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0)
        cell_fail(report, CELL_STAGE_LOG, errno);
    close_range(3, (unsigned)report - 1, 0);
    close_range((unsigned)report + 1, ~0u, 0);
    shed_the_engine();
    ret = become(conf);
    if (ret < 0)
        cell_fail(report, CELL_STAGE_USER, -ret);
    if (chdir(conf->directory) < 0)
        cell_fail(report, CELL_STAGE_DIRECTORY, errno);
    execvpe(conf->command[0], conf->command, environment);
    cell_fail(report, CELL_STAGE_EXEC, errno);
}

int
cell_start(const struct cell_conf *conf, pid_t *init, pid_t *pid, char *error)
{
    struct cell_plan plan = { .conf = conf, .run = run_command };

    return cell_make(&plan, init, pid, error);
}

/* All threads of @pid that this thread traces and that have ended. */
static void
reap_threads(pid_t pid)
{
    char path[64];
    struct dirent *e;
    DIR *dir;

    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    dir = opendir(path);
    while (dir && (e = readdir(dir)) != NULL)
        if (atoi(e->d_name) > 0)
            waitpid(atoi(e->d_name), NULL, __WALL | WNOHANG);
    if (dir)
        closedir(dir);
}

/* What the reaper still has to wait for; the orphans of a cell are all its children. */
static void
reap_traced(pid_t init)
{
    char path[64], text[4096], *rest = text, *word;

    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)init, (int)init);
    if (file_read(path, text, sizeof text) <= 0)
        return;
    while ((word = strsep(&rest, " ")) != NULL)
        if (atoi(word) > 0)
            reap_threads(atoi(word));
}

void
cell_kill(pid_t init)
{
    struct timespec tick = { .tv_nsec = 100000 };
    pid_t pid = 0;

    if (init <= 0)
        return;
    kill(init, SIGKILL);
    /* What this thread traces in the cell is ours to wait for too: the reaper's end
     * waits for theirs.  Nothing else: it may trace a service in another cell, whose
     * stops are its tracer's to answer. */
    while ((pid = waitpid(init, NULL, __WALL | WNOHANG)) == 0 ||
           (pid < 0 && errno == EINTR)) {
        reap_traced(init);
        nanosleep(&tick, NULL);
    }
}
