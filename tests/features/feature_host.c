/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/features/feature_host.h"

#include "sockmig/core/packet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define TUN "rp0"
#define PEER_ISN 1000

static int
set_address(int s, unsigned long what, const char *text)
{
    struct ifreq request = { .ifr_name = TUN };
    struct sockaddr_in sa = { .sin_family = AF_INET };

    inet_pton(AF_INET, text, &sa.sin_addr);
    memcpy(&request.ifr_addr, &sa, sizeof sa);
    return ioctl(s, what, &request);
}

int
feature_host(int *tun)
{
    struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_MULTICAST };
    int s, ret = 0;

    if (unshare(CLONE_NEWNET) < 0)
        return -errno;
    s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ioctl(s, SIOCSIFFLAGS, &request);
    *tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    request = (struct ifreq){ .ifr_name = TUN, .ifr_flags = IFF_TUN | IFF_NO_PI };
    if (ioctl(*tun, TUNSETIFF, &request) < 0 ||
        set_address(s, SIOCSIFADDR, FEATURE_HOST_OWN) < 0 ||
        set_address(s, SIOCSIFNETMASK, "255.255.255.0") < 0)
        ret = -errno;
    request.ifr_flags = IFF_UP;
    ioctl(s, SIOCSIFFLAGS, &request);
    close(s);
    return ret < 0 ? ret : open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
}

static size_t
answer(const struct packet *syn, uint8_t *out)
{
    struct packet_tcp tcp = { .seq = PEER_ISN,
        .ack = syn->tcp.seq + 1,
        .window = 1000,
        .mss = 1400,
        .wscale = PACKET_NO_WSCALE };

    if (syn->key.local_port == FEATURE_HOST_REFUSES)
        return packet_rst(out, &syn->key, PACKET_OUT, 0, syn->tcp.seq + 1);
    return packet_synack(out, &syn->key, &tcp);
}

void
feature_host_answer(int tun)
{
    static uint8_t asked[PACKET_MAX], out[PACKET_BUILT];
    struct packet pkt;
    ssize_t n;

    while ((n = read(tun, asked, sizeof asked)) > 0)
        if (packet_parse(&pkt, PACKET_IN, asked, (size_t)n) && packet_is_tcp(&pkt) &&
            pkt.tcp.flags == TCP_SYN && write(tun, out, answer(&pkt, out)) < 0)
            return;
}
