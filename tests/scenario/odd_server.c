/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * odd_server.c - a small echo server, and what it holds besides.
 *
 *     odd_server PORT plain|udp|uring
 *
 * udp and uring cannot be checkpointed: the service runs on unprotected, and says so.
 * Built twice with another BUILD, it is another build of the same program. */
#include <arpa/inet.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef BUILD
#define BUILD "one"
#endif

#define CLIENTS 15

const char build[] = "build " BUILD; /* in the file, so that the files differ */

static int
hold(const char *what)
{
    struct io_uring_params p;

    memset(&p, 0, sizeof p);
    if (!strcmp(what, "udp"))
        return socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (!strcmp(what, "uring"))
        return (int)syscall(SYS_io_uring_setup, 4, &p);
    return 0;
}

/* 0: the connection is over. */
static int
echo(int fd)
{
    char data[4096];
    ssize_t n = read(fd, data, sizeof data);

    return n > 0 && write(fd, data, (size_t)n) == n;
}

int
main(int argc, char **argv)
{
    struct sockaddr_in at = { .sin_family = AF_INET };
    struct pollfd fds[1 + CLIENTS];
    int one = 1;

    if (argc != 3 || hold(argv[2]) < 0)
        return 2;
    puts(build);
    at.sin_port = htons((uint16_t)atoi(argv[1]));
    for (int i = 0; i <= CLIENTS; i++)
        fds[i] = (struct pollfd){ .fd = -1, .events = POLLIN };
    fds[0].fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fds[0].fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fds[0].fd, (struct sockaddr *)&at, sizeof at) < 0 ||
        listen(fds[0].fd, 8) < 0)
        return 1;
    while (poll(fds, 1 + CLIENTS, -1) >= 0)
        for (int i = 0; i <= CLIENTS; i++) {
            if (fds[i].fd < 0 || !fds[i].revents)
                continue;
            if (i > 0 && !echo(fds[i].fd)) {
                close(fds[i].fd);
                fds[i].fd = -1;
            }
            for (int k = 1; i == 0 && k <= CLIENTS; k++)
                if (fds[k].fd < 0) {
                    fds[k].fd = accept(fds[0].fd, NULL, NULL);
                    break;
                }
        }
    return 1;
}
