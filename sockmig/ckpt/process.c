/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/ckpt/process.h"

#include "lib/fd.h"
#include "sockmig/ckpt/cgroup.h"
#include "sockmig/ckpt/filters.h"
#include "sockmig/ckpt/threads.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define SECOND_NS 1000000000ll
#define NLIMITS 16

int
process_open(struct process *p, pid_t pid)
{
    char path[64];
    int ret = 0;

    *p = (struct process){ .pid = pid, .status_fd = -1, .timers_fd = -1 };
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    p->status_fd = open(path, O_RDONLY | O_CLOEXEC);
    if (p->status_fd < 0)
        ret = errno == ENOENT ? -ESRCH : -errno;
    snprintf(path, sizeof path, "/proc/%d/timers", (int)pid);
    p->timers_fd = open(path, O_RDONLY | O_CLOEXEC);
    if (ret == 0 && p->timers_fd < 0)
        ret = errno == ENOENT ? -EOPNOTSUPP : -errno;
    if (ret < 0)
        process_close(p);
    return ret;
}

void
process_close(struct process *p)
{
    fd_close(p->status_fd);
    fd_close(p->timers_fd);
    p->status_fd = p->timers_fd = -1;
}

static void
read_ids(const char *status, const char *name, uint32_t *real, uint32_t *effective,
    uint32_t *saved, uint32_t *fs)
{
    uint32_t *to[4] = { real, effective, saved, fs };
    const char *at = proctext_field(status, name);

    for (int i = 0; at && i < 4; i++) {
        uint64_t v = 0;

        number_at(&at, 10, &v);
        *to[i] = (uint32_t)v;
        at += strspn(at, " \t");
    }
}

static int
read_groups(const char *status, struct image_process *to, struct refusals *why)
{
    const char *at = proctext_field(status, "Groups:");
    uint64_t v;

    to->ngroups = 0;
    while (at && number_at(&at, 10, &v)) {
        if (to->ngroups == IMAGE_GROUPS) {
            refuse(why, to->pid, -1, "lower the number of groups of its user",
                "more than %d supplementary groups", IMAGE_GROUPS);
            return -EOPNOTSUPP;
        }
        to->groups[to->ngroups++] = (uint32_t)v;
        at += strspn(at, " \t");
    }
    return 0;
}

static int
read_status(struct trace *t, struct proctext *text, struct image_process *to,
    struct refusals *why)
{
    const char *s = text->data, *features;
    int ret = 0;

    to->pid = proctext_last_id(s);
    t->leader = threads_leader_hash(s);
    to->umask = (uint32_t)proctext_number(s, "Umask:", 8, 022);
    to->no_new_privs = proctext_number(s, "NoNewPrivs:", 10, 0) != 0;
    to->thp_disable = proctext_number(s, "THP_enabled:", 10, 1) == 0;
    to->cap_inheritable = proctext_number(s, "CapInh:", 16, 0);
    to->cap_permitted = proctext_number(s, "CapPrm:", 16, 0);
    to->cap_effective = proctext_number(s, "CapEff:", 16, 0);
    to->cap_bounding = proctext_number(s, "CapBnd:", 16, 0);
    to->cap_ambient = proctext_number(s, "CapAmb:", 16, 0);
    read_ids(s, "Uid:", &to->uid, &to->euid, &to->suid, &to->fsuid);
    read_ids(s, "Gid:", &to->gid, &to->egid, &to->sgid, &to->fsgid);
    t->filtered = proctext_number(s, "Seccomp:", 10, 0) == 2;
    t->nfilters = proctext_number(s, "Seccomp_filters:", 10, 0);
    features = proctext_field(s, "x86_Thread_features:");
    if (features && !strncmp(features, "shstk", 5)) {
        refuse(why, to->pid, -1, "start it with GLIBC_TUNABLES=glibc.cpu.x86_shstk=off",
            "process has a shadow stack");
        ret = -EOPNOTSUPP;
    }
    return read_groups(s, to, why) < 0 ? -EOPNOTSUPP : ret;
}

