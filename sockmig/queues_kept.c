/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/queues_kept.h"

#include "lib/log.h"

#include <stdlib.h>
#include <string.h>

static void
keep(struct kept_queue *q, const uint8_t *data, uint32_t size)
{
    if (size > q->cap) {
        q->data = realloc(q->data, size);
        if (!q->data)
            log_fatal("shipper: out of memory");
        q->cap = size;
    }
    if (size > 0) /* empty from the start: there is no memory yet */
        memcpy(q->data, data, size);
    q->size = size;
}

static struct kept_queue *
queues_of(struct queues_kept *k, uint32_t process)
{
    struct kept_process *p = k->of;

    for (uint32_t i = 0; i < k->n; i++)
        if (p[i].number == process)
            return p[i].queues;
    p = &p[k->n++];
    p->number = process;
    p->queues = calloc(IMAGE_MAX_NUMBER, sizeof *p->queues);
    if (!p->queues)
        log_fatal("shipper: out of memory");
    return p->queues;
}

static void
forget_process(struct queues_kept *k, uint32_t i)
{
    for (size_t fd = 0; fd < IMAGE_MAX_NUMBER; fd++)
        free(k->of[i].queues[fd].data);
    free(k->of[i].queues);
    k->of[i] = k->of[--k->n];
}

void
queues_forget(struct queues_kept *k)
{
    while (k->n > 0)
        forget_process(k, k->n - 1);
}

static size_t
padded(uint32_t size)
{
    return ((size_t)size + 15) & ~(size_t)15;
}

/* Those of processes that have ended go first: so there are never more than in a
 * family. */
void
queues_keep(struct queues_kept *k, const struct slot *slot)
{
    const struct parcels *parcels = &slot->parcels;

    for (uint32_t i = k->n; i-- > 0;)
        if (family_place(&slot->family, k->of[i].number) < 0)
            forget_process(k, i);
    for (size_t at = 0; at < parcels->size;) {
        const struct parcel *p = (const struct parcel *)(parcels->data + at);

        keep(&queues_of(k, p->process)[p->fd], (const uint8_t *)(p + 1), p->size);
        at += sizeof *p + padded(p->size);
    }
}

uint64_t
queues_bytes(const struct queues_kept *k)
{
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < k->n; i++)
        for (uint32_t fd = 0; fd < IMAGE_MAX_NUMBER; fd++)
            if (k->of[i].queues[fd].size > 0)
                bytes += sizeof(struct parcel) + padded(k->of[i].queues[fd].size);
    return bytes;
}

static void
each_of(const struct kept_process *process,
    void (*put)(void *arg, const void *data, size_t size), void *arg)
{
    static const uint8_t zeroes[16];

    for (int fd = 0; fd < (int)IMAGE_MAX_NUMBER; fd++) {
        const struct kept_queue *q = &process->queues[fd];
        struct parcel p = { .fd = fd, .size = q->size, .process = process->number };

        if (q->size == 0)
            continue;
        put(arg, &p, sizeof p);
        put(arg, q->data, q->size);
        put(arg, zeroes, padded(q->size) - q->size);
    }
}

void
queues_each(const struct queues_kept *k,
    void (*put)(void *arg, const void *data, size_t size), void *arg)
{
    for (uint32_t i = 0; i < k->n; i++)
        each_of(&k->of[i], put, arg);
}
