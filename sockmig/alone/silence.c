/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/alone/silence.h"

#include "lib/fd.h"
#include "sockmig/alone/injector.h"
#include "sockmig/ckpt/peek.h"
#include "sockmig/gate.h"
#include "sockmig/rules.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RULE_BYTES 192u /* two rules of one end */

static const char needs[] =
    "the filter table (CONFIG_IP_NF_FILTER or CONFIG_NF_TABLES)";

void
silence_begin(struct silence *s, const char *name)
{
    memset(s, 0, sizeof *s);
    snprintf(s->chain, sizeof s->chain, "%s", name);
}

void
silence_name(int32_t pid, char name[SILENCE_NAME])
{
    snprintf(name, SILENCE_NAME, "SOCKMIG-%d-%d", (int)pid, (int)getpid());
}

static bool
covers(const struct silence_end *a, const struct silence_end *b)
{
    return a->family == b->family && a->port == b->port &&
           (a->any || (!b->any && !memcmp(a->address, b->address, 16)));
}

bool
silence_keeps(const struct silence *s, const struct silence_end *e)
{
    for (unsigned i = 0; i < s->n; i++)
        if (covers(&s->ends[i], e))
            return true;
    return false;
}

/* An IPv6 socket may speak IPv4: its address tells, or it hears both. */
static unsigned
ends_of(const uint8_t *sockaddr, struct silence_end e[2])
{
    struct sockaddr_in6 six;
    struct sockaddr_in four;

    memset(e, 0, 2 * sizeof *e);
    memcpy(&six, sockaddr, sizeof six);
    memcpy(&four, sockaddr, sizeof four);
    if (four.sin_family == AF_INET) {
        e[0] = (struct silence_end){
            .family = AF_INET, .port = four.sin_port, .any = four.sin_addr.s_addr == 0
        };
        memcpy(e[0].address, &four.sin_addr, 4);
        return four.sin_port ? 1 : 0;
    }
    if (six.sin6_family != AF_INET6 || six.sin6_port == 0)
        return 0;
    e[0] = (struct silence_end){ .family = AF_INET6, .port = six.sin6_port };
    if (IN6_IS_ADDR_V4MAPPED(&six.sin6_addr)) {
        e[0].family = AF_INET;
        memcpy(e[0].address, six.sin6_addr.s6_addr + 12, 4);
        return 1;
    }
    memcpy(e[0].address, &six.sin6_addr, 16);
    e[0].any = IN6_IS_ADDR_UNSPECIFIED(&six.sin6_addr);
    e[1] = (struct silence_end){
        .family = AF_INET, .port = six.sin6_port, .any = true
    };
    return e[0].any ? 2 : 1;
}

static void
add_address(struct silence *s, const uint8_t *sockaddr)
{
    struct silence_end e[2];
    unsigned n = ends_of(sockaddr, e);

    for (unsigned i = 0; i < n; i++) {
        if (silence_keeps(s, &e[i]))
            continue;
        if (s->n == SILENCE_MAX)
            s->overflow = true;
        else
            s->ends[s->n++] = e[i];
    }
}

void
silence_add(struct silence *s, const struct image *im)
{
    for (uint32_t i = 0; i < im->nfds; i++)
        if (im->fds[i].kind == IMAGE_FD_TCP_LISTEN && im->fds[i].dup_of < 0)
            add_address(s, im->fds[i].u.listen.address);
    for (uint32_t i = 0; i < im->ntcps; i++)
        add_address(s, im->tcps[i].local);
}

bool
silence_covers(const struct silence *s, const struct image *im)
{
    for (uint32_t i = 0; i < im->ntcps; i++) {
        struct silence_end e[2];
        unsigned n = ends_of(im->tcps[i].local, e);

        for (unsigned k = 0; k < n; k++)
            if (!silence_keeps(s, &e[k]))
                return false;
    }
    return true;
}

static void
add_one(void *arg, int sock)
{
    struct silence *s = arg;
    uint8_t address[sizeof(struct sockaddr_in6)] = { 0 };
    socklen_t len = sizeof address, n = sizeof(int);
    int protocol = 0;

    if (getsockopt(sock, SOL_SOCKET, SO_PROTOCOL, &protocol, &n) == 0 &&
        protocol == IPPROTO_TCP &&
        getsockname(sock, (struct sockaddr *)address, &len) == 0)
        add_address(s, address);
}

static void
add_socket(struct silence *s, int pidfd, int number)
{
    int sock = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);

    if (sock < 0)
        return; /* closed meanwhile */
    add_one(s, sock);
    peek_sockets(sock, add_one, s);
    fd_close(sock);
}

int
silence_sockets(struct silence *s, pid_t pid)
{
    char path[64], link[16];
    struct dirent *e;
    DIR *dir;
    int pidfd;

    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    dir = opendir(path);
    if (!dir)
        return errno == ENOENT ? -ESRCH : -errno;
    pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    while (pidfd >= 0 && (e = readdir(dir)) != NULL) {
        ssize_t n = readlinkat(dirfd(dir), e->d_name, link, sizeof link);

        if (n > 7 && !memcmp(link, "socket:", 7))
            add_socket(s, pidfd, atoi(e->d_name));
    }
    closedir(dir);
    fd_close(pidfd);
    return pidfd < 0 ? -ESRCH : 0;
}

struct text {
    char *bytes; /* owned */
    size_t size, len;
};