static int
read_link(const struct process *p, const char *name, char *to, struct refusals *why)
{
    char path[64], text[IMAGE_PATH];
    ssize_t n;

    snprintf(path, sizeof path, "/proc/%d/%s", (int)p->pid, name);
    n = readlink(path, text, sizeof text);
    if (n < 0)
        return errno == ENOENT ? -ESRCH : -errno;
    if (n == sizeof text || text[0] != '/' ||
        (n > 10 && !memcmp(text + n - 10, " (deleted)", 10))) {
        refuse(why, 0, -1, "restart the service from a folder and file that exist",
            "%s is deleted or has a path longer than %d bytes: %.*s", name,
            IMAGE_PATH - 1, n < 80 ? (int)n : 80, text);
        return -EOPNOTSUPP;
    }
    memset(to, 0, IMAGE_PATH);
    memcpy(to, text, (size_t)n);
    return 0;
}

/* prlimit() of another user's process wants CAP_SYS_RESOURCE even to read; the file
 * does not: a heading, then a line for each limit, in the order of their numbers. */
static uint64_t
limit_at(const char *at)
{
    return strncmp(at, "unlimited", 9) == 0 ? RLIM64_INFINITY : strtoull(at, NULL, 10);
}

static int
read_limits(const struct process *p, struct image_process *to)
{
    enum { SOFT_AT = 26, HARD_AT = 47 };
    char path[64], text[4096];
    const char *line = text;
    ssize_t n;

    snprintf(path, sizeof path, "/proc/%d/limits", (int)p->pid);
    n = file_read(path, text, sizeof text);
    if (n < 0)
        return (int)n;
    for (int i = 0; i < NLIMITS; i++) {
        line = strchr(line, '\n');
        if (!line || strlen(++line) < HARD_AT)
            return -EPROTO;
        to->rlimits[i] = (struct image_rlimit){ limit_at(line + SOFT_AT),
            limit_at(line + HARD_AT) };
    }
    return 0;
}

static int64_t
clock_ns(clockid_t clock)
{
    struct timespec ts;

    clock_gettime(clock, &ts);
    return ts.tv_sec * SECOND_NS + ts.tv_nsec;
}

static int
read_signals(const struct trace *t, struct image_process *to, struct refusals *why)
{
    struct __ptrace_peeksiginfo_args args = { .flags = PTRACE_PEEKSIGINFO_SHARED,
        .nr = IMAGE_MAX_SIGNALS };
    struct __ptrace_peeksiginfo_args more = {
        .off = IMAGE_MAX_SIGNALS, .flags = PTRACE_PEEKSIGINFO_SHARED, .nr = 1
    };
    siginfo_t rest;
    long n = ptrace(PTRACE_PEEKSIGINFO, t->pid, &args, to->signals);

    if (n < 0)
        return -errno;
    to->nsignals = (uint32_t)n;
    if (n == IMAGE_MAX_SIGNALS &&
        ptrace(PTRACE_PEEKSIGINFO, t->pid, &more, &rest) > 0) {
        refuse(why, to->pid, -1, "wait until the process has taken its signals",
            "more than %d pending signals", IMAGE_MAX_SIGNALS);
        return -EOPNOTSUPP;
    }
    return 0;
}

static int
read_children(struct trace *t, struct image *im, struct refusals *why)
{
    trace_children(t);
    if (t->lost_children > 0) {
        refuse(why, im->process.pid, -1, "configure it to start fewer processes",
            "more than %d child processes", IMAGE_MAX_CHILDREN);
        return -EOPNOTSUPP;
    }
    im->nchildren = t->nchildren;
    for (unsigned i = 0; i < t->nchildren; i++)
        im->children[i] = t->children[i].image;
    return 0;
}

/* A refusal does not hide the next one; another error ends it. */
static int
and_then(int before, int ret)
{
    return ret == 0 ? before : ret;
}

int
process_read(struct process *p, struct trace *t, struct proctext *text,
    struct image *im, struct refusals *why)
{
    struct image_process *to = &im->process;
    int ret = proctext_pread(text, p->status_fd);

