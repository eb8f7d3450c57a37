/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/feed.h"

#include "lib/loop.h"
#include "lib/sockdiag.h"
#include "sockmig/core/packet.h"
#include "sockmig/gatens.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OVERHEAD                                                                       \
    1024 /* that the kernel counts for each, besides its bytes, or less                \
          */
#define PATIENCE_US 100000
#define UNKNOWN (64 << 10)

struct feed {
    int tun, netns;   /* borrowed */
    uint16_t port;    /* .left is of its sockets */
    int64_t left;     /* bytes that may go in before they are looked at again */
    struct mono full; /* there was no room since then */
    size_t waiting;   /* bytes in .packet; 0: none waits */
    uint8_t packet[PACKET_MAX];
};

struct feed *
feed_new(void)
{
    return calloc(1, sizeof(struct feed));
}

void
feed_begin(struct feed *f, int tun, int netns)
{
    f->tun = tun;
    f->netns = netns;
    f->left = 0;
    f->waiting = 0;
}

/* A packet that does not go in is one that was lost: the replay finds out what it
 * meant. */
static void
go_in(const struct feed *f, const uint8_t *data, size_t size)
{
    ssize_t n = write(f->tun, data, size);

    (void)n;
}

struct search {
    uint16_t port;
    int64_t left; /* of the socket that has least; -1: none was found */
    bool unread;  /* one has some that were not read yet */
};

static void
look_at(const struct sockdiag_socket *s, void *arg)
{
    struct search *found = arg;

    if (s->local_port != found->port)
        return;
    found->unread |= s->unread > 0;
    if (found->left < 0 || s->receive_left < found->left)
        found->left = s->receive_left;
}

/* Half of what there is, since large ones take more memory than their bytes; but for
 * @least there is room where all were read. */
static int64_t
room_now(const struct feed *f, int64_t least)
{
    struct search found = { f->port, -1, false };
    int back, ret = gatens_enter(f->netns, &back);

    if (ret == 0) {
        ret = sockdiag_udp(look_at, &found);
        gatens_leave(back);
    }
    if (ret < 0 || found.left < 0)
        return UNKNOWN;
    return !found.unread && found.left / 2 < least ? least : found.left / 2;
}

static bool
has_room(struct feed *f, const uint8_t *data, size_t size)
{
    int64_t takes = (int64_t)size + OVERHEAD;
    struct packet pkt;

    if (!packet_parse(&pkt, PACKET_IN, data, size) || pkt.later ||
        pkt.key.protocol != PACKET_UDP)
        return true;
    if (f->port != pkt.key.local_port || f->left < takes) {
        f->port = pkt.key.local_port;
        f->left = room_now(f, takes);
    }
    if (f->left < takes)
        return false;
    f->left -= takes;
    return true;
}

void
feed_put(struct feed *f, const uint8_t *data, size_t size)
{
    if (size > sizeof f->packet || has_room(f, data, size)) {
        go_in(f, data, size);
        return;
    }
    memcpy(f->packet, data, size);
    f->waiting = size;
    f->full = mono_clock();
}

bool
feed_waits(struct feed *f)
{
    if (f->waiting == 0)
        return false;
    if (!has_room(f, f->packet, f->waiting) &&
        mono_us_between(f->full, mono_clock()) < PATIENCE_US)
        return true;
    go_in(f, f->packet, f->waiting);
    f->waiting = 0;
    return false;
}
