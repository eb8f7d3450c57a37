/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * gate_flow_test.c - what flows through a gate: single packets into the
 * cell, and TCP in bulk out of it. */
#include "lib/fd.h"
#include "lib/log.h"
#include "sockmig/gatens.h"
#include "sockmig/nfq.h"
#include "tests/scenario/claims.h"
#include "tests/scenario/gate_lan.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LONG_MS 3600000u
#define BULK_BYTES (256u << 20)
#define HOLD_NS 5000000ull /* egress is held this long in the second run */
#define HELD_BYTES (64u << 20)

/* An IPv4 UDP packet from the client to the echo server, without a checksum. */
static void
inject(struct lan *lan)
{
    struct {
        struct iphdr ip;
        uint16_t udp[4];
        uint32_t message[3];
    } pkt = { .ip = { .version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP },
        .udp = { htons(9009), htons(7007), htons(20), 0 },
        .message = { 1, ++lan->request, 0 } };
    uint32_t sum = 0;
    const uint16_t *words = (const uint16_t *)&pkt.ip;

    pkt.ip.tot_len = htons(sizeof pkt);
    pkt.ip.saddr = htonl(0x0a4d0032);
    pkt.ip.daddr = htonl(0x0a4d0064);
    for (int i = 0; i < 10; i++)
        sum += words[i];
    sum = (sum & 0xffff) + (sum >> 16);
    pkt.ip.check = (uint16_t) ~(sum + (sum >> 16));
    if (write(gate_tun(lan->nodes[0].gate), &pkt, sizeof pkt) != sizeof pkt)
        log_warn("injection: %s", strerror(errno));
}

static void
take_id(const struct captured *pkt, void *arg)
{
    *(struct captured *)arg = *pkt;
}

static void
ingress(struct lan *lan)
{
    struct lan_node *node = &lan->nodes[0];
    struct captured last = { 0 };
    struct nfq *queue;

    lan->conf.ingress_queue = true;
    lan_gate(lan, 0);
    lan_listen(lan, 0);
    if (nfq_open(gate_cell_netns(node->gate), 0, 4096, false, &queue) < 0)
        log_fatal("ingress queue: %s", strerror(errno));
    lan_open(lan, 0, LONG_MS);
    gate_announce(node->gate);
    lan_settle(lan);
    for (int i = 0; i < 100 && nfq_read(queue, take_id, &last) <= 0; i++) {
        lan_ask(lan, LAN_V4);
        lan_pump(lan, 10);
    }
    check(last.id > 0 && last.protocol == 0x0800 && !last.data,
        "a packet to the cell is queued there; without payload if so asked");
    check(lan->replies[0] == 0, "the service does not see it");
    inject(lan);
    lan_settle(lan);
    check(lan->replies[0] == 1, "what is injected by the TUN passes the queue by");
    nfq_accept_upto(queue, last.id);
    lan_settle(lan);
    check(lan->replies[0] > 1, "an accepted packet is served");
    nfq_close(queue);
}

/* Both queues, each packet let go at once (or the egress after HOLD_NS), in one thread
 * with the two ends of a TCP connection. */
struct flow {
    struct lan *lan;
    struct nfq *ingress;
    int server, client; /* the connection's ends */
    uint64_t hold_ns, sent, received, wrong, packets, bytes;
    uint32_t last_in, last_out;
    struct {
        uint32_t id;
        uint64_t at;
    } held[4096]; /* ring */
    unsigned head, tail;
};

static void
take_in(const struct captured *pkt, void *arg)
{
    struct flow *flow = arg;

    flow->last_in = pkt->id;
}

static void
take_out(const struct captured *pkt, void *arg)
{
    struct flow *flow = arg;

    flow->packets++;
    flow->bytes += pkt->size;
    flow->last_out = pkt->id;
}

