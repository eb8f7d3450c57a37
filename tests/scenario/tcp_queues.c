/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * tcp_queues.c - what tcp_read() says of a connection is what went in: at random
 * moments of random traffic, segments lost and sent again included.  And an image that
 * is taken of a paced connection does it no harm: what it has not sent stays unsent. */
#include "sockmig/ckpt/repair.h"
#include "sockmig/ckpt/tcp.h"
#include "sockmig/ckpt/tcp_read.h"
#include "tests/dice.h"
#include "tests/scenario/netlab.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PORT 7350
#define STEPS 20000
#define IMAGES 300
#define MOST 60000u
#define PERIOD (256u * 4096) /* of what is sent */
#define PACE 20000000        /* bytes/s */

/* One direction: how many bytes went in and came out, each told by its place. */
struct stream {
    uint64_t in, out;
};

static struct netlab lab;
static uint8_t buffer[QUEUES_ROOM], pattern[PERIOD + QUEUES_ROOM];
static unsigned reads, with_out, with_in;

/* What stands at @place of a stream, and all behind it. */
static const uint8_t *
pattern_at(uint64_t place)
{
    return pattern + place % PERIOD;
}

static void
make_pattern(void)
{
    for (uint32_t i = 0; i < sizeof pattern; i++)
        pattern[i] = (uint8_t)(i * 31 + i / 4096);
}

static void
put(int sock, struct stream *s, uint32_t size)
{
    ssize_t n = send(sock, pattern_at(s->in), size, MSG_DONTWAIT | MSG_NOSIGNAL);

    s->in += n > 0 ? (uint64_t)n : 0;
}

static bool
is_stream(const uint8_t *bytes, uint64_t from, uint32_t size)
{
    return memcmp(bytes, pattern_at(from), size) == 0;
}

static bool
get(int sock, struct stream *s, uint32_t size)
{
    ssize_t n = recv(sock, buffer, size, MSG_DONTWAIT);
    bool ok = n <= 0 || is_stream(buffer, s->out, (uint32_t)n);

    s->out += n > 0 ? (uint64_t)n : 0;
    return ok;
}

static bool
connected(int family, int *client, int *server)
{
    struct sockaddr_storage a;
    socklen_t n = netlab_service(family, PORT, &a);
    int listener;

    netlab_enter(lab.primary);
    listener = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    repair_set(listener, SOL_SOCKET, SO_REUSEADDR, 1);
    if (bind(listener, (struct sockaddr *)&a, n) < 0 || listen(listener, 5) < 0)
        return false;
    netlab_enter(lab.client);
    *client = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(*client, (struct sockaddr *)&a, n) < 0)
        return false;
    *server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    close(listener);
    return *server >= 0;
}

static const char *
check_reading(int server, const struct stream *down, const struct stream *up)
{
    struct tcp_reading r;
    const uint8_t *bytes;

    if (!tcp_read(server, &r, &bytes))
        return NULL; /* it moved each time */
    reads++;
    with_in += r.inq > 0;
    with_out += r.outq > 0;
    if (r.bytes_acked + r.outq != down->in)
        return "what is not acknowledged is not what was sent";
    if (r.bytes_received != up->out + r.inq)
        return "what is unread is not what was received";
    if (!is_stream(bytes, up->out, r.inq))
        return "unread bytes differ";
    if (!is_stream(bytes + r.inq, r.bytes_acked, r.outq))
        return "unacknowledged bytes differ";
    return NULL;
}

/* One step of either end, the server's socket read after it. */
static const char *
step(uint64_t *seed, int client, int server, struct stream *down, struct stream *up)
{
    uint32_t size = 1 + dice(seed, dice(seed, 4) ? 2000 : MOST);
    bool ok = true;

    switch (dice(seed, 4)) {
    case 0:
        put(server, down, size);
        break;
    case 1:
        put(client, up, size);
        break;
    case 2:
        ok = get(server, up, size);
        break;
    default:
        ok = get(client, down, 2 * size);
        break;
    }
    return ok ? check_reading(server, down, up) : "the stream differs";
}

static const char *
play(int family, uint64_t seed)
{
    struct stream down = { 0 }, up = { 0 };
    int client = -1, server = -1;
    const char *wrong = NULL;

    if (!connected(family, &client, &server))
        return "no connection";
    for (unsigned i = 0; i < STEPS && !wrong; i++)
        wrong = step(&seed, client, server, &down, &up);
    close(client);
    close(server);
    return wrong;
}

/* All that it holds to be sent went out once. */
static bool
is_honest(int sock, uint64_t written)
{
    struct tcp_info info = { 0 };
    socklen_t n = sizeof info;

    return getsockopt(sock, SOL_TCP, TCP_INFO, &info, &n) == 0 &&
           info.tcpi_bytes_sent - info.tcpi_bytes_retrans + info.tcpi_notsent_bytes ==
               written;
}

