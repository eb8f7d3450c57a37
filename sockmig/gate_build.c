/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Every setting's reason is in doc/design/gate.md. */
#include "sockmig/gate_build.h"

#include "lib/fd.h"
#include "lib/log.h"
#include "sockmig/bpf/gate_devices.h"
#include "sockmig/gatens.h"
#include "sockmig/offload.h"
#include "sockmig/rules.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LINK_WAIT_MS 3000
#define LOOPBACK 1 /* its index in every namespace */

struct setting {
    const char *name, *value;
};

static int
apply(struct gate_build *b, const struct setting *settings, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        int ret = gatens_sysctl(settings[i].name, settings[i].value);

        if (ret == 0)
            continue;
        snprintf(b->error, GATE_ERROR_LEN, "cannot write %s to /proc/sys/net/%s: %s%s",
            settings[i].value, settings[i].name, strerror(-ret),
            ret == -EROFS    ? ": /proc/sys must be writable"
            : ret == -ENOENT ? ": the kernel needs IPv4 and IPv6 (CONFIG_IPV6, "
                               "not switched off with ipv6.disable=1)"
                             : "");
        return ret;
    }
    return 0;
}

/* With br_netfilter, the node's firewall sees the frames of its bridges. */
static void
look_for_firewall(const char *device)
{
    static bool told;
    char flag[16] = "";

    if (told ||
        file_read("/proc/sys/net/bridge/bridge-nf-call-iptables", flag, sizeof flag) <=
            0 ||
        flag[0] != '1')
        return;
    told = true;
    log_info("device %s: the node's iptables rules apply to bridged packets; if they "
             "drop the service's, accept them or set "
             "net.bridge.bridge-nf-call-iptables=0 and ...-ip6tables=0",
        device);
}

static int
find_bridge(struct gate_build *b)
{
    const char *device = b->conf->device;
    int ret = netlink_link(b->nl, device, &b->bridge);

    if (ret == 0 && strcmp(b->bridge.kind, "bridge") == 0) {
        look_for_firewall(device);
        return 0;
    }
    if (ret < 0 && ret != -ENODEV)
        return ret;
    if (ret == -ENODEV)
        snprintf(b->error, GATE_ERROR_LEN, "there is no device %s: ", device);
    else
        snprintf(b->error, GATE_ERROR_LEN, "device %s is not a bridge: ", device);
    snprintf(b->error + strlen(b->error), GATE_ERROR_LEN - strlen(b->error),
        "make one (ip link add br0 type bridge; ip link set br0 up; ip link set "
        "%s master br0), move the host's addresses and routes to it, and name it "
        "as the service's device",
        ret == -ENODEV ? "NIC" : device);
    return ret < 0 ? ret : -EOPNOTSUPP;
}

static int
remove_leftover(struct gate_build *b)
{
    return netlink_delete(b->nl, b->parts->outer);
}

static int
make_namespaces(struct gate_build *b)
{
    int ret = gatens_new(&b->parts->netns[GATE_IN_GATE]);

    if (ret == 0)
        ret = gatens_new(&b->parts->netns[GATE_IN_CELL]);
    return ret;
}

static int
set_gate(struct gate_build *b)
{
    static const struct setting settings[] = {
        { "ipv4/ip_forward", "1" },
        { "ipv4/ip_early_demux", "0" }, /* nobody listens here; of IPv6, too */
        { "ipv6/conf/all/disable_ipv6", "0" },
        { "ipv6/conf/default/disable_ipv6", "0" },
        { "ipv6/conf/all/forwarding", "1" },
        { "ipv4/conf/all/proxy_arp", "0" }, /* the node's is inherited */
        { "ipv4/conf/default/proxy_arp", "0" },
        { "ipv4/conf/all/rp_filter", "0" },
        { "ipv4/conf/default/rp_filter", "0" },
        { "ipv4/conf/all/send_redirects", "0" },
        { "ipv4/conf/default/send_redirects", "0" },
        { "ipv6/conf/all/accept_dad", "0" },
        { "ipv6/conf/default/accept_dad", "0" },
        { "ipv6/conf/default/accept_ra", "0" },
        { "ipv6/conf/default/router_solicitations", "0" },
    };

    return apply(b, settings, sizeof settings / sizeof settings[0]);
}

/* What is held counts against the window: 5 Gbit/s times the hold. */
static unsigned
buffer_bytes(unsigned hold_ms)
{
    unsigned bytes = hold_ms < 16 ? hold_ms * 640 * 1024 : 16u << 20;

    return bytes < 6u << 20 ? 6u << 20 : bytes;
}