/* Lets go what is due. */
static void
serve_queues(struct flow *flow)
{
    struct egress *egress = flow->lan->nodes[0].egress;
    const uint64_t now = lan_boot_ns();

    if (nfq_read(flow->ingress, take_in, flow) > 0)
        nfq_accept_upto(flow->ingress, flow->last_in);
    if (egress_read(egress, take_out, flow) > 0) {
        flow->held[flow->head % 4096].id = flow->last_out;
        flow->held[flow->head++ % 4096].at = now;
    }
    while (flow->tail != flow->head &&
           flow->held[flow->tail % 4096].at + flow->hold_ns <= now)
        egress_accept_upto(egress, flow->held[flow->tail++ % 4096].id);
}

static uint32_t
pattern(uint64_t offset)
{
    return (uint32_t)(offset * 2654435761u);
}

static void
serve_ends(struct flow *flow, uint64_t want)
{
    static uint32_t words[16384];
    ssize_t n;

    while (flow->sent < want) {
        size_t skip = flow->sent % 4;

        for (size_t i = 0; i < 16384; i++)
            words[i] = pattern(flow->sent / 4 + i);
        n = send(flow->server, (char *)words + skip, sizeof words - 4, MSG_DONTWAIT);
        if (n <= 0)
            break;
        flow->sent += (uint64_t)n;
    }
    while ((n = recv(flow->client, words, sizeof words, MSG_DONTWAIT)) > 0) {
        const uint8_t *got = (const uint8_t *)words;

        for (ssize_t i = 0; i < n; i++) {
            uint64_t at = flow->received + (uint64_t)i;

            flow->wrong += got[i] != (uint8_t)(pattern(at / 4) >> (8 * (at % 4)));
        }
        flow->received += (uint64_t)n;
    }
}

/* One round: all four descriptors that may have something. */
static void
turn(struct flow *flow, uint64_t want)
{
    struct pollfd fds[] = { { nfq_fd(flow->ingress), POLLIN, 0 },
        { egress_fd(flow->lan->nodes[0].egress), POLLIN, 0 },
        { flow->client, POLLIN, 0 } };

    poll(fds, 3, 1);
    serve_queues(flow);
    if (want)
        serve_ends(flow, want);
}

/* Connects the client to a listener in the cell.  Through the gates, so not at once.
 * Beyond the service's network it is reached by the gateway. */
static void
join(struct flow *flow, bool beyond)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(7010) };
    struct sockaddr_in from = { .sin_family = AF_INET };
    int listener = lan_tcp(gate_cell_netns(flow->lan->nodes[0].gate));

    to.sin_addr.s_addr = htonl(0x0a4d0064);
    if (bind(listener, (struct sockaddr *)&to, sizeof to) < 0 ||
        listen(listener, 1) < 0)
        log_fatal("listener: %s", strerror(errno));
    flow->client = lan_tcp(flow->lan->netns);
    from.sin_addr.s_addr = htonl(beyond ? 0x0a630001 : 0x0a4d0032);
    if (bind(flow->client, (struct sockaddr *)&from, sizeof from) < 0)
        log_fatal("client: %s", strerror(errno));
    connect(flow->client, (struct sockaddr *)&to, sizeof to);
    flow->server = -1;
    for (int i = 0; i < 5000 && flow->server < 0; i++) {
        turn(flow, 0);
        flow->server = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    }
    fd_close(listener);
    if (flow->server < 0)
        log_fatal("no connection came about");
}

static void
bulk(struct lan *lan, struct nfq *ingress, uint64_t hold_ns, uint64_t want, bool beyond)
{
    static struct flow flow;
    uint64_t start, end;

    memset(&flow, 0, sizeof flow);
    flow.lan = lan;
    flow.ingress = ingress;
    flow.hold_ns = hold_ns;
    join(&flow, beyond);
    start = lan_boot_ns();
    end = start + 60000000000ull;
    while (flow.received < want && lan_boot_ns() < end)
        turn(&flow, want);
    printf("egress held %u ms: %.2f Gbit/s, %.0f bytes a packet\n",
        (unsigned)(hold_ns / 1000000),
        (double)flow.received * 8 / (double)(lan_boot_ns() - start),
        flow.packets ? (double)flow.bytes / (double)flow.packets : 0);
    check(flow.received >= want && flow.wrong == 0, "every byte comes, and is right");
    check(flow.packets && flow.bytes / flow.packets > 3000,
        "GSO packets stay whole in the queue");
    fd_close(flow.server);
    fd_close(flow.client);
}

