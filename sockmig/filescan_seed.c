/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * filescan_seed.c - what a standby that joins has, and what it has not got. */
#include "sockmig/filescan_private.h"

#include "lib/fd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static size_t
encoded_size(const struct scan_list *list)
{
    size_t size = 0;

    for (size_t i = 0; i < list->n; i++) {
        const struct files_entry *e = &list->v[i];

        size += 64 + strlen(e->path) + (e->target ? strlen(e->target) : 0);
        if (e->type == FILES_FILE)
            size += files_blocks(e->size) * 8;
    }
    return size;
}

size_t
filescan_encode(const struct filescan *s, uint8_t *out, size_t size)
{
    const struct scan_list *list = &s->lists[s->current];
    struct writer w = writer_init(out, size);

    if (!out)
        return encoded_size(list);
    for (size_t i = 0; i < list->n; i++)
        files_put_entry(&w, &list->v[i]);
    return w.bad ? 0 : w.pos;
}

void
filescan_seed_end(struct filescan *s)
{
    free(s->seed.blob);
    free(s->seed.have);
    s->seed.blob = NULL;
    s->seed.have = NULL;
    s->seed.running = false;
}

static bool
decode(struct filescan *s, size_t size)
{
    struct reader r = reader_init(s->seed.blob, size);
    struct files_entry e, *last = NULL;
    size_t n = 0;

    s->seed.have = calloc(FILES_MAX_ENTRIES, sizeof *s->seed.have);
    while (s->seed.have && n < FILES_MAX_ENTRIES && files_get_entry(&r, last, &e)) {
        if (e.root >= s->conf.nroots)
            return false;
        last = &s->seed.have[n];
        s->seed.have[n++] = e;
    }
    s->seed.nhave = n;
    return s->seed.have && !r.bad && reader_left(&r) == 0;
}

bool
filescan_seed(struct filescan *s, uint8_t *have, size_t size)
{
    filescan_seed_end(s);
    s->seed.blob = have;
    if (!decode(s, size)) {
        filescan_seed_end(s);
        return false;
    }
    s->seed.running = true;
    s->seed.named = false;
    s->seed.at = 0;
    return true;
}

static void
put_seed(void *arg, const struct files_op *op)
{
    files_put_op(arg, op);
}

static void
seed_names(struct filescan *s, struct writer *w)
{
    struct scan_list *list = &s->lists[s->current];
    struct files_lists l = {
        .was = s->seed.have, .nwas = s->seed.nhave, .now = list->v, .nnow = list->n
    };

    s->seed.number++; /* what comes new from here on is shipped by checkpoints */
    files_structure(&l, put_seed, w);
    for (size_t i = 0; i < list->n; i++) {
        list->x[i].have = list->v[i].type == FILES_FILE ? files_before(&l, &list->v[i])
                                                        : NULL;
        list->x[i].seed_next = 0;
    }
    s->seed.named = true;
}

static uint64_t
has_there(const struct filescan *s, const struct files_entry *have, uint64_t size,
    uint64_t block)
{
    uint64_t blocks = have ? files_blocks(have->size) : 0;

    if (block >= blocks)
        return s->zero;
    /* cut there: what was behind the end counts as zeroes now */
    if (size < have->size && block + 1 == files_blocks(size))
        return 0;
    return files_hash(have, block);
}

/* A chunk as it was at the last checkpoint.  What was written since is made unknown:
 * the next checkpoint ships it, even if it is by then again what it was. */
static void
seed_chunk(struct filescan *s, struct writer *w, const struct files_entry *e,
    struct scan_extra *x, uint64_t chunk, unsigned blocks)
{
    for (unsigned i = 0; i < blocks; i++) {
        uint64_t block = chunk * SCAN_BLOCKS + i, offset = block * FILES_BLOCK;
        struct files_op op = { .kind = FILES_DATA, .root = e->root, .path = e->path };

        if (x->hashes[block] == has_there(s, x->have, e->size, block))
            continue;
        op.data = s->chunk + (size_t)i * FILES_BLOCK;
        if (scan_hash(s, op.data) != x->hashes[block]) {
            x->hashes[block] = 0;
            x->unknown = true;
            continue;
        }
        if (x->hashes[block] == s->zero)
            op.kind = FILES_ZERO;
        op.offset = offset;
        op.length = e->size - offset < FILES_BLOCK ? e->size - offset : FILES_BLOCK;
        files_put_op(w, &op);
    }
}

static bool
differs(const struct filescan *s, const struct files_entry *e,
    const struct scan_extra *x, uint64_t chunk)
{
    uint64_t end = (chunk + 1) * SCAN_BLOCKS, all = files_blocks(e->size);

    for (uint64_t b = chunk * SCAN_BLOCKS; b < end && b < all; b++)
        if (x->hashes[b] != has_there(s, x->have, e->size, b))
            return true;
    return false;
}

/* Some of a file.  1: there is more of it, 0: no, -errno. */
static int
seed_file(struct filescan *s, struct writer *w, const struct files_entry *e,
    struct scan_extra *x, size_t max)
{
    uint64_t chunks = (e->size + SCAN_CHUNK - 1) / SCAN_CHUNK;
    int fd = scan_open(s, e), n = 0;

    while (x->seed_next < chunks && w->pos < max && n >= 0) {
        uint64_t chunk = x->seed_next++;

        if (!differs(s, e, x, chunk))
            continue;
        memset(s->chunk, 0, SCAN_CHUNK);
        n = fd < 0 ? (int)files_blocks(e->size - chunk * SCAN_CHUNK)
                   : scan_chunk(s, fd, chunk, e->size, s->chunk);
        if (n > (int)SCAN_BLOCKS)
            n = SCAN_BLOCKS;
        if (n > 0) /* one that is not there any more reads as zeroes: made unknown */
            seed_chunk(s, w, e, x, chunk, (unsigned)n);
    }
    fd_close(fd < 0 ? -1 : fd);
    return n < 0 ? n : x->seed_next < chunks;
}

/* Entries move when files come and go: more than one pass may be needed. */
static bool
next_file(struct filescan *s, size_t *at)
{
    const struct scan_list *list = &s->lists[s->current];

    for (size_t tries = 0; tries <= list->n; tries++) {
        size_t i = (s->seed.at + tries) % (list->n ? list->n : 1);

        if (i < list->n && list->v[i].type == FILES_FILE &&
            list->x[i].seed != s->seed.number) {
            *at = s->seed.at = i;
            return true;
        }
    }
    return false;
}

int
filescan_seed_more(struct filescan *s, uint8_t *out, size_t *size, size_t max)
{
    struct scan_list *list = &s->lists[s->current];
    struct writer w = writer_init(out, FILESCAN_BYTES);
    struct files_lists l = { .now = list->v, .nnow = list->n };
    size_t i;
    int ret = 0;

    if (!s->seed.named)
        seed_names(s, &w);
    while (ret == 0 && w.pos < max && next_file(s, &i)) {
        ret = seed_file(s, &w, &list->v[i], &list->x[i], max);
        if (ret == 0)
            list->x[i].seed = s->seed.number;
    }
    if (ret == 0 && next_file(s, &i))
        ret = 1;
    if (ret == 0)
        files_attributes(&l, put_seed, &w);
    *size = w.pos;
    return w.bad ? -ENOSPC : ret;
}
