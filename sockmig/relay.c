/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/relay.h"

#include "sockmig/core/packet.h"

#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define AT_ONCE 64 /* then the loop gets its turn */

/* What cannot be sent is as good as lost in the network. */
static void
send_on(int raw, const uint8_t *data, size_t size)
{
    struct sockaddr_in to = { .sin_family = AF_INET };
    struct packet pkt;
    ssize_t n;

    if (!packet_parse(&pkt, PACKET_OUT, data, size) || pkt.key.version != 4)
        return;
    memcpy(&to.sin_addr, pkt.key.remote, 4);
    n = sendto(raw, data, pkt.size, MSG_DONTWAIT, (struct sockaddr *)&to, sizeof to);
    (void)n;
}

static void
on_tun(struct loop_io *io, int fd, int events, void *arg)
{
    static uint8_t data[PACKET_MAX]; /* one thread */
    ssize_t n = 1;

    (void)io;
    (void)events;
    for (int i = 0; i < AT_ONCE && n > 0; i++) {
        n = read(fd, data, sizeof data);
        if (n > 0)
            send_on((int)(intptr_t)arg, data, (size_t)n);
    }
}

void
relay_begin(struct loop *loop, int tun, int raw)
{
    loop_io_new(loop, tun, LOOP_READ, on_tun, (void *)(intptr_t)raw);
}
