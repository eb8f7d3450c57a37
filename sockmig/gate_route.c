/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Addresses, routes and neighbours of gate and cell; each one's reason is in
 * doc/design/gate.md. */
#include "sockmig/gate_build.h"

#include "sockmig/ckpt/tcp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>

/* The pair between gate and cell is private, so its addresses are the same everywhere.
 */
const uint8_t gate_inner_mac[6] = { 0x02, 0x42, 0x53, 0x47, 0x00, 0x01 };
const uint8_t cell_inner_mac[6] = { 0x02, 0x42, 0x53, 0x43, 0x00, 0x01 };
/* A connection that is restored had a window already: it may send at once what it once
 * had sent, or its peer acknowledges what it does not know of, for ever. */
#define RESTORED_WINDOW 4000
#define RESTORED_TABLE 82
static const struct netlink_ip gate_inner4 = { AF_INET, 32, { 169, 254, 1, 1 } };
static const struct netlink_ip gate_inner6 = { AF_INET6, 128,
    { 0xfe, 0x80, [15] = 1 } };

/* Calls @one for each address of the service. */
static int
each_address(struct gate_build *b,
    int (*one)(struct gate_build *, const struct conf_address *, bool first))
{
    bool seen4 = false, seen6 = false;
    int ret = 0;

    for (unsigned i = 0; i < b->conf->naddresses && ret == 0; i++) {
        const struct conf_address *a = &b->conf->addresses[i];
        bool *seen = a->family == AF_INET ? &seen4 : &seen6;

        ret = one(b, a, !*seen);
        *seen = true;
    }
    return ret;
}

static int
cell_address(struct gate_build *b, const struct conf_address *a, bool first)
{
    const struct netlink_ip ip = netlink_ip_host(a->family, a->bytes);
    const struct netlink_ip *gate = a->family == AF_INET ? &gate_inner4 : &gate_inner6;
    const struct netlink_route out = { .to = { .family = a->family },
        .via = gate,
        .source = &ip,
        .index = b->eth0.index };
    struct netlink_route restored = out;
    int ret = netlink_address(b->nl, b->eth0.index, &ip, false);

    if (ret < 0 || !first)
        return ret;
    restored.table = RESTORED_TABLE;
    restored.first_window = RESTORED_WINDOW;
    ret = netlink_route(b->nl, &out);
    if (ret == 0)
        ret = netlink_route(b->nl, &restored);
    if (ret == 0)
        ret = netlink_rule_mark(
            b->nl, a->family, 50, TCP_RESTORED_MARK, RESTORED_TABLE);
    if (ret == 0)
        ret = netlink_neighbour(b->nl, b->eth0.index, gate, gate_inner_mac);
    return ret;
}

int
gate_route_cell(struct gate_build *b)
{
    return each_address(b, cell_address);
}

/* What a first address of IPv4 needs besides: see "ARP source" in gate.md. */
static int
gate_ip4(struct gate_build *b)
{
    int ret = netlink_local_priority(b->nl, 100);

    if (ret == 0)
        ret = netlink_address(b->nl, b->vg.index, &gate_inner4, true);
    return ret;
}

static int
gate_address(struct gate_build *b, const struct conf_address *a, bool first)
{
    const struct netlink_ip ip = netlink_ip_host(a->family, a->bytes);
    const struct netlink_route in = { .to = ip, .index = b->vg.index };
    int ret = 0;

    if (a->family == AF_INET && first)
        ret = gate_ip4(b);
    if (a->family == AF_INET && ret == 0)
        ret = netlink_rule_to(b->nl, 10, &ip);
    if (a->family == AF_INET && ret == 0)
        ret = netlink_address(b->nl, b->up0.index, &ip, false);
    if (ret == 0)
        ret = netlink_route(b->nl, &in);
    if (ret == 0)
        ret = netlink_neighbour(b->nl, b->vg.index, &ip, cell_inner_mac);
    if (ret == 0)
        ret = netlink_proxy(b->nl, b->up0.index, &ip);
    if (ret == 0)
        ret = fence_inside(b->parts->fence, a->family, a->bytes);
    return ret;
}

/* Several addresses of a service may live in one network: that it is there is no
 * error. */
static int
gate_network(struct gate_build *b, const struct conf_address *a, bool first)
{
    const struct netlink_route lan = {
        .to = netlink_ip_network(a->family, a->bytes, a->prefix),
        .index = b->up0.index,
    };
    int ret = netlink_route(b->nl, &lan);

    (void)first;
    return ret == -EEXIST ? 0 : ret;
}

int
gate_route_default(struct gate_build *b)
{
    struct netlink_ip via = { .family = AF_INET, .bits = 32 };
    struct netlink_route out = { .via = &via, .index = b->up0.index };

    if (b->conf->gateway[0] == '\0')
        return 0;
    if (inet_pton(AF_INET, b->conf->gateway, via.bytes) != 1) {
        if (inet_pton(AF_INET6, b->conf->gateway, via.bytes) != 1)
            return -EINVAL;
        via.family = AF_INET6;
        via.bits = 128;
    }
    out.to.family = via.family;
    return netlink_route(b->nl, &out);
}

int
gate_route_gate(struct gate_build *b)
{
    int ret = each_address(b, gate_address);

    if (ret == 0)
        ret = each_address(b, gate_network);
    return ret;
}
