/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/engine.h"

#include "lib/fault.h"
#include "lib/fd.h"
#include "lib/log.h"
#include "sockmig/ending.h"
#include "sockmig/realtime.h"
#include "sockmig/relay.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TICK_MS 100
#define STATUS_MS 200    /* status is sent at most this often */
#define HOLD_OPEN_MS 200 /* a takeover that does not come within it will not come */
#define HOLD_MS 50       /* output is held about this long at most: buffers */

static void
send_status(struct engine *e)
{
    struct jv *ev = jv_object();

    jv_set_str(ev, "event", "status");
    jv_set(ev, "status", status_object(e));
    ctl_send(e->ctl, ev);
    e->status_sent = mono_clock();
    e->status_due = false;
}

void
engine_say(struct engine *e, struct jv *taken)
{
    if (e->status_due)
        send_status(e);
    ctl_send(e->ctl, taken);
}

void
engine_error(struct engine *e, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(e->last_error, sizeof e->last_error, fmt, ap);
    va_end(ap);
    log_error("service %s: %s", e->service->name, e->last_error);
    engine_changed(e);
}

void
engine_note(struct engine *e, const char *kind, const char *severity, const char *text)
{
    struct jv *ev = jv_object();

    jv_set_str(ev, "event", "note");
    jv_set_str(ev, "service", e->service->name);
    jv_set_str(ev, "kind", kind);
    jv_set_str(ev, "severity", severity);
    jv_set_str(ev, "text", text);
    engine_changed(e);
    engine_say(e, ev);
}

void
engine_journal(
    struct engine *e, const char *severity, const char *kind, const char *fmt, ...)
{
    char text[sizeof e->last_error];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    log_warn("service %s: %s", e->service->name, text);
    memcpy(e->last_error, text, sizeof text);
    engine_note(e, kind, severity, text);
}

void
engine_changed(struct engine *e)
{
    e->status_due = true;
}

static void
end_lease(struct engine *e)
{
    e->open = e->lease_reported = false;
    lease_end(&e->lease);
}

void
engine_shut(struct engine *e)
{
    end_lease(e);
    e->hold_until.us = e->listen_until.us = 0;
    gate_lease(e->gate, 0);
    capture_discard_in(e);
}

void
engine_shut_for(struct engine *e, uint64_t *log)
{
    end_lease(e);
    gate_listen(e->gate, beats_boottime_ns() + HOLD_OPEN_MS * 1000000ull);
    e->listen_until = mono_add_ms(mono_clock(), HOLD_OPEN_MS);
    capture_hand_over(e, log);
}

void
engine_hold(struct engine *e)
{
    e->hold_until = mono_add_ms(mono_clock(), HOLD_OPEN_MS);
    capture_deafen(e);
    gate_lease(e->gate, beats_boottime_ns() + HOLD_OPEN_MS * 1000000ull);
    FAULT_POINT("hold-open");
    engine_announce(e);
}

/* Whoever was to serve by now does not: what comes here is of no use any more. */
static void
end_listening(struct engine *e)
{
    if (e->listen_until.us != 0 && !mono_before(mono_clock(), e->listen_until))
        engine_shut(e);
}

/* A hold that no takeover followed: what waited is dropped, clients send it again. */
static void
end_hold(struct engine *e)
{
    if (e->hold_until.us == 0 || mono_before(mono_clock(), e->hold_until))
        return;
    e->hold_until.us = 0;
    if (e->role.state != ROLE_FOLLOWING)
        return;
    log_warn("service %s: no takeover followed the handover; gates shut again",
        e->service->name);
    gate_lease(e->gate, 0);
    capture_discard_in(e);
}

void
engine_require(struct engine *e, uint32_t set)
{
    commit_set(&e->commit, set);
    mcast_set(e->capture.mcast, set);
    tracer_required(e->tracer, set != 0);
}

void
engine_release(struct engine *e)
{
    uint32_t mark;

    while (commit_release(&e->commit, &mark)) {
        FAULT_POINT("checkpoint-stable");
        capture_stable(e, mark);
        tracer_stable(e->tracer, e->commit.stable,
            mono_us_between(commit_stable_at(&e->commit), mono_clock()));
        capture_go(e);
        FAULT_POINT("checkpoint-released");
    }
    capture_go(e);
    orders_progress(e);
}