    if (ret == 0)
        ret = and_then(ret, read_status(t, text, to, why));
    if (ret == 0 || ret == -EOPNOTSUPP)
        ret = and_then(ret, read_link(p, "cwd", to->cwd, why));
    if (ret == 0 || ret == -EOPNOTSUPP)
        ret = and_then(ret, read_link(p, "root", to->root, why));
    if (ret == 0 || ret == -EOPNOTSUPP)
        ret = and_then(ret, read_limits(p, to));
    if (ret == 0 || ret == -EOPNOTSUPP)
        ret = and_then(ret, read_signals(t, to, why));
    if (ret == 0 || ret == -EOPNOTSUPP)
        ret = and_then(ret, read_children(t, im, why));
    if (ret == 0 || ret == -EOPNOTSUPP)
        ret = and_then(ret, filters_read(t, text->data, im, why));
    to->clock_ns = (uint64_t)clock_ns(CLOCK_MONOTONIC);
    to->monotonic_ns = (uint64_t)(clock_ns(CLOCK_MONOTONIC) + p->monotonic_offset_ns);
    to->boottime_ns = (uint64_t)(clock_ns(CLOCK_BOOTTIME) + p->boottime_offset_ns);
    return ret;
}

bool
process_changed(const struct process *p, const struct proctext *status)
{
    return p->looks == 0 ||
           proctext_number(status->data, "SigCgt:", 16, 0) != p->caught ||
           proctext_number(status->data, "SigIgn:", 16, 0) != p->ignored;
}

/* Lines "monotonic SECONDS NANOSECONDS", "boottime ..." */
static int64_t
clock_offset(const char *text, const char *name)
{
    const char *at = proctext_field(text, name);
    char *end;
    long long sec;

    if (!at)
        return 0;
    sec = strtoll(at, &end, 10);
    return sec * SECOND_NS + strtoll(end, NULL, 10);
}

/* struct prctl_mm_map, by the fields of /proc/PID/stat (proc_pid_stat(5)). */
static void
read_layout(const char *stat, struct image_process *to)
{
    static const uint8_t fields[IMAGE_MM_WORDS] = { 26, 27, 45, 46, 47, 0, 28, 48, 49,
        50, 51, 0 };
    const char *at = strrchr(stat, ')');
    uint64_t v[64] = { 0 };

    at = at ? strchr(at, ' ') : NULL; /* before field 3, a letter */
    for (int i = 3; at && i < 53; i++) {
        v[i] = strtoull(at + 1, NULL, 10);
        at = strchr(at + 1, ' ');
    }
    for (int i = 0; i < IMAGE_MM_WORDS; i++)
        to->mm[i] = fields[i] ? v[fields[i]] : 0;
}

int
process_read_once(
    struct process *p, struct proctext *text, struct image *im, struct refusals *why)
{
    struct image_process *to = &im->process;
    int ret = read_link(p, "exe", to->exe, why);

    if (ret == 0)
        ret = proctext_read(text, "/proc/%d/auxv", (int)p->pid);
    if (ret == 0 && text->size > sizeof to->auxv)
        ret = -E2BIG;
    if (ret < 0)
        return ret;
    memcpy(to->auxv, text->data, text->size);
    to->auxv_bytes = (uint32_t)text->size;
    ret = proctext_read(text, "/proc/%d/stat", (int)p->pid);
    if (ret == 0)
        read_layout(text->data, to);
    if (ret == 0)
        ret = proctext_read(text, "/proc/%d/oom_score_adj", (int)p->pid);
    if (ret == 0)
        to->oom_score_adj = atoi(text->data);
    if (!cgroup_of(p->pid, to->cgroup, sizeof to->cgroup))
        to->cgroup[0] = '\0';
    if (proctext_read(text, "/proc/%d/timens_offsets", (int)p->pid) == 0) {
        p->monotonic_offset_ns = clock_offset(text->data, "monotonic");
        p->boottime_offset_ns = clock_offset(text->data, "boottime");
    }
    return ret;
}
