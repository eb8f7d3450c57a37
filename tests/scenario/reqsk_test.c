/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * reqsk_test.c - connections that the primary had not accepted yet go on at the
 * standby: an ordinary client, a standby that knows the handshake only from what was
 * seen of it on the wire. */
#include "lib/core/buf.h"
#include "lib/fd.h"
#include "sockmig/ckpt/repair.h"
#include "sockmig/gatens.h"
#include "sockmig/nfq.h"
#include "sockmig/reqsk.h"
#include "tests/scenario/handshake.h"
#include "tests/scenario/netlab.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PORT 7400
#define BULK (300u << 10) /* beyond a window that is not scaled */

enum path { BY_TUN, BY_ETH0, BY_QUEUE };

struct row {
    const char *claim;
    int family;
    bool timestamps;
    bool data; /* on the first segment; otherwise a bare ACK comes first */
    enum path path;
};

static const struct row rows[] = {
    { "bare ACK by the TUN", AF_INET, true, false, BY_TUN },
    { "bare ACK by the TUN, IPv6", AF_INET6, true, false, BY_TUN },
    { "without timestamps", AF_INET, false, false, BY_TUN },
    { "without timestamps, IPv6", AF_INET6, false, false, BY_TUN },
    { "data on the ACK", AF_INET, true, true, BY_TUN },
    { "data on the ACK, IPv6", AF_INET6, true, true, BY_TUN },
    { "retransmitted by the client to eth0", AF_INET, true, true, BY_ETH0 },
    { "retransmitted by the client to eth0, IPv6", AF_INET6, true, true, BY_ETH0 },
    { "eth0, no timestamps", AF_INET, false, true, BY_ETH0 },
    { "waits in the ingress queue", AF_INET, true, true, BY_QUEUE },
    { "waits in the ingress queue, IPv6", AF_INET6, true, true, BY_QUEUE },
};

static struct netlab lab;
static struct reqsk *reqsk;
static int tun, failures;
static uint16_t next_port = PORT;

static bool
expect(bool ok, const char *claim, const char *what)
{
    if (ok)
        return true;
    failures++;
    printf("FAIL: %s: %s (%s)\n", claim, what, strerror(errno));
    return false;
}

static int
listener(int ns, int family, uint16_t port, int backlog, int defer, bool group)
{
    struct sockaddr_storage a;
    socklen_t n = netlab_service(family, port, &a);
    int s;

    netlab_enter(ns);
    s = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    repair_set(s, SOL_SOCKET, SO_REUSEADDR, 1);
    if (group)
        repair_set(s, SOL_SOCKET, SO_REUSEPORT, 1);
    if (defer > 0)
        repair_set(s, SOL_TCP, TCP_DEFER_ACCEPT, defer);
    if (bind(s, (struct sockaddr *)&a, n) < 0 || listen(s, backlog) < 0) {
        perror("listener");
        exit(1);
    }
    return s;
}

/* A client that believes to be connected; the primary that answered it is gone. */
static int
orphan(int family, uint16_t port, struct handshake *h)
{
    int server = listener(lab.primary, family, port, 8, 0, false), client;

    netlab_plug(&lab, "primary");
    client = handshake_make(&lab, family, port, h);
    netlab_plug(&lab, "nobody");
    close(server); /* its resets are not heard */
    return client;
}

static int
accepted(int server, int limit_ms)
{
    struct pollfd p = { .fd = server, .events = POLLIN };

    return poll(&p, 1, limit_ms) == 1 ? accept4(server, NULL, NULL, SOCK_CLOEXEC) : -1;
}

static uint64_t
counter(size_t offset)
{
    struct reqsk_counters c;
    uint64_t v;

    reqsk_counters(reqsk, &c);
    memcpy(&v, (const uint8_t *)&c + offset, sizeof v);
    return v;
}
#define COUNTER(name) counter(offsetof(struct reqsk_counters, name))

/* @size bytes from one end to the other, checked. */
static bool
flow(int from, int to, uint32_t size)
{
    static uint8_t sent[BULK], got[BULK];
    struct pollfd p[2] = { { .fd = from, .events = POLLOUT },
        { .fd = to, .events = POLLIN } };
    uint32_t out = 0, in = 0;

    for (uint32_t i = 0; i < size; i++)
        sent[i] = (uint8_t)(i * 7 + i / 251);
    while (in < size && poll(p, 2, 3000) > 0) {
        ssize_t n = send(from, sent + out, size - out, MSG_DONTWAIT | MSG_NOSIGNAL);

        out += n > 0 ? (uint32_t)n : 0;
        p[0].events = out < size ? POLLOUT : 0;
        n = recv(to, got + in, size - in, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN))
            return false;
        in += n > 0 ? (uint32_t)n : 0;
    }
    return in == size && memcmp(sent, got, size) == 0;
}

