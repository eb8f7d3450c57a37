/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * filters.c - system call filters (seccomp). */
#include "tests/features/features.h"

#include "tests/features/wait.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

/* Call @nr ends with @action, all others are allowed. */
static const char *
add_filter(unsigned nr, unsigned action, unsigned flags)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, action),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { sizeof code / sizeof code[0], code };

    WANT(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program) >= 0);
    return NULL;
}

/* The number that follows @name in the process's status. */
static int
status(const char *name)
{
    FILE *f = fopen("/proc/self/status", "re");
    char line[256];
    int value = -1;

    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, name, strlen(name)) == 0)
            sscanf(line + strlen(name), ":%d", &value);
    if (f)
        fclose(f);
    return value;
}

static bool
fails(long nr, int with)
{
    errno = 0;
    return syscall(nr, 0, 0, 0) == -1 && errno == with;
}

/* ---- one, without privileges */

static const char *
set_up_one(void)
{
    WANT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    return add_filter(SYS_getppid, SECCOMP_RET_ERRNO | EXDEV, 0);
}

static const char *
check_one(void)
{
    WANT(fails(SYS_getppid, EXDEV));
    WANT(getpgrp() > 0 && status("Seccomp") == 2 && status("Seccomp_filters") == 1);
    WANT(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
    return NULL;
}

/* ---- of those that agree the last one counts */

static const char *
set_up_order(void)
{
    const char *wrong = add_filter(SYS_getppid, SECCOMP_RET_ERRNO | EXDEV, 0);

    if (!wrong)
        wrong = add_filter(
            SYS_getppid, SECCOMP_RET_ERRNO | ENODATA, SECCOMP_FILTER_FLAG_LOG);
    if (!wrong)
        wrong = add_filter(SYS_getpgrp, SECCOMP_RET_ERRNO | ENOANO, 0);
    return wrong;
}

/* And one more each time: that is seen by the next checkpoint. */
static const char *
check_order(void)
{
    static unsigned more;

    WANT(fails(SYS_getppid, ENODATA) && fails(SYS_getpgrp, ENOANO));
    WANT(status("Seccomp_filters") == 3 + (int)more && status("NoNewPrivs") == 0);
    WANT(more == 0 || fails(SYS_getcpu, 40 + (int)more));
    more++;
    return add_filter(SYS_getcpu, SECCOMP_RET_ERRNO | (40 + more), 0);
}

/* ---- calls that a checkpoint makes in the process would be its end */

static const char *
set_up_deadly(void)
{
    const unsigned calls[] = { SYS_rt_sigtimedwait, SYS_userfaultfd, SYS_mmap,
        SYS_madvise, SYS_rt_sigaction, SYS_getitimer, SYS_sigaltstack, SYS_prctl,
        SYS_personality };

    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        const char *wrong = add_filter(calls[i], SECCOMP_RET_KILL_PROCESS, 0);

        if (wrong)
            return wrong;
    }
    return NULL;
}

static const char *
check_deadly(void)
{
    WANT(getppid() > 0); /* it lives */
    return NULL;
}

/* ---- threads */

static atomic_long refused, plain;

static void *
try_often(void *arg)
{
    (void)arg;
    for (;;) {
        if (fails(SYS_getppid, EXDEV))
            refused++;
        else
            plain++;
        nap(2);
    }
    return NULL;
}

static const char *
set_up_threads(void)
{
    WANT(start_thread(try_often, NULL) && grows(&plain, 0));
    return add_filter(
        SYS_getppid, SECCOMP_RET_ERRNO | EXDEV, SECCOMP_FILTER_FLAG_TSYNC);
}

static const char *
check_threads(void)
{
    long before = plain;

    WANT(grows(&refused, refused + 3) && plain == before);
    WANT(start_thread(try_often, NULL) && grows(&refused, refused + 6));
    WANT(plain == before);
    return NULL;
}

/* ---- long ones */

static const char *
set_up_long(void)
{
    static struct sock_filter code[4000];
    struct sock_fprog program = { 4000, code };

    for (unsigned i = 0; i < 3999; i++)
        code[i] = (struct sock_filter)BPF_STMT(
            BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    code[3999] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    for (unsigned i = 0; i < 3; i++)
        WANT(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0);
    return NULL;
}

static const char *
check_long(void)
{
    WANT(status("Seccomp_filters") == 3);
    return NULL;
}

/* ---- refused */

static const char *
set_up_listener(void)
{
    return add_filter(SYS_getppid, SECCOMP_RET_USER_NOTIF, 0);
}

static void *
filter_itself(void *arg)
{
    const char *wrong = add_filter(SYS_getppid, SECCOMP_RET_ERRNO | EXDEV, 0);

    *(atomic_long *)arg = wrong ? -1 : 1;
    for (;;)
        nap(1000);
    return NULL;
}

static const char *
set_up_own(void)
{
    static atomic_long done;

    WANT(start_thread(filter_itself, &done) && grows(&done, 0) && done == 1);
    return NULL;
}

static void *
be_strict(void *arg)
{
    *(atomic_long *)arg = 1;
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
    for (;;)
        if (read(-1, NULL, 0) == 0)
            break;
    return NULL;
}

static const char *
set_up_strict(void)
{
    static atomic_long done;

    WANT(start_thread(be_strict, &done) && grows(&done, 0));
    nap(20);
    return NULL;
}

static const struct feature rows[] = {
    { "a filter of a process without privileges", NULL, FEATURE_ALONE, set_up_one,
        check_one, NULL },
    { "several, in their order, one more each time", NULL, FEATURE_ALONE, set_up_order,
        check_order, NULL },
    { "that kill for what a checkpoint does", NULL, FEATURE_ALONE, set_up_deadly,
        check_deadly, NULL },
    { "of all threads, and new ones", NULL, FEATURE_ALONE, set_up_threads,
        check_threads, NULL },
    { "of 4,000 instructions", NULL, FEATURE_ALONE, set_up_long, check_long, NULL },
    { "that ask another program", "asks another program", FEATURE_ALONE,
        set_up_listener, NULL, NULL },
    { "of one thread only", "of its own", FEATURE_ALONE, set_up_own, NULL, NULL },
    { "strict mode of a thread", "strict", FEATURE_ALONE, set_up_strict, NULL, NULL },
};

AREA(area_filters, "System call filters (seccomp)", rows);
