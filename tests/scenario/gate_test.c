/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * gate_test.c - gates of one service on two nodes: shut, opened, taken over, killed. */
#include "lib/fd.h"
#include "lib/log.h"
#include "sockmig/gate_check.h"
#include "sockmig/gatens.h"
#include "sockmig/netlink.h"
#include "tests/scenario/claims.h"
#include "tests/scenario/gate_lan.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define LONG_MS 3600000u /* a lease that does not run out */
#define WAIT_MS 5000u    /* for what must come */
#define FLIPS 20

static void
forget(struct lan *lan)
{
    lan_settle(lan);
    lan->data = lan->replies[0] = lan->replies[1] = 0;
    lan->nodes[0].frames = lan->nodes[1].frames = 0;
    lan->nodes[0].packets = lan->nodes[1].packets = 0;
    lan->nodes[0].nids = lan->nodes[1].nids = 0;
}

static void
count_missing(enum gate_found found, const char *what, const char *text, void *arg)
{
    unsigned *missing = arg;

    printf("host: %s: %s\n", what, text);
    if (found == GATE_MISSING)
        (*missing)++;
}

static void
errors(struct lan *lan)
{
    struct gate_conf conf = lan->conf;
    char error[GATE_ERROR_LEN];
    struct gate *gate;
    int back, nic, missing, gateway;

    gatens_enter(lan->nodes[0].netns, &back);
    conf.device = "nic";
    nic = gate_new(&conf, &gate, error);
    check(nic == -EOPNOTSUPP, "a device that is no bridge is refused");
    check(strstr(error, "nic is not a bridge") && strstr(error, "type bridge"),
        "the refusal says how to make a bridge");
    conf.device = "nosuch";
    missing = gate_new(&conf, &gate, error);
    check(missing == -ENODEV && strstr(error, "no device nosuch"),
        "a device that is not there is named");
    conf.device = "eth0";
    conf.gateway = "router";
    gateway = gate_new(&conf, &gate, error);
    check(gateway == -EINVAL && strstr(error, "gateway"), "a bad gateway is named");
    gatens_leave(back);
    check(lan_shell(lan->nodes[0].netns, "ip -br link | grep -q '^bsc'") != 0,
        "a failed gate leaves no link");
}

/* Everything that makes a gate talk, while its fence is shut. */
static void
provoke(struct lan *lan, unsigned n)
{
    for (int f = 0; f < LAN_FAMILIES; f++) {
        lan_ask(lan, f);
        lan_say(lan, n, f, 0);
    }
    gate_announce(lan->nodes[n].gate);
    lan_settle(lan);
}

static void
shut(struct lan *lan)
{
    struct gate_counters c;

    for (unsigned n = 0; n < LAN_NODES; n++) {
        lan_gate(lan, n);
        lan_listen(lan, n);
    }
    check(gate_lease_get(lan->nodes[0].gate) == 0, "a new gate has no lease");
    provoke(lan, 0);
    provoke(lan, 1);
    check(lan->nodes[0].frames + lan->nodes[1].frames == 0,
        "shut gates send not one frame with the service's MAC");
    gate_counters(lan->nodes[0].gate, &c);
    check(c.fenced_in > 0 && c.fenced_out >= 4 && c.passed_in + c.passed_out == 0,
        "the fence counts what it stopped");
}

static void
open_and_expire(struct lan *lan)
{
    struct gate_counters before, after;
    struct lan_node *node = &lan->nodes[0];
    uint64_t end;

    lan_open(lan, 0, LONG_MS);
    gate_announce(node->gate);
    check(lan_asked(lan, LAN_V4, WAIT_MS), "an open gate lets IPv4 through");
    check(lan_asked(lan, LAN_V6, WAIT_MS), "an open gate lets IPv6 through");
    check(node->frames > 0, "the sniffer sees the service's frames");
    end = lan_boot_ns() + 400000000ull;
    gate_lease(node->gate, end);
    check(lan_asked(lan, LAN_V4, 300), "a lease in force lets packets through");
    while (lan_boot_ns() <= end)
        lan_pump(lan, 5);
    forget(lan);
    gate_counters(node->gate, &before);
    provoke(lan, 0);
    gate_counters(node->gate, &after);
    check(after.fenced_in > before.fenced_in && after.fenced_out > before.fenced_out,
        "a lease that ran out shuts the gate by itself");
    check(node->frames == 0 && lan->replies[0] == 0 && lan->data == 0,
        "not one frame passes after the lease");
    check(after.passed_in == before.passed_in && after.passed_out == before.passed_out,
        "the counters agree");
}

