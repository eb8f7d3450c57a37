/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * check_sim_replay.c - a service is protected, its host crashes at any moment, a
 * standby replays; the clients must not notice.
 *
 * Every seed is one life: connections with losses, repetitions and disorder on their
 * way, checkpoints, a log that is always a bit behind, a crash, a takeover by other
 * segment boundaries and another timing, and on until all clients have their answers.
 * Run with arguments for one seed: check_sim_replay MODE SEED [COUNT]. */
#include "sockmig/core/flows.h"
#include "sockmig/core/held.h"
#include "sockmig/core/keep.h"
#include "tests/sim/rsim.h"

#include <check.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOG_BYTES (1u << 20)
#define PACKETS 4096u
#define SWALLOWED 512u
#define FLOWS 16u

enum { MODE_COMPARE, MODE_FEED, MODE_WRONG };

struct captured {
    uint32_t size;
    uint8_t data[RSIM_PACKET];
};

struct flying {
    uint32_t due;
    bool to_server;
    struct captured p;
};

struct checkpoint {
    struct host image;
    struct plog_mark mark;
    uint32_t id; /* of the newest output packet then */
};

struct sim {
    int mode;
    uint32_t tick, nflying, reset, diverged, rebuilt, half_open;
    struct clients clients;
    struct host active, clone;
    struct flying flying[1024];
    struct flows *flows;
    struct held in, out;
    struct held_packet in_slots[PACKETS], out_slots[PACKETS];
    struct captured in_packets[PACKETS], out_packets[PACKETS];
    uint8_t log[LOG_BYTES];
    uint64_t log_end;
    struct plog_ring ring; /* the standby's */
    uint8_t ring_data[LOG_BYTES];
    struct keep *keep;
    struct checkpoint next, applied;
    bool pending, have_image;
    uint32_t apply_at, opened;
    uint64_t number;
    struct replay *replay;
    uint32_t nswallowed;
    struct captured swallowed[SWALLOWED];
    const char *broken;
};

/* Also when one seed is run outside of check. */
static void
must_hold(bool holds, const char *what, int line)
{
    if (holds)
        return;
    fprintf(stderr, "check_sim_replay.c:%d: %s\n", line, what);
    abort();
}
#define must(claim) must_hold(claim, #claim, __LINE__)

static struct sim *s;
static uint8_t scratch[KEEP_SCRATCH];
static void *flows_memory, *keep_memory, *replay_memory;
static const struct keep_conf keep_conf = { FLOWS, 8, 1 << 16 };
static const struct replay_sizes sizes = { FLOWS, 512, 1 << 16 };

static struct mono
now(void)
{
    return (struct mono){ (int64_t)s->tick * 100 };
}

static void
to_log(const void *bytes, size_t size)
{
    must(s->log_end + size <= LOG_BYTES);
    memcpy(s->log + s->log_end, bytes, size);
    s->log_end += size;
}

static void
fly(bool to_server, const uint8_t *data, size_t size)
{
    uint32_t copies = rsim_chance(3) ? 0 : rsim_chance(3) ? 2 : 1;

    while (copies-- > 0 && s->nflying < 1024) {
        struct flying *f = &s->flying[s->nflying++];

        f->due = s->tick + 1 + rsim_below(rsim_chance(10) ? 30 : 4);
        f->to_server = to_server;
        f->p.size = (uint32_t)size;
        memcpy(f->p.data, data, size);
    }
}

static void
from_client(void *arg, const uint8_t *data, size_t size)
{
    (void)arg;
    fly(true, data, size);
}

/* Behind the veth: what the active service puts out is logged and held. */
static void
from_active(void *arg, const uint8_t *data, size_t size)
{
    uint8_t rec[PLOG_SMALL];
    struct captured *c = &s->out_packets[(s->out.ordinal + 1) % PACKETS];
    struct plog_output o;
    struct packet pkt;
    uint64_t lsn = 0;

    (void)arg;
    must(packet_parse(&pkt, PACKET_OUT, data, size));
    if (flows_output(s->flows, &pkt, now(), &o)) {
        to_log(
            rec, plog_encode_output(rec, (uint64_t)now().us, s->out.ordinal + 1, &o));
        lsn = s->log_end;
    }
    memcpy(c->data, data, size);
    c->size = (uint32_t)size;
    must(held_push(&s->out, (uint32_t)s->out.ordinal + 1, lsn, now()));
}

