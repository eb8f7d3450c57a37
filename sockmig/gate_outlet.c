/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * gate_outlet.c - the TUN devices by which the engine gets what the cell puts out, and
 * lets it go. */
#include "sockmig/gate_build.h"

#include "sockmig/bpf/gate_devices.h"
#include "sockmig/egress.h"
#include "sockmig/gatens.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define OUTLET_PACKETS 8192 /* the engine may be away for some ms */

int
gate_outlet_open(struct netlink *nl, unsigned mtu, int *fd)
{
    int ret = egress_tun("out0", fd);

    if (ret == 0) /* nothing of its own comes out of it */
        ret = gatens_sysctl("ipv6/conf/out0/addr_gen_mode", "1");
    if (ret == 0)
        ret = netlink_set_mtu(nl, OUTLET_INDEX, mtu);
    if (ret == 0)
        ret = netlink_set_queue(nl, OUTLET_INDEX, OUTLET_PACKETS);
    return ret == 0 ? netlink_up(nl, OUTLET_INDEX) : ret;
}

static int
open_outlet(struct gate_build *b, enum gate_where where)
{
    return gate_outlet_open(b->nl, b->bridge.mtu, &b->parts->outlet[where]);
}

/* Read with the status: a request by netlink would wait for whoever in this host is
 * making or removing a device. */
static int
open_counts(struct gate_build *b)
{
    b->parts->counts = open("/proc/thread-self/net/dev", O_RDONLY | O_CLOEXEC);
    return b->parts->counts < 0 ? -errno : 0;
}

int
gate_outlet_cell(struct gate_build *b)
{
    int ret = open_outlet(b, GATE_IN_CELL);

    return ret == 0 ? open_counts(b) : ret;
}

int
gate_outlet_gate(struct gate_build *b)
{
    return open_outlet(b, GATE_IN_GATE);
}

int
gate_outlet_take(struct gate_build *b)
{
    int ret = netlink_link(b->nl, "eth0", &b->eth0);

    return ret == 0 ? fence_cell(b->parts->fence, b->eth0.index) : ret;
}

int
gate_outlet_leave(struct gate_build *b)
{
    return fence_gate(b->parts->fence);
}

/* "out0:", eight numbers of what was received, of what was sent bytes, packets, errors,
 * dropped. */
uint64_t
gate_outlet_dropped(const struct gate_parts *parts)
{
    char text[4096];
    ssize_t n = pread(parts->counts, text, sizeof text - 1, 0);
    const char *line;
    uint64_t dropped = 0;

    text[n > 0 ? n : 0] = '\0';
    line = strstr(text, "out0:");
    if (line)
        sscanf(line, "out0: %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %" SCNu64,
            &dropped);
    return dropped;
}
