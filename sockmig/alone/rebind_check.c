/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * rebind_check.c - where an address is, and whether it can go to another device. */
#include "sockmig/alone/rebind.h"

#include "lib/fd.h"
#include "sockmig/alone/bound.h"
#include "sockmig/alone/claim.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

int
rebind_fail(struct rebind *r, int ret, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(r->error, sizeof r->error, fmt, ap);
    va_end(ap);
    return ret;
}

static unsigned
all_bits(const struct vip *v)
{
    return v->family == AF_INET ? 32 : 128;
}

/* ---- where it is */

/* It comes back without being asked for: that it is ours is known. */
static void
no_detection(struct rtnl_message *m)
{
    struct nlmsghdr *h = (struct nlmsghdr *)m->bytes;
    void *at = (void *)(uintptr_t)rtnl_find(
        h, sizeof(struct ifaddrmsg), IFA_FLAGS, sizeof(uint32_t));
    uint32_t flags;

    if (!at)
        return;
    memcpy(&flags, at, sizeof flags);
    flags = (flags & ~(uint32_t)(IFA_F_TENTATIVE | IFA_F_DADFAILED)) | IFA_F_NODAD;
    memcpy(at, &flags, sizeof flags);
}

static int
each_address(const struct nlmsghdr *h, void *arg)
{
    const struct ifaddrmsg *m = NLMSG_DATA(h);
    struct rebind *r = arg;
    size_t size = all_bits(&r->to) / 8;
    const void *peer = rtnl_find(h, sizeof *m, IFA_ADDRESS, size);
    const void *local = rtnl_find(h, sizeof *m, IFA_LOCAL, size);
    struct rebind_place *p = &r->places[r->nplaces];

    if (h->nlmsg_type != RTM_NEWADDR || m->ifa_family != r->to.family)
        return 0;
    local = local ? local : peer;
    if (!local || memcmp(local, r->to.bytes, size) != 0)
        return 0;
    if (peer && memcmp(local, peer, size) != 0)
        return rebind_fail(r, -EOPNOTSUPP,
            "%s is the near end of a line to another address: only addresses of "
            "networks can be rebound",
            vip_text(&r->to));
    if (r->nplaces == REBIND_PLACES || !rtnl_keep(&p->message, h, RTM_NEWADDR))
        return -E2BIG;
    no_detection(&p->message);
    p->device = m->ifa_index;
    p->bits = m->ifa_prefixlen;
    r->nplaces++;
    return 0;
}

static void
choose_prefix(struct rebind *r)
{
    unsigned ignored;

    r->at = r->to;
    if (r->route) {
        r->at.bits = all_bits(&r->to);
        snprintf(r->at.device, sizeof r->at.device, HOSTROUTE_DEVICE);
    }
    for (unsigned i = 0; i < r->nplaces && r->at.bits == 0; i++)
        if (r->places[i].bits < all_bits(&r->to))
            r->at.bits = r->places[i].bits;
    if (r->at.bits == 0)
        r->at.bits = vip_network_bits(&r->to, r->to.device, &ignored);
    r->put = if_nametoindex(r->at.device);
}

int
rebind_find(struct rebind *r)
{
    int ret;

    if (vip_is_link_local(&r->to))
        return rebind_fail(r, -EINVAL,
            "%s is an address of one segment only: it cannot leave it",
            vip_text(&r->to));
    ret = rtnl_list(r->nl, RTM_GETADDR, r->to.family, each_address, r);
    if (ret < 0)
        return r->error[0] ? ret : rebind_fail(r, ret, "%s", strerror(-ret));
    if (r->nplaces == 0)
        return rebind_fail(r, -EADDRNOTAVAIL,
            "%s is no address of this host: \"ip address\" lists them",
            vip_text(&r->to));
    r->out = if_nametoindex(r->to.device);
    if (r->out == 0)
        return rebind_fail(r, -ENODEV,
            "%s: no such network device: \"ip link\" lists them", r->to.device);
    choose_prefix(r);
    return 0;
}

/* ---- whether it can go */