static void add(struct text *t, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void
add(struct text *t, const char *fmt, ...)
{
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf(t->bytes + t->len, t->size - t->len, fmt, args);
    va_end(args);
    if (n > 0)
        t->len += (size_t)n;
    if (t->len >= t->size)
        t->len = t->size - 1;
}

static unsigned
count(const struct silence *s, int family)
{
    unsigned n = 0;

    for (unsigned i = 0; i < s->n; i++)
        n += s->ends[i].family == family;
    return n;
}

/* In and out: what the kernel sends of its own accord after the last look would be
 * acknowledged by the peer, and the restored socket would not know it. */
static void
add_end(struct text *t, const struct silence *s, const struct silence_end *e)
{
    char at[2][INET6_ADDRSTRLEN + 4] = { "", "" };

    if (!e->any) {
        char text[INET6_ADDRSTRLEN];

        inet_ntop(e->family, e->address, text, sizeof text);
        snprintf(at[0], sizeof at[0], "-d %s", text);
        snprintf(at[1], sizeof at[1], "-s %s", text);
    }
    add(t, "-A %s-i -p tcp %s --dport %u -j DROP\n", s->chain, at[0], ntohs(e->port));
    if (!s->receive_only)
        add(t, "-A %s-o -p tcp %s --sport %u -j DROP\n", s->chain, at[1],
            ntohs(e->port));
}

static int
load(int family, const struct text *t, char *error)
{
    char why[GATE_ERROR_LEN] = "";
    int ret = rules_load(family, t->bytes, t->len, true, needs, why);

    if (ret < 0)
        snprintf(
            error, SILENCE_ERROR, "the connections cannot be kept silent: %.200s", why);
    return ret;
}

static int
take_away(const struct silence *s, int family, char *error)
{
    char room[512];
    struct text t = { .bytes = room, .size = sizeof room };

    add(&t, "*filter\n-D INPUT -j %s-i\n-D OUTPUT -j %s-o\n", s->chain, s->chain);
    add(&t, "-F %s-i\n-X %s-i\n-F %s-o\n-X %s-o\nCOMMIT\n", s->chain, s->chain,
        s->chain, s->chain);
    return load(family, &t, error);
}

/* One transaction: no packet passes while rules that are there already are renewed. */
static int
put_on(const struct silence *s, int family, bool again, char *error)
{
    size_t size = 1024 + (size_t)s->n * RULE_BYTES;
    struct text t = { .bytes = malloc(size), .size = size };
    int ret = -ENOMEM;

    if (t.bytes) {
        add(&t, "*filter\n:%s-i - [0:0]\n:%s-o - [0:0]\n", s->chain, s->chain);
        add(&t, "-A %s-i -i " INJECTOR_NAME "+ -j RETURN\n", s->chain);
        for (unsigned i = 0; i < s->n; i++)
            if (s->ends[i].family == family)
                add_end(&t, s, &s->ends[i]);
        if (again)
            add(&t, "-D INPUT -j %s-i\n-D OUTPUT -j %s-o\n", s->chain, s->chain);
        add(&t, "-I INPUT 1 -j %s-i\n-I OUTPUT 1 -j %s-o\nCOMMIT\n", s->chain,
            s->chain);
        ret = load(family, &t, error);
    }
    free(t.bytes);
    return ret;
}

/* ---- both families at the same time: each starts a program */

struct task {
    struct silence *s;
    int family;
    bool on, again, was_on;
    int ret;
    char error[SILENCE_ERROR];
};

static void *
carry_out(void *arg)
{
    struct task *t = arg;

    if (!t->on) {
        t->ret = take_away(t->s, t->family, t->error);
        return NULL;
    }
    t->ret = t->again ? put_on(t->s, t->family, true, t->error) : -ENOENT;
    t->was_on = t->ret == 0;
    if (t->ret < 0)
        t->ret = put_on(t->s, t->family, false, t->error);
    return NULL;
}

static int
on_both(struct silence *s, bool on, bool again, char *error)
{
    struct task tasks[2] = {
        { .s = s, .family = AF_INET, .on = on, .again = again },
        { .s = s, .family = AF_INET6, .on = on, .again = again },
    };
    bool four = count(s, AF_INET) > 0, six = count(s, AF_INET6) > 0;
    bool threaded = false;
    pthread_t thread;
    int ret = 0;

    if (six && four)
        threaded = pthread_create(&thread, NULL, carry_out, &tasks[1]) == 0;
    if (four)
        carry_out(&tasks[0]);
    if (threaded)
        pthread_join(thread, NULL);
    else if (six)
        carry_out(&tasks[1]);
    for (unsigned i = 0; i < 2; i++) {
        s->was_on |= tasks[i].was_on;
        if (tasks[i].ret < 0)
            memcpy(error, tasks[i].error, SILENCE_ERROR);
        ret = tasks[i].ret < 0 ? tasks[i].ret : ret;
    }
    return ret;
}

int
silence_on(struct silence *s, bool again, char *error)
{
    if (s->overflow) {
        snprintf(error, SILENCE_ERROR,
            "connections have more than %d local addresses and ports: close some",
            SILENCE_MAX);
        return -E2BIG;
    }
    return on_both(s, true, again, error);
}

int
silence_off(struct silence *s, char *error)
{
    return on_both(s, false, false, error);
}

void
silence_clear(const char *name)
{
    struct silence s = { .n = 0 };
    char ignored[SILENCE_ERROR];

    snprintf(s.chain, sizeof s.chain, "%s", name);
    take_away(&s, AF_INET, ignored);
    take_away(&s, AF_INET6, ignored);
}
