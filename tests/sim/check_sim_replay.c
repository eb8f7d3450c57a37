/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check_sim_replay.c - a service is protected, its host crashes at any moment, a
 * standby replays; the clients must not notice.
 *
 * Every seed is one life: connections with losses, repetitions and disorder on their
 * way, checkpoints, a log that is always a bit behind, a crash, a takeover by other
 * segment boundaries and another timing, often the same again with who took over, and
 * on until all clients have their answers.
 * Run with arguments for one seed: check_sim_replay MODE SEED [COUNT]. */
#include "tests/sim/rsim_life.h"
#include "tests/suite.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *flows_memory, *births_memory, *keep_memory, *replay_memory;
static uint8_t scratch[PLOG_PAYLOAD];
static const struct births_conf births_conf = { FLOWS, 8, 1 << 8, 1 << 12 };
static const struct keep_conf keep_conf = { FLOWS, 8, 1 << 16 };
#define REIGNS 4 /* at most, of one life */
static const struct replay_sizes sizes = { FLOWS, 512, 1 << 16 };

static bool
has_wrong_answer(const uint8_t *data, size_t size)
{
    struct packet pkt;

    return packet_parse(&pkt, PACKET_OUT, data, size) && packet_is_tcp(&pkt) &&
           memcmp(&pkt.key, &life->clone.wrong_key, sizeof pkt.key) == 0 &&
           life->clone.wrong_seq - pkt.tcp.seq < pkt.payload_size;
}

/* Had the answer that was made wrong on purpose left? */
static bool
wrong_had_left(void)
{
    uint64_t last = life->out.ordinal - life->out.count, at = life->applied.mark.out;

    at = last - at < PACKETS ? at : last - PACKETS;
    while (++at <= last) {
        const struct captured *c = &life->out_packets[at % PACKETS];

        if (has_wrong_answer(c->data, c->size))
            return true;
    }
    return false;
}

/* In the place of what had left before, a client is sent something else. */
static void
leaves(const uint8_t *data, size_t size)
{
    life->leaked = life->leaked || (has_wrong_answer(data, size) && wrong_had_left());
    rsim_fly(false, data, size);
}

static void
from_clone(void *arg, const uint8_t *data, size_t size)
{
    (void)arg;
    life->wrong_out = life->wrong_out || has_wrong_answer(data, size);
    must(life->nswallowed < SWALLOWED);
    life->swallowed[life->nswallowed].size = (uint32_t)size;
    memcpy(life->swallowed[life->nswallowed++].data, data, size);
}

static void
into_map(const struct replay_request *q)
{
    for (int i = 0; i < RSIM_CONNS; i++)
        if (!life->server->requests[i].used) {
            life->server->requests[i].used = true;
            life->server->requests[i].request = *q;
            return;
        }
}

static void
check_request(const struct replay_request *q)
{
    const struct cconn *k = &life->clients.conns[q->key.remote_port - 40000];

    if (q->client_isn != k->iss || q->mss != 1400 || q->snd_wscale != 5 ||
        q->rcv_wscale != RSIM_WSCALE || !q->timestamps || q->rcv_tsecr < 1000 + 200 ||
        /* of one that is over an old SYN may have come again */
        (k->irs && k->state < C_DONE && q->server_isn != k->irs))
        life->broken = "a connection is not rebuilt as it was";
}

/* Its server closes it, and resets it if more has come: whatever is different then. */
static bool
hung_up(const struct flow_key *key)
{
    const struct cconn *k = &life->clients.conns[host_client(key)];

    return k->asked > k->hang;
}

/* An old SYN that comes once more after a standby has joined looks like a new one to
 * it: there is nobody whom the end of that could harm. */
static bool
is_over(const struct flow_key *key)
{
    return life->joined > 0 && life->clients.conns[host_client(key)].state == C_DONE;
}

bool
rsim_carry_out(const struct replay_effect *e)
{
    switch (e->what) {
    case REPLAY_INJECT:
        if (!packet_sound(e->packet, e->size))
            life->broken = "injected with a wrong checksum";
        host_input(life->server, e->packet, e->size, life->emit, NULL);
        return true;
    case REPLAY_REBUILD:
    case REPLAY_HALF_OPEN:
        check_request(&e->request);
        into_map(&e->request);
        life->rebuilt += e->what == REPLAY_REBUILD;
        life->half_open += e->what == REPLAY_HALF_OPEN;
        return true;
    case REPLAY_SEND:
        leaves(e->packet, e->size);
        return true;
    case REPLAY_DIVERGED:
        births_end(life->births, &e->flow);
        life->diverged++;
        if (life->mode != MODE_WRONG && !hung_up(&e->flow) && !is_over(&e->flow))
            life->broken = e->reason;
        return true;
    case REPLAY_STALLED:
        life->broken = "stalled";
        return false;
    case REPLAY_DONE:
        life->opened = life->tick;
        return false;
    }
    return false;
}

