/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/slot.h"

#include "lib/log.h"
#include "sockmig/image_alloc.h"
#include "sockmig/reserve.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#define PARCELS_MAX ((size_t)1 << 30)
#define KEEP_WARM ((size_t)64 << 20) /* of a buffer, after a large checkpoint */

struct slot_pool {
    pthread_mutex_t lock;
    pthread_cond_t freed;
    struct slot *free;
};

static void
slot_init(struct slot *s, size_t max_bytes, size_t warm, bool images)
{
    s->meta_max = SLOT_META;
    s->meta = reserve(SLOT_META);
    if (!s->meta || pages_init(&s->pages, max_bytes, warm) < 0 ||
        parcels_init(&s->parcels, PARCELS_MAX) < 0 ||
        family_alloc(&s->family, images) < 0)
        log_fatal("checkpoint buffers: out of memory");
}

void
slot_pool_files(struct slot_pool *pool)
{
    for (struct slot *s = pool->free; s; s = s->next) {
        s->files = reserve(SLOT_FILES);
        if (!s->files)
            log_fatal("checkpoint buffers: out of memory");
        madvise(s->files, SLOT_FILES, MADV_DONTFORK);
    }
}

struct slot_pool *
slot_pool_new(unsigned count, size_t max_bytes, size_t warm, bool images)
{
    struct slot_pool *pool = calloc(1, sizeof *pool);

    if (!pool)
        log_fatal("checkpoint buffers: out of memory");
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->freed, NULL);
    for (unsigned i = 0; i < count; i++) {
        struct slot *s = calloc(1, sizeof *s);

        if (!s)
            log_fatal("checkpoint buffers: out of memory");
        slot_init(s, max_bytes, warm, images);
        s->pool = pool;
        s->next = pool->free;
        pool->free = s;
    }
    return pool;
}

static struct slot *
pop(struct slot_pool *pool)
{
    struct slot *s = pool->free;

    if (s) {
        pool->free = s->next;
        s->next = NULL;
        s->meta_size = s->files_size = 0;
        pages_reset(&s->pages);
        parcels_reset(&s->parcels);
    }
    return s;
}

struct slot *
slot_try(struct slot_pool *pool)
{
    struct slot *s;

    pthread_mutex_lock(&pool->lock);
    s = pop(pool);
    pthread_mutex_unlock(&pool->lock);
    return s;
}

struct slot *
slot_take(struct slot_pool *pool)
{
    struct slot *s;

    pthread_mutex_lock(&pool->lock);
    while (!(s = pop(pool)))
        pthread_cond_wait(&pool->freed, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
    return s;
}

void
slot_put(struct slot *s)
{
    struct slot_pool *pool;

    if (!s)
        return;
    pool = s->pool;
    if (s->pages.size > KEEP_WARM) /* one large checkpoint must not stay resident */
        madvise(
            s->pages.data + KEEP_WARM, s->pages.max_size - KEEP_WARM, MADV_DONTNEED);
    if (s->files_size > KEEP_WARM)
        madvise(s->files + KEEP_WARM, SLOT_FILES - KEEP_WARM, MADV_DONTNEED);
    pthread_mutex_lock(&pool->lock);
    s->next = pool->free;
    pool->free = s;
    pthread_cond_signal(&pool->freed);
    pthread_mutex_unlock(&pool->lock);
}
