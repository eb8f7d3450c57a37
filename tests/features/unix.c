/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * unix.c - unix sockets within the process. */
#include "tests/features/features.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define UNREAD "one\0three\0"

static socklen_t
name(struct sockaddr_un *to, const char *path) /* '@': abstract */
{
    memset(to, 0, sizeof *to);
    to->sun_family = AF_UNIX;
    memcpy(to->sun_path, path, strlen(path));
    if (path[0] == '@')
        to->sun_path[0] = '\0';
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path) +
                       (path[0] != '@'));
}

static int stream[2];
static uint32_t sent, received;

static void
step_stream(void)
{
    uint32_t v;

    if (send(stream[0], &sent, sizeof sent, MSG_DONTWAIT) == sizeof sent)
        sent++;
    while (sent - received > 100 &&
           recv(stream[1], &v, sizeof v, MSG_DONTWAIT) == sizeof v)
        received += v == received;
}

static const char *
set_up_stream(void)
{
    WANT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, stream) == 0);
    WANT(send(stream[1], "back", 4, 0) == 4);
    return NULL;
}

static const char *
check_stream(void)
{
    char text[8] = "";
    uint32_t v;

    WANT(fcntl(stream[0], F_GETFL) & O_NONBLOCK);
    while (recv(stream[1], &v, sizeof v, MSG_DONTWAIT) == sizeof v)
        WANT(v == received++);
    WANT(sent == received && recv(stream[0], text, 8, 0) == 4 && !strcmp(text, "back"));
    WANT(send(stream[1], "back", 4, 0) == 4);
    return NULL;
}

static int dgram[2], packet[2];

static const char *
fill(int *pair, int type)
{
    WANT(socketpair(AF_UNIX, type, 0, pair) == 0);
    WANT(send(pair[0], "one", 3, 0) == 3);
    WANT(send(pair[0], "three", 5, 0) == 5 && send(pair[1], "other way", 9, 0) == 9);
    return NULL;
}

/* Boundaries are kept. */
static const char *
look(int *pair)
{
    char text[16] = "";

    WANT(recv(pair[1], text, 16, MSG_DONTWAIT) == 3 && !strncmp(text, "one", 3));
    WANT(recv(pair[1], text, 16, MSG_DONTWAIT) == 5 && !strncmp(text, "three", 5));
    WANT(recv(pair[1], text, 16, MSG_DONTWAIT) < 0 && errno == EAGAIN);
    WANT(recv(pair[0], text, 16, MSG_DONTWAIT) == 9);
    WANT(send(pair[0], "one", 3, 0) == 3);
    WANT(send(pair[0], "three", 5, 0) == 5 && send(pair[1], "other way", 9, 0) == 9);
    return NULL;
}

static const char *
set_up_dgram(void)
{
    return fill(dgram, SOCK_DGRAM);
}

static const char *
check_dgram(void)
{
    return look(dgram);
}

static const char *
set_up_packet(void)
{
    return fill(packet, SOCK_SEQPACKET);
}

static const char *
check_packet(void)
{
    return look(packet);
}

static int listener[2];
static struct sockaddr_un address[2];
static socklen_t address_len[2];

static const char *
listen_at(int i, const char *path, int type)
{
    address_len[i] = name(&address[i], path);
    listener[i] = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    unlink(path);
    WANT(bind(listener[i], (struct sockaddr *)&address[i], address_len[i]) == 0);
    WANT(listen(listener[i], 7) == 0);
    return NULL;
}

static const char *
accepts(int i, int type)
{
    int client = socket(AF_UNIX, type | SOCK_CLOEXEC, 0), accepted;
    char text[8] = "";

    WANT(connect(client, (struct sockaddr *)&address[i], address_len[i]) == 0);
    WANT(send(client, "hello", 5, 0) == 5);
    accepted = accept4(listener[i], NULL, NULL, SOCK_CLOEXEC);
    WANT(accepted >= 0 && recv(accepted, text, 8, 0) == 5 && !strcmp(text, "hello"));
    WANT(close(client) == 0 && close(accepted) == 0);
    return NULL;
}

