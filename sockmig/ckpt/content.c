/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * content.c - pages and queues of a checkpoint, into the clone. */
#include "sockmig/ckpt/clone_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE 103
#endif

#define RUNS_AT_ONCE 512u
#define BYTES_AT_ONCE (64u << 20)

static int
write_forced(const struct clone *c, const struct pages *p, size_t first, size_t n)
{
    for (size_t i = first; i < first + n; i++) {
        const struct page_run *run = &p->runs[i];
        size_t size = (size_t)run->count * IMAGE_PAGE;

        if (pwrite(c->mem, p->data + run->offset, size, (off_t)run->address) !=
            (ssize_t)size)
            return errno ? -errno : -EFAULT;
    }
    return 0;
}

/* Runs from @first on that have content, as many as one call takes; *n: how many.
 * What is not writable even in the skeleton (PROT_NONE) goes the slow way. */
static int
write_runs(const struct clone *c, const struct pages *p, size_t first, size_t *n)
{
    struct iovec local[RUNS_AT_ONCE], remote[RUNS_AT_ONCE];
    size_t total = 0, k = 0;

    while (k < RUNS_AT_ONCE && total < BYTES_AT_ONCE && first + k < p->nruns &&
           !p->runs[first + k].dropped) {
        const struct page_run *run = &p->runs[first + k];
        size_t size = (size_t)run->count * IMAGE_PAGE;

        local[k] = (struct iovec){ p->data + run->offset, size };
        remote[k++] = (struct iovec){ (void *)(uintptr_t)run->address, size };
        total += size;
    }
    *n = k;
    if (process_vm_writev(c->pid, local, k, remote, k, 0) == (ssize_t)total)
        return 0;
    return write_forced(c, p, first, k);
}

static const struct image_vma *
mapping_at(const struct image *im, uint64_t address)
{
    for (uint32_t i = 0; i < im->nvmas && im->vmas[i].start <= address; i++)
        if (address < im->vmas[i].end)
            return &im->vmas[i];
    return NULL;
}

static bool
is_shared(const struct image_vma *v)
{
    return v && (v->kind == IMAGE_VMA_SHARED_ANON || v->kind == IMAGE_VMA_SEGMENT);
}

/* The kernel gives back huge pages as a whole, and leaves a part of one where it is. */
static bool
ends_inside_huge_page(const struct image_vma *v, uint64_t from, uint64_t to)
{
    uint64_t size = v && v->page_bits ? UINT64_C(1) << v->page_bits : 1;

    return from % size != 0 || (to < v->end && to % size != 0);
}

/* Giving pages back, or writing to them, leaves guards where they are. */
static void
remove_guards(struct clone *c, const struct page_run *run)
{
    batch_add(&c->batch, NULL, SYS_madvise, run->address,
        (uint64_t)run->count * IMAGE_PAGE, MADV_GUARD_REMOVE, 0, 0, 0);
}

/* In a shared mapping only MADV_REMOVE gives zeroes.  May fail: the range may reach
 * over what is not mapped any more. */
static int
drop_run(struct clone *c, const struct image *im, const struct page_run *run)
{
    const struct image_vma *v = mapping_at(im, run->address);
    uint64_t size = (uint64_t)run->count * IMAGE_PAGE;
    int advice = is_shared(v) ? MADV_REMOVE : MADV_DONTNEED;

    if (v && ends_inside_huge_page(v, run->address, run->address + size))
        return -EBADMSG;
    if (run->dropped == PAGES_GUARD) {
        advice = MADV_GUARD_INSTALL;
        c->has_guards = true;
    } else if (c->has_guards) {
        remove_guards(c, run);
    }
    batch_add(
        &c->batch, NULL, SYS_madvise, run->address, size, (uint64_t)advice, 0, 0, 0);
    return 0;
}

/* In the order given: a later run of the same pages is right. */
int
content_pages(struct clone *c, const struct image *im, const struct pages *pages)
{
    size_t n;
    int ret = 0;

    for (size_t i = 0; i < pages->nruns && ret == 0; i += n) {
        n = 1;
        if (pages->runs[i].dropped) {
            ret = drop_run(c, im, &pages->runs[i]);
            if (ret == 0 && c->batch.ncalls >= BATCH_CALLS / 2)
                ret = batch_run(&c->batch, c->pid);
            continue;
        }
        for (size_t k = i; c->has_guards && k < pages->nruns && k < i + RUNS_AT_ONCE &&
                           !pages->runs[k].dropped;
             k++)
            remove_guards(c, &pages->runs[k]);
        if (c->batch.ncalls > 0)
            ret = batch_run(&c->batch, c->pid);
        if (ret == 0)
            ret = write_runs(c, pages, i, &n);
    }
    if (ret == 0)
        ret = batch_run(&c->batch, c->pid);
    return ret;
}

static int
keep(struct clone_queue *q, const uint8_t *bytes, uint32_t size)
{
    if (size > q->capacity) {
        uint32_t capacity = size + size / 2;
        uint8_t *grown = realloc(q->bytes, capacity);

        if (!grown)
            return -ENOMEM;
        q->bytes = grown;
        q->capacity = capacity;
    }
    if (size > 0)
        memcpy(q->bytes, bytes, size);
    q->size = size;
    return 0;
}

int
content_queues(struct clone *c, const struct parcels *parcels)
{
    int ret = 0;

    for (size_t at = 0; at < parcels->size && ret == 0;) {
        const struct parcel *head = (const struct parcel *)(parcels->data + at);
        size_t padded = ((size_t)head->size + 15) & ~(size_t)15;

        if (parcels->size - at < sizeof *head + padded || head->fd < 0 ||
            head->fd >= IMAGE_MAX_NUMBER)
            return -EBADMSG;
        ret = keep(&c->queues[head->fd], (const uint8_t *)(head + 1), head->size);
        at += sizeof *head + padded;
    }
    return ret;
}
