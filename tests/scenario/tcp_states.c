/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * tcp_states.c - connections in every state move from one host to another and go on,
 * byte for byte: both families, and an IPv4 client at an IPv6 listener; with the image
 * that a kernel of today gives, and with that of one which has no reading.
 *
 * The client is an ordinary one; the "application" is this program, which holds the
 * server's socket, takes its image, and goes on with the restored one. */
#include "sockmig/ckpt/repair.h"
#include "sockmig/ckpt/tcp.h"
#include "sockmig/ckpt/tcp_read.h"
#include "tests/scenario/netlab.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MAX_BYTES (8u << 20)
#define PORT 7300
#define USUAL_WINDOW 60000u

/* An IPv4 client at an IPv6 listener; AF_INET and AF_INET6 are the others. */
#define MAPPED 1000

struct row {
    const char *claim;
    uint32_t state;
    uint32_t unread, reply; /* bytes: client to server, server to client */
    enum {
        AS_AT_FIRST,
        SHUT,   /* the client has no room for more: nothing is under way */
        NARROW, /* it has room for one segment */
        WIDE    /* much has gone through, and much more is under way */
    } window;
};

static const struct row rows[] = {
    { "established, data in flight and unread", STATE_ESTABLISHED, 3000, 14,
        AS_AT_FIRST },
    { "established, nothing queued", STATE_ESTABLISHED, 0, 0, AS_AT_FIRST },
    { "established, send queue beyond the window", STATE_ESTABLISHED, 300000, 1500000,
        AS_AT_FIRST },
    { "established, the window is shut", STATE_ESTABLISHED, 3000, 1500000, SHUT },
    { "established, more under way than a network holds", STATE_ESTABLISHED, 3000,
        250000, WIDE },
    { "established, a client with room for little", STATE_ESTABLISHED, 3000, 30000,
        NARROW },
    { "the client has shut down", STATE_CLOSE_WAIT, 3000, 14, AS_AT_FIRST },
    { "we have shut down", STATE_FIN_WAIT1, 3000, 14, AS_AT_FIRST },
    { "we have shut down, much unsent", STATE_FIN_WAIT1, 3000, 1500000, AS_AT_FIRST },
    { "our shutdown is acknowledged", STATE_FIN_WAIT2, 3000, 14, AS_AT_FIRST },
    { "both have, the client first", STATE_LAST_ACK, 3000, 14, AS_AT_FIRST },
    { "both have, at once", STATE_CLOSING, 3000, 14, AS_AT_FIRST },
};

static struct netlab lab;
static int tun, raw, failures;
static struct parcels parcels, again;
static uint8_t pattern[MAX_BYTES], buffer[MAX_BYTES];

static void
expect(bool ok, const char *claim, const char *what)
{
    if (ok)
        return;
    failures++;
    printf("FAIL: %s: %s (%s)\n", claim, what, strerror(errno));
}

static uint32_t
state_of(int sock)
{
    struct tcp_info info;
    socklen_t n = sizeof info;

    return getsockopt(sock, SOL_TCP, TCP_INFO, &info, &n) < 0 ? 0 : info.tcpi_state;
}

static uint32_t
segment_size(int sock)
{
    struct tcp_info info;
    socklen_t n = sizeof info;

    return getsockopt(sock, SOL_TCP, TCP_INFO, &info, &n) < 0 ? 0 : info.tcpi_snd_mss;
}

/* Until @sock is in @state and has @size bytes to read, for 3 s at most. */
static void
await(int sock, uint32_t state, uint32_t size)
{
    struct timespec tick = { .tv_nsec = 1000000 };
    int unread = 0;

    for (unsigned i = 0; i < 3000; i++) {
        ioctl(sock, SIOCINQ, &unread);
        if (state_of(sock) == state && (uint32_t)unread == size)
            return;
        nanosleep(&tick, NULL);
    }
}

/* Until nothing of what it sent is under way, and more waits. */
static void
await_shut(int sock)
{
    struct timespec tick = { .tv_nsec = 1000000 };
    struct tcp_info info = { .tcpi_unacked = 1 };
    socklen_t n = sizeof info;

    for (unsigned i = 0; i < 3000 && info.tcpi_unacked > 0; i++) {
        nanosleep(&tick, NULL);
        getsockopt(sock, SOL_TCP, TCP_INFO, &info, &n);
    }
}

