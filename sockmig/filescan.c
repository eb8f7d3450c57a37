/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/filescan_private.h"

#include "lib/core/mono.h"
#include "lib/fd.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "sockmig/reserve.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static uint8_t *
map_buffer(void)
{
    void *p = reserve(FILESCAN_BYTES);

    if (!p)
        log_fatal("state folders: out of memory");
    madvise(p, FILESCAN_BYTES, MADV_DONTFORK);
    return p;
}

struct filescan *
filescan_new(const struct filescan_conf *conf)
{
    struct filescan *s = calloc(1, sizeof *s);

    if (!s)
        log_fatal("state folders: out of memory");
    s->conf = *conf;
    s->delta = map_buffer();
    s->chunk = calloc(1, SCAN_CHUNK);
    if (!s->chunk)
        log_fatal("state folders: out of memory");
    s->out = writer_init(s->delta, FILESCAN_BYTES);
    for (unsigned i = 0; i < FILES_MAX_ROOTS; i++)
        s->fds[i] = -1;
    s->zero = scan_hash(s, s->chunk);
    return s;
}

void
filescan_free(struct filescan *s)
{
    if (!s)
        return;
    filescan_seed_end(s);
    filewrites_free(s->writes);
    filewatch_free(s->watch);
    scan_mapped_free(s);
    for (unsigned i = 0; i < FILES_MAX_ROOTS; i++)
        fd_close(s->fds[i]);
    scan_list_free(&s->now);
    scan_clean(s);
    scan_nodes_clear(s);
    free(s->all.v);
    free(s->dirty.v);
    free(s->fresh);
    free(s->was);
    free(s->by_watch);
    free(s->by_inode);
    reserve_end(s->delta, FILESCAN_BYTES);
    free(s->slots);
    free(s->to);
    free(s->chunk);
    free(s);
}

static void
put(void *arg, const struct files_op *op)
{
    struct filescan *s = arg;

    s->renamed |= op->kind == FILES_TAKE || op->kind == FILES_DROP;
    files_put_op(&s->out, op);
}

/* Room for a table of the old list. */
static int
lists_of(struct filescan *s, struct files_lists *l)
{
    size_t want = 64;

    while (want < 2 * s->dirty.n)
        want *= 2;
    if (want > s->nslots) {
        free(s->slots);
        free(s->to);
        s->slots = calloc(want, sizeof *s->slots);
        s->to = calloc(want, sizeof *s->to);
        s->nslots = s->slots && s->to ? want : 0;
        if (s->nslots == 0)
            return -ENOMEM;
    }
    *l = (struct files_lists){ .was = s->was,
        .now = s->now.v,
        .nwas = s->dirty.n,
        .nnow = s->now.n,
        .moved = { s->slots, (uint32_t)want, s->to },
        .numbers = s->moves };
    s->moves += s->dirty.n;
    return 0;
}

/* The content that standbys have under this name by now: what was there, cut or filled
 * up with zeroes. */
static int
adopt(struct filescan *s, const struct files_entry *before, struct scan_extra *old,
    struct files_entry *e, struct scan_extra *x)
{
    uint64_t want = files_blocks(e->size), have = 0;

    if (before && old->hashes) {
        have = files_blocks(before->size);
        x->hashes = old->hashes;
        old->hashes = NULL;
        x->look = old->look;
        x->unknown = old->unknown;
        x->seed = old->seed;
        x->seed_next = old->seed_next;
        x->have = old->have;
    } else {
        x->seed = s->seed.number; /* all of it is shipped now */
    }
    if (!x->hashes || want > have) {
        uint64_t *p = realloc(x->hashes, (want ? want : 1) * sizeof *p);

        if (!p)
            return -ENOMEM;
        x->hashes = p;
    }
    for (uint64_t i = have; i < want; i++)
        x->hashes[i] = s->zero;
    if (before && want > 0 && want <= have && e->size < before->size)
        x->hashes[want - 1] = 0, x->unknown = true; /* what was behind has gone */
    e->hashes = x->hashes;
    return 0;
}

static bool
same_times(const struct scan_extra *a, const struct scan_extra *b)
{
    return a->ctime.tv_sec == b->ctime.tv_sec && a->ctime.tv_nsec == b->ctime.tv_nsec;
}

enum due { DUE_NOT, DUE_BLOCKS, DUE_ALL };

/* Somebody else's write may still go on while the service stands still. */
static bool
is_foreign(const struct filescan *s, const struct scan_extra *x)
{
    return s->now_s - x->foreign < SCAN_FOREIGN_S;
}

static enum due
how_much(struct filescan *s, const struct files_entry *before,
    const struct scan_extra *old, const struct files_entry *e, struct scan_extra *x,
    struct filewrites_blocks *written)
{
    bool changed;

    *written = (struct filewrites_blocks){ .n = 0 };
    x->mapped = old ? old->mapped : 0;
    if (s->told || s->mapped.now)
        *written = filewrites_find(s->writes, x->kernel_inode);
    x->foreign = written->foreign ? s->now_s : old ? old->foreign : 0;
    if (s->mapped.now && before && before->inode == e->inode) {
        x->foreign = old->foreign;
        return written->whole ? DUE_ALL : written->n > 0 ? DUE_BLOCKS : DUE_NOT;
    }
    if (!before || old->look || before->inode != e->inode || written->whole ||
        (s->told && is_foreign(s, x)))
        return DUE_ALL;
    changed = before->size != e->size || !same_times(old, x) || old->written;
    if (!s->told)
        return changed || !old->settled || old->unknown ? DUE_ALL : DUE_NOT;
    if (written->written || old->unknown || (changed && written->n > 0))
        return DUE_BLOCKS;
    /* what is written by a mapping that is known is told afterwards */
    return changed && !scan_is_mapped(s, x) ? DUE_ALL : DUE_NOT;
}

