/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * cells_look.c - what is done within a cell, each in a process that was forked for
 * it. */
#include "sockmig/cells.h"

#include "lib/fd.h"
#include "lib/sockdiag.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static int
enter(pid_t pid, const char *kind, int type)
{
    char path[64];
    int fd, ret = 0;

    snprintf(path, sizeof path, "/proc/%d/ns/%s", (int)pid, kind);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, type) < 0)
        ret = -errno;
    fd_close(fd);
    return ret;
}

/* ---- connections ---- */

struct listing {
    FILE *out;
    unsigned n; /* so far */
};

static bool
is_loopback(const struct sockdiag_socket *s)
{
    static const uint8_t one[16] = { [15] = 1 };

    return s->family == AF_INET ? s->local[0] == 127
                                : memcmp(s->local, one, sizeof one) == 0;
}

static void
list(const struct sockdiag_socket *s, void *arg)
{
    struct listing *l = arg;
    char local[INET6_ADDRSTRLEN] = "", remote[INET6_ADDRSTRLEN] = "";

    if (is_loopback(s))
        return;
    inet_ntop((int)s->family, s->local, local, sizeof local);
    inet_ntop((int)s->family, s->remote, remote, sizeof remote);
    fprintf(l->out, "%s[\"%s\",%u,\"%s\",%u,%u,%llu,%llu,%u,%u,%u,%u,%u]",
        l->n == 0                 ? "["
        : l->n % CELLS_PIECE == 0 ? "]\n["
                                  : ",",
        local, s->local_port, remote, s->remote_port, s->state,
        (unsigned long long)s->received, (unsigned long long)s->acked, s->idle_ms,
        s->unread, s->unsent, s->rtt_us, s->retransmits);
    l->n++;
}

int
cells_connections(pid_t pid, int out)
{
    struct listing l = { .out = fdopen(out, "w") };

    if (!l.out || enter(pid, "net", CLONE_NEWNET) < 0 ||
        sockdiag_tcp(~(1u << SOCKDIAG_LISTEN), true, list, &l) < 0)
        return 1;
    fputs(l.n ? "]\n" : "", l.out);
    return fclose(l.out) == 0 ? 0 : 1;
}

/* ---- probes ---- */

static const char *
join(pid_t pid)
{
    /* not the pid namespace: what a service consists of is what it started itself */
    if (enter(pid, "net", CLONE_NEWNET) < 0 || enter(pid, "ipc", CLONE_NEWIPC) < 0 ||
        enter(pid, "uts", CLONE_NEWUTS) < 0 || enter(pid, "mnt", CLONE_NEWNS) < 0)
        return "cannot join the cell";
    return chdir("/") < 0 ? "cannot enter /" : NULL;
}

static const char *
become(const struct conf_service *s)
{
    for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
        if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
            return "cannot drop capabilities";
    if (s->uid == 0 || setgroups(s->ngroups, s->groups) < 0 ||
        setresgid(s->gid, s->gid, s->gid) < 0 || setresuid(s->uid, s->uid, s->uid) < 0)
        return "cannot become the service's user";
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return "cannot give up gaining privileges";
    return NULL;
}

static void
limit(unsigned timeout_ms)
{
    rlim_t seconds = timeout_ms / 1000 + 1;

    setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
    setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 256, 256 });
    setrlimit(RLIMIT_CPU, &(struct rlimit){ seconds, seconds });
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 1 << 20, 1 << 20 });
}

int
cells_probe(
    const struct conf_service *service, const struct conf_probe *probe, pid_t pid)
{
    static char *const environment[] = {
        (char *)"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        (char *)"LANG=C.UTF-8", NULL
    };
    const char *why = join(pid);

    if (!why)
        why = become(service);
    if (!why) {
        limit(probe->timeout_ms);
        execve(probe->command[0], probe->command, environment);
        why = probe->command[0];
    }
    dprintf(1, "%s: %s\n", why, strerror(errno));
    return 3;
}
