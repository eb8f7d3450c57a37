/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/ckpt/schedule.h"

#include <errno.h>
#include <linux/ioprio.h>
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RESET_ON_FORK 1u /* SCHED_FLAG_RESET_ON_FORK */

struct attributes { /* struct sched_attr, SCHED_ATTR_SIZE_VER0 */
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
};

static bool
is_everywhere(const uint8_t *cpus, size_t size)
{
    static long online; /* asking takes 20 us */
    long n = 0;

    if (online == 0)
        online = sysconf(_SC_NPROCESSORS_ONLN);
    for (size_t i = 0; i < size; i++)
        n += __builtin_popcount(cpus[i]);
    return n >= online;
}

int
schedule_read(pid_t tid, struct image_schedule *out)
{
    struct attributes a = { .size = sizeof a };
    long size, io;

    memset(out, 0, sizeof *out);
    if (syscall(SYS_sched_getattr, tid, &a, sizeof a, 0) < 0)
        return -errno;
    size = syscall(SYS_sched_getaffinity, tid, sizeof out->cpus, out->cpus);
    io = syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, tid);
    if (size < 0 || io < 0)
        return -errno;
    out->policy = a.policy;
    out->flags = (uint32_t)a.flags & RESET_ON_FORK;
    out->nice = a.nice;
    out->priority = a.priority;
    out->io_priority = (uint32_t)io;
    if (is_everywhere(out->cpus, (size_t)size))
        memset(out->cpus, 0xff, sizeof out->cpus);
    return 0;
}

int
schedule_apply(pid_t tid, const struct image_schedule *s, const char **what)
{
    struct attributes a = { .size = sizeof a,
        .policy = s->policy,
        .flags = s->flags,
        .nice = s->nice,
        .priority = s->priority };
    int ret = 0;

    if (syscall(SYS_sched_setattr, tid, &a, 0) < 0) {
        ret = -errno;
        *what = "scheduling policy or priority";
    }
    if (sched_setaffinity(tid, sizeof s->cpus, (const cpu_set_t *)s->cpus) < 0) {
        ret = -errno;
        *what = "processors";
    }
    if (s->io_priority != 0 &&
        syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, tid, s->io_priority) < 0) {
        ret = -errno;
        *what = "I/O priority";
    }
    return ret;
}

int
schedule_like_caller(pid_t tid)
{
    struct sched_param p;
    int policy = sched_getscheduler(0);

    if (policy < 0 || sched_getparam(0, &p) < 0)
        return -errno;
    return sched_setscheduler(tid, policy, &p) < 0 ? -errno : 0;
}
