/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * peers.c - the active node's streams to its standbys, on the main thread: connecting,
 * greeting, and the acknowledgements.  The bulk is the shipper's. */
#include "sockmig/engine.h"

#include "lib/fault.h"
#include "lib/fd.h"
#include "lib/log.h"
#include "sockmig/address.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BEHIND_MS 500 /* a checkpoint not acknowledged for so long */

const char *
peer_state_name(enum peer_state state)
{
    static const char *const names[] = { "down", "connecting", "connecting", "seeding",
        "ready", "behind" };

    _Static_assert(sizeof names / sizeof names[0] == PEER_NSTATES, "a name for each");
    return names[state];
}

static void
peer_is(struct peer *p, enum peer_state state)
{
    const enum peer_state was = p->state;
    struct engine *e = p->engine;
    struct jv *ev;

    if (was == state)
        return;
    log_debug("service %s: standby %s: %s -> %s", e->service->name, p->node->name,
        peer_state_name(p->state), peer_state_name(state));
    p->state = state;
    engine_changed(e);
    if (strcmp(peer_state_name(was), peer_state_name(state)) == 0 ||
        state == PEER_CONNECTING || (was < PEER_SEEDING && state == PEER_DOWN))
        return;
    ev = jv_object();
    jv_set_str(ev, "event", "standby");
    jv_set_str(ev, "service", e->service->name);
    jv_set_int(ev, "epoch", (int64_t)e->role.own);
    jv_set_str(ev, "node", p->node->name);
    jv_set_str(ev, "state", peer_state_name(state));
    engine_say(e, ev);
}

static void
peer_forget_have(struct peer *p)
{
    free(p->have);
    p->have = NULL;
    p->have_size = p->have_max = 0;
}

/* The stream to @p is over; the shipper is told if it had one. */
static void
peer_drop(struct peer *p, enum peer_state state)
{
    struct engine *e = p->engine;

    if (p->state >= PEER_SEEDING && p->fd >= 0) {
        shutdown(p->fd, SHUT_RDWR); /* the shipper's copy of it ends too */
        queue_put(tracer_queue(e->tracer),
            (struct note){ .what = TRACE_LEAVE, .node = p->bit });
    }
    capture_leave(e, p->bit);
    peer_forget_have(p);
    loop_io_free(p->io);
    p->io = NULL;
    fd_close(p->fd);
    p->fd = -1;
    p->in_size = 0;
    peer_is(p, state);
}

static bool
send_hello(struct peer *p)
{
    struct engine *e = p->engine;
    struct wire_hello hello = { .epoch = e->role.own,
        .session = e->group_session,
        .next = shipper_next_frame(e->shipper) };
    uint8_t body[64], frame[STREAM_HELLO];
    struct writer w = writer_init(body, sizeof body);
    size_t n;

    if (!capture_join(e, p->bit, stream_join_session(&p->pair), &hello.log))
        return false;
    wire_put_hello(&w, &hello);
    n = stream_seal_small(&p->pair, true, 1, body, w.pos, frame);
    return send(p->fd, frame, n, MSG_NOSIGNAL) == (ssize_t)n;
}

/* From now on the socket blocks for the shipper and not for us: the flag belongs to
 * the open file, so we read with MSG_DONTWAIT. */
static void
peer_greeted(struct peer *p)
{
    int copy = -1;
    uint8_t *births;
    size_t size;

    memcpy(p->pair.challenge, p->in, WIRE_CHALLENGE);
    p->in_size = 0;
    if (send_hello(p) && fcntl(p->fd, F_SETFL, 0) == 0)
        copy = fcntl(p->fd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0) {
        peer_drop(p, PEER_DOWN);
        return;
    }
    p->ack_least = 1;
    p->whole = p->applied = 0;
    p->caught_up = false;
    p->seeded = p->engine->capture.wanted == CONF_COLD;
    commit_forget(&p->engine->commit, p->bit);
    peer_is(p, PEER_SEEDING);
    if (p->seeded) { /* no clone is kept: only that it is there */
        fd_close(copy);
        return;
    }
    births = capture_births(p->engine, &size);
    queue_put(
        tracer_queue(p->engine->tracer), (struct note){ .what = TRACE_JOIN,
                                             .node = p->bit,
                                             .a = copy,
                                             .b = p->pair.challenge[0] & WIRE_CAN_AES,
                                             .c = (int64_t)size,
                                             .p = births });
}

static void
peer_complete(struct peer *p)
{
    if (p->state == PEER_SEEDING && p->seeded && p->caught_up)
        peer_is(p, PEER_READY);
}

void
peers_caught_up(struct engine *e, unsigned node)
{
    struct peer *p = &e->peers[node];

    p->caught_up = true;
    peer_complete(p);
}

/* As one that does not acknowledge checkpoints: the supervisor takes it out. */
void
peers_late(struct engine *e, unsigned node)
{
    struct peer *p = &e->peers[node];

    p->caught_up = false;
    if (p->state == PEER_READY)
        peer_drop(p, PEER_BEHIND);
}

