/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * cells_look.c - what is done within a cell, each in a process that was forked for
 * it. */
#include "sockmig/cells.h"

#include "lib/fd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define LISTEN 10 /* TCP_LISTEN; netinet/tcp.h and linux/tcp.h do not go together */
#define NOT_SENT 0xffffffffu

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

static int
ask(int fd, uint8_t family)
{
    struct {
        struct nlmsghdr head;
        struct inet_diag_req_v2 req;
    } msg = { .head = { .nlmsg_len = sizeof msg,
                  .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                  .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
        .req = { .sdiag_family = family,
            .sdiag_protocol = IPPROTO_TCP,
            .idiag_ext = 1 << (INET_DIAG_INFO - 1),
            .idiag_states = ~(1u << LISTEN) } };

    return send(fd, &msg, sizeof msg, 0) < 0 ? -errno : 0;
}

static bool
is_loopback(const struct inet_diag_msg *m)
{
    const uint8_t *b = (const uint8_t *)m->id.idiag_src;
    static const uint8_t one[16] = { [15] = 1 };

    return m->idiag_family == AF_INET ? b[0] == 127 : memcmp(b, one, 16) == 0;
}

static void
find_info(const struct nlmsghdr *h, struct tcp_info *info)
{
    const struct inet_diag_msg *m = NLMSG_DATA(h);
    const struct rtattr *a = (const void *)(m + 1);
    size_t left = h->nlmsg_len - NLMSG_LENGTH(sizeof *m);

    memset(info, 0, sizeof *info);
    for (; RTA_OK(a, left); a = RTA_NEXT(a, left))
        if (a->rta_type == INET_DIAG_INFO)
            memcpy(info, RTA_DATA(a),
                RTA_PAYLOAD(a) < sizeof *info ? RTA_PAYLOAD(a) : sizeof *info);
}

static void
print(FILE *out, const struct nlmsghdr *h, const char *separator)
{
    const struct inet_diag_msg *m = NLMSG_DATA(h);
    char local[INET6_ADDRSTRLEN] = "", remote[INET6_ADDRSTRLEN] = "";
    struct tcp_info info;
    uint32_t idle;

    find_info(h, &info);
    idle = info.tcpi_last_data_recv < info.tcpi_last_data_sent
               ? info.tcpi_last_data_recv
               : info.tcpi_last_data_sent;
    inet_ntop(m->idiag_family, m->id.idiag_src, local, sizeof local);
    inet_ntop(m->idiag_family, m->id.idiag_dst, remote, sizeof remote);
    fprintf(out, "%s[\"%s\",%u,\"%s\",%u,%u,%llu,%llu,%u,%u,%u,%u,%u]", separator,
        local, ntohs(m->id.idiag_sport), remote, ntohs(m->id.idiag_dport),
        m->idiag_state == 12 ? 3 : m->idiag_state, /* a handshake is a handshake */
        (unsigned long long)info.tcpi_bytes_received,
        (unsigned long long)info.tcpi_bytes_acked, idle, m->idiag_rqueue,
        m->idiag_wqueue, info.tcpi_rtt, info.tcpi_total_retrans);
}

static int
take(int fd, FILE *out, const char **separator)
{
    static char bytes[65536] __attribute__((aligned(8)));

    for (;;) {
        ssize_t n = recv(fd, bytes, sizeof bytes, 0);
        const struct nlmsghdr *h = (const void *)bytes;

        if (n <= 0)
            return n < 0 ? -errno : -EPIPE;
        for (; NLMSG_OK(h, (size_t)n); h = NLMSG_NEXT(h, n)) {
            if (h->nlmsg_type == NLMSG_DONE)
                return 0;
            if (h->nlmsg_type == NLMSG_ERROR)
                return ((const struct nlmsgerr *)NLMSG_DATA(h))->error;
            if (is_loopback(NLMSG_DATA(h)))
                continue;
            print(out, h, *separator);
            *separator = ",";
        }
    }
}

/* Source: sock_diag(7) */
int
cells_connections(pid_t pid, int out)
{
    const char *separator = "";
    FILE *file = fdopen(out, "w");
    int fd = -1, ret = file ? enter(pid, "net", CLONE_NEWNET) : -errno;

    if (ret == 0)
        fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (ret < 0 || fd < 0)
        return 1;
    fputc('[', file);
    if (ask(fd, AF_INET) < 0 || take(fd, file, &separator) < 0 ||
        ask(fd, AF_INET6) < 0 || take(fd, file, &separator) < 0)
        return 1;
    fputs("]\n", file);
    return fclose(file) == 0 ? 0 : 1;
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
