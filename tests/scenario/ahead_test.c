/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ahead_test.c - sockets made before a takeover: there when they are needed, and never
 * used for what the connection is not any more. */
#include "sockmig/ckpt/ahead.h"

#include "sockmig/ckpt/clone_parts.h"
#include "sockmig/ckpt/repair.h"
#include "sockmig/ckpt/tcp.h"
#include "sockmig/image_alloc.h"
#include "tests/scenario/netlab.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECOND 1000000000ull
#define FD 7 /* of the connection, in the service */

static struct image im;
static const struct tcp_parts nothing = { .tun = -1 };
static struct clone *c;
static unsigned failed;

static void
expect(bool good, const char *claim)
{
    if (!good)
        printf("FAIL: %s: %s\n", claim, errno ? strerror(errno) : "");
    failed += !good;
    errno = 0;
}

static void
address(uint8_t *out, uint16_t port)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port) };

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    memcpy(out, &at, sizeof at);
}

/* A service with one connection, that moved at second 10; it is second 10. */
static void
begin_again(void)
{
    struct image_tcp *t = &im.tcps[0];

    im.nfds = im.ntcps = 1;
    im.fds[0] = (struct image_fd){ .fd = FD, .kind = IMAGE_FD_TCP, .dup_of = -1 };
    *t = (struct image_tcp){ .fd = FD,
        .state = STATE_ESTABLISHED,
        .family = AF_INET,
        .address_len = sizeof(struct sockaddr_in),
        .rcv_nxt = 5000,
        .write_seq = 9000,
        .mss = 1460,
        .sndbuf = 87040,
        .rcvbuf = 131072,
        .nodelay = 1,
        .cork = -1,
        .keepalive = 1,
        .keep_idle = -1,
        .keep_interval = -1,
        .keep_count = -1,
        .user_timeout = -1,
        .notsent_lowat = -1,
        .quickack = -1,
        .dumped_ns = 10 * SECOND,
        .generation = 1 };
    address(t->local, 6379);
    address(t->remote, 40000);
    im.process.clock_ns = 10 * SECOND;
}

static void
rounds(unsigned n)
{
    while (n-- > 0)
        while (ahead_turn(c, &im, true, -1))
            ;
}

/* Takes what is there; its level: 0 nothing, 1 prepared, 2 whole.  Closes it. */
static int
taken(void)
{
    struct image_tcp prepared;
    bool whole = false;
    int sock = ahead_take(c, &im.fds[0], &im.tcps[0], &prepared, &whole), level = 0;

    if (sock >= 0)
        level = 1 + whole;
    if (sock >= 0)
        expect(repair_get(sock, SOL_TCP, TCP_REPAIR) == 1, "it is in repair mode");
    if (level == 2)
        expect(repair_get(sock, SOL_SOCKET, SO_KEEPALIVE) == 0, "its timer is not on");
    if (sock >= 0)
        close(sock);
    return level;
}

/* Can the connection be made by a socket of its own? */
static bool
is_free(void)
{
    const char *step;
    int sock = tcp_restore(&im.tcps[0], &nothing, 0, &step);

    if (sock >= 0)
        close(sock);
    return sock >= 0;
}

static void
a_busy_one(void)
{
    expect(taken() == 0, "nothing before the first round");
    rounds(3);
    im.tcps[0].generation++;
    im.tcps[0].write_seq += 100;
    expect(taken() == 1, "one that moves is prepared, and serves a later image");
    expect(taken() == 0, "once");
    rounds(1);
    im.tcps[0].mss = 1400;
    expect(taken() == 0, "one with another segment size is not used");
    rounds(1);
    im.fds[0].flags = SOCK_NONBLOCK;
    expect(taken() == 0, "nor one that would block");
    rounds(1);
    expect(taken() == 1, "the next round makes one that fits");
}

struct seen { /* of a connection in repair mode */
    int error, mark, segment, send_buffer, receive_buffer, sent, received;
    struct tcp_repair_window window;
    unsigned state, options, scales, mss[2], congestion_window, rto;
};

static int
number_of(int sock, int queue)
{
    repair_set(sock, SOL_TCP, TCP_REPAIR_QUEUE, queue);
    return repair_get(sock, SOL_TCP, TCP_QUEUE_SEQ);
}