static void
say_behind(struct peer *p, const char *kind, const char *text)
{
    if (strcmp(text, p->sorry) != 0) {
        engine_journal(
            p->engine, "error", kind, "standby %s is behind: %s", p->node->name, text);
        engine_error(p->engine, "standby %s is behind: %s", p->node->name, text);
    }
    snprintf(p->sorry, sizeof p->sorry, "%s", text);
}

#define SEEDED_ANEW_MS 400 /* after the first loss; twice as late after each more */
#define LOSSES_MOST 4

/* One that is being seeded, for which nobody waits.  Seeding costs the service time: if
 * the log is too small for it, not again and again. */
void
peers_lost(struct engine *e, unsigned node)
{
    struct peer *p = &e->peers[node];

    p->caught_up = false;
    if (p->state != PEER_SEEDING && p->state != PEER_READY)
        return;
    p->no_sooner = mono_add_ms(mono_clock(), SEEDED_ANEW_MS << p->losses);
    p->losses += p->losses < LOSSES_MOST;
    say_behind(p, "standby",
        "the packet log does not hold what came in while it was brought up to date; "
        "if this goes on, make packet-log larger");
    peer_drop(p, PEER_BEHIND);
}

/* A part of what it has of the state folders; whole, it is the tracer's. */
static bool
take_have(struct peer *p, struct reader *r)
{
    size_t n;
    bool last;
    const void *part;

    get_u8(r); /* the kind */
    last = get_u8(r) == 1;
    n = reader_left(r);
    part = get_bytes(r, n);
    if (r->bad || n > WIRE_MAX_HAVE - p->have_size)
        return false;
    if (p->have_size + n > p->have_max) {
        size_t max = 2 * (p->have_size + n);
        uint8_t *data = realloc(p->have, max);

        if (!data)
            return false;
        p->have = data;
        p->have_max = max;
    }
    memcpy(p->have + p->have_size, part, n);
    p->have_size += n;
    if (!last)
        return true;
    queue_put(tracer_queue(p->engine->tracer), (struct note){ .what = TRACE_HAVE,
                                                   .node = p->bit,
                                                   .a = (int64_t)p->have_size,
                                                   .p = p->have });
    p->have = NULL;
    peer_forget_have(p);
    return true;
}

/* It can hold no clone, and says why: text of another host. */
static void
take_sorry(struct peer *p, struct reader *r)
{
    char text[200];
    size_t n;

    get_u8(r);
    n = reader_left(r) < sizeof text - 1 ? reader_left(r) : sizeof text - 1;
    get_copy(r, text, n);
    text[n] = '\0';
    for (char *c = text; *c; c++)
        if (*c < ' ' || *c > '~')
            *c = '?';
    say_behind(p, "files", text);
    peer_drop(p, PEER_BEHIND);
}

static void
take_ack(struct peer *p, struct reader *r)
{
    struct engine *e = p->engine;
    struct wire_ack ack;

    if (!wire_get_ack(r, &ack)) {
        e->malformed++;
        peer_drop(p, PEER_DOWN);
        return;
    }
    FAULT_POINT("checkpoint-acked");
    p->whole = ack.whole;
    p->applied = ack.applied;
    commit_acked(&e->commit, p->bit, ack.whole);
    p->seeded |= ack.ready;
    peer_complete(p);
    if (p->state == PEER_READY) {
        p->sorry[0] = '\0';
        p->losses = 0;
    }
}

static void
take_frame(struct peer *p)
{
    struct engine *e = p->engine;
    const uint8_t *body;
    struct reader r;
    uint64_t number;
    size_t size;

    if (!stream_open_small(
            &p->pair, false, p->ack_least, p->in, p->in_size, &number, &body, &size)) {
        atomic_fetch_add(&e->forged, 1);
        peer_drop(p, PEER_DOWN);
        return;
    }
    p->ack_least = number + 1;
    r = reader_init(body, size);
    if (size > 0 && body[0] == WIRE_SORRY) {
        take_sorry(p, &r);
    } else if (size == 0 || body[0] != WIRE_HAVE) {
        take_ack(p, &r);
    } else if (!take_have(p, &r)) {
        e->malformed++;
        peer_drop(p, PEER_DOWN);
    }
}

/* Bytes wanted next in state: the challenge, or a frame: its head tells its size.  0:
 * it is larger than any may be. */
static size_t
wanted(const struct peer *p)
{
    struct reader r = reader_init(p->in, p->in_size);
    size_t sealed;

    if (p->state == PEER_GREETING)
        return WIRE_CHALLENGE;
    if (p->in_size < WIRE_FRAME_HEAD)
        return WIRE_FRAME_HEAD;
    sealed = get_u32(&r);
    return sealed < SEAL_TAG || sealed > sizeof p->in - WIRE_FRAME_HEAD
               ? 0
               : WIRE_FRAME_HEAD + sealed;
}

