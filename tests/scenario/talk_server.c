/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * talk_server.c - a server whose every reply shows what it remembers.
 *
 *     talk_server PORT
 *
 * TCP and UDP, IPv4 and IPv6; and TCP on the next port, where who says nothing is not
 * accepted (TCP_DEFER_ACCEPT).  A line "e TEXT" is answered with "N TEXT", a line
 * "r" with "N LAST NEW": N counts the connection's lines, NEW is a random number and
 * LAST the one before.  A line "q TEXT" is not answered, but "s" is with "N SUM": the
 * Adler-32 of all such texts; "g M" is answered with M lines "N CCC...", of 4000
 * letters, "b M" so, too, and then the connection is closed; "d M" with M times 100 KB,
 * each of one random number.  "k TEXT" is answered as "e TEXT" is, but nothing sends
 * the answer away: a timer of the kernel does (TCP_CORK).  "c TEXT" is not answered,
 * and counted over all connections; "v" is answered with "N COUNT".  A datagram is
 * answered with "N TEXT", N counts all datagrams; unless it begins with q, or is "z
 * MS": nothing is read for so long, or "y": answered with five datagrams, sent as one,
 * or begins with p: the answer goes out by the device that it came in by.  Under replay
 * the answers to "e" are made again, those to "r" and "d" are not.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define STREAMS 4 /* TCP of both families, and with TCP_DEFER_ACCEPT */
#define DOORS 6   /* and UDP */
#define DEFER_S 10
#define FDS 512
#define LINE 8192

struct client {
    unsigned count;
    uint64_t last;
    uint32_t low, high; /* of the sum, less 1 and 0 */
    size_t have;
    char line[LINE];
};

static struct pollfd fds[FDS];
static struct client clients[FDS];
static unsigned datagrams, counted;

static int
door(int type, int family, uint16_t port, int defer)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
    int fd = socket(family, type | SOCK_CLOEXEC, 0), one = 1;
    int ret;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (defer)
        setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &defer, sizeof defer);
    if (type == SOCK_DGRAM && family == AF_INET)
        setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &one, sizeof one);
    else if (type == SOCK_DGRAM)
        setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &one, sizeof one);
    if (family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    ret = family == AF_INET ? bind(fd, (struct sockaddr *)&v4, sizeof v4)
                            : bind(fd, (struct sockaddr *)&v6, sizeof v6);
    if (ret < 0 || (type == SOCK_STREAM && listen(fd, 64) < 0)) {
        perror("talk_server");
        exit(1);
    }
    return fd;
}

static void
admit(int listener)
{
    int fd = accept(listener, NULL, NULL);

    for (int i = DOORS; i < FDS; i++)
        if (fds[i].fd < 0) {
            fds[i].fd = fd;
            memset(&clients[i], 0, sizeof clients[i]);
            return;
        }
    close(fd);
}

/* UDP_SEGMENT: the kernel cuts it, as late as it can. */
static void
answer_in_pieces(int fd, struct sockaddr_storage *to, socklen_t size)
{
    union {
        char bytes[CMSG_SPACE(sizeof(uint16_t))];
        struct cmsghdr head;
    } control = { .head = { .cmsg_len = CMSG_LEN(sizeof(uint16_t)),
                      .cmsg_level = IPPROTO_UDP,
                      .cmsg_type = UDP_SEGMENT } };
    uint16_t piece = 16;
    char text[5 * 16 + 1];
    struct iovec part = { text, sizeof text - 1 };
    struct msghdr m = { .msg_name = to,
        .msg_namelen = size,
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof control.bytes };

    memcpy(CMSG_DATA(&control.head), &piece, sizeof piece);
    for (unsigned i = 0; i < 5; i++)
        snprintf(text + (size_t)i * 16, 17, "%-16u", datagrams * 10 + i);
    sendmsg(fd, &m, 0);
}

static void
datagram(int fd)
{
    static char data[16 + LINE + 1];
    struct sockaddr_storage from;
    union {
        char bytes[256];
        struct cmsghdr align;
    } control;
    struct iovec part = { data + 16, LINE };
    struct msghdr m = { .msg_name = &from,
        .msg_namelen = sizeof from,
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof control.bytes };
    ssize_t n = recvmsg(fd, &m, 0);
    char head[17];
    int len;

    if (n < 0)
        return;
    datagrams++;
    if (n > 0 && data[16] == 'q')
        return;
    if (n > 1 && data[16] == 'z') {
        data[16 + n] = '\0';
        usleep((useconds_t)atoi(data + 17) * 1000);
        return;
    }
    if (n > 0 && data[16] == 'y') {
        answer_in_pieces(fd, &from, m.msg_namelen);
        return;
    }
    len = snprintf(head, sizeof head, "%u ", datagrams);
    memcpy(data + 16 - len, head, (size_t)len);
    part = (struct iovec){ data + 16 - len, (size_t)(n + len) };
    if (n == 0 || data[16] != 'p')
        m.msg_controllen = 0;
    sendmsg(fd, &m, 0);
}

