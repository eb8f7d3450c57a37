/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lab_init.c - pid 1 of a host of the lab: its mounts, then its programs.
 *
 * It starts what a service manager would start on a real host and, as that would with
 * Restart=always, starts again what ended, a second later. */
#include "lib/fd.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "supervisor/cli/lab.h"
#include "supervisor/cli/lab_programs.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SAY_FD 3
#define AGAIN_MS 1000
#define STOP_MS 5000
#define MAX_DAEMONS 8

/* ---- mounts ---- */

static int
failed(const char *what, char *why)
{
    int ret = -errno;

    snprintf(why, 256, "%.120s: %s", what, strerror(-ret));
    return ret;
}

static int
mount_at(const char *what, const char *where, const char *type, unsigned long flags,
    const char *options, char *why)
{
    if (mount(what, where, type, flags, options) < 0)
        return failed(where, why);
    return 0;
}

/* sysfs shows the network namespace it was mounted in; the control groups below it are
 * the machine's. */
static int
mount_sys(char *why)
{
    char groups[32];
    int fd = open("/sys/fs/cgroup", O_PATH | O_CLOEXEC), ret;

    ret = mount_at("sysfs", "/sys", "sysfs", 0, NULL, why);
    snprintf(groups, sizeof groups, "/proc/self/fd/%d", fd);
    if (ret == 0 && fd >= 0)
        ret = mount_at(groups, "/sys/fs/cgroup", NULL, MS_BIND | MS_REC, NULL, why);
    if (ret == 0)
        mount("bpf", "/sys/fs/bpf", "bpf", 0, NULL); /* where the kernel has it */
    fd_close(fd);
    return ret;
}

/* The node's disk: the machine's /etc with a layer of its own, and a /var of its own.
 */
static int
mount_disk(const struct lab *lab, const char *host, char *why)
{
    char upper[256], work[256], var[256], options[600];
    int ret;

    snprintf(options, sizeof options, "lowerdir=/etc,upperdir=%s,workdir=%s",
        lab_path(upper, lab, host, "etc"), lab_path(work, lab, host, "work"));
    ret = mount_at("etc", "/etc", "overlay", 0, options, why);
    if (ret == 0)
        ret = mount_at(
            lab_path(var, lab, host, "var"), "/var", NULL, MS_BIND, NULL, why);
    return ret;
}

/* One directory that every user can reach, wherever the build tree is. */
static int
mount_programs(const struct lab *lab, char *why)
{
    int ret = 0;

    mkdir("/run/bascule-lab", 0755);
    mkdir(LAB_BIN, 0755);
    for (unsigned i = 0; i < lab_nprograms && ret == 0; i++) {
        const struct lab_program *p = &lab_programs[i];
        char from[LAB_PROGRAM_LEN], to[64];

        if (!p->build || !lab_program_find(lab, p, from))
            continue;
        snprintf(to, sizeof to, LAB_BIN "/%s", p->name);
        ret = file_write(to, "");
        if (ret == 0)
            ret = mount_at(from, to, NULL, MS_BIND, NULL, why);
    }
    return ret;
}

static int
make_run(char *why)
{
    const struct passwd *pw = getpwnam("bascule");

    mkdir("/run/lock", 01777);
    mkdir("/run/corosync-qdevice", 0770);
    if (mkdir("/run/bascule", 0775) < 0 || chmod("/run/bascule", 0775) < 0)
        return failed("/run/bascule", why);
    if (pw && chown("/run/bascule", 0, pw->pw_gid) < 0)
        return failed("/run/bascule", why);
    return 0;
}