static int
set_cell(struct gate_build *b)
{
    char wmem[64], rmem[64];
    const struct setting settings[] = {
        { "ipv4/conf/all/rp_filter", "0" },
        { "ipv4/conf/default/rp_filter", "0" },
        { "ipv6/conf/all/accept_dad", "0" },
        { "ipv6/conf/default/accept_dad", "0" },
        { "ipv6/conf/default/accept_ra", "0" },
        { "ipv6/conf/default/router_solicitations", "0" },
        { "ipv6/conf/all/disable_ipv6", "0" },
        { "ipv6/conf/default/disable_ipv6", "0" },
        { "ipv4/ip_unprivileged_port_start", "0" }, /* all ports are the service's */
        { "ipv4/tcp_timestamps", "1" },
        { "ipv4/tcp_wmem", wmem },
        { "ipv4/tcp_rmem", rmem },
    };
    int ret;

    snprintf(wmem, sizeof wmem, "4096 16384 %u", buffer_bytes(b->conf->hold_ms));
    snprintf(rmem, sizeof rmem, "4096 131072 %u", buffer_bytes(b->conf->hold_ms));
    gate_settings_write(&b->settings);
    ret = gatens_sysctl("mptcp/enabled", "0"); /* TCP_REPAIR knows plain TCP only */
    if (ret < 0 && ret != -ENOENT)
        return ret;
    return apply(b, settings, sizeof settings / sizeof settings[0]);
}

static int
make_inner_pair(struct gate_build *b)
{
    const struct netlink_veth pair = { .name = "vg",
        .peer_name = "eth0",
        .mac = gate_inner_mac,
        .peer_mac = cell_inner_mac,
        .mtu = b->bridge.mtu,
        .index = INNER_INDEX,
        .peer_netns = b->parts->netns[GATE_IN_CELL] };

    return netlink_veth(b->nl, &pair);
}

static int
make_uplink(struct gate_build *b)
{
    uint8_t port_mac[6];
    const struct netlink_veth pair = { .name = "up0",
        .peer_name = b->parts->outer,
        .mac = b->conf->mac,
        .peer_mac = port_mac,
        .mtu = b->bridge.mtu,
        .index = UPLINK_INDEX,
        .peer_netns = b->parts->netns[GATE_IN_NODE] };
    int ret;

    /* A bridge takes the lowest address of its ports: never this one. */
    memcpy(port_mac, b->conf->mac, sizeof port_mac);
    port_mac[0] = 0xfe;
    ret = netlink_veth(b->nl, &pair);
    if (ret == 0)
        ret = netlink_link(b->nl, "up0", &b->up0);
    return ret;
}

static int
attach_fence(struct gate_build *b)
{
    return fence_new(b->up0.index, &b->parts->fence);
}

static int
set_uplink(struct gate_build *b)
{
    static const struct setting settings[] = {
        { "ipv4/neigh/up0/proxy_delay", "0" },
        { "ipv6/neigh/up0/proxy_delay", "0" },
        { "ipv6/conf/up0/proxy_ndp", "1" },
        { "ipv4/conf/up0/arp_ignore", "1" },
        { "ipv4/neigh/up0/retrans_time_ms", "50" },
        { "ipv6/neigh/up0/retrans_time_ms", "50" },
        { "ipv4/neigh/up0/mcast_solicit", "60" },
        { "ipv6/neigh/up0/mcast_solicit", "60" },
        { "ipv4/neigh/up0/ucast_solicit", "10" },
        { "ipv6/neigh/up0/ucast_solicit", "10" },
        { "ipv6/conf/up0/accept_ra", "0" },
    };

    return apply(b, settings, sizeof settings / sizeof settings[0]);
}

/* What a client sends as one with UDP_SEGMENT, or a NIC has put together, would wait,
 * be logged and fed in as one datagram.  What the service does is cut at out0. */
static int
cut_datagrams(const char *device)
{
    int ret = offload_off(device, "tx-udp-segmentation");

    return ret == 0 ? offload_off(device, "tx-gso-list") : ret;
}

static int
gate_links_up(struct gate_build *b)
{
    int ret = netlink_link(b->nl, "vg", &b->vg);

    if (ret == 0)
        ret = cut_datagrams("vg");
    if (ret == 0)
        ret = netlink_up(b->nl, LOOPBACK);
    if (ret == 0)
        ret = netlink_up(b->nl, b->vg.index);
    if (ret == 0)
        ret = netlink_up(b->nl, b->up0.index);
    return ret;
}

