/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * clone_services.c - selfcheck, and redis with clients that check every reply. */
#include "tests/scenario/clone_loop.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS 8
#define VALUE 30000
#define PORT 6379

static void
nap(long us)
{
    struct timespec t = { .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 };

    nanosleep(&t, NULL);
}

static long heard; /* lines of its log that are no sign of life any more */

/* How many lines there are, -1 if there was an error. */
static long
count_beats(const char *log)
{
    FILE *f = fopen(log, "r");
    char line[256];
    long n = 0;

    while (f && n >= 0 && fgets(line, sizeof line, f)) {
        n++;
        if (strncmp(line, "beat ", 5) != 0) {
            printf("selfcheck: %s", line);
            n = -1;
        }
    }
    if (f)
        fclose(f);
    return n;
}

static void
selfcheck_moves(const char *log)
{
    heard = count_beats(log);
}

static bool
selfcheck_goes_on(const struct netlab *lab, const char *log)
{
    (void)lab;
    for (unsigned i = 0; i < 500; i++) {
        long beats = count_beats(log);

        if (beats < 0)
            return false;
        if (beats > heard + 3) {
            heard = beats;
            return true;
        }
        nap(10000);
    }
    printf("selfcheck stands still after %ld lines\n", heard);
    return false;
}

const struct service *
service_selfcheck(const char *program)
{
    static char *command[2];
    static const struct service s = { .name = "selfcheck",
        .command = command,
        .begin = selfcheck_goes_on,
        .goes_on = selfcheck_goes_on,
        .moves = selfcheck_moves };

    command[0] = (char *)(uintptr_t)program;
    return &s;
}

static struct {
    pthread_t thread;
    unsigned number;
    atomic_long rounds;
} clients[CLIENTS];
static atomic_bool stop, failed;
static int control = -1; /* a connection of its own, through all takeovers */
static bool saving;
static const struct netlab *network;

static int
dial(bool v6)
{
    struct sockaddr_in to4 = { .sin_family = AF_INET, .sin_port = htons(PORT) };
    struct sockaddr_in6 to6 = { .sin6_family = AF_INET6, .sin6_port = htons(PORT) };
    int sock = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), ret;

    inet_pton(AF_INET, "10.93.0.100", &to4.sin_addr);
    inet_pton(AF_INET6, "fd93::100", &to6.sin6_addr);
    ret = v6 ? connect(sock, (struct sockaddr *)&to6, sizeof to6)
             : connect(sock, (struct sockaddr *)&to4, sizeof to4);
    if (ret == 0)
        return sock;
    close(sock);
    return -1;
}

/* Sends @n bytes and compares the answer with @expected. */
static bool
ask(int sock, const char *request, size_t n, const char *expected, size_t size)
{
    static _Thread_local char reply[2 * VALUE];
    size_t got = 0;

    if (send(sock, request, n, MSG_NOSIGNAL) != (ssize_t)n)
        return false;
    while (got < size) {
        ssize_t r = recv(sock, reply + got, sizeof reply - got, 0);

        if (r <= 0)
            return false;
        got += (size_t)r;
    }
    if (got == size && memcmp(reply, expected, size) == 0)
        return true;
    printf("redis said %.*s, expected %.*s\n", (int)(got < 40 ? got : 40), reply,
        (int)(size < 40 ? size : 40), expected);
    return false;
}

static bool
ask_value(int sock, unsigned number, long round)
{
    static _Thread_local char request[VALUE + 200], reply[VALUE + 200];
    char value[VALUE];
    int n, m;

    memset(value, 'a' + (int)((round + number) % 26), sizeof value);
    n = snprintf(request, sizeof request, "*3\r\n$3\r\nSET\r\n$6\r\nval%03u\r\n$%d\r\n",
        number, VALUE);
    memcpy(request + n, value, VALUE);
    memcpy(request + n + VALUE, "\r\n", 2);
    if (!ask(sock, request, (size_t)n + VALUE + 2, "+OK\r\n", 5))
        return false;
    m = snprintf(reply, sizeof reply, "$%d\r\n", VALUE);
    memcpy(reply + m, value, VALUE);
    memcpy(reply + m + VALUE, "\r\n", 2);
    n = snprintf(request, sizeof request, "GET val%03u\r\n", number);
    return ask(sock, request, (size_t)n, reply, (size_t)m + VALUE + 2);
}