static int
mount_all(const struct lab *lab, const struct lab_host *host, char *why)
{
    int ret = mount_at("none", "/", NULL, MS_REC | MS_PRIVATE, NULL, why);

    if (ret == 0)
        ret = mount_at("proc", "/proc", "proc", 0, NULL, why);
    if (ret == 0)
        ret = mount_sys(why);
    if (ret == 0 && host->kind >= LAB_CLIENT)
        ret = mount_at("run", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755", why);
    if (ret == 0 && host->kind >= LAB_CLIENT)
        ret = mount_at("shm", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, NULL, why);
    /* the numbers of terminals are a host's own, too */
    if (ret == 0 && host->kind >= LAB_CLIENT)
        ret = mount_at("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
            "newinstance,ptmxmode=666,mode=620,gid=5", why);
    if (ret == 0 && host->kind >= LAB_CLIENT)
        ret = mount_programs(lab, why);
    if (ret == 0 && host->kind == LAB_NODE)
        ret = mount_disk(lab, host->name, why);
    if (ret == 0 && host->kind == LAB_NODE)
        ret = make_run(why);
    if (ret == 0 && host->kind == LAB_CLIENT)
        mkdir(LAB_DEVICE, 0700);
    return ret;
}

/* ---- programs ---- */

struct daemon {
    const struct lab_program *program;
    char path[LAB_PROGRAM_LEN];
    pid_t pid;       /* 0: not running */
    struct mono due; /* then it is started */
};

struct host_state {
    struct daemon daemons[MAX_DAEMONS];
    unsigned n;
    sigset_t signals;
};

static void
find_daemons(struct host_state *s, const struct lab *lab, const struct lab_host *host)
{
    for (unsigned i = 0; i < lab_nprograms; i++) {
        struct daemon *d = &s->daemons[s->n];

        if (!lab_program_runs(lab, &lab_programs[i], host->kind))
            continue;
        d->program = &lab_programs[i];
        if (!lab_program_find(lab, d->program, d->path)) {
            log_error("%s is nowhere: not started", d->program->name);
            continue;
        }
        if (d->program->build)
            snprintf(d->path, sizeof d->path, LAB_BIN "/%s", d->program->name);
        s->n++;
    }
}

static int
become_user(const char *user)
{
    const struct passwd *pw = user ? getpwnam(user) : NULL;

    if (!user)
        return 0;
    if (!pw)
        return -ENOENT;
    if (initgroups(user, pw->pw_gid) < 0 || setgid(pw->pw_gid) < 0 ||
        setuid(pw->pw_uid) < 0)
        return -errno;
    return 0;
}

static void __attribute__((noreturn)) become_program(const struct daemon *d)
{
    const char *argv[10] = { d->program->name };
    char log[256];
    sigset_t none;
    int out;

    for (int i = 0; i < 8 && d->program->argv[i]; i++)
        argv[i + 1] = d->program->argv[i];
    snprintf(log, sizeof log, "%s/%s.log",
        d->program->runs == LAB_RUNS_AS_DEVICE ? LAB_DEVICE : "/var/log/bascule",
        d->program->name);
    out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (out >= 0) {
        dup2(out, STDOUT_FILENO);
        dup2(out, STDERR_FILENO);
    }
    setsid();
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (become_user(d->program->user) < 0)
        log_fatal("there is no user %s", d->program->user);
    execv(d->path, (char **)(uintptr_t)argv);
    log_fatal("%s: %s", d->path, strerror(errno));
}

static void
start_due(struct host_state *s)
{
    struct mono now = mono_clock();

    for (unsigned i = 0; i < s->n; i++) {
        struct daemon *d = &s->daemons[i];

        if (d->pid || mono_before(now, d->due))
            continue;
        d->pid = fork();
        if (d->pid == 0)
            become_program(d);
        d->due = mono_add_ms(now, AGAIN_MS);
        if (d->pid < 0)
            d->pid = 0;
    }
}

static void
say_ended(const char *name, int status)
{
    if (WIFSIGNALED(status))
        log_warn("%s was killed by signal %d (%s); again in %d ms", name,
            WTERMSIG(status), strsignal(WTERMSIG(status)), AGAIN_MS);
    else
        log_warn("%s ended with code %d; again in %d ms", name, WEXITSTATUS(status),
            AGAIN_MS);
}

static void
reap(struct host_state *s)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        for (unsigned i = 0; i < s->n; i++) {
            if (s->daemons[i].pid != pid)
                continue;
            say_ended(s->daemons[i].program->name, status);
            s->daemons[i].pid = 0;
            s->daemons[i].due = mono_add_ms(mono_clock(), AGAIN_MS);
        }
}

/* Last started, first stopped; what does not end in time goes with the namespace. */
static void
stop_all(struct host_state *s)
{
    struct mono end = mono_add_ms(mono_clock(), STOP_MS);

    for (unsigned i = s->n; i-- > 0;) {
        struct daemon *d = &s->daemons[i];

        if (!d->pid)
            continue;
        kill(d->pid, SIGTERM);
        while (d->pid && mono_before(mono_clock(), end)) {
            struct timespec tick = { 0, 10000000 };

            if (waitpid(d->pid, NULL, WNOHANG) == d->pid)
                d->pid = 0;
            else
                nanosleep(&tick, NULL);
        }
    }
}

static void __attribute__((noreturn)) supervise(struct host_state *s)
{
    for (;;) {
        struct timespec wait = { 0, 200000000 };
        int signo;

        reap(s);
        start_due(s);
        signo = sigtimedwait(&s->signals, NULL, &wait);
        if (signo == SIGTERM) {
            stop_all(s);
            exit(0);
        }
    }
}

/* Whoever made this host may die before it is on record: then it must not go on. */
static bool
may_go(void)
{
    char word[8];

    return recv(SAY_FD, word, sizeof word, 0) == 2;
}

static void
say(const char *text)
{
    if (send(SAY_FD, text, strlen(text), MSG_NOSIGNAL) < 0)
        log_warn("nobody hears: %s", text);
    fd_close(SAY_FD);
}

static void
set_sysctls(void)
{
    /* An address must be usable at once; there is nobody to advertise routes. */
    file_write("/proc/sys/net/ipv6/conf/all/accept_dad", "0");
    file_write("/proc/sys/net/ipv6/conf/default/accept_dad", "0");
    file_write("/proc/sys/net/ipv6/conf/all/accept_ra", "0");
    file_write("/proc/sys/net/ipv4/ping_group_range", "0 2147483647");
}

int
lab_host_main(int argc, char **argv)
{
    struct host_state state = { 0 };
    const struct lab_host *host;
    struct lab lab;
    char why[256] = "";

    log_init("lab-host", LOG_LEVEL_INFO);
    prctl(PR_SET_NAME, "bascule-lab"); /* what ps shows */
    sigemptyset(&state.signals);
    sigaddset(&state.signals, SIGCHLD);
    sigaddset(&state.signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &state.signals, NULL);
    signal(SIGHUP, SIG_IGN);
    if (argc != 3 || getpid() != 1 || !may_go() || lab_load(&lab, argv[1]) < 0)
        return 1;
    host = lab_host(&lab, argv[2]);
    if (!host || sethostname(host->name, strlen(host->name)) < 0)
        return 1;
    setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
    setenv("MIBS", "", 1); /* no MIB files are needed, their absence is no error */
    umask(022);
    if (mount_all(&lab, host, why) < 0) {
        say(why);
        return 1;
    }
    set_sysctls();
    find_daemons(&state, &lab, host);
    say("ok");
    supervise(&state);
}
