/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/netlink.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/veth.h>
#include <netlink/route/neighbour.h>
#include <netlink/route/qdisc.h>
#include <netlink/route/route.h>
#include <netlink/route/rule.h>
#include <stdlib.h>
#include <string.h>

struct netlink {
    struct nl_sock *sock; /* owned */
};

/* libnl folds the kernel's errno into its own codes; this is the way back. */
static int
to_errno(int nle)
{
    static const struct {
        int nle, err;
    } codes[] = { { NLE_EXIST, EEXIST }, { NLE_PERM, EPERM }, { NLE_NOMEM, ENOMEM },
        { NLE_INVAL, EINVAL }, { NLE_OPNOTSUPP, EOPNOTSUPP }, { NLE_NODEV, ENODEV },
        { NLE_OBJ_NOTFOUND, ENODEV }, { NLE_BUSY, EBUSY }, { NLE_RANGE, ERANGE },
        { NLE_AF_NOSUPPORT, EAFNOSUPPORT }, { NLE_NOACCESS, EACCES },
        { NLE_NOADDR, EADDRNOTAVAIL } };

    if (nle >= 0)
        return 0;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (codes[i].nle == -nle)
            return -codes[i].err;
    return -EIO;
}

int
netlink_open(struct netlink **out)
{
    struct netlink *nl = calloc(1, sizeof *nl);
    int ret = -ENOMEM;

    if (!nl)
        return ret;
    nl->sock = nl_socket_alloc();
    if (!nl->sock)
        goto out;
    ret = to_errno(nl_connect(nl->sock, NETLINK_ROUTE));
    if (ret < 0)
        goto out;
    *out = nl;
    nl = NULL;
out:
    netlink_close(nl);
    return ret;
}

void
netlink_close(struct netlink *nl)
{
    if (!nl)
        return;
    nl_socket_free(nl->sock);
    free(nl);
}

struct netlink_ip
netlink_ip_host(int family, const uint8_t *bytes)
{
    return netlink_ip_network(family, bytes, family == AF_INET ? 32 : 128);
}

struct netlink_ip
netlink_ip_network(int family, const uint8_t *bytes, unsigned bits)
{
    struct netlink_ip ip = { .family = family, .bits = bits };

    for (unsigned i = 0; i < bits; i++)
        ip.bytes[i / 8] |= (uint8_t)(bytes[i / 8] & (0x80 >> (i % 8)));
    return ip;
}

/* A new libnl address, to be put by the caller; NULL: out of memory. */
static struct nl_addr *
address_of(const struct netlink_ip *ip)
{
    struct nl_addr *addr = nl_addr_build(
        ip->family, ip->bytes, ip->family == AF_INET ? 4 : 16);

    if (addr)
        nl_addr_set_prefixlen(addr, (int)ip->bits);
    return addr;
}

int
netlink_link(struct netlink *nl, const char *name, struct netlink_link *out)
{
    struct rtnl_link *link = NULL;
    const char *kind;
    int ret = to_errno(rtnl_link_get_kernel(nl->sock, 0, name, &link));

    if (ret < 0)
        return ret;
    memset(out, 0, sizeof *out);
    out->index = rtnl_link_get_ifindex(link);
    out->mtu = rtnl_link_get_mtu(link);
    out->operates = rtnl_link_get_operstate(link) == IF_OPER_UP;
    kind = rtnl_link_get_type(link);
    if (kind)
        strncpy(out->kind, kind, sizeof out->kind - 1);
    rtnl_link_put(link);
    return 0;
}

static int
describe(struct rtnl_link *link, const char *name, const uint8_t *mac, unsigned mtu)
{
    struct nl_addr *addr = nl_addr_build(AF_LLC, mac, 6);

    if (!addr)
        return -ENOMEM;
    rtnl_link_set_name(link, name);
    rtnl_link_set_addr(link, addr); /* takes a reference of its own */
    rtnl_link_set_mtu(link, mtu);
    nl_addr_put(addr);
    return 0;
}

int
netlink_veth(struct netlink *nl, const struct netlink_veth *pair)
{
    struct rtnl_link *link = rtnl_link_veth_alloc(), *peer = NULL;
    int ret = -ENOMEM;

    if (!link)
        return ret;
    peer = rtnl_link_veth_get_peer(link);
    if (describe(link, pair->name, pair->mac, pair->mtu) < 0 ||
        describe(peer, pair->peer_name, pair->peer_mac, pair->mtu) < 0)
        goto out;
    rtnl_link_set_ns_fd(peer, pair->peer_netns);
    if (pair->index > 0)
        rtnl_link_set_ifindex(link, pair->index);
    ret = to_errno(rtnl_link_add(nl->sock, link, NLM_F_CREATE | NLM_F_EXCL));
out:
    rtnl_link_put(peer);
    rtnl_link_veth_release(link);
    return ret;
}

