/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/alone/channel.h"

#include "lib/fd.h"
#include "sockmig/alone/reach.h"
#include "sockmig/stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define HELLO_MS 5000  /* for the other end's number */
#define WRITE_MS 20000 /* for the other end to take something */
#define ITEM_HEAD 6u   /* type, last, process */
#define ITEM_MAX (1ull << 31)
#define BODY_MAX (WIRE_MAX_FRAME - SEAL_TAG)

#define CAN_AES UINT64_C(1) /* in a hello's number, which is a part of the keys */

static const char greeting[8] = "sockmig2";

struct hello {
    char greeting[sizeof greeting];
    uint64_t number;
};

struct channel_ready { /* keys */
    struct seal_channel out;
    struct stream_keys in;
};

struct channel_slot {
    size_t size;
    uint8_t body[BODY_MAX];
};

/* ---- to begin with */

static void
limit(int fd, int option, unsigned ms)
{
    struct timeval t = { ms / 1000, (ms % 1000) * 1000 };

    setsockopt(fd, SOL_SOCKET, option, &t, sizeof t);
}

/* Also when there is nothing to say, an end that is gone shall be noticed. */
static void
keep_alive(int fd)
{
    int on = 1, seconds = 2, probes = 4;

    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof seconds);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &seconds, sizeof seconds);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
}

/* -EAGAIN is how the kernel says that the time is over. */
static int
timed(int ret)
{
    return ret == -EAGAIN ? -ETIMEDOUT : ret;
}

static int
exchange(struct channel *c, const struct seal_secret *secret, bool mover)
{
    struct hello ours, its;
    bool aes;
    int ret;

    memcpy(ours.greeting, greeting, sizeof greeting);
    seal_random(&ours.number, sizeof ours.number);
    ours.number = (ours.number & ~CAN_AES) | (seal_has_aes() ? CAN_AES : 0);
    stream_tune(c->fd);
    keep_alive(c->fd);
    limit(c->fd, SO_RCVTIMEO, HELLO_MS);
    limit(c->fd, SO_SNDTIMEO, WRITE_MS);
    ret = fd_write_all(c->fd, &ours, sizeof ours);
    if (ret == 0)
        ret = fd_read_all(c->fd, &its, sizeof its);
    if (ret < 0)
        return timed(ret);
    if (memcmp(its.greeting, greeting, sizeof greeting) != 0)
        return -EPROTO;
    for (unsigned to = 0; to < 2; to++)
        seal_derive(secret, "move", !to, to, "", mover ? ours.number : its.number,
            mover ? its.number : ours.number, to == mover ? &c->in : &c->out);
    aes = ours.number & its.number & CAN_AES;
    seal_channel_of(&c->ready->out, &c->out, aes ? SEAL_AES256 : SEAL_XCHACHA20);
    stream_keys_init(&c->ready->in, &c->in);
    return 0;
}

static int
init(struct channel *c, int fd)
{
    *c = (struct channel){ .fd = fd };
    c->frame = malloc(WIRE_MAX_FRAME);
    c->ready = aligned_alloc(_Alignof(struct channel_ready), sizeof *c->ready);
    return c->frame && c->ready ? 0 : -ENOMEM;
}

int
channel_accept(struct channel *c, int fd, const struct seal_secret *secret)
{
    int ret = init(c, fd);

    return ret == 0 ? exchange(c, secret, false) : ret;
}

int
channel_connect(struct channel *c, const char *host, const struct seal_secret *secret,
    const struct vip *vips, unsigned nvips, char *error, size_t size)
{
    int ret = init(c, -1), fd;

    if (ret < 0)
        return ret;
    fd = reach_host(host, vips, nvips, error, size);
    if (fd < 0)
        return fd;
    c->fd = fd;
    ret = exchange(c, secret, true);
    if (ret < 0)
        snprintf(error, size, "%s: %s: is \"sockmig receive\" running there?", host,
            strerror(-ret));
    return ret;
}

/* ---- sending */

static size_t
put_frame(struct channel *c, const uint8_t *body, size_t size, uint8_t *room)
{
    const struct seal_channel *key = c->ready ? &c->ready->out : NULL;
    struct seal_channel plain;

    if (!key) {
        seal_channel_of(&plain, &c->out, SEAL_XCHACHA20);
        key = &plain;
    }
    return stream_frame(key, c->next_out++, body, size, room);
}

static int
send_body(struct channel *c, const uint8_t *body, size_t size, uint8_t *room)
{
    size_t n = put_frame(c, body, size, room);

    return timed(fd_write_all(c->fd, room, n));
}

static void
put_item_head(uint8_t *body, unsigned type, uint32_t process, bool last)
{
    struct writer w = writer_init(body, ITEM_HEAD);

    put_u8(&w, (uint8_t)type);
    put_u8(&w, last);
    put_u32(&w, process);
}

int
channel_say(struct channel *c, unsigned type, const void *data, size_t size)
{
    uint8_t body[8192], room[sizeof body + WIRE_FRAME_HEAD + SEAL_TAG];

    if (size > sizeof body - ITEM_HEAD)
        size = sizeof body - ITEM_HEAD; /* of a text */
    put_item_head(body, type, 0, true);
    if (size > 0)
        memcpy(body + ITEM_HEAD, data, size);
    return send_body(c, body, ITEM_HEAD + size, room);
}

size_t
channel_prepare(struct channel *c, unsigned type, uint8_t *out)
{
    uint8_t body[ITEM_HEAD];

    put_item_head(body, type, 0, true);
    return put_frame(c, body, sizeof body, out);
}

