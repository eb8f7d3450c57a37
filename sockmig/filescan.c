/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/filescan_private.h"

#include "lib/core/mono.h"
#include "lib/fd.h"
#include "lib/log.h"
#include "lib/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FOREIGN_S 2

static uint8_t *
map_buffer(void)
{
    void *p = mmap(NULL, FILESCAN_BYTES, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (p == MAP_FAILED)
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
    for (unsigned i = 0; i < FILES_MAX_ROOTS; i++)
        fd_close(s->fds[i]);
    for (unsigned i = 0; i < 2; i++)
        scan_list_free(&s->lists[i]);
    munmap(s->delta, FILESCAN_BYTES);
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
lists_of(struct filescan *s, const struct scan_list *was, const struct scan_list *now,
    struct files_lists *l)
{
    size_t want = 64;

    while (want < 2 * was->n)
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
    *l = (struct files_lists){ .was = was->v,
        .now = now->v,
        .nwas = was->n,
        .nnow = now->n,
        .moved = { s->slots, (uint32_t)want, s->to },
        .numbers = s->moves };
    s->moves += was->n;
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
    return s->now - x->foreign < FOREIGN_S;
}

static enum due
how_much(struct filescan *s, const struct files_entry *before,
    const struct scan_extra *old, const struct files_entry *e, struct scan_extra *x,
    struct filewrites_blocks *written)
{
    bool changed;

    *written = (struct filewrites_blocks){ .n = 0 };
    if (s->told)
        *written = filewrites_find(s->writes, x->kernel_inode);
    x->foreign = written->foreign ? s->now : old ? old->foreign : 0;
    if (!before || old->look || before->inode != e->inode || written->whole ||
        (s->told && is_foreign(s, x)))
        return DUE_ALL;
    changed = before->size != e->size || !same_times(old, x);
    if (!s->told)
        return changed || !old->settled || old->unknown ? DUE_ALL : DUE_NOT;
    if (written->n > 0 || old->unknown)
        return DUE_BLOCKS;
    return changed ? DUE_ALL : DUE_NOT;
}

static int
take_file(struct filescan *s, const struct files_entry *before, struct scan_extra *old,
    struct scan_list *now, size_t i, bool shipped)
{
    struct files_entry *e = &now->v[i];
    struct filewrites_blocks written;
    enum due due = how_much(s, before, old, e, &now->x[i], &written);
    uint64_t from = before ? before->size / SCAN_CHUNK * SCAN_CHUNK : 0;
    int ret = adopt(s, before, old, e, &now->x[i]);

    s->stat.files++;
    s->stat.bytes += e->size;
    if (ret == 0 && due != DUE_NOT)
        ret = scan_content(
            s, now, i, shipped, due == DUE_BLOCKS ? &written : NULL, from);
    return ret;
}

static int
take_entry(struct filescan *s, const struct files_lists *l, struct scan_list *was,
    struct scan_list *now, size_t i, bool shipped, struct refusals *why)
{
    const struct files_entry *before = files_before(l, &now->v[i]);
    struct scan_extra *old = before ? &was->x[before - was->v] : NULL;
    int ret = 0;

    if (!old || !old->settled || !same_times(old, &now->x[i]))
        ret = scan_bare(s, &now->v[i], why);
    if (ret == 0 && now->v[i].type == FILES_FILE)
        ret = take_file(s, before, old, now, i, shipped);
    return ret;
}

static int
look(struct filescan *s, bool shipped, struct refusals *why)
{
    struct scan_list *was = &s->lists[s->current], *now = &s->lists[!s->current];
    struct mono began = mono_clock();
    struct files_lists l;
    int ret;

    s->now = time(NULL);
    s->told = s->writes && filewrites_drain(s->writes) && shipped;
    ret = scan_walk(s, now, why);
    s->stat = (struct filescan_stat){ 0 };
    if (ret == 0)
        ret = lists_of(s, was, now, &l);
    if (ret < 0)
        return ret;
    s->renamed = false;
    files_structure(&l, put, s);
    if (!shipped)
        s->out.pos = 0;
    for (size_t i = 0; i < now->n && ret == 0; i++)
        ret = take_entry(s, &l, was, now, i, shipped, why);
    if (ret < 0)
        return ret;
    files_attributes(&l, put, s);
    if (!shipped)
        s->out.pos = 0;
    for (size_t i = 0; i < now->n; i++)
        now->v[i].touched = false;
    s->current = !s->current;
    s->stat.took_us = (uint32_t)mono_us_between(began, mono_clock());
    return s->out.bad ? -ENOSPC : 0;
}

static int
explain(int ret, struct refusals *why)
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
    scan_list_clear(&s->lists[0]);
    scan_list_clear(&s->lists[1]);
    s->out = writer_init(s->delta, FILESCAN_BYTES);
    s->stop = stop;
    ret = look(s, false, why);
    s->stop = NULL;
    return explain(ret, why);
}

void
filescan_watch(struct filescan *s, pid_t pid)
{
    struct refusals why = { .n = 0 };

    if (!s->writes && !s->untold && scan_open_roots(s, &why) == 0)
        s->writes = filewrites_new(s->fds, s->conf.nroots);
    s->untold = !s->writes;
    if (s->writes && filewrites_of(s->writes, pid) < 0) {
        filewrites_free(s->writes);
        s->writes = NULL;
    }
}

int
filescan_take(struct filescan *s, struct refusals *why)
{
    int ret = explain(look(s, true, why), why);

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
