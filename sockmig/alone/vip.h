/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * vip.h - an address of this host that moves with the connections at it.
 *
 * All calls work on the network namespace in which the caller's thread is. */
#ifndef BSC_VIP_H
#define BSC_VIP_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VIP_ERROR 256

struct vip {
    int family;    /* AF_INET, AF_INET6 */
    unsigned bits; /* of its prefix */
    uint8_t bytes[16];
    char device[IF_NAMESIZE]; /* where it is, or shall be */
    bool routed;              /* has a host route (hostroute.h) ... */
    unsigned table;           /* ... in this table */
};

/* vip_parse - "192.0.2.7", "192.0.2.7/24", "2001:db8::7/64"; without a prefix .bits is
 * 0, or @host_bits: all of them. */
bool vip_parse(const char *text, bool host_bits, struct vip *out);

/* vip_add_to - parse one more for @list, which has *n of at most @max.  False: @error
 * (VIP_ERROR bytes) says what is allowed. */
bool vip_add_to(struct vip *list, unsigned *n, unsigned max, const char *text,
    bool host_bits, char *error);

struct sockaddr;

/* vip_of - of a socket's address (an IPv4 one inside IPv6 is IPv4).  False: not IP. */
bool vip_of(const struct sockaddr *a, struct vip *out);

/* vip_find - on which device it is, with which prefix, and that it can be taken from
 * there without taking others along.  0 or -errno with @error (VIP_ERROR bytes). */
int vip_find(struct vip *v, char *error);
bool vip_is_here(const struct vip *v);
bool vip_is_on(const struct vip *v); /* its .device */

/* vip_leaves_alone - can it be taken from its .device, with .bits, without taking
 * others along?  False: @error (VIP_ERROR bytes). */
bool vip_leaves_alone(const struct vip *v, char *error);

/* vip_is_link_local - has it a meaning on one segment only?
 * vip_same_network - are both in the network of @net, as its .bits say?
 * vip_mask_bits - of a netmask. */
bool vip_is_link_local(const struct vip *v);
bool vip_same_network(const struct vip *net, const struct vip *v);
unsigned vip_mask_bits(const struct sockaddr *mask, int family);

/* vip_network_bits - the prefix of the network of @device that it is in; all bits:
 * none, though there are @naddresses that have one. */
unsigned vip_network_bits(
    const struct vip *v, const char *device, unsigned *naddresses);

/* vip_host_route - it will be put on the loopback device, and announced by a host route
 * in @table: the segment here is not its own. */
void vip_host_route(struct vip *v, unsigned table);

/* vip_add, vip_remove - put it on its device, take it away, with its host route.
 * 0 (also if that is so already) or -errno. */
int vip_add(const struct vip *v);
int vip_remove(const struct vip *v);

/* vip_announce - tell the neighbours on its device that it is here: gratuitous ARP, or
 * neighbour advertisement, once.  A host route is others' to announce: nothing is done
 * then.  0 or -errno. */
int vip_announce(const struct vip *v);

/* vip_announcer - a socket for vip_announce_by(), which does the same: closing it waits
 * (15 ms) for all processors, so it is kept where that matters.  -errno. */
int vip_announcer(void);
int vip_announce_by(int sock, const struct vip *v);

/* vip_text - "192.0.2.7/24"; in a buffer that the next call uses, too. */
const char *vip_text(const struct vip *v);

#endif
