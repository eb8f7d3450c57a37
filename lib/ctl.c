/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/ctl.h"

#include "lib/fd.h"
#include "lib/log.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct bytes { /* a growing byte string, owned */
    char *data;
    size_t len, cap;
};

struct ctl_conn {
    int fd;
    struct loop *loop;
    struct loop_io *io;
    struct ctl_handler handler;
    struct ctl_server *server; /* NULL: client side */
    struct ctl_conn *next;     /* in server->conns */
    struct bytes in, out;
    void *data;
    bool subscribed, busy, dead; /* busy: inside its own callback, free later */
};

struct ctl_server {
    int fd;
    struct loop *loop;
    struct loop_io *io;
    struct ctl_handler handler;
    struct ctl_conn *conns; /* owned */
    char path[sizeof((struct sockaddr_un *)0)->sun_path];
};

static void
bytes_reserve(struct bytes *b, size_t more)
{
    size_t cap = b->cap ? b->cap : 4096;

    while (cap < b->len + more)
        cap *= 2;
    if (cap == b->cap)
        return;
    b->data = realloc(b->data, cap);
    if (!b->data)
        log_fatal("control socket: out of memory");
    b->cap = cap;
}

static void
bytes_drop(struct bytes *b, size_t n)
{
    memmove(b->data, b->data + n, b->len - n);
    b->len -= n;
}

static int
fill_address(const char *path, struct sockaddr_un *sa)
{
    *sa = (struct sockaddr_un){ .sun_family = AF_UNIX };
    if (strlen(path) >= sizeof sa->sun_path)
        return -ENAMETOOLONG;
    strcpy(sa->sun_path, path);
    return 0;
}

static void
conn_unlink(struct ctl_conn *conn)
{
    struct ctl_conn **at;

    if (!conn->server)
        return;
    for (at = &conn->server->conns; *at; at = &(*at)->next)
        if (*at == conn) {
            *at = conn->next;
            break;
        }
    conn->server = NULL;
}

static void
conn_free(struct ctl_conn *conn)
{
    conn_unlink(conn);
    loop_io_free(conn->io);
    fd_close(conn->fd);
    free(conn->in.data);
    free(conn->out.data);
    free(conn);
}

void
ctl_close(struct ctl_conn *conn)
{
    if (!conn)
        return;
    if (conn->busy) {
        conn->handler.closed = NULL;
        conn->dead = true;
        return;
    }
    conn_free(conn);
}