static void
capture(const struct captured *p)
{
    static const uint8_t zeros[8];
    uint8_t head[PLOG_HEADER];
    struct plog_record rec = { .kind = PLOG_IN,
        .flags = packet_sound(p->data, p->size) ? 0 : PLOG_UNSUMMED,
        .size = p->size,
        .at_us = (uint64_t)now().us,
        .arg = s->in.ordinal + 1 };

    plog_head(&rec, head);
    to_log(head, sizeof head);
    to_log(p->data, p->size);
    to_log(zeros, plog_span(p->size) - PLOG_HEADER - p->size);
    s->in_packets[rec.arg % PACKETS] = *p;
    must(held_push(&s->in, (uint32_t)rec.arg, s->log_end, now()));
}

static void
release_input(void)
{
    enum held_policy policy = s->mode == MODE_FEED ? HELD_COMMIT : HELD_REPLAY;
    struct held_stable stable = { .lsn = s->ring.end };
    struct held_batch b;
    uint8_t rec[PLOG_SMALL];

    if (rsim_chance(1)) { /* the limit is over */
        b = held_drop(&s->in);
        if (b.count > 0)
            to_log(rec, plog_encode_cancel(rec, (uint64_t)now().us, b.first, b.last));
        return;
    }
    b = held_release(&s->in, held_rule(policy, PACKET_IN), &stable);
    if (b.count == 0)
        return;
    to_log(rec, plog_encode_release(rec, (uint64_t)now().us, b.last));
    for (uint64_t i = b.first; i <= b.last; i++) {
        struct captured *c = &s->in_packets[i % PACKETS];
        struct packet pkt;

        packet_complete(c->data, c->size); /* the kernel would know it is right */
        if (packet_parse(&pkt, PACKET_IN, c->data, c->size))
            flows_input(s->flows, &pkt, now());
        host_input(&s->active, c->data, c->size, from_active, NULL);
    }
}

static void
release_output(void)
{
    enum held_policy policy = s->mode == MODE_FEED ? HELD_COMMIT : HELD_REPLAY;
    struct held_stable stable = {
        .lsn = s->ring.end, .mark = s->applied.id, .has_mark = s->have_image
    };
    struct held_batch b = held_release(&s->out, held_rule(policy, PACKET_OUT), &stable);

    for (uint64_t i = b.first; b.count > 0 && i <= b.last; i++)
        fly(false, s->out_packets[i % PACKETS].data, s->out_packets[i % PACKETS].size);
}

static void
take_checkpoint(void)
{
    uint8_t rec[PLOG_SMALL];

    if (s->pending || !rsim_chance(3) || !host_imageable(&s->active))
        return;
    s->next.image = s->active;
    s->next.mark = (struct plog_mark){ ++s->number, s->in.ordinal - s->in.count,
        s->out.ordinal };
    s->next.id = (uint32_t)s->out.ordinal;
    to_log(rec, plog_encode_mark(rec, (uint64_t)now().us, &s->next.mark));
    s->pending = true;
    s->apply_at = s->tick + rsim_below(60);
}

static void
trim(void)
{
    keep_begin(s->keep);
    for (int i = 0; i < RSIM_CONNS; i++) {
        const struct sconn *c = &s->applied.image.conns[i];

        if (c->state == S_ACCEPTED)
            keep_connection(s->keep, &c->key, c->rcv_nxt);
    }
    must(keep_trim(s->keep, &s->ring, &s->applied.mark, scratch));
}

static void
standby(void)
{
    uint64_t left = s->log_end - s->ring.end, n;

    if (left > 0 && rsim_chance(60)) {
        n = 1 + rsim_below((uint32_t)left);
        must(plog_ring_append(&s->ring, s->log + s->ring.end, n));
    }
    if (s->pending && s->tick >= s->apply_at) {
        s->applied = s->next;
        s->pending = false;
        s->have_image = true;
        trim();
    }
}