/* RFC 1950. */
static void
add_up(struct client *c, const char *text)
{
    for (; *text; text++) {
        c->low = (c->low + (unsigned char)*text) % 65521;
        c->high = (c->high + c->low + 1) % 65521;
    }
}

/* A checkpoint that interrupts a send() which waits lets it return what it has done. */
static int
send_all(int fd, const char *text, int size)
{
    while (size > 0) {
        ssize_t n = send(fd, text, (size_t)size, MSG_NOSIGNAL);

        if (n < 0)
            return 0;
        text += n;
        size -= (int)n;
    }
    return 1;
}

/* Each line has another letter than the one before. */
static int
give(int fd, unsigned count, int lines)
{
    char text[16 + 4001];

    for (int i = 0; i < lines; i++) {
        int len = snprintf(text, 16, "%u ", count);

        memset(text + len, 'a' + (int)(count + (unsigned)i) % 26, 4000);
        text[len + 4000] = '\n';
        if (!send_all(fd, text, len + 4001))
            return 0;
    }
    return 1;
}

/* One number fills a block, so nobody can miss that two of them are mixed. */
static int
dice(int fd, int blocks)
{
    static char text[100 * 1024 + 1];
    uint64_t fresh;

    for (; blocks > 0; blocks--) {
        if (getrandom(&fresh, sizeof fresh, 0) != sizeof fresh)
            return 0;
        for (size_t i = 0; i + 1 < sizeof text; i += 16)
            snprintf(text + i, 17, "%016llx", (unsigned long long)fresh);
        if (!send_all(fd, text, sizeof text - 1))
            return 0;
    }
    return 1;
}

static int
answer(int fd, struct client *c, const char *line)
{
    char text[LINE + 64];
    uint64_t fresh;
    int len, on = 1;

    c->count++;
    if (line[0] == 'k')
        setsockopt(fd, IPPROTO_TCP, TCP_CORK, &on, sizeof on);
    if (line[0] == 'q') {
        add_up(c, line + 2);
        return 1;
    }
    if (line[0] == 'c') {
        counted++;
        return 1;
    }
    if (line[0] == 'b') {
        give(fd, c->count, atoi(line + 2));
        return 0;
    }
    if (line[0] == 'd')
        return dice(fd, atoi(line + 2));
    if (line[0] == 'g')
        return give(fd, c->count, atoi(line + 2));
    if (line[0] == 's') {
        len = snprintf(text, sizeof text, "%u %u\n", c->count,
            c->high << 16 | (c->low + 1) % 65521);
    } else if (line[0] == 'v') {
        len = snprintf(text, sizeof text, "%u %u\n", c->count, counted);
    } else if (line[0] == 'r') {
        if (getrandom(&fresh, sizeof fresh, 0) != sizeof fresh)
            return 0;
        len = snprintf(text, sizeof text, "%u %016llx %016llx\n", c->count,
            (unsigned long long)c->last, (unsigned long long)fresh);
        c->last = fresh;
    } else {
        len = snprintf(text, sizeof text, "%u %s\n", c->count, line + 2);
    }
    return send_all(fd, text, len);
}

/* 0: the connection is over. */
static int
talk(int fd, struct client *c)
{
    ssize_t n = read(fd, c->line + c->have, sizeof c->line - c->have);
    char *end;

    if (n <= 0)
        return 0;
    c->have += (size_t)n;
    while ((end = memchr(c->line, '\n', c->have))) {
        *end++ = '\0';
        if (end - c->line < 2 || !answer(fd, c, c->line))
            return 0;
        c->have -= (size_t)(end - c->line);
        memmove(c->line, end, c->have);
    }
    return c->have < sizeof c->line;
}

int
main(int argc, char **argv)
{
    uint16_t port = (uint16_t)atoi(argc > 1 ? argv[1] : "7000");

    for (int i = 0; i < FDS; i++)
        fds[i] = (struct pollfd){ .fd = -1, .events = POLLIN };
    for (int i = 0; i < DOORS; i++)
        fds[i].fd = door(i < STREAMS ? SOCK_STREAM : SOCK_DGRAM,
            i % 2 == 0 ? AF_INET : AF_INET6, i / 2 == 1 ? port + 1 : port,
            i / 2 == 1 ? DEFER_S : 0);
    while (poll(fds, FDS, -1) >= 0)
        for (int i = 0; i < FDS; i++) {
            if (fds[i].fd < 0 || !fds[i].revents)
                continue;
            if (i < STREAMS) {
                admit(fds[i].fd);
            } else if (i < DOORS) {
                datagram(fds[i].fd);
            } else if (!talk(fds[i].fd, &clients[i])) {
                close(fds[i].fd);
                fds[i].fd = -1;
            }
        }
    return 1;
}
