/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/scenario/gate_lan.h"

#include "lib/fd.h"
#include "lib/log.h"
#include "sockmig/gatens.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ECHO_PORT 7007
#define CLIENT_PORT 9009
#define MS 1000000ull /* nanoseconds */

enum { REQUEST = 1, REPLY, DATUM };

struct message {
    uint32_t kind, number, node;
};

static const struct conf_address addresses[] = {
    { .family = AF_INET,
        .bytes = { 10, 77, 0, 100 },
        .prefix = 24,
        .text = "10.77.0.100" },
    { .family = AF_INET6,
        .bytes = { 0xfd, 0x77, [14] = 1, [15] = 0 },
        .prefix = 64,
        .text = "fd77::100" },
};

static void
must(bool ok, const char *what)
{
    if (!ok)
        log_fatal("test network: %s: %s", what, strerror(errno));
}

uint64_t
lan_boot_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

int
lan_shell(int netns, const char *fmt, ...)
{
    char command[512];
    va_list args;
    int back, status;

    va_start(args, fmt);
    vsnprintf(command, sizeof command, fmt, args);
    va_end(args);
    must(gatens_enter(netns, &back) == 0, "setns");
    status = system(command);
    gatens_leave(back);
    return status;
}

/* A UDP socket in @netns, bound to @address. */
static int
udp(int netns, enum lan_family family, const char *address, uint16_t port)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
    int back, fd, ret, room = 8 << 20;

    must(gatens_enter(netns, &back) == 0, "setns");
    fd = socket(family == LAN_V4 ? AF_INET : AF_INET6,
        SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (family == LAN_V4) {
        inet_pton(AF_INET, address, &in.sin_addr);
        ret = bind(fd, (struct sockaddr *)&in, sizeof in);
    } else {
        inet_pton(AF_INET6, address, &in6.sin6_addr);
        ret = bind(fd, (struct sockaddr *)&in6, sizeof in6);
    }
    must(ret == 0, address);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
    gatens_leave(back);
    return fd;
}

int
lan_tcp(int netns)
{
    int back, fd, on = 1;

    must(gatens_enter(netns, &back) == 0, "setns");
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    must(fd >= 0, "socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    gatens_leave(back);
    return fd;
}

static void
send_to(int fd, enum lan_family family, const char *address, uint16_t port,
    const struct message *m)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

    if (family == LAN_V4) {
        inet_pton(AF_INET, address, &in.sin_addr);
        sendto(fd, m, sizeof *m, 0, (struct sockaddr *)&in, sizeof in);
    } else {
        inet_pton(AF_INET6, address, &in6.sin6_addr);
        sendto(fd, m, sizeof *m, 0, (struct sockaddr *)&in6, sizeof in6);
    }
}

/* A bridge drops what it should send until the kernel has seen its ports come up. */
static void
await(int netns, const char *link)
{
    must(lan_shell(netns,
             "for i in $(seq 300); do ip -br link show dev %s | grep -q ' UP ' && "
             "exit 0; sleep 0.01; done; exit 1",
             link) == 0,
        link);
}

static void
make_node(struct lan *lan, unsigned n)
{
    struct lan_node *node = &lan->nodes[n];
    char name[8];
    int back;

    node->echo[LAN_V4] = node->echo[LAN_V6] = -1;
    must(gatens_new(&node->netns) == 0, "namespace");
    snprintf(name, sizeof name, "n%u", n + 1);
    must(lan_shell(node->netns,
             "ip link set lo up && ip link add eth0 type bridge && "
             "ip link add nic type veth peer name %s netns /proc/%d/fd/%d && "
             "ip link set nic master eth0 && ip link set nic up && "
             "ip link set eth0 up",
             name, getpid(), lan->netns) == 0,
        "node");
    must(lan_shell(lan->netns, "ip link set %s master br0 && ip link set %s up", name,
             name) == 0,
        "port");
    await(node->netns, "eth0");
    await(lan->netns, name);
    await(lan->netns, "br0");
    must(gatens_enter(lan->netns, &back) == 0, "setns");
    node->port = (int)if_nametoindex(name);
    gatens_leave(back);
}