static void
inject(const struct packet_seen *p)
{
    if (write(tun, p->bytes, p->size) != (ssize_t)p->size)
        perror("injection");
}

static uint32_t
negotiated(int sock)
{
    struct tcp_info info = { 0 };
    socklen_t n = sizeof info;

    getsockopt(sock, SOL_TCP, TCP_INFO, &info, &n);
    return (info.tcpi_options & 7u) | (uint32_t)info.tcpi_snd_wscale << 8 |
           (uint32_t)info.tcpi_rcv_wscale << 16;
}

static uint32_t
mirrored(uint32_t n)
{
    return (n & 0xffu) | (n >> 8 & 0xff) << 16 | (n >> 16 & 0xff) << 8;
}

static void
newest(const struct captured *p, void *id)
{
    *(uint32_t *)id = p->id;
}

/* The packet that made the connection is in the queue; nothing to accept until it is
 * let go. */
static void
let_through(const struct row *r, int server)
{
    const char *tool = r->family == AF_INET ? "iptables" : "ip6tables";
    uint32_t id = 0;
    struct nfq *q = NULL;

    if (!expect(nfq_open(lab.standby, 5, 1024, false, &q) == 0, r->claim, "queue"))
        return;
    netlab_plug(&lab, "standby");
    for (unsigned i = 0; i < 300 && id == 0; i++)
        if (nfq_read(q, newest, &id) <= 0)
            poll(NULL, 0, 10);
    expect(id > 0, r->claim, "nothing in the queue");
    expect(accepted(server, 0) < 0, r->claim, "accepted before the verdict");
    netlab_run(lab.standby, "%s -w -t raw -F", tool);
    nfq_accept_upto(q, id);
    nfq_close(q);
}

static void
first_segment(const struct row *r, const struct handshake *h, int server)
{
    const char *tool = r->family == AF_INET ? "iptables" : "ip6tables";

    switch (r->path) {
    case BY_TUN:
        inject(r->data ? &h->data : &h->ack);
        netlab_plug(&lab, "standby");
        break;
    case BY_QUEUE:
        netlab_run(lab.standby,
            "%s -w -t raw -A PREROUTING -i eth0 -p tcp -j NFQUEUE --queue-num 5", tool);
        let_through(r, server);
        break;
    default:
        netlab_plug(&lab, "standby");
    }
}

static void
goes_on(const struct row *r, const struct handshake *h, int client, int sock)
{
    char hello[8] = "";
    struct pollfd p = { .fd = sock, .events = POLLIN };

    expect(negotiated(sock) == mirrored(negotiated(client)), r->claim,
        "other options than the client's");
    expect(poll(&p, 1, 3000) == 1 && recv(sock, hello, sizeof hello, 0) == 5 &&
               memcmp(hello, HANDSHAKE_DATA, 5) == 0,
        r->claim, "not the client's data");
    expect(flow(sock, client, BULK), r->claim, "server to client");
    expect(flow(client, sock, BULK), r->claim, "client to server");
    expect(!reqsk_waits(reqsk, &h->key), r->claim, "the entry is left");
}

/* A client that waits for who takes over, and its entry. */
struct waiting {
    struct handshake h;
    int client, server;
};

static struct waiting
waits(int family, int defer)
{
    struct waiting w;

    w.client = orphan(family, next_port, &w.h);
    w.server = listener(lab.standby, family, next_port++, 8, defer, false);
    reqsk_add(reqsk, &w.h.key, &w.h.attributes);
    return w;
}

static void
close_all(int sock, int client, int server)
{
    close(sock);
    close(client);
    close(server);
}

static void
is_served(const struct waiting *w, int sock, const char *claim)
{
    if (expect(sock >= 0, claim, "nothing to accept"))
        goes_on(&(struct row){ .claim = claim }, &w->h, w->client, sock);
    close_all(sock, w->client, w->server);
}

