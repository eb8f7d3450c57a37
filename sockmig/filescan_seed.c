/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * filescan_seed.c - what a standby that joins has, and what it has not got. */
#include "sockmig/filescan_private.h"

#include "lib/fd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static size_t
encoded_size(const struct filescan *s)
{
    size_t size = 0;

    for (size_t i = 0; i < s->all.n; i++) {
        const struct files_entry *e = &s->all.v[i]->e;

        size += 64 + strlen(e->path) + (e->target ? strlen(e->target) : 0);
        if (e->type == FILES_FILE)
            size += files_blocks(e->size) * 8;
    }
    return size;
}

size_t
filescan_encode(const struct filescan *s, uint8_t *out, size_t size)
{
    struct writer w = writer_init(out, size);

    if (!out)
        return encoded_size(s);
    for (size_t i = 0; i < s->all.n; i++)
        files_put_entry(&w, &s->all.v[i]->e);
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

static int
seed_names(struct filescan *s, struct writer *w)
{
    struct files_lists l = { .was = s->seed.have,
        .nwas = s->seed.nhave,
        .now = scan_flat(s),
        .nnow = s->all.n };

    if (!l.now)
        return -ENOMEM;
    s->seed.number++; /* what comes new from here on is shipped by checkpoints */
    files_structure(&l, put_seed, w);
    for (size_t i = 0; i < s->all.n; i++) {
        struct scan_extra *x = &s->all.v[i]->x;

        x->have = l.now[i].type == FILES_FILE ? files_before(&l, &l.now[i]) : NULL;
        x->seed_next = 0;
    }
    free(l.now);
    s->seed.named = true;
    return 0;
}

static int
seed_attributes(const struct filescan *s, struct writer *w)
{
    struct files_lists l = { .now = scan_flat(s), .nnow = s->all.n };

    if (!l.now)
        return -ENOMEM;
    files_attributes(&l, put_seed, w);
    free(l.now);
    return 0;
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
seed_chunk(struct filescan *s, struct writer *w, struct scan_node *node, uint64_t chunk,
    unsigned blocks)
{
    const struct files_entry *e = &node->e;
    struct scan_extra *x = &node->x;

    for (unsigned i = 0; i < blocks; i++) {
        uint64_t block = chunk * SCAN_BLOCKS + i, offset = block * FILES_BLOCK;
        struct files_op op = { .kind = FILES_DATA, .root = e->root, .path = e->path };

        if (x->hashes[block] == has_there(s, x->have, e->size, block))
            continue;
        op.data = s->chunk + (size_t)i * FILES_BLOCK;
        if (scan_hash(s, op.data) != x->hashes[block]) {
            x->hashes[block] = 0;
            x->unknown = true;
            scan_dirty(s, node);
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

/* -1: it is not there any more, or another one, as a pipe. */
static int
open_known(const struct filescan *s, const struct scan_node *node)
{
    int fd = scan_open(s, &node->e);
    struct stat st;

    if (fd >= 0 && fstat(fd, &st) == 0 && st.st_ino == node->x.kernel_inode)
        return fd;
    fd_close(fd < 0 ? -1 : fd);
    return -1;
}

/* Some of a file.  1: there is more of it, 0: no, -errno. */
static int
seed_file(struct filescan *s, struct writer *w, struct scan_node *node, size_t max)
{
    const struct files_entry *e = &node->e;
    struct scan_extra *x = &node->x;
    uint64_t chunks = (e->size + SCAN_CHUNK - 1) / SCAN_CHUNK;
    int fd = open_known(s, node), n = 0;

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
            seed_chunk(s, w, node, chunk, (unsigned)n);
    }
    fd_close(fd);
    return n < 0 ? n : x->seed_next < chunks;
}

/* Entries move when files come and go: more than one pass may be needed. */
static struct scan_node *
next_file(struct filescan *s)
{
    for (size_t tries = 0; tries <= s->all.n; tries++) {
        size_t i = (s->seed.at + tries) % (s->all.n ? s->all.n : 1);

        if (i < s->all.n && s->all.v[i]->e.type == FILES_FILE &&
            s->all.v[i]->x.seed != s->seed.number) {
            s->seed.at = i;
            return s->all.v[i];
        }
    }
    return NULL;
}

int
filescan_seed_more(struct filescan *s, uint8_t *out, size_t *size, size_t max)
{
    struct writer w = writer_init(out, FILESCAN_BYTES);
    struct scan_node *node;
    int ret = 0;

    if (!s->seed.named)
        ret = seed_names(s, &w);
    while (ret == 0 && w.pos < max && (node = next_file(s)) != NULL) {
        ret = seed_file(s, &w, node, max);
        if (ret == 0)
            node->x.seed = s->seed.number;
    }
    if (ret == 0 && next_file(s))
        ret = 1;
    if (ret == 0)
        ret = seed_attributes(s, &w);
    *size = w.pos;
    return w.bad ? -ENOSPC : ret;
}
