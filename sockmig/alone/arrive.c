/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/alone/arrive_parts.h"

#include "lib/fault.h"
#include "lib/fd.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "sockmig/alone/decision.h"
#include "sockmig/alone/injector.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define QUIET_MS 60000      /* of the other side */
#define MARGIN_NS 100000000 /* for the way of the first state, by the clock */
#define KNOWN_MS 2000       /* for its last word */
#define HEIR_TRIES 20       /* to find it ended */
#define LINGER_MS 5000      /* for packets that came to the old place */

static int
answer(struct arrival *a, enum channel_word word, const void *data, size_t size)
{
    int ret;

    /* who is killed here may have said it: nobody says it again, the source asks */
    if (word == CHANNEL_RUNS || word == CHANNEL_FAILED) {
        if (a->page->answered)
            return 0;
        a->page->answered = true;
    }
    ret = channel_say(&a->channel, word, data, size);
    a->page->next_out = a->channel.next_out;
    return ret;
}

int
arrive_fail(struct arrival *a, int ret, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(a->error, sizeof a->error, fmt, ap);
    va_end(ap);
    return ret;
}

/* ---- records */

static int
keep(struct arrival *a, const struct imgfile_item *item)
{
    struct waiting *w;
    uint8_t *data;

    if (a->nwaiting == a->max_waiting) {
        size_t more = a->max_waiting ? 2 * a->max_waiting : 64;

        w = realloc(a->waiting, more * sizeof *w);
        if (!w)
            return -ENOMEM;
        a->waiting = w;
        a->max_waiting = more;
    }
    data = malloc(item->size > 0 ? item->size : 1);
    if (!data)
        return -ENOMEM;
    memcpy(data, item->data, item->size);
    w = &a->waiting[a->nwaiting++];
    w->item = *item;
    w->item.data = data;
    return 0;
}

static int
use_waiting(struct arrival *a)
{
    int ret = 0;

    for (size_t i = 0; i < a->nwaiting && ret == 0; i++)
        ret = revive_item(&a->revive, &a->waiting[i].item, &a->room);
    for (size_t i = 0; i < a->nwaiting; i++)
        free((void *)(uintptr_t)a->waiting[i].item.data);
    a->nwaiting = 0;
    return ret;
}

static int
take_record(struct arrival *a, const struct imgfile_item *item)
{
    char error[IMGFILE_ERROR] = "";
    bool content = item->type == IMGFILE_PAGES || item->type == IMGFILE_QUEUES;
    int ret;

    if (!a->page->ordered && item->type != IMGFILE_HEAD)
        return -EPROTO;
    if (item->type == IMGFILE_TREE) {
        struct imgfile_head head = a->images[0].head;

        a->now = &a->images[a->built];
        load_free(a->now);
        a->now->head = head;
        a->taken = mono_clock();
    }
    if (content && a->built && a->now == &a->images[0])
        return revive_item(&a->revive, item, &a->room);
    if (content)
        return keep(a, item);
    ret = load_add(a->now, item, error);
    return ret < 0 && error[0] ? arrive_fail(a, ret, "%s", error) : ret;
}

/* ---- steps */

static int
explain(struct arrival *a, int ret)
{
    const struct refusals *why = &a->revive.why;
    size_t n = 0;

    if (ret == 0 || a->error[0])
        return ret;
    for (unsigned i = 0; i < why->n && i < REFUSALS_MAX && n < sizeof a->error - 400;
         i++)
        n += (size_t)snprintf(a->error + n, sizeof a->error - n,
            "process %d: %s; cure: %s\n", why->v[i].pid, why->v[i].what,
            why->v[i].cure);
    if (n == 0)
        snprintf(a->error, sizeof a->error, "%s",
            a->revive.error[0] ? a->revive.error : strerror(-ret));
    return ret;
}

static void
share_silence(struct arrival *a)
{
    a->page->silence = a->revive.silence;
    a->page->silent = a->revive.has_begun;
}

static void go_on_inside(struct arrival *a);

static int
build(struct arrival *a)
{
    int ret = a->built ? -EPROTO : load_whole(a->now, a->revive.error);

    if (ret == 0)
        ret = arrive_check(a);
    if (ret == 0 && a->page->order.cell[0] && !a->inside)
        return arrive_enter(a, go_on_inside);
    if (ret == 0)
        ret = arrive_begin(a);
    if (ret < 0)
        return ret;
    a->revive.age_ns = MARGIN_NS;
    ret = revive_begin(&a->revive, a->now);
    share_silence(a);
    FAULT_POINT("arrive-stubs");
    if (ret == 0)
        ret = use_waiting(a);
    if (ret == 0 && (a->revive.tun = injector_open()) < 0)
        ret = arrive_fail(a, a->revive.tun, "no TUN device (%s): modprobe tun",
            strerror(-a->revive.tun));
    if (ret == 0 && (a->announcer = vip_announcer()) < 0)
        ret = arrive_fail(a, a->announcer,
            "no packet socket to announce addresses (%s): run sockmig as root",
            strerror(-a->announcer));
    a->built = ret == 0;
    return ret == 0 ? answer(a, CHANNEL_BUILT, NULL, 0) : ret;
}

