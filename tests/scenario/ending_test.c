/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ending_test.c - what is said of processes that end: before and after they are waited
 * for, and of one that runs. */
#include "sockmig/ending.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

static bool
said(pid_t pid, int fd, const char *want, bool may_be_empty)
{
    char text[ENDING_TEXT];

    ending_text(pid, fd, text);
    if (strcmp(text, want) == 0 || (may_be_empty && !*text))
        return true;
    printf("FAIL: \"%s\" instead of \"%s\"\n", text, want);
    return false;
}

/* A child that ends with @status, or by @signal if not 0. */
static bool
ends(int status, int signal, const char *want)
{
    pid_t pid = fork();
    siginfo_t info;
    bool ok;
    int fd;

    if (pid == 0) {
        while (signal != 0)
            pause();
        _exit(status);
    }
    fd = pidfd_open(pid, 0);
    if (signal && (!said(pid, fd, "", false) || kill(pid, signal) < 0))
        return false;
    ok = waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0 &&
         said(pid, fd, want, false) && waitpid(pid, NULL, 0) == pid &&
         said(pid, fd, want, true); /* an older kernel does not know any more */
    close(fd);
    return ok;
}

int
main(void)
{
    bool ok = ends(0, 0, " with status 0") && ends(3, 0, " with status 3") &&
              ends(0, SIGKILL, " by signal 9 (SIGKILL)") &&
              ends(0, SIGSEGV, " by signal 11 (SIGSEGV)");

    puts(ok ? "each is said how it ended" : "FAIL");
    return !ok;
}
