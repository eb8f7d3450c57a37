/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/driver.h"
#include "lib/fd.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

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
            .idiag_states = ~0u } };

    return send(fd, &msg, sizeof msg, 0) < 0 ? -errno : 0;
}

static void
count(struct readings *r, const struct inet_diag_msg *m)
{
    int64_t *to = m->idiag_state == TCP_ESTABLISHED ? &r->socket.established
                  : m->idiag_state == TCP_LISTEN    ? &r->socket.listening
                  : m->idiag_state == TCP_TIME_WAIT ? &r->socket.time_wait
                                                    : &r->socket.other;

    ++*to;
}

/* take - the answers to one question.  0 or -errno. */
static int
take(int fd, struct readings *r)
{
    static char bytes[32768] __attribute__((aligned(8))); /* one run at a time */

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
            count(r, NLMSG_DATA(h));
        }
    }
}

static int64_t
buffer_memory(void)
{
    char text[2048], *at;

    if (file_read("/proc/net/sockstat", text, sizeof text) <= 0)
        return MIB_NONE;
    at = strstr(text, "TCP:");
    at = at ? strstr(at, " mem ") : NULL;
    return at ? strtoll(at + 5, NULL, 10) * (sysconf(_SC_PAGESIZE) / 1024) : MIB_NONE;
}

/* Source: sock_diag(7) */
static enum watch_result
read_socket(struct readings *r, const struct driver_context *ctx, char *text)
{
    int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    int ret = fd < 0 ? -errno : ask(fd, AF_INET);

    (void)ctx;
    memset(&r->socket, 0, sizeof r->socket);
    if (ret == 0)
        ret = take(fd, r);
    if (ret == 0)
        ret = ask(fd, AF_INET6);
    if (ret == 0)
        ret = take(fd, r);
    fd_close(fd);
    r->socket.memory_kib = buffer_memory();
    if (ret == 0)
        return WATCH_READ;
    snapshot_text(text, SNAP_TEXT, strerror(-ret));
    return WATCH_ERROR;
}

const struct driver driver_socket = { "socket", { 5000, 3000, 1, 1 }, false, false,
    read_socket, NULL };
