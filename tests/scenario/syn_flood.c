/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * syn_flood.c - connection requests that nobody means, for tests in a lab.
 *
 * usage: syn_flood SOURCE DESTINATION PORT PER-SECOND SECONDS   (IPv4)
 * Prints how many were sent.  Each has another source port and sequence number. */
#include "lib/fd.h"
#include "sockmig/core/packet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH 50
#define SYN_BYTES 64

struct flood {
    int fd;
    struct flow_key key;
    struct sockaddr_in to;
    uint32_t n;
    uint8_t packets[BATCH][SYN_BYTES];
};

static int64_t
now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void
make_syn(struct flood *f, uint8_t *packet)
{
    f->key.remote_port = (uint16_t)(1024 + f->n % 30000);
    packet_ack(packet, &f->key, PACKET_IN, f->n * 2654435761u, 0, 64000);
    packet[20 + 13] = TCP_SYN;
    packet_complete(packet, 40);
    f->n++;
}

static void
send_batch(struct flood *f)
{
    struct mmsghdr msgs[BATCH] = { 0 };
    struct iovec iov[BATCH];

    for (int i = 0; i < BATCH; i++) {
        make_syn(f, f->packets[i]);
        iov[i] = (struct iovec){ f->packets[i], 40 };
        msgs[i].msg_hdr = (struct msghdr){ .msg_name = &f->to,
            .msg_namelen = sizeof f->to,
            .msg_iov = &iov[i],
            .msg_iovlen = 1 };
    }
    if (sendmmsg(f->fd, msgs, BATCH, 0) < 0 && errno != ENOBUFS) {
        perror("sendmmsg");
        exit(1);
    }
}

int
main(int argc, char **argv)
{
    struct flood f = { .key = { .version = 4, .protocol = IPPROTO_TCP } };
    int64_t begin = now_us(), end, rate;

    if (argc != 6 || inet_pton(AF_INET, argv[1], f.key.remote) != 1 ||
        inet_pton(AF_INET, argv[2], f.key.local) != 1) {
        fprintf(
            stderr, "usage: syn_flood SOURCE DESTINATION PORT PER-SECOND SECONDS\n");
        return 2;
    }
    f.key.local_port = (uint16_t)atoi(argv[3]);
    rate = atoi(argv[4]);
    end = begin + atoi(argv[5]) * 1000000ll;
    f.to = (struct sockaddr_in){ .sin_family = AF_INET };
    memcpy(&f.to.sin_addr, f.key.local, 4);
    f.fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
    if (f.fd < 0) {
        perror("raw socket");
        return 1;
    }
    while (now_us() < end) {
        send_batch(&f);
        while ((now_us() - begin) * rate / 1000000 < f.n && now_us() < end)
            usleep(200);
    }
    printf("%u\n", f.n);
    fd_close(f.fd);
    return 0;
}
