/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/ckpt/cgroup.h"

#include "lib/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PATH 512

/* As a mount that is nowhere. */
int
cgroup_root(void)
{
    int fs = fsopen("cgroup2", FSOPEN_CLOEXEC), fd = -1;

    if (fs >= 0 && fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
        fd = fsmount(fs, FSMOUNT_CLOEXEC, 0);
    fd_close(fs);
    return fd;
}

/* "0::/path" is the line of cgroup2; one that begins with /.. is out of reach. */
bool
cgroup_of(pid_t pid, char *path, size_t size)
{
    char line[PATH + 16], name[64] = "/proc/self/cgroup";
    FILE *file;
    bool found = false;

    if (pid > 0)
        snprintf(name, sizeof name, "/proc/%d/cgroup", (int)pid);
    file = fopen(name, "re");
    while (file && !found && fgets(line, sizeof line, file))
        found = !strncmp(line, "0::/", 4) && strncmp(line, "0::/..", 6) != 0;
    if (file)
        fclose(file);
    if (!found || !strchr(line, '\n'))
        return false;
    line[strcspn(line, "\n")] = '\0';
    if (strlen(line + 3) >= size)
        return false;
    memcpy(path, line + 3, strlen(line + 3) + 1);
    return true;
}

int
cgroup_put(int group, pid_t pid)
{
    int fd = openat(group, "cgroup.procs", O_WRONLY | O_CLOEXEC), ret;
    char text[16];

    snprintf(text, sizeof text, "%d", (int)pid);
    ret = fd < 0 ? -errno : fd_write_all(fd, text, strlen(text));
    fd_close(fd);
    return ret;
}

/* The path may come from another host. */
int
cgroup_join(const char *path, pid_t pid)
{
    struct open_how how = { .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };
    char now[PATH];
    int root, group, ret;

    if (cgroup_of(pid, now, sizeof now) && strcmp(now, path) == 0)
        return 0;
    root = cgroup_root();
    if (root < 0)
        return -EOPNOTSUPP;
    group = (int)syscall(SYS_openat2, root, path[1] ? path + 1 : ".", &how, sizeof how);
    ret = group < 0 ? -errno : cgroup_put(group, pid);
    fd_close(group);
    fd_close(root);
    return ret;
}
