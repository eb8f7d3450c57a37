/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * netlink.h - links, addresses, routes and neighbours of one network namespace
 * (libnl-3 behind it).
 *
 * A handle speaks to the namespace in which its opener's thread was.  Every function
 * returns 0 or -errno. */
#ifndef BSC_NETLINK_H
#define BSC_NETLINK_H

#include <stdbool.h>
#include <stdint.h>

struct netlink;

int netlink_open(struct netlink **out);
void netlink_close(struct netlink *nl); /* NULL is legal */

struct netlink_ip {
    int family;        /* AF_INET, AF_INET6 */
    unsigned bits;     /* of prefix; those beyond must be 0 where a network is meant */
    uint8_t bytes[16]; /* network order */
};

/* netlink_ip_host - the address itself: all its bits.
 * netlink_ip_network - the first @bits of it. */
struct netlink_ip netlink_ip_host(int family, const uint8_t *bytes);
struct netlink_ip netlink_ip_network(int family, const uint8_t *bytes, unsigned bits);

struct netlink_link {
    int index;
    unsigned mtu;
    bool operates; /* has been up long enough to carry frames (RFC 2863) */
    char kind[16]; /* "bridge", "veth"; "": a device without a kind */
};

/* netlink_link - look at the link @name: -ENODEV if there is none. */
int netlink_link(struct netlink *nl, const char *name, struct netlink_link *out);

struct netlink_veth { /* borrowed for the call */
    const char *name, *peer_name;
    const uint8_t *mac, *peer_mac; /* 6 bytes each */
    unsigned mtu;
    int index;      /* of @name; 0: the kernel chooses */
    int peer_netns; /* descriptor of the namespace where the peer is made */
};

/* netlink_veth - make a pair, both ends down. */
int netlink_veth(struct netlink *nl, const struct netlink_veth *pair);
int netlink_up(struct netlink *nl, int index);
int netlink_set_mtu(struct netlink *nl, int index, unsigned mtu);
/* netlink_set_queue - the device holds @packets for its reader, and no discipline
 * delays them before. */
int netlink_set_queue(struct netlink *nl, int index, unsigned packets);
int netlink_set_master(struct netlink *nl, int index, int master);

/* netlink_delete - delete the link @name; none: 0. */
int netlink_delete(struct netlink *nl, const char *name);

/* netlink_address - of a link, without duplicate address detection.  @on_link: for
 * this link only, never a source elsewhere. */
int netlink_address(
    struct netlink *nl, int index, const struct netlink_ip *ip, bool on_link);

/* netlink_address_remove - its prefix must be the one that it was added with. */
int netlink_address_remove(struct netlink *nl, int index, const struct netlink_ip *ip);

struct netlink_route { /* borrowed for the call */
    struct netlink_ip to;
    const struct netlink_ip *via, *source; /* NULL: none */
    int index;                             /* of the link it leaves by */
    unsigned table;                        /* 0: main */
    unsigned first_window; /* segments that a connection may send at first; 0: usual */
};

/* netlink_route - add to its table; @via need not be on the link's network. */
int netlink_route(struct netlink *nl, const struct netlink_route *route);

/* netlink_neighbour - permanent entry.  netlink_proxy - answer for @ip on the link. */
int netlink_neighbour(
    struct netlink *nl, int index, const struct netlink_ip *ip, const uint8_t mac[6]);
int netlink_proxy(struct netlink *nl, int index, const struct netlink_ip *ip);

/* netlink_rule_to - what goes to @ip is routed by the main table, at @priority.
 * netlink_local_priority - ask the table of local IPv4 addresses at @priority, not
 * first. */
int netlink_rule_to(struct netlink *nl, unsigned priority, const struct netlink_ip *ip);

/* netlink_rule_mark - what sockets with @mark send is routed by @table, at @priority.
 */
int netlink_rule_mark(
    struct netlink *nl, int family, unsigned priority, uint32_t mark, unsigned table);
int netlink_local_priority(struct netlink *nl, unsigned priority);

#endif