static const char *
set_up_listener(void)
{
    WANT(!listen_at(0, "listener.sock", SOCK_STREAM));
    WANT(chmod("listener.sock", 0712) == 0);
    return NULL;
}

static const char *
check_listener(void)
{
    struct stat st;

    WANT(stat("listener.sock", &st) == 0 && (st.st_mode & 0777) == 0712);
    return accepts(0, SOCK_STREAM);
}

static const char *
set_up_abstract(void)
{
    return listen_at(1, "@bascule/feature", SOCK_SEQPACKET);
}

static const char *
check_abstract(void)
{
    struct sockaddr_un now;
    socklen_t n = sizeof now;

    WANT(getsockname(listener[1], (struct sockaddr *)&now, &n) == 0);
    WANT(n == address_len[1] && memcmp(&now, &address[1], n) == 0);
    return accepts(1, SOCK_SEQPACKET);
}

/* Made by connect() and accept(): one end has the listener's name. */
static int own_listener, connected[2];

static const char *
set_up_connected(void)
{
    struct sockaddr_un at;
    socklen_t n = name(&at, "own.sock");

    unlink("own.sock");
    own_listener = socket(AF_UNIX, SOCK_STREAM, 0);
    WANT(bind(own_listener, (struct sockaddr *)&at, n) == 0);
    WANT(listen(own_listener, 3) == 0);
    connected[0] = socket(AF_UNIX, SOCK_STREAM, 0);
    WANT(connect(connected[0], (struct sockaddr *)&at, n) == 0);
    connected[1] = accept(own_listener, NULL, NULL);
    WANT(connected[1] >= 0 && send(connected[0], "kept", 4, 0) == 4);
    WANT(send(connected[1], "too", 3, 0) == 3);
    return NULL;
}

static const char *
check_connected(void)
{
    struct sockaddr_un now = { 0 };
    socklen_t n = sizeof now;
    char text[8] = "";

    WANT(recv(connected[1], text, 8, MSG_DONTWAIT) == 4 && !strcmp(text, "kept"));
    WANT(send(connected[0], "kept", 4, 0) == 4);
    WANT(recv(connected[0], text, 8, MSG_DONTWAIT) == 3 && !strncmp(text, "too", 3));
    WANT(send(connected[1], "too", 3, 0) == 3);
    WANT(getpeername(connected[0], (struct sockaddr *)&now, &n) == 0);
    WANT(strcmp(now.sun_path, "own.sock") == 0);
    n = sizeof now;
    WANT(getsockname(connected[1], (struct sockaddr *)&now, &n) == 0);
    WANT(strcmp(now.sun_path, "own.sock") == 0);
    return NULL;
}

/* Waiting to be accepted. */
static int queue_listener, queued;

static const char *
set_up_queued(void)
{
    struct sockaddr_un at;
    socklen_t n = name(&at, "@bascule/queued");

    queue_listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    WANT(bind(queue_listener, (struct sockaddr *)&at, n) == 0);
    WANT(listen(queue_listener, 3) == 0);
    queued = socket(AF_UNIX, SOCK_STREAM, 0);
    WANT(connect(queued, (struct sockaddr *)&at, n) == 0);
    return NULL;
}

static const char *
check_queued(void)
{
    int accepted = accept(queue_listener, NULL, NULL);
    char text[8] = "";

    WANT(accepted >= 0 && send(accepted, "late", 4, 0) == 4 &&
         recv(queued, text, 8, 0) == 4);
    WANT(close(accepted) == 0 && close(queued) == 0 && close(queue_listener) == 0);
    return set_up_queued();
}

static const char *
set_up_early(void)
{
    WANT(!set_up_queued());
    WANT(send(queued, "early", 5, 0) == 5);
    return NULL;
}

static int receiver, sender;