static void
swap(struct captured *a, struct captured *b)
{
    struct captured was = *a;

    *a = *b;
    *b = was;
}

static void
swallow_one(const struct captured *c)
{
    struct packet pkt;

    must(packet_parse(&pkt, PACKET_OUT, c->data, c->size));
    births_output(life->births, &pkt, (uint64_t)rsim_now().us, 1);
    replay_output(life->replay, rsim_now(), c->data, c->size);
}

static void
swallow(void)
{
    uint32_t n = life->nswallowed > 0 ? 1 + rsim_below(life->nswallowed) : 0;

    if (n > 1 && rsim_chance(5)) /* two processors put it out */
        swap(&life->swallowed[n - 2], &life->swallowed[n - 1]);
    for (uint32_t i = 0; i < n; i++)
        swallow_one(&life->swallowed[i]);
    life->nswallowed -= n;
    memmove(life->swallowed, life->swallowed + n,
        life->nswallowed * sizeof life->swallowed[0]);
}

static uint16_t
window_of(const struct sconn *c)
{
    uint32_t window = (c->peer_edge - c->snd_una) >> RSIM_CLIENT_WSCALE;

    return (uint16_t)(window > 65535 ? 65535 : window);
}

/* What the log has of connections that may be in no image (capture_succeed()). */
static void
succeed(void)
{
    struct births_succession s = {
        .as = 1, .keep = life->keep, .made_again = life->mode != MODE_FEED
    };

    life->births = births_init(births_memory, &births_conf);
    births_log(life->births, &s, keep_records(life->keep), scratch);
    births_log(life->births, &s, &life->ring, scratch);
}

static void
begin_replay(void)
{
    struct replay_conf conf = { .mode = life->mode == MODE_FEED ? REPLAY_FEED
                                                                : REPLAY_COMPARE,
        .kept = keep_records(life->keep),
        .log = &life->ring,
        .mark = life->applied.mark,
        .seed = 42,
        .silent_us = 1000,
        .outage_us = 1000000,
        .stall_us = 1000000,
        .lost_max = 0 };
    const char *why;

    rsim_trim();
    succeed();
    host_restore(&life->clone, &life->applied.image);
    life->server = &life->clone;
    life->emit = from_clone;
    life->clone.refused = 0;
    life->clone.wrong = life->mode == MODE_WRONG;
    life->replay = replay_init(replay_memory, &sizes);
    for (int i = 0; i < RSIM_SLOTS; i++) {
        const struct sconn *c = &life->clone.conns[i];
        struct replay_connection rc = { .key = c->key,
            .snd_una = c->snd_una,
            .snd_nxt = c->snd_nxt,
            .rcv_nxt = c->rcv_nxt,
            .fin_in = c->fin_rcvd,
            .fin_out = c->fin_queued && c->snd_nxt == c->write_seq,
            .window = window_of(c),
            .segment = (uint16_t)((host_segment(c) + (1u << RSIM_CLIENT_WSCALE) - 1) >>
                                  RSIM_CLIENT_WSCALE),
            .window_most = (uint16_t)(c->peer_most >> RSIM_CLIENT_WSCALE),
            .snd_wscale = RSIM_CLIENT_WSCALE,
            .has_edge = true,
            .edge = c->edge,
            .rcv_wscale = RSIM_WSCALE };

        if (host_has(c))
            must(replay_connection(life->replay, &rc));
    }
    must(replay_start(life->replay, &conf, rsim_now(), &why));
}

static void
replay_life(void)
{
    struct replay_effect e;
    bool going = true;

    begin_replay();
    while (going && !life->broken) {
        life->tick++;
        if (rsim_chance(70))
            swallow();
        while (going && !rsim_chance(5) && replay_next(life->replay, rsim_now(), &e))
            going = rsim_carry_out(&e);
        if (rsim_chance(60))
            host_app(&life->clone, from_clone, NULL);
        host_tick(&life->clone, from_clone, NULL);
    }
}

