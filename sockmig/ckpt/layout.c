/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * layout.c - the mappings of the skeleton, kept as the image has them.
 *
 * Both lists are cut at all their edges; piece by piece it is then clear what to do.
 * What can be written to is writable in the skeleton, whatever the image says: the
 * final protections come with the takeover. */
#include "sockmig/ckpt/clone_parts.h"

#include "sockmig/ckpt/kernel.h"
#include "sockmig/ckpt/segments.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>

#ifndef MLOCK_ONFAULT
#define MLOCK_ONFAULT 1
#endif
#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#define MADV_KEEPONFORK 19
#endif

static const struct {
    uint32_t flag;
    int set, clear; /* advice; 0: there is none */
} advices[] = {
    { IMAGE_VMA_NOHUGE, MADV_NOHUGEPAGE, 0 },
    { IMAGE_VMA_HUGE, MADV_HUGEPAGE, 0 },
    { IMAGE_VMA_DONTDUMP, MADV_DONTDUMP, MADV_DODUMP },
    { IMAGE_VMA_DONTFORK, MADV_DONTFORK, MADV_DOFORK },
    { IMAGE_VMA_WIPEONFORK, MADV_WIPEONFORK, MADV_KEEPONFORK },
    { IMAGE_VMA_MERGEABLE, MADV_MERGEABLE, MADV_UNMERGEABLE },
    { IMAGE_VMA_SEQUENTIAL, MADV_SEQUENTIAL, MADV_NORMAL },
    { IMAGE_VMA_RANDOM, MADV_RANDOM, MADV_NORMAL },
};

static bool
is_kernel_made(const struct image_vma *v)
{
    return v && v->kind >= IMAGE_VMA_VDSO;
}

/* A place only, until its descriptor, or the state folders are there. */
static bool
is_late(const struct image_vma *v)
{
    return v->kind == IMAGE_VMA_HELD || v->kind == IMAGE_VMA_STATE_FILE;
}

/* What nobody can touch stays so, or a reservation would count as memory.  But shared
 * memory counts in any case, and is not written to past its protection. */
uint32_t
skeleton_prot(const struct image_vma *v)
{
    bool shared = v->kind == IMAGE_VMA_SHARED_ANON || v->kind == IMAGE_VMA_SEGMENT;

    if (is_late(v))
        return 0;
    if ((v->prot == 0 && !shared) || v->kind == IMAGE_VMA_SHARED_FILE)
        return v->prot;
    return v->prot | PROT_READ | PROT_WRITE;
}

bool
skeleton_same_backing(const struct image_vma *a, const struct image_vma *b)
{
    if (a->kind != b->kind || a->page_bits != b->page_bits ||
        (a->flags & IMAGE_VMA_GROWSDOWN) != (b->flags & IMAGE_VMA_GROWSDOWN))
        return false;
    if (a->kind == IMAGE_VMA_ANON)
        return true;
    return a->inode == b->inode && a->dev_major == b->dev_major &&
           a->dev_minor == b->dev_minor && a->offset - a->start == b->offset - b->start;
}

/* What is taken back first: MADV_NORMAL takes back two. */
static void
advise(struct batch *b, uint32_t had, uint32_t has, uint64_t start, uint64_t end)
{
    for (unsigned pass = 0; pass < 2; pass++)
        for (unsigned i = 0; i < sizeof advices / sizeof advices[0]; i++) {
            bool before = had & advices[i].flag, now = has & advices[i].flag;
            int advice = now ? advices[i].set : advices[i].clear;

            if (before != now && advice && now == (pass == 1))
                batch_add(b, "madvise", SYS_madvise, start, end - start,
                    (uint64_t)advice, 0, 0, 0);
        }
}

static bool
maps_file(const struct image_vma *v)
{
    return v->kind == IMAGE_VMA_FILE || v->kind == IMAGE_VMA_SHARED_FILE ||
           v->kind == IMAGE_VMA_SEGMENT;
}

