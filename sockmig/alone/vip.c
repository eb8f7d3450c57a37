/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/alone/vip.h"

#include "lib/fd.h"
#include "sockmig/alone/hostroute.h"
#include "sockmig/core/frames.h"
#include "sockmig/netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <netpacket/packet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static unsigned
all_bits(int family)
{
    return family == AF_INET ? 32 : 128;
}

bool
vip_parse(const char *text, bool host_bits, struct vip *out)
{
    char address[64], *end;
    const char *slash = strchr(text, '/');
    size_t n = slash ? (size_t)(slash - text) : strlen(text);
    unsigned long bits = 0;

    *out = (struct vip){ .family = memchr(text, ':', n) ? AF_INET6 : AF_INET };
    if (n >= sizeof address)
        return false;
    memcpy(address, text, n);
    address[n] = '\0';
    if (inet_pton(out->family, address, out->bytes) != 1)
        return false;
    if (slash) {
        bits = strtoul(slash + 1, &end, 10);
        if (*end || end == slash + 1 || bits == 0 || bits > all_bits(out->family))
            return false;
    }
    out->bits = slash ? (unsigned)bits : host_bits ? all_bits(out->family) : 0;
    return true;
}

bool
vip_add_to(struct vip *list, unsigned *n, unsigned max, const char *text,
    bool host_bits, char *error)
{
    if (*n == max)
        snprintf(error, VIP_ERROR, "%.80s: %u addresses are the most", text, max);
    else if (!vip_parse(text, host_bits, &list[*n]))
        snprintf(error, VIP_ERROR,
            "%.80s: not an address: write 192.0.2.7 or 2001:db8::7, with /24 or the "
            "like for its prefix",
            text);
    else
        return ++*n > 0;
    return false;
}

const char *
vip_text(const struct vip *v)
{
    static char text[INET6_ADDRSTRLEN + 16];
    char address[INET6_ADDRSTRLEN];

    inet_ntop(v->family, v->bytes, address, sizeof address);
    if (v->bits)
        snprintf(text, sizeof text, "%s/%u", address, v->bits);
    else
        snprintf(text, sizeof text, "%s", address);
    return text;
}

bool
vip_of(const struct sockaddr *a, struct vip *out)
{
    struct sockaddr_in6 six;
    struct sockaddr_in four;

    *out = (struct vip){ .family = a->sa_family };
    if (a->sa_family == AF_INET) {
        memcpy(&four, a, sizeof four);
        memcpy(out->bytes, &four.sin_addr, 4);
        return true;
    }
    if (a->sa_family != AF_INET6)
        return false;
    memcpy(&six, a, sizeof six);
    if (IN6_IS_ADDR_V4MAPPED(&six.sin6_addr)) {
        out->family = AF_INET;
        memcpy(out->bytes, six.sin6_addr.s6_addr + 12, 4);
    } else {
        memcpy(out->bytes, &six.sin6_addr, 16);
    }
    return true;
}

static const uint8_t *
bytes_of(const struct sockaddr *a)
{
    return a->sa_family == AF_INET
               ? (const uint8_t *)&((const struct sockaddr_in *)a)->sin_addr
               : (const uint8_t *)&((const struct sockaddr_in6 *)a)->sin6_addr;
}

unsigned
vip_mask_bits(const struct sockaddr *mask, int family)
{
    unsigned bits = 0;

    for (unsigned i = 0; mask && i < all_bits(family) / 8; i++)
        bits += (unsigned)__builtin_popcount(bytes_of(mask)[i]);
    return bits;
}

static bool
is_it(const struct ifaddrs *a, const struct vip *v)
{
    return a->ifa_addr && a->ifa_addr->sa_family == v->family &&
           !memcmp(bytes_of(a->ifa_addr), v->bytes, all_bits(v->family) / 8);
}

