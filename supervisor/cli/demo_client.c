/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * demo_client.c - a client that believes nothing: redis on many connections, each reply
 * compared with what the connection's own history allows.
 *
 *     bascule-demo-client ADDRESS PORT CONNECTIONS [THINK_MS]
 *
 * It never connects again: a connection that ends is broken.  Orders come as lines on
 * standard input, reports go as JSON lines to standard output:
 *
 *     mark NAME   an event begins now: gaps are measured from here on
 *     report      what was seen since the mark
 *     stop        no more requests; final check of every value; a last report; exit
 *
 * INCR must return exactly the next number (a lost or doubled write shows), GET exactly
 * the value that was acknowledged last, in sizes from 1 byte to 60 kB.  Think times are
 * random: clients in step with the checkpoints would not see a watermark that is wrong
 * by one.  Exit: 0 if nothing was broken, lost or wrong. */
#include "lib/jv.h"
#include "lib/loop.h"
#include "supervisor/cli/demo_connect.h"
#include "supervisor/cli/demo_history.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define MAX_CONNECTIONS 1000
#define BUFFER (HISTORY_MAX_VALUE + 4096)
#define LAST_MS 15000 /* for what is under way at the end */

struct conn {
    int fd; /* owned; -1: broken */
    struct history history;
    char *in, *out; /* owned; BUFFER bytes each */
    size_t have, out_size, out_sent;
    bool waiting;           /* a request is under way */
    struct mono next;       /* then the next one */
    struct mono since;      /* last answer, or the mark, or the first request */
    int64_t longest_gap_us; /* since the mark */
    struct mono asked;
};

struct client {
    struct conn *conns; /* owned */
    unsigned n;
    int epoll;
    int64_t think_us;
    bool stopping;
    uint64_t requests, seed;
    char mark[64], order[128];
    size_t norder;          /* of .order, which is not whole yet */
    unsigned broken_before; /* at the mark */
    uint64_t wrong_before;
    int64_t latency_us[4096]; /* of the last requests */
    size_t latencies;
};

static uint64_t
draw(struct client *c)
{
    c->seed ^= c->seed << 13;
    c->seed ^= c->seed >> 7;
    c->seed ^= c->seed << 17;
    return c->seed;
}

static void
note_gap(struct conn *conn, struct mono now)
{
    int64_t gap = mono_us_between(conn->since, now);

    if (gap > conn->longest_gap_us)
        conn->longest_gap_us = gap;
    conn->since = now;
}

static void
break_conn(struct client *c, struct conn *conn, const char *why)
{
    fprintf(stderr, "connection %d: broken: %s\n", (int)(conn - c->conns), why);
    close(conn->fd);
    conn->fd = -1;
    conn->history.broken = true;
}

/* ---- one request after another ---- */

static void
want_write(struct client *c, struct conn *conn, bool write)
{
    struct epoll_event ev = { .events = EPOLLIN | (write ? EPOLLOUT : 0),
        .data.u32 = (uint32_t)(conn - c->conns) };

    epoll_ctl(c->epoll, EPOLL_CTL_MOD, conn->fd, &ev);
}

static void
flush_out(struct client *c, struct conn *conn)
{
    ssize_t n = send(conn->fd, conn->out + conn->out_sent,
        conn->out_size - conn->out_sent, MSG_NOSIGNAL);

    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        break_conn(c, conn, strerror(errno));
        return;
    }
    if (n > 0)
        conn->out_sent += (size_t)n;
    want_write(c, conn, conn->out_sent < conn->out_size);
}

static void
ask(struct client *c, struct conn *conn, struct mono now)
{
    conn->out_size = history_next(&conn->history, draw(c), conn->out, BUFFER);
    conn->out_sent = 0;
    conn->waiting = true;
    conn->asked = now;
    conn->since = now; /* thinking is no gap */
    c->requests++;
    flush_out(c, conn);
}

static void
answered(struct client *c, struct conn *conn, struct mono now)
{
    int64_t think = c->think_us / 2 +
                    (c->think_us ? (int64_t)(draw(c) % (uint64_t)c->think_us) : 0);

    note_gap(conn, now);
    c->latency_us[c->latencies++ % 4096] = mono_us_between(conn->asked, now);
    conn->waiting = false;
    conn->next = mono_add_us(now, think);
}

static void
on_readable(struct client *c, struct conn *conn)
{
    ssize_t n = recv(conn->fd, conn->in + conn->have, BUFFER - conn->have, 0);
    size_t used;

    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        break_conn(c, conn, n ? strerror(errno) : "closed by the server");
        return;
    }
    if (n > 0)
        conn->have += (size_t)n;
    while (conn->have && (used = history_reply(&conn->history, conn->in, conn->have))) {
        memmove(conn->in, conn->in + used, conn->have - used);
        conn->have -= used;
        answered(c, conn, mono_clock());
    }
    if (conn->have == BUFFER)
        break_conn(c, conn, "an answer without an end");
}

