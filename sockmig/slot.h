/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * slot.h - the buffers in which checkpoints travel between the threads of an engine.
 *
 * A pool is made once; a slot is owned by the thread that took it or got it in a note,
 * and goes back with slot_put().  When none is free the producer waits: that is the
 * back-pressure. */
#ifndef BSC_SLOT_H
#define BSC_SLOT_H

#include "lib/core/mono.h"
#include "sockmig/core/family.h"
#include "sockmig/mark.h"
#include "sockmig/pages.h"

enum slot_kind {
    SLOT_CHECKPOINT,
    SLOT_IMAGE, /* image and queues a new clone starts from */
    SLOT_BASE,  /* pages for a standby that is being seeded */
    SLOT_NKINDS
};

struct slot {
    enum slot_kind kind;
    uint32_t nodes;  /* BASE: for whom; bit i: node i */
    uint64_t number; /* of the checkpoint */
    struct mark mark;
    unsigned policy; /* enum conf_policy: by which output was held */
    bool hurry;      /* CHECKPOINT: somebody waits until the standbys have it */
    uint8_t *meta;   /* owned mapping: the encoded family */
    size_t meta_size, meta_max;
    struct family family; /* standby: decoded from meta; active: who is in it */
    struct pages pages;
    struct parcels parcels;
    uint8_t *files; /* owned mapping of SLOT_FILES bytes, or NULL: operations on files
                       (core/files.h) */
    size_t files_size;
    struct mono taken; /* by this host's clock; on a standby without the way here */
    struct slot_pool *pool;
    struct slot *next;
};

struct slot_pool;

#define SLOT_FILES ((size_t)4 << 30) /* address space */
#define SLOT_META ((size_t)64 << 20) /* of an encoded family */

/* slot_pool_new - @count slots, each for up to @max_bytes of pages (address space) of
 * which @warm bytes are faulted in now; @images: with room for a decoded family.
 * Never NULL: without memory the program ends. */
struct slot_pool *slot_pool_new(
    unsigned count, size_t max_bytes, size_t warm, bool images);
void slot_pool_files(struct slot_pool *pool); /* with room for files: once, at first */

struct slot *slot_try(struct slot_pool *pool);  /* NULL: none free */
struct slot *slot_take(struct slot_pool *pool); /* waits */
void slot_put(struct slot *slot);               /* NULL is legal */

#endif
