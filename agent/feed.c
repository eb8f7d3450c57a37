/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/feed.h"

#include "agent/link.h"
#include "lib/log.h"

#include <stdlib.h>
#include <string.h>

#define PERIOD_MS 1000 /* between two readings, at the latest */
#define SPACING_MS 200 /* on average at the soonest: 5 a second, but */
#define BURST 5        /* so many may come as soon as */
#define SOONEST_MS 10
#define RETRY_MS 500 /* between attempts to connect */
#define JOURNAL_ROWS 256
#define ID_EVENTS 100 /* below: 1 + enum feed_doc; above: the owner's */

struct feed {
    const char *name; /* static */
    struct link *link;
    bool cluster;
    void (*answer)(const struct jv *, void *);
    void *arg;
    struct jv *docs[FEED_NDOCS]; /* owned */
    struct mono now, asked, answered, retry;
    struct mono share; /* the burst is used up as far as this is ahead */
    bool waiting;      /* for the answer to the status asked for at .asked */
    bool ever;         /* .answered counts */
    bool hinted;       /* an event says that there is news */
    bool journal_due;  /* the journal has rows we have not */
    bool changed;
    enum liveness state;
};

static const char *const ops[FEED_NDOCS] = { "status", "orders", "journal" };

struct feed *
feed_new(const char *name, const char *path, bool cluster,
    void (*answer)(const struct jv *msg, void *arg), void *arg)
{
    struct feed *f = calloc(1, sizeof *f);

    if (!f)
        log_fatal("%s: out of memory", name);
    f->name = name;
    f->link = link_new(path, 0);
    f->cluster = cluster;
    f->answer = answer;
    f->arg = arg;
    return f;
}

static void
forget(struct feed *f)
{
    for (int i = 0; i < FEED_NDOCS; i++) {
        jv_free(f->docs[i]);
        f->docs[i] = NULL;
    }
}

void
feed_free(struct feed *feed)
{
    if (!feed)
        return;
    forget(feed);
    link_free(feed->link);
    free(feed);
}

struct pollfd
feed_poll(const struct feed *feed)
{
    return (
        struct pollfd){ .fd = link_fd(feed->link), .events = link_events(feed->link) };
}

struct mono
feed_due(const struct feed *feed)
{
    struct mono soonest, share;

    if (link_fd(feed->link) < 0)
        return feed->retry;
    if (feed->state == LIVE_SILENT)
        return mono_add_ms(feed->now, PERIOD_MS);
    if (feed->waiting)
        return mono_add_ms(feed->asked, FEED_SILENT_MS);
    if (!feed->hinted)
        return mono_add_ms(feed->asked, PERIOD_MS);
    soonest = mono_add_ms(feed->asked, SOONEST_MS);
    share = mono_add_ms(feed->share, -(BURST - 1) * SPACING_MS);
    return mono_before(soonest, share) ? share : soonest;
}

static void
set_state(struct feed *f, enum liveness state)
{
    static const char *const words[] = { "unknown", "answering", "silent", "absent" };

    if (state == f->state)
        return;
    log_info("%s: %s -> %s", f->name, words[f->state], words[state]);
    f->state = state;
    f->changed = true;
}

static void
request(struct feed *f, const char *op, int64_t id)
{
    struct jv *msg = jv_object();

    jv_set_str(msg, "op", op);
    jv_set_int(msg, "id", id);
    if (strcmp(op, "journal") == 0)
        jv_set_int(msg, "limit", JOURNAL_ROWS);
    link_send(f->link, msg);
}

static void
ask(struct feed *f)
{
    f->asked = f->now;
    f->share = mono_add_ms(
        mono_before(f->share, f->now) ? f->now : f->share, SPACING_MS);
    f->waiting = true;
    f->hinted = false;
    request(f, ops[FEED_STATUS], 1 + FEED_STATUS);
    if (!f->cluster)
        return;
    request(f, ops[FEED_ORDERS], 1 + FEED_ORDERS);
    if (f->journal_due)
        request(f, ops[FEED_JOURNAL], 1 + FEED_JOURNAL);
    f->journal_due = false;
}

static void
take_doc(struct feed *f, enum feed_doc doc, const struct jv *msg)
{
    if (!jv_bool(msg, "ok", false)) {
        log_warn("%s: refuses %s: %s", f->name, ops[doc], jv_str(msg, "error", "?"));
        return;
    }
    jv_free(f->docs[doc]);
    f->docs[doc] = jv_copy(msg);
    f->changed = true;
    if (doc != FEED_STATUS)
        return;
    f->waiting = false;
    f->ever = true;
    f->answered = f->now;
    set_state(f, LIVE_ANSWERING);
}

static void
on_message(const struct jv *msg, void *arg)
{
    struct feed *f = arg;
    int64_t id = jv_int(msg, "id", 0);

    if (jv_has(msg, "event")) {
        f->hinted = true;
        f->journal_due = true;
    } else if (id >= 1 && id <= FEED_NDOCS) {
        take_doc(f, (enum feed_doc)(id - 1), msg);
    } else if (id > ID_EVENTS && f->answer) {
        f->answer(msg, f->arg);
    }
}

static void
connect_again(struct feed *f)
{
    if (mono_before(f->now, f->retry))
        return;
    f->retry = mono_add_ms(f->now, RETRY_MS);
    if (link_open(f->link) < 0) {
        set_state(f, LIVE_ABSENT);
        return;
    }
    f->journal_due = true;
    request(f, "events", ID_EVENTS);
    ask(f);
}

bool
feed_turn(struct feed *feed, bool ready, struct mono now)
{
    feed->now = now;
    feed->changed = false;
    if (link_fd(feed->link) < 0)
        connect_again(feed);
    if (ready)
        link_turn(feed->link, on_message, feed);
    if (link_fd(feed->link) < 0) {
        forget(feed);
        feed->waiting = false;
        set_state(feed, LIVE_ABSENT);
    } else if (feed->waiting) {
        /* judged after reading: an answer that waited here while we were held up
         * elsewhere is not late */
        if (mono_us_between(feed->asked, now) > FEED_SILENT_MS * 1000) {
            forget(feed);
            set_state(feed, LIVE_SILENT);
        }
    } else if (!mono_before(now, feed_due(feed))) {
        ask(feed);
    }
    return feed->changed;
}

bool
feed_ask(struct feed *feed, struct jv *req, int64_t id)
{
    jv_set_int(req, "id", id);
    link_send(feed->link, req);
    return link_fd(feed->link) >= 0;
}

enum liveness
feed_state(const struct feed *feed)
{
    return feed->state;
}

const struct jv *
feed_doc(const struct feed *feed, enum feed_doc doc)
{
    return feed->docs[doc];
}

int64_t
feed_age_ms(const struct feed *feed, struct mono now)
{
    return feed->ever ? mono_us_between(feed->answered, now) / 1000 : -1;
}