/* ---- connecting ---- */

static bool
connect_all(struct client *c, const char *address, const char *port)
{
    uint64_t run = (uint64_t)mono_clock().us;
    struct sockaddr_storage to;
    socklen_t size;

    if (!demo_address(address, port, &to, &size)) {
        fprintf(stderr,
            "%s port %s: the address must be one like 10.77.1.100 or fd77:1::100, the "
            "port a number\n",
            address, port);
        return false;
    }
    for (unsigned i = 0; i < c->n; i++) {
        struct conn *conn = &c->conns[i];
        struct epoll_event ev = { .events = EPOLLIN, .data.u32 = i };

        conn->in = malloc(BUFFER);
        conn->out = malloc(BUFFER);
        conn->fd = demo_connect(&to, size);
        if (conn->fd < 0 || !conn->in || !conn->out) {
            fprintf(stderr, "connection %u to %s port %s: %s\n", i, address, port,
                strerror(-conn->fd));
            return false;
        }
        history_init(&conn->history, i, run);
        epoll_ctl(c->epoll, EPOLL_CTL_ADD, conn->fd, &ev);
        conn->since = conn->next = mono_clock();
    }
    return true;
}

static void
release(struct client *c)
{
    for (unsigned i = 0; c->conns && i < c->n; i++) {
        free(c->conns[i].in);
        free(c->conns[i].out);
    }
    free(c->conns);
}

/* ---- reports ---- */

static uint64_t
wrong(const struct client *c)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < c->n; i++)
        n += c->conns[i].history.wrong_bytes;
    return n;
}

static unsigned
broken(const struct client *c)
{
    unsigned n = 0;

    for (unsigned i = 0; i < c->n; i++)
        n += c->conns[i].fd < 0;
    return n;
}

static int
compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

static double
median_latency_ms(const struct client *c)
{
    size_t n = c->latencies < 4096 ? c->latencies : 4096;
    int64_t sorted[4096];

    memcpy(sorted, c->latency_us, sizeof sorted);
    qsort(sorted, n, sizeof sorted[0], compare);
    return n ? (double)sorted[n / 2] / 1000 : 0;
}

/* longest_gap - what @conn saw since the mark, an answer that it still waits for
 * included. */
static int64_t
longest_gap(struct conn *conn, struct mono now)
{
    int64_t open_gap = conn->waiting ? mono_us_between(conn->since, now) : 0;

    if (open_gap > conn->longest_gap_us)
        conn->longest_gap_us = open_gap;
    return conn->longest_gap_us;
}

/* report_gaps - the blackout is the longest silence that any connection saw while it
 * waited; half of them saw no longer one than the median. */
static void
report_gaps(struct client *c, struct jv *j)
{
    struct mono now = mono_clock();
    int64_t gaps[MAX_CONNECTIONS];
    unsigned n = 0, silent = 0;

    for (unsigned i = 0; i < c->n; i++) {
        struct conn *conn = &c->conns[i];

        if (conn->fd < 0)
            continue;
        silent += conn->waiting && mono_us_between(conn->since, now) > 1000000;
        gaps[n++] = longest_gap(conn, now);
    }
    qsort(gaps, n, sizeof gaps[0], compare);
    jv_set_double(j, "blackout_ms", n ? (double)gaps[n - 1] / 1000 : 0);
    jv_set_double(j, "median_blackout_ms", n ? (double)gaps[n / 2] / 1000 : 0);
    jv_set_int(j, "silent", silent);
}

static void
report(struct client *c, bool final, uint64_t lost)
{
    struct jv *j = jv_object();
    char *text;

    jv_set_str(j, "event", c->mark);
    report_gaps(c, j);
    jv_set_int(j, "connections_kept", c->n - broken(c));
    jv_set_int(j, "connections_broken", broken(c) - c->broken_before);
    jv_set_int(j, "wrong_bytes", (int64_t)(wrong(c) - c->wrong_before));
    jv_set_int(j, "requests", (int64_t)c->requests);
    jv_set_double(j, "median_latency_ms", median_latency_ms(c));
    jv_set_bool(j, "final", final);
    if (final)
        jv_set_int(j, "lost_writes", (int64_t)lost);
    text = jv_text(j, false);
    puts(text);
    fflush(stdout);
    free(text);
    jv_free(j);
}

static void
mark(struct client *c, const char *name)
{
    struct mono now = mono_clock();

    snprintf(c->mark, sizeof c->mark, "%s", name);
    c->broken_before = broken(c);
    c->wrong_before = wrong(c);
    for (unsigned i = 0; i < c->n; i++) {
        c->conns[i].longest_gap_us = 0;
        c->conns[i].since = now;
    }
}

