/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * image_ipc.h - System V semaphores and message queues of an image: included by
 * image.h, whose words on encoding and checking hold for it.
 *
 * Pure.  Design: doc/design/image.md. */
#ifndef BSC_IMAGE_IPC_H
#define BSC_IMAGE_IPC_H

#include "sockmig/core/image_fd.h"

#define IMAGE_MAX_SETS 256         /* of semaphores */
#define IMAGE_MAX_SEMAPHORES 8192  /* of all sets */
#define IMAGE_MAX_QUEUES 64        /* of messages */
#define IMAGE_SEMAPHORE_MAX 32767  /* highest value (SEMVMX) */
#define IMAGE_QUEUE_MAX (1u << 20) /* bytes of one, as they are in its parcel */

/* Queue i of an image has its messages in the parcel of this number plus i. */
#define IMAGE_QUEUES (IMAGE_IN_FLIGHT + IMAGE_MAX_IN_FLIGHT)

struct image_set { /* of semaphores; sorted by id */
    int32_t id, key;
    uint32_t mode, uid, gid;
    uint32_t n; /* semaphores, in the order of the sets */
};

struct image_semaphore {
    int32_t value;
    int32_t undo; /* what is added when this process ends (SEM_UNDO) */
};

struct image_queue { /* sorted by id */
    int32_t id, key;
    uint32_t mode, uid, gid;
    uint32_t size;  /* of its parcel */
    uint64_t limit; /* bytes */
};

/* Messages in a parcel: this, then .size bytes, padded with zeroes to 8; the oldest
 * first. */
struct image_letter {
    uint64_t size;
    int64_t type; /* from here on as msgsnd() takes it */
};

struct image;

/* image_check_ipc - image_check() of these. */
const char *image_check_ipc(const struct image *im);

#endif