static int
finish(struct arrival *a)
{
    int ret = a->built && !a->ready ? load_whole(a->now, a->revive.error) : -EPROTO;

    if (ret == 0)
        ret = arrive_check(a);
    if (ret == 0)
        ret = revive_renew(&a->revive, a->now);
    share_silence(a);
    FAULT_POINT("arrive-renewed");
    if (ret == 0)
        ret = use_waiting(a);
    a->ready = ret == 0;
    return ret == 0 ? answer(a, CHANNEL_READY, NULL, 0) : ret;
}

static int
go(struct arrival *a)
{
    struct channel_result result = { 0 };
    int ret = a->ready ? 0 : -EPROTO;

    a->go = mono_clock();
    FAULT_POINT("arrive-go");
    if (ret == 0)
        ret = arrive_add(a);
    FAULT_POINT("arrive-addresses");
    a->revive.age_ns = 1000 * mono_us_between(a->taken, mono_clock());
    a->revive.before = arrive_decide;
    a->revive.arg = a;
    if (ret == 0)
        ret = revive_wake(&a->revive);
    if (ret < 0) {
        if (a->runs)
            decision_revoke(a->page->order.id);
        a->runs = a->page->runs = false;
        return ret;
    }
    arrive_announce(a);
    a->woken = mono_clock();
    FAULT_POINT("arrive-runs");
    result.connections = a->revive.connections;
    result.lost = a->revive.lost;
    result.wake_us = (uint64_t)mono_us_between(a->go, mono_clock());
    answer(a, CHANNEL_RUNS, &result, sizeof result); /* if it is lost, it will ask */
    arrive_dismiss(a);
    FAULT_POINT("arrive-dismissed");
    return 0;
}

/* What takes its time: meanwhile they run, and their packets wait for this worker. */
static void
tidy_up(struct arrival *a)
{
    a->tidy = true;
    revive_settle(&a->revive);
    a->page->silent = false;
    arrive_finished(a);
    if (a->revive.freezer)
        revive_groups(&a->revive);
    for (unsigned i = 0; i < a->revive.why.n && i < REFUSALS_MAX; i++)
        log_warn("process %d: %s", a->revive.why.v[i].pid, a->revive.why.v[i].what);
}

static int
tell_runs(struct arrival *a)
{
    struct imgfile_item item;
    int ret = answer(a, CHANNEL_RUNS, NULL, 0);

    if (ret == 0 && channel_get(&a->channel, &item, KNOWN_MS) == 0 &&
        (unsigned)item.type == CHANNEL_KNOWN)
        decision_forget(a->page->order.id);
    a->page->ordered = false; /* it was not this worker's */
    return ret;
}

/* A question about another move, that was cut off. */
static int
tell(struct arrival *a, const struct imgfile_item *item)
{
    struct arrive_page *page = a->page;
    bool gone;
    int runs;

    if (arrive_order(a, item) < 0 && !page->ordered)
        return -EPROTO;
    a->error[0] = '\0';
    runs = decision_make(page->order.id, false);
    if (runs < 0)
        return runs;
    gone = unfinished_clear(page->order.id);
    if (runs == 1)
        return tell_runs(a);
    if (gone) {
        /* what a killed one has left of it */
        silence_clear(page->order.silence);
        for (unsigned i = 0; i < page->order.naddresses; i++) {
            char ignored[VIP_ERROR];

            if (vip_find(&a->vips[i], ignored) == 0)
                vip_remove(&a->vips[i]);
        }
        decision_forget(page->order.id);
    }
    page->ordered = false;
    arrive_fail(a, -ECANCELED, "the connection was lost, they do not run there");
    return answer(a, CHANNEL_FAILED, a->error, strlen(a->error));
}

static int
take(struct arrival *a, const struct imgfile_item *item)
{
    switch ((unsigned)item->type) {
    case CHANNEL_ORDER:
        return arrive_order(a, item);
    case CHANNEL_SHAPE:
        return build(a);
    case CHANNEL_SYNC:
        return answer(a, CHANNEL_SYNCED, NULL, 0);
    case IMGFILE_END:
        return finish(a);
    case CHANNEL_GO:
        return go(a);
    case CHANNEL_ASK:
        return tell(a, item);
    default:
        return take_record(a, item);
    }
}

/* It ended without a reset and without a word: so its guard took leave, and the source
 * is dead. */