/* Closes @sock. */
static struct seen
seen(int sock)
{
    struct seen s;
    struct tcp_info info = { 0 };
    socklen_t n = sizeof info, w = sizeof s.window;

    memset(&s, 0, sizeof s); /* gaps, too */
    s.error = repair_get(sock, SOL_SOCKET, SO_ERROR);
    s.mark = repair_get(sock, SOL_SOCKET, SO_MARK);
    s.segment = repair_get(sock, SOL_TCP, TCP_MAXSEG);
    s.send_buffer = repair_get(sock, SOL_SOCKET, SO_SNDBUF);
    s.receive_buffer = repair_get(sock, SOL_SOCKET, SO_RCVBUF);
    s.sent = number_of(sock, TCP_SEND_QUEUE);
    s.received = number_of(sock, TCP_RECV_QUEUE);
    getsockopt(sock, SOL_TCP, TCP_REPAIR_WINDOW, &s.window, &w);
    getsockopt(sock, SOL_TCP, TCP_INFO, &info, &n);
    s.state = info.tcpi_state;
    s.options = info.tcpi_options;
    s.scales = info.tcpi_snd_wscale | (unsigned)info.tcpi_rcv_wscale << 4;
    s.mss[0] = info.tcpi_snd_mss; /* the peer's is a guess until it sends */
    s.mss[1] = info.tcpi_advmss;
    s.congestion_window = info.tcpi_snd_cwnd;
    s.rto = info.tcpi_rto;
    close(sock);
    return s;
}

/* A whole one has moved: it goes on from what it still has. */
static void
one_that_moved(void)
{
    struct image_tcp *t = &im.tcps[0], prepared;
    const char *step = "none";
    struct seen again = { 0 }, fresh = { 0 };
    bool whole = true;
    int sock;

    begin_again();
    t->options = TCPI_OPT_WSCALE | TCPI_OPT_SACK | TCPI_OPT_TIMESTAMPS;
    t->snd_wscale = t->rcv_wscale = 7;
    t->has_window = 1;
    t->snd_wnd = t->max_window = t->rcv_wnd = 50000;
    im.process.clock_ns = 14 * SECOND;
    rounds(2);
    t->generation++;
    t->snd_wl1 = t->rcv_wup = t->rcv_nxt += 10;
    t->write_seq += 20;
    t->mss = 1400;
    ahead_sweep(c, &im);
    expect(taken() == 0, "one with another segment size does not go on");
    t->mss = 1460;
    im.process.clock_ns = 14 * SECOND;
    rounds(2);
    t->generation++;
    t->snd_wl1 = t->rcv_wup = t->rcv_nxt += 10;
    t->write_seq += 20;
    ahead_sweep(c, &im);
    sock = ahead_take(c, &im.fds[0], t, &prepared, &whole);
    expect(sock >= 0 && !whole, "it is prepared again");
    if (sock >= 0 && tcp_establish(sock, &prepared, t, &nothing, &step) == 0)
        again = seen(sock);
    sock = tcp_restore(t, &nothing, 0, &step);
    if (sock >= 0)
        fresh = seen(sock);
    expect(fresh.received == (int)t->rcv_nxt && fresh.sent == (int)t->write_seq,
        "a new one is as the image says");
    expect(memcmp(&again, &fresh, sizeof again) == 0, "and becomes what a new one is");
    t->linger_on = 1;
    rounds(2);
    t->generation++;
    t->linger_on = 0;
    ahead_sweep(c, &im);
    expect(taken() == 0, "one with an option that stays does not go on");
}

static void
one_that_rests(void)
{
    begin_again();
    im.process.clock_ns = 14 * SECOND;
    rounds(2);
    expect(!is_free(), "a connection that rests is whole");
    expect(taken() == 2, "and is taken as such");
    rounds(2);
    im.tcps[0].generation++;
    im.tcps[0].rcv_nxt += 10;
    expect(taken() == 0, "not when it has moved");
    ahead_sweep(c, &im);
    expect(is_free(), "and it is out of the way then");
    expect(taken() == 1, "but prepared");
    rounds(2);
    im.tcps[0].generation++;
    im.tcps[0].dumped_ns = 14 * SECOND;
    rounds(1);
    expect(taken() == 1, "the next round steps back, too");
}

static void
one_that_ended(void)
{
    begin_again();
    im.process.clock_ns = 14 * SECOND;
    rounds(2);
    im.ntcps = im.nfds = 0;
    ahead_sweep(c, &im);
    expect(is_free(), "one that has ended is out of the way before a takeover");
    begin_again();
    im.process.clock_ns = 14 * SECOND;
    rounds(2);
    im.ntcps = im.nfds = 0;
    rounds(1);
    expect(is_free(), "and with the next round");
    begin_again();
    im.process.clock_ns = 14 * SECOND;
    im.tcps[0].outq = 5;
    rounds(2);
    expect(taken() == 1, "one with unread or unsent bytes is never whole");
}

int
main(void)
{
    int ns = netlab_ns();

    if (!netlab_run(ns, "ip link set lo up") || image_alloc(&im) < 0)
        return 1;
    netlab_enter(ns);
    c = clone_allocate(ns);
    if (!c)
        return 1;
    begin_again();
    a_busy_one();
    one_that_rests();
    one_that_moved();
    one_that_ended();
    clone_free(c);
    if (failed == 0)
        puts("PASS: sockets made ahead");
    return failed > 0;
}
