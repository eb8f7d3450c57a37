/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/replayer.h"

#include "lib/fault.h"
#include "lib/fd.h"
#include "lib/log.h"
#include "sockmig/answers.h"
#include "sockmig/boost.h"
#include "sockmig/ckpt/tcp.h"
#include "sockmig/engine.h"
#include "sockmig/feed.h"
#include "sockmig/gatens.h"
#include "sockmig/outgoing.h"
#include "sockmig/prefault.h"
#include "sockmig/reqsk.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DIVERGENCES 16 /* told one by one */
#define GRACE_MS 60000 /* half-open connections are waited for so long */
#define TURN_US 2000   /* then the loop gets its turn: beats, the lease */
#define UNDROPPED 64   /* packets swallowed before the kernel may forget them */

static const struct replay_sizes sizes = {
    .flows = 65536, .outputs = 65536, .bytes = 16u << 20
};

struct divergence { /* a connection that was reset */
    struct flow_key flow;
    uint32_t seq;
    const char *reason; /* static text */
};

struct replayer {
    void *memory; /* owned: of .machine */
    struct replay *machine;
    struct feed *feed;         /* owned */
    struct reqsk *reqsk;       /* borrowed; NULL: this kernel can not */
    struct outgoing *outgoing; /* owned: to clients, when the outside opens */
    struct answers *answers;   /* owned: those that may have to be sent again */
    struct reqsk_key half;     /* half open: what is sent next is its answer */
    bool answering;
    struct loop_timer *timer; /* owned */
    bool running, watching;
    struct boost boost;     /* while .running */
    uint32_t last_out;      /* id of the newest packet swallowed */
    unsigned undropped;     /* of those: the kernel still has them */
    struct mono began, end; /* of the last replay; .end.us 0: none yet */
    struct mono grace;      /* the map is cleared then; .us 0: it is empty */
    uint64_t unmade;
    char reason[128]; /* why it was given up; "": it was not */
    uint64_t epoch;   /* of the reign that it began */
    struct divergence divergences[DIVERGENCES];
    unsigned ndivergences;
};

static void
swallow(const struct nfq_packet *pkt, void *arg)
{
    struct engine *e = arg;
    struct replayer *r = e->replayer;
    struct mono now = mono_clock();

    capture_swallowed(e, pkt, now);
    r->last_out = pkt->id;
    r->undropped++;
    replay_output(r->machine, now, pkt->data, pkt->size);
}

/* A verdict for each would cost as much as the packet itself.  None may be left when
 * the replay ends: what is let go from then on is all up to an id. */
static void
drop_swallowed(struct engine *e)
{
    struct replayer *r = e->replayer;

    if (r->undropped > 0)
        nfq_drop_upto(e->capture.out_queue, r->last_out);
    r->undropped = 0;
}

struct flow_ends {
    char local[64], remote[64];
};

static struct flow_ends
flow_ends(const struct flow_key *flow)
{
    int family = flow->version == 4 ? AF_INET : AF_INET6;
    struct flow_ends ends = { "?", "?" };

    inet_ntop(family, flow->local, ends.local, sizeof ends.local);
    inet_ntop(family, flow->remote, ends.remote, sizeof ends.remote);
    return ends;
}

static void
flow_text(const struct flow_key *flow, char *text, size_t size)
{
    struct flow_ends ends = flow_ends(flow);

    snprintf(text, size, "%s port %u to %s port %u", ends.remote, flow->remote_port,
        ends.local, flow->local_port);
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
    return key;
}

/* A connection that cannot go on byte-exact is reset, and said so (promise P4). */
static void
say_diverged(struct engine *e, const struct replay_effect *effect)
{
    struct replayer *r = e->replayer;
    char flow[192];

    if (r->ndivergences < DIVERGENCES)
        r->divergences[r->ndivergences++] = (struct divergence){ effect->flow,
            effect->seq, effect->reason };
    flow_text(&effect->flow, flow, sizeof flow);
    engine_journal(e, "error", "diverged",
        "connection from %s is reset: %s, first at sequence number %u; if this "
        "happens often, choose policy commit",
        flow, effect->reason, effect->seq);
}

/* There is no connection to reset. */
static void
say_datagrams(struct engine *e, uint64_t n)
{
    if (n > 0)
        engine_journal(e, "warn", "diverged",
            "%llu datagram%s of the service came out otherwise than before, or not at "
            "all; if this happens often, choose policy commit",
            (unsigned long long)n, n == 1 ? "" : "s");
}

