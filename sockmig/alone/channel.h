/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * channel.h - a sealed connection between a sockmig that moves processes away and one
 * that receives them.
 *
 * Both say a random number in the clear; keys come of the secret and both numbers, one
 * for each direction.  Frames are those of sockmig/stream.h and are numbered without a
 * gap: none can be changed, doubled, left out or taken from another connection.
 *
 * An item is a record of an image (enum imgfile_type) or one of the words below.  It
 * may be of any size: it is cut into frames, and put together at the other end. */
#ifndef BSC_CHANNEL_H
#define BSC_CHANNEL_H

#include "lib/core/mono.h"
#include "lib/seal.h"
#include "sockmig/alone/imgfile.h"
#include "sockmig/alone/vip.h"

#include <pthread.h>

#define CHANNEL_SLOTS 16u
#define CHANNEL_WORD 64u /* bytes of a sealed word, with room */

enum channel_word {
    CHANNEL_ORDER = 64, /* struct channel_order: what is to come */
    CHANNEL_SHAPE,      /* that was the state of all processes; make room for them */
    CHANNEL_SYNC,       /* say CHANNEL_SYNCED when all before has been taken in */
    CHANNEL_GO,         /* they are yours */
    CHANNEL_HELD,       /* a packet for them that came to the old place */
    CHANNEL_ASK,        /* do the processes of this order run with you? */
    CHANNEL_KNOWN,      /* that they run with you: nobody will ask again */
    CHANNEL_BUILT,      /* answers: there is room for them */
    CHANNEL_SYNCED,
    CHANNEL_READY,  /* the whole image is here, and is good */
    CHANNEL_RUNS,   /* struct channel_result */
    CHANNEL_FAILED, /* text: why; nothing of them is left here */
    CHANNEL_NWORDS
};

#define CHANNEL_ADDRESSES 16u

struct channel_address {
    uint32_t family, bits; /* AF_INET, AF_INET6 */
    uint8_t bytes[16];
};

struct channel_order {
    uint8_t id[16]; /* of this move; nobody else has it */
    uint32_t version, naddresses;
    struct channel_address addresses[CHANNEL_ADDRESSES]; /* that move with them */
    char silence[32]; /* name of the packet rules, on both hosts */
    char cell[64];    /* name; "": they are in no cell */
};

struct channel_result {
    uint32_t connections, lost;
    uint64_t wake_us;
};

struct channel_slot;

struct channel {
    int fd; /* owned */
    struct seal_key out, in;
    struct channel_ready
        *ready; /* owned; NULL: of another program, see arrive_clear() */
    uint64_t next_out, next_in;
    uint8_t *frame; /* owned: what is read */
    uint8_t *item;  /* owned: put together so far */
    size_t item_size, item_max;

    struct channel_slot *slots; /* owned; NULL: no thread */
    unsigned head, tail;        /* filled, and sent, so many */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool ending;
    int failed; /* -errno: of the thread; nothing more is sent */
};

/* channel_connect - to "HOST", "HOST:PORT" or "[HOST]:PORT", not from one of @vips,
 * which are about to leave this host. channel_accept - @fd (taken) is a connection that
 * was accepted. 0 or -errno; channel_close() in any case. */
int channel_connect(struct channel *c, const char *host,
    const struct seal_secret *secret, const struct vip *vips, unsigned nvips,
    char *error, size_t size);
int channel_accept(struct channel *c, int fd, const struct seal_secret *secret);
void channel_close(struct channel *c);

/* channel_say - one item at once, from the caller's thread; not while another thread of
 * this channel sends.  0 or -errno. */
int channel_say(struct channel *c, unsigned type, const void *data, size_t size);

/* channel_prepare - seal word @type, but do not send it: the next that is sent.
 * Its size in @out (CHANNEL_WORD bytes). */
size_t channel_prepare(struct channel *c, unsigned type, uint8_t *out);

/* channel_start - from here on a thread sends, so that who puts items need not wait.
 * channel_put - one item of @n parts; @wait is called, again and again, while there is
 * no room.  channel_drain - until all is sent.  0 or -errno. */
int channel_start(struct channel *c);
int channel_put(struct channel *c, unsigned type, uint32_t process,
    const struct iovec *parts, unsigned n, void (*wait)(void *arg), void *arg);
int channel_drain(struct channel *c, void (*wait)(void *arg), void *arg);

/* channel_get - wait for an item, @limit_ms at most (0: for ever) of silence.
 *
 * @item  its data are borrowed until the next call
 *
 * 0; -EBADMSG: it is not of who has the secret; -ECONNRESET; -ETIMEDOUT; -E2BIG; other
 * -errno. */
int channel_get(struct channel *c, struct imgfile_item *item, unsigned limit_ms);

/* channel_ready - is there something to get?  Waits @ms for it. */
bool channel_ready(const struct channel *c, int ms);

#endif
