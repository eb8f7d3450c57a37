/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/replayer_private.h"

#include "lib/fault.h"
#include "lib/fd.h"
#include "lib/log.h"
#include "sockmig/answers.h"
#include "sockmig/ckpt/tcp.h"
#include "sockmig/feed.h"
#include "sockmig/gatens.h"
#include "sockmig/outgoing.h"
#include "sockmig/prefault.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define GRACE_MS 60000 /* half-open connections are waited for so long */
#define TURN_US 2000   /* then the loop gets its turn: beats, the lease */

static const struct replay_sizes sizes = {
    .flows = 65536, .outputs = 65536, .bytes = 16u << 20
};

static void
swallow(const struct captured *pkt, void *arg)
{
    struct engine *e = arg;
    struct replayer *r = e->replayer;
    struct mono now = mono_clock();

    capture_swallowed(e, pkt, now);
    r->last_out = pkt->id;
    replay_output(r->machine, now, pkt->data, pkt->size);
}

static struct reqsk_key
reqsk_key(const struct flow_key *flow)
{
    struct reqsk_key key = { .family = flow->version == 4 ? AF_INET : AF_INET6,
        .local_port = flow->local_port,
        .remote_port = flow->remote_port };

    memcpy(key.local, flow->local, sizeof key.local);
    memcpy(key.remote, flow->remote, sizeof key.remote);
    return key;
}

static struct reqsk_key
make_again(struct replayer *r, const struct replay_request *q)
{
    struct reqsk_key key = reqsk_key(&q->key);
    struct reqsk_attributes a = { .remote_isn = q->client_isn,
        .local_isn = q->server_isn,
        .mss = q->mss,
        .snd_wscale = q->snd_wscale,
        .rcv_wscale = q->rcv_wscale,
        .wscale = q->wscale,
        .sack = q->sack,
        .ecn = q->ecn,
        .timestamps = q->timestamps,
        .remote_ts = q->rcv_tsval,
        .local_ts = q->rcv_tsecr };

    if (!r->reqsk || reqsk_add(r->reqsk, &key, &a) < 0)
        r->unmade++;
    r->expects = r->reqsk != NULL;
    return key;
}

static void
end(struct engine *e)
{
    struct replayer *r = e->replayer;
    struct replay_stat s = replay_stat(r->machine);

    replayer_say_datagrams(e, s.datagrams);
    boost_end(&r->boost);
    r->running = false;
    r->watching = replay_watching(r->machine) > 0;
    r->end = mono_clock();
    rest_end(r->rest);
    log_info("service %s: replay: %llu packets in %lld us, %llu acks made up, %llu "
             "connections made again, %llu half open, %llu swallowed, %llu bytes "
             "compared, %llu diverged%s%s",
        e->service->name, (unsigned long long)s.injected,
        (long long)mono_us_between(r->began, r->end), (unsigned long long)s.synthetic,
        (unsigned long long)s.rebuilt, (unsigned long long)s.half_open,
        (unsigned long long)s.swallowed, (unsigned long long)s.compared,
        (unsigned long long)s.diverged, r->reason[0] ? ", given up: " : "", r->reason);
    orders_replayed(e);
}

/* The policy's fallback is `warm`: the clone goes on, no connection does. */
static void
give_up(struct engine *e, const struct replay_effect *effect)
{
    struct replayer *r = e->replayer;
    int back;

    replayer_say_stalled(e, effect);
    capture_forget_births(e);
    outgoing_clear(r->outgoing);
    if (gatens_enter(gate_cell_netns(e->gate), &back) == 0) {
        tcp_purge();
        gatens_leave(back);
    }
}

static void
carry_out(struct engine *e, const struct replay_effect *effect)
{
    struct replayer *r = e->replayer;

    switch (effect->what) {
    case REPLAY_INJECT:
        feed_put(r->feed, effect->packet, effect->size);
        break;
    case REPLAY_REBUILD:
        make_again(r, &effect->request);
        break;
    case REPLAY_HALF_OPEN:
        r->half = make_again(r, &effect->request);
        r->answering = r->reqsk != NULL;
        r->grace = mono_add_ms(mono_clock(), GRACE_MS);
        break;
    case REPLAY_SEND:
        outgoing_add(r->outgoing, effect->packet, effect->size);
        if (r->answering)
            answers_add(r->answers, &r->half, effect->packet, effect->size);
        r->answering = false;
        break;
    case REPLAY_DIVERGED:
        births_end(e->capture.births, &effect->flow);
        replayer_say_diverged(e, effect);
        break;
    case REPLAY_STALLED:
        give_up(e, effect);
        end(e);
        break;
    case REPLAY_DONE:
        end(e);
        break;
    }
}

/* Whether anything moved. */
static bool
go_on(struct engine *e)
{
    struct replayer *r = e->replayer;
    bool moved = egress_read(e->capture.out_queue, swallow, e) > 0;
    struct replay_effect effect;

    if (moved)
        egress_drop_upto(e->capture.out_queue, r->last_out);
    while (r->running && !feed_waits(r->feed) &&
           replay_next(r->machine, mono_clock(), &effect)) {
        carry_out(e, &effect);
        moved = true;
    }
    return moved;
}