void
lan_init(struct lan *lan)
{
    int back;

    memset(lan, 0, sizeof *lan);
    must(gatens_new(&lan->netns) == 0, "namespace");
    must(
        lan_shell(lan->netns,
            "ip link set lo up && ip link add br0 type bridge && ip link set br0 up && "
            "ip addr add 10.77.0.50/24 dev br0 && "
            "ip addr add fd77::50/64 dev br0 nodad") == 0,
        "lan");
    must(gatens_enter(lan->netns, &back) == 0, "setns");
    lan->sniffer = socket(
        AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ALL));
    must(lan->sniffer >= 0, "packet socket");
    gatens_leave(back);
    lan->client[LAN_V4] = lan->client[LAN_V6] = -1;
    lan_client(lan, lan->netns, LAN_V4, "10.77.0.50");
    lan_client(lan, lan->netns, LAN_V6, "fd77::50");
    for (unsigned n = 0; n < LAN_NODES; n++)
        make_node(lan, n);
    lan->conf = (struct gate_conf){ .service = "echo",
        .addresses = addresses,
        .naddresses = 2,
        .device = "eth0",
        .gateway = "10.77.0.50",
        .hold_ms = 20 };
    gate_mac("test", "echo", lan->conf.mac);
}

void
lan_client(struct lan *lan, int netns, enum lan_family family, const char *address)
{
    fd_close(lan->client[family]);
    lan->client[family] = udp(netns, family, address, CLIENT_PORT);
}

void
lan_gate(struct lan *lan, unsigned n)
{
    struct lan_node *node = &lan->nodes[n];
    char error[GATE_ERROR_LEN] = "";
    int back, cell;

    must(gatens_enter(node->netns, &back) == 0, "setns");
    if (gate_new(&lan->conf, &node->gate, error) < 0)
        log_fatal("test network: gate: %s", error);
    gatens_leave(back);
    cell = gate_cell_netns(node->gate);
    node->echo[LAN_V4] = udp(cell, LAN_V4, addresses[0].text, ECHO_PORT);
    node->echo[LAN_V6] = udp(cell, LAN_V6, addresses[1].text, ECHO_PORT);
}

void
lan_ungate(struct lan *lan, unsigned n)
{
    struct lan_node *node = &lan->nodes[n];

    egress_free(node->egress);
    node->egress = NULL;
    for (int f = 0; f < LAN_FAMILIES; f++) {
        fd_close(node->echo[f]);
        node->echo[f] = -1;
    }
    gate_free(node->gate);
    node->gate = NULL;
}

void
lan_listen(struct lan *lan, unsigned n)
{
    struct lan_node *node = &lan->nodes[n];

    must(egress_new(gate_outlet(node->gate, true), gate_outlet(node->gate, false),
             &node->egress) == 0,
        "egress");
}

void
lan_open(struct lan *lan, unsigned n, unsigned ms)
{
    gate_lease(lan->nodes[n].gate, ms ? lan_boot_ns() + ms * MS : 0);
}

static void
on_egress(const struct captured *pkt, void *arg)
{
    struct lan_node *node = arg;

    if (node->nids < LAN_IDS)
        node->ids[node->nids++] = pkt->id;
}

static void
serve_queue(struct lan_node *node)
{
    if (!node->egress || egress_read(node->egress, on_egress, node) <= 0 || node->hold)
        return;
    egress_accept_upto(node->egress, node->ids[node->nids - 1]);
    node->nids = 0;
}

static void
serve_echo(unsigned n, int fd)
{
    struct sockaddr_storage from;
    socklen_t len = sizeof from;
    struct message m;

    while (recvfrom(fd, &m, sizeof m, 0, (struct sockaddr *)&from, &len) == sizeof m) {
        m.kind = REPLY;
        m.node = n;
        sendto(fd, &m, sizeof m, 0, (struct sockaddr *)&from, len);
        len = sizeof from;
    }
}

