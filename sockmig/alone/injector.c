/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/alone/injector.h"

#include "lib/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* 2: a source is believed if there is any route to it, unless the device has no address
 * (net/ipv4/fib_frontend.c).  IPv6 has no such check; the device shall say nothing of
 * its own. */
static void
settle(const char *name)
{
    char path[96];

    snprintf(path, sizeof path, "/proc/sys/net/ipv4/conf/%s/rp_filter", name);
    file_write(path, "2");
    snprintf(path, sizeof path, "/proc/sys/net/ipv6/conf/%s/addr_gen_mode", name);
    file_write(path, "1");
}

static int
bring_up(struct ifreq *req)
{
    const struct sockaddr_in dummy = { .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(0xc0000008) }; /* 192.0.0.8, RFC 7600 */
    int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), ret = 0;

    memcpy(&req->ifr_addr, &dummy, sizeof dummy);
    if (sock < 0 || ioctl(sock, SIOCSIFADDR, req) < 0)
        ret = -errno;
    req->ifr_flags = IFF_UP;
    if (ret == 0 && ioctl(sock, SIOCSIFFLAGS, req) < 0)
        ret = -errno;
    fd_close(sock);
    return ret;
}

int
injector_open(void)
{
    struct ifreq req = { .ifr_name = INJECTOR_NAME "%d",
        .ifr_flags = IFF_TUN | IFF_NO_PI };
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC), ret = 0;

    if (fd < 0)
        return -errno;
    if (ioctl(fd, TUNSETIFF, &req) < 0) {
        ret = -errno;
    } else {
        settle(req.ifr_name);
        ret = bring_up(&req);
    }
    if (ret < 0) {
        fd_close(fd);
        fd = ret;
    }
    return fd;
}
