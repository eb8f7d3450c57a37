/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * process.c - what the kernel's books say of a process. */
#include "tests/features/features.h"

#include <asm/prctl.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#define PR_GET_MDWE 66
#endif
#ifndef PR_SET_MEMORY_MERGE
#define PR_SET_MEMORY_MERGE 67
#define PR_GET_MEMORY_MERGE 68
#endif

static char *
read_text(const char *path)
{
    static char text[8192];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

    close(fd);
    text[n < 0 ? 0 : n] = '\0';
    return text;
}

static pid_t pid, ppid, sid, pgid;

static const char *
set_up_ids(void)
{
    pid = getpid();
    ppid = getppid();
    sid = getsid(0);
    pgid = getpgid(0);
    return NULL;
}

static const char *
check_ids(void)
{
    WANT(getpid() == pid && getppid() == ppid);
    WANT(getsid(0) == sid && getpgid(0) == pgid);
    return NULL;
}

static const char *
set_up_limits(void)
{
    WANT(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 333, 777 }) == 0);
    WANT(setrlimit(RLIMIT_CORE, &(struct rlimit){ 4096, 8192 }) == 0);
    WANT(setrlimit(RLIMIT_STACK, &(struct rlimit){ 1 << 22, 1 << 24 }) == 0);
    WANT(setrlimit(RLIMIT_MSGQUEUE, &(struct rlimit){ 1111, 2222 }) == 0);
    return NULL;
}

static const char *
check_limits(void)
{
    struct rlimit r;

    WANT(getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur == 333 && r.rlim_max == 777);
    WANT(getrlimit(RLIMIT_CORE, &r) == 0 && r.rlim_cur == 4096 && r.rlim_max == 8192);
    WANT(getrlimit(RLIMIT_STACK, &r) == 0 && r.rlim_max == 1 << 24);
    WANT(getrlimit(RLIMIT_MSGQUEUE, &r) == 0 && r.rlim_cur == 1111);
    return NULL;
}

static const char *
set_up_umask(void)
{
    umask(0137);
    return NULL;
}

static const char *
check_umask(void)
{
    WANT(umask(0137) == 0137);
    return NULL;
}

static const char *
set_up_cwd(void)
{
    WANT(chdir("/usr/share") == 0);
    return NULL;
}

static const char *
check_cwd(void)
{
    char here[64];

    WANT(getcwd(here, sizeof here) && strcmp(here, "/usr/share") == 0);
    WANT(access("doc", F_OK) == 0);
    return NULL;
}

static const char *
set_up_comm(void)
{
    WANT(prctl(PR_SET_NAME, "a new name") == 0);
    return NULL;
}

static const char *
check_comm(void)
{
    char name[16];

    WANT(prctl(PR_GET_NAME, name) == 0 && strcmp(name, "a new name") == 0);
    return NULL;
}

static const char *
set_up_oom(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

    WANT(fd >= 0 && write(fd, "345", 3) == 3 && close(fd) == 0);
    return NULL;
}

static const char *
check_oom(void)
{
    WANT(atoi(read_text("/proc/self/oom_score_adj")) == 345);
    return NULL;
}

static const char *
set_up_dumpable(void)
{
    WANT(prctl(PR_SET_DUMPABLE, 0) == 0);
    return NULL;
}

static const char *
check_dumpable(void)
{
    WANT(prctl(PR_GET_DUMPABLE) == 0);
    return NULL;
}

static const char *
set_up_pdeathsig(void)
{
    WANT(prctl(PR_SET_PDEATHSIG, SIGTERM) == 0);
    return NULL;
}

static const char *
check_pdeathsig(void)
{
    int signo = 0;

    WANT(prctl(PR_GET_PDEATHSIG, &signo) == 0 && signo == SIGTERM);
    return NULL;
}

static const char *
set_up_subreaper(void)
{
    WANT(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    return NULL;
}

static const char *
check_subreaper(void)
{
    int on = 0;

    WANT(prctl(PR_GET_CHILD_SUBREAPER, &on) == 0 && on == 1);
    return NULL;
}

static char exe[4096], cmdline[4096], *environment;
static unsigned long entry, uid_in_auxv;

static const char *
set_up_identity(void)
{
    WANT(readlink("/proc/self/exe", exe, sizeof exe - 1) > 0);
    strcpy(cmdline, read_text("/proc/self/cmdline"));
    entry = getauxval(AT_ENTRY);
    uid_in_auxv = getauxval(AT_UID);
    environment = getenv("PATH");
    return NULL;
}

static const char *
check_identity(void)
{
    char now[4096] = "";
    unsigned long auxv[64] = { 0 }, seen = 0;
    int fd = open("/proc/self/auxv", O_RDONLY | O_CLOEXEC);

    WANT(fd >= 0 && read(fd, auxv, sizeof auxv) > 0 && close(fd) == 0);
    for (int i = 0; i < 62; i += 2)
        seen = auxv[i] == AT_ENTRY ? auxv[i + 1] : seen;
    WANT(readlink("/proc/self/exe", now, sizeof now - 1) > 0 && !strcmp(now, exe));
    WANT(strcmp(cmdline, read_text("/proc/self/cmdline")) == 0);
    WANT(seen == entry && getauxval(AT_ENTRY) == entry);
    WANT(getauxval(AT_UID) == uid_in_auxv && getenv("PATH") == environment);
    return NULL;
}

static const char *
set_up_personality(void)
{
    WANT(personality(ADDR_NO_RANDOMIZE | UNAME26) >= 0);
    return NULL;
}

static const char *
check_personality(void)
{
    WANT(personality(0xffffffff) == (ADDR_NO_RANDOMIZE | UNAME26));
    return NULL;
}

static const char *
set_up_thp(void)
{
    WANT(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) == 0);
    return NULL;
}

