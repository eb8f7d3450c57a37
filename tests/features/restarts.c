/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/features/restarts.h"

#include <dirent.h>
#include <elf.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>

#define ERESTARTSYS 512
#define ERESTART_RESTARTBLOCK 516
#define SYSCALL_SIZE 2

/* Every second one that waits in connect(), so that both are seen. */
static bool
is_connecting(const struct user_regs_struct *r)
{
    static unsigned seen;

    return (int64_t)r->rax == -ERESTARTSYS && r->orig_rax == SYS_connect &&
           seen++ % 2 == 0;
}

static bool
thread_steps_back(pid_t tid)
{
    struct user_regs_struct r;
    struct iovec regs = { &r, sizeof r };

    if (ptrace(PTRACE_GETREGSET, tid, (void *)NT_PRSTATUS, &regs) < 0 ||
        (int64_t)r.orig_rax < 0)
        return false;
    if ((int64_t)r.rax == -ERESTART_RESTARTBLOCK) {
        r.rax = SYS_restart_syscall;
        r.orig_rax = ~0ull;
    } else if (is_connecting(&r)) {
        r.rax = r.orig_rax;
    } else {
        return false;
    }
    r.rip -= SYSCALL_SIZE;
    return ptrace(PTRACE_SETREGSET, tid, (void *)NT_PRSTATUS, &regs) == 0;
}

unsigned
step_back(pid_t pid)
{
    char path[32];
    struct dirent *e;
    unsigned n = 0;
    DIR *d;

    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    d = opendir(path);
    while (d && (e = readdir(d)))
        n += atoi(e->d_name) > 0 && thread_steps_back(atoi(e->d_name));
    if (d)
        closedir(d);
    return n;
}