static void
open_again(void)
{
    uint32_t n = life->nswallowed;

    for (uint32_t i = 0; i < n; i++) {
        struct captured *c = &life->swallowed[i];

        if (!life->watching ||
            replay_output(life->replay, rsim_now(), c->data, c->size))
            leaves(c->data, c->size);
    }
    life->nswallowed -= n;
    rsim_watch();
}

static void
later_life(void)
{
    uint32_t limit = life->tick + 60000;

    life->watching = replay_watching(life->replay) > 0;
    while (!life->broken && !life->clients.broken &&
           !clients_finished(&life->clients) && life->tick < limit) {
        life->tick++;
        for (uint32_t i = 0; i < life->nflying;) {
            struct flying *f = &life->flying[i];
            struct flying p;

            if (f->due > life->tick) {
                i++;
                continue;
            }
            p = *f;
            *f = life->flying[--life->nflying];
            if (p.to_server) {
                struct packet pkt;

                packet_complete(p.p.data, p.p.size);
                if (!packet_parse(&pkt, PACKET_IN, p.p.data, p.p.size) ||
                    !life->watching || replay_input(life->replay, &pkt))
                    host_input(&life->clone, p.p.data, p.p.size, from_clone, NULL);
            } else
                clients_input(
                    &life->clients, p.p.data, p.p.size, rsim_from_client, NULL);
        }
        if (life->tick == life->opened + RSIM_GRACE) /* the grace time is over */
            memset(life->clone.requests, 0, sizeof life->clone.requests);
        host_app(&life->clone, from_clone, NULL);
        host_tick(&life->clone, from_clone, NULL);
        open_again();
        clients_tick(&life->clients, life->tick, rsim_from_client, NULL);
    }
    while (host_app(&life->clone, from_clone, NULL))
        life->nswallowed = 0;
    if (!clients_finished(&life->clients) && !life->broken && !life->clients.broken &&
        life->mode != MODE_WRONG)
        life->broken = "a client waits for ever";
}

/* What the service was given, also by clients that have gone since. */
static void
judge_requests(void)
{
    for (uint32_t i = 0; i < RSIM_CONNS; i++)
        for (uint32_t id = 0; id < life->got[i]; id++)
            if (life->clone.done[i][id] != (id <= life->clients.conns[i].hang))
                life->broken = life->clone.done[i][id]
                                   ? "a request was carried out twice"
                                   : "a request was lost";
}

/* By a reset, from either side, in the middle of what is compared as a whole. */
static bool
was_cut_off(const struct flow_key *key)
{
    return hung_up(key) || life->clients.conns[host_client(key)].state == C_ABORTED;
}

static void
judge(void)
{
    for (int i = 0; i < RSIM_CONNS; i++)
        life->reset += life->clients.conns[i].state == C_RESET;
    if (life->mode == MODE_WRONG) {
        /* what is still watched was not put out again before this life's end */
        if (life->diverged == 0 && life->wrong_out && wrong_had_left() &&
            !was_cut_off(&life->clone.wrong_key) && replay_watching(life->replay) == 0)
            life->broken = "a wrong answer went unnoticed";
        if (life->leaked && replay_stat(life->replay).insisted == 0)
            life->broken = "a part of a wrong answer left";
        return;
    }
    if (!life->broken)
        life->broken = life->clients.broken;
    if (!life->broken && life->reset > 0)
        life->broken = "a connection was reset";
    if (!life->broken && life->mode == MODE_COMPARE)
        judge_requests();
    if (!life->broken && life->clone.refused > 0)
        life->broken = "an acknowledgement was injected too early";
}

void
rsim_new_standby(void)
{
    life->pending = life->have_image = false;
    plog_ring_init(&life->ring, life->ring_data, LOG_BYTES, life->log_end);
    plog_ring_init(&life->given, life->given_data, sizeof life->given_data, 0);
    life->keep = keep_init(keep_memory, &keep_conf);
}

/* Who took over is protected, too, and will crash. */
static bool
goes_on(void)
{
    if (life->mode == MODE_WRONG || rsim_chance(40))
        return false;
    life->again++;
    rsim_reign();
    return true;
}