static void *
run_client(void *arg)
{
    unsigned number = *(unsigned *)arg, seed = number;
    char request[64], reply[64];
    bool ok = true;
    int sock;

    netlab_enter(network->client);
    sock = dial(number % 2);
    for (long round = 1; ok && !stop; round++) {
        int n = snprintf(request, sizeof request, "INCR n%u\r\n", number);
        int m = snprintf(reply, sizeof reply, ":%ld\r\n", round);

        ok = ask(sock, request, (size_t)n, reply, (size_t)m) &&
             (round % 5 != 0 || ask_value(sock, number, round));
        if (ok)
            clients[number].rounds = round;
        nap(rand_r(&seed) % 3000);
    }
    if (!ok) {
        printf("client %u failed after %ld rounds: %s\n", number,
            clients[number].rounds, strerror(errno));
        failed = true;
    }
    close(sock);
    return NULL;
}

static bool
all_go_on(long more)
{
    long before[CLIENTS];

    for (unsigned i = 0; i < CLIENTS; i++)
        before[i] = clients[i].rounds;
    for (unsigned i = 0; i < CLIENTS; i++)
        for (unsigned k = 0; clients[i].rounds < before[i] + more; k++) {
            if (failed || k == 1000) {
                printf("client %u stands still at %ld\n", i, before[i]);
                return false;
            }
            nap(10000);
        }
    return !failed;
}

static bool
redis_begin(const struct netlab *lab, const char *log)
{
    static const char fill[] = "DEBUG POPULATE 90000 key 900\r\n";
    int sock = -1, here;

    (void)log;
    network = lab;
    here = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    netlab_enter(lab->client);
    for (unsigned i = 0; i < 500 && sock < 0; i++) {
        sock = dial(false);
        nap(10000);
    }
    netlab_enter(here);
    close(here);
    if (sock < 0 || !ask(sock, fill, sizeof fill - 1, "+OK\r\n", 5))
        return false;
    control = sock;
    for (unsigned i = 0; i < CLIENTS; i++) {
        clients[i].number = i;
        if (pthread_create(&clients[i].thread, NULL, run_client, &clients[i].number))
            return false;
    }
    return all_go_on(3);
}

/* It saves in a child, which is lost with the host.  The answer is not waited for: its
 * tracer, which is this thread, must not stand still. */
static bool
redis_disturb(void)
{
    static const char request[] = "BGSAVE\r\n";

    saving = true;
    return send(control, request, sizeof request - 1, MSG_NOSIGNAL) ==
           (ssize_t)sizeof request - 1;
}

static bool
saving_failed(void)
{
    static const char request[] = "INFO persistence\r\n";
    char text[8192];
    size_t got = 0;

    for (unsigned i = 0; i < 300; i++, nap(10000)) {
        if (send(control, request, sizeof request - 1, MSG_NOSIGNAL) < 0)
            return false;
        got = 0;
        do {
            ssize_t n = recv(control, text + got, sizeof text - got - 1, 0);

            if (n <= 0)
                return false;
            got += (size_t)n;
            text[got] = '\0';
        } while (!strstr(text, "aof_last_cow_size"));
        if (strstr(text, "rdb_bgsave_in_progress:0"))
            return strstr(text, "rdb_last_bgsave_status:err") != NULL;
    }
    return false;
}

static bool
redis_goes_on(const struct netlab *lab, const char *log)
{
    (void)lab;
    (void)log;
    if (saving && !saving_failed()) {
        printf("redis does not know that its child is lost\n");
        return false;
    }
    saving = false;
    return all_go_on(3);
}

static void
redis_end(void)
{
    stop = true;
    for (unsigned i = 0; i < CLIENTS; i++)
        pthread_join(clients[i].thread, NULL);
    close(control);
}

const struct service *
service_redis(void)
{
    static char *const command[] = { (char *)"redis-server", (char *)"--port",
        (char *)"6379", (char *)"--bind", (char *)"*", (char *)"-::*", (char *)"--save",
        (char *)"", (char *)"--appendonly", (char *)"no", (char *)"--protected-mode",
        (char *)"no", (char *)"--enable-debug-command", (char *)"yes", NULL };
    static const struct service s = { .name = "redis",
        .command = command,
        .has_clients = true,
        .begin = redis_begin,
        .goes_on = redis_goes_on,
        .disturb = redis_disturb,
        .end = redis_end };

    return access("/usr/bin/redis-server", X_OK) == 0 ? &s : NULL;
}