static const char *
set_up_receiver(void)
{
    struct sockaddr_un at, from;
    socklen_t n = name(&at, "receiver.sock"), m = name(&from, "@bascule/sender");

    unlink("receiver.sock");
    receiver = socket(AF_UNIX, SOCK_DGRAM, 0);
    sender = socket(AF_UNIX, SOCK_DGRAM, 0);
    WANT(bind(receiver, (struct sockaddr *)&at, n) == 0);
    WANT(bind(sender, (struct sockaddr *)&from, m) == 0);
    WANT(connect(sender, (struct sockaddr *)&at, n) == 0);
    WANT(send(sender, "unread", 6, 0) == 6);
    return NULL;
}

static const char *
check_receiver(void)
{
    struct sockaddr_un from = { 0 };
    socklen_t n = sizeof from;
    char text[8] = "";

    WANT(recvfrom(receiver, text, 8, MSG_DONTWAIT, (struct sockaddr *)&from, &n) == 6);
    WANT(strcmp(text, "unread") == 0);
    WANT(strncmp(from.sun_path + 1, "bascule/sender", 14) == 0);
    WANT(send(sender, "unread", 6, 0) == 6);
    return NULL;
}

static int half[2];

static const char *
set_up_half(void)
{
    WANT(socketpair(AF_UNIX, SOCK_STREAM, 0, half) == 0);
    WANT(send(half[1], "last words", 10, 0) == 10 && close(half[1]) == 0);
    return NULL;
}

static const char *
check_half(void)
{
    char text[16] = "";

    WANT(recv(half[0], text, 16, 0) == 10 && strcmp(text, "last words") == 0);
    WANT(recv(half[0], text, 16, 0) == 0);
    WANT(send(half[0], "x", 1, MSG_NOSIGNAL) < 0 && errno == EPIPE);
    WANT(close(half[0]) == 0);
    return set_up_half();
}

/* The end that was accepted has the listener's name. */
static int left_alone;

static const char *
set_up_left_alone(void)
{
    struct sockaddr_un at;
    socklen_t n = name(&at, "@bascule/left");
    int l = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0);

    WANT(bind(l, (struct sockaddr *)&at, n) == 0 && listen(l, 1) == 0);
    WANT(connect(c, (struct sockaddr *)&at, n) == 0);
    left_alone = accept(l, NULL, NULL);
    WANT(left_alone >= 0 && close(l) == 0);
    WANT(send(c, "bye", 3, 0) == 3 && close(c) == 0);
    return NULL;
}

static const char *
check_left_alone(void)
{
    struct sockaddr_un now = { 0 };
    socklen_t n = sizeof now;
    char text[8] = "";

    WANT(getsockname(left_alone, (struct sockaddr *)&now, &n) == 0);
    WANT(strncmp(now.sun_path + 1, "bascule/left", 12) == 0);
    WANT(recv(left_alone, text, 8, 0) == 3 && strcmp(text, "bye") == 0);
    WANT(recv(left_alone, text, 8, 0) == 0 && close(left_alone) == 0);
    return set_up_left_alone();
}

static int shut[2];

static const char *
set_up_shut(void)
{
    WANT(socketpair(AF_UNIX, SOCK_STREAM, 0, shut) == 0);
    WANT(send(shut[0], "end", 3, 0) == 3 && shutdown(shut[0], SHUT_WR) == 0);
    return NULL;
}

static const char *
check_shut(void)
{
    char text[8] = "";

    WANT(send(shut[0], "x", 1, MSG_NOSIGNAL) < 0 && errno == EPIPE);
    WANT(recv(shut[1], text, 8, 0) == 3 && recv(shut[1], text, 8, 0) == 0);
    WANT(send(shut[1], "back", 4, 0) == 4 && recv(shut[0], text, 8, 0) == 4);
    WANT(close(shut[0]) == 0 && close(shut[1]) == 0);
    return set_up_shut();
}

static int options[2];

