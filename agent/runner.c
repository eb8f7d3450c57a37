/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/runner.h"

#include "lib/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int
spawn(pid_t *pid, char *const *command, int out)
{
    static char *const environment[] = {
        (char *)"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        (char *)"LANG=C.UTF-8", NULL
    };
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none, all;
    int ret;

    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attr);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, out, 1);
    posix_spawn_file_actions_adddup2(&files, out, 2);
    posix_spawnattr_setflags(
        &attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &all);
    ret = posix_spawn(pid, command[0], &files, &attr, command, environment);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attr);
    return -ret;
}

int
runner_start(struct runner *r, char *const *command, struct mono until)
{
    int ends[2], ret;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    ret = spawn(&r->pid, command, ends[1]);
    fd_close(ends[1]);
    if (ret < 0) {
        fd_close(ends[0]);
        r->pid = 0;
        return ret;
    }
    r->out = ends[0];
    r->pidfd = (int)syscall(SYS_pidfd_open, r->pid, 0); /* CLOEXEC by itself */
    r->until = until;
    r->n = 0;
    return 0;
}

void
runner_poll(const struct runner *r, struct pollfd fds[2])
{
    fds[0] = (struct pollfd){ .fd = r->pid ? r->out : -1, .events = POLLIN };
    fds[1] = (struct pollfd){ .fd = r->pid ? r->pidfd : -1, .events = POLLIN };
}

static void
collect(struct runner *r)
{
    char dropped[4096];
    bool full;
    ssize_t n;

    do {
        full = r->n == sizeof r->text;
        n = full ? read(r->out, dropped, sizeof dropped)
                 : read(r->out, r->text + r->n, sizeof r->text - r->n);
        if (n > 0 && !full)
            r->n += (size_t)n;
    } while (n > 0);
    if (n == 0) { /* its end: poll() would say so for ever */
        fd_close(r->out);
        r->out = -1;
    }
}

/* The whole group goes: what a plugin started must not outlive it. */
void
runner_kill(struct runner *r)
{
    if (!r->pid)
        return;
    kill(-r->pid, SIGKILL);
    waitpid(r->pid, NULL, 0);
    fd_close(r->out);
    fd_close(r->pidfd);
    r->pid = 0;
}

bool
runner_turn(struct runner *r, struct mono now, int *status)
{
    int how;

    if (!r->pid)
        return false;
    if (r->out >= 0)
        collect(r);
    if (waitpid(r->pid, &how, WNOHANG) == r->pid) {
        if (r->out >= 0)
            collect(r); /* what came between the two looks */
        kill(-r->pid, SIGKILL);
        fd_close(r->out);
        fd_close(r->pidfd);
        r->pid = 0;
        *status = WIFEXITED(how) ? WEXITSTATUS(how) : -1;
        return true;
    }
    if (mono_before(now, r->until))
        return false;
    runner_kill(r);
    *status = -1;
    return true;
}
