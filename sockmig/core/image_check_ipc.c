/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * image_check_ipc.c - the invariants of semaphores and message queues. */
#include "sockmig/core/image.h"

static const char *
check_semaphores(const struct image *im)
{
    uint64_t total = 0;

    if (im->nsets > IMAGE_MAX_SETS || im->nsemaphores > IMAGE_MAX_SEMAPHORES)
        return "too many semaphores";
    for (uint32_t i = 0; i < im->nsets; i++) {
        if (im->sets[i].id < 0 || im->sets[i].mode > 0777 || im->sets[i].n == 0)
            return "set of semaphores: id, mode or number out of range";
        if (i > 0 && im->sets[i].id <= im->sets[i - 1].id)
            return "sets of semaphores out of order";
        total += im->sets[i].n;
    }
    for (uint32_t i = 0; i < im->nsemaphores; i++) {
        const struct image_semaphore *s = &im->semaphores[i];

        if (s->value < 0 || s->value > IMAGE_SEMAPHORE_MAX ||
            s->undo > IMAGE_SEMAPHORE_MAX / 2 || s->undo < -IMAGE_SEMAPHORE_MAX / 2)
            return "semaphore: value out of range";
    }
    return total == im->nsemaphores ? NULL : "semaphores of no set";
}

const char *
image_check_ipc(const struct image *im)
{
    if (im->nqueues > IMAGE_MAX_QUEUES)
        return "too many message queues";
    for (uint32_t i = 0; i < im->nqueues; i++) {
        const struct image_queue *q = &im->queues[i];

        if (q->id < 0 || q->mode > 0777 || q->size > IMAGE_QUEUE_MAX || q->size % 8)
            return "message queue: id, mode or size out of range";
        if (i > 0 && q->id <= im->queues[i - 1].id)
            return "message queues out of order";
    }
    return check_semaphores(im);
}
