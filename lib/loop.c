/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/loop.h"

#include "lib/log.h"

#include <ev.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

struct loop {
    struct ev_loop *ev;
};

struct loop_io {
    ev_io w;
    struct loop *loop; /* borrowed */
    void (*cb)(struct loop_io *, int, int, void *);
    void *arg;
};

struct loop_timer {
    ev_timer w;
    struct loop *loop;
    void (*cb)(struct loop_timer *, void *);
    void *arg;
};

struct loop_signal {
    ev_signal w;
    struct loop *loop;
    void (*cb)(int, void *);
    void *arg;
};

struct loop_child {
    ev_child w;
    struct loop *loop;
    void (*cb)(struct loop_child *, int, int, void *);
    void *arg;
};

static void *
must_alloc(size_t size)
{
    void *p = calloc(1, size);

    if (!p)
        log_fatal("event loop: out of memory");
    return p;
}

static bool have_default; /* libev delivers child events to its default loop only */

struct loop *
loop_new(void)
{
    struct loop *loop = must_alloc(sizeof *loop);

    if (!have_default)
        loop->ev = ev_default_loop(EVFLAG_NOENV);
    else
        loop->ev = ev_loop_new(EVFLAG_NOENV);
    have_default = true;
    if (!loop->ev)
        log_fatal("event loop: epoll is not available");
    return loop;
}

void
loop_free(struct loop *loop)
{
    if (!loop)
        return;
    if (ev_is_default_loop(loop->ev))
        have_default = false;
    ev_loop_destroy(loop->ev);
    free(loop);
}

void
loop_run(struct loop *loop)
{
    ev_run(loop->ev, 0);
}

void
loop_stop(struct loop *loop)
{
    ev_break(loop->ev, EVBREAK_ALL);
}

uint32_t
mono_lap_us(struct mono *from)
{
    struct mono now = mono_clock();
    int64_t us = mono_us_between(*from, now);

    *from = now;
    return us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

struct mono
mono_clock(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (struct mono){ ts.tv_sec * 1000000 + ts.tv_nsec / 1000 };
}

struct mono
loop_now(struct loop *loop)
{
    (void)loop;
    return mono_clock(); /* 20 ns by the vdso: cheaper than keeping a copy true */
}

static void
io_cb(struct ev_loop *ev, ev_io *w, int revents)
{
    struct loop_io *io = (struct loop_io *)w;

    (void)ev;
    io->cb(io, w->fd,
        (revents & EV_READ ? LOOP_READ : 0) | (revents & EV_WRITE ? LOOP_WRITE : 0),
        io->arg);
}

static int
ev_events(int events)
{
    return (events & LOOP_READ ? EV_READ : 0) | (events & LOOP_WRITE ? EV_WRITE : 0);
}

struct loop_io *
loop_io_new(struct loop *loop, int fd, int events,
    void (*cb)(struct loop_io *, int, int, void *), void *arg)
{
    struct loop_io *io = must_alloc(sizeof *io);

    io->loop = loop;
    io->cb = cb;
    io->arg = arg;
    ev_io_init(&io->w, io_cb, fd, ev_events(events));
    if (events)
        ev_io_start(loop->ev, &io->w);
    return io;
}

void
loop_io_events(struct loop_io *io, int events)
{
    int fd = io->w.fd;

    if (ev_is_active(&io->w) ? (io->w.events & 3) == ev_events(events) : events == 0)
        return;
    ev_io_stop(io->loop->ev, &io->w);
    ev_io_set(&io->w, fd, ev_events(events));
    if (events)
        ev_io_start(io->loop->ev, &io->w);
}

void
loop_io_free(struct loop_io *io)
{
    if (!io)
        return;
    ev_io_stop(io->loop->ev, &io->w);
    free(io);
}

static void
timer_cb(struct ev_loop *ev, ev_timer *w, int revents)
{
    struct loop_timer *timer = (struct loop_timer *)w;

    (void)ev;
    (void)revents;
    timer->cb(timer, timer->arg);
}

struct loop_timer *
loop_timer_new(struct loop *loop, void (*cb)(struct loop_timer *, void *), void *arg)
{
    struct loop_timer *timer = must_alloc(sizeof *timer);

    timer->loop = loop;
    timer->cb = cb;
    timer->arg = arg;
    ev_timer_init(&timer->w, timer_cb, 0., 0.);
    return timer;
}

void
loop_timer_at(struct loop_timer *timer, struct mono at)
{
    double in = (double)mono_us_between(mono_clock(), at) / 1e6;

    ev_timer_stop(timer->loop->ev, &timer->w);
    ev_now_update(timer->loop->ev);
    ev_timer_set(&timer->w, in > 0 ? in : 0, 0.);
    ev_timer_start(timer->loop->ev, &timer->w);
}

void
loop_timer_in_ms(struct loop_timer *timer, int64_t ms)
{
    loop_timer_at(timer, mono_add_ms(mono_clock(), ms));
}

void
loop_timer_stop(struct loop_timer *timer)
{
    ev_timer_stop(timer->loop->ev, &timer->w);
}

void
loop_timer_free(struct loop_timer *timer)
{
    if (!timer)
        return;
    ev_timer_stop(timer->loop->ev, &timer->w);
    free(timer);
}

static void
signal_cb(struct ev_loop *ev, ev_signal *w, int revents)
{
    struct loop_signal *sig = (struct loop_signal *)w;

    (void)ev;
    (void)revents;
    sig->cb(w->signum, sig->arg);
}

struct loop_signal *
loop_signal_new(struct loop *loop, int signo, void (*cb)(int, void *), void *arg)
{
    struct loop_signal *sig = must_alloc(sizeof *sig);

    sig->loop = loop;
    sig->cb = cb;
    sig->arg = arg;
    ev_signal_init(&sig->w, signal_cb, signo);
    ev_signal_start(loop->ev, &sig->w);
    return sig;
}

void
loop_signal_free(struct loop_signal *sig)
{
    if (!sig)
        return;
    ev_signal_stop(sig->loop->ev, &sig->w);
    free(sig);
}

static void
child_cb(struct ev_loop *ev, ev_child *w, int revents)
{
    struct loop_child *child = (struct loop_child *)w;

    (void)revents;
    ev_child_stop(ev, w);
    child->cb(child, w->rpid, w->rstatus, child->arg);
}

struct loop_child *
loop_child_new(struct loop *loop, int pid,
    void (*cb)(struct loop_child *, int, int, void *), void *arg)
{
    struct loop_child *child = must_alloc(sizeof *child);

    child->loop = loop;
    child->cb = cb;
    child->arg = arg;
    ev_child_init(&child->w, child_cb, pid, 0);
    ev_child_start(loop->ev, &child->w);
    return child;
}

void
loop_child_free(struct loop_child *child)
{
    if (!child)
        return;
    ev_child_stop(child->loop->ev, &child->w);
    free(child);
}