bool
vip_is_link_local(const struct vip *v)
{
    return v->family == AF_INET
               ? v->bytes[0] == 127 || (v->bytes[0] == 169 && v->bytes[1] == 254)
               : v->bytes[0] == 0xfe && (v->bytes[1] & 0xc0) == 0x80;
}

bool
vip_same_network(const struct vip *net, const struct vip *v)
{
    for (unsigned i = 0; i < net->bits; i++)
        if ((net->bytes[i / 8] ^ v->bytes[i / 8]) & (0x80 >> i % 8))
            return false;
    return net->family == v->family;
}

static bool
same_network(const struct ifaddrs *a, const struct vip *v)
{
    struct vip other;

    return a->ifa_addr && vip_of(a->ifa_addr, &other) && other.family == v->family &&
           !strcmp(a->ifa_name, v->device) &&
           vip_mask_bits(a->ifa_netmask, v->family) == v->bits &&
           vip_same_network(v, &other);
}

static bool
promotes(const char *device)
{
    const char *const where[] = { "all", device };
    char path[96], text[16];

    for (unsigned i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "/proc/sys/net/ipv4/conf/%s/promote_secondaries",
            where[i]);
        if (file_read(path, text, sizeof text) > 0 && text[0] == '1')
            return true;
    }
    return false;
}

/* The first IPv4 address of a network takes the others with it (net/ipv4/devinet.c);
 * getifaddrs() has them in the kernel's order. */
static int
check_others(const struct ifaddrs *all, const struct ifaddrs *at, const struct vip *v,
    char *error)
{
    if (v->family != AF_INET || promotes(v->device))
        return 0;
    for (; all != at; all = all->ifa_next)
        if (same_network(all, v))
            return 0;
    for (at = at->ifa_next; at; at = at->ifa_next)
        if (same_network(at, v)) {
            snprintf(error, VIP_ERROR,
                "%s is the first address of its network on %s, others would go with "
                "it: sysctl -w net.ipv4.conf.%s.promote_secondaries=1",
                vip_text(v), v->device, v->device);
            return -EBUSY;
        }
    return 0;
}

int
vip_find(struct vip *v, char *error)
{
    struct ifaddrs *all = NULL;
    int ret = -EADDRNOTAVAIL;

    if (getifaddrs(&all) < 0)
        return -errno;
    for (const struct ifaddrs *a = all; a; a = a->ifa_next) {
        unsigned bits;

        if (!is_it(a, v))
            continue;
        bits = vip_mask_bits(a->ifa_netmask, v->family);
        if (v->bits && v->bits != bits)
            continue;
        v->bits = bits;
        snprintf(v->device, sizeof v->device, "%.15s", a->ifa_name);
        v->device[strcspn(v->device, ":")] = '\0'; /* an alias has a label */
        ret = check_others(all, a, v, error);
        break;
    }
    freeifaddrs(all);
    if (ret == -EADDRNOTAVAIL)
        snprintf(error, VIP_ERROR, "%s is no address of this host", vip_text(v));
    if (ret == 0)
        v->routed = hostroute_find(v, &v->table) == 1;
    return ret;
}

bool
vip_leaves_alone(const struct vip *v, char *error)
{
    struct ifaddrs *all = NULL;
    bool alone = true;

    if (getifaddrs(&all) < 0)
        return true;
    for (const struct ifaddrs *a = all; a && alone; a = a->ifa_next)
        if (is_it(a, v) && vip_mask_bits(a->ifa_netmask, v->family) == v->bits &&
            !strncmp(a->ifa_name, v->device, strcspn(a->ifa_name, ":")))
            alone = check_others(all, a, v, error) == 0;
    freeifaddrs(all);
    return alone;
}

