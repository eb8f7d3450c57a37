/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/fd.h"
#include "supervisor/cli/cli.h"
#include "supervisor/cli/lab.h"
#include "supervisor/cli/lab_programs.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define LAB_EXEC_PATH                                                                  \
    LAB_BIN                                                                            \
    ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static char start_dir[4096]; /* the caller's: entering a mount namespace leaves it */

struct home { /* what is left and come back to */
    int pid, mount;
};

/* By the process, in one call; the mount namespace last of what it changes here. */
static int
enter(const struct lab_host *host, struct home *home)
{
    int fd = pidfd_open(host->pid, 0), ret = 0;

    home->pid = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
    home->mount = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || home->pid < 0 || home->mount < 0 ||
        setns(fd, CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID |
                      CLONE_NEWNS) < 0)
        ret = -errno;
    fd_close(fd);
    return ret;
}

/* Only the command stays there.  This process would have no /proc/self, and its
 * helpers a number that means nothing here: what looks for leaks at its end would wait
 * for one for ever. */
static void
leave(const struct home *home)
{
    if (setns(home->pid, CLONE_NEWPID) < 0 || setns(home->mount, CLONE_NEWNS) < 0)
        cli_error("cannot come back: %s", strerror(errno));
    fd_close(home->pid);
    fd_close(home->mount);
}

static void __attribute__((noreturn)) become(char **command)
{
    int err;

    if (chdir(start_dir) == 0 || chdir("/") == 0) {
        /* the product's own programs as this lab runs them */
        setenv("PATH", LAB_EXEC_PATH, 1);
        execvp(command[0], command);
    }
    err = errno;
    cli_error("%s: %s", command[0], strerror(err));
    _exit(err == ENOENT ? 127 : 126);
}

static int
can_enter(const struct lab *lab, const struct lab_host *host, const char *name)
{
    if (!host || host->kind < LAB_CLIENT) {
        cli_error("lab %s has no host \"%s\": its hosts are n1 to n%u, and client",
            lab->name, name, lab->nnodes);
        return CLI_USAGE;
    }
    if (!lab_host_alive(host)) {
        cli_error("%s is crashed: bascule lab fault --name %s restart %s", name,
            lab->name, name);
        return CLI_UNREACHABLE;
    }
    if (host->state == LAB_HUNG) {
        cli_error("%s hangs, a command there would too: bascule lab fault --name %s "
                  "heal %s",
            name, lab->name, name);
        return CLI_UNREACHABLE;
    }
    return CLI_OK;
}

/* When it is in the host's group of processes. */
static void __attribute__((noreturn)) run_there(const int go[2], char **command)
{
    char word;

    signal(SIGINT, SIG_DFL);
    signal(SIGQUIT, SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* who ends `lab exec` means the command */
    fd_close(go[1]);
    if (read(go[0], &word, 1) != 1)
        _exit(126);
    become(command);
}

static int
wait_for(pid_t pid)
{
    int status;

    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int
lab_exec_cmd(struct lab *lab, const char *name, char **command)
{
    const struct lab_host *host = lab_host(lab, name);
    int status, code = can_enter(lab, host, name), go[2], group;
    struct home home;
    pid_t pid;

    if (code != CLI_OK)
        return code;
    signal(SIGINT, SIG_IGN); /* it is for the command; its end is ours */
    signal(SIGQUIT, SIG_IGN);
    if (!getcwd(start_dir, sizeof start_dir))
        strcpy(start_dir, "/");
    group = lab_group_open(lab, host); /* it stops and dies with the host */
    if (pipe2(go, O_CLOEXEC) < 0 || enter(host, &home) < 0) {
        cli_error("%s cannot be entered: %s", name, strerror(errno));
        return CLI_FAILED;
    }
    pid = fork();
    if (pid == 0)
        run_there(go, command);
    if (pid < 0) {
        cli_error("%s: %s", name, strerror(errno));
        return CLI_FAILED;
    }
    leave(&home);
    lab_group_join(group, pid);
    code = CLI_OK;
    fd_close(go[0]);
    if (write(go[1], "g", 1) != 1)
        code = CLI_FAILED;
    status = wait_for(pid);
    return code == CLI_OK || status >= 128 ? status : code;
}