void
replayer_turn(struct engine *e)
{
    struct replayer *r = e->replayer;
    struct mono began = mono_clock(), now = began;
    bool moved;

    do {
        moved = go_on(e);
        now = mono_clock();
    } while (r->running && moved && mono_us_between(began, now) < TURN_US);
    if (r->running)
        rest_begin(r->rest, moved ? 1 : (unsigned)replay_wait_us(r->machine, now) + 1);
}

/* send_some - the rest when the loop has looked after everything else: 20,000 packets
 * in one go, for 4,096 connections, were a quarter of a second without a beat, and the
 * lease was lost. */
static void
send_some(struct replayer *r)
{
    if (outgoing_send(r->outgoing) && !r->running)
        rest_begin(r->rest, 1);
}

static void
on_rested(void *arg)
{
    struct engine *e = arg;

    if (e->replayer->running)
        replayer_turn(e);
    else
        send_some(e->replayer);
}

void
replayer_begin(struct engine *e)
{
    struct replayer *r = e->replayer;

    FAULT_POINT("takeover-replay");
    capture_succeed(e);
    r->running = true;
    r->watching = r->answering = false;
    answers_clear(r->answers);
    feed_begin(r->feed, gate_tun(e->gate), gate_cell_netns(e->gate));
    r->reason[0] = '\0';
    r->ndivergences = 0;
    r->epoch = e->last_wake_epoch;
    r->began = mono_clock();
    replayer_turn(e);
    if (r->running) /* there is something to wait for */
        boost_begin(&r->boost, e->last_wake.pid);
}

bool
replayer_runs(const struct engine *e)
{
    return e->replayer->running;
}

void
replayer_opened(struct engine *e)
{
    send_some(e->replayer);
    answers_sent(e->replayer->answers, mono_clock());
}

bool
replayer_awaits(const struct engine *e, const struct packet *pkt)
{
    const struct replayer *r = e->replayer;
    struct reqsk_key key;

    if (!r->expects || !packet_is_tcp(pkt))
        return false;
    key = reqsk_key(&pkt->key);
    return reqsk_waits(r->reqsk, &key);
}

void
replayer_shut(struct engine *e, bool shut)
{
    if (e->replayer->reqsk)
        reqsk_shut(e->replayer->reqsk, shut);
}

bool
replayer_passes(struct engine *e, const struct captured *pkt)
{
    struct replayer *r = e->replayer;

    return !r->watching ||
           replay_output(r->machine, mono_clock(), pkt->data, pkt->size);
}

bool
replayer_hears(struct engine *e, const struct packet *pkt)
{
    return !e->replayer->watching || replay_input(e->replayer->machine, pkt);
}

void
replayer_watch(struct engine *e)
{
    struct replayer *r = e->replayer;
    struct replay_effect effect;

    if (!r->watching)
        return;
    while (replay_next(r->machine, mono_clock(), &effect))
        if (effect.what != REPLAY_DONE && effect.what != REPLAY_STALLED)
            carry_out(e, &effect);
    send_some(r);
    r->watching = replay_watching(r->machine) > 0;
    if (!r->watching)
        replayer_say_insisted(e);
}

void
replayer_tick(struct engine *e)
{
    struct replayer *r = e->replayer;

    replayer_watch(e);
    if (answers_look(r->answers, mono_clock(), r->reqsk, r->outgoing))
        send_some(r);
    if (r->grace.us == 0 || mono_before(mono_clock(), r->grace))
        return;
    r->grace.us = 0;
    r->expects = false;
    if (r->reqsk)
        reqsk_clear(r->reqsk);
}

void
replayer_stop(struct engine *e)
{
    struct replayer *r = e->replayer;

    boost_end(&r->boost);
    r->running = r->watching = r->expects = false;
    r->grace.us = r->end.us = 0;
    rest_end(r->rest);
    outgoing_clear(r->outgoing);
    answers_clear(r->answers);
    if (r->reqsk)
        reqsk_clear(r->reqsk);
}

struct replay *
replayer_machine(struct replayer *r)
{
    r->machine = replay_init(r->memory, &sizes);
    return r->machine;
}

int
replayer_open(struct engine *e)
{
    struct replayer *r = calloc(1, sizeof *r);
    int ret;

    if (!r)
        return -ENOMEM;
    e->replayer = r;
    r->memory = prefault_map(replay_size(&sizes));
    if (!r->memory)
        return -ENOMEM;
    r->machine = replay_init(r->memory, &sizes);
    r->answers = answers_new();
    r->feed = feed_new();
    if (!r->answers || !r->feed)
        return -ENOMEM;
    r->rest = rest_new(e->loop, on_rested, e);
    ret = outgoing_new(gate_cell_netns(e->gate), gate_raw(e->gate), &r->outgoing);
    if (ret < 0) {
        log_error("service %s: raw sockets: %s", e->service->name, strerror(-ret));
        return ret;
    }
    r->reqsk = gate_reqsk(e->gate);
    return 0;
}
