/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * wake.c - a takeover, step by step. */
#include "sockmig/ckpt/clone_parts.h"

#include "lib/fault.h"
#include "lib/fd.h"
#include "sockmig/ckpt/schedule.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MANY 500 /* connections */

/* While the stub works, the engine makes sockets. */
static int
begin(struct wake *w, const char **what)
{
    struct batch *b = &w->c->batch;

    *what = "stub";
    if (b->ncalls == 0 || b->full)
        return 0;
    w->runs = true;
    return batch_start(b, w->c->pid, 0, b->ncalls);
}

static int
meet(struct wake *w, const char **what)
{
    struct batch *b = &w->c->batch;
    int ret = w->runs ? batch_wait(b, w->c->pid) : 0;

    *what = "stub";
    w->runs = false;
    if (ret < 0)
        return ret;
    ret = batch_finish(b);
    *what = b->failed;
    return ret;
}

/* Thousands of descriptors are fetched while their connections are released; a few wait
 * for what the stub does next. */
static int
begin_fetching(struct wake *w, const char **what)
{
    return w->im->ntcps < MANY ? 0 : begin(w, what);
}

static int
meet_fetched(struct wake *w, const char **what)
{
    return w->runs ? meet(w, what) : 0;
}

static const struct {
    const char *name;
    int (*run)(struct wake *w, const char **what);
    size_t timing; /* where its time is added, in struct clone_timing */
} steps[] = {
    { "protections", wake_protections, offsetof(struct clone_timing, protect) },
    { "shared memory", wake_segments, offsetof(struct clone_timing, protect) },
    { "ipc", wake_ipc, offsetof(struct clone_timing, process) },
    { "ipc values", wake_ipc_settle, offsetof(struct clone_timing, process) },
    /* opens the executable: before there are descriptors */
    { "process", wake_process, offsetof(struct clone_timing, process) },
    { "stub", begin, offsetof(struct clone_timing, process) },
    /* nothing for the address may find a socket missing */
    { "listeners", wake_listeners, offsetof(struct clone_timing, listeners) },
    { "connections", wake_sockets, offsetof(struct clone_timing, sockets) },
    { "memory and process", meet, offsetof(struct clone_timing, protect) },
    /* the stub makes them: while it has no descriptors, but has its folder */
    { "unix", wake_unix, offsetof(struct clone_timing, fds) },
    { "descriptors", wake_descriptors, offsetof(struct clone_timing, fds) },
    { "fetching", begin_fetching, offsetof(struct clone_timing, fds) },
    { "release of connections", wake_release, offsetof(struct clone_timing, sockets) },
    { "fetched", meet_fetched, offsetof(struct clone_timing, fds) },
    { "flights", wake_flights, offsetof(struct clone_timing, fds) },
    { "limits", wake_limits, offsetof(struct clone_timing, process) },
    { "root folder", wake_root, offsetof(struct clone_timing, process) },
    { "filters", wake_filters, offsetof(struct clone_timing, threads) },
    { "threads", wake_threads, offsetof(struct clone_timing, threads) },
    { "registers", wake_registers, offsetof(struct clone_timing, registers) },
    { "release", wake_detach, offsetof(struct clone_timing, registers) },
};

static uint64_t
now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

static void
close_from_to(int from, int to)
{
    if (from < to)
        close_range((unsigned)from, (unsigned)to, 0);
    else
        fd_close(from);
}

/* A duplicate kept here would keep a connection open that the service closes.  Most are
 * neighbours: of thousands each call saved counts. */
static void
close_ours(struct clone *c, uint32_t n, bool in_flight_too, const struct image *im)
{
    int from = -1, to = -1;

    for (uint32_t i = 0; i < n; i++) {
        const struct image_tcp *t = image_tcp_find(im, im->fds[i].fd);
        int fd = c->opened[i];

        if (fd < 0 || (!in_flight_too && im->fds[i].kind == IMAGE_FD_TCP && t &&
                          t->outq > t->unsent))
            continue;
        c->opened[i] = -1;
        if (fd != to + 1 || from < 0) {
            close_from_to(from, to);
            from = fd;
        }
        to = fd;
    }
    close_from_to(from, to);
}

void
clone_schedule(struct clone *c)
{
    for (unsigned i = 0; i < c->nthreads; i++)
        if (schedule_like_caller(c->threads[i].tid) < 0)
            return; /* slower, and right */
}

int
clone_wake(struct clone *c, const struct clone_wake_request *request, pid_t *pid,
    unsigned *lost, struct clone_timing *timing, struct refusals *why)
{
    const struct image *im = request->im;
    struct wake w = { .c = c,
        .im = im,
        .age_ms = request->age_ms,
        .tun = request->tun,
        .raw = request->raw,
        .alone = request->alone,
        .why = why };
    uint64_t start = now_us(), at = start, now;
    const char *what = "";
    int ret = 0;

    memset(timing, 0, sizeof *timing);
    for (unsigned i = 0; i < sizeof steps / sizeof steps[0] && ret == 0; i++) {
        FAULT_POINT("takeover-%s", steps[i].name);
        if (steps[i].run == wake_detach)
            close_ours(c, im->nfds, false, im);
        ret = steps[i].run(&w, &what);
        now = now_us();
        *(uint32_t *)((char *)timing + steps[i].timing) += (uint32_t)(now - at);
        at = now;
        if (ret < 0)
            refuse(why, im->process.pid, -1, "start the service afresh on this node",
                "takeover failed at %s (%s): %s", steps[i].name, what ? what : "",
                strerror(-ret));
    }
    timing->total = (uint32_t)(at - start);
    *lost = w.lost;
    if (ret < 0)
        return ret;
    FAULT_POINT("takeover-resend");
    wake_resend(&w);
    close_ours(c, im->nfds, true, im);
    *pid = c->pid;
    return 0;
}
