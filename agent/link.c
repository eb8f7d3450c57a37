/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/link.h"

#include "lib/fd.h"
#include "lib/log.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MAX_IN (4u << 20)   /* a line, as in lib/ctl.h */
#define MAX_OUT (64u << 10) /* the agent's requests are small */

struct bytes { /* a growing byte string, owned */
    char *data;
    size_t len, cap;
};

struct link {
    struct sockaddr_un address;
    int fd;
    size_t most; /* bytes of a turn, 0: all */
    struct bytes in, out;
};

struct link *
link_new(const char *path, size_t most)
{
    struct link *l = calloc(1, sizeof *l);

    if (!l)
        log_fatal("control socket: out of memory");
    if (strlen(path) >= sizeof l->address.sun_path)
        log_fatal("control socket %s: the path is too long", path);
    l->fd = -1;
    l->most = most;
    l->address.sun_family = AF_UNIX;
    memcpy(l->address.sun_path, path, strlen(path) + 1);
    return l;
}

void
link_close(struct link *link)
{
    fd_close(link->fd);
    link->fd = -1;
    link->in.len = link->out.len = 0;
}

void
link_free(struct link *link)
{
    if (!link)
        return;
    link_close(link);
    free(link->in.data);
    free(link->out.data);
    free(link);
}

int
link_open(struct link *link)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)&link->address, sizeof link->address) <
        0) {
        int error = -errno;

        fd_close(fd);
        return error;
    }
    link_close(link);
    link->fd = fd;
    return 0;
}

int
link_fd(const struct link *link)
{
    return link->fd;
}

short
link_events(const struct link *link)
{
    return link->out.len ? POLLIN | POLLOUT : POLLIN;
}

static void
reserve(struct bytes *b, size_t more)
{
    size_t cap = b->cap ? b->cap : 4096;
    char *data;

    while (cap < b->len + more)
        cap *= 2;
    if (cap == b->cap)
        return;
    data = realloc(b->data, cap);
    if (!data)
        log_fatal("control socket: out of memory");
    b->data = data;
    b->cap = cap;
}

static void
flush(struct link *l)
{
    ssize_t n;

    if (l->out.len == 0)
        return;
    n = send(l->fd, l->out.data, l->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        link_close(l);
    } else if (n > 0) {
        memmove(l->out.data, l->out.data + n, l->out.len - (size_t)n);
        l->out.len -= (size_t)n;
    }
}

void
link_send(struct link *link, struct jv *taken)
{
    char *text = jv_text(taken, false);
    size_t n = strlen(text);

    jv_free(taken);
    if (link->fd >= 0 && link->out.len + n + 1 > MAX_OUT) {
        log_warn(
            "%s: does not read what it is asked; disconnected", link->address.sun_path);
        link_close(link);
    } else if (link->fd >= 0) {
        reserve(&link->out, n + 1);
        memcpy(link->out.data + link->out.len, text, n);
        link->out.data[link->out.len + n] = '\n';
        link->out.len += n + 1;
        flush(link);
    }
    free(text);
}

/* deliver - every whole line in l->in; false: the peer sent what is no object. */
static bool
deliver(struct link *l, void (*message)(const struct jv *, void *), void *arg)
{
    size_t start = 0;
    char *end;

    while (start < l->in.len &&
           (end = memchr(l->in.data + start, '\n', l->in.len - start))) {
        size_t size = (size_t)(end - l->in.data) - start;
        struct jv *msg = jv_parse(l->in.data + start, size);

        if (!msg)
            return false;
        message(msg, arg);
        jv_free(msg);
        start += size + 1;
    }
    if (start)
        memmove(l->in.data, l->in.data + start, l->in.len - start);
    l->in.len -= start;
    return l->in.len < MAX_IN;
}

void
link_turn(
    struct link *link, void (*message)(const struct jv *msg, void *arg), void *arg)
{
    size_t piece = link->most ? link->most : 65536, sum = 0;
    ssize_t n = 1;

    while (link->fd >= 0 && n > 0 && (!link->most || sum < link->most)) {
        reserve(&link->in, piece);
        n = recv(link->fd, link->in.data + link->in.len, piece, MSG_DONTWAIT);
        if (n > 0) {
            link->in.len += (size_t)n;
            sum += (size_t)n;
            if (!deliver(link, message, arg)) {
                log_warn("%s: sent what is not a message; disconnected",
                    link->address.sun_path);
                link_close(link);
            }
        } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
            link_close(link);
        }
    }
    if (link->fd >= 0)
        flush(link);
}
