/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * filestore_carry.c - the thread that carries out what is staged. */
#include "sockmig/filestore_private.h"

#include "lib/fault.h"
#include "lib/log.h"
#include "sockmig/realtime.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#define EVERY_S 1

/* The file that is not written any more, and all of whose checkpoints the clone has. */
static bool
is_due(const struct filestore *f)
{
    return f->begun && f->applied >= f->journal.numbers[!f->now];
}

void
store_is_broken(struct filestore *f, const char *what, int ret)
{
    f->broken = true;
    f->ready = false;
    store_trouble(f, what, ret);
}

/* The commit record counts from the rename on: it is made under the lock, or it might
 * come after a takeover has done it all. */
static int
commit(struct filestore *f, struct journal_part *part)
{
    int ret;

    pthread_mutex_unlock(&f->lock);
    ret = journal_next(&f->journal, part);
    if (ret == 0)
        ret = journal_prepare(&f->journal, part, true);
    pthread_mutex_lock(&f->lock);
    if (ret < 0 || !f->begun)
        return ret;
    ret = journal_commit(&f->journal, true);
    pthread_mutex_unlock(&f->lock);
    if (ret == 0)
        ret = journal_sync(&f->journal);
    FAULT_POINT("files-committed");
    pthread_mutex_lock(&f->lock);
    return ret;
}

static int
carry(struct filestore *f, const struct journal_part *part)
{
    int ret;

    f->carrying = true;
    pthread_mutex_unlock(&f->lock);
    ret = store_carry_out(f, part, false);
    FAULT_POINT("files-carried-out");
    pthread_mutex_lock(&f->lock);
    f->carrying = false;
    if (ret == 0)
        f->from = part->to;
    pthread_cond_broadcast(&f->changed);
    return ret;
}

static int
flush_part(struct filestore *f, struct journal_part *part)
{
    int ret = commit(f, part);

    if (ret == 0 && f->begun)
        ret = carry(f, part);
    if (ret == 0 && f->begun) {
        pthread_mutex_unlock(&f->lock);
        ret = store_sync_roots(f);
        pthread_mutex_lock(&f->lock);
    }
    return ret;
}

/* Durable first, then done, part by part.  A takeover may come at any time and do it
 * itself, without waiting for the disk: .begun is false then. */
static void
flush(struct filestore *f)
{
    struct journal_part part = { .which = !f->now };
    int ret = 0;

    f->busy = true;
    while (ret == 0 && f->begun && f->from < f->journal.sizes[part.which]) {
        part.from = f->from;
        ret = flush_part(f, &part);
    }
    if (ret == 0 && f->begun) {
        f->number = f->journal.numbers[part.which];
        ret = store_finish(f, part.which);
        f->ready = ret == 0;
        f->begun = false;
    }
    f->busy = false;
    if (ret < 0)
        store_is_broken(f, "a checkpoint's changes cannot be carried out", ret);
    pthread_cond_broadcast(&f->changed);
}

/* After a takeover: what it did has to reach the disk. */
static void
sync_settled(struct filestore *f)
{
    f->settled = false;
    f->busy = true;
    pthread_mutex_unlock(&f->lock);
    if (store_sync_roots(f) < 0 || journal_sync(&f->journal) < 0)
        log_warn("service %s: state folders: not yet on the disk: %s", f->conf.service,
            strerror(errno));
    pthread_mutex_lock(&f->lock);
    f->busy = false;
    pthread_cond_broadcast(&f->changed);
}

/* What is staged from here on goes into the other file. */
static void
begin_flush(struct filestore *f)
{
    if (f->begun || !f->complete || f->journal.sizes[f->now] == 0)
        return;
    f->begun = true;
    f->from = 0;
    f->now = !f->now;
}

static void
wait_a_while(struct filestore *f)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += EVERY_S;
    pthread_cond_timedwait(&f->changed, &f->lock, &until);
}

void *
store_main(void *arg)
{
    struct filestore *f = arg;

    pthread_setname_np(pthread_self(), "files");
    realtime_set(false);
    pthread_mutex_lock(&f->lock);
    for (;;) {
        if (f->phase == STORE_LOOKS && !f->stop)
            store_look(f);
        if (f->settled)
            sync_settled(f);
        begin_flush(f);
        if (!f->broken && is_due(f))
            flush(f);
        else
            wait_a_while(f);
    }
    return NULL;
}