static void
run_row(const struct row *r)
{
    struct handshake h;
    uint16_t port = next_port++;
    uint64_t made = COUNTER(made);
    int client, server, sock;

    errno = 0;
    netlab_run(lab.client, "sysctl -qw net.ipv4.tcp_timestamps=%d", r->timestamps);
    client = orphan(r->family, port, &h);
    netlab_run(lab.client, "sysctl -qw net.ipv4.tcp_timestamps=1");
    server = listener(lab.standby, r->family, port, 8, 0, false);
    if (!expect(client >= 0, r->claim, "no handshake"))
        return;
    expect(h.attributes.timestamps == r->timestamps, r->claim, "timestamps");
    expect(reqsk_add(reqsk, &h.key, &h.attributes) == 0, r->claim, "not added");
    first_segment(r, &h, server);
    sock = accepted(server, 4000);
    if (expect(sock >= 0, r->claim, "nothing to accept"))
        goes_on(r, &h, client, sock);
    expect(COUNTER(made) == made + 1, r->claim, "not counted");
    close_all(sock, client, server);
}

/* What the kernel does without the entry: the reason for all this. */
static void
without(void)
{
    const char *claim = "without an entry the client is reset";
    struct handshake h;
    int client = orphan(AF_INET, next_port, &h);
    int server = listener(lab.standby, AF_INET, next_port++, 8, 0, false);
    struct pollfd p = { .fd = client };

    netlab_plug(&lab, "standby");
    expect(poll(&p, 1, 4000) == 1 && (p.revents & POLLERR), claim, "it is not");
    close(client);
    close(server);
}

static void
out_of_turn(void)
{
    const char *claim = "a later segment makes no connection, and no reset";
    struct packet_seen later;
    uint64_t before = COUNTER(out_of_turn);
    struct waiting w = waits(AF_INET6, 0);
    int sock;

    handshake_shift(&w.h.data, 5, &later);
    inject(&later);
    expect(COUNTER(out_of_turn) == before + 1, claim, "not counted");
    expect(accepted(w.server, 0) < 0, claim, "accepted");
    inject(&w.h.ack);
    sock = accepted(w.server, 1000);
    netlab_plug(&lab, "standby");
    is_served(&w, sock, claim);
}

/* What had come before the entry is delivered before what takes it, or reset. */
static void
early(void)
{
    const char *claim = "while eth0 is shut nothing that comes by it is made";
    uint64_t before = COUNTER(early);
    struct waiting w = waits(AF_INET, 0);
    int sock;

    reqsk_shut(reqsk, true);
    netlab_plug(&lab, "standby");
    expect(accepted(w.server, 1000) < 0, claim, "accepted");
    expect(COUNTER(early) > before && reqsk_waits(reqsk, &w.h.key), claim,
        "the entry is used");
    reqsk_shut(reqsk, false);
    is_served(&w, accepted(w.server, 4000), claim);
    w = waits(AF_INET, 0);
    reqsk_shut(reqsk, true);
    inject(&w.h.ack);
    sock = accepted(w.server, 1000);
    expect(sock >= 0, claim, "nor by the TUN");
    reqsk_shut(reqsk, false);
    close_all(sock, w.client, w.server);
}

static void
deferred(void)
{
    const char *claim = "a listener that waits for data gets no bare ACK";
    uint64_t before = COUNTER(deferred);
    struct waiting w = waits(AF_INET, 10);
    int sock;

    inject(&w.h.ack);
    expect(COUNTER(deferred) == before + 1 && reqsk_waits(reqsk, &w.h.key), claim,
        "the entry is used");
    expect(accepted(w.server, 0) < 0, claim, "accepted");
    inject(&w.h.data);
    sock = accepted(w.server, 1000);
    expect(sock >= 0, claim, "not accepted with data");
    close_all(sock, w.client, w.server);
}

static void
full_backlog(void)
{
    const char *claim = "a full queue leaves the entry, the next segment makes it";
    struct handshake h[2];
    uint64_t before = COUNTER(full);
    uint16_t port = next_port++;
    int client[2], sock, server;

    for (unsigned i = 0; i < 2; i++)
        client[i] = orphan(AF_INET, port, &h[i]);
    server = listener(lab.standby, AF_INET, port, 0, 0, false);
    for (unsigned i = 0; i < 2; i++) {
        reqsk_add(reqsk, &h[i].key, &h[i].attributes);
        inject(&h[i].ack);
    }
    expect(COUNTER(full) == before + 1 && reqsk_waits(reqsk, &h[1].key), claim,
        "the queue is not full, or the entry is gone");
    sock = accepted(server, 1000);
    expect(sock >= 0, claim, "first");
    close(sock);
    netlab_plug(&lab, "standby"); /* the client says it again, with its data */
    sock = accepted(server, 4000);
    if (expect(sock >= 0, claim, "second"))
        goes_on(&(struct row){ .claim = claim }, &h[1], client[1], sock);
    close(sock);
    for (unsigned i = 0; i < 2; i++)
        close(client[i]);
    close(server);
}

