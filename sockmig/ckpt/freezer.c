/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/ckpt/freezer.h"

#include "lib/fd.h"
#include "sockmig/ckpt/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define GONE_MS 5000
#define HOME_TRIES 50 /* they may fork while they are brought home */

int
freezer_open(struct freezer *f, const uint8_t *id, const char *path)
{
    int root = cgroup_root(), n = snprintf(f->name, sizeof f->name, "sockmig-");

    f->home = f->group = -1;
    for (unsigned i = 0; i < 16; i++)
        n += snprintf(f->name + n, sizeof f->name - (size_t)n, "%02x", id[i]);
    snprintf(f->path, sizeof f->path, "%s", path);
    if (root >= 0)
        f->home = openat(root, path, O_DIRECTORY | O_CLOEXEC);
    fd_close(root);
    if (f->home >= 0)
        f->group = openat(f->home, f->name, O_DIRECTORY | O_CLOEXEC);
    return f->group >= 0 ? 0 : f->home >= 0 ? -ENOENT : -EOPNOTSUPP;
}

int
freezer_make(struct freezer *f, const uint8_t *id)
{
    char path[FREEZER_PATH];
    int ret = cgroup_of(0, path, sizeof path)
                  ? freezer_open(f, id, path[1] ? path + 1 : ".")
                  : -EOPNOTSUPP;

    if (ret != -ENOENT)
        return ret == 0 ? -EEXIST : ret;
    if (mkdirat(f->home, f->name, 0700) < 0)
        return -errno;
    f->group = openat(f->home, f->name, O_DIRECTORY | O_CLOEXEC);
    if (f->group >= 0 && faccessat(f->group, "cgroup.freeze", W_OK, 0) == 0)
        return 0;
    freezer_end(f);
    return -EOPNOTSUPP;
}

void
freezer_close(struct freezer *f)
{
    fd_close(f->group);
    fd_close(f->home);
    f->group = f->home = -1;
}

static int
put(int folder, const char *file, const char *text)
{
    int fd = openat(folder, file, O_WRONLY | O_CLOEXEC), ret;

    ret = fd < 0 ? -errno : fd_write_all(fd, text, strlen(text));
    fd_close(fd);
    return ret;
}

int
freezer_put(const struct freezer *f, pid_t pid)
{
    return cgroup_put(f->group, pid);
}

int
freezer_hold(const struct freezer *f)
{
    return put(f->group, "cgroup.freeze", "1");
}

int
freezer_release(const struct freezer *f)
{
    int ret = put(f->group, "cgroup.freeze", "0");

    return ret == -ENOENT || ret == -ENODEV ? 0 : ret; /* it went when they were free */
}

void
freezer_each(const struct freezer *f, void (*visit)(pid_t pid, void *arg), void *arg)
{
    int fd = openat(f->group, "cgroup.procs", O_RDONLY | O_CLOEXEC);
    FILE *file = fd >= 0 ? fdopen(fd, "r") : NULL;
    char line[32];

    while (file && fgets(line, sizeof line, file))
        if (atoi(line) > 0) /* 0: not in this pid namespace */
            visit(atoi(line), arg);
    if (file)
        fclose(file);
}

static void
bring_home(pid_t pid, void *arg)
{
    const struct freezer *f = arg;

    cgroup_put(f->home, pid);
}

void
freezer_end(struct freezer *f)
{
    for (int i = 0; i < HOME_TRIES && f->group >= 0; i++) {
        freezer_each(f, bring_home, f);
        if (unlinkat(f->home, f->name, AT_REMOVEDIR) == 0 || errno == ENOENT)
            break;
        if (i > 0) /* one that is about to end is not listed, but counts */
            poll(NULL, 0, 1);
    }
    freezer_close(f);
}

/* Zombies do not count. */
void
freezer_kill(struct freezer *f)
{
    if (f->group >= 0)
        put(f->group, "cgroup.kill", "1");
    for (int ms = 0; ms < GONE_MS && f->group >= 0; ms++) {
        if (unlinkat(f->home, f->name, AT_REMOVEDIR) == 0 || errno == ENOENT)
            break;
        poll(NULL, 0, 1);
    }
    freezer_close(f);
}
