/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/alone/mover.h"

#include "lib/fault.h"
#include "lib/fd.h"
#include "lib/loop.h"
#include "sockmig/alone/alone.h"
#include "sockmig/alone/decision.h"
#include "sockmig/alone/rebind.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIMIT_MS 5000
#define LINGER_MS 2500 /* longer than it announces itself there */
#define ASK_MS 5000    /* for an answer, when the connection is lost */

struct mover *
mover_new(void)
{
    struct mover *m = calloc(1, sizeof *m);

    if (!m)
        return NULL;
    m->limit_ms = LIMIT_MS;
    m->channel.fd = m->catcher.fd = -1;
    m->take.guard.watcher.life = m->take.netns = -1;
    m->take.put = mover_put;
    m->take.arg = m;
    m->order.version = DECISION_VERSION;
    return m;
}

void
mover_free(struct mover *m)
{
    take_free(&m->take);
    channel_close(&m->channel);
    catcher_close(&m->catcher);
    for (unsigned i = 0; i < m->nshapes; i++)
        free(m->shapes[i].vmas);
    free(m->shapes);
    free(m);
}

/* ---- items and answers */

static void
serve(void *arg)
{
    struct mover *m = arg;

    if (!m->still && m->attached)
        tree_serve(&m->take.tree, 0);
}

int
mover_put(void *arg, enum imgfile_type type, uint32_t process,
    const struct iovec *parts, unsigned n)
{
    struct mover *m = arg;
    int ret = channel_put(&m->channel, (unsigned)type, process, parts, n, serve, m);

    if (ret < 0 && channel_ready(&m->channel, 0)) /* it may have said why */
        return mover_await(m, CHANNEL_NWORDS, 1);
    if (ret < 0)
        snprintf(m->take.error, sizeof m->take.error, "connection to %s: %s", m->host,
            strerror(-ret));
    return ret;
}

int
mover_word(struct mover *m, enum channel_word word)
{
    return mover_put(m, (enum imgfile_type)word, 0, NULL, 0);
}

static int
its_reason(struct mover *m, const struct imgfile_item *item)
{
    const char *at = (const char *)item->data, *end = at + item->size;

    while (at < end) {
        const char *line = memchr(at, '\n', (size_t)(end - at));
        int n = (int)((line ? line : end) - at);

        snprintf(m->take.error, sizeof m->take.error, "%.100s: %.*s", m->host,
            n < 150 ? n : 150, at);
        at += n + 1;
        if (at < end)
            alone_error("%s", m->take.error);
    }
    return -EREMOTEIO;
}

static int
lost(struct mover *m, int ret)
{
    const char *what = strerror(-ret);

    if (m->channel.next_in == 0 && (ret == -ECONNRESET || ret == -EBADMSG))
        what =
            "it ended the connection: the secret must be the same on both hosts, and "
            "the sockmig, too";
    if (ret == -ETIMEDOUT)
        what = "no answer in time";
    snprintf(m->take.error, sizeof m->take.error, "%s: %s", m->host, what);
    return ret;
}

int
mover_await(struct mover *m, enum channel_word word, unsigned limit_ms)
{
    struct mono until = mono_add_ms(mono_clock(), limit_ms);
    struct imgfile_item item;
    int ret;

    while (!channel_ready(&m->channel, m->still ? 1 : 0)) {
        if (m->channel.failed < 0)
            return lost(m, m->channel.failed);
        if (mono_before(until, mono_clock()))
            return lost(m, -ETIMEDOUT);
        serve(m);
    }
    ret = channel_get(&m->channel, &item, limit_ms);
    if (ret < 0)
        return lost(m, ret);
    if ((unsigned)item.type == CHANNEL_FAILED)
        return its_reason(m, &item);
    if ((unsigned)item.type != word)
        return lost(m, -EPROTO);
    if (word == CHANNEL_RUNS && item.size == sizeof m->result)
        memcpy(&m->result, item.data, sizeof m->result);
    return 0;
}

/* ---- addresses */

int
mover_find_addresses(struct mover *m)
{
    int home = take_enter(&m->take), ret = 0;

    if (home < 0)
        return home;
    for (unsigned i = 0; i < m->nvips && ret == 0; i++) {
        struct channel_address *a = &m->order.addresses[i];

        ret = vip_find(&m->vips[i], m->take.error);
        a->family = (uint32_t)m->vips[i].family;
        a->bits = m->vips[i].bits;
        memcpy(a->bytes, m->vips[i].bytes, sizeof a->bytes);
    }
    m->order.naddresses = m->nvips;
    take_leave(&m->take, home);
    return ret;
}

int
mover_addresses_away(struct mover *m)
{
    struct guard_page *page = m->take.guard.page;
    int home = take_enter(&m->take), ret = 0;

    if (home < 0)
        return home;
    for (unsigned i = 0; i < m->nvips && ret == 0; i++) {
        page->vips[i] = m->vips[i];
        page->nvips = i + 1;
        ret = vip_remove(&m->vips[i]);
        if (ret < 0)
            snprintf(m->take.error, sizeof m->take.error,
                "%s cannot be taken from %s: %s", vip_text(&m->vips[i]),
                m->vips[i].device, strerror(-ret));
    }
    take_leave(&m->take, home);
    return ret;
}

