/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/uplink.h"

#include <assert.h>
#include <errno.h>
#include <sys/socket.h>

void
uplink_init(struct uplink *u, int fd, const struct stream_pair *pair)
{
    *u = (struct uplink){ .fd = fd, .pair = *pair };
    pthread_mutex_init(&u->lock, NULL);
}

bool
uplink_send(struct uplink *u, const uint8_t *body, size_t size)
{
    uint8_t frame[WIRE_UP_MAX];
    size_t n, at = 0;

    assert(size <= WIRE_UP_BODY);
    pthread_mutex_lock(&u->lock);
    n = stream_seal_small(&u->pair, false, ++u->number, body, size, frame);
    while (at < n) {
        ssize_t sent = send(u->fd, frame + at, n - at, MSG_NOSIGNAL);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            break;
        at += (size_t)sent;
    }
    pthread_mutex_unlock(&u->lock);
    return at == n;
}
