/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * peers_follow.c - a standby's side of the stream from the active node: greeting it.
 * The bulk is the receiver's. */
#include "sockmig/engine.h"

#include "lib/fd.h"
#include "lib/log.h"
#include "sockmig/address.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void
greeting_drop(struct engine *e)
{
    loop_io_free(e->greeting.io);
    e->greeting.io = NULL;
    fd_close(e->greeting.fd);
    e->greeting.fd = -1;
    e->greeting.in_size = 0;
}

void
peers_stop_following(struct engine *e)
{
    greeting_drop(e);
    receiver_stop(e->receiver);
    e->receiver = NULL;
    e->generation++;
    mcast_rest(e->capture.mcast);
}

static void
follow_log(struct engine *e, const struct wire_hello *hello, uint64_t session)
{
    e->followed = hello->epoch;
    follower_received(e->follower, hello->log, mono_clock());
    queue_put(tracer_queue(e->tracer),
        (struct note){ .what = TRACE_LOG, .a = (int64_t)hello->log });
    mcast_follow(
        e->capture.mcast, e->active, hello->epoch, hello->session, session, hello->log);
}

static void
receive_from(struct engine *e, const struct wire_hello *hello)
{
    struct receiver_conf conf = { .fd = e->greeting.fd,
        .pair = e->greeting.pair,
        .next = hello->next,
        .pool = tracer_received_pool(e->tracer),
        .files = e->files,
        .to_tracer = tracer_queue(e->tracer),
        .to_main = e->notes,
        .applied = tracer_applied(e->tracer),
        .bytes = &e->received_bytes,
        .forged = &e->forged };

    stream_group_key(&e->secret, e->service->name, e->active, hello->epoch,
        hello->session, &conf.group);
    e->greeting.fd = -1;
    fcntl(conf.fd, F_SETFL, 0);
    stream_tune(conf.fd);
    peers_stop_following(e);
    conf.generation = e->generation;
    e->clone_ready = false;
    follow_log(e, hello, stream_join_session(&conf.pair));
    e->receiver = receiver_new(&conf);
}

/* The node whose hello it is, the one that this node follows first; 0: nobody's, which
 * is counted. */
static unsigned
greeted_by(struct engine *e, struct wire_hello *hello)
{
    struct stream_pair pair = e->greeting.pair;
    uint8_t copy[STREAM_HELLO]; /* what does not open is wiped */
    const uint8_t *body;
    uint64_t number;
    struct reader r;
    size_t size;

    for (unsigned i = 0; i <= CONF_MAX_NODES; i++) {
        pair.active = i ? i : e->active;
        if (pair.active == 0 || !e->peers[pair.active - 1].node)
            continue;
        memcpy(copy, e->greeting.in, sizeof copy);
        if (!stream_open_small(
                &pair, true, 1, copy, sizeof copy, &number, &body, &size))
            continue;
        r = reader_init(body, size);
        if (wire_get_hello(&r, hello))
            return pair.active;
        e->malformed++; /* another version */
        return 0;
    }
    atomic_fetch_add(&e->forged, 1);
    return 0;
}

static void
on_greeting(struct loop_io *io, int fd, int events, void *arg)
{
    struct engine *e = arg;
    struct wire_hello hello;
    unsigned from;
    ssize_t n = recv(fd, e->greeting.in + e->greeting.in_size,
        sizeof e->greeting.in - e->greeting.in_size, MSG_DONTWAIT);

    (void)io;
    (void)events;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0)
        e->greeting.in_size += (size_t)n;
    if (n > 0 && e->greeting.in_size < sizeof e->greeting.in)
        return;
    if (n <= 0) {
        greeting_drop(e);
        return;
    }
    from = greeted_by(e, &hello);
    if (from != e->active || hello.epoch != e->role.own) {
        /* a newer epoch: this node will hear of it and be connected to again */
        e->stale += from != 0 && hello.epoch <= e->role.own;
        greeting_drop(e);
        return;
    }
    loop_io_free(e->greeting.io);
    e->greeting.io = NULL;
    receive_from(e, &hello);
}

static void
on_accept(struct loop_io *io, int fd, int events, void *arg)
{
    struct engine *e = arg;
    int c = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)io;
    (void)events;
    if (c < 0)
        return;
    if (e->role.state != ROLE_FOLLOWING ||
        mono_before(mono_clock(), e->no_follow_before)) {
        fd_close(c);
        return;
    }
    greeting_drop(e);
    e->greeting.fd = c;
    e->greeting.pair = (struct stream_pair){ &e->secret, e->service->name, e->active,
        e->self->id, { 0 } };
    stream_challenge(e->greeting.pair.challenge);
    if (send(c, e->greeting.pair.challenge, WIRE_CHALLENGE, MSG_NOSIGNAL) !=
        WIRE_CHALLENGE) {
        greeting_drop(e);
        return;
    }
    e->greeting.io = loop_io_new(e->loop, c, LOOP_READ, on_greeting, e);
}

int
peers_open(struct engine *e)
{
    struct sockaddr_storage sa;
    socklen_t size;
    int one = 1;

    e->greeting.fd = -1;
    if (!address_of_engine(e->conf, e->service, e->self, &sa, &size))
        return -EINVAL;
    e->listener = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (e->listener < 0)
        return -errno;
    setsockopt(e->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(e->listener, (struct sockaddr *)&sa, size) < 0 ||
        listen(e->listener, 8) < 0)
        return -errno;
    e->listener_io = loop_io_new(e->loop, e->listener, LOOP_READ, on_accept, e);
    return 0;
}