static void *
send_all(void *arg)
{
    struct channel *c = arg;
    uint8_t *room = malloc(WIRE_MAX_FRAME + WIRE_FRAME_HEAD);
    int ret = room ? 0 : -ENOMEM;

    pthread_mutex_lock(&c->lock);
    while (ret == 0) {
        const struct channel_slot *s = &c->slots[c->tail % CHANNEL_SLOTS];

        if (c->tail == c->head) {
            if (c->ending)
                break;
            pthread_cond_wait(&c->changed, &c->lock);
            continue;
        }
        pthread_mutex_unlock(&c->lock);
        ret = send_body(c, s->body, s->size, room);
        pthread_mutex_lock(&c->lock);
        c->tail++;
        pthread_cond_broadcast(&c->changed);
    }
    c->failed = ret;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
    free(room);
    return NULL;
}

int
channel_start(struct channel *c)
{
    int ret;

    c->slots = calloc(CHANNEL_SLOTS, sizeof *c->slots);
    if (!c->slots)
        return -ENOMEM;
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->changed, NULL);
    ret = pthread_create(&c->thread, NULL, send_all, c);
    if (ret != 0) {
        free(c->slots);
        c->slots = NULL;
    }
    return -ret;
}

/* Until no more than @left items wait, or sending failed. */
static int
await_room(struct channel *c, unsigned left, void (*wait)(void *arg), void *arg)
{
    int ret;

    pthread_mutex_lock(&c->lock);
    while (c->head - c->tail > left && c->failed == 0) {
        struct timespec t;

        clock_gettime(CLOCK_REALTIME, &t);
        t.tv_nsec += 300000;
        t.tv_sec += t.tv_nsec / 1000000000;
        t.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&c->changed, &c->lock, &t);
        pthread_mutex_unlock(&c->lock);
        wait(arg);
        pthread_mutex_lock(&c->lock);
    }
    ret = c->failed;
    pthread_mutex_unlock(&c->lock);
    return ret;
}

int
channel_drain(struct channel *c, void (*wait)(void *arg), void *arg)
{
    return await_room(c, 0, wait, arg);
}

static void
submit(struct channel *c)
{
    pthread_mutex_lock(&c->lock);
    c->head++;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

int
channel_put(struct channel *c, unsigned type, uint32_t process,
    const struct iovec *parts, unsigned n, void (*wait)(void *arg), void *arg)
{
    size_t left = 0, at = 0; /* at: in parts[0] */
    int ret;

    for (unsigned i = 0; i < n; i++)
        left += parts[i].iov_len;
    do {
        struct channel_slot *s;

        ret = await_room(c, CHANNEL_SLOTS - 1, wait, arg);
        if (ret < 0)
            return ret;
        s = &c->slots[c->head % CHANNEL_SLOTS];
        s->size = ITEM_HEAD;
        while (n > 0 && s->size < BODY_MAX) {
            size_t some = parts->iov_len - at;

            some = some < BODY_MAX - s->size ? some : BODY_MAX - s->size;
            if (some > 0)
                memcpy(s->body + s->size, (const char *)parts->iov_base + at, some);
            s->size += some;
            at += some;
            left -= some;
            if (at == parts->iov_len) {
                parts++;
                n--;
                at = 0;
            }
        }
        put_item_head(s->body, type, process, left == 0);
        submit(c);
    } while (left > 0);
    return 0;
}

/* ---- receiving */

bool
channel_ready(const struct channel *c, int ms)
{
    struct pollfd p = { .fd = c->fd, .events = POLLIN };

    return poll(&p, 1, ms) > 0;
}

static int
add_to_item(struct channel *c, const uint8_t *data, size_t size)
{
    if (size > ITEM_MAX - c->item_size)
        return -E2BIG;
    if (c->item_size + size > c->item_max) {
        size_t more = 2 * (c->item_size + size);
        uint8_t *grown = realloc(c->item, more);

        if (!grown)
            return -ENOMEM;
        c->item = grown;
        c->item_max = more;
    }
    if (size > 0)
        memcpy(c->item + c->item_size, data, size);
    c->item_size += size;
    return 0;
}

int
channel_get(struct channel *c, struct imgfile_item *item, unsigned limit_ms)
{
    bool last = false;
    int ret = 0;

    limit(c->fd, SO_RCVTIMEO, limit_ms);
    c->item_size = 0;
    for (unsigned frames = 0; ret == 0 && !last; frames++) {
        const uint8_t *body;
        struct reader r;
        uint64_t number = c->next_in;
        size_t size;

        ret = stream_read_frame(
            c->fd, &c->ready->in, &c->next_in, c->frame, &body, &size);
        if (ret < 0)
            break;
        if (c->next_in != number + 1)
            return -EBADMSG; /* one is missing */
        r = reader_init(body, size);
        if (frames == 0)
            item->type = get_u8(&r);
        else if (get_u8(&r) != (uint8_t)item->type)
            return -EBADMSG;
        last = get_u8(&r);
        item->process = get_u32(&r);
        if (r.bad)
            return -EBADMSG;
        ret = add_to_item(c, body + r.pos, reader_left(&r));
    }
    item->data = c->item;
    item->size = c->item_size;
    return timed(ret);
}

void
channel_close(struct channel *c)
{
    if (c->slots) {
        pthread_mutex_lock(&c->lock);
        c->ending = true;
        pthread_cond_broadcast(&c->changed);
        pthread_mutex_unlock(&c->lock);
        shutdown(c->fd, SHUT_RDWR); /* what is written already still goes out */
        pthread_join(c->thread, NULL);
        pthread_mutex_destroy(&c->lock);
        pthread_cond_destroy(&c->changed);
    }
    free(c->slots);
    free(c->frame);
    free(c->ready);
    free(c->item);
    fd_close(c->fd);
    *c = (struct channel){ .fd = -1 };
}
