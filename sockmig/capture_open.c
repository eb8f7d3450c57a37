/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * capture_open.c - queues, log and tables of a service's packets, made once; what the
 * log's channel reports. */
#include "sockmig/capture_private.h"

#include "lib/log.h"
#include "sockmig/drops.h"
#include "sockmig/prefault.h"

#include <stdlib.h>
#include <string.h>

#define INGRESS_QUEUE 0
#define QUEUE_PACKETS 65536

static void
on_stable(void *arg, uint64_t lsn)
{
    (void)lsn;
    capture_settled(arg);
    orders_progress(arg);
}

static void
on_late(void *arg, unsigned node)
{
    peers_late(arg, node - 1);
}

static void
on_lost(void *arg, unsigned node)
{
    peers_lost(arg, node - 1);
}

static void
on_caught_up(void *arg, unsigned node)
{
    peers_caught_up(arg, node - 1);
}

static void
on_received(void *arg, uint64_t have)
{
    struct engine *e = arg;

    follower_received(e->follower, have, loop_now(e->loop));
}

static int
open_queues(struct engine *e)
{
    struct capture *c = &e->capture;
    int ret = egress_new(
        gate_outlet(e->gate, true), gate_outlet(e->gate, false), &c->out_queue);

    if (ret == 0)
        ret = nfq_open(
            gate_cell_netns(e->gate), INGRESS_QUEUE, QUEUE_PACKETS, true, &c->in_queue);
    if (ret < 0) {
        log_error("service %s: packet queues: %s; see `bascule check`",
            e->service->name, strerror(-ret));
        return ret;
    }
    c->in_io = loop_io_new(e->loop, nfq_fd(c->in_queue), LOOP_READ, capture_on_in, e);
    c->out_io = loop_io_new(
        e->loop, egress_fd(c->out_queue), LOOP_READ, capture_on_out, e);
    return 0;
}

static int
open_log(struct engine *e)
{
    static const struct mcast_calls calls = { .stable = on_stable,
        .late = on_late,
        .caught_up = on_caught_up,
        .lost = on_lost,
        .received = on_received };
    struct mcast_options options = { .conf = e->conf,
        .service = e->service,
        .self = e->self,
        .secret = &e->secret,
        .loop = e->loop,
        .calls = &calls,
        .arg = e };
    char error[MCAST_ERROR_LEN];
    int ret = mcast_open(&options, &e->capture.mcast, error);

    if (ret < 0)
        log_error("service %s: packet log: %s", e->service->name, error);
    return ret;
}

static void *
prefaulted(size_t size)
{
    void *p = prefault_map(size);

    if (!p)
        log_fatal("engine: out of memory");
    return p;
}

/* As many connections as a listener's queue can have, each with as much as a socket
 * takes that nobody reads. */
static const struct births_conf births_conf = {
    .flows = 8192, .half_open = 2048, .blocks = 16384, .flow_bytes = 256u << 10
};

void
capture_forget_births(struct engine *e)
{
    e->capture.births = births_init(e->capture.births, &births_conf);
}

/* What the log had has a lower ordinal than all input from now on, of which some may be
 * dropped; there is no 0. */
void
capture_succeed(struct engine *e)
{
    struct capture *c = &e->capture;

    if (c->in.ordinal == 0)
        c->in.ordinal = 1;
    follower_succeed(e->follower, c->births, c->in.ordinal);
}

uint8_t *
capture_births(const struct engine *e, size_t *size)
{
    uint8_t *copy;

    *size = births_bytes(e->capture.births);
    if (*size == 0)
        return NULL;
    copy = malloc(*size);
    if (!copy)
        log_fatal("engine: out of memory");
    births_copy(e->capture.births, copy);
    return copy;
}

/* The engine's thread delivers; it is also the one that opens. */
static void
open_drops(struct engine *e)
{
    struct capture *c = &e->capture;
    int ret = drops_open(&c->drops);

    overrun_init(&c->overrun, prefaulted(QUEUE_PACKETS * sizeof(struct overrun_id)),
        QUEUE_PACKETS);
    if (ret < 0)
        log_info("service %s: datagrams that its sockets have no room for are not seen "
                 "(%s), a clone gets them: see `bascule check`",
            e->service->name, strerror(-ret));
}

int
capture_open(struct engine *e)
{
    struct capture *c = &e->capture;
    size_t slots = QUEUE_PACKETS * sizeof(struct held_packet);
    int ret = open_queues(e);

    if (ret == 0)
        ret = open_log(e);
    if (ret < 0)
        return ret;
    pthread_mutex_init(&c->deliver, NULL);
    held_init(&c->in, prefaulted(slots), QUEUE_PACKETS);
    held_init(&c->out, prefaulted(EGRESS_PACKETS * sizeof(struct held_packet)),
        EGRESS_PACKETS);
    c->flows = flows_init(
        prefaulted(flows_size(CAPTURE_FLOWS)), CAPTURE_FLOWS, 0, FLOWS_PART);
    c->births = births_init(prefaulted(births_size(&births_conf)), &births_conf);
    open_drops(e);
    c->rest = rest_new(e->loop, capture_on_rested, e);
    c->policy = c->wanted = e->service->policy;
    return 0;
}
