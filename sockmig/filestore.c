/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/filestore_private.h"

#include "lib/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#define SOON_BYTES (16u << 20)  /* staged: carried out at once */
#define SPARE_BYTES (16u << 20) /* of the disk, beyond what is staged */

int
filestore_new(const struct filestore_conf *conf, struct filestore **out)
{
    struct filestore *f = calloc(1, sizeof *f);
    pthread_condattr_t monotonic;
    struct journal_part part;
    int ret;

    if (!f)
        log_fatal("state folders: out of memory");
    f->conf = *conf;
    for (unsigned i = 0; i < FILES_MAX_ROOTS; i++)
        f->roots[i] = -1;
    pthread_mutex_init(&f->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&f->changed, &monotonic);
    ret = journal_open(&f->journal, conf->service);
    if (ret == 0 && journal_pending(&f->journal, &part) != -ENOENT) {
        ret = store_open_roots(f);
        if (ret == 0)
            ret = store_recover(f);
    }
    if (ret < 0)
        store_is_broken(f, "what an earlier engine left cannot be finished", ret);
    if (pthread_create(&f->thread, NULL, store_main, f) != 0)
        log_fatal("state folders: no thread");
    *out = f;
    return ret;
}

void
filestore_follow(struct filestore *f, struct uplink *up)
{
    int ret;

    filestore_leave(f);
    pthread_mutex_lock(&f->lock);
    f->begun = false;
    while (f->busy)
        pthread_cond_wait(&f->changed, &f->lock);
    f->broken = f->ready = f->complete = false;
    f->number = f->applied = 0;
    f->now = 0;
    ret = store_open_roots(f);
    if (ret == 0)
        ret = store_recover(f); /* empties both */
    f->up = up;
    f->stop = false;
    f->phase = ret == 0 ? STORE_LOOKS : STORE_IDLE;
    if (ret < 0)
        store_is_broken(f, "they cannot be used", ret);
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

void
filestore_leave(struct filestore *f)
{
    pthread_mutex_lock(&f->lock);
    f->stop = true;
    while (f->looking)
        pthread_cond_wait(&f->changed, &f->lock);
    f->up = NULL;
    if (f->phase < STORE_WHOLE)
        f->phase = STORE_IDLE; /* else the clone may still be woken */
    pthread_mutex_unlock(&f->lock);
}

/* Before it is acknowledged: there is room for it here, and where it goes to. */
static const char *
lacks_room(const struct filestore *f, uint64_t size)
{
    uint64_t want = size + f->journal.sizes[0] + f->journal.sizes[1] + SPARE_BYTES;
    struct statvfs fs;

    for (unsigned i = 0; i < f->conf.folders.nroots; i++)
        if (fstatvfs(f->roots[i], &fs) == 0 && fs.f_bavail * fs.f_frsize < want)
            return "no room for the state folders: the disk is full";
    return NULL;
}

const char *
filestore_stage(struct filestore *f, uint64_t number, const void *data, size_t size)
{
    const char *why = NULL;
    bool moves;
    int ret;

    if (!files_check_ops(data, size, f->conf.folders.nroots, &moves))
        return "operations on files are malformed";
    pthread_mutex_lock(&f->lock);
    if (f->phase == STORE_WAITS && number == 0)
        f->phase = STORE_SEEDED;
    if (f->phase == STORE_WHOLE && number > 0) {
        f->complete = true;
        if (size > 0 || !f->ready)
            f->journal.numbers[f->now] = number;
    }
    if (f->broken)
        why = "state folders cannot be used";
    else if (f->phase >= STORE_SEEDED)
        why = lacks_room(f, size);
    if (!why && f->phase >= STORE_SEEDED && size > 0) {
        ret = journal_add(&f->journal, f->now, number, moves, data, size);
        if (ret < 0)
            why = ret == -ENOSPC
                      ? "no room to stage changes of state folders: the disk is full"
                      : "changes of state folders cannot be staged";
    }
    if (f->journal.sizes[f->now] > SOON_BYTES || (f->complete && !f->ready))
        pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
    if (why)
        f->conf.trouble(f->conf.arg, why);
    return why;
}

void
filestore_seeded(struct filestore *f)
{
    pthread_mutex_lock(&f->lock);
    if (f->phase == STORE_SEEDED)
        f->phase = STORE_WHOLE;
    pthread_mutex_unlock(&f->lock);
}

bool
filestore_ready(struct filestore *f)
{
    bool ready;

    pthread_mutex_lock(&f->lock);
    ready = !f->broken && (f->ready || (f->complete && f->journal.sizes[0] == 0 &&
                                           f->journal.sizes[1] == 0));
    pthread_mutex_unlock(&f->lock);
    return ready;
}

void
filestore_applied(struct filestore *f, uint64_t number)
{
    pthread_mutex_lock(&f->lock);
    f->applied = number;
    if (f->begun || !f->ready)
        pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

/* One file, at a takeover: what matters now is the time; the disk follows. */
static int
settle_one(struct filestore *f, unsigned which, uint64_t from)
{
    struct journal_part part = { .which = which, .from = from };
    int ret;

    while (part.from < f->journal.sizes[which]) {
        ret = journal_next(&f->journal, &part);
        if (ret == 0)
            ret = journal_prepare(&f->journal, &part, false);
        if (ret == 0)
            ret = journal_commit(&f->journal, false);
        if (ret == 0)
            ret = store_carry_out(f, &part, false);
        if (ret < 0)
            return ret;
        part.from = part.to;
    }
    return 0;
}

/* A commit record that stays would undo what the service writes from now on. */
static int
settle_all(struct filestore *f)
{
    int ret = 0;

    if (f->begun)
        ret = settle_one(f, !f->now, f->from);
    if (ret == 0)
        ret = settle_one(f, f->now, 0);
    if (ret == 0)
        ret = store_finish(f, 0);
    if (ret == 0)
        ret = store_finish(f, 1);
    return ret;
}

int
filestore_settle(struct filestore *f, uint64_t number)
{
    int ret = -ESTALE;

    pthread_mutex_lock(&f->lock);
    while (f->carrying)
        pthread_cond_wait(&f->changed, &f->lock);
    if (!f->broken && f->complete)
        ret = settle_all(f);
    f->phase = STORE_IDLE;
    f->begun = f->complete = f->ready = false;
    f->settled = ret == 0;
    if (ret == 0)
        f->number = number;
    else
        store_is_broken(f, "they cannot be brought to the checkpoint", ret);
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
    return ret;
}

bool
filestore_usable(struct filestore *f)
{
    bool broken;

    pthread_mutex_lock(&f->lock);
    broken = f->broken;
    pthread_mutex_unlock(&f->lock);
    return !broken;
}

void
filestore_stat(struct filestore *f, struct filestore_stat *out)
{
    pthread_mutex_lock(&f->lock);
    out->staged_bytes = f->journal.sizes[0] + f->journal.sizes[1];
    out->number = f->number;
    pthread_mutex_unlock(&f->lock);
}
