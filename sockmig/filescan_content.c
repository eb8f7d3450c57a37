/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * filescan_content.c - what changed in a file, block by block. */
#include "sockmig/filescan_private.h"

#include "lib/fd.h"
#include "sockmig/filehash.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

uint64_t
scan_hash(const struct filescan *s, const void *block)
{
    uint64_t hash = filehash_seeded(block, FILES_BLOCK, s->conf.seed);

    return hash ? hash : 1; /* 0: not known */
}

/* No link on the way is followed, and it is the very file that was listed. */
int
scan_open(const struct filescan *s, const struct files_entry *e)
{
    struct open_how how = { .flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOATIME |
                                     O_CLOEXEC,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV };
    int fd = (int)syscall(SYS_openat2, s->fds[e->root], e->path, &how, sizeof how);

    return fd < 0 ? -errno : fd;
}

/* One chunk of a file of @size bytes, filled up with zeroes.  Blocks read, or -errno.
 */
int
scan_chunk(const struct filescan *s, int fd, uint64_t chunk, uint64_t size, uint8_t *to)
{
    uint64_t offset = chunk * SCAN_CHUNK, left = size - offset;
    size_t want = left < SCAN_CHUNK ? (size_t)left : SCAN_CHUNK, got = 0;

    (void)s;
    while (got < want) {
        ssize_t n = pread(fd, to + got, want - got, (off_t)(offset + got));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break; /* shorter than it was: its times will say so */
        got += (size_t)n;
    }
    memset(to + got, 0, SCAN_CHUNK - got);
    return (int)files_blocks(want);
}

static bool
is_zero(const uint8_t *block)
{
    return block[0] == 0 && memcmp(block, block + 1, FILES_BLOCK - 1) == 0;
}

/* Blocks @from..@to of the chunk in s->chunk, without what is beyond the end. */
static void
ship(struct filescan *s, const struct files_entry *e, uint64_t chunk, unsigned from,
    unsigned to, bool zero)
{
    uint64_t offset = chunk * SCAN_CHUNK + (uint64_t)from * FILES_BLOCK;
    uint64_t length = (uint64_t)(to - from) * FILES_BLOCK;
    struct files_op op = { .kind = zero ? FILES_ZERO : FILES_DATA,
        .root = e->root,
        .path = e->path,
        .offset = offset,
        .length = length < e->size - offset ? length : e->size - offset,
        .data = s->chunk + (size_t)from * FILES_BLOCK };

    files_put_op(&s->out, &op);
}

static bool
take_chunk(struct filescan *s, struct files_entry *e, struct scan_extra *x,
    uint64_t chunk, unsigned blocks, bool shipped)
{
    uint64_t *known = x->hashes + chunk * SCAN_BLOCKS;
    uint64_t now[SCAN_BLOCKS];
    unsigned from = 0;
    bool changed = false;

    for (unsigned i = 0; i < blocks; i++)
        now[i] = scan_hash(s, s->chunk + (size_t)i * FILES_BLOCK);
    for (unsigned i = 0; i < blocks; i = from) {
        bool zero = now[i] == s->zero && is_zero(s->chunk + (size_t)i * FILES_BLOCK);

        from = i + 1;
        if (now[i] == known[i])
            continue;
        while (
            from < blocks && now[from] != known[from] && (now[from] == s->zero) == zero)
            from++;
        if (shipped)
            ship(s, e, chunk, i, from, zero);
        changed = true;
    }
    memcpy(known, now, blocks * sizeof *now);
    return changed;
}

/* Written by what is told, not known, or beyond byte @from. */
static bool
is_due(const struct scan_extra *x, const struct filewrites_blocks *only, uint64_t from,
    uint64_t chunk, uint64_t blocks)
{
    uint64_t first = chunk * SCAN_BLOCKS;

    if (!only || (chunk + 1) * SCAN_CHUNK > from || filewrites_has(only, chunk))
        return true;
    for (uint64_t b = first; x->unknown && b < first + SCAN_BLOCKS && b < blocks; b++)
        if (x->hashes[b] == 0)
            return true;
    return false;
}

static int
scan_chunks(struct filescan *s, int fd, struct files_entry *e, struct scan_extra *x,
    bool shipped, const struct filewrites_blocks *only, uint64_t from)
{
    uint64_t chunks = (e->size + SCAN_CHUNK - 1) / SCAN_CHUNK;
    int n = 0;

    for (uint64_t chunk = 0; chunk < chunks && n >= 0; chunk++) {
        if (!is_due(x, only, from, chunk, files_blocks(e->size)))
            continue;
        if (s->stop && *s->stop)
            return -ECANCELED;
        n = scan_chunk(s, fd, chunk, e->size, s->chunk);
        if (n > 0)
            e->touched |= take_chunk(s, e, x, chunk, (unsigned)n, shipped);
        s->stat.hashed_bytes += SCAN_CHUNK;
    }
    return n < 0 ? n : 0;
}

int
scan_content(struct filescan *s, struct scan_list *list, size_t i, bool shipped,
    const struct filewrites_blocks *only, uint64_t from)
{
    struct files_entry *e = &list->v[i];
    struct scan_extra *x = &list->x[i];
    int fd = scan_open(s, e), ret;
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0 || st.st_ino != x->kernel_inode) {
        x->look = true; /* another file by now: the next look finds it */
        fd_close(fd < 0 ? -1 : fd);
        return fd == -ENOENT || fd == -ELOOP || fd == -ENXIO || fd >= 0 ? 0 : fd;
    }
    ret = scan_chunks(s, fd, e, x, shipped, only, from);
    x->look = x->unknown = false;
    fd_close(fd);
    return ret < 0 ? ret : s->out.bad ? -ENOSPC : 0;
}