static int
take_file(struct filescan *s, const struct files_entry *before, struct scan_extra *old,
    size_t i, bool shipped)
{
    struct files_entry *e = &s->now.v[i];
    struct scan_extra *x = &s->now.x[i];
    struct filewrites_blocks written;
    enum due due = how_much(s, before, old, e, x, &written);
    uint64_t from = before ? before->size / SCAN_CHUNK * SCAN_CHUNK : 0;
    int ret = adopt(s, before, old, e, x);

    if (ret == 0 && due != DUE_NOT)
        ret = scan_content(
            s, &s->now, i, shipped, due == DUE_BLOCKS ? &written : NULL, from);
    x->look |= !shipped && !x->settled; /* a write to it may have been going on */
    return ret;
}

static int
take_entry(struct filescan *s, const struct files_lists *l, size_t i, bool shipped,
    struct refusals *why)
{
    const struct files_entry *before = files_before(l, &s->now.v[i]);
    struct scan_extra *old = before ? &s->dirty.v[before - s->was]->x : NULL;
    int ret = 0;

    if (!old || !old->settled || !same_times(old, &s->now.x[i]))
        ret = scan_bare(s, &s->now.v[i], why);
    if (ret == 0 && s->now.v[i].type == FILES_FILE)
        ret = take_file(s, before, old, i, shipped);
    return ret;
}

/* What is there of what may have changed; all, if nobody can tell. */
static int
walk(struct filescan *s, struct refusals *why)
{
    bool all = !s->mapped.now && (!s->watch || s->lost);
    int ret = all ? 0 : scan_some(s, why);

    if (ret < 0 || (!all && s->watch))
        return ret;
    scan_all_dirty(s);
    ret = scan_walk(s, true, why);
    s->lost = false;
    return ret;
}

/* What has happened since the last look. */
static void
listen(struct filescan *s, bool shipped)
{
    s->now_s = time(NULL);
    s->told = s->writes && filewrites_drain(s->writes) && shipped;
    s->lost |= s->writes && !s->told; /* it is the only one to tell of some */
    s->stat = (struct filescan_stat){ 0 };
    s->mapped.begun = false;
    scan_events(s);
    scan_told(s);
}

int
scan_look(struct filescan *s, bool shipped, struct refusals *why)
{
    struct mono began = mono_clock();
    struct files_lists l;
    int ret;

    if (!s->mapped.now)
        listen(s, shipped);
    ret = walk(s, why);
    if (ret == 0)
        ret = scan_was(s);
    if (ret == 0)
        ret = lists_of(s, &l);
    if (ret < 0)
        return ret;
    s->renamed = false;
    files_structure(&l, put, s);
    for (size_t i = 0; i < s->now.n && ret == 0; i++)
        ret = take_entry(s, &l, i, shipped, why);
    if (ret < 0)
        return ret;
    files_attributes(&l, put, s);
    if (!shipped)
        s->out.pos = 0;
    s->stat.looked += s->now.n;
    scan_commit(s);
    s->stat.files = s->files;
    s->stat.bytes = s->bytes;
    s->stat.took_us += (uint32_t)mono_us_between(began, mono_clock());
    return s->out.bad ? -ENOSPC : 0;
}

int
scan_explain(int ret, struct refusals *why)
{
    if (ret == -ENOSPC)
        refuse(why, 0, -1, "let the service write less at once",
            "state folders: more than 4 GiB changed between two checkpoints");
    else if (ret < 0 && ret != -EOPNOTSUPP && ret != -ECANCELED)
        refuse(why, 0, -1, "see the system's log", "state folders cannot be read: %s",
            strerror(-ret));
    return ret < 0 && ret != -ECANCELED ? -EOPNOTSUPP : ret;
}

int
filescan_begin(struct filescan *s, const _Atomic bool *stop, struct refusals *why)
{
    int ret;

    filescan_seed_end(s);
    scan_clean(s);
    scan_nodes_clear(s);
    s->out = writer_init(s->delta, FILESCAN_BYTES);
    s->stop = stop;
    ret = scan_open_roots(s, why);
    if (ret == 0) {
        scan_watches(s);
        s->lost = true; /* all of it */
        ret = scan_look(s, false, why);
    }
    s->stop = NULL;
    return scan_explain(ret, why);
}

void
filescan_watch(struct filescan *s, pid_t pid, unsigned means)
{
    struct refusals why = { .n = 0 };
    bool blocks = means & FILESCAN_BLOCKS;

    s->wants_watch = means & FILESCAN_EVENTS;
    if (blocks && !s->writes && !s->untold && scan_open_roots(s, &why) == 0)
        s->writes = filewrites_new(s->fds, s->conf.nroots);
    s->untold = !s->writes;
    if (s->writes && filewrites_of(s->writes, pid) < 0) {
        filewrites_free(s->writes);
        s->writes = NULL;
    }
}

void
filescan_members(struct filescan *s, uint32_t *pids, size_t n)
{
    if (s->writes)
        filewrites_members(s->writes, pids, n);
}

int
filescan_take(struct filescan *s, struct refusals *why)
{
    int ret = scan_explain(scan_look(s, true, why), why);

    return ret == 0 && s->renamed ? 1 : ret;
}

void
filescan_hand(struct filescan *s, uint8_t **buffer, size_t *size)
{
    uint8_t *empty = *buffer;

    *size = s->out.pos;
    *buffer = s->delta;
    s->delta = empty;
    s->out = writer_init(s->delta, FILESCAN_BYTES);
}

bool
filescan_waits(const struct filescan *s)
{
    return s->out.pos > 0;
}

void
filescan_stat(const struct filescan *s, struct filescan_stat *out)
{
    *out = s->stat;
}
