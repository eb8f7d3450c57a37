/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/cli/demo_connect.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define CONNECT_MS 10000

int
demo_connect(const struct sockaddr_storage *to, socklen_t size)
{
    int fd = socket(to->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int one = 1, error = 0;
    socklen_t len = sizeof error;
    struct pollfd p = { fd, POLLOUT, 0 };

    if (fd < 0)
        return -errno;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(fd, (const struct sockaddr *)to, size) < 0 && errno != EINPROGRESS)
        error = errno;
    else if (poll(&p, 1, CONNECT_MS) != 1)
        error = ETIMEDOUT;
    else
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
    if (!error)
        return fd;
    close(fd);
    return -error;
}

bool
demo_address(
    const char *text, const char *port, struct sockaddr_storage *out, socklen_t *size)
{
    const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
        .ai_socktype = SOCK_STREAM };
    struct addrinfo *found;

    if (getaddrinfo(text, port, &hints, &found) != 0)
        return false;
    memcpy(out, found->ai_addr, found->ai_addrlen);
    *size = found->ai_addrlen;
    freeaddrinfo(found);
    return true;
}