static bool
in_multicast_table(struct lan *lan, unsigned n)
{
    return lan_shell(lan->netns,
               "bridge mdb show | grep -q 'port n%u grp ff02::1:ff00:100'", n + 1) == 0;
}

static void
flips(struct lan *lan)
{
    unsigned from = 0, wrong = 0, unserved = 0, strays = 0, deaf = 0;
    uint64_t worst = 0;

    lan_open(lan, 0, LONG_MS);
    gate_announce(lan->nodes[0].gate);
    lan_asked(lan, LAN_V4, WAIT_MS);
    for (int i = 0; i < FLIPS; i++) {
        const unsigned to = 1 - from;
        uint64_t start;

        lan_open(lan, from, 0);
        forget(lan);
        start = lan_boot_ns();
        lan_open(lan, to, LONG_MS);
        gate_announce(lan->nodes[to].gate);
        unserved += !lan_asked(lan, i % 2 ? LAN_V6 : LAN_V4, WAIT_MS);
        if (lan_boot_ns() - start > worst)
            worst = lan_boot_ns() - start;
        wrong += lan->last_node != to;
        deaf += !in_multicast_table(lan, to);
        provoke(lan, from);
        strays += lan->nodes[from].frames + lan->replies[from];
        from = to;
    }
    printf("first reply at the latest %u us after a gate opened\n",
        (unsigned)(worst / 1000));
    check(unserved == 0, "every takeover is served, IPv4 and IPv6");
    check(wrong == 0, "the first reply comes from the gate that opened");
    check(strays == 0, "the shut gate sends nothing");
    check(deaf == 0, "the announcement puts the group into a snooping switch");
    lan_open(lan, 0, LONG_MS);
    lan_open(lan, 1, 0);
    gate_announce(lan->nodes[0].gate);
    check(lan_asked(lan, LAN_V4, WAIT_MS), "back on node 1");
}

/* Waits until @want packets are in the test's hands. */
static bool
queued(struct lan *lan, unsigned n, unsigned want)
{
    const uint64_t end = lan_boot_ns() + WAIT_MS * 1000000ull;

    while (lan->nodes[n].nids < want && lan_boot_ns() < end)
        lan_pump(lan, 10);
    return lan->nodes[n].nids == want;
}

static void
hold(struct lan *lan)
{
    struct lan_node *node = &lan->nodes[0];

    forget(lan);
    node->hold = true;
    for (uint32_t i = 1; i <= 10; i++)
        lan_say(lan, 0, i % 2 ? LAN_V4 : LAN_V6, i);
    check(queued(lan, 0, 10), "what the cell sends is queued");
    lan_say(lan, 0, LAN_V4, 11);
    check(!egress_unread(node->egress) &&
              egress_mark(node->egress) == node->ids[9] + 1 &&
              egress_unread(node->egress),
        "a mark tells of the newest packet, read or not");
    check(queued(lan, 0, 11), "which is read all the same");
    lan_settle(lan);
    check(lan->data == 0 && node->packets == 0, "nothing leaves while it is held");
    egress_accept_upto(node->egress, node->ids[4]);
    lan_settle(lan);
    check(lan->data == 5, "as many leave as were accepted");
    egress_drop(node->egress, node->ids[5]);
    egress_accept_upto(node->egress, node->ids[7]);
    lan_settle(lan);
    check(lan->data == 7, "a dropped one never leaves");
    egress_drop_upto(node->egress, node->ids[10]);
    egress_accept_upto(node->egress, node->ids[10]);
    lan_settle(lan);
    check(lan->data == 7 && egress_stat(node->egress).held == 0,
        "what is dropped up to an id never leaves");
    check(egress_read(node->egress, NULL, NULL) == 0,
        "accepting what is not there is no error");
}