/* The stub has no descriptors below its engine's, so the file is descriptor 0. */
static void
map_file(struct batch *b, const struct image_vma *v, uint64_t start, uint64_t end)
{
    bool shared = v->kind != IMAGE_VMA_FILE;
    bool write = v->kind == IMAGE_VMA_SEGMENT || (shared && (v->prot & PROT_WRITE));

    batch_add(b, "open a mapped file", SYS_open,
        batch_put(b, v->path, strnlen(v->path, IMAGE_PATH - 1) + 1),
        (write ? O_RDWR : O_RDONLY) | O_CLOEXEC, 0, 0, 0, 0);
    batch_add(b, "map a file", SYS_mmap, start, end - start, skeleton_prot(v),
        MAP_FIXED | (shared ? MAP_SHARED : MAP_PRIVATE), 0,
        v->offset + (start - v->start));
    batch_add(b, "close a mapped file", SYS_close, 0, 0, 0, 0, 0, 0);
}

/* shmat() takes no other protection than the two. */
static void
map_segment(struct batch *b, const struct image_vma *v)
{
    batch_add(b, "attach shared memory", SYS_shmat, v->inode, v->start,
        SHM_REMAP | (v->prot & PROT_EXEC ? SHM_EXEC : 0), 0, 0, 0);
}

/* In a tree the object of all its processes takes the place of shared memory before it
 * has content: huge pages are set aside for that alone. */
static bool
is_place_only(const struct clone *c, const struct image_vma *v)
{
    return v->page_bits && v->kind == IMAGE_VMA_SHARED_ANON &&
           c->segments != &c->own_segments;
}

static void
map_piece(struct clone *c, const struct image_vma *v, uint64_t start, uint64_t end)
{
    struct batch *b = &c->batch;
    uint64_t flags = MAP_FIXED | MAP_ANONYMOUS;

    if ((v->flags & IMAGE_VMA_NORESERVE) || is_place_only(c, v))
        flags |= MAP_NORESERVE;
    if (v->flags & IMAGE_VMA_GROWSDOWN)
        flags |= MAP_GROWSDOWN;
    if (v->page_bits)
        flags |= MAP_HUGETLB | v->page_bits << MAP_HUGE_SHIFT;
    if (segments_is_sysv(v))
        map_segment(b, v);
    else if (maps_file(v))
        map_file(b, v, start, end);
    else
        batch_add(b, v->page_bits ? "map huge pages (vm.nr_hugepages)" : "map memory",
            SYS_mmap, start, end - start, skeleton_prot(v),
            flags | (v->kind == IMAGE_VMA_SHARED_ANON ? MAP_SHARED : MAP_PRIVATE),
            (uint64_t)-1, 0);
    if (!is_late(v))
        advise(b, 0, v->flags, start, end);
}

static void
change_piece(struct batch *b, const struct image_vma *old, const struct image_vma *now,
    uint64_t start, uint64_t end)
{
    if (skeleton_prot(old) != skeleton_prot(now) && skeleton_prot(now) != 0)
        batch_add(b, "mprotect", SYS_mprotect, start, end - start, skeleton_prot(now),
            0, 0, 0);
    advise(b, old->flags, now->flags, start, end);
}

static const struct image_vma *
vma_at(const struct image_vma *v, unsigned n, uint64_t address)
{
    unsigned low = 0, high = n;

    while (low < high) {
        unsigned middle = (low + high) / 2;

        if (address >= v[middle].end)
            low = middle + 1;
        else
            high = middle;
    }
    return low < n && v[low].start <= address ? &v[low] : NULL;
}

