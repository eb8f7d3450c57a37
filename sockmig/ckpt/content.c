/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * content.c - pages and queues of a checkpoint, into the clone. */
#include "sockmig/ckpt/clone_parts.h"
#include "sockmig/ckpt/fill.h"

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

/* The first mapping that ends behind @address; c->nvmas: none. */
static unsigned
first_mapping(const struct clone *c, uint64_t address)
{
    unsigned low = 0, high = c->nvmas;

    while (low < high) {
        unsigned middle = (low + high) / 2;

        if (c->vmas[middle].end <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct image_vma *
content_mapping(const struct clone *c, uint64_t address)
{
    unsigned i = first_mapping(c, address);

    return i < c->nvmas && c->vmas[i].start <= address ? &c->vmas[i] : NULL;
}

static bool
is_shared(const struct image_vma *v)
{
    return v->kind == IMAGE_VMA_SHARED_ANON || v->kind == IMAGE_VMA_SEGMENT;
}

/* ---- content */

static int
write_forced(const struct clone *c, const struct iovec *local,
    const struct iovec *remote, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        ssize_t put = pwrite(c->mem, local[i].iov_base, local[i].iov_len,
            (off_t)(uintptr_t)remote[i].iov_base);

        if (put != (ssize_t)local[i].iov_len)
            return put < 0 ? -errno : -EFAULT;
    }
    return 0;
}

/* What is not writable even in the skeleton (PROT_NONE) goes the slow way. */
static int
write_runs(const struct clone *c, const struct iovec *local, const struct iovec *remote,
    size_t n, size_t total)
{
    if (process_vm_writev(c->pid, local, n, remote, n, 0) == (ssize_t)total)
        return 0;
    return write_forced(c, local, remote, n);
}

/* Those runs from @first to @end - 1 that have content, but @filled have it there. */
static int
write_content(
    const struct clone *c, const struct pages *p, size_t first, size_t end, bool filled)
{
    struct iovec local[RUNS_AT_ONCE], remote[RUNS_AT_ONCE];
    size_t total = 0, k = 0;
    int ret = 0;

    for (size_t i = first; i < end && ret == 0; i++) {
        const struct page_run *run = &p->runs[i];
        size_t size = (size_t)run->count * IMAGE_PAGE;

        if (run->dropped || (filled && fill_serves(c, run)))
            continue;
        local[k] = (struct iovec){ p->data + run->offset, size };
        remote[k++] = (struct iovec){ (void *)(uintptr_t)run->address, size };
        total += size;
        if (k < RUNS_AT_ONCE && total < BYTES_AT_ONCE)
            continue;
        ret = write_runs(c, local, remote, k, total);
        total = k = 0;
    }
    return ret == 0 && k > 0 ? write_runs(c, local, remote, k, total) : ret;
}

/* ---- pages that were given back */

/* The kernel gives back huge pages as a whole, and leaves a part of one where it is. */
static bool
ends_inside_huge_page(const struct image_vma *v, uint64_t from, uint64_t to)
{
    uint64_t size = v->page_bits ? UINT64_C(1) << v->page_bits : 1;

    return from % size != 0 || (to < v->end && to % size != 0);
}

/* Giving pages back, or writing to them, leaves guards where they are. */
static void
remove_guards(struct clone *c, const struct page_run *run)
{
    batch_add(&c->batch, NULL, SYS_madvise, run->address,
        (uint64_t)run->count * IMAGE_PAGE, MADV_GUARD_REMOVE, 0, 0, 0);
}

/* In a shared mapping only MADV_REMOVE gives zeroes. */
static int
drop_part(struct clone *c, const struct image_vma *v, const struct page_run *part)
{
    uint64_t size = (uint64_t)part->count * IMAGE_PAGE;
    int advice = is_shared(v) ? MADV_REMOVE : MADV_DONTNEED;
    int ret = batch_room(&c->batch, c->pid, 2);

    if (ret < 0)
        return ret;
    if (ends_inside_huge_page(v, part->address, part->address + size))
        return -EBADMSG;
    if (part->dropped == PAGES_GUARD) {
        advice = MADV_GUARD_INSTALL;
        c->has_guards = true;
    } else if (c->has_guards) {
        remove_guards(c, part);
    }
    batch_add(
        &c->batch, NULL, SYS_madvise, part->address, size, (uint64_t)advice, 0, 0, 0);
    return 0;
}

/* A run may reach over several mappings, each of which is given back in its own way,
 * and over what is not mapped any more. */
static int
drop_run(struct clone *c, const struct page_run *run)
{
    uint64_t end = run->address + (uint64_t)run->count * IMAGE_PAGE;
    int ret = 0;

    for (unsigned i = first_mapping(c, run->address);
         i < c->nvmas && c->vmas[i].start < end && ret == 0; i++) {
        const struct image_vma *v = &c->vmas[i];
        struct page_run part = *run;
        uint64_t to = v->end < end ? v->end : end;

        part.address = v->start > run->address ? v->start : run->address;
        part.count = (uint32_t)((to - part.address) / IMAGE_PAGE);
        ret = drop_part(c, v, &part);
    }
    return ret;
}

static int
drop_runs(struct clone *c, const struct pages *p, size_t first, size_t end)
{
    int ret = 0;

    for (size_t i = first; i < end && ret == 0; i++) {
        ret = batch_room(&c->batch, c->pid, 1);
        if (ret == 0 && p->runs[i].dropped)
            ret = drop_run(c, &p->runs[i]);
        else if (c->has_guards)
            remove_guards(c, &p->runs[i]);
    }
    return ret == 0 ? batch_run(&c->batch, c->pid) : ret;
}

/* ---- all of it */

static bool
drops_shared(const struct clone *c, const struct page_run *run)
{
    uint64_t end = run->address + (uint64_t)run->count * IMAGE_PAGE;

    for (unsigned i = first_mapping(c, run->address);
         run->dropped && i < c->nvmas && c->vmas[i].start < end; i++)
        if (is_shared(&c->vmas[i]))
            return true;
    return false;
}

/* Up to where the order does not matter: runs of different pages, none of which gives
 * back what may be seen at another address, too. */
static size_t
unordered(const struct clone *c, const struct pages *p, size_t first)
{
    size_t end = first;
    uint64_t seen = 0;

    while (end < p->nruns && p->runs[end].address >= seen) {
        const struct page_run *run = &p->runs[end];

        if (drops_shared(c, run))
            break;
        seen = run->address + (uint64_t)run->count * IMAGE_PAGE;
        end++;
    }
    return end > first ? end : first + 1;
}

int
content_pages(struct clone *c, const struct pages *pages)
{
    size_t end;
    int ret = 0;

    for (size_t i = 0; i < pages->nruns && ret == 0; i = end) {
        end = unordered(c, pages, i);
        ret = drop_runs(c, pages, i, end);
        if (ret == 0)
            ret = write_content(c, pages, i, end, fill_pages(c, pages, i, end));
    }
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
