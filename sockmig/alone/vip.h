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
};

/* vip_parse - "192.0.2.7", "192.0.2.7/24", "2001:db8::7/64"; without a prefix .bits is
 * 0, or @host_bits: all of them. */
bool vip_parse(const char *text, bool host_bits, struct vip *out);

/* vip_add_to - parse one more for @list, which has *n of at most @max.  False: @error
 * (VIP_ERROR bytes) says what is allowed. */
bool vip_add_to(struct vip *list, unsigned *n, unsigned max, const char *text,
    bool host_bits, char *error);

/* vip_of - of a socket's address (an IPv4 one inside IPv6 is IPv4).  False: not IP. */
struct sockaddr;
bool vip_of(const struct sockaddr *a, struct vip *out);

/* vip_find - on which device it is, with which prefix, and that it can be taken from
 * there without taking others along.  0 or -errno with @error (VIP_ERROR bytes). */
int vip_find(struct vip *v, char *error);
bool vip_is_here(const struct vip *v);

/* vip_add, vip_remove - put it on its device, take it away.  0 (also if that is so
 * already) or -errno. */
int vip_add(const struct vip *v);
int vip_remove(const struct vip *v);

/* vip_announce - tell the neighbours on its device that it is here: gratuitous ARP, or
 * neighbour advertisement, once.  0 or -errno. */
int vip_announce(const struct vip *v);

/* vip_text - "192.0.2.7/24"; in a buffer that the next call uses, too. */
const char *vip_text(const struct vip *v);

#endif