/* The timer that paces it fires all the time. */
static const char *
pace(void)
{
    struct timespec tick = { .tv_nsec = 1000000 };
    struct tcp_watch watch = { 0 };
    struct image_tcp im = { 0 };
    struct parcels parcels;
    struct stream down = { 0 };
    int client = -1, server = -1, unsent = 0;
    const char *wrong = NULL;

    if (!connected(AF_INET, &client, &server) ||
        parcels_init(&parcels, 2 * QUEUES_ROOM) < 0)
        return "no connection";
    repair_set(server, SOL_SOCKET, SO_MAX_PACING_RATE, PACE);
    repair_set(server, SOL_SOCKET, SO_SNDBUFFORCE, 2000000);
    for (unsigned i = 0; i < IMAGES && !wrong; i++) {
        put(server, &down, QUEUES_ROOM);
        get(client, &down, QUEUES_ROOM);
        parcels_reset(&parcels);
        if (tcp_dump(server, 9, 4711, &watch, &im, &parcels) >= TCP_LOOK_DEAD)
            wrong = "no image";
        else if (!is_honest(server, down.in))
            wrong = "an image made it believe that it sent what it did not";
        unsent += im.unsent > 0;
        nanosleep(&tick, NULL);
    }
    if (!wrong && unsent < IMAGES / 2)
        wrong = "little was unsent: nothing is told";
    parcels_fini(&parcels);
    close(client);
    close(server);
    return wrong;
}

static bool
lose(int ns)
{
    static const char rule[] = "-A INPUT -p tcp -m statistic --mode random "
                               "--probability 0.1 -j DROP";

    return netlab_run(ns, "iptables -w %s && ip6tables -w %s", rule, rule);
}

static bool
is_long_stream(const uint8_t *bytes, uint64_t from, uint32_t size)
{
    for (uint32_t at = 0; at < size; at += PERIOD)
        if (!is_stream(bytes + at, from + at, size - at < PERIOD ? size - at : PERIOD))
            return false;
    return true;
}

/* More than a reading has room for: it is left to repair mode, whole. */
static const char *
overflow(void)
{
    struct tcp_watch watch = { 0 };
    struct image_tcp im = { 0 };
    struct stream down = { 0 };
    struct tcp_reading r;
    struct parcels parcels;
    const uint8_t *bytes;
    int client = -1, server = -1, queued = 0;
    const char *wrong = NULL;

    if (!connected(AF_INET, &client, &server) ||
        parcels_init(&parcels, 8 * QUEUES_ROOM) < 0)
        return "no connection";
    repair_set(client, SOL_SOCKET, SO_RCVBUF, 65536);
    repair_set(server, SOL_SOCKET, SO_SNDBUFFORCE, 4 * QUEUES_ROOM);
    put(server, &down, QUEUES_ROOM);
    sleep(1); /* the client's window is shut */
    while (queued <= (int)(QUEUES_ROOM + QUEUES_PIECE) && !wrong &&
           ioctl(server, SIOCOUTQ, &queued) == 0) {
        if (queued > (int)QUEUES_ROOM && tcp_read(server, &r, &bytes))
            wrong = "more was read than there is room for";
        put(server, &down, 1000);
    }
    if (!wrong && tcp_dump(server, 9, 4711, &watch, &im, &parcels) != TCP_LOOK_DUMPED)
        wrong = "no image";
    else if (!wrong && (im.outq <= QUEUES_ROOM ||
                           !is_long_stream(parcels.data + sizeof(struct parcel),
                               down.in - im.outq, im.outq)))
        wrong = "the image is not of all";
    parcels_fini(&parcels);
    close(client);
    close(server);
    return wrong;
}

static int
judge(const char *claim, const char *wrong)
{
    if (wrong)
        printf("FAIL: %s: %s\n", claim, wrong);
    return wrong != NULL;
}

int
main(int argc, char **argv)
{
    unsigned seed = argc > 1 ? (unsigned)atoi(argv[1]) : (unsigned)time(NULL) | 1;
    int failures = 0;

    make_pattern();
    netlab_new(&lab);
    netlab_enter(lab.primary);
    if (tcp_read_load()) {
        puts("SKIP: this kernel has no reading of connections, see above");
        return NETLAB_SKIP;
    }
    netlab_plug(&lab, "primary");
    failures += judge("paced", pace());
    failures += judge("more than there is room for", overflow());
    printf("seed %u\n", seed);
    for (int lossy = 0; lossy < 2; lossy++) {
        if (lossy)
            failures += judge(
                "loss", lose(lab.client) && lose(lab.primary) ? NULL : "there is none");
        failures += judge("IPv4", play(AF_INET, seed));
        failures += judge("IPv6", play(AF_INET6, seed + 1));
    }
    if (with_in < STEPS / 4 || with_out < STEPS / 4)
        failures += judge("traffic", "little was read");
    printf("%s: %u readings, %u with unread, %u with unacknowledged bytes\n",
        failures ? "FAIL" : "PASS", reads, with_in, with_out);
    return failures ? 1 : 0;
}
