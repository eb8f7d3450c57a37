/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/cli/run.h"

#include "lib/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void __attribute__((noreturn))
become(const char *const argv[], int in, int netns)
{
    int err;

    dup2(in, STDIN_FILENO);
    if (netns >= 0 && setns(netns, CLONE_NEWNET) < 0)
        _exit(126);
    execvp(argv[0], (char *const *)(uintptr_t)argv);
    err = errno;
    dprintf(STDERR_FILENO, "bascule: %s: %s\n", argv[0], strerror(err));
    _exit(127);
}

int
run_program(const char *const argv[], const char *input, int netns)
{
    int in[2] = { -1, -1 }, status, ret = 0;
    pid_t pid;

    if (pipe2(in, O_CLOEXEC) < 0)
        return -errno;
    pid = fork();
    if (pid < 0) {
        ret = -errno;
        goto out;
    }
    if (pid == 0)
        become(argv, in[0], netns);
    fd_close(in[0]);
    in[0] = -1;
    if (input)
        ret = fd_write_all(in[1], input, strlen(input));
    fd_close(in[1]);
    in[1] = -1;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (status != 0)
        ret = -ECHILD;
out:
    fd_close(in[0]);
    fd_close(in[1]);
    return ret;
}

int
in_netns(pid_t pid, int (*act)(void *arg), void *arg)
{
    char path[64];
    int home, there = -1, ret;

    home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (home < 0)
        return -errno;
    snprintf(path, sizeof path, "/proc/%d/ns/net", (int)pid);
    there = open(path, O_RDONLY | O_CLOEXEC);
    if (there < 0 || setns(there, CLONE_NEWNET) < 0) {
        ret = -errno;
        goto out;
    }
    ret = act(arg);
    if (setns(home, CLONE_NEWNET) < 0)
        ret = -errno;
out:
    fd_close(there);
    fd_close(home);
    return ret;
}
