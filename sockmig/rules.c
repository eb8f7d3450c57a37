/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/rules.h"

#include "lib/fd.h"
#include "sockmig/gate.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct text {
    char bytes[8192]; /* CONF_MAX_ADDRESSES rules are under 2 KB */
    size_t len;
};

static const int families[] = { AF_INET, AF_INET6 };

static void add(struct text *t, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void
add(struct text *t, const char *fmt, ...)
{
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf(t->bytes + t->len, sizeof t->bytes - t->len, fmt, args);
    va_end(args);
    if (n > 0)
        t->len += (size_t)n;
    if (t->len >= sizeof t->bytes)
        t->len = sizeof t->bytes - 1;
}

/* Runs @program with @in and @err as its standard input and error, in the calling
 * thread's namespace.  *status as of wait(2); 0 or -errno. */
static int
run(const char *program, int in, int err, int *status)
{
    static const char *const folders[] = { "/usr/sbin", "/sbin", "/usr/local/sbin" };
    static char lang[] = "LC_ALL=C", wait[] = "-w", seconds[] = "5";
    static char *const environment[] = { lang, NULL };
    posix_spawn_file_actions_t actions;
    char path[64], *const argv[] = { path, wait, seconds, NULL };
    pid_t pid;
    int ret = ENOENT;

    if (posix_spawn_file_actions_init(&actions) != 0)
        return -ENOMEM;
    if (posix_spawn_file_actions_adddup2(&actions, in, 0) != 0 ||
        posix_spawn_file_actions_adddup2(&actions, err, 1) != 0 ||
        posix_spawn_file_actions_adddup2(&actions, err, 2) != 0)
        ret = ENOMEM;
    for (unsigned i = 0; i < 3 && ret == ENOENT; i++) {
        snprintf(path, sizeof path, "%s/%s", folders[i], program);
        ret = posix_spawn(&pid, path, &actions, NULL, argv, environment);
    }
    posix_spawn_file_actions_destroy(&actions);
    if (ret != 0)
        return -ret;
    while (waitpid(pid, status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return 0;
}

/* What the program said, on one line. */
static void
complaint(int fd, char *text, size_t size)
{
    ssize_t n = pread(fd, text, size - 1, 0);

    text[n > 0 ? n : 0] = '\0';
    text[strcspn(text, "\n")] = '\0';
}

/* The rules of a namespace that is ours alone.  @needs: in words, for @error, what of
 * the kernel they need. */
static int
load(int family, const struct text *rules, const char *needs, char *error)
{
    const char *program = family == AF_INET ? "iptables-restore" : "ip6tables-restore";
    char said[100];
    int in = memfd_create("rules", MFD_CLOEXEC), ret = -EIO, status = 0;
    int err = memfd_create("errors", MFD_CLOEXEC);

    if (in < 0 || err < 0) {
        ret = -errno;
        snprintf(error, GATE_ERROR_LEN, "no memory file for rules: %s", strerror(-ret));
        goto out;
    }
    ret = fd_write_all(in, rules->bytes, rules->len);
    if (ret == 0 && lseek(in, 0, SEEK_SET) < 0)
        ret = -errno;
    if (ret == 0)
        ret = run(program, in, err, &status);
    if (ret < 0) {
        snprintf(error, GATE_ERROR_LEN,
            "cannot run %s (%s): install the package iptables", program,
            strerror(-ret));
    } else if (status != 0) {
        complaint(err, said, sizeof said);
        ret = -EOPNOTSUPP;
        snprintf(error, GATE_ERROR_LEN, "%s says \"%s\": the kernel needs %s", program,
            said, needs);
    }
out:
    fd_close(err);
    fd_close(in);
    return ret;
}

int
rules_egress(const char *from, char *error)
{
    int ret = 0;

    for (unsigned f = 0; f < 2 && ret == 0; f++) {
        struct text t = { .len = 0 };

        add(&t, "*raw\n-A PREROUTING -i %s -j DROP\nCOMMIT\n", from);
        ret = load(families[f], &t,
            "the raw table (CONFIG_IP_NF_RAW, CONFIG_IP6_NF_RAW)", error);
    }
    return ret;
}

int
rules_ingress(
    const struct conf_address *addresses, unsigned n, const char *from, char *error)
{
    int ret = 0;

    for (unsigned f = 0; f < 2 && ret == 0; f++) {
        struct text t = { .len = 0 };

        add(&t, "*raw\n");
        for (unsigned i = 0; i < n; i++)
            if (addresses[i].family == families[f])
                add(&t, "-A PREROUTING -i %s -d %s -j NFQUEUE --queue-num %d\n", from,
                    addresses[i].text, RULES_INGRESS_QUEUE);
        add(&t, "COMMIT\n");
        ret = load(families[f], &t,
            "the raw table and the NFQUEUE target (CONFIG_IP_NF_RAW, "
            "CONFIG_IP6_NF_RAW, "
            "CONFIG_NETFILTER_XT_TARGET_NFQUEUE)",
            error);
    }
    return ret;
}

int
rules_hop(const char *inner, const char *outer, char *error)
{
    static const char needs[] = "the mangle table and the TTL and HL targets "
                                "(CONFIG_NETFILTER_XT_TARGET_HL)";
    struct text t4 = { .len = 0 }, t6 = { .len = 0 };
    int ret;

    add(&t4, "*mangle\n-A PREROUTING -i %s -j TTL --ttl-inc 1\n", inner);
    add(&t4, "-A PREROUTING -i %s -j TTL --ttl-inc 1\nCOMMIT\n", outer);
    /* Neighbour discovery is valid with hop limit 255 only, which +1 would wrap. */
    add(&t6, "*mangle\n-A PREROUTING -i %s -j HL --hl-inc 1\n", inner);
    for (int type = 133; type <= 137; type++)
        add(&t6, "-A PREROUTING -i %s -p ipv6-icmp --icmpv6-type %d -j RETURN\n", outer,
            type);
    add(&t6, "-A PREROUTING -i %s -j HL --hl-inc 1\nCOMMIT\n", outer);
    ret = load(AF_INET, &t4, needs, error);
    if (ret == 0)
        ret = load(AF_INET6, &t6, needs, error);
    return ret;
}