static const char *
check_thp(void)
{
    WANT(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == 1);
    return NULL;
}

static const char *
set_up_host_name(void)
{
    return NULL;
}

static const char *
check_host_name(void)
{
    struct utsname u;

    WANT(uname(&u) == 0 && strcmp(u.nodename, "features") == 0);
    return NULL;
}

static const char *
set_up_fork(void)
{
    return NULL;
}

static const char *
check_fork(void)
{
    pid_t child = fork();
    int status;

    if (child == 0)
        _exit(getppid() == pid || pid == 0 ? 42 : 1);
    WANT(child > 0 && waitpid(child, &status, 0) == child);
    WANT(WIFEXITED(status) && WEXITSTATUS(status) == 42);
    return NULL;
}

static const char *
set_up_io_flusher(void)
{
    if (prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0) < 0)
        return "skip: no CAP_SYS_RESOURCE";
    return NULL;
}

static const char *
check_io_flusher(void)
{
    WANT(prctl(PR_GET_IO_FLUSHER, 0, 0, 0, 0) == 1);
    return NULL;
}

static const char *
set_up_mce(void)
{
    WANT(prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0) == 0);
    return NULL;
}

static const char *
check_mce(void)
{
    WANT(prctl(PR_MCE_KILL_GET, 0, 0, 0, 0) == PR_MCE_KILL_EARLY);
    return NULL;
}

static const char *
set_up_mdwe(void)
{
    if (prctl(PR_SET_MDWE, 1, 0, 0, 0) < 0)
        return "skip: no PR_SET_MDWE";
    return NULL;
}

static const char *
check_mdwe(void)
{
    WANT(prctl(PR_GET_MDWE, 0, 0, 0, 0) == 1);
    return NULL;
}

static const char *
set_up_merge(void)
{
    if (prctl(PR_SET_MEMORY_MERGE, 1, 0, 0, 0) < 0)
        return "skip: no PR_SET_MEMORY_MERGE";
    return NULL;
}

static const char *
check_merge(void)
{
    WANT(prctl(PR_GET_MEMORY_MERGE, 0, 0, 0, 0) == 1);
    return NULL;
}

static const char *
check_root(void)
{
    char path[64];

    WANT(access("/share", F_OK) == 0 && access("/usr", F_OK) < 0);
    WANT(getcwd(path, sizeof path) && strcmp(path, "/bin") == 0);
    return NULL;
}

static const char *
set_up_root(void)
{
    if (chroot("/usr") < 0 || chdir("/bin") < 0)
        return "skip: no chroot";
    return check_root();
}

static const char *
set_up_nested(void)
{
    if (unshare(CLONE_NEWNET) < 0)
        return "skip: no network namespaces";
    return NULL;
}

static const char *
set_up_nested_mount(void)
{
    if (unshare(CLONE_NEWNS) < 0)
        return "skip: no mount namespaces";
    return NULL;
}

static const struct feature rows[] = {
    { "pid, parent, session, process group", NULL, 0, set_up_ids, check_ids, NULL },
    { "executable, arguments, environment, auxiliary vector", NULL, 0, set_up_identity,
        check_identity, NULL },
    { "resource limits", NULL, FEATURE_ALONE, set_up_limits, check_limits, NULL },
    { "umask", NULL, 0, set_up_umask, check_umask, NULL },
    { "working directory", NULL, 0, set_up_cwd, check_cwd, NULL },
    { "name of the process", NULL, 0, set_up_comm, check_comm, NULL },
    { "oom_score_adj", NULL, 0, set_up_oom, check_oom, NULL },
    { "dumpable", NULL, 0, set_up_dumpable, check_dumpable, NULL },
    { "parent death signal", NULL, 0, set_up_pdeathsig, check_pdeathsig, NULL },
    { "child subreaper", NULL, 0, set_up_subreaper, check_subreaper, NULL },
    { "personality", NULL, FEATURE_ALONE, set_up_personality, check_personality, NULL },
    { "transparent huge pages forbidden", NULL, 0, set_up_thp, check_thp, NULL },
    { "machine check policy (PR_MCE_KILL)", NULL, 0, set_up_mce, check_mce, NULL },
    { "PR_SET_IO_FLUSHER", NULL, 0, set_up_io_flusher, check_io_flusher, NULL },
    { "memory is never writable and executable (PR_SET_MDWE)", NULL, FEATURE_ALONE,
        set_up_mdwe, check_mdwe, NULL },
    { "memory is merged (PR_SET_MEMORY_MERGE)", NULL, FEATURE_ALONE, set_up_merge,
        check_merge, NULL },
    { "host name", NULL, 0, set_up_host_name, check_host_name, NULL },
    { "forking a child", NULL, 0, set_up_fork, check_fork, NULL },
    { "another root folder (chroot)", NULL, FEATURE_ALONE, set_up_root, check_root,
        NULL },
    { "a network namespace of its own", "namespace", FEATURE_ALONE, set_up_nested, NULL,
        NULL },
    { "a mount namespace of its own", "namespace", FEATURE_ALONE, set_up_nested_mount,
        NULL, NULL },
};

AREA(area_process, "The process", rows);
