/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/alone/claim.h"

#include "lib/fd.h"
#include "lib/loop.h"
#include "sockmig/core/frames.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ASK_TIMES 3
#define ASK_MS 200

/* Another device of ours in the same segment answers, too. */
static bool
is_ours(const struct ifaddrs *all, const uint8_t mac[6])
{
    for (const struct ifaddrs *a = all; a; a = a->ifa_next) {
        struct sockaddr_ll ll;

        if (!a->ifa_addr || a->ifa_addr->sa_family != AF_PACKET)
            continue;
        memcpy(&ll, a->ifa_addr, sizeof ll);
        if (ll.sll_halen == 6 && !memcmp(ll.sll_addr, mac, 6))
            return true;
    }
    return false;
}

static bool
own_mac(const struct ifaddrs *all, const char *device, uint8_t mac[6])
{
    for (const struct ifaddrs *a = all; a; a = a->ifa_next) {
        struct sockaddr_ll ll;

        if (!a->ifa_addr || a->ifa_addr->sa_family != AF_PACKET ||
            strcmp(a->ifa_name, device) != 0)
            continue;
        memcpy(&ll, a->ifa_addr, sizeof ll);
        memcpy(mac, ll.sll_addr, 6);
        return ll.sll_halen == 6;
    }
    return false;
}

/* A solicited-node group is the prober's to join: its answers go there. */
static int
open_on(const struct vip *v, struct sockaddr_ll *at)
{
    uint16_t protocol = htons(v->family == AF_INET ? ETH_P_ARP : ETH_P_IPV6);
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), ret = 0;
    struct packet_mreq all = { .mr_type = PACKET_MR_ALLMULTI };

    if (fd < 0)
        return -errno;
    *at = (struct sockaddr_ll){ .sll_family = AF_PACKET,
        .sll_protocol = protocol,
        .sll_ifindex = (int)if_nametoindex(v->device) };
    all.mr_ifindex = at->sll_ifindex;
    if (bind(fd, (struct sockaddr *)at, sizeof *at) < 0 ||
        setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof all) < 0)
        ret = -errno;
    if (ret < 0)
        fd_close(fd);
    return ret < 0 ? ret : fd;
}

static int
listen_for(int fd, const struct vip *v, const struct ifaddrs *all, uint8_t mac[6])
{
    struct mono until = mono_add_ms(mono_clock(), ASK_MS);
    struct pollfd p = { .fd = fd, .events = POLLIN };

    while (mono_before(mono_clock(), until)) {
        uint8_t frame[2048];
        ssize_t n;

        if (poll(&p, 1, 20) <= 0)
            continue;
        n = recv(fd, frame, sizeof frame, MSG_DONTWAIT);
        if (n > 0 &&
            frames_claims(frame, (size_t)n, v->family == AF_INET6, v->bytes, mac) &&
            !is_ours(all, mac))
            return 1;
    }
    return 0;
}

int
claim_look(const struct vip *v, uint8_t mac[6])
{
    struct ifaddrs *all = NULL;
    struct sockaddr_ll at;
    struct frame f;
    uint8_t own[6];
    int fd, ret;

    if (getifaddrs(&all) < 0)
        return -errno;
    fd = open_on(v, &at);
    ret = fd < 0 ? fd : own_mac(all, v->device, own) ? 0 : -ENODEV;
    if (ret == 0 && v->family == AF_INET)
        frames_arp_probe(&f, own, v->bytes);
    else if (ret == 0)
        frames_ns_probe(&f, own, v->bytes);
    for (int i = 0; i < ASK_TIMES && ret == 0; i++) {
        if (sendto(fd, f.bytes, f.size, 0, (struct sockaddr *)&at, sizeof at) < 0)
            ret = -errno;
        else
            ret = listen_for(fd, v, all, mac);
    }
    fd_close(fd);
    freeifaddrs(all);
    return ret;
}