static void
conn_flush(struct ctl_conn *conn)
{
    while (conn->out.len > 0) {
        ssize_t n = send(
            conn->fd, conn->out.data, conn->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            break;
        if (n <= 0) {
            conn->dead = true;
            conn->out.len = 0;
            break;
        }
        bytes_drop(&conn->out, (size_t)n);
    }
    loop_io_events(conn->io, LOOP_READ | (conn->out.len ? LOOP_WRITE : 0));
}

void
ctl_send(struct ctl_conn *conn, struct jv *taken)
{
    char *text = jv_text(taken, false);
    size_t n = strlen(text);

    jv_free(taken);
    if (!conn->dead) {
        bytes_reserve(&conn->out, n + 1);
        memcpy(conn->out.data + conn->out.len, text, n);
        conn->out.data[conn->out.len + n] = '\n';
        conn->out.len += n + 1;
        conn_flush(conn);
        if (conn->out.len > CTL_MAX_QUEUED) {
            log_warn("control socket: a peer does not read; dropped");
            conn->dead = true;
            /* a dead connection reads as ended at the next turn of the loop */
            shutdown(conn->fd, SHUT_RDWR);
        }
    }
    free(text);
}

/* Hand out the whole lines of the input.  False: the peer broke the protocol. */
static bool
conn_lines(struct ctl_conn *conn)
{
    size_t start = 0;
    char *nl;

    while (!conn->dead &&
           (nl = memchr(conn->in.data + start, '\n', conn->in.len - start))) {
        size_t n = (size_t)(nl - conn->in.data) - start;
        struct jv *msg = jv_parse(conn->in.data + start, n);

        if (!msg)
            return false;
        conn->handler.message(conn, msg, conn->handler.arg);
        jv_free(msg);
        start += n + 1;
    }
    bytes_drop(&conn->in, start);
    return conn->in.len <= CTL_MAX_LINE;
}

static void
conn_cb(struct loop_io *io, int fd, int events, void *arg)
{
    struct ctl_conn *conn = arg;
    bool ended = false;

    (void)io;
    conn->busy = true;
    if (events & LOOP_WRITE)
        conn_flush(conn);
    while (events & LOOP_READ && !conn->dead) {
        ssize_t n;

        bytes_reserve(&conn->in, 65536);
        n = recv(fd, conn->in.data + conn->in.len, 65536, MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            break;
        if (n <= 0) {
            ended = true;
            break;
        }
        conn->in.len += (size_t)n;
        if (!conn_lines(conn)) {
            log_warn("control socket: a peer sent what is no JSON line; dropped");
            ended = true;
            break;
        }
    }
    conn->busy = false;
    if (!ended && !conn->dead)
        return;
    if (conn->handler.closed)
        conn->handler.closed(conn, conn->handler.arg);
    conn_free(conn);
}

void
ctl_take_rest(struct ctl_conn *conn)
{
    if (conn)
        conn_cb(conn->io, conn->fd, LOOP_READ, conn);
}

struct ctl_conn *
ctl_adopt(struct loop *loop, int fd, struct ctl_handler handler)
{
    struct ctl_conn *conn = calloc(1, sizeof *conn);

    if (!conn)
        log_fatal("control socket: out of memory");
    conn->fd = fd;
    conn->loop = loop;
    conn->handler = handler;
    conn->io = loop_io_new(loop, fd, LOOP_READ, conn_cb, conn);
    return conn;
}

static void
accept_cb(struct loop_io *io, int fd, int events, void *arg)
{
    struct ctl_server *server = arg;
    struct ctl_conn *conn;
    int c;

    (void)io;
    (void)events;
    c = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (c < 0)
        return;
    conn = ctl_adopt(server->loop, c, server->handler);
    conn->server = server;
    conn->next = server->conns;
    server->conns = conn;
}

/* Whether somebody answers at @path: a socket file outlives its process. */
static bool
path_is_alive(const struct sockaddr_un *sa)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool alive = false;

    if (fd >= 0)
        alive = connect(fd, (const struct sockaddr *)sa, sizeof *sa) == 0 ||
                errno == EAGAIN;
    fd_close(fd);
    return alive;
}

int
ctl_listen(struct loop *loop, const char *path, mode_t mode, gid_t gid,
    struct ctl_handler handler, struct ctl_server **out)
{
    struct ctl_server *server = NULL;
    struct sockaddr_un sa;
    int fd = -1, ret;

    ret = fill_address(path, &sa);
    if (ret < 0)
        return ret;
    if (path_is_alive(&sa))
        return -EADDRINUSE;
    unlink(path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (bind(fd, (struct sockaddr *)&sa, sizeof sa) < 0 || chmod(path, mode) < 0 ||
        (gid != (gid_t)-1 && chown(path, (uid_t)-1, gid) < 0) || listen(fd, 64) < 0) {
        ret = -errno;
        goto out;
    }
    server = calloc(1, sizeof *server);
    if (!server)
        log_fatal("control socket: out of memory");
    server->fd = fd;
    fd = -1;
    server->loop = loop;
    server->handler = handler;
    strcpy(server->path, sa.sun_path);
    server->io = loop_io_new(loop, server->fd, LOOP_READ, accept_cb, server);
    *out = server;
out:
    fd_close(fd);
    return ret;
}

void
ctl_server_free(struct ctl_server *server)
{
    if (!server)
        return;
    while (server->conns)
        conn_free(server->conns);
    loop_io_free(server->io);
    fd_close(server->fd);
    unlink(server->path);
    free(server);
}

void
ctl_subscribe(struct ctl_conn *conn)
{
    conn->subscribed = true;
}

void
ctl_broadcast(struct ctl_server *server, const struct jv *msg)
{
    for (struct ctl_conn *conn = server->conns; conn; conn = conn->next)
        if (conn->subscribed)
            ctl_send(conn, jv_copy(msg));
}

static int
connect_path(const char *path)
{
    struct sockaddr_un sa;
    int fd, ret;

    ret = fill_address(path, &sa);
    if (ret < 0)
        return ret;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (struct sockaddr *)&sa, sizeof sa) < 0) {
        ret = -errno;
        fd_close(fd);
        return ret;
    }
    return fd;
}

