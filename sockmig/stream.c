/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockmig/stream.h"

#include "lib/fd.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

static void
pair_key(const struct stream_pair *pair, bool to_standby, struct seal_key *key)
{
    uint64_t session[2];
    unsigned from = to_standby ? pair->active : pair->standby;
    unsigned to = to_standby ? pair->standby : pair->active;

    memcpy(session, pair->challenge, sizeof session);
    seal_derive(
        pair->secret, "pair", from, to, pair->service, session[0], session[1], key);
}

static void
put_frame_head(
    uint8_t head[WIRE_FRAME_HEAD], size_t sealed, uint32_t flags, uint64_t number)
{
    struct writer w = writer_init(head, WIRE_FRAME_HEAD);

    put_u32(&w, (uint32_t)sealed | flags);
    put_u64(&w, number);
}

uint64_t
stream_join_session(const struct stream_pair *pair)
{
    uint64_t session;

    memcpy(&session, pair->challenge, sizeof session);
    return session;
}

size_t
stream_seal_small(const struct stream_pair *pair, bool to_standby, uint64_t number,
    const uint8_t *body, size_t size, uint8_t *out)
{
    struct seal_key key;

    pair_key(pair, to_standby, &key);
    put_frame_head(out, size + SEAL_TAG, 0, number);
    seal(&key, number, out, WIRE_FRAME_HEAD, body, size, out + WIRE_FRAME_HEAD);
    return WIRE_FRAME_HEAD + size + SEAL_TAG;
}

bool
stream_open_small(const struct stream_pair *pair, bool to_standby,
    uint64_t least_number, uint8_t *frame, size_t size, uint64_t *number,
    const uint8_t **body, size_t *body_size)
{
    struct reader r = reader_init(frame, size);
    uint32_t sealed = get_u32(&r);
    struct seal_key key;

    *number = get_u64(&r);
    if (r.bad || sealed != reader_left(&r) || *number < least_number)
        return false;
    pair_key(pair, to_standby, &key);
    *body = frame + WIRE_FRAME_HEAD;
    *body_size = sealed - SEAL_TAG;
    return seal_open(&key, *number, frame, WIRE_FRAME_HEAD, frame + WIRE_FRAME_HEAD,
        sealed, frame + WIRE_FRAME_HEAD);
}

void
stream_group_key(const struct seal_secret *secret, const char *service, unsigned active,
    uint64_t epoch, uint64_t session, struct seal_key *key)
{
    seal_derive(secret, "group", active, 0, service, epoch, session, key);
}

void
stream_keys_init(struct stream_keys *out, const struct seal_key *key)
{
    for (unsigned c = 0; c < SEAL_NCIPHERS; c++)
        out->has[c] = seal_channel_of(&out->of[c], key, (enum seal_cipher)c);
}

size_t
stream_frame(const struct seal_channel *key, uint64_t number, const uint8_t *body,
    size_t size, uint8_t *out)
{
    put_frame_head(
        out, size + SEAL_TAG, key->cipher == SEAL_AES256 ? WIRE_FRAME_AES : 0, number);
    seal_channel_put(
        key, number, out, WIRE_FRAME_HEAD, body, size, out + WIRE_FRAME_HEAD);
    return WIRE_FRAME_HEAD + size + SEAL_TAG;
}

int
stream_read_frame(int fd, const struct stream_keys *keys, uint64_t *next,
    uint8_t *buffer, const uint8_t **body, size_t *size)
{
    uint8_t head[WIRE_FRAME_HEAD] = { 0 };
    struct reader r = reader_init(head, sizeof head);
    enum seal_cipher cipher;
    uint32_t sealed;
    uint64_t number;
    int ret = fd_read_all(fd, head, sizeof head);

    if (ret < 0)
        return ret;
    sealed = get_u32(&r);
    number = get_u64(&r);
    cipher = sealed & WIRE_FRAME_AES ? SEAL_AES256 : SEAL_XCHACHA20;
    sealed &= ~WIRE_FRAME_AES;
    if (sealed < SEAL_TAG || sealed > WIRE_MAX_FRAME || number < *next ||
        !keys->has[cipher])
        return -EBADMSG;
    ret = fd_read_all(fd, buffer, sealed);
    if (ret < 0)
        return ret;
    if (!seal_channel_get(
            &keys->of[cipher], number, head, sizeof head, buffer, sealed, buffer))
        return -EBADMSG;
    *next = number + 1;
    *body = buffer;
    *size = sealed - SEAL_TAG;
    return 0;
}

void
stream_challenge(uint8_t out[WIRE_CHALLENGE])
{
    seal_random(out, WIRE_CHALLENGE);
    out[0] = seal_has_aes() ? WIRE_CAN_AES : 0;
}

void
stream_tune(int fd)
{
    int one = 1, size = 8 << 20;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
}
