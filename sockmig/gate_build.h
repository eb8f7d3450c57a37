/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * gate_build.h - how the namespaces of a gate and its cell are made, step by step.
 *
 * For gate.c, which owns what is made, and gate_check.c. */
#ifndef BSC_GATE_BUILD_H
#define BSC_GATE_BUILD_H

#include "sockmig/fence.h"
#include "sockmig/gate.h"
#include "sockmig/gate_settings.h"
#include "sockmig/netlink.h"
#include "sockmig/reqsk.h"

enum gate_where { GATE_IN_NODE, GATE_IN_GATE, GATE_IN_CELL, GATE_NWHERE };

struct gate_parts {         /* all owned; -1 and NULL: not made yet */
    char outer[16];         /* the uplink's end in the node */
    int netns[GATE_NWHERE]; /* descriptors */
    struct netlink *netlink[GATE_NWHERE];
    struct fence *fence;
    struct reqsk *reqsk; /* NULL: the kernel cannot */
    int packet;          /* sends on up0 */
    int tun, raw;
    int outlet[GATE_NWHERE]; /* of the cell, of the gate; not of the node */
    int counts;              /* what the cell's devices have dropped */
};

struct gate_build { /* while it goes on */
    const struct gate_conf *conf;
    struct gate_parts *parts;
    struct netlink *nl; /* borrowed: of the namespace that the step runs in */
    struct netlink_link bridge, port, up0, vg, eth0;
    struct gate_settings settings; /* of the node, for the cell */
    char *error; /* a step may fill it; otherwise the table's words are used */
};

extern const uint8_t gate_inner_mac[6], cell_inner_mac[6]; /* of vg and its eth0 */

/* gate_route_* - steps: addresses, routes and neighbours of the cell; those of the
 * gate; the gate's default route, if the service has a gateway.  0 or -errno. */
int gate_route_cell(struct gate_build *b);
int gate_route_gate(struct gate_build *b);
int gate_route_default(struct gate_build *b);

/* gate_build - make everything @conf wants.
 *
 * 0; or -errno and @error says what is missing and what to do: @parts then has what
 * was made before. */
int gate_build(const struct gate_conf *conf, struct gate_parts *parts, char *error);

/* gate_outlet_open - make the TUN device out0 in the calling thread's namespace, of
 * which @nl is: up.  0 or -errno; *fd is the caller's in any case, -1: none. */
int gate_outlet_open(struct netlink *nl, unsigned mtu, int *fd);

/* gate_outlet_* - steps: the devices of cell and gate; what the cell puts out is taken
 * to the engine; what that lets go leaves.  0 or -errno. */
int gate_outlet_cell(struct gate_build *b);
int gate_outlet_gate(struct gate_build *b);
int gate_outlet_take(struct gate_build *b);
int gate_outlet_leave(struct gate_build *b);

/* gate_outlet_dropped - packets that the cell's device has had no room for. */
uint64_t gate_outlet_dropped(const struct gate_parts *parts);

/* gate_tun_open - make the TUN device rp0 in the calling thread's namespace.
 * 0 or -errno; *fd is the caller's in any case, -1: none. */
int gate_tun_open(int *fd);

#endif