static void
network(void)
{
    for (uint32_t i = 0; i < s->nflying;) {
        struct flying *f = &s->flying[i];
        struct captured p;
        bool to_server = f->to_server;

        if (f->due > s->tick) {
            i++;
            continue;
        }
        p.size = f->p.size;
        memcpy(p.data, f->p.data, p.size);
        *f = s->flying[--s->nflying];
        if (to_server)
            capture(&p);
        else
            clients_input(&s->clients, p.data, p.size, from_client, NULL);
    }
}

static void
protected_life(uint32_t crash_at)
{
    while (s->tick < crash_at || !s->have_image) {
        s->tick++;
        network();
        release_input();
        if (rsim_chance(40))
            host_app(&s->active, from_active, NULL);
        host_tick(&s->active, from_active, NULL);
        take_checkpoint();
        standby();
        release_output();
        clients_tick(&s->clients, s->tick, from_client, NULL);
    }
}

static void
from_clone(void *arg, const uint8_t *data, size_t size)
{
    (void)arg;
    must(s->nswallowed < SWALLOWED);
    s->swallowed[s->nswallowed].size = (uint32_t)size;
    memcpy(s->swallowed[s->nswallowed++].data, data, size);
}

static void
into_map(const struct replay_request *q)
{
    for (int i = 0; i < RSIM_CONNS; i++)
        if (!s->clone.requests[i].used) {
            s->clone.requests[i].used = true;
            s->clone.requests[i].request = *q;
            return;
        }
}

static void
check_request(const struct replay_request *q)
{
    const struct cconn *k = &s->clients.conns[q->key.remote_port - 40000];

    if (q->client_isn != k->iss || q->mss != 1400 || q->snd_wscale != 5 ||
        q->rcv_wscale != 7 || !q->timestamps || q->rcv_tsecr < 1000 + 200 ||
        /* of one that is over an old SYN may have come again */
        (k->irs && k->state < C_DONE && q->server_isn != k->irs))
        s->broken = "a connection is not rebuilt as it was";
}

/* False: the replay is over. */
static bool
carry_out(const struct replay_effect *e)
{
    switch (e->what) {
    case REPLAY_INJECT:
        if (!packet_sound(e->packet, e->size))
            s->broken = "injected with a wrong checksum";
        host_input(&s->clone, e->packet, e->size, from_clone, NULL);
        return true;
    case REPLAY_REBUILD:
    case REPLAY_HALF_OPEN:
        check_request(&e->request);
        into_map(&e->request);
        s->rebuilt += e->what == REPLAY_REBUILD;
        s->half_open += e->what == REPLAY_HALF_OPEN;
        return true;
    case REPLAY_SEND:
        fly(false, e->packet, e->size);
        return true;
    case REPLAY_DIVERGED:
        s->diverged++;
        if (s->mode != MODE_WRONG)
            s->broken = e->reason;
        return true;
    case REPLAY_STALLED:
        s->broken = "stalled";
        return false;
    case REPLAY_DONE:
        s->opened = s->tick;
        return false;
    }
    return false;
}

static void
swallow(void)
{
    uint32_t n = s->nswallowed > 0 ? 1 + rsim_below(s->nswallowed) : 0;

    for (uint32_t i = 0; i < n; i++)
        replay_output(s->replay, now(), s->swallowed[i].data, s->swallowed[i].size);
    s->nswallowed -= n;
    memmove(s->swallowed, s->swallowed + n, s->nswallowed * sizeof s->swallowed[0]);
}