static void
on_notes(struct loop_io *io, int fd, int events, void *arg)
{
    struct engine *e = arg;
    struct note n;

    (void)io;
    (void)fd;
    (void)events;
    while (queue_get(e->notes, &n))
        orders_note(e, &n);
    engine_release(e);
}

static void
on_ctl(struct ctl_conn *conn, const struct jv *msg, void *arg)
{
    struct engine *e = arg;

    (void)conn;
    orders_take(e, msg);
    if (e->status_due)
        send_status(e);
}

static void
on_ctl_closed(struct ctl_conn *conn, void *arg)
{
    struct engine *e = arg;

    (void)conn;
    engine_shut(e); /* nobody to obey: fail closed */
    log_error("service %s: sockmigd is gone; the engine ends", e->service->name);
    _exit(1);
}

/* An announcement can be lost, and Linux neighbours ignore one that comes within 1 s of
 * the last change (locktime): so it is said again until well past that. */
static void
announce_again(struct engine *e)
{
    static const unsigned at_ticks[] = { 1, 3, 6, 12, 20 };

    if (!e->open || e->announced > 20)
        return;
    e->announced++;
    for (size_t i = 0; i < sizeof at_ticks / sizeof at_ticks[0]; i++)
        if (e->announced == at_ticks[i])
            gate_announce(e->gate);
}

void
engine_announce(struct engine *e)
{
    e->announced = 0;
    gate_announce(e->gate);
}

/* What comes from clients, what the service says, and what a standby is sent. */
static void
keep_awake(struct engine *e)
{
    const struct capture *c = &e->capture;
    struct mcast_stats log;

    mcast_stats(c->mcast, &log);
    idle_limit(&e->idle,
        awake_turn(&e->awake, c->in.ordinal + c->out.ordinal + log.rx.datagrams),
        e->conf->cpu_latency_us);
}

/* One way or the other: by the descriptor, or there was nothing left to watch. */
static void
service_ended(struct engine *e)
{
    char how[ENDING_TEXT];

    ending_text(e->pid, e->pidfd, how);
    engine_watch_pid(e, 0);
    if (e->role.state == ROLE_ENDING || e->role.state == ROLE_IDLE)
        return; /* we ended it */
    engine_error(
        e, "the service's process ended by itself%s; see %s", how, e->service->log);
    orders_died(e);
}

/* A command that ends at once may have been waited for before it is watched. */
static void
look_for_end(struct engine *e)
{
    if (e->pid != 0 && e->pidfd < 0)
        service_ended(e);
}

static void
on_tick(struct loop_timer *timer, void *arg)
{
    struct engine *e = arg;

    look_for_end(e);
    peers_tick(e);
    orders_tick(e);
    end_hold(e);
    end_listening(e);
    announce_again(e);
    strangers_tick(e);
    replayer_tick(e);
    flows_tick(e->capture.flows, mono_clock());
    datagrams_tick(&e->capture.datagrams);
    beats_refresh(e);
    keep_awake(e);
    if (e->status_due || mono_us_between(e->status_sent, mono_clock()) > 1000 * 1000)
        send_status(e);
    loop_timer_in_ms(timer, TICK_MS);
}

static void
on_pid_ended(struct loop_io *io, int fd, int events, void *arg)
{
    (void)io;
    (void)fd;
    (void)events;
    service_ended(arg);
}

void
engine_watch_pid(struct engine *e, pid_t pid)
{
    loop_io_free(e->pid_io);
    e->pid_io = NULL;
    fd_close(e->pidfd);
    e->pidfd = -1;
    e->pid = pid;
    if (pid == 0)
        return;
    e->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (e->pidfd >= 0)
        e->pid_io = loop_io_new(e->loop, e->pidfd, LOOP_READ, on_pid_ended, e);
}

static void
fill_peers(struct engine *e)
{
    for (unsigned i = 0; i < CONF_MAX_NODES; i++) {
        const struct conf_node *n = conf_node_by_id(e->conf, i + 1);

        e->peers[i].engine = e;
        e->peers[i].fd = -1;
        e->peers[i].bit = i;
        e->peers[i].node = n && n != e->self ? n : NULL;
    }
}