static int
cell_links_up(struct gate_build *b)
{
    int ret = netlink_up(b->nl, LOOPBACK);

    if (ret == 0)
        ret = netlink_up(b->nl, b->eth0.index);
    return ret;
}

static int
join_bridge(struct gate_build *b)
{
    char setting[64];
    int ret = netlink_link(b->nl, b->parts->outer, &b->port);

    if (ret < 0)
        return ret;
    /* The node has nothing to say on this link; without IPv6 on the node, nothing to
     * switch off. */
    snprintf(setting, sizeof setting, "ipv6/conf/%s/disable_ipv6", b->parts->outer);
    gatens_sysctl(setting, "1");
    ret = netlink_set_master(b->nl, b->port.index, b->bridge.index);
    if (ret == 0)
        ret = netlink_up(b->nl, b->port.index);
    return ret;
}

static int
gate_rules(struct gate_build *b)
{
    int ret = rules_egress("vg", b->error);

    return ret == 0 ? rules_hop("out0", "up0", b->error) : ret;
}

static int
cell_rules(struct gate_build *b)
{
    if (!b->conf->ingress_queue)
        return 0;
    return rules_ingress(b->conf->addresses, b->conf->naddresses, "eth0", b->error);
}

static int
open_packet(struct gate_build *b)
{
    const struct sockaddr_ll where = { .sll_family = AF_PACKET,
        .sll_ifindex = b->up0.index };
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -errno;
    b->parts->packet = fd; /* protocol 0: sends only */
    return bind(fd, (const struct sockaddr *)&where, sizeof where) < 0 ? -errno : 0;
}

int
gate_tun_open(int *fd)
{
    struct ifreq req = { .ifr_name = "rp0", .ifr_flags = IFF_TUN | IFF_NO_PI };

    *fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (*fd < 0)
        return -errno;
    return ioctl(*fd, TUNSETIFF, &req) < 0 ? -errno : 0;
}

static int
open_tun(struct gate_build *b)
{
    struct netlink_link rp0;
    int ret = gate_tun_open(&b->parts->tun);

    if (ret == 0) /* nothing of its own comes out of it */
        ret = gatens_sysctl("ipv6/conf/rp0/addr_gen_mode", "1");
    if (ret == 0)
        ret = netlink_link(b->nl, "rp0", &rp0);
    if (ret == 0)
        ret = netlink_set_mtu(b->nl, rp0.index, b->bridge.mtu);
    if (ret == 0)
        ret = netlink_up(b->nl, rp0.index);
    return ret;
}

static int
open_raw(struct gate_build *b)
{
    b->parts->raw = socket(
        AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_RAW);
    return b->parts->raw < 0 ? -errno : 0;
}

/* Without it connections that are not accepted yet are reset at a takeover: no reason
 * to protect nothing. */
static int
load_reqsk(struct gate_build *b)
{
    static bool told;
    int ret = reqsk_new(b->parts->netns[GATE_IN_CELL], &b->parts->reqsk);

    if (ret != -EOPNOTSUPP)
        return ret;
    if (!told)
        log_warn("service %s: this kernel cannot make connections again that are not "
                 "accepted yet: they are reset at a failure (Linux 6.8 can)",
            b->conf->service);
    told = true;
    return 0;
}

/* A link passes frames, and a bridge forwards to its port, only some time after it is
 * up (net/core/link_watch.c): the first announcement would be lost. */
static int
await(struct gate_build *b, const char *name)
{
    const struct timespec a_while = { .tv_nsec = 1000000 };
    struct netlink_link link = { 0 };
    int ret = 0;

    for (int i = 0; i < LINK_WAIT_MS && ret == 0 && !link.operates; i++) {
        if (i > 0)
            nanosleep(&a_while, NULL);
        ret = netlink_link(b->nl, name, &link);
    }
    return ret == 0 && !link.operates ? -ETIMEDOUT : ret;
}

static int
await_cell(struct gate_build *b)
{
    return await(b, "eth0");
}

static int
await_gate(struct gate_build *b)
{
    int ret = await(b, "vg");

    return ret == 0 ? await(b, "up0") : ret;
}

static int
await_port(struct gate_build *b)
{
    return await(b, b->parts->outer);
}

static const char privilege[] = "the engine must run as root";
static const char slow[] = "is something taking links down?  (ip monitor link)";
static const char veth[] = "the kernel needs veth devices (CONFIG_VETH)";
static const char iproute[] = "the kernel needs IPv4 and IPv6 policy routing "
                              "(CONFIG_IP_MULTIPLE_TABLES)";