static void
begin_replay(void)
{
    struct replay_conf conf = { .mode = s->mode == MODE_FEED ? REPLAY_FEED
                                                             : REPLAY_COMPARE,
        .kept = keep_records(s->keep),
        .log = &s->ring,
        .mark = s->applied.mark,
        .seed = 42,
        .silent_us = 1000,
        .stall_us = 1000000,
        .lost_max = 0 };
    const char *why;

    trim();
    host_restore(&s->clone, &s->applied.image);
    s->clone.refused = 0;
    s->clone.wrong = s->mode == MODE_WRONG;
    s->replay = replay_init(replay_memory, &sizes);
    for (int i = 0; i < RSIM_CONNS; i++) {
        const struct sconn *c = &s->clone.conns[i];
        struct replay_connection rc = { c->key, c->snd_una, c->snd_nxt, c->rcv_nxt,
            60000 };

        if (c->state == S_ACCEPTED)
            must(replay_connection(s->replay, &rc));
    }
    must(replay_start(s->replay, &conf, now(), &why));
}

static void
replay_life(void)
{
    struct replay_effect e;
    bool going = true;

    begin_replay();
    while (going && !s->broken) {
        s->tick++;
        if (rsim_chance(70))
            swallow();
        while (going && !rsim_chance(5) && replay_next(s->replay, now(), &e))
            going = carry_out(&e);
        if (rsim_chance(60))
            host_app(&s->clone, from_clone, NULL);
        host_tick(&s->clone, from_clone, NULL);
    }
}

/* Was the answer that was made wrong on purpose in the log? */
static bool
wrong_was_logged(void)
{
    uint64_t at = s->ring.begin;
    struct plog_record rec;
    struct plog_output o;

    while (plog_read(&s->ring, &at, &rec, scratch) == PLOG_READ)
        if (rec.kind == PLOG_OUT && rec.arg > s->applied.mark.out &&
            plog_decode_output(&rec, &o) &&
            memcmp(&o.flow, &s->clone.wrong_key, sizeof o.flow) == 0 &&
            s->clone.wrong_seq - o.seq < o.size)
            return true;
    return false;
}

static void
open_again(void)
{
    struct replay_effect e;
    uint32_t n = s->nswallowed;

    for (uint32_t i = 0; i < n; i++) {
        struct captured *c = &s->swallowed[i];

        if (replay_output(s->replay, now(), c->data, c->size))
            fly(false, c->data, c->size);
    }
    s->nswallowed -= n;
    while (replay_next(s->replay, now(), &e))
        carry_out(&e);
}

static void
later_life(void)
{
    uint32_t limit = s->tick + 20000;

    while (!s->broken && !s->clients.broken && !clients_finished(&s->clients) &&
           s->tick < limit) {
        s->tick++;
        for (uint32_t i = 0; i < s->nflying;) {
            struct flying *f = &s->flying[i];
            struct flying p;

            if (f->due > s->tick) {
                i++;
                continue;
            }
            p = *f;
            *f = s->flying[--s->nflying];
            if (p.to_server) {
                struct packet pkt;

                packet_complete(p.p.data, p.p.size);
                if (!packet_parse(&pkt, PACKET_IN, p.p.data, p.p.size) ||
                    replay_input(s->replay, &pkt))
                    host_input(&s->clone, p.p.data, p.p.size, from_clone, NULL);
            } else
                clients_input(&s->clients, p.p.data, p.p.size, from_client, NULL);
        }
        if (s->tick == s->opened + 1500) /* the grace time is over */
            memset(s->clone.requests, 0, sizeof s->clone.requests);
        host_app(&s->clone, from_clone, NULL);
        host_tick(&s->clone, from_clone, NULL);
        open_again();
        clients_tick(&s->clients, s->tick, from_client, NULL);
    }
    if (!clients_finished(&s->clients) && !s->broken && !s->clients.broken &&
        s->mode != MODE_WRONG)
        s->broken = "a client waits for ever";
}

static void
judge(void)
{
    for (int i = 0; i < RSIM_CONNS; i++)
        s->reset += s->clients.conns[i].state == C_RESET;
    if (s->mode == MODE_WRONG) {
        /* what is still watched was not put out again before this life's end */
        if (s->diverged == 0 && wrong_was_logged() && replay_watching(s->replay) == 0)
            s->broken = "a wrong answer went unnoticed";
        if (s->diverged > 0 && !s->broken)
            s->broken = s->clients.broken;
        return;
    }
    if (!s->broken)
        s->broken = s->clients.broken;
    if (!s->broken && s->reset > 0)
        s->broken = "a connection was reset";
    if (!s->broken && s->clone.refused > 0)
        s->broken = "an acknowledgement was injected too early";
}

