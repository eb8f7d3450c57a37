/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/corosync.h"

#include "lib/core/fnv.h"
#include "lib/log.h"

#include <corosync/cpg.h>
#include <corosync/quorum.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#define RETRY_MS 500
#define BUSY_MS 2
#define MAX_MEMBERS 64

struct waiting { /* a message that Corosync has not taken yet */
    struct waiting *next;
    size_t size;
    char data[];
};

struct corosync {
    struct loop *loop;
    struct corosync_handler handler;
    struct cpg_name group;
    cpg_handle_t cpg;
    quorum_handle_t quorum;
    struct loop_io *cpg_io, *quorum_io;
    struct loop_timer *retry, *busy;
    bool connected, joined, said;
    uint32_t pids[MAX_MEMBERS]; /* of each node's member; 0: none */
    uint64_t members, process_left;
    struct waiting *first, **last; /* owned */
};

static uint64_t
bit(uint32_t node)
{
    return node >= 1 && node < MAX_MEMBERS ? (uint64_t)1 << node : 0;
}

static void
drop_waiting(struct corosync *c)
{
    while (c->first) {
        struct waiting *w = c->first;

        c->first = w->next;
        free(w);
    }
    c->last = &c->first;
}

static void
disconnect(struct corosync *c)
{
    bool was = c->joined;

    loop_io_free(c->cpg_io);
    loop_io_free(c->quorum_io);
    c->cpg_io = c->quorum_io = NULL;
    if (c->cpg)
        cpg_finalize(c->cpg);
    if (c->quorum)
        quorum_finalize(c->quorum);
    c->cpg = 0;
    c->quorum = 0;
    c->connected = c->joined = false;
    c->members = c->process_left = 0;
    memset(c->pids, 0, sizeof c->pids);
    drop_waiting(c);
    loop_timer_stop(c->busy);
    loop_timer_in_ms(c->retry, RETRY_MS);
    if (was) {
        log_error("corosync: connection lost; trying again");
        c->handler.quorum(false, 0, c->handler.arg);
        c->handler.view(0, 0, 0, c->handler.arg);
    }
}

static void
deliver_cb(cpg_handle_t handle, const struct cpg_name *group, uint32_t node,
    uint32_t pid, void *data, size_t size)
{
    void *context = NULL;
    struct corosync *c;

    (void)group;
    cpg_context_get(handle, &context);
    c = context;
    /* a late word of a supervisor that ended is not its successor's */
    if (bit(node) && c->pids[node] == pid)
        c->handler.message(node, data, size, c->handler.arg);
}

/* All members compute the same from the same list, whatever its order. */
static uint64_t
view_name(const struct corosync *c)
{
    uint64_t h = FNV_BASIS;

    for (unsigned n = 1; n < MAX_MEMBERS; n++)
        h = fnv_mix(h, n + ((uint64_t)c->pids[n] << 8));
    return h ? h : 1;
}

static void
confchg_cb(cpg_handle_t handle, const struct cpg_name *group,
    const struct cpg_address *members, size_t nmembers, const struct cpg_address *left,
    size_t nleft, const struct cpg_address *joined, size_t njoined)
{
    void *context = NULL;
    struct corosync *c;

    (void)group;
    (void)joined;
    (void)njoined;
    cpg_context_get(handle, &context);
    c = context;
    memset(c->pids, 0, sizeof c->pids);
    c->members = 0;
    for (size_t i = 0; i < nmembers; i++)
        if (bit(members[i].nodeid)) {
            c->members |= bit(members[i].nodeid);
            c->pids[members[i].nodeid] = members[i].pid;
        } else
            log_warn(
                "corosync: node number %u is beyond 63; ignored", members[i].nodeid);
    for (size_t i = 0; i < nleft; i++)
        if (left[i].reason == CPG_REASON_NODEDOWN)
            c->process_left &= ~bit(left[i].nodeid);
        else
            c->process_left |= bit(left[i].nodeid);
    c->process_left &= ~c->members;
    c->joined = true;
    c->handler.view(view_name(c), c->members, c->process_left, c->handler.arg);
}

static void
quorum_cb(quorum_handle_t handle, uint32_t quorate, uint64_t ring, uint32_t n,
    uint32_t *nodes)
{
    const void *context = NULL;
    const struct corosync *c;
    uint64_t there = 0;

    (void)ring;
    quorum_context_get(handle, &context);
    c = context;
    for (uint32_t i = 0; i < n; i++)
        there |= bit(nodes[i]);
    c->handler.quorum(quorate, there, c->handler.arg);
}