/* clang-format off */
static const struct conf_address many[] = {
    { .family = AF_INET, .bytes = { 10, 77, 0, 100 }, .prefix = 24, .text = "10.77.0.100" },
    { .family = AF_INET, .bytes = { 10, 77, 0, 101 }, .prefix = 24, .text = "10.77.0.101" },
    { .family = AF_INET, .bytes = { 10, 78, 0, 1 }, .prefix = 16, .text = "10.78.0.1" },
    { .family = AF_INET6, .bytes = { 0xfd, 0x77, [15] = 1 }, .prefix = 64, .text = "fd77::1" },
    { .family = AF_INET6, .bytes = { 0xfd, 0x77, [15] = 2 }, .prefix = 64, .text = "fd77::2" },
};

/* One row per claim: @holds is a shell command that succeeds in the gate. */
static const struct {
    const char *claim;
    unsigned first, n;
    const char *gateway, *holds;
} kinds[] = {
    { "several addresses of both families", 0, 5, "10.77.0.50",
        "test $(ip -4 neigh show proxy dev up0 | wc -l) = 3 && "
        "test $(ip -6 neigh show proxy dev up0 | wc -l) = 2" },
    { "two addresses in one network share its route", 0, 2, "",
        "test $(ip route show 10.77.0.0/24 | wc -l) = 1" },
    { "each network has its route", 0, 3, "", "ip route show 10.78.0.0/16 | grep -q up0" },
    { "without a gateway there is no default route", 0, 1, "",
        "test -z \"$(ip route show default; ip -6 route show default)\"" },
    { "a gateway of IPv4", 0, 1, "10.77.0.50", "ip route | grep -q 'via 10.77.0.50 dev up0'" },
    { "IPv6 alone, with a link-local gateway", 3, 1, "fe80::1",
        "ip -6 route show default | grep -q 'via fe80::1 dev up0'" },
    { "the service's route wins over the gate's own address", 0, 1, "",
        "ip route get 10.77.0.100 from 10.77.0.50 iif up0 | grep -q 'dev vg'" },
};
/* clang-format on */

static void
addresses(struct lan *lan)
{
    const struct gate_conf before = lan->conf;
    char error[GATE_ERROR_LEN] = "";
    int back;

    for (unsigned i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct gate *gate = NULL;

        lan->conf.addresses = many + kinds[i].first;
        lan->conf.naddresses = kinds[i].n;
        lan->conf.gateway = kinds[i].gateway;
        if (gatens_enter(lan->nodes[1].netns, &back) < 0)
            log_fatal("setns: %s", strerror(errno));
        if (gate_new(&lan->conf, &gate, error) < 0)
            log_warn("%s: %s", kinds[i].claim, error);
        gatens_leave(back);
        check(gate && lan_shell(gate_netns(gate), "%s", kinds[i].holds) == 0,
            kinds[i].claim);
        gate_free(gate);
    }
    lan->conf = before;
}

int
main(void)
{
    static struct lan lan;
    struct nfq *queue = NULL;

    log_init("gate_flow_test", LOG_LEVEL_INFO);
    if (geteuid() != 0) {
        puts("skipped: needs root for network namespaces");
        return 77;
    }
    lan_init(&lan);
    addresses(&lan);
    ingress(&lan);
    if (nfq_open(gate_cell_netns(lan.nodes[0].gate), 0, 4096, true, &queue) < 0)
        log_fatal("ingress queue: %s", strerror(errno));
    bulk(&lan, queue, 0, BULK_BYTES, false);
    bulk(&lan, queue, HOLD_NS, HELD_BYTES, false);
    check(lan_shell(lan.netns, "ip addr add 10.99.0.1/32 dev lo") == 0,
        "a client beyond the gateway");
    bulk(&lan, queue, 0, HELD_BYTES, true);
    nfq_close(queue);
    lan_ungate(&lan, 0);
    return claims_end();
}