static void
one_life(int mode, uint64_t seed)
{
    memset(s, 0, offsetof(struct sim, flying));
    memset(&s->in, 0, sizeof s->in);
    rsim_seed(seed);
    s->mode = mode;
    s->log_end = s->number = s->nswallowed = 0;
    s->pending = s->have_image = false;
    s->broken = NULL;
    clients_init(&s->clients);
    s->clients.lenient = mode == MODE_WRONG;
    s->flows = flows_init(flows_memory, FLOWS, 42);
    held_init(&s->in, s->in_slots, PACKETS);
    held_init(&s->out, s->out_slots, PACKETS);
    plog_ring_init(&s->ring, s->ring_data, LOG_BYTES, 0);
    s->keep = keep_init(keep_memory, &keep_conf);
    protected_life(50 + rsim_below(1500));
    replay_life();
    if (!s->broken)
        later_life();
    judge();
}

static void
lives(int mode, uint64_t first, uint64_t count)
{
    uint64_t compared = 0, synthetic = 0, excused = 0, rebuilt = 0, half = 0,
             diverged = 0, injected = 0;

    for (uint64_t seed = first; seed < first + count; seed++) {
        struct replay_stat st;

        one_life(mode, seed);
        st = replay_stat(s->replay);
        if (s->broken)
            fprintf(stderr,
                "mode %d seed %llu tick %u: %s (diverged %u, stalled %llu)\n", mode,
                (unsigned long long)seed, s->tick, s->broken, s->diverged,
                (unsigned long long)st.stalled);
        must(!s->broken);
        compared += st.compared;
        synthetic += st.synthetic;
        excused += st.excused;
        injected += st.injected;
        rebuilt += s->rebuilt;
        half += s->half_open;
        diverged += s->diverged;
    }
    printf("mode %d: %llu lives, injected %llu, compared %llu bytes, synthetic %llu, "
           "rebuilt %llu, half open %llu, excused %llu, diverged %llu\n",
        mode, (unsigned long long)count, (unsigned long long)injected,
        (unsigned long long)compared, (unsigned long long)synthetic,
        (unsigned long long)rebuilt, (unsigned long long)half,
        (unsigned long long)excused, (unsigned long long)diverged);
    if (count < 500)
        return; /* else all that was simulated must have happened */
    must(injected > count && rebuilt > 0 && half > 0 && synthetic > 0);
    must(mode != MODE_WRONG || diverged > count / 20);
}

START_TEST(nothing_is_noticed)
{
    lives(MODE_COMPARE, 1, 2000);
}
END_TEST

START_TEST(fed_in_again_under_commit)
{
    lives(MODE_FEED, 1, 1000);
}
END_TEST

START_TEST(a_wrong_answer_ends_its_connection_only)
{
    lives(MODE_WRONG, 1, 1000);
}
END_TEST

static void
get_memory(void)
{
    s = calloc(1, sizeof *s);
    flows_memory = malloc(flows_size(FLOWS));
    keep_memory = malloc(keep_size(&keep_conf));
    replay_memory = malloc(replay_size(&sizes));
    if (!s || !flows_memory || !keep_memory || !replay_memory)
        abort();
}

int
main(int argc, char **argv)
{
    Suite *suite = suite_create("replay simulation");
    TCase *tc = tcase_create("lives");
    SRunner *sr;
    int failed;

    get_memory();
    tcase_add_test(tc, nothing_is_noticed);
    tcase_add_test(tc, fed_in_again_under_commit);
    tcase_add_test(tc, a_wrong_answer_ends_its_connection_only);
    tcase_set_timeout(tc, 240);
    suite_add_tcase(suite, tc);
    sr = srunner_create(suite);
    if (argc > 2)
        lives(atoi(argv[1]), strtoull(argv[2], NULL, 10),
            argc > 3 ? strtoull(argv[3], NULL, 10) : 1);
    else
        srunner_run_all(sr, CK_NORMAL);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? 1 : 0;
}