static void
dispatch_cb(struct loop_io *io, int fd, int events, void *arg)
{
    struct corosync *c = arg;
    cs_error_t err;

    (void)fd;
    (void)events;
    err = io == c->cpg_io ? cpg_dispatch(c->cpg, CS_DISPATCH_ALL)
                          : quorum_dispatch(c->quorum, CS_DISPATCH_ALL);
    if (err != CS_OK && err != CS_ERR_TRY_AGAIN)
        disconnect(c);
}

static cs_error_t
open_cpg(struct corosync *c)
{
    cpg_model_v1_data_t model = { .model = CPG_MODEL_V1,
        .cpg_deliver_fn = deliver_cb,
        .cpg_confchg_fn = confchg_cb };
    cs_error_t err;
    int fd;

    err = cpg_model_initialize(&c->cpg, CPG_MODEL_V1, (cpg_model_data_t *)&model, c);
    if (err != CS_OK) {
        c->cpg = 0;
        return err;
    }
    err = cpg_fd_get(c->cpg, &fd);
    if (err != CS_OK)
        return err;
    c->cpg_io = loop_io_new(c->loop, fd, LOOP_READ, dispatch_cb, c);
    return cpg_join(c->cpg, &c->group);
}

static cs_error_t
open_quorum(struct corosync *c)
{
    quorum_callbacks_t callbacks = { .quorum_notify_fn = quorum_cb };
    uint32_t type;
    cs_error_t err;
    int fd;

    err = quorum_initialize(&c->quorum, &callbacks, &type);
    if (err != CS_OK) {
        c->quorum = 0;
        return err;
    }
    quorum_context_set(c->quorum, c);
    err = quorum_fd_get(c->quorum, &fd);
    if (err != CS_OK)
        return err;
    c->quorum_io = loop_io_new(c->loop, fd, LOOP_READ, dispatch_cb, c);
    return quorum_trackstart(c->quorum, CS_TRACK_CHANGES | CS_TRACK_CURRENT);
}

static void
connect_cb(struct loop_timer *timer, void *arg)
{
    struct corosync *c = arg;
    cs_error_t err = open_quorum(c);

    (void)timer;
    if (err == CS_OK)
        err = open_cpg(c);
    if (err == CS_OK) {
        c->connected = true;
        c->said = false;
        log_info("corosync: connected, group %s", c->group.value);
        return;
    }
    if (!c->said)
        log_error(
            "corosync: cannot connect (%s); is corosync running, and may this user "
            "talk to it (/etc/corosync/uidgid.d)?  Trying again",
            cs_strerror(err));
    c->said = true;
    disconnect(c);
}

static bool
send_now(struct corosync *c, const void *data, size_t size)
{
    struct iovec iov = { (void *)(uintptr_t)data, size };
    cs_error_t err = cpg_mcast_joined(c->cpg, CPG_TYPE_AGREED, &iov, 1);

    if (err == CS_ERR_TRY_AGAIN)
        return false;
    if (err != CS_OK)
        log_error("corosync: cannot send: %s", cs_strerror(err));
    return true; /* a broken connection shows when it is read */
}

static void
busy_cb(struct loop_timer *timer, void *arg)
{
    struct corosync *c = arg;

    while (c->first && send_now(c, c->first->data, c->first->size)) {
        struct waiting *w = c->first;

        c->first = w->next;
        free(w);
    }
    if (!c->first)
        c->last = &c->first;
    else
        loop_timer_in_ms(timer, BUSY_MS);
}

void
corosync_broadcast(struct corosync *c, const void *data, size_t size)
{
    struct waiting *w;

    if (!c->joined || (!c->first && send_now(c, data, size)))
        return;
    w = malloc(sizeof *w + size);
    if (!w)
        log_fatal("corosync: out of memory");
    w->next = NULL;
    w->size = size;
    memcpy(w->data, data, size);
    *c->last = w;
    c->last = &w->next;
    loop_timer_in_ms(c->busy, BUSY_MS);
}

struct corosync *
corosync_new(struct loop *loop, const char *group, struct corosync_handler handler)
{
    struct corosync *c = calloc(1, sizeof *c);

    if (!c)
        log_fatal("corosync: out of memory");
    c->loop = loop;
    c->handler = handler;
    c->group.length = (size_t)snprintf(
        c->group.value, sizeof c->group.value, "%s", group);
    c->last = &c->first;
    c->retry = loop_timer_new(loop, connect_cb, c);
    c->busy = loop_timer_new(loop, busy_cb, c);
    loop_timer_in_ms(c->retry, 0);
    return c;
}

void
corosync_free(struct corosync *c)
{
    if (!c)
        return;
    c->joined = false; /* nobody to tell any more */
    disconnect(c);
    loop_timer_free(c->retry);
    loop_timer_free(c->busy);
    free(c);
}
