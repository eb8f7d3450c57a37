/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * uplink.h - what a standby says to the active node, on the stream it receives: sealed
 * frames of the pair's key, from more than one thread. */
#ifndef BSC_UPLINK_H
#define BSC_UPLINK_H

#include "sockmig/stream.h"

#include <pthread.h>

struct uplink {
    int fd; /* borrowed */
    struct stream_pair pair;
    uint64_t number;
    pthread_mutex_t lock;
};

void uplink_init(struct uplink *u, int fd, const struct stream_pair *pair);

/* uplink_send - blocks.  False: the stream is over. */
bool uplink_send(struct uplink *u, const uint8_t *body, size_t size);

#endif
