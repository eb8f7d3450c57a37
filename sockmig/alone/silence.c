/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/alone/silence.h"

#include "lib/fd.h"
#include "sockmig/alone/silence_table.h"
#include "sockmig/ckpt/peek.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

void
silence_begin(struct silence *s, const char *name)
{
    memset(s, 0, sizeof *s);
    snprintf(s->name, sizeof s->name, "%s", name);
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

/* A socket keeps its address; others may come in the queue of one of another kind. */
static bool
is_the_same(const struct image *known, int fd, const char *link)
{
    const struct image_fd *f = known ? image_fd_find(known, fd) : NULL;

    return f && (f->kind == IMAGE_FD_TCP || f->kind == IMAGE_FD_TCP_LISTEN) &&
           f->inode != 0 &&
           f->inode == strtoull(link + sizeof "socket:[" - 1, NULL, 10);
}

int
silence_sockets(struct silence *s, pid_t pid, const struct image *known)
{
    char path[64], link[40];
    struct dirent *e;
    DIR *dir;
    int pidfd;

    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    dir = opendir(path);
    if (!dir)
        return errno == ENOENT ? -ESRCH : -errno;
    if (known)
        silence_add(s, known);
    pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    while (pidfd >= 0 && (e = readdir(dir)) != NULL) {
        ssize_t n = readlinkat(dirfd(dir), e->d_name, link, sizeof link - 1);

        if (n < 8 || memcmp(link, "socket:[", 8) != 0)
            continue;
        link[n] = '\0';
        if (!is_the_same(known, atoi(e->d_name), link))
            add_socket(s, pidfd, atoi(e->d_name));
    }
    closedir(dir);
    fd_close(pidfd);
    return pidfd < 0 ? -ESRCH : 0;
}

static int
failed(const char *what, int ret, char *error)
{
    const char *cure = "";

    if (ret == -EOPNOTSUPP)
        cure = ": the kernel needs CONFIG_NF_TABLES_INET (modprobe nf_tables)";
    if (ret == -EPERM)
        cure = ": run sockmig as root";
    snprintf(error, SILENCE_ERROR, "the connections cannot be %s (%s)%s", what,
        strerror(-ret), cure);
    return ret;
}

int
silence_on(struct silence *s, bool again, char *error)
{
    int ret;

    if (s->overflow) {
        snprintf(error, SILENCE_ERROR,
            "connections have more than %d local addresses and ports: close some",
            SILENCE_MAX);
        return -E2BIG;
    }
    s->was_on |= again && silence_table_is_there(s->name);
    ret = silence_table_put(s, again);
    return ret < 0 ? failed("kept silent", ret, error) : ret;
}

int
silence_off(struct silence *s, char *error)
{
    int ret = s->n > 0 ? silence_table_drop(s->name) : 0;

    return ret < 0 ? failed("heard again", ret, error) : 0;
}

int
silence_let_pass(const struct silence *s, char *error)
{
    int ret = silence_table_empty(s->name);

    return ret < 0 ? failed("heard again", ret, error) : ret;
}

void
silence_clear(const char *name)
{
    silence_table_drop(name); /* there may be none */
}
