/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * pipes.c - pipes without a name. */
#include "tests/features/features.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int stream[2];
static uint32_t sent, received;

static void
step_stream(void)
{
    uint32_t v;

    for (int i = 0; i < 3; i++)
        if (write(stream[1], &sent, sizeof sent) == sizeof sent)
            sent++;
    while (sent - received > 300 && read(stream[0], &v, sizeof v) == sizeof v)
        received += v == received;
}

static const char *
set_up_stream(void)
{
    WANT(pipe2(stream, O_NONBLOCK) == 0);
    return NULL;
}

static const char *
check_stream(void)
{
    uint32_t v;

    WANT(fcntl(stream[0], F_GETFL) & O_NONBLOCK);
    while (read(stream[0], &v, sizeof v) == sizeof v)
        WANT(v == received++);
    WANT(received == sent);
    return NULL;
}

static int full[2], fulls;

static const char *
set_up_full(void)
{
    char block[4096] = "";

    memset(block, 'f', sizeof block);
    WANT(pipe2(full, O_NONBLOCK) == 0);
    for (fulls = 0; write(full[1], block, sizeof block) == sizeof block; fulls++)
        ;
    WANT(fulls == 16);
    return NULL;
}

static const char *
check_full(void)
{
    char block[4096] = "";

    WANT(write(full[1], block, 1) < 0 && errno == EAGAIN);
    for (int i = 0; i < fulls; i++)
        WANT(read(full[0], block, sizeof block) == sizeof block && block[99] == 'f');
    WANT(read(full[0], block, 1) < 0 && errno == EAGAIN);
    memset(block, 'f', sizeof block);
    for (int i = 0; i < fulls; i++)
        WANT(write(full[1], block, sizeof block) == sizeof block);
    return NULL;
}

/* Each buffer of the pipe holds one byte: they are joined, or it would not fit. */
static int crumbs[2];

static const char *
set_up_crumbs(void)
{
    WANT(pipe2(crumbs, O_NONBLOCK | O_DIRECT) == 0);
    for (char c = 'a'; c < 'a' + 10; c++)
        WANT(write(crumbs[1], &c, 1) == 1);
    WANT(fcntl(crumbs[1], F_SETFL, O_NONBLOCK) == 0);
    return NULL;
}

static const char *
check_crumbs(void)
{
    char text[32] = "";

    WANT(read(crumbs[0], text, 32) > 0 && strncmp(text, "abcdefghij", 1) == 0);
    for (char c = 'a'; c < 'a' + 10; c++)
        WANT(write(crumbs[1], &c, 1) == 1);
    return NULL;
}

static int large[2];

static const char *
set_up_large(void)
{
    WANT(pipe(large) == 0 && fcntl(large[1], F_SETPIPE_SZ, 1 << 20) == 1 << 20);
    return NULL;
}

static const char *
check_large(void)
{
    WANT(fcntl(large[0], F_GETPIPE_SZ) == 1 << 20);
    return NULL;
}

static int halves[2][2];

static const char *
set_up_halves(void)
{
    WANT(pipe(halves[0]) == 0 && pipe(halves[1]) == 0);
    WANT(write(halves[0][1], "last", 4) == 4);
    WANT(close(halves[0][1]) == 0 && close(halves[1][0]) == 0);
    signal(SIGPIPE, SIG_IGN);
    return NULL;
}

static const char *
check_halves(void)
{
    char text[8] = "";

    WANT(write(halves[1][1], "x", 1) < 0 && errno == EPIPE);
    WANT(read(halves[0][0], text, 8) == 4 && strcmp(text, "last") == 0);
    WANT(read(halves[0][0], text, 8) == 0);
    close(halves[0][0]);
    close(halves[1][1]);
    return set_up_halves();
}

static int packets[2];

static const char *
set_up_packets(void)
{
    WANT(pipe2(packets, O_DIRECT) == 0);
    WANT(write(packets[1], "one", 3) == 3 && write(packets[1], "three", 5) == 5);
    return NULL;
}

static const char *
check_packets(void)
{
    char text[16] = "";

    WANT(read(packets[0], text, 16) == 3 && read(packets[0], text, 16) == 5);
    WANT(write(packets[1], "one", 3) == 3 && write(packets[1], "three", 5) == 5);
    WANT(fcntl(packets[1], F_GETFL) & O_DIRECT);
    return NULL;
}

static atomic_long blocked_reads;
static int blocking[2];

static void *
block_in_read(void *arg)
{
    char c;

    (void)arg;
    for (;;)
        if (read(blocking[0], &c, 1) == 1)
            blocked_reads++;
    return NULL;
}

static const char *
set_up_blocking(void)
{
    pthread_t t;

    WANT(pipe(blocking) == 0 && pthread_create(&t, NULL, block_in_read, NULL) == 0);
    return NULL;
}

static const char *
check_blocking(void)
{
    long before = blocked_reads;
    struct timespec tick = { 0, 5000000 };

    WANT(write(blocking[1], "x", 1) == 1);
    for (int i = 0; i < 1000 && blocked_reads == before; i++)
        nanosleep(&tick, NULL);
    WANT(blocked_reads == before + 1);
    return NULL;
}

static const struct feature rows[] = {
    { "pipe that is written and read", NULL, 0, set_up_stream, check_stream,
        step_stream },
    { "full pipe", NULL, 0, set_up_full, check_full, NULL },
    { "pipe with scattered bytes", NULL, 0, set_up_crumbs, check_crumbs, NULL },
    { "pipe of 1 MB", NULL, 0, set_up_large, check_large, NULL },
    { "pipes with one end", NULL, 0, set_up_halves, check_halves, NULL },
    { "thread blocked in reading a pipe", NULL, 0, set_up_blocking, check_blocking,
        NULL },
    { "pipe in packet mode (O_DIRECT)", "packet mode", FEATURE_ALONE, set_up_packets,
        check_packets, NULL },
};

AREA(area_pipes, "Pipes", rows);
