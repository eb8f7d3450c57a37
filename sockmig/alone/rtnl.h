/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * rtnl.h - messages to and from the kernel's tables of addresses, routes and rules, as
 * they are.
 *
 * Something that was found there is taken away, and put back whole, by the message in
 * which the kernel told of it, whatever attributes it has.  So this is not netlink.h,
 * which knows what it makes. */
#ifndef BSC_RTNL_H
#define BSC_RTNL_H

#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RTNL_MAX 512u /* bytes of a message that can be built or kept */

struct rtnl_message {
    size_t size;
    _Alignas(8) uint8_t bytes[RTNL_MAX]; /* begins with a struct nlmsghdr */
};

/* rtnl_begin - a message of @type with its fixed part; rtnl_put: one attribute more.
 * Both fit: what is built here is small (asserted). */
void rtnl_begin(struct rtnl_message *m, uint16_t type, const void *body, size_t size);
void rtnl_put(struct rtnl_message *m, uint16_t type, const void *data, size_t size);
void rtnl_put32(struct rtnl_message *m, uint16_t type, uint32_t value);

/* rtnl_keep - @h as it is, to be said again as @type.  False: it is too long. */
bool rtnl_keep(struct rtnl_message *m, const struct nlmsghdr *h, uint16_t type);

/* rtnl_find - attribute @type of @h, after a fixed part of @body bytes; NULL: it has
 * none of at least @size bytes. */
const void *rtnl_find(
    const struct nlmsghdr *h, size_t body, uint16_t type, size_t size);

/* rtnl_open - a socket to the tables of the caller's namespace.  -errno. */
int rtnl_open(void);

/* rtnl_say - do what @bytes (one message) say, with more @flags.  0 or -errno. */
int rtnl_say(int fd, const uint8_t *bytes, size_t size, uint16_t flags);

/* rtnl_list - call @each for everything that @type (RTM_GETADDR...) lists.
 * 0 or -errno: the first of @each, too. */
int rtnl_list(int fd, uint16_t type, int family,
    int (*each)(const struct nlmsghdr *h, void *arg), void *arg);

#endif
