/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * netlab.h - a client, a primary and a standby on a bridge, for scenario programs.
 *
 *   client: br0 10.93.0.10, fd93::10 --- p_primary --- primary: eth0 10.93.0.100
 *                                    '-- p_standby --- standby: eth0 10.93.0.100
 *
 * Both hosts have the service's address and MAC; only the one whose port is in the
 * bridge is heard.  The namespaces have no names and go with the program. */
#ifndef BSC_TEST_NETLAB_H
#define BSC_TEST_NETLAB_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct netlab {
    int client, primary, standby; /* network namespaces */
};

enum { NETLAB_SKIP = 77 };

/* netlab_new - exits with 77 and a reason where the host cannot do it. */
void netlab_new(struct netlab *lab);

/* netlab_ns - a network namespace of its own; exits as netlab_new() does. */
int netlab_ns(void);

/* netlab_run - a shell command in a namespace.  Its exit status is 0. */
bool netlab_run(int ns, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* netlab_enter - from here on the calling thread is in namespace @ns. */
void netlab_enter(int ns);

/* netlab_connect - who is on the bridge: "primary", "standby" or neither. */
void netlab_plug(const struct netlab *lab, const char *who);

/* netlab_tun - a TUN rp0 in @ns, up, without reverse path filter. */
int netlab_tun(int ns);

/* netlab_service - the service's address of a family; its length. */
socklen_t netlab_service(int family, uint16_t port, struct sockaddr_storage *out);

/* netlab_deaf - @ns drops all TCP that comes in, or does so no longer. */
void netlab_deaf(int ns, bool deaf);

#endif
