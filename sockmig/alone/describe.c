/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/alone/describe.h"

#include "lib/jv.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

static const char *const kinds[] = {
    [IMAGE_FD_FILE] = "file",
    [IMAGE_FD_TCP_LISTEN] = "TCP listener",
    [IMAGE_FD_TCP] = "TCP connection",
    [IMAGE_FD_TCP_DEAD] = "TCP socket, closed",
    [IMAGE_FD_TCP_FRESH] = "TCP socket, unused",
    [IMAGE_FD_TCP_BOUND] = "TCP socket, bound",
    [IMAGE_FD_UNIX] = "unix socket",
    [IMAGE_FD_NETLINK] = "netlink socket",
    [IMAGE_FD_INOTIFY] = "inotify",
    [IMAGE_FD_MEMFD] = "memory file",
    [IMAGE_FD_EPOLL] = "epoll",
    [IMAGE_FD_EVENTFD] = "eventfd",
    [IMAGE_FD_TIMERFD] = "timerfd",
    [IMAGE_FD_SIGNALFD] = "signalfd",
    [IMAGE_FD_PIPE_READ] = "pipe, read end",
    [IMAGE_FD_PIPE_WRITE] = "pipe, write end",
    [IMAGE_FD_FIFO] = "named pipe",
    [IMAGE_FD_UDP] = "UDP socket",
    [IMAGE_FD_RAW] = "raw socket",
    [IMAGE_FD_PTY_MASTER] = "terminal, master",
    [IMAGE_FD_PTY_SLAVE] = "terminal",
};

static const char *const states[] = { "?", "established", "syn-sent", "syn-received",
    "fin-wait-1", "fin-wait-2", "time-wait", "closed", "close-wait", "last-ack",
    "listen", "closing" };

#define NAMED(a, i) ((i) < sizeof(a) / sizeof((a)[0]) && (a)[i] ? (a)[i] : "other")

static void
put_address(struct jv *to, const char *key, const uint8_t *sockaddr, uint32_t len)
{
    char host[INET6_ADDRSTRLEN], text[INET6_ADDRSTRLEN + 10];
    struct sockaddr_in6 six;
    struct sockaddr_in four;

    if (len == 0)
        return;
    memcpy(&six, sockaddr, sizeof six);
    memcpy(&four, sockaddr, sizeof four);
    if (four.sin_family == AF_INET) {
        inet_ntop(AF_INET, &four.sin_addr, host, sizeof host);
        snprintf(text, sizeof text, "%s:%u", host, ntohs(four.sin_port));
    } else {
        inet_ntop(AF_INET6, &six.sin6_addr, host, sizeof host);
        snprintf(text, sizeof text, "[%s]:%u", host, ntohs(six.sin6_port));
    }
    jv_set_str(to, key, text);
}

static void
put_connection(struct jv *to, const struct image_tcp *t)
{
    put_address(to, "local", t->local, t->address_len);
    put_address(to, "remote", t->remote, t->address_len);
    jv_set_str(to, "state", NAMED(states, t->state));
    jv_set_int(to, "unread", t->inq);
    jv_set_int(to, "unacknowledged", t->outq - t->unsent);
    jv_set_int(to, "unsent", t->unsent);
}

static struct jv *
descriptor(const struct image *im, const struct image_fd *f)
{
    struct jv *to = jv_object();
    const struct image_tcp *t = image_tcp_find(im, f->fd);

    jv_set_int(to, "fd", f->fd);
    jv_set_str(to, "kind",
        f->kind == IMAGE_FD_FILE && !f->u.file.path[0] ? "refused"
                                                       : NAMED(kinds, (size_t)f->kind));
    if (f->fd >= IMAGE_IN_FLIGHT)
        jv_set_bool(to, "in_flight", true);
    if (f->dup_of >= 0) {
        jv_set_int(to, "same_as", f->dup_of);
        return to;
    }
    if (f->kind == IMAGE_FD_FILE && f->u.file.path[0]) {
        jv_set_str(to, "path", f->u.file.path);
        jv_set_int(to, "position", (int64_t)f->u.file.position);
    } else if (f->kind == IMAGE_FD_TCP_LISTEN) {
        put_address(to, "local", f->u.listen.address, f->u.listen.address_len);
    } else if (f->kind == IMAGE_FD_TCP && t) {
        put_connection(to, t);
    } else if (f->kind == IMAGE_FD_TCP_DEAD) {
        jv_set_int(to, "unread", f->u.dead.queued);
    } else if (f->kind == IMAGE_FD_UDP || f->kind == IMAGE_FD_RAW) {
        put_address(to, "local", f->u.udp.local, f->u.udp.local_len);
        put_address(to, "remote", f->u.udp.remote, f->u.udp.remote_len);
        jv_set_int(to, "unread", f->u.udp.queued);
    } else if (f->kind == IMAGE_FD_PIPE_READ || f->kind == IMAGE_FD_PIPE_WRITE) {
        jv_set_int(to, "pipe", (int64_t)f->inode);
        jv_set_int(to, "unread", f->u.pipe.queued);
    } else if (f->kind == IMAGE_FD_FIFO) {
        jv_set_str(to, "path", f->u.fifo.path);
        jv_set_int(to, "unread", f->u.fifo.queued);
    } else if (f->kind == IMAGE_FD_PTY_MASTER || f->kind == IMAGE_FD_PTY_SLAVE) {
        jv_set_int(to, "terminal", f->u.pty.index);
        jv_set_int(to, "unread", f->u.pty.output + f->u.pty.input);
    }
    return to;
}

