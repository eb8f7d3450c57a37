/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * rebind_plan.c - the changes that bring an address to another device.
 *
 * Everything that is taken away is listed by the kernel first, and its own words bring
 * it back.  The rule "from ADDRESS" and its table are for what the address sends: the
 * main table may know its clients behind the old device only. */
#include "sockmig/alone/rebind.h"

#include "lib/fd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/fib_rules.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static size_t
bytes_of(const struct vip *v)
{
    return v->family == AF_INET ? 4 : 16;
}

static unsigned
all_bits(const struct vip *v)
{
    return 8 * (unsigned)bytes_of(v);
}

/* ---- what is made */

static void
address_message(const struct rebind *r, uint16_t type, struct rtnl_message *m)
{
    struct ifaddrmsg body = { .ifa_family = (uint8_t)r->at.family,
        .ifa_prefixlen = (uint8_t)r->at.bits,
        .ifa_scope = RT_SCOPE_UNIVERSE,
        .ifa_index = r->put };

    rtnl_begin(m, type, &body, sizeof body);
    rtnl_put(m, IFA_LOCAL, r->at.bytes, bytes_of(&r->at));
    rtnl_put(m, IFA_ADDRESS, r->at.bytes, bytes_of(&r->at));
    if (r->at.family == AF_INET6)
        rtnl_put32(m, IFA_FLAGS, IFA_F_NODAD); /* it was asked for already */
}

static void
add_both(struct rebind *r,
    void (*build)(const struct rebind *r, uint16_t type, struct rtnl_message *m),
    uint16_t make, uint16_t remove)
{
    struct rtnl_message forth, back;

    build(r, make, &forth);
    build(r, remove, &back);
    steps_add(&r->page->steps, &forth, &back);
}

static void
route_message(const struct rebind *r, uint16_t type, struct rtnl_message *m)
{
    hostroute_message(m, type, &r->to, r->table);
}

static void
rule_message(const struct rebind *r, uint16_t type, struct rtnl_message *m)
{
    struct fib_rule_hdr body = { .family = (uint8_t)r->to.family,
        .src_len = (uint8_t)all_bits(&r->to),
        .action = FR_ACT_TO_TBL };
    uint8_t protocol = HOSTROUTE_PROTOCOL;

    rtnl_begin(m, type, &body, sizeof body);
    rtnl_put(m, FRA_SRC, r->to.bytes, bytes_of(&r->to));
    rtnl_put32(m, FRA_PRIORITY, REBIND_PRIORITY);
    rtnl_put32(m, FRA_TABLE, r->own_table);
    rtnl_put(m, FRA_PROTOCOL, &protocol, 1);
}

static void
begin_route(const struct rebind *r, uint16_t type, unsigned bits, uint8_t scope,
    struct rtnl_message *m)
{
    struct rtmsg body = { .rtm_family = (uint8_t)r->to.family,
        .rtm_dst_len = (uint8_t)bits,
        .rtm_protocol = HOSTROUTE_PROTOCOL,
        .rtm_scope = r->to.family == AF_INET ? scope : RT_SCOPE_UNIVERSE,
        .rtm_type = RTN_UNICAST };

    rtnl_begin(m, type, &body, sizeof body);
    rtnl_put32(m, RTA_OIF, r->out);
    rtnl_put32(m, RTA_TABLE, r->own_table);
}

static void
network_message(const struct rebind *r, uint16_t type, struct rtnl_message *m)
{
    uint8_t network[16] = { 0 };

    for (unsigned i = 0; i < r->at.bits; i++)
        network[i / 8] |= (uint8_t)(r->at.bytes[i / 8] & (0x80 >> i % 8));
    begin_route(r, type, r->at.bits, RT_SCOPE_LINK, m);
    rtnl_put(m, RTA_DST, network, bytes_of(&r->at));
}

/* The gateway need not be in a network of the device: it is asked for there. */
static void
default_message(const struct rebind *r, uint16_t type, struct rtnl_message *m)
{
    struct rtmsg body;

    begin_route(r, type, 0, RT_SCOPE_UNIVERSE, m);
    memcpy(&body, m->bytes + NLMSG_HDRLEN, sizeof body);
    body.rtm_flags = RTNH_F_ONLINK;
    memcpy(m->bytes + NLMSG_HDRLEN, &body, sizeof body);
    rtnl_put(m, RTA_GATEWAY, r->via.bytes, bytes_of(&r->via));
}

/* ---- what was there */