static void
end(struct engine *e)
{
    struct replayer *r = e->replayer;
    struct replay_stat s = replay_stat(r->machine);

    drop_swallowed(e);
    say_datagrams(e, s.datagrams);
    boost_end(&r->boost);
    r->running = false;
    r->watching = replay_watching(r->machine) > 0;
    r->end = mono_clock();
    loop_timer_stop(r->timer);
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
    char flow[192];
    int back;

    flow_text(&effect->flow, flow, sizeof flow);
    snprintf(r->reason, sizeof r->reason, "%s", effect->reason);
    engine_journal(e, "error", "replay-stalled",
        "the replay is given up (%s; connection from %s waits for sequence number "
        "%u): the service goes on as under policy warm, all its old connections are "
        "reset",
        effect->reason, flow, effect->seq);
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
        say_diverged(e, effect);
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
    bool moved = nfq_read(e->capture.out_queue, swallow, e) > 0;
    struct replay_effect effect;

    if (r->undropped >= UNDROPPED)
        drop_swallowed(e);
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
        loop_timer_at(
            r->timer, moved ? now : mono_add_us(now, replay_wait_us(r->machine, now)));
}

/* send_some - the rest when the loop has looked after everything else: 20,000 packets
 * in one go, for 4,096 connections, were a quarter of a second without a beat, and the
 * lease was lost. */
static void
send_some(struct replayer *r)
{
    if (outgoing_send(r->outgoing) && !r->running)
        loop_timer_at(r->timer, mono_clock());
}

static void
on_timer(struct loop_timer *timer, void *arg)
{
    struct engine *e = arg;

    (void)timer;
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

    if (r->grace.us == 0 || !r->reqsk || !packet_is_tcp(pkt))
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
replayer_passes(struct engine *e, const struct nfq_packet *pkt)
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
    if (r->reqsk)
        reqsk_clear(r->reqsk);
}

void
replayer_stop(struct engine *e)
{
    struct replayer *r = e->replayer;

    drop_swallowed(e);
    boost_end(&r->boost);
    r->running = r->watching = false;
    r->grace.us = r->end.us = 0;
    loop_timer_stop(r->timer);
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

static struct jv *
divergences_array(const struct replayer *r)
{
    struct jv *list = jv_array();

    for (unsigned i = 0; i < r->ndivergences; i++) {
        const struct divergence *d = &r->divergences[i];
        struct flow_ends ends = flow_ends(&d->flow);
        struct jv *one = jv_object();

        jv_set_str(one, "local", ends.local);
        jv_set_int(one, "local_port", d->flow.local_port);
        jv_set_str(one, "remote", ends.remote);
        jv_set_int(one, "remote_port", d->flow.remote_port);
        jv_set_int(one, "sequence", d->seq);
        jv_set_str(one, "reason", d->reason);
        jv_set_str(one, "policy", conf_policy_name(CONF_COMMIT));
        jv_push(list, one);
    }
    return list;
}

struct jv *
replayer_status(const struct engine *e)
{
    const struct replayer *r = e->replayer;
    struct replay_stat s = { 0 };
    struct jv *o;

    if (r->end.us == 0)
        return NULL;
    s = replay_stat(r->machine);
    o = jv_object();
    jv_set_int(o, "epoch", (int64_t)r->epoch);
    jv_set_int(o, "duration_us", mono_us_between(r->began, r->end));
    jv_set_int(o, "injected", (int64_t)s.injected);
    jv_set_int(o, "synthetic", (int64_t)s.synthetic);
    jv_set_int(o, "rebuilt", (int64_t)s.rebuilt);
    jv_set_int(o, "half_open", (int64_t)s.half_open);
    jv_set_int(o, "swallowed", (int64_t)s.swallowed);
    jv_set_int(o, "compared", (int64_t)s.compared);
    jv_set_int(o, "diverged", (int64_t)s.diverged);
    jv_set_int(o, "stalled", (int64_t)s.stalled);
    jv_set_int(o, "datagrams", (int64_t)s.datagrams);
    jv_set_int(o, "unmade", (int64_t)r->unmade);
    jv_set_str(o, "reason", r->reason[0] ? r->reason : NULL);
    jv_set(o, "divergences", divergences_array(r));
    return o;
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
    r->timer = loop_timer_new(e->loop, on_timer, e);
    ret = outgoing_new(gate_cell_netns(e->gate), gate_raw(e->gate), &r->outgoing);
    if (ret < 0) {
        log_error("service %s: raw sockets: %s", e->service->name, strerror(-ret));
        return ret;
    }
    r->reqsk = gate_reqsk(e->gate);
    return 0;
}