void
mover_addresses_back(struct mover *m)
{
    struct guard_page *page = m->take.guard.page;
    int home = take_enter(&m->take);

    if (home < 0)
        return;
    for (unsigned i = 0; i < page->nvips; i++) {
        int ret = vip_add(&m->vips[i]);

        if (ret < 0)
            alone_error("%s does not come back to %s: %s", vip_text(&m->vips[i]),
                m->vips[i].device, strerror(-ret));
        else
            vip_announce(&m->vips[i]);
    }
    page->nvips = 0;
    take_leave(&m->take, home);
}

void
mover_addresses_gone(struct mover *m)
{
    int home = take_enter(&m->take);

    if (home < 0)
        return;
    for (unsigned i = 0; i < m->nvips; i++)
        rebind_forget(&m->vips[i]);
    take_leave(&m->take, home);
}

void
mover_find_cell(struct mover *m)
{
    char path[64], *name = m->order.cell;
    struct stat ours, its;
    int home = open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC), there = -1;

    snprintf(path, sizeof path, "/proc/%d/ns/pid", (int)m->take.tree.pids[0]);
    if (stat("/proc/self/ns/pid", &ours) == 0 && stat(path, &its) == 0 &&
        ours.st_ino != its.st_ino) {
        snprintf(name, sizeof m->order.cell, "cell");
        snprintf(path, sizeof path, "/proc/%d/ns/uts", (int)m->take.tree.pids[0]);
        there = open(path, O_RDONLY | O_CLOEXEC);
    }
    if (home >= 0 && there >= 0 && setns(there, CLONE_NEWUTS) == 0) {
        gethostname(name, sizeof m->order.cell - 1);
        if (setns(home, CLONE_NEWUTS) < 0)
            alone_error("cannot return to the own host name: %s", strerror(errno));
    }
    fd_close(there);
    fd_close(home);
}

/* ---- packets */

int
mover_catch(struct mover *m)
{
    int home = take_enter(&m->take), ret;

    if (home < 0)
        return home;
    ret = catcher_open(&m->catcher);
    take_leave(&m->take, home);
    return ret;
}

int
mover_forward(struct mover *m)
{
    const struct silence *s = &m->take.guard.page->silence;
    size_t n;
    int ret = 0;

    while (ret == 0 && (n = catcher_next(&m->catcher, s)) > 0)
        ret = mover_put(m, (enum imgfile_type)CHANNEL_HELD, 0,
            &(struct iovec){ m->catcher.packet, n }, 1);
    return ret;
}

void
mover_linger(struct mover *m)
{
    struct mono until = mono_add_ms(mono_clock(), LINGER_MS);
    struct pollfd p = { .fd = m->catcher.fd, .events = POLLIN };

    m->still = true; /* there is nobody left to be served */
    while (m->nvips > 0 && mono_before(mono_clock(), until) && mover_forward(m) == 0)
        poll(&p, 1, 100);
    channel_drain(&m->channel, serve, m);
}

/* ---- the decision is the other end's */

int
mover_go(struct mover *m)
{
    struct guard_page *page = m->take.guard.page;
    int ret = channel_drain(&m->channel, serve, m);

    if (ret < 0)
        return ret;
    page->go_fd = m->channel.fd;
    page->go_size = channel_prepare(&m->channel, CHANNEL_GO, page->go);
    page->moves = true;
    take_bind(&m->take, true);
    FAULT_POINT("move-final");
    /* if it fails we do not know what has arrived: that is asked then */
    fd_write_all(m->channel.fd, page->go, page->go_size);
    page->go_size = 0;
    return 0;
}

/* The connection is lost; whoever listens there knows, or decides now. */
static int
ask(struct mover *m)
{
    struct channel c;
    struct imgfile_item item;
    char error[SILENCE_ERROR];
    int ret = channel_connect(
        &c, m->host, &m->secret, m->vips, m->nvips, error, sizeof error);

    m->result.connections = m->take.connections;
    if (ret == 0)
        ret = channel_say(&c, CHANNEL_ASK, &m->order, sizeof m->order);
    if (ret == 0)
        ret = channel_get(&c, &item, ASK_MS);
    if (ret == 0 && (unsigned)item.type == CHANNEL_FAILED)
        ret = its_reason(m, &item);
    else if (ret == 0 && (unsigned)item.type != CHANNEL_RUNS)
        ret = -EPROTO;
    if (ret == 0)
        channel_say(&c, CHANNEL_KNOWN, NULL, 0);
    channel_close(&c);
    return ret;
}

static int
ask_until_answered(struct mover *m)
{
    bool told = false;

    for (;;) {
        int ret = ask(m);

        if (ret == 0 || ret == -EREMOTEIO)
            return ret;
        if (!told)
            alone_error(
                "the connection to %s is lost, and it may have taken them over: "
                "they stand still here until \"sockmig receive\" there answers; "
                "end this program to end them here",
                m->host);
        told = true;
        sleep(1);
    }
}

int
mover_result(struct mover *m)
{
    int ret = 0;

    while (ret == 0 && !channel_ready(&m->channel, 0)) {
        struct pollfd p[2] = { { .fd = m->channel.fd, .events = POLLIN },
            { .fd = m->catcher.fd, .events = POLLIN } };

        poll(p, 2, 100);
        ret = mover_forward(m);
    }
    ret = mover_await(m, CHANNEL_RUNS, 0);
    if (ret == 0)
        mover_word(m, CHANNEL_KNOWN);
    else if (ret != -EREMOTEIO)
        ret = ask_until_answered(m);
    if (ret < 0)
        take_bind(&m->take, false);
    return ret;
}