static const char clsbpf[] = "the kernel needs BPF on tc (CONFIG_BPF_SYSCALL, "
                             "CONFIG_NET_SCH_INGRESS, CONFIG_NET_CLS_BPF)";
static const char tundev[] = "the kernel needs TUN devices (CONFIG_TUN, /dev/net/tun; "
                             "modprobe tun)";
static const char packet[] = "the kernel needs packet sockets (CONFIG_PACKET)";

/* clang-format off */
/* In this order: the fence is in place before the link it guards comes up, or a
 * standby's first MLD report would steal the switch's entry from the active node. */
static const struct {
    enum gate_where where;
    const char *what;
    int (*step)(struct gate_build *);
    const char *cure;
} steps[] = {
    { GATE_IN_NODE, "look at the device",               find_bridge,     privilege },
    { GATE_IN_NODE, "remove a predecessor's link",      remove_leftover, privilege },
    { GATE_IN_NODE, "make network namespaces",          make_namespaces, privilege },
    { GATE_IN_GATE, "set up the gate's namespace",      set_gate,        privilege },
    { GATE_IN_CELL, "set up the cell's namespace",      set_cell,        privilege },
    { GATE_IN_GATE, "make the pair to the cell",        make_inner_pair, veth },
    { GATE_IN_GATE, "make the uplink",                  make_uplink,     veth },
    { GATE_IN_GATE, "attach the fence",                 attach_fence,    clsbpf },
    { GATE_IN_CELL, "make the cell's outlet",           gate_outlet_cell, tundev },
    { GATE_IN_CELL, "take output to the engine",        gate_outlet_take, clsbpf },
    { GATE_IN_GATE, "make the gate's outlet",           gate_outlet_gate, tundev },
    { GATE_IN_GATE, "let output leave",                 gate_outlet_leave, clsbpf },
    { GATE_IN_GATE, "set up the uplink",                set_uplink,      privilege },
    { GATE_IN_GATE, "load the gate's rules",            gate_rules,      privilege },
    { GATE_IN_CELL, "load the cell's rules",            cell_rules,      privilege },
    { GATE_IN_NODE, "join the bridge",                  join_bridge,     privilege },
    { GATE_IN_CELL, "bring up the cell's links",        cell_links_up,   privilege },
    { GATE_IN_GATE, "bring up the gate's links",        gate_links_up,   privilege },
    { GATE_IN_CELL, "see the cell's link come up",      await_cell,      slow },
    { GATE_IN_GATE, "see the gate's links come up",     await_gate,      slow },
    { GATE_IN_NODE, "see the bridge's port come up",    await_port,      slow },
    { GATE_IN_CELL, "give the cell its addresses",      gate_route_cell,  iproute },
    { GATE_IN_GATE, "route to the cell",                gate_route_gate,  iproute },
    { GATE_IN_GATE, "route to the gateway",             gate_route_default,
        "write it as an address of the virtual network" },
    { GATE_IN_GATE, "open the announcing socket",       open_packet,     packet },
    { GATE_IN_CELL, "make the injection device",        open_tun,        tundev },
    { GATE_IN_CELL, "open the raw socket",              open_raw,        privilege },
    { GATE_IN_CELL, "watch for early connections",      load_reqsk,      clsbpf },
};
/* clang-format on */

/* Runs one step in its namespace, with a netlink handle of that namespace. */
static int
run_step(struct gate_build *b, unsigned i)
{
    enum gate_where where = steps[i].where;
    int back, ret;

    ret = gatens_enter(b->parts->netns[where], &back);
    if (ret < 0)
        return ret;
    if (!b->parts->netlink[where])
        ret = netlink_open(&b->parts->netlink[where]);
    b->nl = b->parts->netlink[where];
    if (ret == 0)
        ret = steps[i].step(b);
    gatens_leave(back);
    return ret;
}

int
gate_build(const struct gate_conf *conf, struct gate_parts *parts, char *error)
{
    struct gate_build b = { .conf = conf, .parts = parts, .error = error };
    int ret = gatens_self(&parts->netns[GATE_IN_NODE]);

    error[0] = '\0';
    gate_settings_read(&b.settings);
    if (ret < 0)
        snprintf(error, GATE_ERROR_LEN, "cannot look at /proc: %s", strerror(-ret));
    for (unsigned i = 0; i < sizeof steps / sizeof steps[0] && ret == 0; i++) {
        ret = run_step(&b, i);
        if (ret < 0 && error[0] == '\0')
            snprintf(error, GATE_ERROR_LEN, "cannot %s: %s: %s", steps[i].what,
                strerror(-ret), steps[i].cure);
    }
    return ret;
}