static void
peer_readable(struct peer *p)
{
    struct engine *e = p->engine;
    struct note n;

    while (queue_get(e->notes, &n)) /* marks of what is acknowledged now */
        orders_note(e, &n);
    while (p->fd >= 0) {
        ssize_t got = recv(
            p->fd, p->in + p->in_size, wanted(p) - p->in_size, MSG_DONTWAIT);

        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            break;
        if (got <= 0) {
            peer_drop(p, PEER_DOWN);
            break;
        }
        p->in_size += (size_t)got;
        if (wanted(p) == 0) {
            e->malformed++;
            peer_drop(p, PEER_DOWN);
        } else if (p->in_size < wanted(p)) {
            continue;
        } else if (p->state == PEER_GREETING) {
            peer_greeted(p);
        } else {
            take_frame(p);
            p->in_size = 0;
        }
    }
    engine_release(e);
}

static void
on_peer(struct loop_io *io, int fd, int events, void *arg)
{
    struct peer *p = arg;
    int error = 0;
    socklen_t size = sizeof error;

    if (p->state == PEER_CONNECTING) {
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
        if (error) {
            peer_drop(p, PEER_DOWN);
            return;
        }
        stream_tune(fd);
        peer_is(p, PEER_GREETING);
        loop_io_events(io, LOOP_READ);
        return;
    }
    if (events & LOOP_READ)
        peer_readable(p);
}

static void
peer_connect(struct peer *p)
{
    struct engine *e = p->engine;
    struct sockaddr_storage sa;
    socklen_t size;

    if (!address_of_engine(e->conf, e->service, p->node, &sa, &size))
        return;
    p->fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (p->fd < 0)
        return;
    if (connect(p->fd, (struct sockaddr *)&sa, size) < 0 && errno != EINPROGRESS) {
        fd_close(p->fd);
        p->fd = -1;
        return;
    }
    p->pair = (struct stream_pair){ &e->secret, e->service->name, e->self->id,
        p->node->id, { 0 } };
    p->io = loop_io_new(e->loop, p->fd, LOOP_WRITE, on_peer, p);
    peer_is(p, PEER_CONNECTING);
}

/* A standby of the set that does not keep up is named once; the supervisor takes it
 * out of the set, and then it is seeded anew. */
static void
look_for_laggards(struct engine *e)
{
    struct mono since;

    if (!commit_waiting_since(&e->commit, &since) ||
        mono_us_between(since, mono_clock()) < BEHIND_MS * 1000)
        return;
    for (unsigned i = 0; i < CONF_MAX_NODES; i++) {
        struct peer *p = &e->peers[i];

        if (p->node && e->commit.set & 1u << i && p->state == PEER_READY &&
            e->commit.acked[i] <= e->commit.stable)
            peer_drop(p, PEER_BEHIND);
    }
}

/* Never to a standby in the set: its clone is what the service would go on from, and a
 * new stream would begin by throwing it away. */
void
peers_tick(struct engine *e)
{
    if (e->role.state == ROLE_RUNNING || e->role.state == ROLE_FREEZING)
        look_for_laggards(e);
    if (e->role.state != ROLE_RUNNING || !e->open ||
        mono_before(mono_clock(), e->no_join_before))
        return;
    for (unsigned i = 0; i < CONF_MAX_NODES; i++) {
        struct peer *p = &e->peers[i];

        if (!p->node || e->commit.set & 1u << i)
            continue;
        if (p->state == PEER_CONNECTING || p->state == PEER_GREETING)
            peer_drop(p, PEER_DOWN); /* a tick long no answer */
        if ((p->state == PEER_DOWN || p->state == PEER_BEHIND) &&
            !mono_before(mono_clock(), p->no_sooner))
            peer_connect(p);
    }
}

void
peers_reign(struct engine *e)
{
    struct seal_key *group = malloc(sizeof *group);

    if (!group)
        log_fatal("engine: out of memory");
    peers_drop_all(e);
    seal_random(&e->group_session, sizeof e->group_session);
    stream_group_key(&e->secret, e->service->name, e->self->id, e->role.own,
        e->group_session, group);
    queue_put(
        shipper_queue(e->shipper), (struct note){ .what = SHIP_RESET, .p = group });
    commit_init(&e->commit);
    tracer_required(e->tracer, false);
    capture_reign(e);
    tracer_stable(e->tracer, 0, 0);
}

void
peers_drop_all(struct engine *e)
{
    for (unsigned i = 0; i < CONF_MAX_NODES; i++)
        if (e->peers[i].node)
            peer_drop(&e->peers[i], PEER_DOWN);
}

uint32_t
peers_mask(const struct engine *e, const struct jv *nodes, bool *ok)
{
    uint32_t mask = 0;

    *ok = nodes != NULL;
    for (size_t i = 0; i < jv_len(nodes); i++) {
        const char *name = jv_at_str(nodes, i);
        const struct conf_node *n = name ? conf_node(e->conf, name) : NULL;

        if (n && n != e->self)
            mask |= 1u << (n->id - 1);
        else
            *ok = false;
    }
    return mask;
}
