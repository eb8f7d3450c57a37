/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * receiver_stream.h - what an active node sends to a standby's receiver, and what it
 * never would. */
#ifndef BSC_RECEIVER_STREAM_H
#define BSC_RECEIVER_STREAM_H

#include "sockmig/core/known.h"
#include "sockmig/receiver.h"

#define SLOT_BYTES ((size_t)1 << 20) /* of pages that the receiver has room for */

struct stream {
    int fd;
    struct seal_channel key;
    uint64_t number;
    struct receiver *receiver;
    struct slot_pool *pool;
    struct queue *to_tracer, *to_main;
    _Atomic uint64_t applied, bytes, forged;
};

void make_image(void); /* once, at first */

/* send_part - one frame. */
void send_part(struct stream *s, enum wire_kind kind, const void *bytes, size_t size);

/* announce_pages - an image, and a checkpoint up to where its pages are due: one run of
 * two, but as many as @pages are announced. */
void announce_pages(struct stream *s, uint32_t pages);

/* code_page - the first of them, full of 'p', into KNOWN_CODED bytes; its size. */
size_t code_page(uint8_t *out);

struct malformed {
    void (*send)(struct stream *s);
    const char *why; /* it is refused */
};

extern const struct malformed malformed[];
extern const size_t nmalformed;

#endif
