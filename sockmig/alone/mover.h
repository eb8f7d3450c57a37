/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * mover.h - the steps of move.c. */
#ifndef BSC_MOVER_H
#define BSC_MOVER_H

#include "sockmig/alone/catcher.h"
#include "sockmig/alone/channel.h"
#include "sockmig/alone/take.h"
#include "sockmig/alone/vip.h"

struct mover_shape { /* of a process, as the other end has it */
    struct family_member info;
    struct image_vma *vmas; /* owned */
    uint32_t nvmas;
};

struct mover {
    const char *host; /* borrowed */
    struct seal_secret secret;
    unsigned limit_ms; /* for the other end to have the whole image, from the stop on */
    struct vip vips[CHANNEL_ADDRESSES]; /* that move */
    unsigned nvips;

    struct take take;
    struct channel channel;
    struct channel_order order;
    struct catcher catcher;
    struct mover_shape *shapes; /* owned */
    unsigned nshapes;
    bool attached;
    bool still; /* they are stopped */
    struct channel_result result;
    int64_t still_us;
    uint64_t last_bytes; /* of memory, sent while they stood still */
};

struct mover *mover_new(void);    /* NULL: no memory */
void mover_free(struct mover *m); /* those that were not moved run on */

/* mover_put - as struct take wants it; they are served meanwhile.  mover_word: an item
 * without content.  0 or -errno. */
int mover_put(void *arg, enum imgfile_type type, uint32_t process,
    const struct iovec *parts, unsigned n);
int mover_word(struct mover *m, enum channel_word word);

/* mover_await - answer @word, within @limit_ms.
 * 0; -EREMOTEIO: the other end said why not, .take.error has it; -ETIMEDOUT; other
 * -errno. */
int mover_await(struct mover *m, enum channel_word word, unsigned limit_ms);

/* mover_find_addresses - where they are, and whether all connections are at one.
 * mover_addresses_away, mover_addresses_back: from their devices, and announced again.
 */
int mover_find_addresses(struct mover *m);
int mover_addresses_away(struct mover *m);
void mover_addresses_back(struct mover *m);
void mover_addresses_gone(struct mover *m); /* they will not come back */

/* mover_find_cell - are they in namespaces of their own?  Then in such at the other
 * end, too. */
void mover_find_cell(struct mover *m);

/* mover_remember - processes and mappings, as the other end has them from now on.
 * mover_is_same - are these the same processes?  mover_put_new: what is in mappings
 * that it does not have.  mover_forget: all of that, and every page is new again. */
int mover_remember(struct mover *m);
bool mover_is_same(const struct mover *m);
int mover_put_new(struct mover *m);
void mover_forget(struct mover *m);

/* mover_catch - from here on what comes for their connections is kept.
 * mover_forward - send what came.  0 or -errno. */
int mover_catch(struct mover *m);
int mover_forward(struct mover *m);

/* mover_linger - the same for as long as a neighbour may look for them here. */
void mover_linger(struct mover *m);

/* mover_go - the other end may have them: nothing of them may run here until it has
 * answered.  mover_result - its answer: 0, they run there; -EREMOTEIO: they do not. */
int mover_go(struct mover *m);
int mover_result(struct mover *m);

#endif
