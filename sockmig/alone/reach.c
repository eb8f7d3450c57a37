/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/alone/reach.h"

#include "lib/fd.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#define CONNECT_S 5

static bool
split(const char *text, char host[256], char port[16])
{
    const char *end = text + strcspn(text, ":");
    size_t n;

    snprintf(port, 16, "%d", REACH_PORT);
    if (*text == '[') {
        text++;
        end = strchr(text, ']');
        if (!end || (end[1] && end[1] != ':'))
            return false;
        if (end[1])
            snprintf(port, 16, "%s", end + 2);
    } else if (*end && !strchr(end + 1, ':')) {
        snprintf(port, 16, "%s", end + 1);
    } else {
        end = text + strlen(text); /* none, or an IPv6 address */
    }
    n = (size_t)(end - text);
    if (n == 0 || n > 255)
        return false;
    memcpy(host, text, n);
    host[n] = '\0';
    return true;
}

/* @from: the own address; NULL: any */
static int
connect_one(const struct addrinfo *a, const struct sockaddr *from)
{
    const struct timeval limit = { CONNECT_S, 0 };
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0), ret;

    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if ((!from || bind(fd, from, a->ai_addrlen) == 0) &&
        connect(fd, a->ai_addr, a->ai_addrlen) == 0)
        return fd;
    ret = errno == EINPROGRESS ? -ETIMEDOUT : -errno;
    fd_close(fd);
    return ret;
}

static bool
leaves(const struct sockaddr *own, const struct vip *vips, unsigned n)
{
    struct vip v;

    if (!vip_of(own, &v))
        return false;
    for (unsigned i = 0; i < n; i++)
        if (vips[i].family == v.family &&
            !memcmp(vips[i].bytes, v.bytes, sizeof v.bytes))
            return true;
    return false;
}

/* The kernel chose an address that is about to leave this host. */
static int
connect_from_another(const struct addrinfo *a, const struct vip *vips, unsigned n)
{
    struct ifaddrs *all = NULL;
    int fd = -EADDRNOTAVAIL;

    if (getifaddrs(&all) < 0)
        return -errno;
    for (struct ifaddrs *i = all; i && fd < 0; i = i->ifa_next)
        if (i->ifa_addr && i->ifa_addr->sa_family == a->ai_family &&
            !(i->ifa_flags & IFF_LOOPBACK) && !leaves(i->ifa_addr, vips, n))
            fd = connect_one(a, i->ifa_addr);
    freeifaddrs(all);
    return fd;
}

static int
connect_staying(const struct addrinfo *a, const struct vip *vips, unsigned n)
{
    struct sockaddr_storage own;
    socklen_t size = sizeof own;
    int fd = connect_one(a, NULL);

    if (fd < 0 || getsockname(fd, (struct sockaddr *)&own, &size) < 0 ||
        !leaves((struct sockaddr *)&own, vips, n))
        return fd;
    fd_close(fd);
    return connect_from_another(a, vips, n);
}

static void
explain(const char *host, int ret, char *error, size_t size)
{
    if (ret == -EADDRNOTAVAIL)
        snprintf(error, size,
            "this host has no other address to reach %s from than "
            "those that move: give it one",
            host);
    else
        snprintf(error, size, "%s: %s: is \"sockmig receive\" running there?", host,
            strerror(-ret));
}

int
reach_host(
    const char *host, const struct vip *vips, unsigned nvips, char *error, size_t size)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *all = NULL;
    char name[256], port[16];
    int fd = -EINVAL, e;

    if (!split(host, name, port)) {
        snprintf(error, size, "%s: not HOST, HOST:PORT or [ADDRESS]:PORT", host);
        return -EINVAL;
    }
    e = getaddrinfo(name, port, &hints, &all);
    if (e != 0) {
        snprintf(error, size, "%s: %s", host, gai_strerror(e));
        return -EHOSTUNREACH;
    }
    for (const struct addrinfo *a = all; a && fd < 0; a = a->ai_next)
        fd = connect_staying(a, vips, nvips);
    freeaddrinfo(all);
    if (fd < 0)
        explain(host, fd, error, size);
    return fd;
}