static void
serve_client(struct lan *lan, int fd)
{
    struct message m;

    while (recv(fd, &m, sizeof m, 0) == sizeof m) {
        if (m.kind == REPLY && m.node < LAN_NODES) {
            lan->replies[m.node]++;
            lan->last_reply = m.number;
            lan->last_node = m.node;
        } else if (m.kind == DATUM) {
            lan->data++;
            lan->last_datum = m.number;
        }
    }
}

static void
count_frame(struct lan_node *node, const uint8_t frame[64])
{
    const unsigned type = (unsigned)frame[12] << 8 | frame[13];

    node->frames++;
    if ((type == ETHERTYPE_IP && frame[23] == IPPROTO_UDP) ||
        (type == ETHERTYPE_IPV6 && frame[20] == IPPROTO_UDP))
        node->packets++;
}

/* Counts the frames that come from a node with the MAC of the service. */
static void
serve_sniffer(struct lan *lan)
{
    struct sockaddr_ll from;
    socklen_t len = sizeof from;
    uint8_t frame[64];

    while (recvfrom(lan->sniffer, frame, sizeof frame, 0, (struct sockaddr *)&from,
               &len) >= 14) {
        for (unsigned n = 0; n < LAN_NODES; n++)
            if (from.sll_ifindex == lan->nodes[n].port &&
                from.sll_pkttype != PACKET_OUTGOING &&
                memcmp(frame + 6, lan->conf.mac, 6) == 0)
                count_frame(&lan->nodes[n], frame);
        len = sizeof from;
    }
}

void
lan_pump(struct lan *lan, int ms)
{
    struct pollfd fds[LAN_FAMILIES + LAN_NODES * (LAN_FAMILIES + 1)];
    unsigned nfds = 0;

    for (int f = 0; f < LAN_FAMILIES; f++)
        fds[nfds++] = (struct pollfd){ lan->client[f], POLLIN, 0 };
    for (unsigned n = 0; n < LAN_NODES; n++) { /* poll() skips -1 */
        const struct lan_node *node = &lan->nodes[n];

        for (int f = 0; f < LAN_FAMILIES; f++)
            fds[nfds++] = (struct pollfd){ node->echo[f], POLLIN, 0 };
        fds[nfds++] = (struct pollfd){ node->egress ? egress_fd(node->egress) : -1,
            POLLIN, 0 };
    }
    poll(fds, nfds, ms);
    for (unsigned n = 0; n < LAN_NODES; n++) {
        for (int f = 0; f < LAN_FAMILIES; f++)
            serve_echo(n, lan->nodes[n].echo[f]);
        serve_queue(&lan->nodes[n]);
    }
    serve_client(lan, lan->client[LAN_V4]);
    serve_client(lan, lan->client[LAN_V6]);
    serve_sniffer(lan);
}

void
lan_settle(struct lan *lan)
{
    for (int i = 0; i < 20; i++)
        lan_pump(lan, 5);
}

void
lan_ask(struct lan *lan, enum lan_family family)
{
    const struct message m = { REQUEST, ++lan->request, 0 };

    send_to(lan->client[family], family, addresses[family].text, ECHO_PORT, &m);
}

bool
lan_asked(struct lan *lan, enum lan_family family, unsigned ms)
{
    const uint64_t end = lan_boot_ns() + ms * MS;
    const uint32_t first = lan->request + 1;

    while (lan_boot_ns() < end) {
        lan_ask(lan, family);
        for (int i = 0; i < 4; i++) { /* request, egress, reply */
            lan_pump(lan, 1);
            if (lan->last_reply >= first)
                return true;
        }
    }
    return false;
}

void
lan_say(struct lan *lan, unsigned n, enum lan_family family, uint32_t number)
{
    const struct message m = { DATUM, number, n };

    send_to(lan->nodes[n].echo[family], family,
        family == LAN_V4 ? "10.77.0.50" : "fd77::50", CLIENT_PORT, &m);
}
