/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * pages.h - the part of a checkpoint that is memory and queues: runs of pages with
 * their content, and parcels (bytes that belong to a descriptor).
 *
 * Buffers are mapped once, prefaulted as far as @warm says, and reused for every
 * checkpoint. */
#ifndef BSC_PAGES_H
#define BSC_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct page_run {
    uint64_t address; /* of the first page */
    uint64_t offset;  /* of its content in .data; unused when dropped */
    uint32_t count;   /* pages, 1.. */
    uint32_t dropped; /* enum pages_kind: not CONTENT means that they have none */
    uint32_t process; /* whose they are: family_member.number */
    uint32_t zero;
};

enum pages_kind {
    PAGES_CONTENT,
    PAGES_DROPPED, /* they read as zeroes now (MADV_DONTNEED, unmapped) */
    PAGES_GUARD    /* they may not be touched (MADV_GUARD_INSTALL) */
};

struct pages {
    struct page_run *runs; /* owned mapping */
    size_t nruns, max_runs;
    uint8_t *data; /* owned mapping */
    size_t size, max_size;
    uint32_t process; /* of what is added from now on */
};

struct parcel {
    int32_t fd;
    uint32_t size;    /* bytes, right behind this header, padded to 16 */
    uint32_t process; /* as in a run */
    uint32_t zero;
};

struct parcels {
    uint8_t *data; /* owned mapping: struct parcel, bytes, struct parcel, ... */
    size_t size, max_size;
    size_t last;      /* where the last parcel begins */
    uint32_t process; /* of what is added from now on */
};

/* pages_init - 0, or -ENOMEM.  @max_bytes of content (address space only), of which
 * @warm bytes are faulted in at once. */
int pages_init(struct pages *p, size_t max_bytes, size_t warm);
void pages_fini(struct pages *p);
void pages_reset(struct pages *p); /* empty, and of process 0 */

/* pages_add - room for @count pages at @address; joins the last run where it can.
 * Where their content goes (count * 4096 bytes), or NULL when full. */
uint8_t *pages_add(struct pages *p, uint64_t address, uint32_t count);
bool pages_drop(struct pages *p, uint64_t address, uint64_t count,
    enum pages_kind kind); /* false: full */

/* pages_part - the runs from *@at (0: the first) on that are of one process, which is
 * @part->process; *@at moves behind them.  @part borrows.  False behind the last. */
bool pages_part(const struct pages *p, size_t *at, struct pages *part);

int parcels_init(struct parcels *p, size_t max_bytes);
void parcels_fini(struct parcels *p);
void parcels_reset(struct parcels *p);

/* parcels_add - room for @size bytes of descriptor @fd, or NULL when full.
 * parcels_undo: take the last one back. */
uint8_t *parcels_add(struct parcels *p, int fd, uint32_t size);
void parcels_undo(struct parcels *p);

/* parcels_part - as pages_part. */
bool parcels_part(const struct parcels *p, size_t *at, struct parcels *part);

#endif