static int
compare_edges(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static unsigned
collect_edges(struct clone *c, const struct image *im)
{
    unsigned n = 0, kept = 0;

    for (unsigned i = 0; i < c->nvmas; i++) {
        c->edges[n++] = c->vmas[i].start;
        c->edges[n++] = c->vmas[i].end;
    }
    for (uint32_t i = 0; i < im->nvmas; i++) {
        c->edges[n++] = im->vmas[i].start;
        c->edges[n++] = im->vmas[i].end;
    }
    qsort(c->edges, n, sizeof *c->edges, compare_edges);
    for (unsigned i = 0; i < n; i++)
        if (kept == 0 || c->edges[kept - 1] != c->edges[i])
            c->edges[kept++] = c->edges[i];
    return kept;
}

/* How far a new mapping that begins at edge @i reaches: over all pieces that are new,
 * too, so that it becomes one mapping again. */
static unsigned
extend(const struct clone *c, const struct image_vma *v, unsigned i)
{
    while (c->edges[++i] < v->end) {
        const struct image_vma *old = vma_at(c->vmas, c->nvmas, c->edges[i]);

        if (old && skeleton_same_backing(old, v))
            break;
    }
    return i;
}

static int
flush_if_full(struct clone *c)
{
    return c->batch.ncalls < BATCH_CALLS / 2 ? 0 : batch_run(&c->batch, c->pid);
}

int
skeleton_layout(struct clone *c, const struct image *im)
{
    unsigned n, next;
    int ret = skeleton_segments(c, im);

    if (ret < 0)
        return ret;
    if (im->nvmas == c->nvmas &&
        memcmp(im->vmas, c->vmas, im->nvmas * sizeof *im->vmas) == 0)
        return 0;
    n = collect_edges(c, im);
    for (unsigned i = 0; i + 1 < n && ret == 0; i = next) {
        uint64_t start = c->edges[i];
        const struct image_vma *old = vma_at(c->vmas, c->nvmas, start);
        const struct image_vma *now = vma_at(im->vmas, im->nvmas, start);

        next = i + 1;
        if ((!old && !now) || is_kernel_made(old) || is_kernel_made(now))
            continue;
        if (old && now && skeleton_same_backing(old, now)) {
            change_piece(&c->batch, old, now, start, c->edges[next]);
        } else if (now) {
            next = extend(c, now, i);
            map_piece(c, now, start, c->edges[next]);
        } else {
            batch_add(&c->batch, "unmap", SYS_munmap, start, c->edges[next] - start, 0,
                0, 0, 0);
        }
        ret = flush_if_full(c);
    }
    if (ret == 0)
        ret = batch_run(&c->batch, c->pid);
    if (ret == 0) {
        memcpy(c->vmas, im->vmas, im->nvmas * sizeof *im->vmas);
        c->nvmas = im->nvmas;
    }
    return ret;
}

/* Writable, whatever its protection is: the service may change that. */
static void
map_state_file(struct batch *b, const struct image_vma *v)
{
    batch_add(b, "open a mapped file of a state folder", SYS_open,
        batch_put(b, v->path, strnlen(v->path, IMAGE_PATH - 1) + 1), O_RDWR | O_CLOEXEC,
        0, 0, 0, 0);
    batch_add(b, "map a file of a state folder", SYS_mmap, v->start, v->end - v->start,
        v->prot, MAP_SHARED | MAP_FIXED, 0, v->offset);
    batch_add(b, "close a mapped file", SYS_close, 0, 0, 0, 0, 0, 0);
    advise(b, 0, v->flags, v->start, v->end);
}

int
wake_protections(struct wake *w, const char **what)
{
    struct batch *b = &w->c->batch;
    int ret = 0;

    for (uint32_t i = 0; i < w->im->nvmas && ret == 0; i++) {
        const struct image_vma *v = &w->im->vmas[i];

        if (is_kernel_made(v) || v->kind == IMAGE_VMA_SHARED_FILE ||
            v->kind == IMAGE_VMA_HELD)
            continue;
        if (v->kind == IMAGE_VMA_STATE_FILE)
            map_state_file(b, v);
        /* PROT_NONE again, too: the piece may have been something else before */
        else if (v->prot == 0 || v->prot != skeleton_prot(v))
            batch_add(b, "mprotect", SYS_mprotect, v->start, v->end - v->start, v->prot,
                0, 0, 0);
        if (v->flags & IMAGE_VMA_LOCKED)
            batch_add(b, "mlock", SYS_mlock2, v->start, v->end - v->start,
                v->flags & IMAGE_VMA_ON_FAULT ? MLOCK_ONFAULT : 0, 0, 0, 0);
        if (v->flags & IMAGE_VMA_SEALED)
            batch_add(
                b, "mseal", KERNEL_MSEAL, v->start, v->end - v->start, 0, 0, 0, 0);
        ret = flush_if_full(w->c);
    }
    *what = b->failed;
    return ret;
}