static void
one_life(int mode, uint64_t seed)
{
    memset(life, 0, offsetof(struct rsim_life, flying));
    memset(&life->in, 0, sizeof life->in);
    rsim_seed(seed);
    life->mode = mode;
    life->pace = rsim_chance(20) ? 4 : 40;
    life->log_end = life->number = life->nswallowed = life->joined = life->again = 0;
    life->opened = 0;
    life->wrong_out = life->watching = life->overran = life->leaked = false;
    memset(life->got, 0, sizeof life->got);
    life->broken = NULL;
    clients_init(&life->clients);
    life->clients.lenient = mode == MODE_WRONG;
    life->flows = flows_init(flows_memory, FLOWS, 42, PART);
    life->births = births_init(births_memory, &births_conf);
    life->server = &life->active;
    held_init(&life->in, life->in_slots, PACKETS);
    held_init(&life->out, life->out_slots, PACKETS);
    rsim_new_standby();
    for (int i = 0; i < REIGNS && !life->broken && (i == 0 || goes_on()); i++) {
        rsim_protected_life(life->tick + 50 + rsim_below(1500));
        if (!life->broken)
            replay_life();
    }
    if (!life->broken)
        later_life();
    judge();
}

/* What the first active service had told of its window after its last image, its clone
 * need not know, and drops what is beyond.  The log says that it was delivered, so the
 * next clone is given it when there is room, maybe sooner than this one had it: then
 * the order between connections is another one. */
static void
excuse(void)
{
    if (life->overran && life->diverged + replay_stat(life->replay).stalled > 0)
        life->broken = NULL;
    else
        life->overran = false;
}

static void
lives(int mode, uint64_t first, uint64_t count)
{
    uint64_t compared = 0, synthetic = 0, excused = 0, rebuilt = 0, half = 0,
             diverged = 0, injected = 0, joined = 0, again = 0, overran = 0;

    for (uint64_t seed = first; seed < first + count; seed++) {
        struct replay_stat st;

        one_life(mode, seed);
        st = replay_stat(life->replay);
        excuse();
        if (life->broken)
            fprintf(stderr,
                "mode %d seed %llu tick %u: %s (diverged %u, stalled %llu)\n", mode,
                (unsigned long long)seed, life->tick, life->broken, life->diverged,
                (unsigned long long)st.stalled);
        must(!life->broken);
        compared += st.compared;
        synthetic += st.synthetic;
        excused += st.excused;
        injected += st.injected;
        rebuilt += life->rebuilt;
        half += life->half_open;
        diverged += life->diverged;
        joined += life->joined;
        again += life->again;
        overran += life->overran;
    }
    printf("mode %d: %llu lives, injected %llu, compared %llu bytes, synthetic %llu, "
           "rebuilt %llu, half open %llu, excused %llu, diverged %llu, joined %llu, "
           "again %llu, overran %llu\n",
        mode, (unsigned long long)count, (unsigned long long)injected,
        (unsigned long long)compared, (unsigned long long)synthetic,
        (unsigned long long)rebuilt, (unsigned long long)half,
        (unsigned long long)excused, (unsigned long long)diverged,
        (unsigned long long)joined, (unsigned long long)again,
        (unsigned long long)overran);
    if (count < 500)
        return; /* else all that was simulated must have happened */
    must(overran <= count / 1000);
    must(injected > count && rebuilt > 0 && half > 0 && synthetic > 0 && joined > 0);
    must(mode == MODE_WRONG ? diverged > count / 20 : again > count / 3);
}

START_TEST(nothing_is_noticed)
{
    lives(MODE_COMPARE, 1, 10000);
}
END_TEST

START_TEST(fed_in_again_under_commit)
{
    lives(MODE_FEED, 1, 5000);
}
END_TEST

START_TEST(a_wrong_answer_ends_its_connection_only)
{
    lives(MODE_WRONG, 1, 5000);
}
END_TEST

static void
get_memory(void)
{
    life = calloc(1, sizeof *life);
    flows_memory = malloc(flows_size(FLOWS));
    births_memory = malloc(births_size(&births_conf));
    keep_memory = malloc(keep_size(&keep_conf));
    replay_memory = malloc(replay_size(&sizes));
    if (!life || !flows_memory || !births_memory || !keep_memory || !replay_memory)
        abort();
}

int
main(int argc, char **argv)
{
    TCase *tc = tcase_create("lives");

    get_memory();
    tcase_add_test(tc, nothing_is_noticed);
    tcase_add_test(tc, fed_in_again_under_commit);
    tcase_add_test(tc, a_wrong_answer_ends_its_connection_only);
    tcase_set_timeout(tc, 240);
    if (argc > 2)
        lives(atoi(argv[1]), strtoull(argv[2], NULL, 10),
            argc > 3 ? strtoull(argv[3], NULL, 10) : 1);
    else
        return suite_run("replay simulation", tc, NULL);
}
