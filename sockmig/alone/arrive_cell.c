/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * arrive_cell.c - processes that come from a cell arrive in one: the rest of the work
 * is done by a process in it, so that their ids are free. */
#include "sockmig/alone/arrive_parts.h"

#include "lib/fd.h"
#include "sockmig/cell_make.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct entry {
    struct arrival *a;
    void (*run)(struct arrival *a);
};

static void
run_inside(const struct cell_plan *plan, int report)
{
    struct entry *e = plan->arg;

    fd_close(report);
    e->run(e->a);
    _exit(0);
}

/* None that the processes have: the last one that there can be. */
static pid_t
last_pid(void)
{
    char text[32];

    if (file_read("/proc/sys/kernel/pid_max", text, sizeof text) < 0)
        return 0;
    return (pid_t)strtol(text, NULL, 10) - 1;
}

int
arrive_enter(struct arrival *a, void (*run)(struct arrival *a))
{
    struct cell_conf conf = { .name = a->page->order.cell, .stays = true };
    struct entry e = { a, run };
    struct cell_plan plan = { .conf = &conf, .pid = last_pid(), .arg = &e };
    struct pollfd gone = { .events = POLLIN };
    char error[CELL_ERROR_LEN] = "";
    pid_t init, pid;
    int ret;

    plan.run = run_inside;
    conf.netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    ret = conf.netns < 0 ? -errno : cell_make(&plan, &init, &pid, error);
    fd_close(conf.netns);
    if (ret < 0)
        return arrive_fail(a, ret, "%s", error[0] ? error : strerror(-ret));
    a->left = true;
    gone.fd = (int)syscall(SYS_pidfd_open, pid, 0);
    while (gone.fd >= 0 && poll(&gone, 1, -1) < 0 && errno == EINTR)
        ;
    fd_close(gone.fd);
    return 0;
}