static uint64_t
dropped(const struct lan_node *node)
{
    struct gate_counters c;

    gate_counters(node->gate, &c);
    return c.dropped_out + egress_stat(node->egress).dropped;
}

/* More than the device takes while nobody reads. */
static void
overflow(struct lan *lan)
{
    struct lan_node *node = &lan->nodes[0];
    const uint32_t all = 8292;
    uint64_t before = dropped(node);
    uint32_t first = egress_mark(node->egress) + 1, last, took;

    forget(lan);
    for (uint32_t i = 0; i < all; i++)
        lan_say(lan, 0, LAN_V4, i);
    last = egress_mark(node->egress);
    took = last + 1 - first;
    check(took > 8000 && took <= 8192 && dropped(node) - before == all - took,
        "what does not fit is dropped and counted");
    lan_settle(lan);
    check(lan->data == 0 && node->packets == 0, "and does not leave");
    egress_accept_upto(node->egress, last);
    for (int i = 0; i < 500 && lan->data < took; i++)
        lan_pump(lan, 10);
    check(lan->data == took && lan->last_datum == took - 1,
        "what fits is kept, in order");
}

/* An IPv4 packet with a source of our choice, out of the cell. */
static void
raw_from(struct lan *lan, const uint8_t source[4])
{
    const uint8_t client[4] = { 10, 77, 0, 50 };
    struct sockaddr_in to = { .sin_family = AF_INET };
    struct iphdr ip = { .version = 4, .ihl = 5, .ttl = 64, .protocol = 253 };

    memcpy(&ip.saddr, source, 4);
    memcpy(&ip.daddr, client, 4);
    memcpy(&to.sin_addr, client, 4);
    sendto(gate_raw(lan->nodes[0].gate), &ip, sizeof ip, 0, (struct sockaddr *)&to,
        sizeof to);
}

static void
sources(struct lan *lan)
{
    const uint8_t own[4] = { 10, 77, 0, 100 }, foreign[4] = { 10, 77, 0, 99 };
    struct lan_node *node = &lan->nodes[0];

    forget(lan);
    raw_from(lan, own);
    check(queued(lan, 0, 1), "the raw socket's packets are queued as all others");
    raw_from(lan, foreign);
    lan_settle(lan);
    check(node->nids == 1, "what has a foreign source is not even queued");
    egress_accept_upto(node->egress, node->ids[0]);
    node->hold = false;
}

static void
no_listener(struct lan *lan)
{
    struct lan_node *node = &lan->nodes[0];

    forget(lan);
    node->hold = true;
    lan_say(lan, 0, LAN_V4, 1);
    check(queued(lan, 0, 1), "one is held");
    egress_free(node->egress);
    node->egress = NULL;
    for (uint32_t i = 1; i <= 5; i++)
        lan_say(lan, 0, i % 2 ? LAN_V4 : LAN_V6, i);
    lan_settle(lan);
    check(lan->data == 0 && node->packets == 0, "without a listener nothing passes");
    lan_listen(lan, 0);
    node->hold = false;
    node->nids = 0;
    check(lan_asked(lan, LAN_V4, WAIT_MS), "a new listener takes up the work");
}

/* As the kernel does when it takes a dead engine's namespace apart: the rules go before
 * the devices do, and the lease has not run out. */
static void
rules_gone(struct lan *lan)
{
    struct lan_node *node = &lan->nodes[0];

    check(lan_asked(lan, LAN_V4, WAIT_MS), "the gate is open");
    forget(lan);
    check(
        lan_shell(gate_netns(node->gate),
            "iptables -w -t raw -F && ip6tables -w -t raw -F") == 0 &&
            lan_shell(gate_cell_netns(node->gate), "tc qdisc del dev eth0 clsact") == 0,
        "the gate's rules are gone, and the cell's way to the engine");
    for (uint32_t i = 1; i <= 6; i++)
        lan_say(lan, 0, i % 2 ? LAN_V4 : LAN_V6, i);
    lan_settle(lan);
    check(lan->data == 0 && node->packets == 0,
        "without its rules nothing of the cell passes either");
}