static void
group(void)
{
    const char *claim = "SO_REUSEPORT: one of the group gets it";
    struct handshake h;
    int client = orphan(AF_INET, next_port, &h), sock = -1;
    int server[2];

    for (unsigned i = 0; i < 2; i++)
        server[i] = listener(lab.standby, AF_INET, next_port, 8, 0, true);
    next_port++;
    reqsk_add(reqsk, &h.key, &h.attributes);
    inject(&h.ack);
    for (unsigned i = 0; i < 2; i++) {
        int s = accepted(server[i], 0);

        expect(s < 0 || sock < 0, claim, "both do");
        sock = s >= 0 ? s : sock;
    }
    expect(sock >= 0, claim, "none does");
    close(sock);
    close(client);
    close(server[0]);
    close(server[1]);
}

static void
dual_stack(void)
{
    const char *claim = "an IPv6 listener takes a mapped client";
    struct waiting w = { .client = orphan(AF_INET, next_port, &w.h) };
    struct sockaddr_in6 any = { .sin6_family = AF_INET6,
        .sin6_port = htons(next_port++) };

    netlab_enter(lab.standby);
    w.server = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    repair_set(w.server, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    expect(bind(w.server, (struct sockaddr *)&any, sizeof any) == 0 &&
               listen(w.server, 8) == 0,
        claim, "listener");
    reqsk_add(reqsk, &w.h.key, &w.h.attributes);
    inject(&w.h.ack);
    netlab_plug(&lab, "standby");
    is_served(&w, accepted(w.server, 1000), claim);
}

static void
removed(void)
{
    const char *claim = "entries go with a SYN, a RST, a call, and refuse nonsense";
    struct handshake h;
    struct packet_seen p;
    uint64_t syns = COUNTER(superseded), resets = COUNTER(reset), none;
    int client = orphan(AF_INET, next_port++, &h);

    reqsk_add(reqsk, &h.key, &h.attributes);
    inject(&h.syn); /* the same again */
    expect(COUNTER(superseded) == syns && reqsk_waits(reqsk, &h.key), claim,
        "the same SYN");
    handshake_shift(&h.syn, 77, &p);
    inject(&p);
    expect(
        COUNTER(superseded) == syns + 1 && !reqsk_waits(reqsk, &h.key), claim, "SYN");
    reqsk_add(reqsk, &h.key, &h.attributes);
    handshake_flags(&h.ack, 4, 1000, &p);
    inject(&p); /* a RST that is not at its place */
    expect(reqsk_waits(reqsk, &h.key), claim, "any RST");
    handshake_flags(&h.ack, 4, 0, &p);
    inject(&p);
    expect(COUNTER(reset) == resets + 1 && !reqsk_waits(reqsk, &h.key), claim, "RST");
    reqsk_add(reqsk, &h.key, &h.attributes);
    none = COUNTER(no_listener);
    inject(&h.ack);
    expect(COUNTER(no_listener) == none + 1 && reqsk_waits(reqsk, &h.key), claim,
        "no listener");
    expect(reqsk_remove(reqsk, &h.key) == 1 && reqsk_remove(reqsk, &h.key) == 0, claim,
        "removed");
    reqsk_add(reqsk, &h.key, &h.attributes);
    expect(reqsk_clear(reqsk) == 1 && !reqsk_waits(reqsk, &h.key), claim, "cleared");
    h.attributes.mss = 500;
    expect(reqsk_add(reqsk, &h.key, &h.attributes) == -EINVAL, claim, "mss");
    close(client);
}

int
main(void)
{
    netlab_new(&lab);
    tun = netlab_tun(lab.standby);
    netlab_run(lab.standby, "sysctl -qw net.ipv4.tcp_syncookies=0 net.ipv4.tcp_sack=0 "
                            "net.ipv4.tcp_timestamps=0");
    switch (reqsk_new(lab.standby, &reqsk)) {
    case 0:
        break;
    case -EOPNOTSUPP:
        printf("SKIP: this kernel has no bpf_sk_assign_tcp_reqsk\n");
        return NETLAB_SKIP;
    default:
        printf("FAIL: reqsk_new\n");
        return 1;
    }
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
        run_row(&rows[i]);
    without();
    out_of_turn();
    early();
    deferred();
    full_backlog();
    group();
    dual_stack();
    removed();
    reqsk_free(reqsk);
    expect(reqsk_check() == 0, "check", "does not agree");
    printf("%s: %zu ways of a first segment, and what must not be one\n",
        failures ? "FAIL" : "PASS", sizeof rows / sizeof rows[0]);
    return failures ? 1 : 0;
}
