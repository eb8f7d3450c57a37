/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * beats.c - the lease between engines: sealed datagrams and the fence's deadline. */
#include "sockmig/engine.h"

#include "lib/fd.h"
#include "lib/log.h"
#include "sockmig/address.h"
#include "sockmig/core/wire.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define DATAGRAM (WIRE_BEAT_HEAD + WIRE_BEAT_BODY + SEAL_TAG)
#define DATAGRAMS_A_TURN 64

uint64_t
beats_boottime_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_BOOTTIME, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

void
beats_refresh(struct engine *e)
{
    struct mono now = mono_clock();
    bool held = lease_held(&e->lease, now);
    int64_t left_us = mono_us_between(now, e->lease.until);

    if (e->open && held) {
        gate_lease(e->gate, beats_boottime_ns() + (uint64_t)left_us * 1000);
        e->lease_refreshed++;
    }
    if (e->open && held)
        capture_leased(e);
    if (!e->open || held == e->lease_reported)
        return;
    e->lease_reported = held;
    if (held)
        engine_announce(e); /* what was said through a shut fence was lost */
    else
        e->lease_lost++;
    log_info("service %s: lease %s", e->service->name,
        held ? "held" : "lost: too few nodes answer, gates shut");
    struct jv *ev = jv_object();
    jv_set_str(ev, "event", "lease");
    jv_set_str(ev, "service", e->service->name);
    jv_set_int(ev, "epoch", (int64_t)e->role.own);
    jv_set_bool(ev, "held", held);
    engine_changed(e);
    engine_say(e, ev);
}

static void
send_beat(struct engine *e, struct peer *p, const struct wire_beat *beat)
{
    struct wire_beat_head head = { e->self->id, p->node->id, e->beat_session,
        ++e->beat_counter };
    uint8_t out[DATAGRAM], body[WIRE_BEAT_BODY];
    struct writer w = writer_init(out, WIRE_BEAT_HEAD);
    struct writer b = writer_init(body, sizeof body);
    struct sockaddr_storage to;
    socklen_t to_size;

    wire_put_beat_head(&w, &head);
    wire_put_beat(&b, beat);
    seal(&p->beat_key, head.counter, out, WIRE_BEAT_HEAD, body, sizeof body,
        out + WIRE_BEAT_HEAD);
    if (!address_of_engine(e->conf, e->service, p->node, &to, &to_size))
        return;
    if (sendto(e->udp, out, sizeof out, MSG_DONTWAIT, (struct sockaddr *)&to, to_size) <
        0)
        log_debug("beat to %s: %s", p->node->name, strerror(errno));
}

static bool
reigns(const struct engine *e)
{
    return e->role.state == ROLE_RUNNING || e->role.state == ROLE_STARTING ||
           e->role.state == ROLE_WAKING || e->role.state == ROLE_RESUMING ||
           e->role.state == ROLE_FREEZING;
}

void
beats_now(struct engine *e)
{
    struct wire_beat beat = { .kind = WIRE_BEAT, .epoch = e->role.own };

    if (!reigns(e))
        return;
    e->lease.bound = conf_device_decides(e->conf) && e->commit.set != 0;
    beat.number = lease_beat(&e->lease, mono_clock());
    for (unsigned i = 0; i < CONF_MAX_NODES; i++)
        if (e->peers[i].node)
            send_beat(e, &e->peers[i], &beat);
    beats_refresh(e);
}

void
beats_say_shut(struct engine *e, unsigned node)
{
    struct wire_beat shut = { .kind = WIRE_BEAT_SHUT, .epoch = e->role.own };

    if (node >= 1 && node <= CONF_MAX_NODES && e->peers[node - 1].node)
        send_beat(e, &e->peers[node - 1], &shut);
}

static void
beat_due(struct loop_timer *timer, void *arg)
{
    struct engine *e = arg;

    beats_now(e);
    loop_timer_in_ms(timer, e->conf->heartbeat_ms);
}