static void
carry_out(struct client *c, const char *order)
{
    if (!strncmp(order, "mark ", 5))
        mark(c, order + 5);
    else if (!strcmp(order, "report"))
        report(c, false, 0);
    else if (!strcmp(order, "stop"))
        c->stopping = true;
    else
        fprintf(stderr, "unknown order \"%s\": mark NAME, report, stop\n", order);
}

/* A line may come in parts.  False: standard input has ended. */
static bool
on_order(struct client *c)
{
    ssize_t n = read(STDIN_FILENO, c->order + c->norder, sizeof c->order - c->norder);
    char *end;

    if (n <= 0)
        return false;
    c->norder += (size_t)n;
    while ((end = memchr(c->order, '\n', c->norder))) {
        *end++ = '\0';
        carry_out(c, c->order);
        c->norder -= (size_t)(end - c->order);
        memmove(c->order, end, c->norder);
    }
    if (c->norder == sizeof c->order) /* longer than any order */
        c->norder = 0;
    return true;
}

/* ---- the loop ---- */

static unsigned
under_way(const struct client *c)
{
    unsigned n = 0;

    for (unsigned i = 0; i < c->n; i++)
        n += c->conns[i].fd >= 0 && c->conns[i].waiting;
    return n;
}

static void
turn(struct client *c)
{
    struct epoll_event events[256];
    int n = epoll_wait(c->epoll, events, 256, 1);
    struct mono now;

    for (int i = 0; i < n; i++) {
        struct conn *conn;

        if (events[i].data.u32 == UINT32_MAX) {
            if (!on_order(c)) {
                c->stopping = true;
                epoll_ctl(c->epoll, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
            }
            continue;
        }
        conn = &c->conns[events[i].data.u32];
        if (conn->fd >= 0 && (events[i].events & EPOLLOUT))
            flush_out(c, conn);
        if (conn->fd >= 0 && (events[i].events & ~(uint32_t)EPOLLOUT))
            on_readable(c, conn);
    }
    now = mono_clock();
    for (unsigned i = 0; i < c->n && !c->stopping; i++) {
        struct conn *conn = &c->conns[i];

        if (conn->fd >= 0 && !conn->waiting && !mono_before(now, conn->next))
            ask(c, conn, now);
    }
}

static void
drain(struct client *c)
{
    struct mono end = mono_add_ms(mono_clock(), LAST_MS);

    while (under_way(c) && mono_before(mono_clock(), end))
        turn(c);
    for (unsigned i = 0; i < c->n; i++)
        if (c->conns[i].fd >= 0 && c->conns[i].waiting)
            break_conn(c, &c->conns[i], "no answer any more");
}

/* Every value that was acknowledged is read back, over the old connections. */
static uint64_t
final_check(struct client *c)
{
    struct mono end = mono_add_ms(mono_clock(), LAST_MS);
    uint64_t lost = 0;

    drain(c);
    for (unsigned i = 0; i < c->n; i++)
        history_final_begin(&c->conns[i].history);
    for (bool more = true; more && mono_before(mono_clock(), end);) {
        more = false;
        for (unsigned i = 0; i < c->n; i++) {
            struct conn *conn = &c->conns[i];

            if (conn->fd < 0 || (!conn->waiting && history_final_done(&conn->history)))
                continue;
            more = true;
            if (!conn->waiting)
                ask(c, conn, mono_clock());
        }
        turn(c);
    }
    drain(c);
    for (unsigned i = 0; i < c->n; i++)
        lost += c->conns[i].history.lost;
    return lost;
}

int
main(int argc, char **argv)
{
    struct client c = { .seed = 88172645463325252u, .think_us = 5000 };
    struct epoll_event orders = { .events = EPOLLIN, .data.u32 = UINT32_MAX };
    int code = 3;
    uint64_t lost;

    if (argc < 4 || atoi(argv[3]) < 1 || atoi(argv[3]) > MAX_CONNECTIONS) {
        fprintf(stderr, "usage: bascule-demo-client ADDRESS PORT 1..%d [THINK_MS]\n",
            MAX_CONNECTIONS);
        return 2;
    }
    c.n = (unsigned)atoi(argv[3]);
    if (argc > 4)
        c.think_us = (int64_t)(atof(argv[4]) * 1000);
    c.seed ^= (uint64_t)mono_clock().us << 20;
    c.conns = calloc(c.n, sizeof *c.conns);
    c.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!c.conns || c.epoll < 0 || !connect_all(&c, argv[1], argv[2]))
        goto out;
    epoll_ctl(c.epoll, EPOLL_CTL_ADD, STDIN_FILENO, &orders);
    mark(&c, "start");
    report(&c, false, 0); /* connected */
    while (!c.stopping)
        turn(&c);
    lost = final_check(&c);
    mark(&c, "end");
    c.wrong_before = 0;
    c.broken_before = 0;
    report(&c, true, lost);
    code = broken(&c) || wrong(&c) || lost;
out:
    release(&c);
    return code;
}
