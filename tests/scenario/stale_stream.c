/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * stale_stream.c - what an active node of another epoch would do: open the stream of
 * checkpoints to a standby, rightly sealed.
 *
 *     stale_stream SECRET-FILE SERVICE ACTIVE-ID STANDBY-ID ADDRESS PORT EPOCH
 *
 * Exit: 0 if the standby closed the stream, 1 if it did not. */
#include "sockmig/stream.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static int
connect_to(const char *address, const char *port)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
        .sin_port = htons((uint16_t)atoi(port)) };
    struct timeval limit = { 5, 0 };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (inet_pton(AF_INET, address, &to.sin_addr) != 1 ||
        connect(fd, (struct sockaddr *)&to, sizeof to) < 0) {
        perror(address);
        exit(2);
    }
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    return fd;
}

int
main(int argc, char **argv)
{
    char error[SEAL_ERROR_LEN];
    uint8_t body[64], frame[STREAM_HELLO], more[1];
    struct writer w = writer_init(body, sizeof body);
    struct seal_secret secret;
    struct wire_hello hello = { .next = 1, .session = 7 };
    struct stream_pair pair;
    size_t n;
    int fd;

    if (argc != 8 || !seal_secret_read(argv[1], &secret, error))
        return 2;
    hello.epoch = strtoull(argv[7], NULL, 10);
    pair = (struct stream_pair){ &secret, argv[2], (unsigned)atoi(argv[3]),
        (unsigned)atoi(argv[4]), { 0 } };
    fd = connect_to(argv[5], argv[6]);
    if (recv(fd, pair.challenge, WIRE_CHALLENGE, MSG_WAITALL) != WIRE_CHALLENGE)
        return 2;
    wire_put_hello(&w, &hello);
    n = stream_seal_small(&pair, true, 1, body, w.pos, frame);
    if (n != STREAM_HELLO || send(fd, frame, n, MSG_NOSIGNAL) != (ssize_t)n)
        return 2;
    return recv(fd, more, sizeof more, 0) == 0 ? 0 : 1;
}
