/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/cli/lab.h"

#include "lib/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_PROCS 4096
#define ROUNDS 50

/* ---- what runs ---- */

struct stat_line {
    char name[16];
    char state;
    pid_t parent;
    uint64_t start;
};

/* proc(5), /proc/PID/stat: the name may hold blanks and brackets, the last one ends
 * it. */
static bool
read_stat(pid_t pid, struct stat_line *out)
{
    char path[64], text[1024], *open, *close;
    unsigned long long start;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    if (file_read(path, text, sizeof text) < 0)
        return false;
    open = strchr(text, '(');
    close = strrchr(text, ')');
    if (!open || !close ||
        sscanf(close + 1,
            " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d "
            "%*d %llu",
            &out->state, &out->parent, &start) != 3)
        return false;
    snprintf(out->name, sizeof out->name, "%.*s", (int)(close - open - 1), open + 1);
    out->start = start;
    return true;
}

uint64_t
lab_start_time(pid_t pid)
{
    struct stat_line s;

    if (pid <= 0 || !read_stat(pid, &s) || s.state == 'Z' || s.state == 'X')
        return 0;
    return s.start;
}

struct table {
    struct {
        pid_t pid, parent;
        bool member, known;
        char name[16];
    } row[MAX_PROCS];
    size_t n;
};

static ino_t
pid_namespace(pid_t pid)
{
    char path[64];
    struct stat st;

    snprintf(path, sizeof path, "/proc/%d/ns/pid", (int)pid);
    return stat(path, &st) == 0 ? st.st_ino : 0;
}

static void
read_table(struct table *t, ino_t ns)
{
    DIR *dir = opendir("/proc");
    struct dirent *e;
    struct stat_line s;

    t->n = 0;
    while (dir && (e = readdir(dir)) && t->n < MAX_PROCS) {
        pid_t pid = (pid_t)atoi(e->d_name);

        if (pid <= 0 || !read_stat(pid, &s) || s.state == 'Z')
            continue;
        t->row[t->n].pid = pid;
        t->row[t->n].parent = s.parent;
        t->row[t->n].member = pid_namespace(pid) == ns;
        strcpy(t->row[t->n].name, s.name);
        t->n++;
    }
    if (dir)
        closedir(dir);
}

/* A cell is a pid namespace of its own: what descends from a member is one. */
static void
spread_membership(struct table *t)
{
    bool more = true;

    while (more) {
        more = false;
        for (size_t i = 0; i < t->n; i++)
            for (size_t k = 0; k < t->n && !t->row[i].member; k++)
                if (t->row[k].member && t->row[k].pid == t->row[i].parent)
                    more = t->row[i].member = true;
    }
}

size_t
lab_procs(const struct lab_host *host, struct lab_proc *out, size_t max)
{
    struct table *t;
    size_t n = 0;

    if (!lab_host_alive(host))
        return 0;
    t = calloc(1, sizeof *t);
    if (!t)
        return 0;
    read_table(t, pid_namespace(host->pid));
    spread_membership(t);
    for (size_t i = 0; i < t->n && n < max; i++)
        if (t->row[i].member) {
            out[n].pid = t->row[i].pid;
            strcpy(out[n++].name, t->row[i].name);
        }
    free(t);
    return n;
}

/* ---- control groups ---- */

static bool
find_cgroup2(char *out, size_t size)
{
    FILE *f = setmntent("/proc/mounts", "r");
    const struct mntent *m;
    bool found = false;

    while (f && !found && (m = getmntent(f)))
        if (!strcmp(m->mnt_type, "cgroup2")) {
            snprintf(out, size, "%s", m->mnt_dir);
            found = true;
        }
    if (f)
        endmntent(f);
    return found;
}

static bool
group_path(
    char out[512], const struct lab *lab, const struct lab_host *host, const char *file)
{
    char root[256];

    if (!find_cgroup2(root, sizeof root))
        return false;
    snprintf(out, 512, "%s/bascule-lab.%s.%s%s%s", root, lab->name, host->name,
        *file ? "/" : "", file);
    return true;
}

static int
group_write(const struct lab *lab, const struct lab_host *host, const char *file,
    const char *text)
{
    char path[512];

    if (!group_path(path, lab, host, file) || access(path, W_OK) < 0)
        return -ENOENT;
    return file_write(path, text);
}

int
lab_group_make(const struct lab *lab, const struct lab_host *host)
{
    char path[512];

    if (!group_path(path, lab, host, ""))
        return -ENOENT;
    if (mkdir(path, 0755) < 0 && errno != EEXIST)
        return -errno;
    return group_write(lab, host, "cgroup.freeze", "0");
}

int
lab_group_open(const struct lab *lab, const struct lab_host *host)
{
    char path[512];
    int fd;

    if (!group_path(path, lab, host, "cgroup.procs"))
        return -ENOENT;
    fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

void
lab_group_join(int group, pid_t pid)
{
    if (group >= 0)
        dprintf(group, "%d", (int)pid);
}

void
lab_group_kill(const struct lab *lab, const struct lab_host *host)
{
    group_write(lab, host, "cgroup.kill", "1");
}

void
lab_group_remove(const struct lab *lab, const struct lab_host *host)
{
    char path[512];

    /* The last process is gone a moment before the group knows it. */
    if (!group_path(path, lab, host, ""))
        return;
    for (int i = 0; i < ROUNDS && rmdir(path) < 0 && errno == EBUSY; i++)
        usleep(10000);
}

/* ---- stopping ---- */

static int
freeze_group(const struct lab *lab, const struct lab_host *host, bool frozen)
{
    char path[512], text[256];
    int ret = group_write(lab, host, "cgroup.freeze", frozen ? "1" : "0");

    if (ret < 0 || !frozen)
        return ret;
    group_path(path, lab, host, "cgroup.events");
    for (int i = 0; i < ROUNDS; i++) {
        if (file_read(path, text, sizeof text) > 0 && strstr(text, "frozen 1"))
            return 0;
        usleep(10000);
    }
    return -ETIMEDOUT;
}

/* A process that forks while it is being stopped leaves a child: until none is new. */
static int
stop_by_signal(const struct lab_host *host)
{
    struct lab_proc *procs = calloc(MAX_PROCS, sizeof *procs);
    size_t before = 0, n = 0;
    int ret = -ETIMEDOUT;

    if (!procs)
        return -ENOMEM;
    for (int i = 0; i < ROUNDS; i++) {
        n = lab_procs(host, procs, MAX_PROCS);
        for (size_t k = 0; k < n; k++)
            kill(procs[k].pid, SIGSTOP);
        if (i > 0 && n == before) {
            ret = 0;
            break;
        }
        before = n;
    }
    free(procs);
    return ret;
}

static void
continue_by_signal(const struct lab_host *host)
{
    struct lab_proc *procs = calloc(MAX_PROCS, sizeof *procs);
    size_t n = procs ? lab_procs(host, procs, MAX_PROCS) : 0;

    for (size_t k = 0; k < n; k++)
        kill(procs[k].pid, SIGCONT);
    free(procs);
}

int
lab_freeze(const struct lab *lab, const struct lab_host *host, bool frozen)
{
    int ret = freeze_group(lab, host, frozen);

    if (ret != -ENOENT)
        return ret;
    if (frozen)
        return stop_by_signal(host);
    continue_by_signal(host);
    return 0;
}
