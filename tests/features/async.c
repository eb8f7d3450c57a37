/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * async.c - descriptors that send signals (O_ASYNC). */
#include "tests/features/features.h"

#include "tests/features/wait.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static volatile sig_atomic_t got[65], from[65];

static void
on_signal(int sig, siginfo_t *info, void *context)
{
    (void)context;
    got[sig]++;
    from[sig] = info->si_fd;
}

static bool
listen_for(int sig)
{
    struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };

    return sigaction(sig, &action, NULL) == 0;
}

/* Something to read at @to arrives by @out, and @sig tells. */
static const char *
expect(int out, int to, int sig)
{
    char c;

    got[sig] = 0;
    WANT(write(out, "x", 1) == 1);
    for (int i = 0; i < 500 && got[sig] == 0; i++)
        nap(10);
    WANT(got[sig] > 0 && read(to, &c, 1) == 1);
    return NULL;
}

static int pair[2];

static const char *
set_up_socket(void)
{
    WANT(listen_for(SIGIO) && socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    WANT(fcntl(pair[0], F_SETOWN, getpid()) == 0 &&
         fcntl(pair[0], F_SETFL, O_ASYNC | O_NONBLOCK) == 0);
    return NULL;
}

static const char *
check_socket(void)
{
    WANT(fcntl(pair[0], F_GETOWN) == getpid());
    return expect(pair[1], pair[0], SIGIO);
}

static int pipes[2];

static const char *
set_up_pipe(void)
{
    struct f_owner_ex owner = { F_OWNER_TID, 0 };

    owner.pid = (pid_t)syscall(SYS_gettid);
    WANT(listen_for(SIGRTMIN + 3) && pipe2(pipes, O_NONBLOCK) == 0);
    WANT(fcntl(pipes[0], F_SETSIG, SIGRTMIN + 3) == 0 &&
         fcntl(pipes[0], F_SETOWN_EX, &owner) == 0 &&
         fcntl(pipes[0], F_SETFL, O_ASYNC | O_NONBLOCK) == 0);
    return NULL;
}

static const char *
check_pipe(void)
{
    struct f_owner_ex owner = { 0 };

    WANT(fcntl(pipes[0], F_GETSIG) == SIGRTMIN + 3);
    WANT(fcntl(pipes[0], F_GETOWN_EX, &owner) == 0 && owner.type == F_OWNER_TID &&
         owner.pid == (pid_t)syscall(SYS_gettid));
    WANT(expect(pipes[1], pipes[0], SIGRTMIN + 3) == NULL);
    WANT(from[SIGRTMIN + 3] == pipes[0]);
    return NULL;
}

static int nobody[2];

static const char *
set_up_nobody(void)
{
    WANT(pipe(nobody) == 0 && fcntl(nobody[0], F_SETFL, O_ASYNC) == 0);
    return NULL;
}

static const char *
check_nobody(void)
{
    WANT((fcntl(nobody[0], F_GETFL) & O_ASYNC) && fcntl(nobody[0], F_GETOWN) == 0);
    return NULL;
}

static const char *
set_up_other(void)
{
    int fd[2], child = fork();

    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            pause();
    }
    WANT(pipe(fd) == 0 && fcntl(fd[0], F_SETOWN, child) == 0 &&
         fcntl(fd[0], F_SETFL, O_ASYNC) == 0);
    return NULL;
}

static const struct feature rows[] = {
    { "of a unix socket, to the process", NULL, 0, set_up_socket, check_socket, NULL },
    { "of a pipe, a real-time signal, to a thread", NULL, 0, set_up_pipe, check_pipe,
        NULL },
    { "that has no owner", NULL, 0, set_up_nobody, check_nobody, NULL },
    { "to another process", "O_ASYNC", FEATURE_ALONE, set_up_other, NULL, NULL },
};

AREA(area_async, "Descriptors that send signals (O_ASYNC)", rows);