static struct jv *
memory(const struct image *im)
{
    static const char *const names[IMAGE_VMA_NKINDS] = {
        [IMAGE_VMA_ANON] = "anonymous_kb",
        [IMAGE_VMA_FILE] = "file_kb",
        [IMAGE_VMA_SHARED_FILE] = "shared_file_kb",
        [IMAGE_VMA_SHARED_ANON] = "shared_kb",
        [IMAGE_VMA_STATE_FILE] = "state_file_kb",
    };
    uint64_t bytes[IMAGE_VMA_NKINDS] = { 0 };
    struct jv *to = jv_object();

    for (uint32_t i = 0; i < im->nvmas; i++)
        if (im->vmas[i].kind < IMAGE_VMA_NKINDS)
            bytes[im->vmas[i].kind] += im->vmas[i].end - im->vmas[i].start;
    jv_set_int(to, "mappings", im->nvmas);
    for (unsigned k = 0; k < IMAGE_VMA_NKINDS; k++)
        if (names[k])
            jv_set_int(to, names[k], (int64_t)(bytes[k] >> 10));
    return to;
}

struct jv *
describe(const struct family_member *info, const struct image *im)
{
    struct jv *to = jv_object(), *fds;

    jv_set_int(to, "pid", info->pid);
    jv_set_str(to, "name", info->name);
    jv_set_int(to, "group", info->pgid);
    jv_set_int(to, "session", info->sid);
    jv_set_str(to, "state",
        info->flags & FAMILY_ZOMBIE        ? "ended"
        : info->flags & FAMILY_JOB_STOPPED ? "stopped"
                                           : "runs");
    if (!im) {
        jv_set_int(to, "status", info->status);
        return to;
    }
    jv_set_str(to, "executable", im->process.exe);
    jv_set_str(to, "folder", im->process.cwd);
    jv_set_str(to, "control_group", im->process.cgroup);
    jv_set_int(to, "user", im->process.euid);
    jv_set_int(to, "threads", im->nthreads);
    jv_set_int(to, "timers", im->ntimers);
    jv_set(to, "memory", memory(im));
    fds = jv_array();
    for (uint32_t i = 0; i < im->nfds; i++)
        jv_push(fds, descriptor(im, &im->fds[i]));
    jv_set(to, "descriptors", fds);
    return to;
}

static void
print_descriptor(const struct jv *d)
{
    printf("  %5" PRId64 "  %-22s", jv_int(d, "fd", -1), jv_str(d, "kind", ""));
    if (jv_has(d, "same_as"))
        printf(" same as %" PRId64, jv_int(d, "same_as", -1));
    if (jv_has(d, "path"))
        printf(" %s at %" PRId64, jv_str(d, "path", ""), jv_int(d, "position", 0));
    if (jv_has(d, "local"))
        printf(" %s", jv_str(d, "local", ""));
    if (jv_has(d, "remote"))
        printf(" - %s %s", jv_str(d, "remote", ""), jv_str(d, "state", ""));
    if (jv_has(d, "pipe"))
        printf(" %" PRId64, jv_int(d, "pipe", 0));
    if (jv_has(d, "terminal"))
        printf(" /dev/pts/%" PRId64, jv_int(d, "terminal", 0));
    if (jv_int(d, "unread", 0) > 0)
        printf(", %" PRId64 " bytes unread", jv_int(d, "unread", 0));
    if (jv_int(d, "unacknowledged", 0) + jv_int(d, "unsent", 0) > 0)
        printf(", %" PRId64 " bytes on their way out",
            jv_int(d, "unacknowledged", 0) + jv_int(d, "unsent", 0));
    printf("\n");
}

void
describe_print(const struct jv *p)
{
    const struct jv *m = jv_get(p, "memory"), *fds = jv_get(p, "descriptors");

    printf("process %" PRId64 " %s: %s, group %" PRId64 ", session %" PRId64 "\n",
        jv_int(p, "pid", 0), jv_str(p, "name", ""), jv_str(p, "state", ""),
        jv_int(p, "group", 0), jv_int(p, "session", 0));
    if (!m)
        return;
    printf("  %s in %s, user %" PRId64 ", %" PRId64 " thread(s)\n",
        jv_str(p, "executable", ""), jv_str(p, "folder", ""), jv_int(p, "user", 0),
        jv_int(p, "threads", 0));
    printf("  %" PRId64 " mappings: %" PRId64 " MB anonymous, %" PRId64
           " MB of files, %" PRId64 " MB shared\n",
        jv_int(m, "mappings", 0), jv_int(m, "anonymous_kb", 0) >> 10,
        jv_int(m, "file_kb", 0) >> 10,
        (jv_int(m, "shared_kb", 0) + jv_int(m, "shared_file_kb", 0)) >> 10);
    for (size_t i = 0; i < jv_len(fds); i++)
        print_descriptor(jv_at(fds, i));
}
