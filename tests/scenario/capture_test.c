/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * capture_test.c - what becomes of client input that is in the ingress queue when the
 * gates shut, by a real gate and its queues. */
#include "lib/log.h"
#include "sockmig/capture_private.h"
#include "sockmig/core/plog.h"
#include "tests/scenario/claims.h"
#include "tests/scenario/gate_lan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LONG_MS 3600000u
#define WAIT_MS 5000u
#define STANDBY 1 /* its bit; it is node 2, and never acknowledges anything */

static void
make_conf(struct conf *conf)
{
    conf->nnodes = 2;
    conf->nservices = 1;
    conf->port = 7890;
    conf->behind_ms = 50;
    conf->lease_ms = 200;
    for (unsigned i = 0; i < 2; i++) {
        conf->nodes[i].id = i + 1;
        snprintf(conf->nodes[i].name, sizeof conf->nodes[i].name, "n%u", i + 1);
        snprintf(
            conf->nodes[i].address, sizeof conf->nodes[i].address, "127.0.0.%u", i + 1);
    }
    strcpy(conf->services[0].name, "echo");
    conf->services[0].log_mib = 1;
}

/* What a handover needs of an engine; no thread of it runs. */
static void
make_engine(struct engine *e, const struct conf *conf, struct gate *gate)
{
    uint64_t position;

    e->conf = conf;
    e->service = &conf->services[0];
    e->self = &conf->nodes[0];
    e->gate = gate;
    e->loop = loop_new();
    e->notes = queue_new();
    lease_init(&e->lease, 2, 200000);
    commit_init(&e->commit);
    if (capture_open(e) < 0 || replayer_open(e) < 0)
        log_fatal("capture: see above");
    e->role = (struct role){ .state = ROLE_FREEZING, .own = 1, .seen = 1 };
    capture_reign(e);
    if (!capture_join(e, STANDBY, 1, &position))
        log_fatal("the standby cannot join the log");
    e->commit.set = 1u << STANDBY;
    mcast_set(e->capture.mcast, e->commit.set);
}

/* A request of the client is in the queue, and nobody has read it.  The number of the
 * newest. */
static uint32_t
ask(struct lan *lan, struct engine *e)
{
    const uint64_t end = lan_boot_ns() + WAIT_MS * 1000000ull;
    struct nfq_stat stat = { 0 };

    while (stat.held == 0 && lan_boot_ns() < end) {
        lan_ask(lan, LAN_V4);
        lan_pump(lan, 10);
        nfq_stat(e->capture.in_queue, &stat);
    }
    return lan->request;
}

/* The newest request that the service's socket has; 0: none. */
static uint32_t
heard(struct lan *lan)
{
    uint32_t message[3], newest = 0;

    while (recv(lan->nodes[0].echo[LAN_V4], message, sizeof message, MSG_DONTWAIT) > 0)
        newest = message[1];
    return newest;
}

/* The log has a packet that ends with request @number, and does not take it back. */
static bool
is_logged(struct engine *e, uint32_t number, uint64_t upto)
{
    static uint8_t scratch[PLOG_PAYLOAD];
    const struct mcast_log log = mcast_log_sent(e->capture.mcast);
    const struct plog_ring ring = { (uint8_t *)(uintptr_t)log.ring, log.size, log.low,
        upto };
    uint64_t at = log.low;
    struct plog_record rec;
    bool found = false;

    while (plog_read(&ring, &at, &rec, scratch) == PLOG_READ) {
        if (rec.kind == PLOG_IN && rec.size >= 12)
            found |= !memcmp(rec.payload + rec.size - 8, &number, sizeof number);
        if (rec.kind == PLOG_CANCEL)
            found = false;
    }
    return found;
}

static const struct row {
    const char *name;
    enum conf_policy policy;
    bool read; /* it was read, and waits for the log */
    bool handover;
} rows[] = {
    { "commit, unread", CONF_COMMIT, false, true },
    { "replay, unread", CONF_REPLAY, false, true },
    { "replay, waiting for the log", CONF_REPLAY, true, true },
    { "no handover", CONF_REPLAY, true, false },
};

/* Handed over: the gate listens, and says nothing. */
static void
listens(struct lan *lan, struct engine *e, const char *row)
{
    struct gate_counters before, after;
    uint32_t asked = ask(lan, e);

    capture_on_in(NULL, -1, 0, e);
    check_of(
        heard(lan) == asked, row, "what comes later is in the service's last state");
    check_of(is_logged(e, asked, mcast_head(e->capture.mcast)), row,
        "the log has it for the successor");
    gate_counters(e->gate, &before);
    gate_announce(e->gate);
    gate_counters(e->gate, &after);
    check_of(
        after.passed_out == before.passed_out && after.fenced_out > before.fenced_out,
        row, "nothing leaves");
    engine_shut(e);
    lan_ask(lan, LAN_V4);
    lan_pump(lan, 50);
    capture_on_in(NULL, -1, 0, e);
    check_of(heard(lan) == 0, row, "when it is shut nothing comes in");
}

static void
shut(struct lan *lan, struct engine *e, const struct row *row)
{
    uint64_t log = 0;
    uint32_t asked;

    e->capture.policy = e->capture.wanted = row->policy;
    e->capture.wanted_from = 1;
    lan_open(lan, 0, LONG_MS);
    gate_announce(e->gate);
    asked = ask(lan, e);
    if (row->read)
        capture_on_in(NULL, -1, 0, e);
    check_of(heard(lan) == 0, row->name, "it waits");
    if (row->handover)
        engine_shut_for(e, &log);
    else
        engine_shut(e);
    check_of(gate_lease_get(e->gate) == 0, row->name, "the fence lets nothing out");
    check_of((heard(lan) == asked) == row->handover, row->name,
        row->handover ? "it is in the service's last state here" : "it is dropped");
    if (!row->handover)
        return;
    check_of(log > 0 && is_logged(e, asked, log), row->name,
        "the log has it for the successor");
    listens(lan, e, row->name);
}

/* What a mark has found is read, though the descriptor does not tell of it any more. */
static void
marked(struct lan *lan, struct engine *e)
{
    struct mark mark;
    struct note note;
    uint64_t queued;

    capture_mark(e, &mark);
    capture_marked(e);
    check(!queue_get(e->notes, &note), "a mark that finds nothing says nothing");
    queued = e->capture.queued;
    lan_say(lan, 0, LAN_V4, 1);
    capture_mark(e, &mark);
    check(mark.out_id == e->capture.last_out + 1, "it covers what nobody has read");
    capture_marked(e);
    check(queue_get(e->notes, &note) && note.what == MAIN_MARKED,
        "the main thread is told");
    orders_note(e, &note);
    check(e->capture.queued == queued + 1 && e->capture.last_out == mark.out_id,
        "and reads it");
}

int
main(void)
{
    static struct engine e;
    static struct conf conf;
    static struct lan lan;

    log_init("capture_test", LOG_LEVEL_INFO);
    if (geteuid() != 0) {
        puts("skipped: needs root for network namespaces");
        return 77;
    }
    lan_init(&lan);
    lan.conf.ingress_queue = true;
    lan_gate(&lan, 0);
    make_conf(&conf);
    make_engine(&e, &conf, lan.nodes[0].gate);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        shut(&lan, &e, &rows[i]);
    marked(&lan, &e);
    lan_ungate(&lan, 0);
    return claims_end();
}