static void
take_beat(struct engine *e, struct peer *p, const struct wire_beat *beat, uint64_t from)
{
    struct wire_beat ack = { .kind = WIRE_BEAT_ACK,
        .epoch = beat->epoch,
        .number = beat->number,
        .echo = from };

    if (beat->kind == WIRE_BEAT_ACK) {
        if (beat->echo == e->beat_session && beat->epoch == e->role.own && reigns(e)) {
            lease_acked(&e->lease, p->bit, beat->number);
            beats_refresh(e);
        }
        return;
    }
    if (beat->kind == WIRE_BEAT_SHUT) {
        if (e->role.state == ROLE_FOLLOWING && beat->epoch == e->role.own &&
            p->node->id == e->active && e->clone_ready)
            engine_hold(e);
        return;
    }
    if (beat->epoch < e->acks_from) /* promise P1: sworn to a newer epoch */
        return;
    e->last_ack = mono_clock();
    send_beat(e, p, &ack);
}

/* The one place where datagrams from outside are looked at. */
static void
take_datagram(struct engine *e, uint8_t *data, size_t size)
{
    struct reader r = reader_init(data, size), body;
    struct wire_beat_head head;
    struct wire_beat beat;
    struct seal_key key;
    struct peer *p;

    if (size != DATAGRAM || !wire_get_beat_head(&r, &head) || head.to != e->self->id ||
        head.from < 1 || head.from > CONF_MAX_NODES || !e->peers[head.from - 1].node) {
        e->malformed++;
        return;
    }
    p = &e->peers[head.from - 1];
    if (head.session == p->session && head.counter <= p->counter) {
        atomic_fetch_add(&e->forged, 1); /* replayed, or overtaken by a newer one */
        return;
    }
    seal_derive(&e->secret, "beat", head.from, e->self->id, e->service->name,
        head.session, 0, &key);
    if (!seal_open(&key, head.counter, data, WIRE_BEAT_HEAD, data + WIRE_BEAT_HEAD,
            size - WIRE_BEAT_HEAD, data + WIRE_BEAT_HEAD)) {
        atomic_fetch_add(&e->forged, 1);
        return;
    }
    p->session = head.session;
    p->counter = head.counter;
    body = reader_init(data + WIRE_BEAT_HEAD, WIRE_BEAT_BODY);
    if (wire_get_beat(&body, &beat))
        take_beat(e, p, &beat, head.session);
    else
        e->malformed++;
}

static void
on_datagrams(struct loop_io *io, int fd, int events, void *arg)
{
    uint8_t data[DATAGRAM + 1];

    (void)io;
    (void)events;
    for (int i = 0; i < DATAGRAMS_A_TURN; i++) {
        ssize_t n = recv(fd, data, sizeof data, MSG_DONTWAIT);

        if (n < 0)
            break;
        take_datagram(arg, data, (size_t)n);
    }
}

int
beats_open(struct engine *e)
{
    struct sockaddr_storage sa;
    socklen_t size;
    int one = 1;

    if (!address_of_engine(e->conf, e->service, e->self, &sa, &size))
        return -EINVAL;
    e->udp = socket(sa.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (e->udp < 0)
        return -errno;
    setsockopt(e->udp, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(e->udp, (struct sockaddr *)&sa, size) < 0)
        return -errno;
    seal_random(&e->beat_session, sizeof e->beat_session);
    for (unsigned i = 0; i < CONF_MAX_NODES; i++)
        if (e->peers[i].node)
            seal_derive(&e->secret, "beat", e->self->id, e->peers[i].node->id,
                e->service->name, e->beat_session, 0, &e->peers[i].beat_key);
    e->udp_io = loop_io_new(e->loop, e->udp, LOOP_READ, on_datagrams, e);
    e->beat_timer = loop_timer_new(e->loop, beat_due, e);
    loop_timer_in_ms(e->beat_timer, e->conf->heartbeat_ms);
    return 0;
}
