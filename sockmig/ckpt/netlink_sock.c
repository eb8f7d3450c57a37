/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/ckpt/netlink_sock.h"

#include "lib/fd.h"
#include "sockmig/ckpt/repair.h"

#include <errno.h>
#include <linux/netlink.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

/* The place of a row is its index in image_netlink.options. */
static const struct {
    int level, name;
} options[] = {
    { SOL_NETLINK, NETLINK_PKTINFO },
    { SOL_NETLINK, NETLINK_BROADCAST_ERROR },
    { SOL_NETLINK, NETLINK_NO_ENOBUFS },
    { SOL_NETLINK, NETLINK_LISTEN_ALL_NSID },
    { SOL_NETLINK, NETLINK_CAP_ACK },
    { SOL_NETLINK, NETLINK_EXT_ACK },
    { SOL_NETLINK, NETLINK_GET_STRICT_CHK },
    { SOL_SOCKET, SO_PASSCRED },
};
#define NOPTIONS (sizeof options / sizeof options[0])
_Static_assert(NOPTIONS <= IMAGE_NETLINK_OPTIONS, "a place for each");

static bool
is_known(int protocol)
{
    return protocol == NETLINK_ROUTE || protocol == NETLINK_KOBJECT_UEVENT ||
           protocol == NETLINK_SOCK_DIAG;
}

const char *
netlink_look(int sock, int protocol, struct image_netlink *out, bool *waits)
{
    struct pollfd p = { .fd = sock, .events = POLLIN };
    struct sockaddr_nl at = { 0 };
    socklen_t n = sizeof at, groups = sizeof out->groups, filter = 0;

    memset(out, 0, sizeof *out);
    *waits = false;
    if (!is_known(protocol))
        return "netlink socket that is not about routes";
    if (getsockname(sock, (struct sockaddr *)&at, &n) < 0)
        return "netlink socket without a name";
    if (getsockopt(sock, SOL_SOCKET, SO_GET_FILTER, NULL, &filter) == 0 && filter > 0)
        return "netlink socket with a filter";
    out->protocol = protocol;
    out->port = at.nl_pid;
    if (getsockopt(sock, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, out->groups, &groups) <
            0 ||
        groups > sizeof out->groups)
        return "netlink socket in too many groups";
    for (size_t i = 0; i < NOPTIONS; i++)
        out->options[i] = repair_get(sock, options[i].level, options[i].name);
    out->sndbuf = repair_get(sock, SOL_SOCKET, SO_SNDBUF);
    out->rcvbuf = repair_get(sock, SOL_SOCKET, SO_RCVBUF);
    *waits = poll(&p, 1, 0) > 0 && (p.revents & POLLIN);
    return NULL;
}

static int
join(int sock, const struct image_netlink *im)
{
    const int bits = 8 * (int)sizeof im->groups[0];

    for (int i = 0; i < bits * IMAGE_NETLINK_GROUPS; i++)
        if ((im->groups[i / bits] >> i % bits & 1) &&
            repair_set(sock, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, i + 1) < 0)
            return -errno;
    return 0;
}

int
netlink_restore(const struct image_netlink *im, uint32_t type)
{
    int sock = socket(AF_NETLINK, (int)type | SOCK_CLOEXEC, im->protocol), ret = 0;
    struct sockaddr_nl at = { .nl_family = AF_NETLINK, .nl_pid = im->port };

    if (sock < 0)
        return -errno;
    if (im->port && bind(sock, (struct sockaddr *)&at, sizeof at) < 0)
        ret = -errno;
    if (ret == 0)
        ret = join(sock, im);
    for (size_t i = 0; i < NOPTIONS && ret == 0; i++)
        if (im->options[i] > 0 &&
            repair_set(sock, options[i].level, options[i].name, im->options[i]) < 0)
            ret = -errno;
    if (ret == 0 &&
        (repair_set(sock, SOL_SOCKET, SO_SNDBUFFORCE, im->sndbuf / 2) < 0 ||
            repair_set(sock, SOL_SOCKET, SO_RCVBUFFORCE, im->rcvbuf / 2) < 0))
        ret = -errno;
    if (ret == 0)
        return sock;
    fd_close(sock);
    return ret;
}