static const char *
set_up_options(void)
{
    int on = 1, size = 70000;
    struct timeval t = { 2, 500000 };

    WANT(socketpair(AF_UNIX, SOCK_DGRAM, 0, options) == 0);
    WANT(setsockopt(options[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on) == 0);
    WANT(setsockopt(options[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof size) == 0);
    WANT(setsockopt(options[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t) == 0);
    return NULL;
}

static const char *
check_options(void)
{
    struct timeval t = { 0, 0 };
    int value = 0;
    socklen_t n = sizeof value;

    WANT(
        getsockopt(options[0], SOL_SOCKET, SO_PASSCRED, &value, &n) == 0 && value == 1);
    WANT(getsockopt(options[1], SOL_SOCKET, SO_SNDBUF, &value, &n) == 0);
    WANT(value == 140000);
    n = sizeof t;
    WANT(getsockopt(options[0], SOL_SOCKET, SO_RCVTIMEO, &t, &n) == 0);
    WANT(t.tv_sec == 2 && t.tv_usec == 500000);
    return NULL;
}

static int peer_cred[2];

static const char *
set_up_cred(void)
{
    WANT(socketpair(AF_UNIX, SOCK_STREAM, 0, peer_cred) == 0);
    return NULL;
}

static const char *
check_cred(void)
{
    struct ucred c;
    socklen_t n = sizeof c;

    WANT(getsockopt(peer_cred[0], SOL_SOCKET, SO_PEERCRED, &c, &n) == 0);
    WANT(c.pid == getpid() && c.uid == 0);
    return NULL;
}

/* As a service does that is started by root: the connection is its user's. */
static const char *
set_up_other_user(void)
{
    unlink("own.sock");
    WANT(setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0);
    return set_up_connected();
}

static const char *
check_other_user(void)
{
    struct ucred c;
    socklen_t n = sizeof c;

    WANT(getsockopt(connected[0], SOL_SOCKET, SO_PEERCRED, &c, &n) == 0);
    WANT(c.pid == getpid() && c.uid == 65534 && c.gid == 65534);
    return check_connected();
}

static int unconnected;

static const char *
set_up_unconnected(void)
{
    unconnected = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    WANT(unconnected >= 0);
    return NULL;
}

static const char *
check_unconnected(void)
{
    struct sockaddr_un now;
    socklen_t n = sizeof now;

    WANT(
        getpeername(unconnected, (struct sockaddr *)&now, &n) < 0 && errno == ENOTCONN);
    WANT(fcntl(unconnected, F_GETFD) == FD_CLOEXEC);
    return NULL;
}

static const struct feature rows[] = {
    { "stream pair with unread bytes", NULL, 0, set_up_stream, check_stream,
        step_stream },
    { "datagram pair with unread datagrams", NULL, 0, set_up_dgram, check_dgram, NULL },
    { "packet pair (SOCK_SEQPACKET)", NULL, 0, set_up_packet, check_packet, NULL },
    { "listener with a path", NULL, 0, set_up_listener, check_listener, NULL },
    { "listener with an abstract name", NULL, 0, set_up_abstract, check_abstract,
        NULL },
    { "connection made by connect() and accept()", NULL, 0, set_up_connected,
        check_connected, NULL },
    { "bound datagram sockets, names of senders", NULL, 0, set_up_receiver,
        check_receiver, NULL },
    { "half of a pair, with unread bytes", NULL, 0, set_up_half, check_half, NULL },
    { "accepted connection whose other end and listener are gone", NULL, 0,
        set_up_left_alone, check_left_alone, NULL },
    { "pair that was shut down one way", NULL, 0, set_up_shut, check_shut, NULL },
    { "options of unix sockets", NULL, 0, set_up_options, check_options, NULL },
    { "credentials of the peer", NULL, 0, set_up_cred, check_cred, NULL },
    { "connection of another user", NULL, FEATURE_ALONE, set_up_other_user,
        check_other_user, NULL },
    { "unconnected unix socket", NULL, 0, set_up_unconnected, check_unconnected, NULL },
    { "connection waiting to be accepted", NULL, 0, set_up_queued, check_queued, NULL },
    { "connection waiting to be accepted, with data", "has data", FEATURE_ALONE,
        set_up_early, NULL, NULL },
};

AREA(area_unix, "Unix sockets", rows);