static int
check_device(struct rebind *r, bool *speaks_ethernet)
{
    struct ifreq req = { .ifr_name = "" };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), ret = 0;
    const char *d = r->to.device;

    snprintf(req.ifr_name, sizeof req.ifr_name, "%s", d);
    if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &req) < 0)
        ret = rebind_fail(r, -errno, "%s: %s", d, strerror(errno));
    else if (req.ifr_flags & IFF_LOOPBACK)
        ret = rebind_fail(r, -EINVAL,
            "%s leads nowhere: name the device of the new network; with --route the "
            "address itself is put on " HOSTROUTE_DEVICE,
            d);
    else if (!(req.ifr_flags & IFF_UP))
        ret = rebind_fail(r, -ENETDOWN, "%s is down: ip link set %s up", d, d);
    else if (!(req.ifr_flags & IFF_RUNNING))
        ret = rebind_fail(r, -ENETDOWN, "%s has no carrier: is its cable in?", d);
    *speaks_ethernet = !(req.ifr_flags & (IFF_NOARP | IFF_POINTOPOINT));
    fd_close(fd);
    return ret;
}

static int
check_family(struct rebind *r)
{
    char path[96], text[16];

    snprintf(
        path, sizeof path, "/proc/sys/net/ipv6/conf/%s/disable_ipv6", r->at.device);
    if (r->to.family == AF_INET6 && file_read(path, text, sizeof text) > 0 &&
        text[0] == '1')
        return rebind_fail(r, -EAFNOSUPPORT,
            "%s has no IPv6: sysctl -w net.ipv6.conf.%s.disable_ipv6=0", r->at.device,
            r->at.device);
    if (r->via.family && r->via.family != r->to.family)
        return rebind_fail(r, -EINVAL, "the gateway of %s must be an address of %s",
            vip_text(&r->to), r->to.family == AF_INET ? "IPv4" : "IPv6");
    return 0;
}

static int
check_places(struct rebind *r)
{
    int ret = 0;

    for (unsigned i = 0; i < r->nplaces && ret == 0; i++) {
        struct vip v = r->to;
        char name[IF_NAMESIZE] = "?";

        v.bits = r->places[i].bits;
        snprintf(
            v.device, sizeof v.device, "%s", if_indextoname(r->places[i].device, name));
        if (r->places[i].device != r->put)
            ret = vip_leaves_alone(&v, r->error) ? 0 : -EBUSY;
        else if (v.bits != r->at.bits)
            ret = rebind_fail(r, -EEXIST,
                "%s is on %s already: \"ip address\" changes its prefix", vip_text(&v),
                v.device);
    }
    return ret;
}

/* Its sockets may be bound to a device: what comes by another one is not for them, and
 * would be answered by a reset. */
static int
check_bound(struct rebind *r)
{
    char name[IF_NAMESIZE] = "?";
    struct bound b;
    int ret = bound_find(&r->to, r->out, &b);

    if (ret < 0)
        return rebind_fail(r, ret, "its sockets cannot be listed: %s", strerror(-ret));
    if (ret == 0)
        return 0;
    if_indextoname(b.device, name);
    return rebind_fail(r, -EBUSY,
        "a %s socket at its port %u is bound to %s (SO_BINDTODEVICE): it would be "
        "reset; "
        "close it first",
        b.protocol == IPPROTO_TCP ? "TCP" : "UDP", b.port, name);
}

static int
check_free(struct rebind *r)
{
    uint8_t mac[6];
    int ret = claim_look(&r->to, mac);

    if (ret < 0)
        return rebind_fail(r, ret, "%s cannot be asked for it: %s (--no-probe)",
            r->to.device, strerror(-ret));
    if (ret == 0)
        return 0;
    return rebind_fail(r, -EADDRINUSE,
        "%s is in use in the segment of %s, by %02x:%02x:%02x:%02x:%02x:%02x: take it "
        "away there, or use --no-probe if that is known to be wrong",
        vip_text(&r->to), r->to.device, mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

int
rebind_check(struct rebind *r)
{
    bool ethernet;
    unsigned others;
    int ret = check_device(r, &ethernet);

    if (ret == 0)
        ret = check_family(r);
    if (ret == 0)
        ret = check_places(r);
    if (ret == 0)
        ret = check_bound(r);
    if (ret == 0 && r->probe && ethernet && !r->route)
        ret = check_free(r);
    r->strange = !r->route && !r->via.family &&
                 vip_network_bits(&r->to, r->to.device, &others) == all_bits(&r->to) &&
                 others > 0;
    return ret;
}
