/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * known.h - pages of checkpoints, as what changed in them since the last checkpoint
 * that had them.
 *
 * Most pages of a checkpoint were in one of the last before it, and little of them
 * changed.  Both ends of a stream keep what it brought last; the sender says which
 * lines of 64 bytes differ, and the receiver has the page.  It is a matter of the
 * stream alone: no memory of any process is asked what a page was.  Both ends do the
 * same in the same order; the sender begins anew, and says so, when somebody else
 * listens.
 *
 *     a page: u64 bit i: line i follows; the lines.  What is not kept was all zeroes.
 *
 * One page has a place, by its address; another one that has the same place takes it.
 * Pure: the memory is the caller's. */
#ifndef BSC_KNOWN_H
#define BSC_KNOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KNOWN_PLACES 4096u
#define KNOWN_PAGE 4096u
#define KNOWN_CODED (8u + KNOWN_PAGE) /* bytes of a page that changed whole */

/* A longer run of pages is written in bulk: none of it would be kept for long. */
#define KNOWN_RUN 64u

struct known {
    uint64_t keys[KNOWN_PLACES]; /* 0: nothing is kept there */
    uint8_t *pages;              /* borrowed: KNOWN_PLACES of them */
};

struct known_page {
    uint64_t address; /* a multiple of KNOWN_PAGE, below 2^47 */
    uint32_t process; /* whose it is */
    bool kept;        /* it is to be kept: both ends say the same */
};

/* known_page_of - page number @i of a run of @count from @address. */
static inline struct known_page
known_page_of(uint64_t address, uint32_t count, uint32_t process, uint32_t i)
{
    return (struct known_page){ .address = address + (uint64_t)i * KNOWN_PAGE,
        .process = process,
        .kept = count <= KNOWN_RUN };
}

void known_init(struct known *k, uint8_t *pages);
void known_forget(struct known *k);

/* known_code - @page as it is now; bytes written to @out, KNOWN_CODED at most. */
size_t known_code(
    struct known *k, struct known_page which, const uint8_t *page, uint8_t *out);

/* known_decode - what known_code() wrote, at the beginning of @in, to @page.  Bytes
 * used; 0: it is cut. */
size_t known_decode(struct known *k, struct known_page which, const uint8_t *in,
    size_t size, uint8_t *page);

#endif