static void
hops(struct lan *lan)
{
    struct lan_node *node = &lan->nodes[0];
    int one = 1, dflt = -1;

    setsockopt(lan->client[LAN_V4], IPPROTO_IP, IP_TTL, &one, sizeof one);
    setsockopt(lan->client[LAN_V6], IPPROTO_IPV6, IPV6_UNICAST_HOPS, &one, sizeof one);
    setsockopt(node->echo[LAN_V4], IPPROTO_IP, IP_TTL, &one, sizeof one);
    setsockopt(node->echo[LAN_V6], IPPROTO_IPV6, IPV6_UNICAST_HOPS, &one, sizeof one);
    check(lan_asked(lan, LAN_V4, WAIT_MS), "TTL 1 is enough, both ways");
    check(lan_asked(lan, LAN_V6, WAIT_MS), "hop limit 1 is enough, both ways");
    setsockopt(lan->client[LAN_V4], IPPROTO_IP, IP_TTL, &dflt, sizeof dflt);
    setsockopt(
        lan->client[LAN_V6], IPPROTO_IPV6, IPV6_UNICAST_HOPS, &dflt, sizeof dflt);
    setsockopt(node->echo[LAN_V4], IPPROTO_IP, IP_TTL, &dflt, sizeof dflt);
    setsockopt(node->echo[LAN_V6], IPPROTO_IPV6, IPV6_UNICAST_HOPS, &dflt, sizeof dflt);
    lan_shell(lan->netns, "ip neigh flush all");
    check(lan_asked(lan, LAN_V6, WAIT_MS), "neighbour discovery still works");
}

/* The node itself, and another node, are clients like any other. */
static void
hosts(struct lan *lan)
{
    for (unsigned n = 0; n < LAN_NODES; n++) {
        lan_shell(lan->nodes[n].netns,
            "ip addr replace 10.77.0.%u/24 dev eth0; "
            "ip addr replace fd77::%u/64 dev eth0 nodad",
            n + 1, n + 1);
        lan_client(lan, lan->nodes[n].netns, LAN_V4, n ? "10.77.0.2" : "10.77.0.1");
        lan_client(lan, lan->nodes[n].netns, LAN_V6, n ? "fd77::2" : "fd77::1");
        check(lan_asked(lan, LAN_V4, WAIT_MS) && lan_asked(lan, LAN_V6, WAIT_MS),
            n ? "another node's host is served" : "the gate's own host is served");
    }
    lan_client(lan, lan->netns, LAN_V4, "10.77.0.50");
    lan_client(lan, lan->netns, LAN_V6, "fd77::50");
}

/* What the cell of node 1 believes the path to the client can carry. */
static bool
path_mtu_is(struct lan *lan, enum lan_family family, int want)
{
    const char *route = family == LAN_V4 ? "ip route get 10.77.0.50"
                                         : "ip -6 route get fd77::50";

    return lan_shell(gate_cell_netns(lan->nodes[0].gate), "%s | grep -q 'mtu %d'",
               route, want) == 0;
}

static void
path_mtu(struct lan *lan)
{
    static const char big[1400];
    struct lan_node *node = &lan->nodes[0];
    int probe = IP_PMTUDISC_DO, gate = gate_netns(node->gate);
    struct sockaddr_in to4 = { .sin_family = AF_INET, .sin_port = htons(9) };
    struct sockaddr_in6 to6 = { .sin6_family = AF_INET6, .sin6_port = htons(9) };

    to4.sin_addr.s_addr = htonl(0x0a4d0032);
    to6.sin6_addr.s6_addr[0] = 0xfd;
    to6.sin6_addr.s6_addr[1] = 0x77;
    to6.sin6_addr.s6_addr[15] = 0x50;
    lan_shell(gate, "ip route add 10.77.0.50/32 dev up0 mtu lock 1300; "
                    "ip -6 route add fd77::50/128 dev up0 mtu 1300");
    setsockopt(node->echo[LAN_V4], IPPROTO_IP, IP_MTU_DISCOVER, &probe, sizeof probe);
    sendto(node->echo[LAN_V4], big, sizeof big, 0, (struct sockaddr *)&to4, sizeof to4);
    sendto(node->echo[LAN_V6], big, sizeof big, 0, (struct sockaddr *)&to6, sizeof to6);
    lan_settle(lan);
    check(path_mtu_is(lan, LAN_V4, 1300), "the cell learns the path MTU, IPv4");
    check(path_mtu_is(lan, LAN_V6, 1300), "the cell learns the path MTU, IPv6");
    lan_shell(gate, "ip route del 10.77.0.50/32 dev up0; "
                    "ip -6 route del fd77::50/128 dev up0");
}

