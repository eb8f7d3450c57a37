/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * queues_kept.h - the queues of all descriptors as the last checkpoints brought them:
 * what a standby that joins later starts from. */
#ifndef BSC_QUEUES_KEPT_H
#define BSC_QUEUES_KEPT_H

#include "sockmig/core/family.h"
#include "sockmig/slot.h"

struct kept_queue {
    uint8_t *data; /* owned */
    uint32_t size, cap;
};

struct kept_process {
    uint32_t number;           /* family_member.number */
    struct kept_queue *queues; /* owned; IMAGE_MAX_NUMBER of them, by descriptor */
};

struct queues_kept {
    struct kept_process of[FAMILY_MAX];
    uint32_t n;
};

/* queues_keep - those that @slot brings; what was of processes that ended goes. */
void queues_keep(struct queues_kept *k, const struct slot *slot);
void queues_forget(struct queues_kept *k);

/* queues_bytes - of all of them as parcels. */
uint64_t queues_bytes(const struct queues_kept *k);

/* queues_each - each as a parcel: its head, its bytes, what fills up to 16. */
void queues_each(const struct queues_kept *k,
    void (*put)(void *arg, const void *data, size_t size), void *arg);

#endif