int
ctl_connect(struct loop *loop, const char *path, struct ctl_handler handler,
    struct ctl_conn **out)
{
    int fd = connect_path(path);

    if (fd < 0)
        return fd;
    *out = ctl_adopt(loop, fd, handler);
    return 0;
}

static void
peer_cred(const struct ctl_conn *conn, struct ucred *cred)
{
    socklen_t n = sizeof *cred;

    *cred = (struct ucred){ .uid = (uid_t)-1, .gid = (gid_t)-1 };
    if (getsockopt(conn->fd, SOL_SOCKET, SO_PEERCRED, cred, &n) < 0)
        *cred = (struct ucred){ .uid = (uid_t)-1, .gid = (gid_t)-1 };
}

uid_t
ctl_peer_uid(const struct ctl_conn *conn)
{
    struct ucred cred;

    peer_cred(conn, &cred);
    return cred.uid;
}

pid_t
ctl_peer_pid(const struct ctl_conn *conn)
{
    struct ucred cred;

    peer_cred(conn, &cred);
    return cred.pid;
}

void *
ctl_data(const struct ctl_conn *conn)
{
    return conn->data;
}

void
ctl_set_data(struct ctl_conn *conn, void *data)
{
    conn->data = data;
}

static int
send_line(int fd, struct jv *taken)
{
    char *text = jv_text(taken, false);
    size_t n = strlen(text);
    int ret;

    jv_free(taken);
    text[n] = '\n'; /* in place of the terminator */
    ret = fd_write_all(fd, text, n + 1);
    free(text);
    return ret;
}

static int
receive_line(int fd, struct mono until, struct jv **reply)
{
    struct bytes in = { 0 };
    int ret = -EPROTO;

    for (;;) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        int64_t left_ms = mono_us_between(mono_clock(), until) / 1000;
        char *nl = in.len ? memchr(in.data, '\n', in.len) : NULL;
        ssize_t n;

        if (nl) {
            *reply = jv_parse(in.data, (size_t)(nl - in.data));
            ret = *reply ? 0 : -EPROTO;
            break;
        }
        if (left_ms < 0 || poll(&p, 1, (int)left_ms) == 0) {
            ret = -ETIMEDOUT;
            break;
        }
        bytes_reserve(&in, 65536);
        n = recv(fd, in.data + in.len, 65536, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0 || in.len > CTL_MAX_LINE)
            break;
        in.len += (size_t)n;
    }
    free(in.data);
    return ret;
}

int
ctl_call(const char *path, struct jv *request, int timeout_ms, struct jv **reply)
{
    struct mono until = mono_add_ms(mono_clock(), timeout_ms);
    int fd = connect_path(path), ret = fd;

    jv_set_int(request, "id", 1);
    if (fd < 0) {
        jv_free(request);
        return ret;
    }
    ret = send_line(fd, request);
    if (ret == 0)
        ret = receive_line(fd, until, reply);
    fd_close(fd);
    return ret;
}
