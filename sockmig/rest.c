/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Source: timerfd_create(2), ppoll(2). */
#include "sockmig/rest.h"

#include "lib/log.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

struct rest {
    int fd;             /* owned */
    struct loop_io *io; /* owned */
    void (*done)(void *arg);
    void *arg;
};

static void
over(struct loop_io *io, int fd, int events, void *arg)
{
    struct rest *r = arg;
    uint64_t times;

    (void)io;
    (void)events;
    if (read(fd, &times, sizeof times) == sizeof times)
        r->done(r->arg);
}

struct rest *
rest_new(struct loop *loop, void (*done)(void *arg), void *arg)
{
    struct rest *r = calloc(1, sizeof *r);

    if (!r)
        log_fatal("engine: out of memory");
    r->fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (r->fd < 0)
        log_fatal("engine: timerfd: %s", strerror(errno));
    r->io = loop_io_new(loop, r->fd, LOOP_READ, over, r);
    r->done = done;
    r->arg = arg;
    return r;
}

void
rest_begin(struct rest *r, unsigned us)
{
    struct itimerspec at = { .it_value = { .tv_nsec = (long)us * 1000 } };

    timerfd_settime(r->fd, 0, &at, NULL);
}

void
rest_end(struct rest *r)
{
    rest_begin(r, 0);
}

unsigned
rest_here(const int *fds, unsigned n, int64_t us)
{
    struct pollfd polled[REST_FDS];
    struct timespec most = { .tv_nsec = (long)us * 1000 };
    unsigned ready = 0;

    for (unsigned i = 0; i < n; i++)
        polled[i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
    if (ppoll(polled, n, &most, NULL) <= 0)
        return 0;
    for (unsigned i = 0; i < n; i++)
        ready |= (unsigned)(polled[i].revents != 0) << i;
    return ready;
}
