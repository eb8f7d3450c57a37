/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * mcast_open.c - the channel's sockets and memory.
 *
 * One socket is bound to the node's own address: everything leaves by it, and what is
 * meant for this node alone comes in by it.  A datagram to the group is not delivered
 * to a socket that is bound to a unicast address: a second one is bound to the group.
 */
#include "sockmig/mcast_private.h"

#include "lib/log.h"
#include "sockmig/address.h"
#include "sockmig/prefault.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define SOCKET_BYTES (32 << 20)
#define MOST_MTU 9000 /* loopback has more than a frame can hold */

static int
failed(char *error, const char *what, int err, const char *cure)
{
    snprintf(error, MCAST_ERROR_LEN, "multicast channel: %s: %s; %s", what,
        strerror(err), cure);
    return -err;
}

static bool
same_host(const struct sockaddr *a, const struct sockaddr_storage *b)
{
    if (!a || a->sa_family != b->ss_family)
        return false;
    if (a->sa_family == AF_INET)
        return ((const struct sockaddr_in *)a)->sin_addr.s_addr ==
               ((const struct sockaddr_in *)b)->sin_addr.s_addr;
    return a->sa_family == AF_INET6 &&
           !memcmp(&((const struct sockaddr_in6 *)a)->sin6_addr,
               &((const struct sockaddr_in6 *)b)->sin6_addr, 16);
}

/* Index and MTU of the interface that has the address; 0: none has it. */
static unsigned
find_interface(int fd, const struct sockaddr_storage *sa, int *mtu)
{
    struct ifaddrs *list = NULL;
    struct ifreq ifr = { 0 };
    unsigned index = 0;

    if (getifaddrs(&list) < 0)
        return 0;
    for (const struct ifaddrs *i = list; i; i = i->ifa_next)
        if (same_host(i->ifa_addr, sa)) {
            snprintf(ifr.ifr_name, sizeof ifr.ifr_name, "%s", i->ifa_name);
            index = if_nametoindex(i->ifa_name);
        }
    freeifaddrs(list);
    *mtu = index && ioctl(fd, SIOCGIFMTU, &ifr) == 0 ? ifr.ifr_mtu : 1500;
    return index;
}

static void
set_int(int fd, int level, int name, int value)
{
    if (setsockopt(fd, level, name, &value, sizeof value) < 0)
        log_debug("multicast channel: socket option %d: %s", name, strerror(errno));
}

static int
new_socket(const struct mcast_address *at, int *out)
{
    int fd = socket(at->sa.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -errno;
    set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    set_int(fd, SOL_SOCKET, SO_RCVBUF, SOCKET_BYTES);
    set_int(fd, SOL_SOCKET, SO_SNDBUF, SOCKET_BYTES);
    set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, SOCKET_BYTES);
    set_int(fd, SOL_SOCKET, SO_SNDBUFFORCE, SOCKET_BYTES);
    set_int(fd, SOL_UDP, UDP_GRO, 1);
    if (bind(fd, (const struct sockaddr *)&at->sa, at->size) < 0) {
        int err = errno;

        close(fd);
        return -err;
    }
    *out = fd;
    return 0;
}

static int
join_group(struct mcast *m, unsigned interface)
{
    const struct sockaddr_in *v4 = (const void *)&m->group.sa;
    const struct sockaddr_in6 *v6 = (const void *)&m->group.sa;
    struct ip_mreqn r4 = { .imr_multiaddr = v4->sin_addr,
        .imr_ifindex = (int)interface };
    struct ipv6_mreq r6 = { .ipv6mr_interface = interface };
    int ret;

    if (v4->sin_family == AF_INET) {
        set_int(m->fd, IPPROTO_IP, IP_MULTICAST_LOOP, 0);
        set_int(m->fd, IPPROTO_IP, IP_MULTICAST_TTL, 1);
        ret = setsockopt(m->fd, IPPROTO_IP, IP_MULTICAST_IF, &r4, sizeof r4);
        if (ret == 0)
            ret = setsockopt(
                m->group_fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &r4, sizeof r4);
    } else {
        r6.ipv6mr_multiaddr = v6->sin6_addr;
        set_int(m->fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0);
        set_int(m->fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, (int)interface);
        ret = setsockopt(
            m->group_fd, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &r6, sizeof r6);
    }
    return ret < 0 ? -errno : 0;
}

/* The group, with the service's port; the interface gives a link-local one its scope.
 */
static void
make_group(struct mcast *m, const struct mcast_address *self, unsigned interface)
{
    const char *text = m->options.conf->multicast;
    struct sockaddr_in *v4 = (void *)&m->group.sa;
    struct sockaddr_in6 *v6 = (void *)&m->group.sa;

    m->group = *self;
    if (self->sa.ss_family == AF_INET) {
        inet_pton(AF_INET, text, &v4->sin_addr);
    } else {
        inet_pton(AF_INET6, text, &v6->sin6_addr);
        v6->sin6_scope_id = interface;
    }
}

int
mcast_sockets(struct mcast *m, char *error)
{
    const struct mcast_options *o = &m->options;
    struct mcast_address self = { .size = 0 };
    unsigned interface;
    int mtu = 1500, ret;

    if (!address_of_mcast(o->conf, o->service, o->self, &self.sa, &self.size))
        return failed(
            error, o->self->address, EINVAL, "give the node a numeric address");
    ret = new_socket(&self, &m->fd);
    if (ret < 0)
        return failed(error, o->self->address, -ret,
            "the node needs its address, and port + 2 * index + 1 must be free");
    interface = find_interface(m->fd, &self.sa, &mtu);
    m->payload = (size_t)(mtu < MOST_MTU ? mtu : MOST_MTU) - MCAST_OVERHEAD - 8 -
                 (self.sa.ss_family == AF_INET ? 20 : 40);
    if (!o->conf->multicast[0])
        return 0;
    make_group(m, &self, interface);
    ret = new_socket(&m->group, &m->group_fd);
    if (ret == 0)
        ret = join_group(m, interface);
    if (ret < 0)
        return failed(error, o->conf->multicast, -ret,
            "take another group, or none: then each standby gets its own copy");
    return 0;
}

static uint8_t *
map_memory(size_t size)
{
    void *p = prefault_map(size);

    if (p && mlock(p, size) < 0)
        log_debug("multicast channel: memory is not locked: %s", strerror(errno));
    return p;
}

int
mcast_memory(struct mcast *m, char *error)
{
    m->sent_ring = map_memory(m->ring_bytes);
    m->received_ring = map_memory(m->ring_bytes);
    m->arena = map_memory(MCAST_RUNS * MCAST_MESSAGE);
    m->inbox = map_memory(MCAST_BATCH * MCAST_MESSAGE);
    if (!m->sent_ring || !m->received_ring || !m->arena || !m->inbox)
        return failed(error, "no memory for the packet log", ENOMEM,
            "choose a smaller packet-log for the service");
    for (unsigned i = 0; i < MCAST_RUNS; i++)
        m->runs[i].bytes = m->arena + i * MCAST_MESSAGE;
    return 0;
}
