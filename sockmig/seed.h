/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * seed.h - the memory of running processes for a standby that joins, piece by piece.
 *
 * While its writes are tracked, a page may be read at any time: if it changes after
 * the read, the next checkpoint has it again.  So no pause and no second copy of the
 * memory are needed: pages read now and the checkpoints that follow, applied in the
 * order in which they were sent, are the process. */
#ifndef BSC_SEED_H
#define BSC_SEED_H

#include "sockmig/ckpt/tree.h"
#include "sockmig/pages.h"

struct seed_range {
    uint64_t address, pages;
    pid_t pid;
    uint32_t process; /* number in its family */
};

struct seed {
    struct seed_range *ranges; /* owned */
    size_t nranges, max_ranges;
    size_t at;        /* next range */
    uint64_t at_page; /* next page in it */
};

/* seed_begin - find what has to be read, by the images that were taken of @t.  0 or
 * -errno.  The last seed in *seed is ended first; zero it before the first use. */
int seed_begin(struct seed *seed, const struct tree *t);

/* seed_add - in addition what member @place has in the mappings of @im. */
int seed_add(
    struct seed *seed, const struct tree *t, unsigned place, const struct image *im);

/* seed_next - read up to @max pages into @pages (reset first).  1: more to come, 0:
 * that was all, -errno.  What vanished meanwhile is left out. */
int seed_next(struct seed *seed, struct pages *pages, uint64_t max);
void seed_end(struct seed *seed);

#endif