static void
forget_if_dead(const struct arrival *a)
{
    char byte;

    if (recv(a->channel.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0)
        decision_forget(a->page->order.id);
}

/* A neighbour may miss an announcement, or ignore one that comes within 1 s of the last
 * change of its entry: what it sends to the old place meanwhile is brought here. */
static void
settle(struct arrival *a)
{
    static const unsigned at_ms[] = { 100, 1100, 2100 };
    bool open = true;
    unsigned told = 0;

    while (open || (told < 3 && a->page->nvips > 0)) {
        int64_t ms = mono_us_between(a->woken, mono_clock()) / 1000;
        struct imgfile_item item;

        if (told < 3 && ms >= at_ms[told]) {
            arrive_announce(a);
            told++;
            if (!a->tidy)
                tidy_up(a);
        } else if (!open) {
            poll(NULL, 0, 50);
        } else if (channel_ready(&a->channel, 50)) {
            open = channel_get(&a->channel, &item, LINGER_MS) == 0;
            if (!open)
                forget_if_dead(a);
            if (open && (unsigned)item.type == CHANNEL_KNOWN)
                decision_forget(a->page->order.id);
            if (open && (unsigned)item.type == CHANNEL_HELD && item.size > 0 &&
                write(a->revive.tun, item.data, item.size) < 0)
                log_debug("a packet was not taken: %s", strerror(errno));
        } else if (ms > LINGER_MS) {
            open = false;
        }
    }
    if (!a->tidy)
        tidy_up(a);
}

static void
end(struct arrival *a)
{
    for (size_t i = 0; i < a->nwaiting; i++)
        free((void *)(uintptr_t)a->waiting[i].item.data);
    free(a->waiting);
    free(a->room.runs);
    if (!a->runs)
        freezer_kill(&a->freezer);
    revive_end(&a->revive, !a->runs);
    a->page->silent = false;
    load_free(&a->images[0]);
    load_free(&a->images[1]);
    fd_close(a->announcer);
    a->announcer = -1;
}

/* Nothing may be left of them when the other side hears that it failed. */
static void
give_up(struct arrival *a, int ret)
{
    explain(a, ret);
    if (a->page->ordered && decision_make(a->page->order.id, false) != 0)
        return; /* who asks later is told */
    end(a);
    arrive_remove(a->page);
    log_warn("not received: %s", a->error);
    answer(a, CHANNEL_FAILED, a->error, strlen(a->error));
    arrive_finished(a);
    if (a->page->ordered) /* nobody is left who could decide */
        decision_forget(a->page->order.id);
}

static void
serve(struct arrival *a, int ret)
{
    struct imgfile_item item;

    while (ret == 0 && !a->runs && !a->left) {
        ret = channel_get(&a->channel, &item, QUIET_MS);
        if (ret == 0)
            ret = take(a, &item);
    }
    if (ret < 0 && a->channel.next_in > 0)
        give_up(a, ret);
    else if (ret < 0)
        log_warn("connection refused: %s",
            ret == -EBADMSG ? "another secret" : strerror(-ret));
    if (a->runs) {
        settle(a);
        end(a);
    }
}

static void
go_on_inside(struct arrival *a)
{
    a->inside = true;
    serve(a, build(a));
}

bool
arrive(int fd, const struct arrive_conf *conf, struct arrive_page *page)
{
    struct arrival *a = calloc(1, sizeof *a);
    int ret;

    if (!a)
        return false;
    a->page = page;
    a->conf = conf;
    a->now = &a->images[0];
    a->unfinished.fd = a->freezer.home = a->freezer.group = a->heir.life =
        a->announcer = -1;
    revive_init(&a->revive);
    ret = channel_accept(&a->channel, fd, conf->secret);
    page->out = a->channel.out;
    serve(a, ret);
    channel_close(&a->channel);
    free(a);
    return page->runs;
}

/* Its heir, if it was dismissed, may be about to end; one that goes on tidies up. */
static void
tidy_up_after(const struct arrive_page *page)
{
    for (unsigned i = 0; i < HEIR_TRIES && !unfinished_clear(page->order.id); i++)
        poll(NULL, 0, 5);
}

void
arrive_clear(int fd, struct arrive_page *page)
{
    static const char why[] = "the receiving program was ended";
    struct channel c = { .fd = fd, .out = page->out, .next_out = page->next_out };
    char ignored[SILENCE_ERROR];
    int runs;

    if (page->runs && page->answered)
        tidy_up_after(page);
    if (page->answered || !page->ordered || page->heir)
        return;
    runs = decision_make(page->order.id, false);
    if (runs < 0)
        return;
    if (page->silent)
        silence_off(&page->silence, ignored);
    if (runs) {
        channel_say(&c, CHANNEL_RUNS, NULL, 0);
        return;
    }
    arrive_remove(page);
    unfinished_clear(page->order.id);
    decision_forget(page->order.id);
    channel_say(&c, CHANNEL_FAILED, why, sizeof why - 1);
}