/* Changes one property of link @index: @set writes it into an empty request. */
static int
change(struct netlink *nl, int index, void (*set)(struct rtnl_link *, int), int value)
{
    struct rtnl_link *link = rtnl_link_alloc(), *wanted = rtnl_link_alloc();
    int ret = -ENOMEM;

    if (link && wanted) {
        rtnl_link_set_ifindex(link, index);
        set(wanted, value);
        ret = to_errno(rtnl_link_change(nl->sock, link, wanted, 0));
    }
    rtnl_link_put(link);
    rtnl_link_put(wanted);
    return ret;
}

static void
set_up(struct rtnl_link *link, int unused)
{
    (void)unused;
    rtnl_link_set_flags(link, IFF_UP);
}

static void
set_mtu(struct rtnl_link *link, int mtu)
{
    rtnl_link_set_mtu(link, (unsigned)mtu);
}

int
netlink_up(struct netlink *nl, int index)
{
    return change(nl, index, set_up, 0);
}

int
netlink_set_mtu(struct netlink *nl, int index, unsigned mtu)
{
    return change(nl, index, set_mtu, (int)mtu);
}

static void
set_queue(struct rtnl_link *link, int packets)
{
    rtnl_link_set_txqlen(link, (unsigned)packets);
}

int
netlink_set_queue(struct netlink *nl, int index, unsigned packets)
{
    struct rtnl_qdisc *none = rtnl_qdisc_alloc();
    int ret = change(nl, index, set_queue, (int)packets);

    if (!none)
        return -ENOMEM;
    rtnl_tc_set_ifindex(TC_CAST(none), index);
    rtnl_tc_set_parent(TC_CAST(none), TC_H_ROOT);
    if (ret == 0)
        ret = to_errno(rtnl_tc_set_kind(TC_CAST(none), "noqueue"));
    if (ret == 0)
        ret = to_errno(rtnl_qdisc_add(nl->sock, none, NLM_F_CREATE | NLM_F_REPLACE));
    rtnl_qdisc_put(none);
    return ret;
}

int
netlink_set_master(struct netlink *nl, int index, int master)
{
    return change(nl, index, rtnl_link_set_master, master);
}

int
netlink_delete(struct netlink *nl, const char *name)
{
    struct rtnl_link *link = NULL;
    int ret = to_errno(rtnl_link_get_kernel(nl->sock, 0, name, &link));

    if (ret == 0)
        ret = to_errno(rtnl_link_delete(nl->sock, link));
    rtnl_link_put(link);
    return ret == -ENODEV ? 0 : ret;
}

static int
change_address(struct netlink *nl, int index, const struct netlink_ip *ip, bool on_link,
    bool remove)
{
    struct rtnl_addr *addr = rtnl_addr_alloc();
    struct nl_addr *local = address_of(ip);
    int ret = -ENOMEM;

    if (!addr || !local)
        goto out;
    rtnl_addr_set_ifindex(addr, index);
    ret = to_errno(rtnl_addr_set_local(addr, local));
    if (ret < 0)
        goto out;
    if (on_link)
        rtnl_addr_set_scope(addr, RT_SCOPE_LINK);
    if (ip->family == AF_INET6)
        rtnl_addr_set_flags(addr, IFA_F_NODAD);
    if (remove)
        ret = to_errno(rtnl_addr_delete(nl->sock, addr, 0));
    else
        ret = to_errno(rtnl_addr_add(nl->sock, addr, NLM_F_CREATE | NLM_F_EXCL));
out:
    nl_addr_put(local);
    rtnl_addr_put(addr);
    return ret;
}

int
netlink_address(
    struct netlink *nl, int index, const struct netlink_ip *ip, bool on_link)
{
    return change_address(nl, index, ip, on_link, false);
}

int
netlink_address_remove(struct netlink *nl, int index, const struct netlink_ip *ip)
{
    return change_address(nl, index, ip, false, true);
}

/* The way a route leaves.  Moves the new next hop into @route. */
static int
add_next_hop(struct rtnl_route *route, const struct netlink_route *r)
{
    struct rtnl_nexthop *hop = rtnl_route_nh_alloc();
    struct nl_addr *via = r->via ? address_of(r->via) : NULL;

    if (!hop || (r->via && !via)) {
        if (hop)
            rtnl_route_nh_free(hop);
        nl_addr_put(via);
        return -ENOMEM;
    }
    rtnl_route_nh_set_ifindex(hop, r->index);
    if (via) {
        rtnl_route_nh_set_gateway(hop, via); /* takes a reference of its own */
        rtnl_route_nh_set_flags(hop, RTNH_F_ONLINK);
        rtnl_route_set_flags(route, RTNH_F_ONLINK);
    }
    rtnl_route_add_nexthop(route, hop);
    nl_addr_put(via);
    return 0;
}

