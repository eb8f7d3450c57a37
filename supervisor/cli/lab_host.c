/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/cli/lab.h"

#include "lib/fd.h"
#include "supervisor/cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SAY_FD 3 /* in the child: the starter listens there */
#define READY_MS 20000
#define GONE_MS 10000

bool
lab_host_alive(const struct lab_host *host)
{
    return host->pid > 0 && lab_start_time(host->pid) == host->start && host->start;
}

/* In the new namespaces.  Nothing of the starter is kept but one socket. */
static void __attribute__((noreturn))
become_host(const struct lab *lab, const struct lab_host *host, int say)
{
    char log[256], name[LAB_NAME_LEN + 8];
    int null, out;

    snprintf(name, sizeof name, "%s", lab->name);
    lab_path(log, lab, host->name, "host.log");
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    dup2(null, 0);
    dup2(out, 1);
    dup2(out, 2);
    dup2(say, SAY_FD);
    close_range(SAY_FD + 1, ~0u, 0);
    setsid();
    if (chdir("/") == 0)
        execl("/proc/self/exe", "bascule-lab-host", "lab-host", name, host->name, NULL);
    _exit(127);
}

static int
clone_host(const struct lab *lab, struct lab_host *host, int say)
{
    long flags = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET |
                 CLONE_NEWPID | SIGCHLD;
    pid_t pid = (pid_t)syscall(SYS_clone, flags, NULL, NULL, NULL, NULL);

    if (pid < 0)
        return -errno;
    if (pid == 0)
        become_host(lab, host, say);
    host->pid = pid;
    host->start = lab_start_time(pid);
    host->state = LAB_RUNNING;
    memset(host->cut, 0, sizeof host->cut);
    host->loss = 0;
    return 0;
}

/* "" when the host is up, else why not. */
static int
hear(int say, char *text, size_t size)
{
    struct pollfd p = { say, POLLIN, 0 };
    ssize_t n;

    if (poll(&p, 1, READY_MS) <= 0) {
        snprintf(text, size, "it does not answer");
        return -ETIMEDOUT;
    }
    n = read(say, text, size - 1);
    if (n <= 0) {
        snprintf(text, size, "it died, see its host.log");
        return -ECHILD;
    }
    text[n] = '\0';
    if (strcmp(text, "ok") != 0)
        return -ECHILD;
    return 0;
}

int
lab_host_start(struct lab *lab, struct lab_host *host)
{
    char why[256] = "";
    int say[2], group = -1, ret;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, say) < 0)
        return -errno;
    lab_group_make(lab, host);
    ret = clone_host(lab, host, say[1]);
    fd_close(say[1]);
    if (ret < 0) {
        cli_error("lab %s: %s cannot be made: %s; are you root?", lab->name, host->name,
            strerror(-ret));
        goto out;
    }
    ret = lab_save(lab); /* on record before it does anything: see lab_host_main() */
    group = lab_group_open(lab, host);
    lab_group_join(group, host->pid);
    fd_close(group);
    if (ret == 0)
        ret = lab_net_make(lab, host);
    if (ret == 0 && send(say[0], "go", 2, MSG_NOSIGNAL) != 2)
        ret = -errno;
    if (ret < 0)
        goto out;
    ret = hear(say[0], why, sizeof why);
    if (ret < 0)
        cli_error("lab %s: %s does not come up: %s", lab->name, host->name, why);
out:
    fd_close(say[0]);
    return ret;
}

/* The descriptor is taken before the check: a process that took over the number in
 * between is not the one behind it. */
static int
open_recorded(const struct lab_host *host)
{
    int fd;

    if (host->pid <= 0)
        return -1;
    fd = pidfd_open(host->pid, 0);
    if (fd >= 0 && !lab_host_alive(host)) {
        fd_close(fd);
        fd = -1;
    }
    return fd;
}

void
lab_host_kill(struct lab *lab, struct lab_host *host)
{
    int fd = open_recorded(host);

    if (fd >= 0) {
        struct pollfd gone = { fd, POLLIN, 0 };

        if (host->kind == LAB_NODE) {
            lab_net_link(lab, host, LAB_NET_OUTSIDE, false);
            lab_net_link(lab, host, LAB_NET_CLUSTER, false);
        }
        lab_group_kill(lab, host);
        pidfd_send_signal(fd, SIGKILL, NULL, 0);
        lab_freeze(lab, host, false);
        poll(&gone, 1, GONE_MS);
        waitpid(host->pid, NULL, WNOHANG);
        fd_close(fd);
    } else {
        lab_group_kill(lab, host);
    }
    lab_group_remove(lab, host);
    host->pid = 0;
    host->start = 0;
    host->state = LAB_CRASHED;
}
