/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/pages.h"

#include "sockmig/core/image.h"
#include "sockmig/reserve.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define MAX_RUNS (1u << 20)

/* @huge: for what is filled by megabytes, and before it matters.  2 MB to be zeroed at
 * the first byte of a small one cost a stopped service a millisecond. */
static void *
map_buffer(size_t size, bool huge)
{
    void *p = reserve(size);

    if (!p)
        return NULL;
    madvise(p, size, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
    madvise(p, size, MADV_DONTFORK); /* or each fork makes the next writes copies */
    return p;
}

int
pages_init(struct pages *p, size_t max_bytes, size_t warm)
{
    *p = (struct pages){ .max_runs = MAX_RUNS, .max_size = max_bytes };
    p->runs = map_buffer(MAX_RUNS * sizeof *p->runs, false);
    p->data = map_buffer(max_bytes, warm > 0);
    if (!p->runs || !p->data) {
        pages_fini(p);
        return -ENOMEM;
    }
    memset(p->data, 0, warm < max_bytes ? warm : max_bytes);
    return 0;
}

void
pages_fini(struct pages *p)
{
    reserve_end(p->runs, p->max_runs * sizeof *p->runs);
    reserve_end(p->data, p->max_size);
    *p = (struct pages){ 0 };
}

void
pages_reset(struct pages *p)
{
    p->nruns = p->size = 0;
    p->process = 0;
}

static struct page_run *
last_if_joins(struct pages *p, uint64_t address, uint64_t count, uint32_t dropped)
{
    struct page_run *last = p->nruns ? &p->runs[p->nruns - 1] : NULL;

    return last && last->dropped == dropped && last->process == p->process &&
                   last->count + count <= UINT32_MAX &&
                   last->address + (uint64_t)last->count * IMAGE_PAGE == address
               ? last
               : NULL;
}

uint8_t *
pages_add(struct pages *p, uint64_t address, uint32_t count)
{
    struct page_run *last = last_if_joins(p, address, count, 0);
    size_t bytes = (size_t)count * IMAGE_PAGE;
    uint8_t *at;

    if (p->max_size - p->size < bytes || (!last && p->nruns == p->max_runs))
        return NULL;
    at = p->data + p->size;
    if (last)
        last->count += count;
    else
        p->runs[p->nruns++] = (struct page_run){
            .address = address, .offset = p->size, .count = count, .process = p->process
        };
    p->size += bytes;
    return at;
}

bool
pages_drop(struct pages *p, uint64_t address, uint64_t count, enum pages_kind kind)
{
    while (count > 0) {
        uint32_t part = count > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uint32_t)count;
        struct page_run *last = last_if_joins(p, address, part, kind);

        if (last)
            last->count += part;
        else if (p->nruns < p->max_runs)
            p->runs[p->nruns++] = (struct page_run){ .address = address,
                .count = part,
                .dropped = kind,
                .process = p->process };
        else
            return false;
        address += (uint64_t)part * IMAGE_PAGE;
        count -= part;
    }
    return true;
}

bool
pages_part(const struct pages *p, size_t *at, struct pages *part)
{
    size_t from = *at;

    if (from >= p->nruns)
        return false;
    while (*at < p->nruns && p->runs[*at].process == p->runs[from].process)
        ++*at;
    *part = *p;
    part->process = p->runs[from].process;
    part->runs = p->runs + from;
    part->nruns = *at - from;
    return true;
}

int
parcels_init(struct parcels *p, size_t max_bytes)
{
    *p = (struct parcels){ .data = map_buffer(max_bytes, false),
        .max_size = max_bytes };
    return p->data ? 0 : -ENOMEM;
}

void
parcels_fini(struct parcels *p)
{
    reserve_end(p->data, p->max_size);
    *p = (struct parcels){ 0 };
}

void
parcels_reset(struct parcels *p)
{
    p->size = 0;
    p->process = 0;
}

uint8_t *
parcels_add(struct parcels *p, int fd, uint32_t size)
{
    size_t padded = ((size_t)size + 15) & ~(size_t)15;
    struct parcel *head;

    if (p->max_size - p->size < sizeof *head + padded)
        return NULL;
    head = (struct parcel *)(p->data + p->size);
    *head = (struct parcel){ .fd = fd, .size = size, .process = p->process };
    p->last = p->size;
    p->size += sizeof *head + padded;
    return (uint8_t *)(head + 1);
}

void
parcels_undo(struct parcels *p)
{
    p->size = p->last;
}

bool
parcels_part(const struct parcels *p, size_t *at, struct parcels *part)
{
    const struct parcel *first = (const struct parcel *)(p->data + *at), *next = first;
    size_t from = *at;

    if (from >= p->size)
        return false;
    while (*at < p->size && next->process == first->process) {
        *at += sizeof *next + (((size_t)next->size + 15) & ~(size_t)15);
        next = (const struct parcel *)(p->data + *at);
    }
    *part = *p;
    part->process = first->process;
    part->data = p->data + from;
    part->size = *at - from;
    return true;
}