/* The first hop of a route with several, or the one after @at; NULL: no more. */
static struct rtnexthop *
next_hop(const struct nlmsghdr *h, const struct rtnexthop *at)
{
    const struct rtnexthop *first = rtnl_find(
        h, sizeof(struct rtmsg), RTA_MULTIPATH, sizeof *first);
    const struct rtattr *all;
    ptrdiff_t left;

    if (!first)
        return NULL;
    all = (const struct rtattr *)((const uint8_t *)first - RTA_LENGTH(0));
    at = at ? RTNH_NEXT(at) : first;
    left = (const uint8_t *)all + all->rta_len - (const uint8_t *)at;
    return RTNH_OK(at, left) ? (struct rtnexthop *)(uintptr_t)at : NULL;
}

/* Not all that the kernel says about a route may be said to it. */
static void
clean_route(struct rtnl_message *m)
{
    struct nlmsghdr *h = (struct nlmsghdr *)m->bytes;
    struct rtmsg *body = NLMSG_DATA(h);
    struct rtnexthop *hop = NULL;

    if (h->nlmsg_type != RTM_NEWROUTE && h->nlmsg_type != RTM_DELROUTE)
        return;
    body->rtm_flags &= RTNH_F_ONLINK | RTNH_F_PERVASIVE;
    while ((hop = next_hop(h, hop)) != NULL)
        hop->rtnh_flags &= RTNH_F_ONLINK | RTNH_F_PERVASIVE;
}

static int
keep_message(struct rebind *r, const struct nlmsghdr *h, uint16_t away)
{
    struct rtnl_message forth, back;

    if (!rtnl_keep(&forth, h, away) || !rtnl_keep(&back, h, h->nlmsg_type))
        return -E2BIG;
    clean_route(&forth);
    clean_route(&back);
    steps_add(&r->page->steps, &forth, &back);
    return 0;
}

static uint32_t
attribute32(const struct nlmsghdr *h, size_t body, uint16_t type)
{
    const void *at = rtnl_find(h, body, type, 4);
    uint32_t value = 0;

    if (at)
        memcpy(&value, at, sizeof value);
    return value;
}

static bool
is_our_rule(const struct rebind *r, const struct nlmsghdr *h)
{
    const struct fib_rule_hdr *m = NLMSG_DATA(h);
    const uint8_t *protocol = rtnl_find(h, sizeof *m, FRA_PROTOCOL, 1);
    const void *from = rtnl_find(h, sizeof *m, FRA_SRC, bytes_of(&r->to));

    return protocol && *protocol == HOSTROUTE_PROTOCOL && from &&
           m->src_len == all_bits(&r->to) &&
           !memcmp(from, r->to.bytes, bytes_of(&r->to));
}

struct rules {
    struct rebind *r;
    uint32_t tables[64], ours[8]; /* that are in use; that the old rules ask */
    unsigned ntables, nours;
    bool end; /* of the old ones, not only look */
};

static int
each_rule(const struct nlmsghdr *h, void *arg)
{
    uint32_t table = attribute32(h, sizeof(struct fib_rule_hdr), FRA_TABLE);
    struct rules *all = arg;

    if (h->nlmsg_type != RTM_NEWRULE)
        return 0;
    if (all->end)
        return is_our_rule(all->r, h) ? keep_message(all->r, h, RTM_DELRULE) : 0;
    if (all->ntables < 64)
        all->tables[all->ntables++] = table;
    if (is_our_rule(all->r, h) && all->nours < 8)
        all->ours[all->nours++] = table;
    return 0;
}

static bool
is_one_of(uint32_t what, const uint32_t *list, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (list[i] == what)
            return true;
    return false;
}

/* Routes of the tables that the old rules ask, and host routes of another table. */
static int
each_old_route(const struct nlmsghdr *h, void *arg)
{
    const struct rules *all = arg;
    const struct rtmsg *m = NLMSG_DATA(h);
    const struct rebind *r = all->r;
    bool host = hostroute_is(h, &r->to) && !(r->route && hostroute_in(h) == r->table);

    if (h->nlmsg_type != RTM_NEWROUTE || m->rtm_protocol != HOSTROUTE_PROTOCOL)
        return 0;
    if (!host && !is_one_of(hostroute_in(h), all->ours, all->nours))
        return 0;
    return keep_message(all->r, h, RTM_DELROUTE);
}

struct lost {
    struct rebind *r;
    unsigned device;
};

static bool
uses(const struct nlmsghdr *h, unsigned device)
{
    const struct rtnexthop *hop = NULL;

    if (attribute32(h, sizeof(struct rtmsg), RTA_OIF) == device)
        return true;
    while ((hop = next_hop(h, hop)) != NULL)
        if (hop->rtnh_ifindex == (int)device)
            return true;
    return false;
}

