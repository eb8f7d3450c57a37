/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/gatens.h"

#include "lib/fd.h"
#include "lib/log.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

int
gatens_self(int *fd)
{
    int ns = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

    if (ns < 0)
        return -errno;
    *fd = ns;
    return 0;
}

int
gatens_new(int *fd)
{
    int back = -1, ret;

    ret = gatens_self(&back);
    if (ret < 0)
        return ret;
    if (unshare(CLONE_NEWNET) < 0) {
        ret = -errno;
        fd_close(back);
        return ret;
    }
    ret = gatens_self(fd);
    gatens_leave(back);
    return ret;
}

int
gatens_enter(int netns, int *back)
{
    int ret = gatens_self(back);

    if (ret < 0)
        return ret;
    if (setns(netns, CLONE_NEWNET) == 0)
        return 0;
    ret = -errno;
    fd_close(*back);
    *back = -1;
    return ret;
}

void
gatens_leave(int back)
{
    if (setns(back, CLONE_NEWNET) < 0)
        log_fatal("network namespace: cannot go back: %s", strerror(errno));
    fd_close(back);
}

int
gatens_sysctl(const char *name, const char *value)
{
    /* /proc/sys/net shows the reading task's namespace whatever it is mounted in. */
    char path[128];
    int fd, ret;

    if ((size_t)snprintf(path, sizeof path, "/proc/sys/net/%s", name) >= sizeof path)
        return -ENAMETOOLONG;
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ret = fd_write_all(fd, value, strlen(value));
    fd_close(fd);
    return ret;
}
