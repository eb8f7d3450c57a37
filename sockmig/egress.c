/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Source: kernel Documentation/networking/tuntap.rst, drivers/net/tun.c,
 * include/uapi/linux/virtio_net.h. */
#include "sockmig/egress.h"

#include "lib/fd.h"
#include "sockmig/bpf/gate_devices.h"
#include "sockmig/core/packet.h"
#include "sockmig/core/packet_ring.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define RING_BYTES (64u << 20) /* touched only as far as it is needed */
#define RING_READY (1u << 20)
#define READ_AT_ONCE 4096u
#define HEAD sizeof(struct virtio_net_hdr)
#define LARGEST                                                                        \
    ((uint32_t)(HEAD + PACKET_MAX + PACKET_RING_ALIGN - 1) & ~(PACKET_RING_ALIGN - 1))

struct kept {
    uint32_t at, size; /* in .bytes, with the head of the device; size 0: dropped */
};

struct egress {
    int cell, gate;       /* borrowed */
    pthread_mutex_t lock; /* of all that follows, but for what is between .first and
                             .shown: that is the main thread's */
    uint8_t *bytes;       /* owned; mapped when the first packet comes */
    struct packet_ring ring;
    uint32_t first, shown, next; /* ids: the oldest held, the next for egress_read(),
                                    the next that will come */
    uint64_t dropped;
    struct kept kept[EGRESS_PACKETS]; /* by id */
};

static struct kept *
kept(struct egress *e, uint32_t id)
{
    return &e->kept[id % EGRESS_PACKETS];
}

int
egress_tun(const char *name, int *fd)
{
    struct ifreq req = { .ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR };
    int index = OUTLET_INDEX;

    snprintf(req.ifr_name, sizeof req.ifr_name, "%s", name);
    *fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (*fd < 0)
        return -errno;
    /* Large packets stay whole; of datagrams each is one (USO is left off). */
    return ioctl(*fd, TUNSETIFINDEX, &index) < 0 || ioctl(*fd, TUNSETIFF, &req) < 0 ||
                   ioctl(*fd, TUNSETOFFLOAD,
                       TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN) < 0
               ? -errno
               : 0;
}

int
egress_new(int cell, int gate, struct egress **out)
{
    struct egress *e = calloc(1, sizeof *e);
    pthread_mutexattr_t attr;

    if (!e)
        return -ENOMEM;
    e->cell = cell;
    e->gate = gate;
    e->ring = (struct packet_ring){ .bytes = RING_BYTES, .longest = LARGEST };
    e->first = e->shown = e->next = 1;
    /* The main thread runs in real time, and waits for others' marks. */
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
    pthread_mutex_init(&e->lock, &attr);
    pthread_mutexattr_destroy(&attr);
    *out = e;
    return 0;
}

void
egress_free(struct egress *e)
{
    if (!e)
        return;
    if (e->bytes)
        munmap(e->bytes, RING_BYTES);
    pthread_mutex_destroy(&e->lock);
    free(e);
}

int
egress_fd(const struct egress *e)
{
    return e->cell;
}

/* Where the next packet has room, whatever its size; NULL: nowhere. */
static uint8_t *
room(struct egress *e)
{
    uint32_t at;

    if (!e->bytes || e->next - e->first == EGRESS_PACKETS)
        return NULL;
    at = packet_ring_place(&e->ring, e->first != e->next, kept(e, e->first)->at);
    return at == PACKET_RING_FULL ? NULL : e->bytes + at;
}

static void
make_room(struct egress *e)
{
    void *p = mmap(NULL, RING_BYTES, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (p == MAP_FAILED)
        return; /* all is dropped, and counted */
    madvise(p, RING_BYTES, MADV_DONTFORK);
    madvise(p, RING_BYTES, MADV_DONTDUMP);
    madvise(p, RING_READY, MADV_POPULATE_WRITE);
    e->bytes = p;
}

/* What the device has, READ_AT_ONCE packets at most; false: it is empty.  Under .lock.
 */
static bool
pull(struct egress *e)
{
    static uint8_t nowhere[LARGEST];

    if (!e->bytes)
        make_room(e);
    for (unsigned i = 0; i < READ_AT_ONCE; i++) {
        uint8_t *at = room(e);
        ssize_t n = read(e->cell, at ? at : nowhere, LARGEST);

        if (n < 0)
            return false;
        if (!at || (size_t)n <= HEAD) {
            e->dropped++;
            continue;
        }
        *kept(e, e->next++) = (struct kept){ e->ring.head, (uint32_t)n };
        packet_ring_take(&e->ring, (uint32_t)n);
    }
    return true;
}

static struct captured
captured(struct egress *e, uint32_t id)
{
    const struct kept *k = kept(e, id);
    const uint8_t *at = e->bytes + k->at;
    struct virtio_net_hdr head;

    memcpy(&head, at, sizeof head);
    return (struct captured){ .id = id,
        .protocol = at[HEAD] >> 4 == 4 ? 0x0800 : 0x86dd,
        .checksum_pending = head.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM,
        .data = at + HEAD,
        .size = k->size - (uint32_t)HEAD };
}

int
egress_read(struct egress *e, captured_cb *cb, void *arg)
{
    uint32_t upto, began = e->shown;

    pthread_mutex_lock(&e->lock);
    pull(e);
    upto = e->next;
    pthread_mutex_unlock(&e->lock);
    while (e->shown != upto) {
        struct captured pkt = captured(e, e->shown++);

        cb(&pkt, arg);
    }
    return (int)(upto - began);
}

uint32_t
egress_mark(struct egress *e)
{
    uint32_t newest;

    pthread_mutex_lock(&e->lock);
    while (pull(e))
        continue;
    newest = e->next - 1;
    pthread_mutex_unlock(&e->lock);
    return newest;
}

bool
egress_unread(struct egress *e)
{
    bool unread;

    pthread_mutex_lock(&e->lock);
    unread = e->shown != e->next;
    pthread_mutex_unlock(&e->lock);
    return unread;
}

static bool
is_upto(uint32_t id, uint32_t last)
{
    return (int32_t)(last - id) >= 0;
}

void
egress_accept_upto(struct egress *e, uint32_t id)
{
    uint32_t one = e->first, refused = 0;

    for (; one != e->shown && is_upto(one, id); one++) {
        const struct kept *k = kept(e, one);

        if (k->size > 0 && write(e->gate, e->bytes + k->at, k->size) < 0)
            refused++;
    }
    pthread_mutex_lock(&e->lock);
    e->first = one;
    e->dropped += refused;
    pthread_mutex_unlock(&e->lock);
}

void
egress_drop(struct egress *e, uint32_t id)
{
    kept(e, id)->size = 0;
}

void
egress_drop_upto(struct egress *e, uint32_t id)
{
    pthread_mutex_lock(&e->lock);
    while (e->first != e->shown && is_upto(e->first, id))
        e->first++;
    pthread_mutex_unlock(&e->lock);
}

struct egress_stat
egress_stat(struct egress *e)
{
    struct egress_stat stat;

    pthread_mutex_lock(&e->lock);
    stat = (struct egress_stat){ e->next - e->first, e->dropped };
    pthread_mutex_unlock(&e->lock);
    return stat;
}