static int
open_gate(struct engine *e)
{
    const struct conf_service *s = e->service;
    struct gate_conf conf = { .service = s->name,
        .addresses = s->addresses,
        .naddresses = s->naddresses,
        .device = s->device,
        .gateway = s->gateway,
        .ingress_queue = true,
        .hold_ms = HOLD_MS };
    char error[GATE_ERROR_LEN];
    int ret;

    gate_mac(e->conf->cluster, s->name, conf.mac);
    ret = gate_new(&conf, &e->gate, error);
    if (ret < 0) {
        log_error("service %s: gate: %s", s->name, error);
        return ret;
    }
    return 0;
}

static void
start_threads(struct engine *e)
{
    struct tracer_conf conf;

    e->notes = queue_new();
    e->notes_io = loop_io_new(e->loop, queue_fd(e->notes), LOOP_READ, on_notes, e);
    e->shipper = shipper_new();
    engine_files_open(e);
    conf = (struct tracer_conf){ .service = e->service,
        .cell_netns = gate_cell_netns(e->gate),
        .tun = gate_tun(e->gate),
        .raw = gate_raw(e->gate),
        .mark = capture_mark,
        .marked = capture_marked,
        .arg = e,
        .follower = e->follower,
        .replayer = e->replayer,
        .folders = e->files ? &e->folders : NULL,
        .files = e->files,
        .to_main = e->notes,
        .shipper = e->shipper };
    e->tracer = tracer_new(&conf);
}

/* The threads inherit the priority; whatever is started in the cell resets it. */
static void
go_realtime(void)
{
    int ret = realtime_set(true);

    if (ret < 0)
        log_warn(
            "engine: no real-time priority (%s): latencies will vary", strerror(-ret));
    mlockall(MCL_CURRENT);
}

static int
set_up(struct engine *e)
{
    struct mcast_log received;
    char error[SEAL_ERROR_LEN];
    int ret;

    if (!seal_secret_read(e->conf->secret_file, &e->secret, error)) {
        log_error("cluster secret: %s", error);
        return -EINVAL;
    }
    fill_peers(e);
    ret = open_gate(e);
    if (ret == 0)
        ret = capture_open(e);
    if (ret == 0)
        ret = replayer_open(e);
    if (ret < 0)
        return ret;
    relay_begin(e->loop, gate_tun(e->gate), gate_raw(e->gate));
    received = mcast_log_received(e->capture.mcast);
    e->follower = follower_new((uint8_t *)(uintptr_t)received.ring, received.size);
    go_realtime();
    ret = idle_open(&e->idle);
    if (ret < 0)
        log_warn("engine: processors sleep as they like, so latencies will vary "
                 "(/dev/cpu_dma_latency: %s): let the engine write to it, or use a "
                 "kernel with CONFIG_CPU_IDLE",
            strerror(-ret));
    start_threads(e);
    lease_init(&e->lease, e->conf->nnodes, (int64_t)e->conf->lease_ms * 1000);
    commit_init(&e->commit);
    ret = peers_open(e);
    if (ret == 0)
        ret = beats_open(e);
    if (ret < 0)
        log_error("service %s: cannot listen on %s port %u: %s", e->service->name,
            e->self->address, e->conf->port + 2 * e->service->index, strerror(-ret));
    return ret;
}

int
engine_main(const struct conf *conf, const char *service, int ctl_fd)
{
    struct engine *e = calloc(1, sizeof *e);
    struct ctl_handler handler = { on_ctl, on_ctl_closed, e };
    sigset_t set;

    if (!e)
        return 1;
    e->conf = conf;
    e->service = conf_service(conf, service);
    e->self = conf_self(conf);
    e->acks_from = UINT64_MAX;  /* nothing is promised before the first order */
    e->last_ack = mono_clock(); /* what a predecessor of this process promised */
    e->last_blackout_ms = -1;
    e->pidfd = -1;
    signal(SIGPIPE, SIG_IGN);
    /* in all threads to come: the tracer hears of its stops by a signalfd */
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    e->loop = loop_new();
    if (set_up(e) < 0)
        return 1;
    e->ctl = ctl_adopt(e->loop, ctl_fd, handler);
    e->tick = loop_timer_new(e->loop, on_tick, e);
    send_status(e);
    loop_timer_in_ms(e->tick, TICK_MS);
    log_info("service %s: engine ready", e->service->name);
    loop_run(e->loop);
    return 0;
}
