/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * stream.h - sealed frames over TCP between two engines (see core/wire.h). */
#ifndef BSC_STREAM_H
#define BSC_STREAM_H

#include "lib/seal.h"
#include "sockmig/core/wire.h"

#include <sys/types.h>

/* The hello and the acks are small and of fixed size on the wire. */
#define STREAM_HELLO (WIRE_FRAME_HEAD + 1 + 4 + 8 + 8 + 8 + 8 + SEAL_TAG)
#define STREAM_ACK (WIRE_FRAME_HEAD + 1 + 8 + 8 + 1 + SEAL_TAG)

struct stream_pair {                  /* who talks to whom; names the keys */
    const struct seal_secret *secret; /* borrowed */
    const char *service;              /* borrowed */
    unsigned active, standby;         /* node ids */
    uint8_t challenge[WIRE_CHALLENGE];
};

/* stream_join_session - a number for this joining: both sides know the challenge, and
 * no other joining has the same. */
uint64_t stream_join_session(const struct stream_pair *pair);

/* stream_seal_small - one frame of the pair's own key into @out; @to_standby tells the
 * direction.  Bytes written: head, body, tag. */
size_t stream_seal_small(const struct stream_pair *pair, bool to_standby,
    uint64_t number, const uint8_t *body, size_t size, uint8_t *out);

/* stream_open_small - the other way.  False: forged or damaged.  *body points into
 * @frame. */
bool stream_open_small(const struct stream_pair *pair, bool to_standby,
    uint64_t least_number, uint8_t *frame, size_t size, uint64_t *number,
    const uint8_t **body, size_t *body_size);

void stream_group_key(const struct seal_secret *secret, const char *service,
    unsigned active, uint64_t epoch, uint64_t session, struct seal_key *key);

struct stream_keys { /* a group's, for each cipher */
    struct seal_channel of[SEAL_NCIPHERS];
    bool has[SEAL_NCIPHERS]; /* false: this processor cannot */
};

void stream_keys_init(struct stream_keys *out, const struct seal_key *key);

/* stream_frame - seal @size bytes of @body as frame @number, which this key never had,
 * into @out (WIRE_FRAME_HEAD + size + SEAL_TAG bytes).  Bytes written. */
size_t stream_frame(const struct seal_channel *key, uint64_t number,
    const uint8_t *body, size_t size, uint8_t *out);

/* stream_read_frame - blocking; *next is the least number accepted, advanced.
 *
 * @buffer  WIRE_MAX_FRAME bytes; @body points into it
 *
 * 0; -EBADMSG forged, replayed, too long, or of a cipher that this processor cannot
 * open; -ECONNRESET at the end; other -errno. */
int stream_read_frame(int fd, const struct stream_keys *keys, uint64_t *next,
    uint8_t *buffer, const uint8_t **body, size_t *size);

/* stream_challenge - a new one, with what this processor can. */
void stream_challenge(uint8_t out[WIRE_CHALLENGE]);

/* stream_tune - what both ends set on their socket. */
void stream_tune(int fd);

#endif
