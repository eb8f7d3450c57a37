/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/device.h"

#include "lib/log.h"

#include <corosync/cmap.h>
#include <corosync/votequorum.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_MS 500
#define DEFAULT_TIMEOUT_MS 10000 /* Corosync's, if the file has none */

struct device {
    struct loop *loop;
    unsigned timeout_ms;
    void (*told)(bool held, void *arg);
    void *arg;
    votequorum_handle_t handle;
    struct loop_io *io;
    struct loop_timer *retry;
    bool held;
    const char *said; /* why it was refused last, borrowed; NULL: it was not */
};

static void
refuse(struct device *d, const char *why)
{
    if (!d->said || strcmp(d->said, why))
        log_error("quorum device: not used: %s", why);
    d->said = why;
}

static bool
is_set(cmap_handle_t map, const char *key)
{
    uint8_t value = 0;

    return cmap_get_uint8(map, key, &value) == CS_OK && value;
}

static bool
reads(cmap_handle_t map, const char *key, const char *want)
{
    char *value = NULL;
    bool same = cmap_get_string(map, key, &value) == CS_OK && !strcmp(value, want);

    free(value);
    return same;
}

/* What would let one node alone be quorate without the device, or the device vote for
 * both; NULL: nothing. */
static const char *
objection(const struct device *d, cmap_handle_t map)
{
    uint32_t timeout_ms = DEFAULT_TIMEOUT_MS, votes;

    cmap_get_uint32(map, "quorum.device.timeout", &timeout_ms);
    if (!reads(map, "quorum.device.model", "net"))
        return "corosync.conf has none of model net; add quorum { device { model: net "
               "} }";
    if (!reads(map, "quorum.device.net.algorithm", "ffsplit"))
        return "corosync.conf must say algorithm: ffsplit in device { net { } }";
    if (is_set(map, "quorum.two_node") || is_set(map, "quorum.auto_tie_breaker") ||
        is_set(map, "quorum.last_man_standing"))
        return "corosync.conf must not say two_node, auto_tie_breaker or "
               "last_man_standing beside it";
    if (cmap_get_uint32(map, "quorum.expected_votes", &votes) == CS_OK)
        return "corosync.conf must not say expected_votes beside it";
    if (timeout_ms > d->timeout_ms)
        return "timeout of the device in corosync.conf is longer than quorum-device in "
               "bascule.conf: make them equal on all nodes";
    return NULL;
}

static bool
is_sound(struct device *d)
{
    cmap_handle_t map;
    const char *why;

    if (cmap_initialize(&map) != CS_OK)
        return false; /* corosync.c says so */
    why = objection(d, map);
    cmap_finalize(map);
    if (why)
        refuse(d, why);
    else
        d->said = NULL;
    return !why;
}

static void
quorum_cb(votequorum_handle_t handle, uint64_t context, uint32_t quorate, uint32_t n,
    votequorum_node_t *nodes)
{
    struct device *d = (struct device *)(uintptr_t)context;
    bool votes = false, held;
    unsigned here = 0;

    (void)handle;
    for (uint32_t i = 0; i < n; i++) {
        /* the device is listed when it is registered; its state says nothing */
        if (nodes[i].nodeid == VOTEQUORUM_QDEVICE_NODEID)
            votes = true;
        else if (nodes[i].state == VOTEQUORUM_NODESTATE_MEMBER)
            here++;
    }
    held = quorate && votes && here == 1;
    if (held != d->held)
        log_info("quorum device: %s",
            held ? "votes for this node alone" : "does not vote for this node alone");
    d->held = held;
    d->told(held, d->arg);
}

static void
disconnect(struct device *d)
{
    loop_io_free(d->io);
    d->io = NULL;
    if (d->handle)
        votequorum_finalize(d->handle);
    d->handle = 0;
    d->held = false;
    loop_timer_in_ms(d->retry, RETRY_MS);
    d->told(false, d->arg);
}

static void
readable_cb(struct loop_io *io, int fd, int events, void *arg)
{
    struct device *d = arg;
    cs_error_t err = votequorum_dispatch(d->handle, CS_DISPATCH_ALL);

    (void)io;
    (void)fd;
    (void)events;
    if (err != CS_OK && err != CS_ERR_TRY_AGAIN)
        disconnect(d);
}

static void
connect_cb(struct loop_timer *timer, void *arg)
{
    struct device *d = arg;
    votequorum_callbacks_t callbacks = { .votequorum_quorum_notify_fn = quorum_cb };
    int fd;

    (void)timer;
    if (!is_sound(d) || votequorum_initialize(&d->handle, &callbacks) != CS_OK) {
        d->handle = 0;
        disconnect(d);
        return;
    }
    if (votequorum_fd_get(d->handle, &fd) != CS_OK ||
        votequorum_trackstart(d->handle, (uint64_t)(uintptr_t)d,
            CS_TRACK_CURRENT | CS_TRACK_CHANGES) != CS_OK) {
        disconnect(d);
        return;
    }
    d->io = loop_io_new(d->loop, fd, LOOP_READ, readable_cb, d);
    log_info("quorum device: it decides which of two nodes goes on");
}

struct device *
device_new(struct loop *loop, unsigned timeout_ms, void (*told)(bool held, void *arg),
    void *arg)
{
    struct device *d = calloc(1, sizeof *d);

    if (!d)
        log_fatal("quorum device: out of memory");
    *d = (struct device){
        .loop = loop, .timeout_ms = timeout_ms, .told = told, .arg = arg
    };
    d->retry = loop_timer_new(loop, connect_cb, d);
    loop_timer_in_ms(d->retry, 0);
    return d;
}

void
device_free(struct device *d)
{
    if (!d)
        return;
    loop_io_free(d->io);
    if (d->handle)
        votequorum_finalize(d->handle);
    loop_timer_free(d->retry);
    free(d);
}