/* The engine that will be killed: holds 50 packets, tells so, and hangs. */
static void
doomed_engine(struct lan *lan, int tell)
{
    struct lan_node *node = &lan->nodes[0];

    lan_gate(lan, 0);
    lan_open(lan, 0, LONG_MS);
    gate_announce(node->gate);
    lan_listen(lan, 0);
    if (!lan_asked(lan, LAN_V4, WAIT_MS))
        _exit(1);
    forget(lan);
    node->hold = true;
    for (uint32_t i = 0; i < 50; i++)
        lan_say(lan, 0, i % 2 ? LAN_V4 : LAN_V6, i);
    if (!queued(lan, 0, 50) || write(tell, "", 1) != 1)
        _exit(1);
    for (;;)
        pause();
}

static void
killed(struct lan *lan)
{
    struct lan_node *node = &lan->nodes[0];
    int tell[2], status;
    char byte;
    pid_t pid;

    lan_ungate(lan, 0);
    check(lan_shell(node->netns, "ip -br link | grep -q '^bsc'") != 0,
        "a freed gate leaves no link");
    if (pipe(tell) < 0 || (pid = fork()) < 0)
        log_fatal("pipe or fork: %s", strerror(errno));
    if (pid == 0)
        doomed_engine(lan, tell[1]);
    close(tell[1]);
    check(read(tell[0], &byte, 1) == 1, "a child holds 50 packets");
    close(tell[0]);
    forget(lan);
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    lan_gate(lan, 0); /* at once, among what the kernel has not yet cleaned up */
    lan_listen(lan, 0);
    lan_settle(lan);
    check(lan->data == 0 && node->packets == 0,
        "of what a killed engine held nothing leaves");
    lan_open(lan, 0, LONG_MS);
    gate_announce(node->gate);
    check(lan_asked(lan, LAN_V4, WAIT_MS), "its successor on the node serves");
}

/* A service is listened to by as many as the administrator of its host allows. */
static void
settings(struct lan *lan)
{
    struct lan_node *node = &lan->nodes[0];

    lan_ungate(lan, 0);
    check(lan_shell(node->netns,
              "cd /proc/sys/net && echo 777 >core/somaxconn && "
              "echo 301 >ipv4/tcp_keepalive_time && echo 0 >ipv4/tcp_timestamps && "
              "echo 20000 21000 >ipv4/ip_local_port_range") == 0,
        "the host's settings are not the kernel's");
    lan_gate(lan, 0);
    check(lan_shell(gate_cell_netns(lan->nodes[0].gate),
              "cd /proc/sys/net && test $(cat core/somaxconn) = 777 && "
              "test $(cat ipv4/tcp_keepalive_time) = 301 && "
              "test $(cut -f 2 ipv4/ip_local_port_range) = 21000") == 0,
        "the cell has them");
    check(lan_shell(gate_cell_netns(lan->nodes[0].gate),
              "test $(cat /proc/sys/net/ipv4/tcp_timestamps) = 1") == 0,
        "but for what a replay relies on");
}

int
main(void)
{
    static struct lan lan;
    unsigned missing = 0;

    log_init("gate_test", LOG_LEVEL_INFO);
    if (geteuid() != 0) {
        puts("skipped: needs root for network namespaces");
        return 77;
    }
    gate_check(count_missing, &missing);
    check(missing == 0, "this host has what a gate needs");
    lan_init(&lan);
    errors(&lan);
    shut(&lan);
    open_and_expire(&lan);
    flips(&lan);
    hold(&lan);
    overflow(&lan);
    sources(&lan);
    no_listener(&lan);
    hops(&lan);
    hosts(&lan);
    path_mtu(&lan);
    rules_gone(&lan);
    killed(&lan);
    settings(&lan);
    lan_ungate(&lan, 0);
    lan_ungate(&lan, 1);
    return claims_end();
}
