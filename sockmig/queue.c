/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/queue.h"

#include "lib/fd.h"
#include "lib/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct queue {
    pthread_mutex_t lock;
    int efd;
    unsigned head, count;
    struct note notes[QUEUE_NOTES];
};

struct queue *
queue_new(void)
{
    struct queue *q = calloc(1, sizeof *q);

    if (!q)
        log_fatal("queue: out of memory");
    pthread_mutex_init(&q->lock, NULL);
    q->efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (q->efd < 0)
        log_fatal("queue: no descriptor left");
    return q;
}

void
queue_free(struct queue *q)
{
    if (!q)
        return;
    fd_close(q->efd);
    pthread_mutex_destroy(&q->lock);
    free(q);
}

void
queue_put(struct queue *q, struct note note)
{
    uint64_t one = 1;
    bool first;

    pthread_mutex_lock(&q->lock);
    if (q->count == QUEUE_NOTES)
        log_fatal("queue: %u notes wait for a thread that does not run", q->count);
    q->notes[(q->head + q->count) % QUEUE_NOTES] = note;
    first = q->count++ == 0;
    /* inside the lock: or the reader could empty both between the two */
    if (first && write(q->efd, &one, sizeof one) < 0)
        log_fatal("queue: eventfd");
    pthread_mutex_unlock(&q->lock);
}

bool
queue_get(struct queue *q, struct note *note)
{
    uint64_t n;
    bool got;

    pthread_mutex_lock(&q->lock);
    got = q->count > 0;
    if (got) {
        *note = q->notes[q->head];
        q->head = (q->head + 1) % QUEUE_NOTES;
        if (--q->count == 0 && read(q->efd, &n, sizeof n) < 0)
            log_fatal("queue: eventfd");
    }
    pthread_mutex_unlock(&q->lock);
    return got;
}

int
queue_fd(const struct queue *q)
{
    return q->efd;
}

void
queue_wait(struct queue *q)
{
    queue_wait_ms(q, -1);
}

void
queue_wait_ms(struct queue *q, int ms)
{
    struct pollfd p = { .fd = q->efd, .events = POLLIN };

    while (poll(&p, 1, ms) < 0 && errno == EINTR)
        ;
}