static bool
connected(const struct row *r, int family, uint16_t port, int *client, int *server)
{
    struct sockaddr_storage a;
    struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
    bool mapped = family == MAPPED;
    socklen_t n;
    int listener, ret;

    family = mapped ? AF_INET : family;
    n = netlab_service(family, port, &a);
    netlab_enter(lab.primary);
    listener = socket(mapped ? AF_INET6 : family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    repair_set(listener, SOL_SOCKET, SO_REUSEADDR, 1);
    if (r->unread > USUAL_WINDOW)
        repair_set(listener, SOL_SOCKET, SO_RCVBUFFORCE, (int)(2 * r->unread));
    ret = mapped ? bind(listener, (struct sockaddr *)&any, sizeof any)
                 : bind(listener, (struct sockaddr *)&a, n);
    if (ret < 0 || listen(listener, 5) < 0)
        return false;
    netlab_enter(lab.client);
    *client = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    repair_set(*client, SOL_SOCKET, SO_SNDBUFFORCE, (int)(2 * r->unread + 65536));
    if (r->window == NARROW)
        repair_set(*client, SOL_SOCKET, SO_RCVBUF, 2304);
    if (connect(*client, (struct sockaddr *)&a, n) < 0)
        return false;
    *server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    close(listener);
    return *server >= 0;
}

/* As much of @size bytes as fits; returns what went. */
static uint32_t
put(int sock, uint32_t size)
{
    uint32_t done = 0;

    while (done < size) {
        ssize_t n = send(
            sock, pattern + done, size - done, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n <= 0)
            break;
        done += (uint32_t)n;
    }
    return done;
}

/* Both ends learn that the way is wide. */
static void
widen(const struct row *r, int client, int server)
{
    struct pollfd p = { .fd = client, .events = POLLIN };
    uint32_t left = 8 * MAX_BYTES;
    uint32_t got = 0;

    repair_set(server, SOL_SOCKET, SO_SNDBUFFORCE, (int)MAX_BYTES);
    repair_set(client, SOL_SOCKET, SO_RCVBUFFORCE, (int)MAX_BYTES);
    while (left > 0) {
        ssize_t n;

        got += put(server, left - got < 65536 ? left - got : 65536);
        if (poll(&p, 1, 5000) != 1 || (n = recv(client, buffer, sizeof buffer, 0)) <= 0)
            break;
        left -= (uint32_t)n;
        got -= (uint32_t)n;
    }
    expect(left == 0, r->claim, "not wide");
}

/* Both ends into the state; deafness keeps acknowledgements away.  Returns the bytes
 * that the server has written. */
static uint32_t
arrange(const struct row *r, int client, int server)
{
    uint32_t sent, want = r->unread;

    expect(put(client, want) == want, r->claim, "client cannot send");
    await(server, STATE_ESTABLISHED, want);
    if (r->window == WIDE)
        widen(r, client, server);
    if (r->state == STATE_CLOSE_WAIT || r->state == STATE_LAST_ACK) {
        shutdown(client, SHUT_WR);
        await(server, STATE_CLOSE_WAIT, want);
    }
    if (r->state == STATE_CLOSING)
        netlab_deaf(lab.client, true);
    else if (r->state != STATE_FIN_WAIT2 && r->window != SHUT)
        netlab_deaf(lab.primary, true);
    repair_set(server, SOL_SOCKET, SO_SNDBUFFORCE, (int)(2 * r->reply + 65536));
    sent = put(server, r->reply);
    if (r->window == SHUT)
        await_shut(server);
    if (repair_fin_sent(r->state))
        shutdown(server, SHUT_WR);
    if (r->state == STATE_CLOSING) {
        shutdown(client, SHUT_WR);
        await(server, STATE_CLOSING, want);
        netlab_deaf(lab.primary, true);
        netlab_deaf(lab.client, false);
    }
    await(server, r->state, want);
    if (r->state == STATE_FIN_WAIT2)
        netlab_deaf(lab.primary, true);
    return sent;
}

/* differs - what of image @b is not as in @a; NULL: they are the same. */
static const char *
differs(const struct image_tcp *a, const struct image_tcp *b)
{
    static char text[96];
    const struct {
        const char *name;
        int64_t was, is;
    } fields[] = { { "state", a->state, b->state },
        { "rcv_nxt", a->rcv_nxt, b->rcv_nxt },
        { "write_seq", a->write_seq, b->write_seq }, { "inq", a->inq, b->inq },
        { "outq", a->outq, b->outq }, { "mss", a->mss, b->mss },
        { "options", a->options, b->options },
        { "snd_wscale", a->snd_wscale, b->snd_wscale },
        { "rcv_wscale", a->rcv_wscale, b->rcv_wscale },
        { "nodelay", a->nodelay, b->nodelay },
        { "reuse_addr", a->reuse_addr, b->reuse_addr },
        { "sndbuf", a->sndbuf, b->sndbuf }, { "rcvbuf", a->rcvbuf, b->rcvbuf },
        { "buf_lock", a->buf_lock, b->buf_lock },
        { "congestion", strcmp(a->congestion, b->congestion), 0 } };

    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (fields[i].was != fields[i].is) {
            snprintf(text, sizeof text, "the second image differs: %s %lld -> %lld",
                fields[i].name, (long long)fields[i].was, (long long)fields[i].is);
            return text;
        }
    return NULL;
}

/* The image, taken as often as a checkpoint loop does it. */
static bool
dump(const struct row *r, int server, struct image_tcp *im, const uint8_t **bytes)
{
    struct tcp_watch watch = { 0 };
    enum tcp_look look = TCP_LOOK_ERROR;
    unsigned dumps = 0;

    repair_set(server, SOL_SOCKET, SO_REUSEADDR, 1);
    memset(im, 0, sizeof *im);
    for (unsigned i = 0; i < 6; i++) {
        parcels_reset(&again);
        look = tcp_dump(server, 9, 4711, &watch, im, &again);
        if (look != TCP_LOOK_DUMPED)
            break;
        dumps++;
        parcels_reset(&parcels);
        memcpy(parcels_add(&parcels, 9, im->inq + im->outq),
            again.data + sizeof(struct parcel), im->inq + im->outq);
    }
    *bytes = parcels.data + sizeof(struct parcel);
    expect(dumps > 0, r->claim, "no image");
    /* a send queue that is not acknowledged is retransmitted: that is a change */
    if (r->reply == 0 || r->state == STATE_FIN_WAIT2)
        expect(look == TCP_LOOK_SAME, r->claim, "an idle connection is dumped again");
    expect(repair_get(server, SOL_SOCKET, SO_REUSEADDR) == 1, r->claim,
        "SO_REUSEADDR is lost");
    expect(im->state == r->state, r->claim, "not in the state that was wanted");
    return dumps > 0;
}

/* Half of them are restored without knowing what new sockets are like. */
static const struct image_tcp *
fresh_of(const struct image_tcp *im)
{
    static struct image_tcp fresh;
    static unsigned n;

    return n++ % 2 && tcp_fresh(im->family, &fresh) ? &fresh : NULL;
}

/* Every third one in two halves, the first of them made for an earlier image of it; and
 * what was made for a connection with another port must not be used. */
static int
restore(const struct row *r, const struct image_tcp *im, const uint8_t *bytes,
    const char **step)
{
    static unsigned n;
    struct tcp_parts parts = { .fresh = fresh_of(im),
        .inq = bytes,
        .outq = bytes + im->inq,
        .age_ms = 10,
        .tun = tun };
    struct image_tcp earlier = *im, other = *im;
    int sock, ret;

    if (n++ % 3 != 0)
        return tcp_restore(im, &parts, 0, step);
    earlier.write_seq -= 1000;
    earlier.rcv_nxt -= 2000;
    earlier.inq = earlier.outq = earlier.unsent = 0;
    earlier.sndbuf /= 2;
    earlier.generation--;
    other.local[3]++;
    expect(tcp_is_prepared(&earlier, im), r->claim, "not prepared by an earlier image");
    expect(!tcp_is_prepared(&other, im), r->claim, "prepared by another port");
    sock = tcp_prepare(&earlier, parts.fresh, 0, step);
    if (sock < 0)
        return sock;
    parts.age_ms = 5000;
    ret = tcp_establish(sock, &earlier, im, &parts, step);
    if (ret == 0)
        ret = tcp_set_age(sock, im, 10);
    return ret < 0 ? ret : sock;
}

/* Its timers are as they were, and not those of a new socket, of 3 s. */
static void
expect_round_trip(const struct row *r, const struct image_tcp *im, int sock)
{
    struct tcp_info info = { 0 };
    socklen_t n = sizeof info;

    getsockopt(sock, SOL_TCP, TCP_INFO, &info, &n);
    expect(im->rtt_ms > 0, r->claim, "the image has no round trip time");
    expect(info.tcpi_rtt >= 1000 * im->rtt_ms && info.tcpi_rto < 1000000, r->claim,
        "the round trip time is forgotten");
}

static int
revive(const struct row *r, const struct image_tcp *im, const uint8_t *bytes)
{
    struct tcp_watch watch = { 0 };
    struct image_tcp second = { 0 };
    const char *step = "none";
    int sock, ret = 0;

    netlab_enter(lab.standby);
    sock = restore(r, im, bytes, &step);
    if (sock >= 0)
        ret = tcp_release(sock, im, bytes + im->inq, tun, &step);
    errno = sock < 0 ? -sock : -ret;
    expect(sock >= 0 && ret == 0, r->claim, step);
    if (sock < 0)
        return -1;
    parcels_reset(&again);
    expect(tcp_dump(sock, 9, 1, &watch, &second, &again) == TCP_LOOK_DUMPED, r->claim,
        "the restored one has no image");
    errno = 0;
    step = differs(im, &second);
    expect(!step, r->claim, step);
    expect_round_trip(r, im, sock);
    return sock;
}

/* Reads from byte @got to @size bytes, and to the end of the stream if @end. */
static void
check_stream(const struct row *r, int sock, uint32_t got, uint32_t size, bool end,
    const char *who)
{
    struct pollfd p = { .fd = sock, .events = POLLIN };
    uint32_t from = got;
    ssize_t n = 1;

    while ((got < size || end) && n > 0 && poll(&p, 1, 5000) == 1) {
        n = recv(sock, buffer + got, sizeof buffer - got, 0);
        got += n > 0 ? (uint32_t)n : 0;
    }
    expect(got == size && memcmp(buffer + from, pattern + from, size - from) == 0,
        r->claim, who);
    if (end)
        expect(n == 0, r->claim, "no end of the stream");
}

/* What the client has in its buffer; that its window opens nobody hears. */
static uint32_t
drain(int client)
{
    uint32_t got = 0;
    ssize_t n;

    while ((n = recv(client, buffer + got, sizeof buffer - got, MSG_DONTWAIT)) > 0)
        got += (uint32_t)n;
    return got;
}

/* Long before the socket would ask by itself. */
static bool
hears_window(int sock)
{
    struct timespec tick = { .tv_nsec = 1000000 };
    struct tcp_info info = { 0 };
    socklen_t n = sizeof info;

    for (unsigned i = 0; i < 1500 && info.tcpi_bytes_acked == 0; i++) {
        nanosleep(&tick, NULL);
        getsockopt(sock, SOL_TCP, TCP_INFO, &info, &n);
    }
    return info.tcpi_bytes_acked > 0;
}

static void
expect_resent(const struct row *r, const struct image_tcp *im, int packets)
{
    uint32_t flight = im->outq - im->unsent;

    expect((packets > 0) == (im->outq > 0), r->claim,
        "data in flight were not sent again");
    expect(r->window != WIDE || flight > 200000, r->claim, "little under way");
    expect(r->window != WIDE || (uint32_t)packets * 1500 > flight, r->claim,
        "a part of it was left to the socket's timer");
}

static void
run_row(const struct row *r, int family, uint16_t port)
{
    struct image_tcp im;
    const uint8_t *bytes = NULL;
    int client = -1, server = -1, sock = -1;
    uint32_t sent, size, had = 0;

    errno = 0;
    netlab_plug(&lab, "primary");
    if (!connected(r, family, port, &client, &server)) {
        expect(false, r->claim, "no connection");
        return;
    }
    sent = arrange(r, client, server);
    /* as under policy commit: what it sends after the image never gets out */
    netlab_plug(&lab, "nobody");
    size = segment_size(server);
    if (dump(r, server, &im, &bytes)) {
        repair_set(server, SOL_TCP, TCP_REPAIR, TCP_REPAIR_ON); /* dies silently */
        close(server);
        had = r->window == SHUT ? drain(client) : 0;
        sock = revive(r, &im, bytes);
        netlab_plug(&lab, "standby");
    }
    if (r->window != SHUT)
        netlab_deaf(lab.primary, false);
    if (sock >= 0) {
        expect(segment_size(sock) == size, r->claim, "another segment size");
        expect_resent(r, &im, tcp_resend(sock, &im, bytes + im.inq, MAX_BYTES, raw));
        expect(
            r->window != SHUT || hears_window(sock), r->claim, "the window stays shut");
        check_stream(
            r, sock, 0, r->unread, repair_fin_received(r->state), "server read");
        if (!repair_fin_sent(r->state))
            shutdown(sock, SHUT_WR);
        check_stream(r, client, had, sent, true, "client read");
        if (!repair_fin_received(r->state)) {
            shutdown(client, SHUT_WR);
            check_stream(r, sock, 0, 0, true, "server read");
        }
    }
    close(sock);
    close(client);
}

int
main(void)
{
    int families[] = { AF_INET, AF_INET6, MAPPED };

    netlab_new(&lab);
    tun = netlab_tun(lab.standby);
    netlab_enter(lab.standby);
    raw = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
    parcels_init(&parcels, MAX_BYTES);
    parcels_init(&again, MAX_BYTES);
    for (uint32_t i = 0; i < MAX_BYTES; i++)
        pattern[i] = (uint8_t)(i * 31 + i / 4096);
    for (int repair = 0; repair < 2; repair++) {
        tcp_read_allow(!repair);
        for (unsigned f = 0; f < 3; f++)
            for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
                run_row(&rows[i], families[f], (uint16_t)(PORT + i));
    }
    printf("%s: %zu states, both families and mapped, read and in repair mode\n",
        failures ? "FAIL" : "PASS", sizeof rows / sizeof rows[0]);
    return failures ? 1 : 0;
}