/* With its last IPv4 address a device loses all routes (net/ipv4/devinet.c). */
static int
each_lost_route(const struct nlmsghdr *h, void *arg)
{
    const struct lost *lost = arg;
    const struct rtmsg *m = NLMSG_DATA(h);
    struct rtnl_message back;

    if (h->nlmsg_type != RTM_NEWROUTE || m->rtm_type == RTN_LOCAL ||
        m->rtm_type == RTN_BROADCAST || m->rtm_protocol == RTPROT_KERNEL ||
        !uses(h, lost->device))
        return 0;
    if (!rtnl_keep(&back, h, RTM_NEWROUTE))
        return -E2BIG;
    clean_route(&back);
    lost->r->nlost++;
    steps_add(&lost->r->page->steps, NULL, &back);
    return 0;
}

struct others {
    const struct rebind *r;
    unsigned device, n;
};

static int
count_others(const struct nlmsghdr *h, void *arg)
{
    const struct ifaddrmsg *m = NLMSG_DATA(h);
    struct others *o = arg;
    const void *local = rtnl_find(h, sizeof *m, IFA_LOCAL, 4);

    if (h->nlmsg_type == RTM_NEWADDR && m->ifa_index == o->device &&
        (!local || memcmp(local, o->r->to.bytes, 4) != 0))
        o->n++;
    return 0;
}

static int
end_place(struct rebind *r, const struct rebind_place *p)
{
    struct others others = { r, p->device, 0 };
    struct lost lost = { r, p->device };
    struct rtnl_message away;
    int ret = 0;

    if (r->to.family == AF_INET) {
        ret = rtnl_list(r->nl, RTM_GETADDR, AF_INET, count_others, &others);
        if (ret == 0 && others.n == 0)
            ret = rtnl_list(r->nl, RTM_GETROUTE, AF_INET, each_lost_route, &lost);
    }
    rtnl_keep(&away, (const struct nlmsghdr *)p->message.bytes, RTM_DELADDR);
    steps_add(&r->page->steps, &away, &p->message);
    return ret;
}

static int
end_old(struct rebind *r, struct rules *all)
{
    int ret;

    all->end = true;
    ret = rtnl_list(r->nl, RTM_GETRULE, r->to.family, each_rule, all);
    return ret < 0 ? ret
                   : rtnl_list(r->nl, RTM_GETROUTE, r->to.family, each_old_route, all);
}

void
rebind_forget(const struct vip *v)
{
    struct rebind r = { .to = *v, .nl = rtnl_open() };
    struct rules all = { .r = &r };

    r.page = calloc(1, sizeof *r.page);
    if (r.page && r.nl >= 0 &&
        rtnl_list(r.nl, RTM_GETRULE, v->family, each_rule, &all) == 0 &&
        all.nours > 0 && end_old(&r, &all) == 0)
        steps_go(&r.page->steps, r.nl, r.page->steps.n);
    free(r.page);
    fd_close(r.nl);
}

/* ---- in the right order */

static bool
is_there(const struct rebind *r)
{
    for (unsigned i = 0; i < r->nplaces; i++)
        if (r->places[i].device == r->put && r->places[i].bits == r->at.bits)
            return true;
    return false;
}

static void
choose_table(struct rebind *r, const struct rules *all)
{
    r->own_table = REBIND_TABLE;
    while (is_one_of(r->own_table, all->tables, all->ntables))
        r->own_table++;
}

static int
make(struct rebind *r)
{
    unsigned table = 0;
    int routed = hostroute_find(&r->to, &table);

    if (routed < 0)
        return routed;
    if (!is_there(r))
        add_both(r, address_message, RTM_NEWADDR, RTM_DELADDR);
    if (r->route && !(routed && table == r->table))
        add_both(r, route_message, RTM_NEWROUTE, RTM_DELROUTE);
    r->has_rule = r->via.family || (!r->route && r->at.bits < all_bits(&r->at));
    if (!r->has_rule)
        return 0;
    if (!r->route && r->at.bits < all_bits(&r->at))
        add_both(r, network_message, RTM_NEWROUTE, RTM_DELROUTE);
    if (r->via.family)
        add_both(r, default_message, RTM_NEWROUTE, RTM_DELROUTE);
    add_both(r, rule_message, RTM_NEWRULE, RTM_DELRULE);
    return 0;
}

int
rebind_plan(struct rebind *r)
{
    struct rules all = { .r = r };
    int ret = rtnl_list(r->nl, RTM_GETRULE, r->to.family, each_rule, &all);

    choose_table(r, &all);
    if (ret == 0)
        ret = make(r);
    r->before = r->page->steps.n;
    for (unsigned i = 0; i < r->nplaces && ret == 0; i++)
        if (r->places[i].device != r->put || r->places[i].bits != r->at.bits)
            ret = end_place(r, &r->places[i]);
    if (ret == 0)
        ret = end_old(r, &all);
    if (ret == 0 && r->page->steps.overflow)
        ret = -E2BIG;
    return ret < 0 ? rebind_fail(r, ret,
                         "its routes cannot be kept for the case that it fails: %s",
                         strerror(-ret))
                   : 0;
}