int
netlink_route(struct netlink *nl, const struct netlink_route *r)
{
    struct rtnl_route *route = rtnl_route_alloc();
    struct nl_addr *to = address_of(&r->to);
    struct nl_addr *source = r->source ? address_of(r->source) : NULL;
    int ret = -ENOMEM;

    if (!route || !to || (r->source && !source))
        goto out;
    rtnl_route_set_family(route, (uint8_t)r->to.family);
    rtnl_route_set_table(route, r->table ? r->table : RT_TABLE_MAIN);
    rtnl_route_set_protocol(route, RTPROT_STATIC);
    rtnl_route_set_scope(
        route, r->via || r->to.family == AF_INET6 ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK);
    ret = to_errno(rtnl_route_set_dst(route, to));
    if (ret == 0 && source)
        ret = to_errno(rtnl_route_set_pref_src(route, source));
    if (ret == 0)
        ret = add_next_hop(route, r);
    if (ret == 0 && r->first_window)
        ret = to_errno(rtnl_route_set_metric(route, RTAX_INITCWND, r->first_window));
    if (ret == 0)
        ret = to_errno(rtnl_route_add(nl->sock, route, NLM_F_CREATE | NLM_F_EXCL));
out:
    nl_addr_put(source);
    nl_addr_put(to);
    rtnl_route_put(route);
    return ret;
}

/* A permanent neighbour, or a proxy entry when @mac is NULL. */
static int
neighbour(
    struct netlink *nl, int index, const struct netlink_ip *ip, const uint8_t *mac)
{
    struct rtnl_neigh *neigh = rtnl_neigh_alloc();
    struct nl_addr *dst = address_of(ip);
    struct nl_addr *lladdr = mac ? nl_addr_build(AF_LLC, mac, 6) : NULL;
    int ret = -ENOMEM;

    if (!neigh || !dst || (mac && !lladdr))
        goto out;
    rtnl_neigh_set_ifindex(neigh, index);
    rtnl_neigh_set_state(neigh, NUD_PERMANENT);
    if (mac)
        rtnl_neigh_set_lladdr(neigh, lladdr);
    else
        rtnl_neigh_set_flags(neigh, NTF_PROXY);
    ret = to_errno(rtnl_neigh_set_dst(neigh, dst));
    if (ret == 0)
        ret = to_errno(rtnl_neigh_add(nl->sock, neigh, NLM_F_CREATE | NLM_F_REPLACE));
out:
    nl_addr_put(lladdr);
    nl_addr_put(dst);
    rtnl_neigh_put(neigh);
    return ret;
}

int
netlink_neighbour(
    struct netlink *nl, int index, const struct netlink_ip *ip, const uint8_t mac[6])
{
    return neighbour(nl, index, ip, mac);
}

int
netlink_proxy(struct netlink *nl, int index, const struct netlink_ip *ip)
{
    return neighbour(nl, index, ip, NULL);
}

/* A new rule that asks @table, to be put by the caller; NULL: out of memory. */
static struct rtnl_rule *
rule_of(int family, unsigned priority, unsigned table)
{
    struct rtnl_rule *rule = rtnl_rule_alloc();

    if (!rule)
        return NULL;
    rtnl_rule_set_family(rule, family);
    rtnl_rule_set_prio(rule, priority);
    rtnl_rule_set_table(rule, table);
    rtnl_rule_set_action(rule, FR_ACT_TO_TBL);
    return rule;
}

int
netlink_rule_mark(
    struct netlink *nl, int family, unsigned priority, uint32_t mark, unsigned table)
{
    struct rtnl_rule *rule = rule_of(family, priority, table);
    int ret;

    if (!rule)
        return -ENOMEM;
    rtnl_rule_set_mark(rule, mark);
    ret = to_errno(rtnl_rule_add(nl->sock, rule, NLM_F_CREATE | NLM_F_EXCL));
    rtnl_rule_put(rule);
    return ret;
}

int
netlink_rule_to(struct netlink *nl, unsigned priority, const struct netlink_ip *ip)
{
    struct rtnl_rule *rule = rule_of(ip->family, priority, RT_TABLE_MAIN);
    struct nl_addr *to = address_of(ip);
    int ret = -ENOMEM;

    if (!rule || !to)
        goto out;
    ret = to_errno(rtnl_rule_set_dst(rule, to));
    if (ret == 0)
        ret = to_errno(rtnl_rule_add(nl->sock, rule, NLM_F_CREATE | NLM_F_EXCL));
out:
    nl_addr_put(to);
    rtnl_rule_put(rule);
    return ret;
}

int
netlink_local_priority(struct netlink *nl, unsigned priority)
{
    struct rtnl_rule *later = rule_of(AF_INET, priority, RT_TABLE_LOCAL);
    struct rtnl_rule *first = rule_of(AF_INET, 0, RT_TABLE_LOCAL);
    int ret = -ENOMEM;

    if (!later || !first)
        goto out;
    ret = to_errno(rtnl_rule_add(nl->sock, later, NLM_F_CREATE | NLM_F_EXCL));
    if (ret == 0)
        ret = to_errno(rtnl_rule_delete(nl->sock, first, 0));
out:
    rtnl_rule_put(first);
    rtnl_rule_put(later);
    return ret;
}
