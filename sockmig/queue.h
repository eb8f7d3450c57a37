/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * queue.h - notes from thread to thread, by value, with a descriptor to wait on. */
#ifndef BSC_QUEUE_H
#define BSC_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#define QUEUE_NOTES 4096 /* more waiting than this: the program ends */

struct note {
    int what; /* meaning and fields are the receiver's, see its header */
    unsigned node;
    int64_t a, b, c;
    void *p;
};

struct queue;

struct queue *queue_new(void);    /* never NULL */
void queue_free(struct queue *q); /* NULL is legal */
void queue_put(struct queue *q, struct note note);
bool queue_get(struct queue *q, struct note *note); /* false: empty */
int queue_fd(const struct queue *q);                /* readable while a note waits */
void queue_wait(struct queue *q);                   /* until a note waits */
void queue_wait_ms(struct queue *q, int ms);        /* at most so long; -1: as above */

#endif