unsigned
vip_network_bits(const struct vip *v, const char *device, unsigned *naddresses)
{
    struct ifaddrs *all = NULL;
    unsigned bits = all_bits(v->family);

    *naddresses = 0;
    if (getifaddrs(&all) < 0)
        return bits;
    for (const struct ifaddrs *a = all; a; a = a->ifa_next) {
        struct vip other;

        if (!a->ifa_addr || strcmp(a->ifa_name, device) != 0 ||
            !vip_of(a->ifa_addr, &other) || other.family != v->family ||
            vip_is_link_local(&other) || is_it(a, v))
            continue;
        ++*naddresses;
        other.bits = vip_mask_bits(a->ifa_netmask, v->family);
        if (other.bits < bits && vip_same_network(&other, v))
            bits = other.bits;
    }
    freeifaddrs(all);
    return bits;
}

void
vip_host_route(struct vip *v, unsigned table)
{
    snprintf(v->device, sizeof v->device, HOSTROUTE_DEVICE);
    v->bits = all_bits(v->family);
    v->routed = true;
    v->table = table;
}

static bool
is_anywhere(const struct vip *v, const char *device)
{
    struct ifaddrs *all = NULL;
    bool here = false;

    if (getifaddrs(&all) < 0)
        return false;
    for (const struct ifaddrs *a = all; a && !here; a = a->ifa_next)
        here = is_it(a, v) && (!device || !strcmp(a->ifa_name, device));
    freeifaddrs(all);
    return here;
}

bool
vip_is_here(const struct vip *v)
{
    return is_anywhere(v, NULL);
}

bool
vip_is_on(const struct vip *v)
{
    return is_anywhere(v, v->device);
}

static int
change(const struct vip *v, bool add)
{
    struct netlink_ip ip = { .family = v->family, .bits = v->bits };
    struct netlink *nl = NULL;
    struct netlink_link link;
    int ret = netlink_open(&nl);

    memcpy(ip.bytes, v->bytes, sizeof ip.bytes);
    if (ret == 0)
        ret = netlink_link(nl, v->device, &link);
    if (ret == 0)
        ret = add ? netlink_address(nl, link.index, &ip, false)
                  : netlink_address_remove(nl, link.index, &ip);
    netlink_close(nl);
    return ret;
}

int
vip_add(const struct vip *v)
{
    int ret = change(v, true);

    if (ret == -EEXIST)
        ret = 0;
    return ret == 0 && v->routed ? hostroute_set(v, v->table, true) : ret;
}

int
vip_remove(const struct vip *v)
{
    int ret = change(v, false);

    if (v->routed)
        hostroute_set(v, v->table, false);
    return ret == -EADDRNOTAVAIL ? 0 : ret;
}

int
vip_announcer(void)
{
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

    return fd < 0 ? -errno : fd;
}

int
vip_announce_by(int sock, const struct vip *v)
{
    struct sockaddr_ll to = { .sll_family = AF_PACKET,
        .sll_protocol = htons(ETH_P_ALL) };
    struct frame frames[2];
    struct ifreq req = { .ifr_name = "" };
    uint8_t mac[6];

    if (v->routed)
        return 0;
    snprintf(req.ifr_name, sizeof req.ifr_name, "%s", v->device);
    to.sll_ifindex = (int)if_nametoindex(v->device);
    if (to.sll_ifindex == 0 || ioctl(sock, SIOCGIFHWADDR, &req) < 0)
        return -errno;
    memcpy(mac, req.ifr_hwaddr.sa_data, sizeof mac);
    if (v->family == AF_INET) {
        frames_arp(&frames[0], mac, v->bytes, false);
        frames_arp(&frames[1], mac, v->bytes, true);
    } else {
        frames_na(&frames[0], mac, v->bytes);
        frames_mld(&frames[1], mac, v->bytes);
    }
    for (unsigned i = 0; i < 2; i++)
        if (sendto(sock, frames[i].bytes, frames[i].size, 0, (struct sockaddr *)&to,
                sizeof to) < 0)
            return -errno;
    return 0;
}

int
vip_announce(const struct vip *v)
{
    int sock = vip_announcer(), ret = sock;

    if (sock >= 0)
        ret = vip_announce_by(sock, v);
    fd_close(sock);
    return ret;
}
