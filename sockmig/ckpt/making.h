/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * making.h - unix sockets that are being made again: shared by wake_unix.c, which makes
 * them, and wake_unread.c, which gives them what was unread. */
#ifndef BSC_MAKING_H
#define BSC_MAKING_H

#include "sockmig/ckpt/clone_parts.h"

#define MAX_NUMBERS (2 * IMAGE_MAX_UNIX + 8)

struct making {
    struct wake *w;           /* whose stub makes them */
    const struct unix_end *v; /* borrowed: all of them */
    uint32_t n;
    struct batch *b;
    uint64_t pair; /* in the mapping: where socketpair() writes */
    int made[IMAGE_MAX_UNIX], other[IMAGE_MAX_UNIX]; /* numbers in the stub; other: the
                                                        end that nobody has; -1 */
    int ends[IMAGE_MAX_UNIX];                        /* ours of .other; -1 */
    bool used[MAX_NUMBERS];
};

/* making_opened - where our duplicate of @e is kept.  making_ours - of end @i; -1:
 * there is none.  making_by_inode - which end has it; -1: none. */
int *making_opened(const struct unix_end *e);
int making_ours(const struct making *m, int32_t i);
int32_t making_by_inode(const struct making *m, uint64_t inode);

/* making_carries - do messages for @e carry descriptors?  making_send_unread - all that
 * end @i had not read.  making_send_quietly: once the ends may be somebody's.
 * making_finish - its options, after all messages.  0 or -errno. */
bool making_carries(const struct unix_end *e);
int making_send_unread(const struct making *m, uint32_t i);
int making_send_quietly(const struct making *m, uint32_t i);
int making_finish(const struct making *m, uint32_t i);

#endif
